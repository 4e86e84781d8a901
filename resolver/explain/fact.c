/*
 * fact.c: see fact.h.
 */
#include "explain/fact.h"

#include <arpa/inet.h>
#include <string.h>

bool fact_next(const struct fact *fact, uint16_t type, struct message *message, struct record *record)
{
    if (!fact_is_usable(fact) || (record->end == 0 && !message_parse(fact->wire, message)))
        return false;
    while (message_next(message, record) && record->section == SECTION_ANSWER)
        if (record->type == type && record->class == CLASS_IN)
            return true;
    return false;
}

bool fact_name(const struct message *message, const struct record *record, size_t at, struct name *ret)
{
    size_t end;
    if (at >= record->data.len || !name_unpack(message->wire, record->data_at + at, ret, &end))
        return false;
    name_lower(ret->wire, ret->len);
    return true;
}

bool fact_address(const struct record *record, uint16_t port, struct address *ret)
{
    if (record->type == TYPE_A && record->data.len == 4) {
        *ret = (struct address){.in = {.sin_family = AF_INET, .sin_port = htons(port)}, .len = sizeof(ret->in)};
        memcpy(&ret->in.sin_addr, record->data.data, 4);
        return true;
    }
    if (record->type == TYPE_AAAA && record->data.len == 16) {
        *ret = (struct address){.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}, .len = sizeof(ret->in6)};
        memcpy(&ret->in6.sin6_addr, record->data.data, 16);
        return true;
    }
    return false;
}

bool fact_same_data(const struct message *message, const struct record *record, const struct message *others,
                    const struct record *other)
{
    struct name host, other_host;
    if (record->type == TYPE_MX && other->type == TYPE_MX)
        return memcmp(record->data.data, other->data.data, 2) == 0 && fact_name(message, record, 2, &host) &&
               fact_name(others, other, 2, &other_host) && name_equal(name_view(&host), name_view(&other_host));
    return record->data.len == other->data.len && memcmp(record->data.data, other->data.data, record->data.len) == 0;
}

unsigned fact_count(const struct fact *fact, uint16_t type)
{
    struct message message;
    struct record  record = {0};
    unsigned       count  = 0;
    while (fact_next(fact, type, &message, &record))
        count++;
    return count;
}

struct view fact_zone(const struct fact *fact)
{
    return fact_is_usable(fact) && fact->judgement.has_soa ? name_view(&fact->judgement.zone) : (struct view){0};
}
