/*
 * listeners.h: binding all of `listen` for a number of workers before anything is changed, so that a reload is all or
 * nothing.
 *
 * Thread: keeper.
 */
#ifndef SERVER_LISTENERS_H
#define SERVER_LISTENERS_H

#include "server/daemon.h"

struct sockets {
    int udp, tcp; /* -1: none */
};

struct bound {               /* for each worker and address */
    struct sockets *sockets; /* [worker * addresses + address] */
    size_t          addresses, workers;
    struct address  missing; /* not there, which is no error; len 0: none */
};

/* Binds what `settings` lists and `before` (may be NULL) did not for workers [0, before_workers), everything for
 * further ones, and what was missing so far; what the service manager has passed is taken instead. False: ret_error
 * names the address; nothing stays open. */
bool listeners_bind(struct daemon *daemon, const struct settings *settings, const struct settings *before,
                    unsigned before_workers, struct bound *ret, char ret_error[ERROR_TEXT_MAX]);
/* Reports, as a warning, who has joined us at an address: he came later, so it is no error of the configuration. */
void listeners_warn(const struct settings *settings, settings_report_fn report, void *context);
/* They become the user's whom this process is to become, for the kernel lets his sockets join no others' but his. */
void listeners_give(struct bound *bound, uid_t user);
/* Hands the sockets to the daemon's workers, which are settings->workers many, stores them with the service manager,
 * and frees `bound`. What is left of those that it has passed is drained. */
void listeners_hand_over(struct bound *bound, struct daemon *daemon);
void listeners_discard(struct bound *bound);
/* Addresses of `before` that `settings` has no more are left by all workers. */
void listeners_leave(struct daemon *daemon, const struct settings *before, const struct settings *settings);
/* The sockets of workers from `first` on, which are about to leave, are stored no longer. */
void listeners_forget(const struct daemon *daemon, const struct settings *settings, unsigned first);

/* From time to time: listens on what was missing and is there now. */
void listeners_look(struct daemon *daemon);

#endif
