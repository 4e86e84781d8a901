/*
 * blocklist.c: see blocklist.h.
 */
#include "query/blocklist.h"

#include <string.h>

bool blocklist_error(const struct message *reply, uint8_t *ret_code)
{
    static const uint8_t block[] = {127, 255, 255};
    struct record        record  = {0};

    while (message_next(reply, &record) && record.section == SECTION_ANSWER) {
        if (record.type != TYPE_A || record.class != CLASS_IN || record.data.len != sizeof(block) + 1 ||
            memcmp(record.data.data, block, sizeof(block)) != 0)
            continue;
        *ret_code = record.data.data[sizeof(block)];
        return true;
    }
    return false;
}

const char *blocklist_error_words(uint8_t code)
{
    switch (code) {
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
