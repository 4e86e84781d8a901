/*
 * remote.h: an upstream as its connections see it: the way to it, the credentials in force, and what went wrong last.
 * Counted: it lives as long as anybody has it.
 *
 * Thread: any.
 */
#ifndef STREAM_REMOTE_H
#define STREAM_REMOTE_H

#include "stream/tls.h"

struct remote;

struct remote_report {
    char            problem[TLS_PROBLEM_MAX]; /* empty: nothing is wrong with the last connection */
    msec_t          since;                    /* when that began, in the reporters' clock */
    struct tls_peer peer;                     /* of the last handshake that came so far */
};

/* `way` is copied. NULL: no memory. */
struct remote    *remote_create(const struct way *way);
struct remote    *remote_take(struct remote *remote);
void              remote_drop(struct remote *remote); /* NULL is allowed */
const struct way *remote_way(const struct remote *remote);

/* Those of before stay for the connections that have them. A share of `credentials` is taken. */
void remote_set_credentials(struct remote *remote, struct credentials *credentials);
/* A share, or NULL: nothing is encrypted. */
struct credentials *remote_credentials(struct remote *remote);

/* A connection was opened (`problem` empty), or could not be. `peer`: who showed itself, or NULL. */
void remote_note(struct remote *remote, const char *problem, const struct tls_peer *peer, msec_t now);
void remote_read(struct remote *remote, struct remote_report *ret);
/* When a connection of any thread last came open, in the reporters' clock; 0: none has. */
msec_t remote_opened(const struct remote *remote);

#endif
