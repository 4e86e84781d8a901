/*
 * name.c: see name.h. It knows wire bytes only: no text, no records. Called from everywhere above.
 */
#include "dns/name.h"

#include <string.h>

enum {
    LABEL_MAX    = 63,
    POINTER_BITS = 0xc0,
    POINTER_MIN  = 12,  /* the header holds no names, and its bytes change on the way to the client */
    POINTERS_MAX = 127, /* a name of 127 labels needs no more; bounds the work a hostile message costs */
};

static inline uint8_t lower(uint8_t c) { return (uint8_t) (c | ((uint8_t) (c - 'A') < 26) << 5); }

/* Eight bytes at once. The top bit of each byte of `from_a` and `past_z` says how the seven bits below it compare; it
 * becomes 0x20 where a letter is upper case. */
static inline uint64_t lower_word(uint64_t word)
{
    const uint64_t each = 0x0101010101010101, top = each * 0x80;
    uint64_t       seven  = word & ~top;
    uint64_t       from_a = seven + each * (0x80 - 'A'), past_z = seven + each * (0x7f - 'Z');
    return word | ((from_a ^ past_z) & ~word & top) >> 2;
}

static inline uint64_t load_word(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof(word));
    return word;
}

size_t name_check(struct view bytes)
{
    size_t pos = 0;
    while (pos < bytes.len && pos < NAME_WIRE_MAX) {
        uint8_t label = bytes.data[pos];
        if (label == 0)
            return pos + 1;
        if (label > LABEL_MAX)
            return 0;
        pos += 1u + label;
    }
    return 0;
}

static inline bool is_barred(const uint8_t *barred, size_t pos)
{
    return barred != NULL && (barred[pos / 8] >> pos % 8 & 1) != 0;
}

/* A label that meets a run of four covers it: else a length byte stands in it, and is found. So each fourth byte tells.
 */
static inline bool covers_barred(const uint8_t *barred, size_t data, size_t pos, uint8_t label)
{
    for (size_t at = pos + 4; at <= pos + label; at += 4)
        if (at >= data && is_barred(barred, at))
            return true;
    return false;
}

/* A pointer leads to a run of labels that ends before the run it stands in began. So the walk only goes back, and what
 * follows a name can be cut off without changing it. */
static inline bool walk(struct view message, size_t offset, const uint8_t *barred, size_t data, struct name *ret_name,
                        size_t *ret_end)
{
    size_t   pos = offset, run = offset, limit = message.len, end = 0, len = 0;
    unsigned pointers = 0;
    while (pos < limit && !is_barred(barred, pos)) {
        uint8_t label = message.data[pos];
        if (label >= POINTER_BITS) {
            if (limit - pos < 2 || is_barred(barred, pos + 1) || ++pointers > POINTERS_MAX)
                return false;
            size_t target = (size_t) (label & ~POINTER_BITS) << 8 | message.data[pos + 1];
            if (target < POINTER_MIN || target >= run)
                return false;
            if (end == 0)
                end = pos + 2;
            limit = run;
            pos = run = target;
            continue;
        }
        if (label > LABEL_MAX || limit - pos < 1u + label || len + 1 + label > NAME_WIRE_MAX)
            return false;
        if (barred && covers_barred(barred, data, pos, label))
            return false;
        if (ret_name)
            memcpy(ret_name->wire + len, message.data + pos, 1u + label);
        len += 1u + label;
        pos += 1u + label;
        if (label == 0) {
            if (ret_name)
                ret_name->len = (uint8_t) len;
            *ret_end = end != 0 ? end : pos;
            return true;
        }
    }
    return false;
}

bool name_unpack(struct view message, size_t offset, struct name *ret, size_t *ret_end)
{
    return walk(message, offset, NULL, 0, ret, ret_end);
}

bool name_skip(struct view message, size_t offset, size_t *ret_end)
{
    return walk(message, offset, NULL, 0, NULL, ret_end);
}

bool name_skip_barred(struct view message, size_t offset, const uint8_t *barred, size_t data, size_t *ret_end)
{
    return walk(message, offset, barred, data, NULL, ret_end);
}

void name_set(struct name *ret, struct view name)
{
    ret->len = (uint8_t) name.len;
    memmove(ret->wire, name.data, name.len);
}

void name_set_lower(struct name *ret, struct view name)
{
    name_set(ret, name);
    name_lower(ret->wire, ret->len);
}

/* Length bytes are below 'A': they may be lowered with the rest. */
void name_lower(uint8_t *wire, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word = lower_word(load_word(wire + i));
        memcpy(wire + i, &word, sizeof(word));
    }
    for (; i < len; i++)
        wire[i] = lower(wire[i]);
}

bool name_is_root(struct view name) { return name.len == 1; }

size_t name_labels(struct view name)
{
    size_t labels = 0;
    for (size_t pos = 0; name.data[pos] != 0; pos += 1u + name.data[pos])
        labels++;
    return labels;
}

struct view name_parent(struct view name)
{
    size_t skip = name_is_root(name) ? 0 : 1u + name.data[0];
    return (struct view){name.data + skip, name.len - skip};
}

struct view name_tail(struct view name, size_t labels)
{
    for (size_t have = name_labels(name); have > labels; have--)
        name = name_parent(name);
    return name;
}

bool name_equal(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    size_t i = 0;
    for (; i + 8 <= a.len; i += 8)
        if (lower_word(load_word(a.data + i)) != lower_word(load_word(b.data + i)))
            return false;
    for (; i < a.len; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

bool name_is_at_or_below(struct view name, struct view zone)
{
    while (name.len > zone.len)
        name = name_parent(name);
    return name_equal(name, zone);
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
    size_t common = a[0] < b[0] ? a[0] : b[0];
    for (size_t i = 1; i <= common; i++) {
        int difference = lower(a[i]) - lower(b[i]);
        if (difference != 0)
            return difference;
    }
    return a[0] - b[0];
}

int name_compare(struct view a, struct view b)
{
    size_t a_labels = name_labels(a), b_labels = name_labels(b);
    size_t common = a_labels < b_labels ? a_labels : b_labels;
    int    order  = a_labels < b_labels ? -1 : a_labels > b_labels;
    a             = name_tail(a, common);
    b             = name_tail(b, common);
    /* The label nearest the root decides, so a later difference gives way to each one found closer to the root. */
    for (; common > 0; common--) {
        int difference = label_compare(a.data, b.data);
        if (difference != 0)
            order = difference;
        a = name_parent(a);
        b = name_parent(b);
    }
    return order;
}

uint64_t name_hash(struct hash_key key, struct view name)
{
    struct name lowered;
    name_set_lower(&lowered, name);
    return hash_bytes(key, lowered.wire, lowered.len);
}

bool name_prepend(struct name *ret, const void *label, size_t label_len, struct view name)
{
    if (1 + label_len + name.len > NAME_WIRE_MAX)
        return false;
    memmove(ret->wire + 1 + label_len, name.data, name.len);
    ret->wire[0] = (uint8_t) label_len;
    memcpy(ret->wire + 1, label, label_len);
    ret->len = (uint8_t) (1 + label_len + name.len);
    return true;
}

bool name_prepend_random(struct name *ret, struct view name, struct rng *rng)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    char              label[16];
    for (size_t i = 0; i < sizeof(label); i++)
        label[i] = letters[rng_below(rng, sizeof(letters) - 1)];
    return name_prepend(ret, label, sizeof(label), name);
}
