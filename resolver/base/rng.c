/*
 * rng.c: the ChaCha20 keystream (RFC 8439, 2.3) with the seed as its key. Words 12 and 13 are one 64-bit block
 * counter, so that a generator never repeats itself in a daemon's life. Draws nothing from the system.
 */
#include "base/rng.h"

#include <assert.h>
#include <string.h>

static uint32_t load_le(const uint8_t *p)
{
    return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

static void store_le(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t) (v >> 8 * i);
}

static uint32_t rotate(uint32_t v, int bits) { return v << bits | v >> (32 - bits); }

static void quarter_round(uint32_t *x, int a, int b, int c, int d)
{
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

static void rng_refill(struct rng *rng)
{
    uint32_t x[16];
    memcpy(x, rng->state, sizeof(x));
    for (int round = 0; round < 20; round += 2) {
        for (int i = 0; i < 4; i++)
            quarter_round(x, i, 4 + i, 8 + i, 12 + i);
        for (int i = 0; i < 4; i++)
            quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (int i = 0; i < 16; i++)
        store_le(rng->block + 4 * i, x[i] + rng->state[i]);
    if (++rng->state[12] == 0)
        rng->state[13]++;
    rng->used = 0;
}

void rng_init(struct rng *rng, const uint8_t seed[RNG_SEED_BYTES])
{
    static const char constant[] = "expand 32-byte k";
    *rng                         = (struct rng){.used = sizeof(rng->block)};
    for (int i = 0; i < 4; i++)
        rng->state[i] = load_le((const uint8_t *) constant + 4 * i);
    for (int i = 0; i < 8; i++)
        rng->state[4 + i] = load_le(seed + 4 * i);
}

void rng_fill(struct rng *rng, void *bytes, size_t len)
{
    uint8_t *out = bytes;
    while (len > 0) {
        size_t part;

        if (rng->used == sizeof(rng->block))
            rng_refill(rng);
        part = sizeof(rng->block) - rng->used;
        if (part > len)
            part = len;
        memcpy(out, rng->block + rng->used, part);
        rng->used += part;
        out += part;
        len -= part;
    }
}

uint16_t rng_u16(struct rng *rng)
{
    uint16_t value;
    rng_fill(rng, &value, sizeof(value));
    return value;
}

uint32_t rng_u32(struct rng *rng)
{
    uint32_t value;
    rng_fill(rng, &value, sizeof(value));
    return value;
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t value;
    rng_fill(rng, &value, sizeof(value));
    return value;
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
    uint32_t uneven; /* values below this would make some results likelier than others */
    uint64_t product;
    assert(bound > 0);
    uneven = -bound % bound;
    do
        product = (uint64_t) rng_u32(rng) * bound;
    while ((uint32_t) product < uneven);
    return (uint32_t) (product >> 32);
}
