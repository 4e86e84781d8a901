/*
 * ldns_view.h: what ldns makes of a message that our parser has accepted, for tests that hold the one against the other.
 */
#ifndef LIB_LDNS_VIEW_H
#define LIB_LDNS_VIEW_H

#include "dns/message.h"

#include <ldns/ldns.h>

/* Types whose rdata holds names that the parser follows; that of others passes through unseen. */
static inline bool is_checked(uint16_t type)
{
    return (type >= TYPE_NS && type <= 9) || type == TYPE_PTR || type == 14 || type == TYPE_MX || type == TYPE_SRV ||
           type == TYPE_DNAME;
}

/* Whether ldns refuses the rdata of some record, or reads on from elsewhere than its end (1.8.3 does, for an EUI48 that
 * is too long). That must be a record whose rdata is none of our business, one that is not checked: *ret_type says. */
static inline bool ldns_dislikes(const struct message *message, uint16_t *ret_type)
{
    struct record record = {0};

    while (message_next(message, &record)) {
        size_t      pos    = record.owner;
        ldns_rr    *rr     = NULL;
        ldns_status status = ldns_wire2rr(&rr, message->wire.data, message->wire.len, &pos, LDNS_SECTION_ANSWER);

        if (status == LDNS_STATUS_OK)
            ldns_rr_free(rr);
        if (status != LDNS_STATUS_OK || pos != record.end) {
            *ret_type = record.type;
            return true;
        }
    }
    return false;
}

#endif
