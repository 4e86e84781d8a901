/*
 * test_errand.c: one question of byway's own, from its first send to the one time its owner is told; in virtual time,
 * with a recorder for a network.
 */
#include "core/errand.h"

#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"
#include "lib/packet.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOW    = 10000,
    LIFE   = 5000,
    RESEND = 1000
};

struct world {
    struct errands errands;
    struct errand  errand;
    struct server *server;
    bool           refuse_send;
    unsigned       sent, released, done;
    enum transport transport; /* of the last send */
    struct packet  reply;
};

static bool on_send(void *context, struct exchange *exchange, struct view query)
{
    struct world *world = context;
    if (world->refuse_send)
        return false;
    world->sent++;
    world->transport                       = exchange->transport;
    exchange->tickets[exchange->transport] = world;
    memcpy(world->reply.data, query.data, query.len);
    world->reply.len = query.len;
    return true;
}

static void on_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct world *world = context;
    assert_ptr_equal(exchange->tickets[transport], world);
    exchange->tickets[transport] = NULL;
    world->released++;
}

static void on_done(void *owner, struct errand *errand, msec_t now)
{
    struct world *world = owner;
    assert_ptr_equal(errand, &world->errand);
    assert_false(errand->running);
    assert_null(errand->exchange.tickets[TRANSPORT_UDP]);
    assert_null(errand->exchange.tickets[TRANSPORT_TCP]);
    assert_int_equal(errand->ended, now);
    world->done++;
}

static int open_world(void **state)
{
    static const uint8_t  seed[RNG_SEED_BYTES] = {4};
    struct world         *world                = calloc(1, sizeof(*world));
    struct server_options options              = {.tcp_only = false};
    address_parse("192.0.2.1", 53, &options.address);
    world->server               = server_create(&options);
    world->errands.env          = calloc(1, sizeof(*world->errands.env));
    world->errands.env->effects = (struct effects){.context = world, .send = on_send, .release = on_release};
    rng_init(&world->errands.env->rng, seed);
    timers_init(&world->errands.timers);
    world->errand = (struct errand){.life    = LIFE,
                                    .resend  = RESEND,
                                    .done    = on_done,
                                    .owner   = world,
                                    .inquiry = {.name = named("example.com"), .type = TYPE_SOA, .class = CLASS_IN}};
    *state        = world;
    return 0;
}

/* Whatever happened: told at most once, no socket is left, no timer. */
static int close_world(void **state)
{
    struct world *world = *state;
    bool          clean = world->done <= 1 && !world->errand.exchange.tickets[TRANSPORT_UDP] &&
                 !world->errand.exchange.tickets[TRANSPORT_TCP] && !world->errands.timers.count;
    timers_fini(&world->errands.timers);
    server_destroy(world->server);
    free(world->errands.env);
    free(world);
    return clean ? 0 : -1;
}

static bool start(struct world *world) { return errand_start(&world->errands, &world->errand, world->server, NOW); }

/* Turns what was sent last into its reply, without OPT. */
static void answer(struct world *world, unsigned flags, msec_t now)
{
    if (get_u16(world->reply.data + 10) == 1)
        world->reply.len -= 11;
    put_u16(world->reply.data + 10, 0);
    put_u16(world->reply.data + 2, (uint16_t) (PACKET_REPLY | flags));
    errand_on_packet(&world->errands, &world->errand, world->transport, packet_view(&world->reply), now);
}

static void a_reply_ends_it(void **state)
{
    struct world *world = *state;
    assert_true(start(world));
    assert_true(world->errand.running);
    answer(world, 0, NOW + 20);
    assert_int_equal(world->done, 1);
    assert_int_equal(world->errand.exchange.outcome, OUTCOME_NODATA);
    errands_on_time(&world->errands, NOW + 60000);
    assert_int_equal(world->sent, 1);
    assert_int_equal(world->released, 1);
}

static void a_stranger_does_not(void **state)
{
    struct world *world = *state;
    start(world);
    world->reply.data[0] ^= 1; /* an id that was not sent: TCP is asked, too */
    answer(world, 0, NOW + 10);
    assert_int_equal(world->done, 0);
    assert_int_equal(world->sent, 2);
    assert_int_equal(world->transport, TRANSPORT_TCP);
    answer(world, 0, NOW + 20);
    assert_int_equal(world->done, 1);
}

/* Twice the same, and then in every other form: the third datagram says that 512 bytes will do, and TCP. */
static void silence_is_asked_in_every_form_and_ends_with_its_life(void **state)
{
    struct world *world = *state;
    start(world);
    errands_on_time(&world->errands, NOW + RESEND - 1);
    assert_int_equal(world->sent, 1);
    assert_int_equal(timers_next(&world->errands.timers), NOW + RESEND);
    errands_on_time(&world->errands, NOW + RESEND);
    assert_int_equal(world->sent, 2);
    assert_int_equal(world->transport, TRANSPORT_UDP);
    assert_int_equal(timers_next(&world->errands.timers), NOW + RESEND + ERRAND_LADDER);
    errands_on_time(&world->errands, NOW + RESEND + ERRAND_LADDER);
    assert_int_equal(world->sent, 4);
    assert_int_equal(world->errand.exchange.form, FORM_SMALL);
    assert_int_equal(world->transport, TRANSPORT_TCP);
    assert_int_equal(timers_next(&world->errands.timers), NOW + LIFE);
    errands_on_time(&world->errands, NOW + LIFE - 1);
    assert_int_equal(world->done, 0);
    errands_on_time(&world->errands, NOW + LIFE);
    assert_int_equal(world->done, 1);
    assert_int_equal(world->sent, 4);
    assert_int_equal(world->errand.exchange.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(atomic_load(&world->server->silences), 1);
}

static void without_resend_it_is_asked_once(void **state)
{
    struct world *world  = *state;
    world->errand.resend = 0;
    start(world);
    assert_int_equal(timers_next(&world->errands.timers), NOW + LIFE);
    errands_on_time(&world->errands, NOW + LIFE);
    assert_int_equal(world->sent, 1);
    assert_int_equal(world->done, 1);
}

/* Its life is counted from the first send, whatever it was told to do meanwhile. */
static void it_follows_the_reply_to_tcp_and_without_edns(void **state)
{
    struct world *world = *state;
    start(world);
    answer(world, RCODE_FORMERR, NOW + 100);
    assert_int_equal(world->sent, 2);
    assert_int_equal(world->errand.exchange.form, FORM_PLAIN);
    assert_int_equal(world->transport, TRANSPORT_UDP);
    answer(world, FLAG_TC, NOW + 200);
    assert_int_equal(world->sent, 3);
    assert_int_equal(world->transport, TRANSPORT_TCP);
    assert_int_equal(world->errand.exchange.form, FORM_PLAIN);
    assert_int_equal(world->released, 2);
    assert_int_equal(timers_next(&world->errands.timers), NOW + LIFE);
    errands_on_time(&world->errands, NOW + LIFE);
    assert_int_equal(world->done, 1);
    assert_int_equal(world->errand.exchange.outcome, OUTCOME_TIMEOUT);
    /* it lives: only its TCP is in doubt */
    assert_int_equal(server_health(world->server), HEALTH_UP);
    assert_true(server_tcp_doubtful(world->server, NOW + LIFE));
}

static void what_the_network_refuses_ends_it_at_once(void **state)
{
    struct world *world = *state;
    world->refuse_send  = true;
    assert_true(start(world));
    assert_int_equal(world->done, 1);
    assert_int_equal(world->errand.exchange.outcome, OUTCOME_UNREACHABLE);
}

/* ICMP can be forged: it waits its time. That no TCP connection came about cannot. */
static void an_icmp_error_does_not_end_it(void **state)
{
    struct world *world = *state;
    start(world);
    errand_on_unreachable(&world->errands, &world->errand, TRANSPORT_UDP, NOW + 1);
    assert_int_equal(world->done, 0);
    answer(world, FLAG_TC, NOW + 20);
    assert_int_equal(world->transport, TRANSPORT_TCP);
    errand_on_unreachable(&world->errands, &world->errand, TRANSPORT_TCP, NOW + 30);
    assert_int_equal(world->done, 1);
    assert_int_equal(world->errand.exchange.outcome, OUTCOME_UNREACHABLE);
}

static void a_cancelled_one_tells_nobody(void **state)
{
    struct world *world = *state;
    start(world);
    errand_cancel(&world->errands, &world->errand);
    errand_cancel(&world->errands, &world->errand);
    assert_int_equal(world->released, 1);
    errands_on_time(&world->errands, NOW + 60000);
    assert_int_equal(world->done, 0);
}

static void without_memory_it_does_not_begin(void **state)
{
    struct world *world = *state;
    heap_fail_at(0);
    assert_false(start(world));
    assert_true(heap_restore());
    assert_int_equal(world->sent, 0);
    assert_int_equal(world->done, 0);
    assert_false(world->errand.running);
}

#define ERRAND_TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ERRAND_TEST(a_reply_ends_it),
        ERRAND_TEST(a_stranger_does_not),
        ERRAND_TEST(silence_is_asked_in_every_form_and_ends_with_its_life),
        ERRAND_TEST(without_resend_it_is_asked_once),
        ERRAND_TEST(it_follows_the_reply_to_tcp_and_without_edns),
        ERRAND_TEST(what_the_network_refuses_ends_it_at_once),
        ERRAND_TEST(an_icmp_error_does_not_end_it),
        ERRAND_TEST(a_cancelled_one_tells_nobody),
        ERRAND_TEST(without_memory_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
