/*
 * stored.h: what the tests of cache/ put in: names by number, and answers written byte by byte, whatever the key says.
 */
#ifndef TEST_STORED_H
#define TEST_STORED_H

#include "base/bytes.h"
#include "cache/cache.h"
#include "lib/check.h"

#include <stdio.h>
#include <string.h>

/* n7.example., a name for each number. */
static inline struct name name_of(uint32_t number)
{
    static const uint8_t example[] = "\7example";
    struct name          name;
    char                 label[16];
    int                  len = snprintf(label, sizeof label, "n%u", number);
    assert_true(name_prepend(&name, label, (size_t) len, (struct view){example, sizeof example}));
    return name;
}

struct packed {
    uint8_t            wire[4096];
    uint8_t            ttls[2];
    struct cache_entry entry;
};

/* Set to the answer of domestic (0) to that question, with one record of `size` bytes, each of them `mark`. */
static inline void pack(struct packed *ret, const struct cache_key *key, uint32_t ttl, size_t size, uint8_t mark)
{
    uint8_t *at = ret->wire;
    memset(at, 0, MESSAGE_HEADER);
    put_u16(at + 2, FLAG_QR | FLAG_RA);
    put_u16(at + 4, 1);
    put_u16(at + 6, 1);
    at += MESSAGE_HEADER;
    memcpy(at, key->name.data, key->name.len);
    at += key->name.len;
    put_u16(at, key->type);
    put_u16(at + 2, key->class);
    put_u16(at + 4, 0xc000 | MESSAGE_HEADER);
    put_u16(at + 6, key->type);
    put_u16(at + 8, key->class);
    put_u32(at + 10, ttl);
    put_u16(ret->ttls, (uint16_t) (at + 10 - ret->wire));
    put_u16(at + 14, (uint16_t) size);
    memset(at + 16, mark, size);
    ret->entry = (struct cache_entry){
        .stored = {.message = {ret->wire, (size_t) (at + 16 - ret->wire) + size}, .ttls = {ret->ttls, 2}},
        .ttl    = ttl,
    };
}

#endif
