/*
 * test_session_reading.c: what a node reads when, what it writes again, what it removes, and what clocks do to that.
 */
#include "in_team.h"

/* ---- reading ---- */

static size_t zones_of(const struct team *team, unsigned node, const char *of)
{
    return replica_counts(team->nodes[node].replica, text_view(of)).zones;
}

static void say_many(struct team *team, unsigned node, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        const struct name is = numbered(i);
        assert_true(team_say(team, node, failed(&is)) == MERGED_NEWS);
    }
}

static void ten_thousand_zones_are_read_in_steps(void **state)
{
    struct team *team = *state;
    team_kill(team, 1);
    say_many(team, 0, 0, 10000);
    team_join(team, SECOND);
    team_run(team, 10 * SECOND);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 10000);
    team_start(team, 1);
    size_t steps = redis_model_heard(team->model, "HSCAN");
    team_join(team, SECOND);
    assert_int_equal(zones_of(team, 1, "n0"), 10000);
    assert_in_range(redis_model_heard(team->model, "HSCAN") - steps, 30, 41);
    assert_int_equal(redis_model_heard(team->model, "EVAL"), 10000); /* nothing of it is written again */
    team_run(team, HOUR + 10 * SECOND);                              /* and once more */
    assert_in_range(redis_model_heard(team->model, "HSCAN") - steps, 60, 3 * 41);
    assert_int_equal(redis_model_heard(team->model, "EVAL"), 10000);
}

/* What comes too fast is read a minute later; what a Redis that is slow takes minutes to send keeps no processor busy. */
static void a_flood_is_bounded_and_nothing_is_lost(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    say_many(team, 0, 0, 12000);
    team_run(team, 5 * SECOND);
    assert_in_range(zones_of(team, 1, "n0"), SESSION_PEER_BURST, SESSION_PEER_BURST + 5 * SESSION_PEER_RATE);
    team_say(team, 1, failed(&other)); /* the others are not held up by it */
    team_run(team, 100);
    assert_true(knows(team, 0, &other));
    assert_in_range(session_peer(team->nodes[1].session, 0)->skipped,
                    12000 - SESSION_PEER_BURST - 5 * SESSION_PEER_RATE, 12000 - SESSION_PEER_BURST);
    team->delay = 900;
    team_run(team, 200 * SECOND);
    assert_true(zones_of(team, 1, "n0") == 12000 && team_agrees(team));
    assert_int_equal(session_peer(team->nodes[1].session, 0)->skipped, 0);
}

/* Of a Redis that takes long to be read. */
static void news_does_not_wait_for_the_reading(void **state)
{
    struct team *team = *state;
    say_many(team, 0, 0, 4000);
    team_join(team, SECOND);
    team_run(team, 20 * SECOND);
    team->nodes[0].wall_ahead = 30 * SECOND; /* the calendar was set */
    team->delay               = 200;
    team_run(team, SESSION_BEAT + 500);
    assert_true(session_is_reading(team->nodes[0].session));
    size_t before = redis_model_heard(team->model, "EVAL");
    team_say(team, 0, failed(&other));
    team_say(team, 0, stated(STATEMENT_PIN, "", &zone, 0));
    team_run(team, SECOND);
    struct statement pin;
    assert_true(session_is_reading(team->nodes[0].session));
    assert_true(knows(team, 1, &other) && replica_pin(team->nodes[1].replica, name_view(&zone), &pin));
    team_run(team, 30 * SECOND);
    assert_int_equal(redis_model_heard(team->model, "EVAL") - before, 2); /* nor is it written twice */
    assert_true(team_agrees(team));
}

/* Of a long reading that another one shall follow. */
static void it_reads_again_when_it_has_read(void **state)
{
    struct team *team = *state;
    team_kill(team, 1);
    say_many(team, 0, 0, 6000);
    team_join(team, SECOND);
    team_run(team, 20 * SECOND);
    team->delay = 1400;
    team_start(team, 1);
    team_join(team, 90 * SECOND);
    size_t before             = redis_model_heard(team->model, "HSCAN");
    team->nodes[1].wall_ahead = 30 * SECOND; /* the calendar was set: at a beat it begins to read, */
    team_run(team, 10 * SECOND);
    team->nodes[1].wall_ahead = 0; /* and again at one when it has not ended */
    team_run(team, 200 * SECOND);
    size_t steps = redis_model_heard(team->model, "HSCAN") - before;
    assert_in_range(steps, 2 * 24, 2 * 25 + 2);
    assert_true(connected(team, 1) && team_agrees(team));
}

static void a_gap_in_the_stream_is_read_over(void **state)
{
    struct team *team = *state;
    char         info[400];
    team_kill(team, 1);
    team_join(team, SECOND);
    size_t before = redis_model_heard(team->model, "HSCAN");
    for (unsigned trimmed = 0; trimmed < 2; trimmed++) {
        long long id = (long long) (TEAM_WALL + team->now);
        snprintf(info, sizeof(info),
                 "*8\r\n$6\r\nlength\r\n:1\r\n$17\r\nlast-generated-id\r\n$15\r\n%lld-0\r\n$13\r\nentries-added\r\n:%u"
                 "\r\n$11\r\nfirst-entry\r\n*2\r\n$15\r\n%lld-0\r\n*2\r\n$1\r\ns\r\n$1\r\nx\r\n",
                 id, 1 + trimmed, id);
        team_answer(team, "XINFO", info, 1);
        team_run(team, SESSION_BEAT);
        assert_int_equal(redis_model_heard(team->model, "HSCAN") - before, trimmed);
        assert_true(connected(team, 0));
    }
}

/* ---- Redis emptied ---- */

/* Without a word, with nothing written since, or with something. */
static void an_emptied_redis_is_filled_again(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    team_say(team, 0, failed(&zone));
    team_say(team, 0, stated(STATEMENT_PIN, "", &other, 0));
    team_say(team, 1, failed(&other));
    team_run(team, 100);
    for (unsigned i = 0; i < 2; i++) {
        redis_model_empty(team->model);
        team_run(team, 100);
        if (i == 1) {
            const struct name new = numbered(1);
            team_say(team, 1, failed(&new));
        }
        team_run(team, SESSION_BEAT + 2 * SECOND);
        assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 3 + i);
        assert_true(team->nodes[0].alone == 1 + i && connected(team, 0) && connected(team, 1));
    }
    team_kill(team, 0); /* what it said is put back by who is left */
    redis_model_empty(team->model);
    team_run(team, SESSION_BEAT + 2 * SECOND);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 4);
    team_start(team, 0);
    team_join(team, SECOND);
    assert_true(team_agrees(team) && knows(team, 0, &zone));
}

/* The hash alone, or a field of it: a memory that evicts does that, and no id of the stream shows it. */
static void a_lost_hash_is_written_again(void **state)
{
    struct team *team = *state;
    char         field[STATEMENT_FIELD_MAX];
    say_many(team, 0, 0, 20);
    team_say(team, 1, stated(STATEMENT_PIN, "", &other, 0));
    team_join(team, SECOND);
    team_run(team, 10 * SECOND);
    size_t before = redis_model_heard(team->model, "HSCAN");
    team_run(team, 10 * 60 * SECOND); /* nothing is lost: nothing is read */
    assert_int_equal(redis_model_heard(team->model, "HSCAN"), before);
    redis_model_say(team->model, 0, "DEL", TEAM_NAME ":zones", NULL);
    team_say(team, 1, failed(&zone)); /* so it is there, and all but empty */
    team_run(team, SESSION_BEAT + SECOND);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 22);
    assert_true(connected(team, 0) && connected(team, 1) && team_agrees(team));

    const struct name lost = numbered(7);
    struct statement  is   = stated(STATEMENT_EVIDENCE, "n0", &lost, 0);
    statement_field(&is, field);
    redis_model_say(team->model, 0, "HDEL", TEAM_NAME ":zones", field, NULL);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 21);
    team_run(team, 23 * SESSION_BEAT);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 22);
}

/* Of a node that is gone one has heard less than the other, and is the first to put it back. */
static void what_is_put_back_is_the_latest(void **state)
{
    struct team *team = *state;
    team_close(team);
    team_open(team, 2, 4);
    team_kill(team, 3);
    team_join(team, SECOND);
    team_say(team, 0, failed(&zone));
    team_run(team, 100);
    team->nodes[2].cut = true;
    team_run(team, 10 * SECOND);
    struct statement good = failed(&zone);
    good.good             = 1;
    team_say(team, 0, good);
    team_run(team, 100);
    team_kill(team, 0);
    redis_model_empty(team->model);
    team->nodes[1].cut = true;
    team->nodes[2].cut = false;
    team_run(team, 30 * SECOND);
    assert_true(connected(team, 2) && !connected(team, 1));
    team->nodes[1].cut = false;
    team_join(team, 40 * SECOND);
    team_run(team, 200);
    team_start(team, 3); /* it reads what stands there */
    team_join(team, SECOND);
    assert_true(team_agrees(team));
    const struct zone_id id = {.name = name_view(&zone), .scope = SCOPE_ZONE};
    assert_true(replica_judge(team->nodes[3].replica, &id, 2).good);
}

/* As when two put back at once what was lost, and the one that has heard less comes first. */
static void what_was_put_back_meanwhile_is_looked_at(void **state)
{
    struct team     *team = *state;
    char             field[STATEMENT_FIELD_MAX];
    struct statement is = stated(STATEMENT_EVIDENCE, "gone", &zone, (uint64_t) TEAM_WALL), later = is, than = is;
    const struct { /* what stands there, what this node has to put back, and what stands there in the end */
        const struct statement *stands, *puts, *remains;
    } rows[] = {{&is, &later, &later}, {&later, &is, &later}, {&later, &later, &later}};
    statement_field(&is, field);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        team_join(team, SECOND);
        than.stamp.ms  = later.stamp.ms;
        is.stamp.ms    = than.stamp.ms + 1;
        later.stamp.ms = than.stamp.ms + 2;
        put_field(team, field, rows[i].stands);
        replica_merge(team->nodes[0].replica, rows[i].puts, false, (uint64_t) team_clocks(&team->nodes[0]).wall_ms);
        session_tell(team->nodes[0].session, rows[i].puts);
        team_run(team, 50);
        const char *reply = redis_model_say(team->model, 0, "HGET", TEAM_NAME ":zones", field, NULL);
        uint8_t     bytes[STATEMENT_MAX];
        assert_memory_equal(strchr(reply, '\n') + 1, bytes, statement_write(rows[i].remains, bytes));
        assert_true(replica_judge(team->nodes[0].replica, &is.id, 2).failed == rows[i].remains->stamp.ms);
    }
}

/* By a connection that has ended, and whose last words were still on their way. */
static void what_is_overwritten_late_is_written_again(void **state)
{
    struct team     *team = *state;
    struct statement old  = stated(STATEMENT_EVIDENCE, "n0", &zone, (uint64_t) TEAM_WALL);
    char             field[STATEMENT_FIELD_MAX];
    uint8_t          bytes[STATEMENT_MAX];
    team_kill(team, 1);
    team_join(team, SECOND);
    team_say(team, 0, failed(&zone));
    team_run(team, 100);
    statement_field(&old, field);
    struct view words[] = {text_view("EVAL"),
                           text_view(""),
                           text_view("2"),
                           text_view(TEAM_NAME ":zones"),
                           text_view(TEAM_NAME ":changes"),
                           text_view("own"),
                           text_view(field),
                           {bytes, statement_write(&old, bytes)},
                           text_view("99")};
    run_words(team, ARRAY_LEN(words), words);
    team_run(team, 100);
    team_start(team, 1);
    team_join(team, SECOND);
    assert_true(team_agrees(team) && knows(team, 1, &zone));
}

/* ---- what is removed ---- */

static bool stands(struct team *team, const struct statement *statement)
{
    char field[STATEMENT_FIELD_MAX];
    statement_field(statement, field);
    return redis_model_say(team->model, 0, "HGET", TEAM_NAME ":zones", field, NULL)[1] != '-';
}

/* Nothing that is still good for somebody, and nothing by a clock that Redis' does not bear out. */
static void only_what_is_useless_is_removed(void **state)
{
    const uint64_t now = (uint64_t) TEAM_WALL + 1000000, year = (uint64_t) 365 * 86400 * 1000;
    for (unsigned row = 0; row < 11; row++) {
        struct team     *team = *state;
        char             field[STATEMENT_FIELD_MAX];
        struct statement is[] = {
            stated(STATEMENT_PIN, "x", &zone, now - 100000),    /* [0] n0 has pinned it since, */
            stated(STATEMENT_PIN, "x", &zone, now - 100000),    /* [1] but it was for all vantages */
            stated(STATEMENT_PIN, "x", &zone, now - 100000),    /* [2] n0 has pinned it since for all */
            stated(STATEMENT_EVIDENCE, "x", &zone, now - year), /* [3] too old */
            stated(STATEMENT_EVIDENCE, "x", &zone, now - year), /* [4] for a clock that is a year fast, or Redis' is */
            stated(STATEMENT_EVIDENCE, "x", &zone, now + 120000), /* [5] ahead, and one day it will be good */
            stated(STATEMENT_EVIDENCE, "x", &zone, now + year),   /* [6] far ahead */
            stated(STATEMENT_EVIDENCE, "x", &zone, now - year),   /* [7] of another vantage */
            stated(STATEMENT_FORGET, "x", &zone, now - 100000),   /* [8] for all; here it was forgotten since */
            stated(STATEMENT_EVIDENCE, "x", &other, now - 1000),  /* [9] good */
            stated(STATEMENT_PIN, "x", &zone, now - 100000),      /* [10] as [0], for a clock that nobody believes */
        };
        static const bool goes[] = {true, false, true, true, false, false, true, false, false, false, false};
        struct statement  own =
            stated(is[row].kind == STATEMENT_FORGET ? STATEMENT_FORGET : STATEMENT_PIN, "", &zone, 0);
        team->redis_ahead = row == 4 || row == 10 ? (int64_t) year : 0;
        if (row == 1 || row == 2 || row == 8)
            is[row].vantage = (struct view){0};
        if (row == 2)
            own.vantage = (struct view){0};
        if (row == 7)
            is[row].vantage = text_view("ir");
        team_kill(team, 1);
        team_say(team, 0, own);
        statement_field(&is[row], field);
        put_field(team, field, &is[row]);
        team_join(team, SECOND);
        team_run(team, 100);
        if (stands(team, &is[row]) == goes[row])
            fail_msg("row %u", row);
        close_fixture(state);
        open_fixture(state);
    }
}

/* ---- clocks ---- */

static void who_is_behind_hears_it_in_time(void **state)
{
    struct team *team         = *state;
    team->nodes[1].wall_ahead = -90 * SECOND;
    team_join(team, SECOND);
    team_say(team, 0, failed(&zone));
    team_run(team, SECOND);
    assert_false(knows(team, 1, &zone));
    assert_int_equal(replica_counts(team->nodes[1].replica, text_view("n0")).ahead, 1);
    team_run(team, 70 * SECOND);
    assert_true(knows(team, 1, &zone) && team_agrees(team));
    size_t reads = redis_model_heard(team->model, "HSCAN");
    team_run(team, 300 * SECOND);
    assert_int_equal(redis_model_heard(team->model, "HSCAN"), reads); /* and no more */
}

/* At a start the clock may be years behind, until it is set. */
static void a_clock_that_is_set_makes_up_for_it(void **state)
{
    struct team *team         = *state;
    team->nodes[1].wall_ahead = -TEAM_WALL / 2;
    team_say(team, 0, failed(&zone));
    team_join(team, SECOND);
    team_run(team, 100 * SECOND);
    assert_false(knows(team, 1, &zone));
    team_say(team, 1, failed(&other));
    team->nodes[1].wall_ahead = 0;
    team_run(team, SESSION_BEAT + SECOND);
    assert_true(knows(team, 1, &zone));
    assert_false(knows(team, 0, &other)); /* it was said in another age */
}

static void a_node_from_the_future_harms_nobody(void **state)
{
    struct team *team         = *state;
    team->nodes[1].wall_ahead = (int64_t) 365 * 86400 * 1000;
    team_join(team, SECOND);
    team_say(team, 1, failed(&zone));
    team_say(team, 0, failed(&other));
    team_run(team, 20 * SECOND);
    assert_false(knows(team, 0, &zone));
    const struct session_peer *peer = session_peer(team->nodes[0].session, 0);
    assert_in_range(peer->ahead, team->nodes[1].wall_ahead - SESSION_BEAT - 10, team->nodes[1].wall_ahead);
    team_run(team, HOUR + SECOND); /* it has removed nothing of the others */
    assert_true(stands(team, &(struct statement){.kind    = STATEMENT_EVIDENCE,
                                                 .vantage = text_view("cn"),
                                                 .node    = text_view("n0"),
                                                 .id      = {.name = name_view(&other)}}));
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 1); /* n0 has removed what lies a year ahead */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(ten_thousand_zones_are_read_in_steps),     FIXTURE_TEST(a_flood_is_bounded_and_nothing_is_lost),
        FIXTURE_TEST(news_does_not_wait_for_the_reading),       FIXTURE_TEST(it_reads_again_when_it_has_read),
        FIXTURE_TEST(a_gap_in_the_stream_is_read_over),         FIXTURE_TEST(an_emptied_redis_is_filled_again),
        FIXTURE_TEST(what_was_put_back_meanwhile_is_looked_at), FIXTURE_TEST(a_lost_hash_is_written_again),
        FIXTURE_TEST(what_is_put_back_is_the_latest),           FIXTURE_TEST(what_is_overwritten_late_is_written_again),
        FIXTURE_TEST(only_what_is_useless_is_removed),          FIXTURE_TEST(who_is_behind_hears_it_in_time),
        FIXTURE_TEST(a_clock_that_is_set_makes_up_for_it),      FIXTURE_TEST(a_node_from_the_future_harms_nobody),
    };
    return run_in_team(tests);
}
