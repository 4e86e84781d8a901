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

struct fixture {
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
    struct fixture *fixture = context;
    if (fixture->refuse_send)
        return false;
    fixture->sent++;
    fixture->transport                     = exchange->transport;
    exchange->tickets[exchange->transport] = fixture;
    memcpy(fixture->reply.data, query.data, query.len);
    fixture->reply.len = query.len;
    return true;
}

static void on_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct fixture *fixture = context;
    assert_ptr_equal(exchange->tickets[transport], fixture);
    exchange->tickets[transport] = NULL;
    fixture->released++;
}

static void on_done(void *owner, struct errand *errand, msec_t now)
{
    struct fixture *fixture = owner;
    assert_ptr_equal(errand, &fixture->errand);
    assert_false(errand->running);
    assert_null(errand->exchange.tickets[TRANSPORT_UDP]);
    assert_null(errand->exchange.tickets[TRANSPORT_TCP]);
    assert_int_equal(errand->ended, now);
    fixture->done++;
}

static int open_fixture(void **state)
{
    static const uint8_t  seed[RNG_SEED_BYTES] = {4};
    struct fixture       *fixture              = calloc(1, sizeof(*fixture));
    struct server_options options              = {.tcp_only = false};
    address_parse("192.0.2.1", 53, &options.address);
    fixture->server               = server_create(&options);
    fixture->errands.env          = calloc(1, sizeof(*fixture->errands.env));
    fixture->errands.env->effects = (struct effects){.network = fixture, .send = on_send, .release = on_release};
    fixture->errands.env->setup   = calloc(1, sizeof(*fixture->errands.env->setup));
    rng_init(&fixture->errands.env->rng, seed);
    timers_init(&fixture->errands.timers);
    fixture->errand = (struct errand){.life    = LIFE,
                                      .resend  = RESEND,
                                      .done    = on_done,
                                      .owner   = fixture,
                                      .inquiry = {.name = named("example.com"), .type = TYPE_SOA, .class = CLASS_IN}};
    *state          = fixture;
    return 0;
}

/* Whatever happened: told at most once, no socket is left, no timer. */
static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    bool            clean   = fixture->done <= 1 && !fixture->errand.exchange.tickets[TRANSPORT_UDP] &&
                 !fixture->errand.exchange.tickets[TRANSPORT_TCP] && !fixture->errands.timers.count;
    timers_fini(&fixture->errands.timers);
    server_destroy(fixture->server);
    free(fixture->errands.env->setup);
    free(fixture->errands.env);
    free(fixture);
    return clean ? 0 : -1;
}

static bool start(struct fixture *fixture)
{
    return errand_start(&fixture->errands, &fixture->errand, fixture->server, NOW);
}

/* Turns what was sent last into its reply, without OPT. */
static void answer(struct fixture *fixture, unsigned flags, msec_t now)
{
    if (get_u16(fixture->reply.data + 10) == 1)
        fixture->reply.len -= 11;
    put_u16(fixture->reply.data + 10, 0);
    put_u16(fixture->reply.data + 2, (uint16_t) (PACKET_REPLY | flags));
    errand_on_packet(&fixture->errands, &fixture->errand, fixture->transport, packet_view(&fixture->reply), now);
}

static void a_reply_ends_it(void **state)
{
    struct fixture *fixture = *state;
    assert_true(start(fixture));
    assert_true(fixture->errand.running);
    answer(fixture, 0, NOW + 20);
    assert_int_equal(fixture->done, 1);
    assert_int_equal(fixture->errand.exchange.outcome, OUTCOME_NODATA);
    errands_on_time(&fixture->errands, NOW + 60000);
    assert_int_equal(fixture->sent, 1);
    assert_int_equal(fixture->released, 1);
}

static void a_stranger_does_not(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    fixture->reply.data[0] ^= 1; /* an id that was not sent: TCP is asked, too */
    answer(fixture, 0, NOW + 10);
    assert_int_equal(fixture->done, 0);
    assert_int_equal(fixture->sent, 2);
    assert_int_equal(fixture->transport, TRANSPORT_TCP);
    answer(fixture, 0, NOW + 20);
    assert_int_equal(fixture->done, 1);
}

/* Twice the same, and then in every other form: the third datagram says that 512 bytes will do, and TCP. */
static void silence_is_asked_in_every_form_and_ends_with_its_life(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    errands_on_time(&fixture->errands, NOW + RESEND - 1);
    assert_int_equal(fixture->sent, 1);
    assert_int_equal(timers_next(&fixture->errands.timers), NOW + RESEND);
    errands_on_time(&fixture->errands, NOW + RESEND);
    assert_int_equal(fixture->sent, 2);
    assert_int_equal(fixture->transport, TRANSPORT_UDP);
    assert_int_equal(timers_next(&fixture->errands.timers), NOW + RESEND + ERRAND_LADDER);
    errands_on_time(&fixture->errands, NOW + RESEND + ERRAND_LADDER);
    assert_int_equal(fixture->sent, 4);
    assert_int_equal(fixture->errand.exchange.form, FORM_SMALL);
    assert_int_equal(fixture->transport, TRANSPORT_TCP);
    assert_int_equal(timers_next(&fixture->errands.timers), NOW + LIFE);
    errands_on_time(&fixture->errands, NOW + LIFE - 1);
    assert_int_equal(fixture->done, 0);
    errands_on_time(&fixture->errands, NOW + LIFE);
    assert_int_equal(fixture->done, 1);
    assert_int_equal(fixture->sent, 4);
    assert_int_equal(fixture->errand.exchange.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(atomic_load(&fixture->server->silences), 1);
}

static void without_resend_it_is_asked_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->errand.resend  = 0;
    start(fixture);
    assert_int_equal(timers_next(&fixture->errands.timers), NOW + LIFE);
    errands_on_time(&fixture->errands, NOW + LIFE);
    assert_int_equal(fixture->sent, 1);
    assert_int_equal(fixture->done, 1);
}

/* Its life is counted from the first send, whatever it was told to do meanwhile. */
static void it_follows_the_reply_to_tcp_and_without_edns(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    answer(fixture, RCODE_FORMERR, NOW + 100);
    assert_int_equal(fixture->sent, 2);
    assert_int_equal(fixture->errand.exchange.form, FORM_PLAIN);
    assert_int_equal(fixture->transport, TRANSPORT_UDP);
    answer(fixture, FLAG_TC, NOW + 200);
    assert_int_equal(fixture->sent, 3);
    assert_int_equal(fixture->transport, TRANSPORT_TCP);
    assert_int_equal(fixture->errand.exchange.form, FORM_PLAIN);
    assert_int_equal(fixture->released, 2);
    assert_int_equal(timers_next(&fixture->errands.timers), NOW + LIFE);
    errands_on_time(&fixture->errands, NOW + LIFE);
    assert_int_equal(fixture->done, 1);
    assert_int_equal(fixture->errand.exchange.outcome, OUTCOME_TIMEOUT);
    /* it lives: only its TCP is in doubt */
    assert_int_equal(server_health(fixture->server), HEALTH_UP);
    assert_true(server_tcp_doubtful(fixture->server, NOW + LIFE));
}

static void what_the_network_refuses_ends_it_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->refuse_send    = true;
    assert_true(start(fixture));
    assert_int_equal(fixture->done, 1);
    assert_int_equal(fixture->errand.exchange.outcome, OUTCOME_UNREACHABLE);
}

/* ICMP can be forged: it waits its time. That no TCP connection came about cannot. */
static void an_icmp_error_does_not_end_it(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    errand_on_unreachable(&fixture->errands, &fixture->errand, TRANSPORT_UDP, NOW + 1);
    assert_int_equal(fixture->done, 0);
    answer(fixture, FLAG_TC, NOW + 20);
    assert_int_equal(fixture->transport, TRANSPORT_TCP);
    errand_on_unreachable(&fixture->errands, &fixture->errand, TRANSPORT_TCP, NOW + 30);
    assert_int_equal(fixture->done, 1);
    assert_int_equal(fixture->errand.exchange.outcome, OUTCOME_UNREACHABLE);
}

static void a_cancelled_one_tells_nobody(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    errand_cancel(&fixture->errands, &fixture->errand);
    errand_cancel(&fixture->errands, &fixture->errand);
    assert_int_equal(fixture->released, 1);
    errands_on_time(&fixture->errands, NOW + 60000);
    assert_int_equal(fixture->done, 0);
}

static void without_memory_it_does_not_begin(void **state)
{
    struct fixture *fixture = *state;
    heap_fail_at(0);
    assert_false(start(fixture));
    assert_true(heap_restore());
    assert_int_equal(fixture->sent, 0);
    assert_int_equal(fixture->done, 0);
    assert_false(fixture->errand.running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_reply_ends_it),
        FIXTURE_TEST(a_stranger_does_not),
        FIXTURE_TEST(silence_is_asked_in_every_form_and_ends_with_its_life),
        FIXTURE_TEST(without_resend_it_is_asked_once),
        FIXTURE_TEST(it_follows_the_reply_to_tcp_and_without_edns),
        FIXTURE_TEST(what_the_network_refuses_ends_it_at_once),
        FIXTURE_TEST(an_icmp_error_does_not_end_it),
        FIXTURE_TEST(a_cancelled_one_tells_nobody),
        FIXTURE_TEST(without_memory_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
