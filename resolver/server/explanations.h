/*
 * explanations.h: what the operator wants explained (explain/explanation): each in the background, with sockets of its
 * own, dropped afterwards.
 *
 * Thread: keeper.
 */
#ifndef SERVER_EXPLANATIONS_H
#define SERVER_EXPLANATIONS_H

#include "explain/explanation.h"
#include "server/daemon.h"

struct explanations_hooks {
    /* How far it has come; now and then. False: nobody wants to know any more, and it is given up. */
    bool (*progress)(void *cookie, const struct explanation *explanation);
    /* Once, later; `explanation`, borrowed, is concluded; NULL: it was given up. */
    void (*done)(void *cookie, const struct explanation *explanation);
    void *cookie;
};

/* Begins one; copies both. False: LIMIT_EXPLANATIONS are under way, or no memory or descriptors; nothing is called. */
bool explanations_begin(struct daemon *daemon, const struct explain_request *request,
                        const struct explanations_hooks *hooks);

#endif
