/*
 * test_session.c: how a node joins, what it does about each error and garbage of Redis', and how it comes back.
 * test_session_worlds.c has what becomes of all statements together.
 */
#include "in_team.h"

/* ---- together ---- */

static void what_one_says_the_others_hear(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    assert_true(team_say(team, 0, failed(&zone)) == MERGED_NEWS);
    team_run(team, 100);
    assert_true(knows(team, 1, &zone) && team_agrees(team));
    assert_int_equal(team->nodes[1].heard, 1);
    assert_int_equal(team->nodes[0].heard, 0); /* its own it does not hear */
    struct session_report report = team_report(&team->nodes[1]);
    assert_int_equal(report.received, 1);
    assert_int_equal(report.peers, 1);
    assert_string_equal(session_peer(team->nodes[1].session, 0)->node, "n0");
    team_run(team, SESSION_BEAT);
    assert_int_equal(team_report(&team->nodes[0]).peers, 1); /* it is no peer of its own */
    assert_int_equal(team_report(&team->nodes[0]).sent, 1);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 1);
    assert_int_equal(redis_model_heard(team->model, "EVAL"), 1);
}

static void what_was_said_alone_is_told_later(void **state)
{
    struct team *team = *state;
    team->redis       = TEAM_DOWN;
    team_say(team, 0, failed(&zone));
    team_say(team, 1, failed(&other));
    team_run(team, 20 * SECOND);
    expect_alone(team, 0, "connection refused");
    team->redis = TEAM_UP;
    team_join(team, 30 * SECOND);
    team_run(team, 100);
    assert_true(knows(team, 1, &zone) && knows(team, 0, &other) && team_agrees(team));
}

static void a_password_is_given_on_both_lines(void **state)
{
    struct team *team       = *state;
    team->nodes[0].password = "secret";
    team_join(team, SECOND);
    assert_int_equal(redis_model_heard(team->model, "AUTH"), 2);
}

/* ---- errors ---- */

/* At each step: alone, with what Redis said, and together again once it is over. */
static void what_redis_repeats_is_not_told(void **state)
{
    struct team *team       = *state;
    team->nodes[0].password = "secret";
    team_answer(team, "AUTH", "-ERR unknown command 'AUTH', with args beginning with: 'secret'\r\n", 1);
    team_run(team, 100);
    expect_alone(team, 0, "AUTH: Redis says: ERR unknown command 'AUTH'");
    assert_null(strstr(team_report(&team->nodes[0]).problem, "secret"));
    team_join(team, 20 * SECOND);
    team_answer(team, "HGETALL", "-ERR \xff\x1b[2J\r\n", 3);
    team_run(team, SESSION_BEAT + 100);
    expect_alone(team, 0, "HGETALL: Redis says: ERR \\xff\\x1b[2J"); /* it is shown on terminals, and as JSON */
}

static void each_error_is_said_and_ends(void **state)
{
    static const char *const commands[] = {"AUTH", "TIME", "HGETALL", "HSET", "XINFO", "HSCAN", "XREAD", "EVAL"};
    static const char *const errors[]   = {"NOAUTH Authentication required.",
                                           "WRONGPASS invalid username-password pair or user is disabled.",
                                           "NOPERM this user has no permissions",
                                           "LOADING Redis is loading the dataset in memory",
                                           "READONLY You can't write against a read only replica.",
                                           "OOM command not allowed when used memory > 'maxmemory'.",
                                           "WRONGTYPE Operation against a key holding the wrong kind of value",
                                           "MISCONF Redis is configured to save RDB snapshots"};
    for (size_t i = 0; i < ARRAY_LEN(commands) * ARRAY_LEN(errors); i++) {
        struct team *team    = *state;
        const char  *command = commands[i / ARRAY_LEN(errors)], *error = errors[i % ARRAY_LEN(errors)];
        char         answer[128], problem[128];
        snprintf(answer, sizeof(answer), "-%s\r\n", error);
        snprintf(problem, sizeof(problem), "%s: Redis says: %s", strcmp(command, "EVAL") ? command : "write", error);
        team->nodes[0].password = "secret";
        team_kill(team, 1);
        team_say(team, 0, failed(&zone));
        team_answer(team, command, answer, 3);
        team_run(team, 100);
        expect_alone(team, 0, problem);
        team_join(team, 20 * SECOND);
        team_run(team, 20 * SECOND);
        assert_true(connected(team, 0));
        assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 1);
        close_fixture(state);
        open_fixture(state);
    }
}

static void scripts_that_are_forbidden_are_said(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    team_answer(team, "EVAL", "-OOM no\r\n", 1); /* nothing follows of that */
    session_end_lease(team->nodes[0].session, &(struct zone_id){.name = name_view(&zone)});
    for (unsigned i = 0; i < 2; i++) {
        const struct zone_id id = {.name = name_view(&zone), .scope = SCOPE_ZONE};
        assert_true(session_ask_lease(team->nodes[0].session, &id, team->now));
        team_run(team, 50);
        session_end_lease(team->nodes[0].session, &id);
        if (i == 0)
            team_run(team, 50);
        assert_true(connected(team, 0));
        if (i == 0)
            team_run(team, SESSION_LEASE); /* that is still there */
        team_answer(team, "EVAL", "-NOPERM this user has no permissions to run the 'eval' command\r\n", 1);
    }
    team_run(team, 50);
    expect_alone(team, 0, "EVAL: Redis says: NOPERM");
}

/* 1 s, 2, 4, … 30 s, each up to a quarter shorter; and from 1 s again once it was together. */
static void it_tries_less_and_less_often(void **state)
{
    struct team *team = *state;
    team_kill(team, 1);
    for (unsigned round = 0; round < 2; round++) {
        msec_t wait = SESSION_AGAIN, last = team->now;
        team->redis = TEAM_DOWN;
        team_hang_up(team);
        for (unsigned tries = 0, opened = team->nodes[0].opened; tries < 9; team_run(team, 1)) {
            if (team->nodes[0].opened == opened)
                continue;
            opened = team->nodes[0].opened;
            if (round == 1 || tries > 0) { /* the very first is at once */
                assert_in_range(team->now - last, wait * 3 / 4, wait + 10);
                wait = msec_min(2 * wait, SESSION_AGAIN_MAX);
            }
            last = team->now;
            tries++;
        }
        assert_int_equal(wait, SESSION_AGAIN_MAX);
        team->redis = TEAM_UP;
        team_join(team, SESSION_AGAIN_MAX + SECOND);
    }
}

/* A user of Redis that may read and not write is together each time, until its first word. */
static void a_refused_write_is_tried_less_and_less_often(void **state)
{
    struct team *team = *state;
    team_kill(team, 1);
    team_say(team, 0, failed(&zone));
    for (unsigned round = 0; round < 2; round++) {
        team_answer(team, "EVAL", "-ERR The user executing the script can't run this command\r\n", 1000);
        unsigned before = team->nodes[0].opened;
        team_run(team, 120 * SECOND);
        assert_in_range(team->nodes[0].opened - before, 12, 20); /* both lines */
        expect_alone(team, 0, "write: Redis says: ERR The user executing");
        team->answers[0].times = 0; /* it may now */
        team_run(team, SESSION_AGAIN_MAX + 61 * SECOND);
        assert_true(connected(team, 0));
        assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 1 + round);
        team_say(team, 0, failed(&other));
    }
}

/* What the stream's state was when it was asked for may be read behind what has come since: that is no loss. */
static void a_stream_that_moves_on_is_not_lost(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    team->delay = 200;
    for (unsigned i = 0; i < 4 * SESSION_BEAT / 5; i++, team_run(team, 5)) {
        struct name name = numbered(i);
        team_say(team, i % 2, failed(&name));
    }
    team_run(team, SECOND);
    assert_int_equal(team->nodes[0].alone + team->nodes[1].alone, 0);
}

static void silence_ends_it(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    team->redis = TEAM_FROZEN;
    team_run(team, SESSION_BEAT + SESSION_PATIENCE + SECOND);
    expect_alone(team, 0, "no reply for 3s");
    team->redis = TEAM_UP;
    team_join(team, 10 * SECOND);
    team->nodes[1].cut = true;
    team_run(team, SESSION_BEAT + SESSION_PATIENCE + SECOND);
    expect_alone(team, 1, "no reply for 3s");
    team_run(team, 10 * SECOND);
    expect_alone(team, 1, "no connection for 3s");
    assert_true(connected(team, 0));
}

/* A hook that calls back at once is no circle. */
static void what_fails_at_once_is_tried_again_later(void **state)
{
    struct team *team            = *state;
    team->nodes[0].fails_at_once = true;
    team_run(team, 60 * SECOND);
    expect_alone(team, 0, "out of descriptors");
    assert_in_range(team->nodes[0].opened, 5, 8);
    team->nodes[0].fails_at_once = false;
    team->nodes[0].mute          = true;
    team_run(team, 60 * SECOND);
    expect_alone(team, 0, "out of memory");
    team->nodes[0].mute = false;
    team_join(team, 40 * SECOND);
    team->nodes[0].mute = true;
    team_say(team, 0, failed(&zone));
    team_run(team, 100);
    team->nodes[0].mute = false;
    team_run(team, SESSION_BEAT + 100); /* it was not forgotten */
    assert_true(connected(team, 0) && knows(team, 1, &zone));
    team->nodes[0].mute = true;
    team_run(team, SESSION_BEAT);
    expect_alone(team, 0, "out of memory");
}

/* The second line alone does not open. */
static void both_lines_are_needed(void **state)
{
    struct team *team = *state;
    team_kill(team, 1);
    for (unsigned i = 0; i < 3000 && team->nodes[0].opened == 0; i++)
        team_run(team, 1);
    team->nodes[0].fails_at_once = true;
    team_run(team, 500);
    expect_alone(team, 0, "out of descriptors");
    assert_int_equal(team->nodes[0].opened, 2);
    assert_int_equal(team->nodes[0].connected, 0);
}

/* ---- garbage ---- */

static const char *const shapes[] = {
    ":1\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "$1\r\nx\r\n",
    "+OK\r\n",
    "*0\r\n",
    "*1\r\n:1\r\n",
    "*2\r\n:0\r\n*0\r\n",
    "*2\r\n$1\r\n0\r\n:1\r\n",
    "*2\r\n$20\r\n99999999999999999999\r\n$1\r\n0\r\n",
    "*2\r\n$1\r\n0\r\n*3\r\n:1\r\n$-1\r\n*0\r\n",
    "*2\r\n$2\r\nn0\r\n$5\r\ncn zz\r\n",
    "*2\r\n$2\r\nn9\r\n$9\r\ncn 1 2 1.\r\n",
    "*4\r\n$17\r\nlast-generated-id\r\n$3\r\n1-1\r\n$13\r\nentries-added\r\n$1\r\n1\r\n",
    ("*8\r\n$17\r\nlast-generated-id\r\n$3\r\n1-1\r\n$13\r\nentries-added\r\n:1\r\n$6\r\nlength\r\n:1\r\n"
     "$11\r\nfirst-entry\r\n*1\r\n:1\r\n"),
    "*1\r\n*2\r\n$1\r\nc\r\n*1\r\n*2\r\n$3\r\n1-x\r\n*0\r\n",
    "*1\r\n*2\r\n$1\r\nc\r\n*2\r\n:1\r\n*-1\r\n",
    "*1\r\n*2\r\n$1\r\nc\r\n:7\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n",
};

static void no_shape_of_a_reply_is_taken_for_another(void **state)
{
    static const char *const commands[] = {"AUTH", "TIME", "HGETALL", "HSET", "XINFO", "HSCAN", "XREAD", "SET", "EVAL"};
    struct team             *team       = *state;
    for (size_t i = 0; i < ARRAY_LEN(commands) * ARRAY_LEN(shapes); i++) {
        const struct zone_id id = {.name = name_view(&zone), .scope = SCOPE_ZONE};
        team->nodes[0].password = "secret";
        team_answer(team, commands[i / ARRAY_LEN(shapes)], shapes[i % ARRAY_LEN(shapes)], 2);
        team_hang_up(team);
        team_run(team, 2 * SECOND);
        team_say(team, 0, failed(&zone));
        session_ask_lease(team->nodes[0].session, &id, team->now);
        team_run(team, 100);
        session_end_lease(team->nodes[0].session, &id);
        team_run(team, 100);
        memset(team->answers, 0, sizeof(team->answers));
        if (i % 10 == 0)
            redis_model_empty(team->model);
    }
    team_join(team, 40 * SECOND);
    team_run(team, 10 * SECOND);
    assert_true(team_agrees(team) && knows(team, 1, &zone));
}

/* Else each reply at once would have the next XREAD behind it. */
static void what_is_no_change_is_not_waited_for_again(void **state)
{
    struct team *team = *state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        if (strcmp(shapes[i], "$-1\r\n") == 0 || strcmp(shapes[i], "*-1\r\n") == 0)
            continue; /* nothing has come */
        team_join(team, 40 * SECOND);
        team_answer(team, "XREAD", shapes[i], UINT32_MAX);
        team_hang_up(team);
        team_run(team, 2 * SECOND);
        expect_alone(team, 0, "XREAD: not a reply of Redis");
        memset(team->answers, 0, sizeof(team->answers));
    }
}

/* What stands in our keys and is none of ours is passed over, counted, and left. */
static void garbage_is_passed_over(void **state)
{
    struct team *team = *state;
    char         field[STATEMENT_FIELD_MAX];
    team_join(team, SECOND);
    team_say(team, 0, failed(&zone));
    team_run(team, 100);
    redis_model_say(team->model, 0, "HSET", TEAM_NAME ":zones", "rubbish", "rubbish", NULL);
    struct statement mine = stated(STATEMENT_EVIDENCE, "n0", &zone, 1);
    statement_field(&mine, field);
    field[strlen(field) - 1] = '7'; /* of n0, under the name of n7 */
    put_field(team, field, &mine);
    redis_model_say(team->model, TEAM_WALL + team->now, "XADD", TEAM_NAME ":changes", "MAXLEN", "~", "9", "*", "s",
                    "rubbish", NULL);
    redis_model_say(team->model, 0, "HSET", TEAM_NAME ":nodes", "n8", "rubbish", NULL);
    redis_model_say(team->model, 0, "HSET", TEAM_NAME ":nodes", "not a label", "cn 1 1 1.0", NULL);
    team_run(team, 100);
    assert_int_equal(team_report(&team->nodes[1]).garbage, 1);
    team_hang_up(team);
    team_join(team, 2 * SECOND);
    assert_int_equal(team_report(&team->nodes[1]).garbage, 3);
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":zones"), 3);
    team_say(team, 0, failed(&other));
    team_run(team, 100);
    assert_true(knows(team, 1, &other) && team_agrees(team));
    assert_int_equal(team_report(&team->nodes[0]).peers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_one_says_the_others_hear),
        FIXTURE_TEST(what_was_said_alone_is_told_later),
        FIXTURE_TEST(a_password_is_given_on_both_lines),
        FIXTURE_TEST(what_redis_repeats_is_not_told),
        FIXTURE_TEST(each_error_is_said_and_ends),
        FIXTURE_TEST(scripts_that_are_forbidden_are_said),
        FIXTURE_TEST(it_tries_less_and_less_often),
        FIXTURE_TEST(a_refused_write_is_tried_less_and_less_often),
        FIXTURE_TEST(a_stream_that_moves_on_is_not_lost),
        FIXTURE_TEST(silence_ends_it),
        FIXTURE_TEST(what_fails_at_once_is_tried_again_later),
        FIXTURE_TEST(both_lines_are_needed),
        FIXTURE_TEST(no_shape_of_a_reply_is_taken_for_another),
        FIXTURE_TEST(what_is_no_change_is_not_waited_for_again),
        FIXTURE_TEST(garbage_is_passed_over),
    };
    return run_in_team(tests);
}
