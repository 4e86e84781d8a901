/*
 * types.h: the scalar units that every folder shares.
 *
 * Time reaches the logic as an argument; only server/clock reads a clock.
 *
 * Thread: pure.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t msec_t; /* monotonic milliseconds; differences are durations */
typedef int64_t wall_t; /* calendar seconds since 1970, UTC */

#define MSEC_NEVER INT64_MAX /* a deadline that does not come */
#define WALL_NEVER INT64_MAX

/* Bytes that somebody else owns. */
struct view {
    const uint8_t *data;
    size_t         len;
};

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *) (void *) ((char *) (pointer) -offsetof(type, member)))

static inline msec_t msec_min(msec_t a, msec_t b) { return a < b ? a : b; }
static inline msec_t msec_max(msec_t a, msec_t b) { return a > b ? a : b; }
static inline msec_t msec_clamp(msec_t value, msec_t low, msec_t high) { return msec_min(msec_max(value, low), high); }

#endif
