/*
 * tls.h: the client's end of one TLS connection, without I/O: bytes of the network go in and come out, and so do those
 * that they carry. TLS 1.2 at least; no renegotiation, no compression, no early data.
 *
 * Fails closed: nothing is sent before the peer is known to be who it must be, and nothing of what came is told.
 *
 * Thread: owner.
 */
#ifndef STREAM_TLS_H
#define STREAM_TLS_H

#include "stream/credentials.h"

struct tls;
struct ssl_session_st;
struct ssl_ctx_st;

enum {
    TLS_PROBLEM_MAX = 400,  /* bytes, with the NUL */
    TLS_NAME_MAX    = 128,  /* bytes of a subject's or issuer's text */
    TLS_TICKET_LIFE = 86400 /* s; however long the server would honour it */
};

enum tls_state {
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_CLOSED, /* the peer said so: there is nothing more to come */
    TLS_FAILED
};

/* What resumes the next session of the same credentials. Zeroed: nothing. One for all connections of one way on one
 * thread, and alive for as long as these. */
struct tls_ticket {
    struct ssl_session_st *session;
    struct ssl_ctx_st     *context;  /* of these credentials; counted */
    wall_t                 verified; /* when the certificate was verified; a resumed session does not do it anew */
    wall_t                 ends;     /* with the certificate at the latest */
};
void tls_ticket_fini(struct tls_ticket *ticket);

struct tls_hooks {
    void *context;
    void (*send)(void *context, struct view bytes); /* to the network */
    void (*got)(void *context, struct view plain);  /* from the peer; may not end the connection from within */
};

struct tls_peer {        /* who showed itself, believed or not */
    char    version[16]; /* "TLSv1.3"; empty: no handshake came so far */
    bool    resumed;
    char    subject[TLS_NAME_MAX], issuer[TLS_NAME_MAX]; /* empty: no certificate was seen */
    wall_t  not_before, not_after;
    bool    has_pin;
    uint8_t pin[WAY_PIN]; /* what would be pinned */
};

/* Begins: the first flight is sent from within. `credentials` is taken a share of, `hooks` and `ticket` are borrowed.
 * `wall`: what certificates are held against. NULL: no memory. */
struct tls *tls_create(struct credentials *credentials, struct tls_ticket *ticket, const struct tls_hooks *hooks,
                       wall_t wall);
void        tls_destroy(struct tls *tls); /* NULL is allowed; sends nothing */

enum tls_state tls_state(const struct tls *tls);
/* What came from the network; what it carried waits for tls_read(). */
enum tls_state tls_feed(struct tls *tls, struct view bytes);
/* In TLS_OPEN: hands over what has come. */
enum tls_state tls_read(struct tls *tls);
/* The network has ended. In the handshake that is a failure; TLS_OPEN becomes TLS_CLOSED, close_notify or not: a DNS
 * message that was cut is noticed by its length. `reset`: by force. */
enum tls_state tls_end(struct tls *tls, bool reset);
/* In TLS_OPEN only. False: it has failed, or no memory. */
bool tls_write(struct tls *tls, struct view plain);
/* TLS_FAILED: why, for the operator: what is wrong with the certificate, or how far the handshake came. */
const char *tls_problem(const struct tls *tls);
/* The handshake was reset behind our first flight, before anything came: what a border does to a name it has read. */
bool tls_was_cut(const struct tls *tls);
void tls_describe(const struct tls *tls, struct tls_peer *ret);

#endif
