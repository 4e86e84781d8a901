/*
 * forgery.c: see forgery.h.
 */
#include "dns/forgery.h"

#include <string.h>

static bool has_address(const struct forgery *known, const struct record *record)
{
    struct address address = {.len = sizeof(address.in)};
    if (record->type == TYPE_A && record->data.len == sizeof(address.in.sin_addr)) {
        address.in.sin_family = AF_INET;
        memcpy(&address.in.sin_addr, record->data.data, record->data.len);
    } else if (record->type == TYPE_AAAA && record->data.len == sizeof(address.in6.sin6_addr)) {
        address.len             = sizeof(address.in6);
        address.in6.sin6_family = AF_INET6;
        memcpy(&address.in6.sin6_addr, record->data.data, record->data.len);
    } else {
        return false;
    }
    for (size_t i = 0; i < known->block_count; i++)
        if (cidr_contains(&known->blocks[i], &address))
            return true;
    return false;
}

static bool has_target(const struct forgery *known, const struct message *reply, const struct record *record)
{
    struct name target;
    size_t      end;
    if (record->type != TYPE_CNAME || !name_unpack(reply->wire, record->data_at, &target, &end))
        return false;
    for (size_t i = 0; i < known->name_count; i++)
        if (name_is_at_or_below(name_view(&target), name_view(&known->names[i])))
            return true;
    return false;
}

bool forgery_shown(const struct forgery *known, const struct message *reply)
{
    struct record record = {0};
    if (!known || known->block_count + known->name_count == 0)
        return false;
    while (message_next(reply, &record) && record.section == SECTION_ANSWER)
        if (record.class == CLASS_IN && (has_address(known, &record) || has_target(known, reply, &record)))
            return true;
    return false;
}
