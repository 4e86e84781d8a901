/*
 * credentials.h: whom a TLS connection believes to be an upstream: the system's certificate authorities or a file's, the
 * name or the address that the certificate must have, and pins (RFC 7858, 4.2; RFC 8310).
 *
 * With pins alone the server's own key decides, whoever issued the certificate, for what name and until when. With pins
 * and a `ca` both must hold; a pin may then be of any certificate of the chain.
 *
 * Thread: any, but for trust_open().
 */
#ifndef STREAM_CREDENTIALS_H
#define STREAM_CREDENTIALS_H

#include "base/types.h"
#include "stream/way.h"

struct credentials; /* counted */
struct trust;       /* certificate authorities; counted by those who use it */

enum {
    CREDENTIALS_WHY_MAX = 256 /* bytes */
};

/* The system's store, read from disk, which takes some 30 ms. NULL: there is none that can be read, or no memory. */
struct trust *trust_open(void);
void          trust_close(struct trust *trust); /* NULL is allowed */

/* For `way`, which is encrypted and not kept. `trust`: for one without `ca`; NULL: then nobody is believed. NULL: `why`
 * says what is wrong with its `ca`, or that there is no memory. */
struct credentials *credentials_create(const struct way *way, const struct trust *trust, char why[CREDENTIALS_WHY_MAX]);
struct credentials *credentials_take(struct credentials *credentials);
void                credentials_drop(struct credentials *credentials); /* NULL is allowed */

/* How many certificates that PEM text has; 0: none, or what is no certificate. */
unsigned credentials_count_ca(const char *pem);

#endif
