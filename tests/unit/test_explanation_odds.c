/*
 * test_explanation_odds.c: an explanation in worlds that make no sense, and without memory. What must hold in each of
 * them is checked by lib/hearing.c.
 */
#include "explained.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/whims.h"

#include <string.h>

enum {
    WORLDS = 300
};

static struct hearing hearing;

/* With all that there is to be looked at. */
static struct explain_request whole_request(bool v6)
{
    struct explain_request request = {.domain    = named("x.example"),
                                      .helo      = "mail.y.example",
                                      .sender    = "\"a b\"@x.example",
                                      .helo_name = named("mail.y.example"),
                                      .dkim      = named("k._domainkey.x.example")};
    assert_true(address_parse(v6 ? "2001:db8::25" : "203.0.113.25", 0, &request.ip));
    return request;
}

static void worlds_without_sense(void **state)
{
    unsigned    causes = 0, most = 0;
    struct name domain = named("x.example");
    (void) state;
    for (unsigned world = 0; world < WORLDS; world++) {
        const uint8_t                seed[RNG_SEED_BYTES] = {(uint8_t) world, (uint8_t) (world >> 8), 1};
        const struct explain_request request              = whole_request(world % 2 == 1);
        struct rng                   rng;
        struct whims                 whims = {.rng = &rng};
        rng_init(&rng, seed);
        hearing_open(&hearing, whims_rules, WHIMS_RULES, whims_play, &whims);
        if (world % 3 > 0) /* forged is what most of these worlds are, otherwise */
            forging_set(hearing.shared.forging, name_view(&domain), FORGING_INNER, hearing.now);
        assert_true(hearing_explain(&hearing, &request));
        const struct explanation *explanation = hearing.explanation;
        causes += explanation->cause >= 0;
        most = explanation->inquest->fact_count > most ? explanation->inquest->fact_count : most;
        hearing_close(&hearing);
    }
    assert_true(causes > WORLDS / 2 && most > INQUEST_FACTS / 2);
}

/* A story in which every check has something to do. */
static const char *const rich[] = {
    "e x.example NS ns.hoster.example.",
    "de x.example TXT \"v=spf1 include:_spf.hoster.example mx -all\"",
    "e _spf.hoster.example TXT \"v=spf1 a:%{i}.hoster.example -all\"",
    "de hoster.example SOA ns.hoster.example. h.example. 1 2 3 4 5",
    "e ns.hoster.example A 203.0.113.9",
    "d *hoster.example * !servfail",
    "de k._domainkey.x.example TXT \"v=DKIM1; p=AAAA\"",
    "de 25.113.0.203.in-addr.arpa PTR mail.y.example.",
    "de mail.y.example A 203.0.113.25",
    "203.0.113.9 *x.example * !serves x.example",
    NULL,
};

static void memory_may_run_out(void **state)
{
    const struct explain_request request = whole_request(false);
    struct script                script  = {{rich, usual_world}};
    size_t                       nth     = 0;
    bool                         failed  = true;
    (void) state;
    for (; failed; nth++) {
        hearing_open(&hearing, whims_rules, WHIMS_RULES, script_play, &script);
        heap_fail_at(nth);
        bool explained = hearing_explain(&hearing, &request);
        failed         = heap_restore() != 0;
        assert_true(explained || failed);
        if (!failed)
            assert_int_equal(hearing.explanation->findings[hearing.explanation->cause].tag, FINDING_DEPENDS_ON_BLOCKED);
        hearing_close(&hearing);
    }
    assert_true(nth > INQUEST_FACTS / 2);
}

static void memory_may_be_short_all_along(void **state)
{
    const struct explain_request request = whole_request(false);
    struct script                script  = {{rich, usual_world}};
    (void) state;
    for (unsigned seed = 0; seed < 50; seed++) {
        hearing_open(&hearing, whims_rules, WHIMS_RULES, script_play, &script);
        heap_fail_some(seed, 8);
        hearing_explain(&hearing, &request);
        heap_restore();
        hearing_close(&hearing);
    }
}

static int open_reader(void **state)
{
    (void) state;
    table_reader_register();
    return 0;
}

static int close_reader(void **state)
{
    (void) state;
    table_reader_unregister();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worlds_without_sense),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(memory_may_be_short_all_along),
    };
    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
