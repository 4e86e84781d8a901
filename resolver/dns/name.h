/*
 * name.h: domain names in uncompressed wire form (RFC 1035, 3.1), compared without case (RFC 4343).
 *
 * A borrowed name is a `struct view` over its wire bytes, root label included; a stored one is a
 * `struct name`. Every view given to these functions must have come out of a `struct name`, a
 * parsed message or name_check(): they do not check again.
 *
 * Thread: pure.
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/hash.h"
#include "base/rng.h"
#include "base/types.h"

#define NAME_WIRE_MAX 255
#define NAME_LABELS_MAX 128 /* root not counted: 127 */

struct name {
    uint8_t len; /* with the root label; 1 for the root */
    uint8_t wire[NAME_WIRE_MAX];
};

static inline struct view name_view(const struct name *name) { return (struct view){name->wire, name->len}; }

/* Length of the uncompressed name at the start of `bytes`, root label included; 0: not a valid one. */
size_t name_check(struct view bytes);

/* Reads the name at `offset` of `message` (a whole one, header included), following compression pointers, each of
 * which must point behind the header, to labels that end before those that it continues; more than 127 are refused. On
 * success *ret_end is the offset after the name where it stands. */
bool name_unpack(struct view message, size_t offset, struct name *ret, size_t *ret_end);
/* As name_unpack(), without the copy. */
bool name_skip(struct view message, size_t offset, size_t *ret_end);
/* As name_skip(), but a name is refused that has a length or pointer byte where `barred` has its bit set (one bit for
 * each byte of `message`, the lowest bit first), or any byte there that lies at or behind `data`: behind it bits stand
 * in runs of four. */
bool name_skip_barred(struct view message, size_t offset, const uint8_t *barred, size_t data, size_t *ret_end);

void name_set(struct name *ret, struct view name);       /* copies */
void name_set_lower(struct name *ret, struct view name); /* copies in lower case */
void name_lower(uint8_t *wire, size_t len);              /* in place */

bool name_is_root(struct view name);
/* Labels, root not counted. */
size_t name_labels(struct view name);
/* The name without its first label; the root's parent is the root. */
struct view name_parent(struct view name);
/* The last `labels` labels of the name; the whole name if it has fewer. */
struct view name_tail(struct view name, size_t labels);
bool        name_equal(struct view a, struct view b);
bool        name_is_at_or_below(struct view name, struct view zone);
/* Order of RFC 4034, 6.1: by labels from the root, lower case. <0, 0, >0. */
int name_compare(struct view a, struct view b);
/* Equal names hash equally, whatever their case. */
uint64_t name_hash(struct hash_key key, struct view name);

/* Builds label.name in *ret; false: too long. `label_len` 1..63; `name` may lie in *ret. */
bool name_prepend(struct name *ret, const void *label, size_t label_len, struct view name);
/* The same with a label of 16 random letters: a name that no cache holds. */
bool name_prepend_random(struct name *ret, struct view name, struct rng *rng);

#endif
