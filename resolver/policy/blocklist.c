/*
 * blocklist.c: see blocklist.h.
 */
#include "policy/blocklist.h"

#include <string.h>

static const uint8_t error_block[] = {127, 255, 255};

static bool in_error_block(const uint8_t *address) { return memcmp(address, error_block, sizeof(error_block)) == 0; }

/* Before a list's name stands what it is asked about: an address or a domain, of two labels or more, or a hash. A
 * preset's zone may be the list itself, or the domain of its owner; hosts of that have one label. */
static bool is_lookup(const struct blocklist *list, struct view name)
{
    size_t below = name_labels(name) - name_labels(name_view(&list->zone));
    return below > 1 || (below == 1 && name.data[0] >= LIST_HASH);
}

static bool is_refusal(const struct refusals *refusals, const uint8_t *address)
{
    for (unsigned i = 0; i < refusals->count; i++)
        if (memcmp(address, refusals->addresses[i], sizeof(refusals->addresses[i])) == 0)
            return true;
    return false;
}

static bool is_error(const struct blocklist *list, const struct record *record, bool lookup)
{
    bool v4 = record->type == TYPE_A && record->data.len == 4;
    bool v6 = record->type == TYPE_AAAA && record->data.len == 16;
    if (v4 && record->data.data[0] == error_block[0])
        return in_error_block(record->data.data) || is_refusal(&list->refusals, record->data.data);
    return lookup && (v4 || v6);
}

bool blocklist_error(const struct blocklist *list, struct view name, const struct message *reply,
                     struct view *ret_address)
{
    struct record record = {0};
    bool          lookup = is_lookup(list, name);
    while (message_next(reply, &record) && record.section == SECTION_ANSWER) {
        if (record.class != CLASS_IN || !is_error(list, &record, lookup))
            continue;
        *ret_address = record.data;
        return true;
    }
    return false;
}

const char *blocklist_error_words(struct view address)
{
    if (address.len != 4 || address.data[0] != error_block[0])
        return "outside 127.0.0.0/8: the list has ended, or the upstream makes up answers";
    if (!in_error_block(address.data))
        return "this list refuses so";
    switch (address.data[sizeof(error_block)]) {
    case 252:
        return "typing error in the list's name";
    case 254:
        return "asked through a public resolver";
    case 255:
        return "too many queries";
    default:
        return NULL;
    }
}
