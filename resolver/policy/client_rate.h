/*
 * client_rate.h: how often a client may ask: a token bucket for each address, shared by all workers, since the kernel
 * spreads the sockets of one client over them. It knows no messages: whoever is about to serve one takes a token, and
 * does not serve it if there is none.
 *
 * A client is an IPv4 address or the /64 of an IPv6 one, which is what one host may number as it likes. A full bucket
 * holds one second's messages, and CLIENT_RATE_LEAST at least. A bucket is one word: a tag of the address and the time
 * at which it will be full again (GCRA). The table has a fixed size and forgets: who finds no place takes that of the
 * client who has asked least of late, who then starts with a full bucket. So a stranger who makes up addresses takes
 * nothing from anybody, and those who ask most stay known. No lock, no allocation.
 *
 * Thread: any.
 */
#ifndef POLICY_CLIENT_RATE_H
#define POLICY_CLIENT_RATE_H

#include "base/address.h"
#include "base/hash.h"

struct client_rate;

enum {
    CLIENT_RATE_LEAST = 16, /* messages: what one mail asks in one go */
};

/* NULL: no memory. */
struct client_rate *client_rate_create(struct hash_key key);
void                client_rate_destroy(struct client_rate *rate);

/* False: `client` has had its `per_second` (1 to 1,000,000) messages, and nothing was taken. Threads whose `now` differ
 * may both call it, and `per_second` may change from call to call. */
bool client_rate_take(struct client_rate *rate, uint32_t per_second, const struct address *client, msec_t now);

/* Whether the log is to hear of somebody over the limit: true once a minute, whichever thread asks. */
bool client_rate_tell(struct client_rate *rate, msec_t now);

#endif
