/*
 * way.h: how an upstream is reached: in which form, at which address, through what, and who it must be. Plain data; two
 * ways that differ in anything share no connection and no session.
 *
 * Thread: pure; one that is read by several does not change.
 */
#ifndef STREAM_WAY_H
#define STREAM_WAY_H

#include "base/address.h"

#include <net/if.h>

enum way_form {
    WAY_UDP, /* and TCP, where an answer was cut */
    WAY_TCP,
    WAY_TLS,   /* DNS over TLS (RFC 7858) */
    WAY_HTTPS, /* DNS over HTTPS (RFC 8484) */
    WAY_FORM_COUNT
};

enum {
    WAY_PINS     = 8,  /* of one upstream */
    WAY_PIN      = 32, /* bytes: SHA-256 of a SubjectPublicKeyInfo */
    WAY_TEXT_MAX = 700 /* bytes: the form with scheme, address, path and name */
};

struct way {
    enum way_form  form;
    struct address address;
    /* of WAY_TLS and WAY_HTTPS; texts are owned */
    char    *name; /* which the certificate must have; NULL: the address */
    char    *path; /* WAY_HTTPS: of the URL */
    char    *sni;  /* Server Name Indication; NULL: `name`; empty: none is sent */
    char    *ca;   /* PEM: who may issue the certificate in place of the system's store; NULL: those */
    uint8_t  pins[WAY_PINS][WAY_PIN];
    unsigned pin_count;
    /* of all forms */
    struct address bind; /* source address, port 0; len 0: the system chooses */
    char           interface[IF_NAMESIZE];
    /* of all but WAY_UDP: SOCKS5 (RFC 1928) */
    struct address proxy;                   /* len 0: none */
    char          *proxy_user, *proxy_word; /* RFC 1929; NULL: none; the second is secret */
};

/* "udp", "tcp", "tls", "https". */
const char        *way_form_word(enum way_form form);
static inline bool way_is_encrypted(const struct way *way) { return way->form >= WAY_TLS; }
/* The port that a form has where none is given. */
uint16_t way_port(enum way_form form);
bool     way_equal(const struct way *a, const struct way *b);
/* False: no memory, *ret is empty. */
bool way_copy(struct way *ret, const struct way *from);
void way_fini(struct way *way);
/* As an operator writes it: "192.0.2.1:53", "tcp://…", "tls://192.0.2.1:853#dns.example.net". Returns `text`. */
const char *way_format(const struct way *way, char text[WAY_TEXT_MAX]);
/* The address to which a connection is made: the proxy's, where there is one. */
static inline const struct address *way_dials(const struct way *way)
{
    return way->proxy.len > 0 ? &way->proxy : &way->address;
}

#endif
