/*
 * test_overload.c: more questions than there is room for. An engine of its own, for a world has not room for so many:
 * upstreams are silent unless the test replies for them.
 */
#include "lib/world_internal.h"

#include "base/bytes.h"
#include "dns/compose.h"
#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>
#include <string.h>

enum {
    BEGIN = WORLD_BEGIN,
    GIVES = 1000, /* ms after which a query may give way */
};

struct flood {
    struct world    *world;
    struct engine   *engine;
    unsigned         asked, open; /* open: sockets */
    unsigned         answered, denied, failed, ede_other;
    struct exchange *exchange; /* of the packet sent last */
    uint8_t          wire[QUERY_MAX], out[LIMIT_UDP_PAYLOAD];
    size_t           len;
};

static bool flood_send(void *context, struct exchange *exchange, struct view query)
{
    struct flood *flood = context;
    flood->open += !exchange->tickets[exchange->transport];
    exchange->tickets[exchange->transport] = flood;
    flood->exchange                        = exchange;
    flood->len                             = query.len;
    memcpy(flood->wire, query.data, query.len);
    return true;
}

static void flood_release(void *context, struct exchange *exchange, enum transport transport)
{
    ((struct flood *) context)->open--;
    exchange->tickets[transport] = NULL;
}

static void note(struct flood *flood, struct view wire)
{
    struct message answer;
    assert_true(message_parse(wire, &answer));
    flood->answered += answer.rcode == RCODE_NOERROR;
    flood->denied += answer.rcode == RCODE_NXDOMAIN;
    flood->failed += answer.rcode == RCODE_SERVFAIL;
    flood->ede_other += answer.edns.ede == EDE_OTHER;
}

static void flood_answer(void *context, const struct path *path, struct view answer)
{
    (void) path;
    note(context, answer);
}

static void flood_observe(void *context, const struct observation *observation)
{
    (void) context;
    (void) observation;
}

static void begin(struct flood *flood)
{
    *flood = (struct flood){
        .world = world_create(&(struct world_options){
            .seed   = 1,
            .fences = {{.zone = "10.in-addr.arpa", .via = VIA_GROUP, .group = SETUP_DOMESTIC, .or_empty = true}}})};
    struct engine_options engine = {
        .shared  = flood->world->shared,
        .setup   = flood->world->setup,
        .effects = {flood, flood_send, flood_release, flood, flood_answer, flood_observe},
    };
    flood->engine = engine_create(&engine);
    assert_non_null(flood->engine);
}

static void ask_name(struct flood *flood, const char *text, msec_t now)
{
    const struct name       name = named(text);
    const struct query_form form = {.name  = name_view(&name),
                                    .id    = (uint16_t) flood->asked,
                                    .type  = TYPE_A,
                                    .class = CLASS_IN,
                                    .edns  = true,
                                    .size  = LIMIT_UDP_PAYLOAD};
    uint8_t                 wire[QUERY_MAX];
    struct path             path = {.endpoint = flood};
    address_parse("127.0.0.1", 4000, &path.peer);
    flood->asked++;
    size_t len = engine_receive(flood->engine, (struct view){wire, query_write(&form, wire)}, &path, false, now,
                                flood->out, sizeof(flood->out));
    if (len > 0)
        note(flood, (struct view){flood->out, len});
}

static void ask_new_in(struct flood *flood, const char *zone, msec_t now)
{
    char text[64];
    snprintf(text, sizeof(text), "n%u.%s", flood->asked, zone);
    ask_name(flood, text, now);
}

static void ask_new(struct flood *flood, msec_t now) { ask_new_in(flood, "silent.example", now); }

/* Upstream's NODATA to what was sent last. */
static void reply(struct flood *flood, msec_t now)
{
    put_u16(flood->wire + 2, FLAG_QR | FLAG_RD | FLAG_RA);
    engine_on_packet(flood->engine, flood->exchange, TRANSPORT_UDP, (struct view){flood->wire, flood->len}, now);
}

static void end(struct flood *flood, msec_t now)
{
    engine_cancel(flood->engine, now);
    const struct counters *c = engine_counters(flood->engine);
    assert_int_equal(engine_flights(flood->engine), 0);
    assert_int_equal(flood->open, 0);
    assert_int_equal(flood->answered + flood->denied + flood->failed, flood->asked); /* each once */
    assert_int_equal(c->queries, flood->asked);
    assert_int_equal(c->queries, c->local + c->cache_hits + c->cache_failures + c->cache_stale + c->answered +
                                     c->servfail + c->overload);
    engine_destroy(flood->engine);
    world_end(flood->world);
}

static void a_new_question_takes_the_place_of_the_oldest(void **state)
{
    (void) state;
    static struct flood flood;
    begin(&flood);
    for (unsigned i = 0; i < LIMIT_FLIGHTS; i++)
        ask_new(&flood, BEGIN);
    assert_int_equal(flood.failed, 0);
    const struct counters *c = engine_counters(flood.engine);

    /* Each has its time; until then the newcomer is told at once. */
    for (unsigned i = 0; i < 100; i++)
        ask_new(&flood, BEGIN + GIVES - 1);
    assert_int_equal(flood.failed, 100);
    assert_int_equal(c->overload, 100);

    /* Then the oldest give way, told that it is our limit, and the newcomers are answered as if nothing was. */
    for (unsigned i = 0; i < 1000; i++) {
        ask_new(&flood, BEGIN + GIVES);
        reply(&flood, BEGIN + GIVES + 5);
        assert_int_equal(flood.answered, i + 1);
    }
    assert_int_equal(flood.failed, 101); /* the place of the first was free again for the second */
    assert_int_equal(flood.ede_other, 101);
    assert_int_equal(c->overload, 101);
    assert_int_equal(c->failed, 0); /* it says nothing of the name */

    /* Nothing grows, however many come. */
    for (unsigned i = 0; i < 2 * LIMIT_FLIGHTS; i++)
        ask_new(&flood, BEGIN + GIVES + 10 + i / 20);
    assert_true(engine_flights(flood.engine) <= LIMIT_FLIGHTS);
    end(&flood, BEGIN + 9000);
}

/* After the deadline the work goes on, and nobody waits: that gives way at any age, before anybody who waits. */
static void what_nobody_waits_for_gives_way_first(void **state)
{
    (void) state;
    static struct flood flood;
    begin(&flood);
    for (unsigned i = 0; i < LIMIT_FLIGHTS; i++)
        ask_new(&flood, BEGIN);
    engine_on_time(flood.engine, BEGIN + 4500);
    assert_int_equal(flood.failed, LIMIT_FLIGHTS);
    assert_int_equal(engine_counters(flood.engine)->overload, 0);
    for (unsigned i = 0; i < 5000; i++)
        ask_new(&flood, BEGIN + 4501);
    assert_int_equal(flood.failed, LIMIT_FLIGHTS);
    assert_int_equal(engine_counters(flood.engine)->overload, 0);
    end(&flood, BEGIN + 4600);
}

/* Few names, and more clients than may wait: who has waited longest goes, not the last that came. */
static void clients_that_wait_are_bounded_too(void **state)
{
    (void) state;
    static struct flood flood;
    char                text[32];
    begin(&flood);
    for (unsigned i = 0; i < LIMIT_WAITERS_TOTAL; i++) {
        snprintf(text, sizeof(text), "few%u.example", i % 50);
        ask_name(&flood, text, BEGIN);
    }
    assert_int_equal(flood.failed, 0);
    ask_name(&flood, "few0.example", BEGIN + GIVES - 1);
    assert_int_equal(flood.failed, 1);
    /* The very question that it would join gives way: it asks anew. */
    ask_name(&flood, "few0.example", BEGIN + GIVES);
    assert_int_equal(flood.failed, 1 + LIMIT_WAITERS_TOTAL / 50);
    reply(&flood, BEGIN + GIVES + 5);
    assert_int_equal(flood.answered, 1);
    end(&flood, BEGIN + 2000);
}

/* Private addresses are waited for no longer than a second, and have all of it. */
static void private_addresses_have_their_second(void **state)
{
    (void) state;
    static struct flood flood;
    begin(&flood);
    for (unsigned i = 0; i < LIMIT_FLIGHTS; i++)
        ask_new_in(&flood, "10.in-addr.arpa", BEGIN);
    for (unsigned i = 0; i < 100; i++)
        ask_new(&flood, BEGIN + GIVES - 1);
    assert_int_equal(flood.failed, 100);
    assert_int_equal(flood.denied, 0);
    ask_new(&flood, BEGIN + GIVES); /* who gives way hears no denial: domestic has not failed */
    assert_int_equal(flood.failed, 101);
    engine_on_time(flood.engine, BEGIN + GIVES);
    assert_int_equal(flood.denied, LIMIT_FLIGHTS - 1);
    assert_int_equal(engine_counters(flood.engine)->overload, 101);
    end(&flood, BEGIN + 9000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_question_takes_the_place_of_the_oldest),
        cmocka_unit_test(what_nobody_waits_for_gives_way_first),
        cmocka_unit_test(clients_that_wait_are_bounded_too),
        cmocka_unit_test(private_addresses_have_their_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
