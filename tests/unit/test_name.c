/* Names: what is one, comparing without case, pointers that must not lead astray. */
#include "dns/name.h"

#include "lib/check.h"

#include <string.h>

#define WIRE(text)                                                                                                     \
    (struct view) { (const uint8_t *) (text), sizeof(text) }

#define EXAMPLE WIRE("\7example")
#define MAIL WIRE("\4mail\7example")

/* 63 + 63 + 63 + `last`, with their length bytes and the root. */
static struct view long_name(uint8_t bytes[300], uint8_t last)
{
    size_t len = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint8_t label = i < 3 ? 63 : last;
        bytes[len++]  = label;
        memset(bytes + len, 'a', label);
        len += label;
    }
    bytes[len++] = 0;
    return (struct view){bytes, len};
}

static void names_are_checked(void **state)
{
    uint8_t bytes[300];
    struct {
        struct view bytes;
        size_t      len;
    } rows[] = {
        {WIRE(""), 1},
        {MAIL, 14},
        {{(const uint8_t *) "\1a\0rest", 7}, 3},
        {{NULL, 0}, 0},
        {{(const uint8_t *) "\7exampl", 7}, 0},
        {{(const uint8_t *) "\1a", 2}, 0},
        {WIRE("\x40"
              "0123456789012345678901234567890123456789012345678901234567890123"),
         0},
        {WIRE("\x80"
              "a"),
         0},
        {WIRE("\xc0\x0c"), 0},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(name_check(rows[i].bytes), rows[i].len);
    assert_int_equal(name_check(long_name(bytes, 61)), 255);
    assert_int_equal(name_check(long_name(bytes, 62)), 0);
}

/* Messages of a 12-byte header and names. */
static void compressed_names_are_unpacked(void **state)
{
    static const struct {
        const char *bytes;
        size_t      len, offset, end; /* end 0: refused */
        const char *name;
        size_t      name_len;
    } rows[] = {
        {"............\7example\0\4mail\xc0\x0c", 28, 21, 28, "\4mail\7example", 14},
        {"............\7example\0\xc0\x0c", 23, 21, 23, "\7example", 9},
        {"............\7example\0\4mail\xc0\x0c\xc0\x15.", 31, 28, 30, "\4mail\7example", 14},
        {"............\0\xc0\x0c", 15, 13, 15, "", 1},
        {"............\xc0\x0c", 14, 12, 0, NULL, 0},                    /* itself */
        {"............\1a\xc0\x0c", 16, 12, 0, NULL, 0},                 /* its own labels */
        {"............\4a\xc0\x0cx", 18, 14, 0, NULL, 0},                /* labels that run over it */
        {"............\xc0\x0e\xc0\x0c", 16, 12, 0, NULL, 0},            /* forward */
        {"............\xc0\x0e\xc0\x0c", 16, 14, 0, NULL, 0},            /* back, then forward again */
        {"............\1a\1b\xc0\x0e\xc0\x0c", 20, 16, 0, NULL, 0},      /* a loop through labels */
        {"\0...........\xc0\x00", 14, 12, 0, NULL, 0},                   /* into the header */
        {"............\7example\0\4mail\xc0", 27, 21, 0, NULL, 0},       /* half a pointer */
        {"............\7example\0\4mai", 25, 21, 0, NULL, 0},            /* half a label */
        {"............\7example\0\4mail", 26, 21, 0, NULL, 0},           /* no end */
        {"............\7example\0\x84mail\xc0\x0c", 28, 21, 0, NULL, 0}, /* reserved bits */
        {"............\7example\0", 21, 21, 0, NULL, 0},                 /* behind the message */
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view message = {(const uint8_t *) rows[i].bytes, rows[i].len};
        struct name name;
        size_t      end = 0, skipped = 0;
        bool        ok = name_unpack(message, rows[i].offset, &name, &end);

        assert_int_equal(ok, rows[i].end != 0);
        assert_int_equal(name_skip(message, rows[i].offset, &skipped), ok);
        assert_int_equal(end, rows[i].end);
        assert_int_equal(skipped, rows[i].end);
        if (!ok)
            continue;
        assert_int_equal(name.len, rows[i].name_len);
        assert_memory_equal(name.wire, rows[i].name, name.len);
    }
}

static void names_grow_no_longer_than_255(void **state)
{
    uint8_t     bytes[12 + 300 + 8] = {0};
    struct view tail                = long_name(bytes + 12, 59); /* 253 bytes */
    size_t      at                  = 12 + tail.len;
    struct view message             = {bytes, at + 5};
    struct name name;
    size_t      end;

    (void) state;
    assert_int_equal(tail.len, 253);
    memcpy(bytes + at, "\1a\xc0\x0c", 4);
    assert_true(name_unpack(message, at, &name, &end));
    assert_int_equal(name.len, 255);
    memcpy(bytes + at, "\2aa\xc0\x0c", 5);
    assert_false(name_unpack(message, at, &name, &end));
    assert_false(name_skip(message, at, &end));
}

static void chains_of_pointers_are_bounded(void **state)
{
    uint8_t     bytes[12 + 1 + 2 * 200] = {0};
    struct view message                 = {bytes, sizeof bytes};
    size_t      end;

    (void) state;
    for (size_t i = 0; i < 200; i++) {
        size_t target     = i == 0 ? 12 : 13 + 2 * (i - 1);
        bytes[13 + 2 * i] = (uint8_t) (0xc0 | target >> 8);
        bytes[14 + 2 * i] = (uint8_t) target;
    }
    assert_true(name_skip(message, 13 + 2 * 126, &end));
    assert_int_equal(end, 15 + 2 * 126);
    assert_false(name_skip(message, 13 + 2 * 127, &end));
}

static void barred_bytes_shape_no_name(void **state)
{
    static const uint8_t bytes[] = "............\7example\0\4mail\xc0\x0c";
    struct view          message = {bytes, 28};
    size_t               end;

    (void) state;
    for (size_t i = 0; i < message.len; i++) {
        uint8_t barred[4] = {0};
        bool    shapes    = i == 12 || i == 20 || i == 21 || i == 26 || i == 27;

        barred[i / 8] = (uint8_t) (1u << i % 8);
        assert_int_equal(name_skip_barred(message, 21, barred, message.len, &end), !shapes);
    }
    /* a run of four, met by the name or not, in the letters or not */
    for (size_t i = 8; i <= 24; i++) {
        uint8_t barred[4] = {0};

        for (size_t at = i; at < i + 4; at++)
            barred[at / 8] |= (uint8_t) (1u << at % 8);
        assert_int_equal(name_skip_barred(message, 21, barred, 12, &end), i == 8);
        assert_int_equal(name_skip_barred(message, 21, barred, message.len, &end),
                         i == 8 || (i >= 13 && i <= 16) || i == 22);
    }
}

static void names_are_taken_apart(void **state)
{
    struct view name = WIRE("\1a\2bc\7example");
    struct name made;

    (void) state;
    assert_int_equal(name_labels(name), 3);
    assert_int_equal(name_labels(WIRE("")), 0);
    assert_true(name_equal(name_parent(name), WIRE("\2bc\7example")));
    assert_true(name_is_root(name_parent(WIRE(""))));
    assert_true(name_is_root(name_parent(EXAMPLE)));
    assert_false(name_is_root(EXAMPLE));
    assert_true(name_equal(name_tail(name, 1), EXAMPLE));
    assert_true(name_equal(name_tail(name, 0), WIRE("")));
    assert_true(name_equal(name_tail(name, 3), name));
    assert_true(name_equal(name_tail(name, 9), name));
    assert_true(name_prepend(&made, "mail", 4, EXAMPLE));
    assert_true(name_equal(name_view(&made), MAIL));
    assert_true(name_prepend(&made, "x", 1, name_view(&made)));
    assert_true(name_equal(name_view(&made), WIRE("\1x\4mail\7example")));
}

static void prepending_stops_at_255(void **state)
{
    uint8_t     bytes[300];
    struct view name = long_name(bytes, 59); /* 253 bytes */
    struct name made;

    (void) state;
    assert_false(name_prepend(&made, "ab", 2, name));
    assert_true(name_prepend(&made, "a", 1, name));
    assert_int_equal(made.len, 255);
    assert_int_equal(name_check(name_view(&made)), 255);
}

static void case_does_not_count(void **state)
{
    const struct hash_key key = {1, 2};
    struct name           name;

    (void) state;
    assert_true(name_equal(MAIL, WIRE("\4MaIl\7EXAMPLE")));
    assert_int_equal(name_hash(key, MAIL), name_hash(key, WIRE("\4MaIl\7EXAMPLE")));
    assert_int_not_equal(name_hash(key, MAIL), name_hash(key, EXAMPLE));
    name_set_lower(&name, WIRE("\4MaIl\7EXAMPLE"));
    assert_memory_equal(name.wire, "\4mail\7example", 14);
    name_set(&name, WIRE("\4MaIl\7EXAMPLE"));
    assert_memory_equal(name.wire, "\4MaIl\7EXAMPLE", 14);
    /* Only letters: '@' and '`', '[' and '{', 0xc1 and 0xe1 differ by the same bit. */
    assert_false(name_equal(WIRE("\1@"), WIRE("\1`")));
    assert_false(name_equal(WIRE("\1["), WIRE("\1{")));
    assert_false(name_equal(WIRE("\1\xc1"), WIRE("\1\xe1")));
    assert_true(name_equal(WIRE("\1A"), WIRE("\1a")));
    assert_true(name_equal(WIRE("\1Z"), WIRE("\1z")));
}

/* Eight bytes are looked at in one step: each value at each place of a step, and in what is left over. */
static void every_byte_in_every_place(void **state)
{
    const struct hash_key key = {1, 2};

    (void) state;
    for (size_t len = 1; len <= 19; len++)
        for (size_t at = 1; at < len; at++)
            for (unsigned value = 0; value < 256; value++) {
                struct name is = {.len = (uint8_t) (len + 1)}, lowered, other;
                is.wire[0]     = (uint8_t) (len - 1);
                memset(is.wire + 1, 'm', len - 1);
                is.wire[at] = (uint8_t) value;
                lowered = other  = is;
                lowered.wire[at] = (uint8_t) (value >= 'A' && value <= 'Z' ? value + 32 : value);
                other.wire[at]   = (uint8_t) (value ^ 0x80);
                assert_true(name_equal(name_view(&is), name_view(&lowered)));
                assert_int_equal(name_hash(key, name_view(&is)), name_hash(key, name_view(&lowered)));
                assert_false(name_equal(name_view(&is), name_view(&other)));
                other.wire[at] = (uint8_t) (value ^ 0x20);
                assert_int_equal(name_equal(name_view(&is), name_view(&other)),
                                 (value | 0x20) >= 'a' && (value | 0x20) <= 'z');
                name_lower(is.wire, is.len);
                assert_memory_equal(is.wire, lowered.wire, is.len);
            }
}

static void zones_contain_names(void **state)
{
    static const struct {
        struct view name, zone;
        bool        inside;
    } rows[] = {
        {{(const uint8_t *) "\4mail\7example", 14}, {(const uint8_t *) "\7EXAMPLE", 9}, true},
        {{(const uint8_t *) "\7example", 9}, {(const uint8_t *) "\7example", 9}, true},
        {{(const uint8_t *) "\7example", 9}, {(const uint8_t *) "", 1}, true},
        {{(const uint8_t *) "", 1}, {(const uint8_t *) "", 1}, true},
        {{(const uint8_t *) "", 1}, {(const uint8_t *) "\7example", 9}, false},
        {{(const uint8_t *) "\7example", 9}, {(const uint8_t *) "\4mail\7example", 14}, false},
        {{(const uint8_t *) "\x8xexample", 10}, {(const uint8_t *) "\7example", 9}, false},
        /* The zone's bytes stand at the name's end, but inside a label. */
        {{(const uint8_t *) "\x9x\7example", 11}, {(const uint8_t *) "\7example", 9}, false},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(name_is_at_or_below(rows[i].name, rows[i].zone), rows[i].inside);
}

/* The example of RFC 4034, 6.1, then what it leaves out. */
static void order_is_canonical(void **state)
{
    struct view rows[] = {
        WIRE(""),
        WIRE("\7example"),
        WIRE("\1a\7example"),
        WIRE("\x8yljkjljk\1a\7example"),
        WIRE("\1Z\1a\7example"),
        WIRE("\4zABC\1a\7EXAMPLE"),
        WIRE("\1z\7example"),
        WIRE("\1\1\1z\7example"),
        WIRE("\1*\1z\7example"),
        WIRE("\1\xc8\1z\7example"),
        WIRE("\2zz\7example"),
        WIRE("\1a\x8"
             "examplea"),
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
            int order = name_compare(rows[i], rows[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    assert_int_equal(name_compare(MAIL, WIRE("\4MAIL\7Example")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(compressed_names_are_unpacked),
        cmocka_unit_test(names_grow_no_longer_than_255),
        cmocka_unit_test(chains_of_pointers_are_bounded),
        cmocka_unit_test(barred_bytes_shape_no_name),
        cmocka_unit_test(names_are_taken_apart),
        cmocka_unit_test(prepending_stops_at_255),
        cmocka_unit_test(case_does_not_count),
        cmocka_unit_test(every_byte_in_every_place),
        cmocka_unit_test(zones_contain_names),
        cmocka_unit_test(order_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
