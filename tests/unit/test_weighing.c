/*
 * test_weighing.c: when failures say enough against a zone, whoever saw them.
 */
#include "probe/study_internal.h"

#include "lib/check.h"

enum {
    NOW = 1000000
};

/* Of each witness: what share it fails anyway, in which rounds it failed, and in which it answered a control question. */
static const struct row {
    enum study_kind kind;
    bool            believed;
    struct {
        double   share;
        bool     external;
        uint16_t rounds, vouched;
    } witness[TRIAL_WITNESSES];
    bool enough;
} rows[] = {
    /* 1e-5: five failures of one that fails 9 in 100 by itself, and not four */
    {STUDY_CONFIRM, false, {{0.09, false, 0x3e, 0x3e}}, true},
    {STUDY_CONFIRM, false, {{0.09, false, 0x1e, 0x3e}}, false},
    /* the client's query is one of them, wherever another round counts */
    {STUDY_CONFIRM, false, {{0.09, false, 0x1f, 0x1e}}, true},
    {STUDY_CONFIRM, false, {{0.09, false, 0x0f, 0x0e}}, false},
    {STUDY_CONFIRM, false, {{0.001, false, 0x01, 0x1e}}, false},
    /* a round without its control question is none */
    {STUDY_CONFIRM, false, {{0.09, false, 0x3e, 0x1e}}, false},
    {STUDY_CONFIRM, false, {{0.09, false, 0x3e, 0}}, false},
    /* one factor for each failure of each */
    {STUDY_CONFIRM, false, {{0.09, false, 0x0e, 0x0e}, {0.09, false, 0x06, 0x06}}, true},
    {STUDY_CONFIRM, false, {{0.09, false, 0x06, 0x06}, {0.09, false, 0x06, 0x06}}, false},
    {STUDY_CONFIRM, false, {{0.09, false, 0x02, 0x02}, {0.09, false, 0x06, 0x06}, {0.09, false, 0x06, 0x06}}, true},
    /* whoever is in trouble is no witness, and spoils nothing for the others */
    {STUDY_CONFIRM, false, {{0.31, false, 0x1fe, 0x1fe}, {0.29, false, 0x1fe, 0x1fe}}, false},
    {STUDY_CONFIRM, false, {{0.29, false, 0x1fe, 0x1fe}, {0.29, false, 0x06, 0x06}}, true},
    {STUDY_CONFIRM, false, {{0.31, false, 0x1fe, 0x1fe}, {0.09, false, 0x3e, 0x3e}}, true},
    /* 1e-3 for one that is believed */
    {STUDY_CONFIRM, true, {{0.09, false, 0x0e, 0x0e}}, true},
    {STUDY_CONFIRM, true, {{0.09, false, 0x06, 0x06}}, false},
    /* 1e-4 for both sides together, and both must have failed */
    {STUDY_BROKEN, false, {{0.09, false, 0x06, 0x06}, {0.09, true, 0x06, 0x06}}, true},
    {STUDY_BROKEN, false, {{0.09, false, 0x06, 0x06}, {0.09, true, 0x02, 0x02}}, false},
    {STUDY_BROKEN, false, {{0.09, false, 0x3e, 0x3e}, {0.09, true, 0x3e, 0}}, false},
    {STUDY_BROKEN, false, {{0.09, false, 0x3e, 0}, {0.09, true, 0x3e, 0x3e}}, false},
};

static void set(const struct row *row, struct study *ret, struct fare fares[TRIAL_WITNESSES])
{
    *ret = (struct study){.kind = row->kind, .believed = row->believed};
    for (unsigned i = 0; i < TRIAL_WITNESSES && row->witness[i].share > 0; i++) {
        struct witness *witness  = &ret->witnesses[ret->witness_count++];
        fares[i]                 = (struct fare){.share = row->witness[i].share};
        witness->external        = row->witness[i].external;
        witness->question.rounds = row->witness[i].rounds;
        witness->vouched         = row->witness[i].vouched;
    }
}

static void failures_are_weighed(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct study study;
        struct fare  fares[TRIAL_WITNESSES];
        set(&rows[i], &study, fares);
        if (trial_weighs_enough(&study, fares, true) != rows[i].enough)
            fail_msg("row %zu", i);
        assert_false(trial_weighs_enough(&study, fares, false)); /* of the apex nothing was said */
        for (unsigned j = 0; j < study.witness_count; j++)
            study.witnesses[j].any = study.witnesses[j].question;
        assert_int_equal(trial_weighs_enough(&study, fares, false), rows[i].enough);
    }
}

static void a_control_question_behind_the_last_failure_closes(void **state)
{
    struct control  told[CONTROLS_TOLD] = {{0}};
    struct fare     fare                = {.share = 0.1, .told = told};
    struct study    study               = {.kind = STUDY_CONFIRM, .zone.len = 1, .witness_count = 1};
    struct witness *witness             = &study.witnesses[0];
    (void) state;
    witness->any     = (struct failures){.rounds = 2, .noticed = NOW};
    witness->vouched = 2;
    assert_int_equal(trial_noticed(&study, witness), NOW);
    assert_false(trial_is_closed(&study, witness, &fare));
    told[CONTROLS_TOLD - 1] = (struct control){.sent = NOW, .good = false};
    assert_false(trial_is_closed(&study, witness, &fare));
    told[CONTROLS_TOLD - 1] = (struct control){.sent = NOW - 1, .good = true};
    assert_false(trial_is_closed(&study, witness, &fare));
    assert_false(trial_all_closed(&study, &fare));
    told[CONTROLS_TOLD - 1].sent = NOW;
    assert_true(trial_is_closed(&study, witness, &fare));
    assert_true(trial_all_closed(&study, &fare));

    /* the question, where the apex was answered */
    study.result.apex = true;
    witness->question = (struct failures){.rounds = 2, .noticed = NOW + 1};
    assert_int_equal(trial_noticed(&study, witness), NOW + 1);
    assert_false(trial_is_closed(&study, witness, &fare));
    witness->question.rounds = 4; /* of which nothing counts: there is nothing to close */
    assert_true(trial_is_closed(&study, witness, &fare));
    witness->question.rounds = 2;
    fare.share               = 0.31;
    assert_true(trial_is_closed(&study, witness, &fare));
    fare.share = 0.1;
    study.kind = STUDY_BROKEN;
    assert_true(trial_is_closed(&study, witness, &fare));
}

static void the_last_control_question_is_the_one_sent_last(void **state)
{
    struct control told[CONTROLS_TOLD] = {{0}};
    (void) state;
    assert_int_equal(control_last(told)->sent, 0);
    for (unsigned i = 0; i < CONTROLS_TOLD; i++) {
        told[i].sent = NOW + i;
        assert_ptr_equal(control_last(told), &told[i]);
    }
    told[0].sent = NOW + CONTROLS_TOLD;
    assert_ptr_equal(control_last(told), &told[0]);
}

static void silence_is_waited_for(void **state)
{
    struct server    some = {0}, other = {0};
    struct study     study    = {.kind = STUDY_CONFIRM, .witness_count = 2, .count = 2};
    struct exchange *exchange = &study.errand[1].exchange;
    (void) state;
    study.witnesses[0]       = (struct witness){.server = &some, .silent = true};
    study.witnesses[1]       = (struct witness){.server = &other};
    study.errand[0].exchange = (struct exchange){.server = &other, .state = EXCHANGE_DONE, .started = NOW};
    *exchange                = (struct exchange){.server = &some, .state = EXCHANGE_OPEN, .started = NOW};
    assert_false(trial_all_patient(&study, NOW + TRIAL_PATIENT - 1));
    assert_true(trial_all_patient(&study, NOW + TRIAL_PATIENT));
    exchange->state = EXCHANGE_DONE;
    assert_true(trial_all_patient(&study, NOW + 1));
    exchange->part = PART_EXTERNAL;
    assert_false(trial_all_patient(&study, NOW + TRIAL_PATIENT));
    study.believed = true;
    assert_true(trial_all_patient(&study, NOW + 1));
    study.believed            = false;
    study.witnesses[0].silent = false;
    assert_true(trial_all_patient(&study, NOW + 1));
}

static void what_stands_for_the_whole_zone(void **state)
{
    struct study study = {.kind = STUDY_CONFIRM};
    (void) state;
    assert_false(trial_has_apex(&study));
    assert_true(trial_is_narrowed(&study));
    study.by_alias = true;
    assert_true(trial_has_apex(&study));
    assert_false(trial_is_narrowed(&study));
    study = (struct study){.kind = STUDY_BROKEN};
    assert_true(trial_has_apex(&study));
    study = (struct study){.kind = STUDY_CONFIRM, .zone.len = 1};
    assert_true(trial_has_apex(&study));
    study.result.apex = true;
    assert_true(trial_is_narrowed(&study));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_weighed),
        cmocka_unit_test(a_control_question_behind_the_last_failure_closes),
        cmocka_unit_test(the_last_control_question_is_the_one_sent_last),
        cmocka_unit_test(silence_is_waited_for),
        cmocka_unit_test(what_stands_for_the_whole_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
