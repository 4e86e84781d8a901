/*
 * test_admission.c: who may ask, what, and how often. What is declined is answered at once.
 */
#include "lib/world.h"

#include "base/bytes.h"
#include "lib/check.h"
#include "lib/names.h"

#include <stdio.h>
#include <string.h>

#define CLIENT "127.0.0.1"
#define EXEMPT "127.1.2.3"
#define STRANGER "192.0.2.9"

enum {
    RATE = 20, /* messages a second */
    ID   = 0x1234,
};

struct reply {
    uint8_t        wire[LIMIT_UDP_PAYLOAD];
    size_t         len;
    struct message message; /* if len > 0 */
};

static size_t question_for(const char *name, uint8_t wire[QUERY_MAX])
{
    const struct name       parsed = named(name);
    const struct query_form form   = {.name  = name_view(&parsed),
                                      .id    = ID,
                                      .type  = TYPE_A,
                                      .class = CLASS_IN,
                                      .edns  = true,
                                      .size  = LIMIT_UDP_PAYLOAD};
    return query_write(&form, wire);
}

static struct reply send_wire(struct world *world, const char *from, struct view wire, bool tcp)
{
    struct reply reply;
    struct path  path = {.connection = tcp};
    assert_true(address_parse(from, 4000, &path.peer));
    reply.len =
        engine_receive(world_engine(world, 0), wire, &path, tcp, world_now(world), reply.wire, sizeof(reply.wire));
    assert_true(reply.len == 0 || message_parse((struct view){reply.wire, reply.len}, &reply.message));
    assert_true(reply.len == 0 || reply.message.id == ID);
    return reply;
}

static struct reply ask_from(struct world *world, const char *from, const char *name, bool tcp)
{
    uint8_t wire[QUERY_MAX];
    size_t  len = question_for(name, wire);
    return send_wire(world, from, (struct view){wire, len}, tcp);
}

static bool admits(struct world *world, const char *from)
{
    struct address peer;
    assert_true(address_parse(from, 4000, &peer));
    return engine_admit(world_engine(world, 0), &peer, world_now(world));
}

static void strangers_are_refused(void **state)
{
    (void) state;
    struct world    *world    = world_create(&(struct world_options){.seed = 1});
    struct counters *counters = engine_counters(world_engine(world, 0));
    world_resolve(world, "a.example", TYPE_A);
    for (int tcp = 0; tcp < 2; tcp++) {
        struct reply reply = ask_from(world, STRANGER, "a.example", tcp);
        assert_true(reply.len > 0);
        assert_int_equal(reply.message.rcode, RCODE_REFUSED);
        assert_int_equal(reply.message.edns.ede, EDE_PROHIBITED);
        assert_true(reply.message.has_question);
        assert_int_equal(reply.message.count[0], 0);
        assert_int_equal(counters->refused, tcp + 1);
        reply = ask_from(world, CLIENT, "a.example", tcp);
        assert_int_equal(reply.message.rcode, RCODE_NOERROR);
        assert_int_equal(reply.message.count[0], 1);
    }
    world_end(world);
}

static const struct {
    unsigned at; /* byte of the question "a.example A", with EDNS, that is changed … */
    uint8_t  to; /* … to this */
    unsigned rcode;
    int      ede;
    bool     malformed; /* as it is counted; else refused */
} oddities[] = {
    {2, 0x28, RCODE_NOTIMP, EDE_NONE, true},   {5, 2, RCODE_FORMERR, EDE_NONE, true},
    {12, 0x41, RCODE_FORMERR, EDE_NONE, true}, {24, 252, RCODE_NOTIMP, EDE_NONE, true}, /* AXFR */
    {33, 1, RCODE_BADVERS, EDE_NONE, true},    {26, 3, RCODE_REFUSED, EDE_NOT_SUPPORTED, false},
};

static void oddities_are_declined(void **state)
{
    (void) state;
    struct world    *world    = world_create(&(struct world_options){.seed = 2});
    struct counters *counters = engine_counters(world_engine(world, 0));
    uint64_t         refused = 0, malformed = 0;
    for (size_t i = 0; i < ARRAY_LEN(oddities); i++) {
        uint8_t wire[QUERY_MAX];
        size_t  len             = question_for("a.example", wire);
        wire[oddities[i].at]    = oddities[i].to;
        const struct view odd   = {wire, len};
        struct reply      reply = send_wire(world, CLIENT, odd, false);
        assert_true(reply.len > 0);
        if (reply.message.rcode != oddities[i].rcode || reply.message.edns.ede != oddities[i].ede)
            fail_msg("row %zu: rcode %u, EDE %d", i, reply.message.rcode, reply.message.edns.ede);
        malformed += oddities[i].malformed;
        refused += !oddities[i].malformed;
        assert_int_equal(counters->malformed, malformed);
        assert_int_equal(counters->refused, refused);
        reply = send_wire(world, STRANGER, odd, false); /* learns nothing but that */
        assert_int_equal(reply.message.rcode, RCODE_REFUSED);
        assert_int_equal(counters->malformed, malformed);
        assert_int_equal(counters->refused, ++refused);
    }
    uint8_t wire[QUERY_MAX];
    question_for("a.example", wire);
    assert_int_equal(send_wire(world, CLIENT, (struct view){wire, 11}, false).len, 0);
    wire[2] |= 0x80;
    assert_int_equal(send_wire(world, CLIENT, (struct view){wire, 12}, false).len, 0);
    assert_int_equal(counters->dropped, 2);
    world_end(world);
}

/* Of those beyond the rate half get TC=1, and the others nothing. */
static void who_asks_too_often_is_slowed(void **state)
{
    (void) state;
    const struct world_options options = {.seed = 3, .client_qps = RATE}, without = {.seed = 3};
    struct world              *world    = world_create(&options);
    struct counters           *counters = engine_counters(world_engine(world, 0));
    unsigned                   silent = 0, cut = 0;
    struct address             limited;
    world_resolve(world, "a.example", TYPE_A);
    world_run(world, 2000);
    assert_false(engine_limited(world_engine(world, 0), &limited));
    for (unsigned i = 0; i < RATE; i++)
        assert_int_equal(ask_from(world, CLIENT, "a.example", false).message.count[0], 1);
    assert_false(engine_limited(world_engine(world, 0), &limited));
    for (unsigned i = 0; i < 200; i++) {
        struct reply reply = ask_from(world, CLIENT, "a.example", false);
        silent += reply.len == 0;
        if (reply.len == 0)
            continue;
        cut++;
        assert_true(reply.message.flags & FLAG_TC);
        assert_int_equal(reply.message.count[0], 0);
        assert_true(reply.len <= QUERY_MAX);
    }
    assert_in_range(silent, 60, 140);
    assert_int_equal(counters->rate_limited, 200);
    assert_int_equal(counters->rate_truncated, cut);
    assert_int_equal(counters->rate_delayed, 0);
    assert_true(engine_limited(world_engine(world, 0), &limited));
    assert_int_equal(get_u32((const uint8_t *) &limited.in.sin_addr), 0x7f000001);
    assert_false(engine_limited(world_engine(world, 0), &limited)); /* it is told once */

    assert_false(admits(world, CLIENT)); /* over TCP: later */
    assert_int_equal(counters->rate_delayed, 1);
    for (unsigned i = 0; i < 10 * RATE; i++)
        assert_true(admits(world, EXEMPT) && ask_from(world, EXEMPT, "a.example", false).message.count[0] == 1);
    world_run(world, 1000 / RATE);
    assert_true(admits(world, CLIENT));
    assert_false(admits(world, CLIENT));
    world_reload(world, &without);
    for (unsigned i = 0; i < 10 * RATE; i++)
        assert_true(admits(world, CLIENT));
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(oddities_are_declined),
        cmocka_unit_test(who_asks_too_often_is_slowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
