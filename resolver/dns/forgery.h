/*
 * forgery.h: addresses and alias targets that only a censor gives out: an answer that shows one is forged, whoever
 * brought it.
 *
 * Thread: pure; a list that is read by several does not change.
 */
#ifndef DNS_FORGERY_H
#define DNS_FORGERY_H

#include "base/address.h"
#include "dns/message.h"

struct forgery {         /* zeroed: nothing is known */
    struct cidr *blocks; /* owned by who has made it */
    size_t       block_count;
    struct name *names; /* lower case; what is below one is meant, too */
    size_t       name_count;
};

/* True if the answer section has an address in a block, or an alias that leads to one of the names. NULL is allowed. */
bool forgery_shown(const struct forgery *known, const struct message *reply);

#endif
