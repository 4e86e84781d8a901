/*
 * rng.h: a cryptographically secure generator (ChaCha20 keystream) seeded by its owner, so that
 * ids, ports and letter case cannot be guessed while a test with a fixed seed is repeatable.
 *
 * Thread: owner.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/types.h"

#define RNG_SEED_BYTES 32

struct rng {
    uint32_t state[16];
    uint8_t  block[64];
    size_t   used; /* bytes of `block` handed out */
};

void     rng_init(struct rng *rng, const uint8_t seed[RNG_SEED_BYTES]);
void     rng_fill(struct rng *rng, void *bytes, size_t len);
uint16_t rng_u16(struct rng *rng);
uint32_t rng_u32(struct rng *rng);
uint64_t rng_u64(struct rng *rng);
/* Uniform in [0, bound); bound > 0. */
uint32_t rng_below(struct rng *rng, uint32_t bound);

#endif
