/*
 * errand.h: one question of byway's own to one upstream: sent, sent again when it is silent, over TCP or with less
 * where the reply asks for it, until it has an outcome. No client waits for it. A state machine without I/O, like
 * query.h.
 *
 * Thread: owner: worker or keeper.
 */
#ifndef CORE_ERRAND_H
#define CORE_ERRAND_H

#include "base/timers.h"
#include "core/env.h"

enum {
    ERRAND_LADDER = 1000 /* ms */
};

struct errand;
typedef void (*errand_done_fn)(void *owner, struct errand *errand, msec_t now);
typedef void (*errand_read_fn)(void *owner, struct errand *errand, const struct message *reply);

struct errand {
    struct exchange  exchange;
    struct timer     timer;
    msec_t           life;   /* ms until it is a timeout */
    msec_t           resend; /* ms after which it is sent a second time, and, ERRAND_LADDER later, in every other form
                               (exchange.h), if none may have been lately; 0: never */
    msec_t           ended;
    bool             running;
    bool             plain;  /* without EDNS, whatever is known of the upstream */
    bool             aside;  /* its silence says nothing of the upstream's health */
    bool             strict; /* an answer without what was asked for, alias or SOA is forged: injectors send none */
    bool             weak;   /* that it is answered says little of it: a probe by the root (server.h) */
    struct inquiry   inquiry;
    struct judgement judgement; /* of the reply; only where exchange.outcome came from one */
    bool             reads_all; /* read() is called for a reply that is not usable, too */
    errand_read_fn   read;      /* or NULL; called before done() with a usable reply, which it does not keep */
    errand_done_fn   done;
    void            *owner;
};

/* What all errands of a thread share. */
struct errands {
    struct env   *env;    /* borrowed */
    struct timers timers; /* of running errands */
};

/* Begins; `errand` has its inquiry, life, resend, plain, aside, read, done and owner set, all else zero. done() is
 * called once, maybe before this returns. False: no memory; done() is not called. */
bool errand_start(struct errands *errands, struct errand *errand, struct server *server, msec_t now);
/* Sends a running one once more, and lets it live `life` ms from now at least; begins one that has ended anew, with
 * that life. False as for errand_start(). */
bool errand_again(struct errands *errands, struct errand *errand, msec_t life, msec_t now);
/* True if external may be asked a question that is nobody's but ours: a stranger causes those too, so they are taken
 * from his part of the quota. */
bool errand_within_quota(struct errands *errands, msec_t now);
/* done() is not called any more. Harmless when it has ended. */
void errand_cancel(struct errands *errands, struct errand *errand);

void errand_on_packet(struct errands *errands, struct errand *errand, enum transport transport, struct view packet,
                      msec_t now);
/* UDP: ICMP says so: it waits its time all the same. */
void errand_on_unreachable(struct errands *errands, struct errand *errand, enum transport transport, msec_t now);
void errands_on_time(struct errands *errands, msec_t now);

#endif
