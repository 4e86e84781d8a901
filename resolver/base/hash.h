/*
 * hash.h: SipHash-1-3 with a 128-bit key, for tables whose keys strangers choose; and CRC-32C for
 * records on disk.
 *
 * Thread: pure.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/types.h"

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_bytes(struct hash_key key, const void *bytes, size_t len);

/* CRC-32C (Castagnoli) of `bytes`, continuing from `crc` (0 to begin). */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
