/*
 * tls_internal.h: the parts of tls.h and credentials.h to each other. What OpenSSL calls back in the midst of a
 * connection (verification.c, ticket.c) leaves what it saw with the connection.
 *
 * Thread: owner.
 */
#ifndef STREAM_TLS_INTERNAL_H
#define STREAM_TLS_INTERNAL_H

#include "stream/tls.h"

#include <openssl/ssl.h>

struct credentials {
    _Atomic unsigned references;
    SSL_CTX         *context;
    bool             by_pin; /* pins alone decide */
    unsigned         pin_count;
    uint8_t          pins[WAY_PINS][WAY_PIN];
    bool             by_address; /* the name is an address */
    char            *name;       /* for messages, and for the certificate */
    char            *sni;        /* NULL: none is sent */
    bool             https;
};

struct trust {
    X509_STORE *store;
};

struct verification {          /* of one connection; tls.c's, filled by verification.c */
    struct tls_ticket *ticket; /* where the next session's goes, or NULL */
    bool               by_pin; /* dates do not count */
    wall_t             wall;   /* when the connection began */
    struct tls_peer    peer;
    char               problem[TLS_PROBLEM_MAX]; /* empty: none */
};

/* The connection's, which tls.c has put there. */
static inline struct verification *verification_of(SSL *ssl) { return SSL_get_app_data(ssl); }
/* For SSL_CTX_set_cert_verify_callback(). */
int  verification_run(X509_STORE_CTX *store, void *credentials);
void verification_describe(X509 *certificate, struct tls_peer *ret);
/* Seconds since 1970; 0: it cannot be read. */
wall_t verification_time(const ASN1_TIME *time);
/* For SSL_CTX_sess_set_new_cb(). */
int ticket_on_session(SSL *ssl, SSL_SESSION *session);

#endif
