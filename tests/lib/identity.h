/*
 * identity.h: keys and certificates that tests make for themselves: right ones, and wrong ones of each kind.
 */
#ifndef LIB_IDENTITY_H
#define LIB_IDENTITY_H

#include "base/types.h"

#include <openssl/ssl.h>

struct identity {
    EVP_PKEY *key;
    X509     *certificate;
};

struct identity_options {
    const char            *name;   /* common name */
    const char            *names;  /* subjectAltName as OpenSSL writes it: "DNS:a.example,IP:192.0.2.1"; NULL: none */
    const struct identity *issuer; /* NULL: itself */
    const struct identity *like;   /* whose key it has; NULL: a new one */
    bool                   is_ca;
    wall_t                 from, until;
};

/* Fails the test where it cannot be made. */
struct identity identity_make(const struct identity_options *options);
void            identity_drop(struct identity *identity);
/* In PEM, for the caller to free. */
char *identity_pem(const struct identity *identity);
/* A server's context that shows `identity` and, behind it, `between` (may be NULL). */
SSL_CTX *identity_context(const struct identity *identity, const struct identity *between);

#endif
