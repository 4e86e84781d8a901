/*
 * redis.h: one connection to Redis: commands go out, replies come in the same order, and when it ends one line says
 * why. Nothing waits, neither to connect nor to close. Knows no command: who speaks says AUTH, and begins anew after an
 * end. SIGPIPE is ignored by the process.
 *
 * Thread: owner; of bywayd that is the keeper.
 */
#ifndef CLUSTER_REDIS_H
#define CLUSTER_REDIS_H

#include "base/address.h"

#include <hiredis/hiredis.h>
#include <uv.h>

enum {
    REDIS_CONNECT_WAIT = 3000,     /* ms */
    REDIS_UNSENT_MAX   = 4 << 20,  /* bytes that Redis has not taken yet */
    REDIS_REPLY_MAX    = 16 << 20, /* bytes of one reply as it comes */
    REDIS_ELEMENTS_MAX = 1 << 20,  /* of an array: room for them is made before they have come */
    REDIS_DEPTH_MAX    = 5,        /* arrays in arrays; XREAD's has five: streams, stream, entries, entry, fields */
    REDIS_PROBLEM_MAX  = 200       /* bytes of what closed() is told, the NUL among them */
};

struct redis; /* a connection */

/* Borrowed by redis_open() while it runs. */
struct redis_target {
    bool           local;   /* a Unix socket at `path`, else TCP to `address` */
    struct address address; /* the port among it */
    const char    *path;    /* at most 107 bytes */
};

/* All are called from the loop, never from inside a function of this header, and may call any of them. */
struct redis_hooks {
    void *context;
    /* Connected; nothing was sent. */
    void (*ready)(void *context);
    /* To the oldest command that has none; an error of Redis' is a reply too. `reply` is borrowed. */
    void (*reply)(void *context, uint64_t tag, const redisReply *reply);
    /* Once, at the end, unless redis_close() was called: "connection refused", "no reply for 3s", "closed by Redis".
     * `redis` is gone when it returns, and commands without a reply with it. */
    void (*closed)(void *context, const char *problem);
};

/* NULL: no memory. All else that goes wrong is told by closed(), out of descriptors and no way there among it. Copies
 * the hooks. */
struct redis *redis_open(uv_loop_t *loop, const struct redis_target *target, const struct redis_hooks *hooks);

/* Sends a command of `count` words of any bytes; copies them. Where its whole reply is not there after `patience` ms, the
 * connection ends. False: not ready, closing, no memory, or more than REDIS_UNSENT_MAX would wait; nothing was sent. */
bool redis_send(struct redis *redis, uint64_t tag, int count, const char *const *words, const size_t *lengths,
                msec_t patience);

/* Commands without a reply. Who sends bounds them. */
size_t redis_pending(const struct redis *redis);

/* No hook is called any more, and `redis` is not to be used. The loop frees it in its next turns. */
void redis_close(struct redis *redis);

#endif
