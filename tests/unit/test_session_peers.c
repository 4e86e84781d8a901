/*
 * test_session_peers.c: leases; who else is there, and who else goes by one's name.
 */
#include "in_team.h"

/* ---- leases ---- */

static bool ask(struct team *team, unsigned node, const struct name *of)
{
    return session_ask_lease(team->nodes[node].session, &(struct zone_id){.name = name_view(of), .scope = SCOPE_ZONE},
                             team->now);
}

static void end(struct team *team, unsigned node, const struct name *of)
{
    session_end_lease(team->nodes[node].session, &(struct zone_id){.name = name_view(of), .scope = SCOPE_ZONE});
}

static void expect_leases(const struct team *team, unsigned node, unsigned granted, unsigned denied)
{
    assert_int_equal(team->nodes[node].granted, granted);
    assert_int_equal(team->nodes[node].denied, denied);
}

static void one_of_them_has_the_lease(void **state)
{
    struct team *team = *state;
    assert_false(ask(team, 0, &zone)); /* alone it may */
    team_join(team, SECOND);
    assert_true(ask(team, 0, &zone));
    expect_leases(team, 0, 0, 0);
    team_run(team, 10);
    assert_true(ask(team, 1, &zone));
    assert_true(ask(team, 1, &other));
    team_run(team, 10);
    expect_leases(team, 0, 1, 0);
    expect_leases(team, 1, 1, 1);
    end(team, 1, &zone); /* that is not its own */
    team_run(team, 10);
    assert_true(ask(team, 1, &zone));
    team_run(team, 10);
    expect_leases(team, 1, 1, 2);
    end(team, 0, &zone);
    team_run(team, 10);
    assert_true(ask(team, 1, &zone));
    team_run(team, 10);
    expect_leases(team, 1, 2, 2);
    team_kill(team, 1);
    team_run(team, SESSION_LEASE);
    assert_true(ask(team, 0, &zone)); /* what a node held that was killed ends by itself */
    team_run(team, 10);
    expect_leases(team, 0, 2, 0);
}

/* Late: it is another one's by then, and that one keeps it. */
static void a_lease_that_has_ended_is_not_taken_from_another(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    ask(team, 0, &zone);
    team_run(team, SESSION_LEASE + 10);
    ask(team, 1, &zone);
    team_run(team, 10);
    end(team, 0, &zone);
    team_run(team, 10);
    ask(team, 0, &zone);
    team_run(team, 10);
    expect_leases(team, 0, 1, 1);
    expect_leases(team, 1, 1, 0);
}

static void who_is_left_alone_while_it_asks_may(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    team->redis = TEAM_FROZEN;
    ask(team, 0, &zone);
    ask(team, 0, &other);
    team_run(team, SESSION_PATIENCE + SECOND);
    expect_leases(team, 0, 2, 0);
    assert_false(ask(team, 0, &zone));
    team->redis = TEAM_UP;
    team_join(team, 10 * SECOND);
    ask(team, 0, &zone);
    team_kill(team, 0); /* as a reload ends it */
    expect_leases(team, 0, 3, 0);
}

static void leases_are_bounded(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    for (unsigned i = 0; i < 3 * SESSION_LEASES; i++) {
        const struct name is = numbered(i);
        assert_int_equal(ask(team, 0, &is), i < 2 * SESSION_LEASES);
    }
    team_run(team, 10);
    expect_leases(team, 0, 2 * SESSION_LEASES, 0);
    assert_false(ask(team, 0, &zone));
    const struct name first = numbered(0);
    end(team, 0, &first);
    assert_true(ask(team, 0, &zone));
    assert_false(ask(team, 0, &other));
    team_run(team, SESSION_LEASE + 10);
    assert_true(ask(team, 0, &other)); /* the others have ended by themselves */
}

static void a_hook_may_ask_again(void **state)
{
    struct team *team         = *state;
    team->nodes[0].asks_again = true;
    team_join(team, SECOND);
    ask(team, 0, &zone);
    team_run(team, 100);
    assert_in_range(team->nodes[0].granted, 10, 60);
    team_hang_up(team); /* alone it is told that it may, and cannot ask */
    assert_false(ask(team, 0, &zone));
    team->nodes[0].asks_again = false;
}

/* ---- who is there ---- */

static void peers_come_and_go(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    team_run(team, 2 * SESSION_BEAT);
    assert_int_equal(team->nodes[0].came, 1);
    const struct session_peer *peer = session_peer(team->nodes[0].session, 0);
    assert_true(peer->present && team->now - peer->seen <= SESSION_BEAT + 100);
    assert_string_equal(peer->vantage, "cn");
    team_kill(team, 1);
    team_run(team, SESSION_PRESENT - SESSION_BEAT);
    assert_true(peer->present);
    team_run(team, 3 * SESSION_BEAT);
    assert_false(peer->present);
    assert_int_equal(team->nodes[0].went, 1);
    team->nodes[1].wall_ahead = -20 * SECOND;
    team_start(team, 1);
    team_run(team, 3 * SESSION_BEAT);
    assert_true(peer->present);
    assert_in_range(-peer->ahead, 20 * SECOND, 20 * SECOND + SESSION_BEAT + 10); /* of a beat that is not new */
}

/* One that has gone for longer than its word counts is removed, by a node whose clock is right. */
static void who_is_long_gone_is_not_named(void **state)
{
    static const int64_t days = (int64_t) 86400 * SECOND;
    struct team         *team = *state;
    char                 lately[64], long_ago[64];
    team_join(team, SECOND);
    snprintf(lately, sizeof(lately), "cn 1 %lld 1", (long long) (TEAM_WALL + team->now - 29 * days));
    snprintf(long_ago, sizeof(long_ago), "cn 1 %lld 1", (long long) (TEAM_WALL + team->now - 31 * days));
    redis_model_say(team->model, 0, "HSET", TEAM_NAME ":nodes", "lately", lately, NULL);
    redis_model_say(team->model, 0, "HSET", TEAM_NAME ":nodes", "gone", long_ago, NULL);
    team_run(team, 3 * SESSION_BEAT);
    assert_int_equal(team_report(&team->nodes[0]).peers, 2); /* the other node, and one */
    for (unsigned i = 0; i < 2; i++)
        assert_string_not_equal(session_peer(team->nodes[0].session, i)->node, "gone");
    assert_int_equal(redis_model_count(team->model, TEAM_NAME ":nodes"), 3);
}

/* It writes on, and is told of as one with a wrong clock. */
static void who_is_far_behind_is_not_gone(void **state)
{
    struct team *team         = *state;
    team->nodes[1].wall_ahead = -(int64_t) 40 * 86400 * SECOND;
    team_join(team, SECOND);
    for (unsigned i = 0; i < 20; i++) {
        team_run(team, SESSION_BEAT);
        assert_true(connected(team, 1));
    }
    const struct session_peer *peer = session_peer(team->nodes[0].session, 0);
    assert_true(peer->present && peer->ahead < -(int64_t) 39 * 86400 * SECOND);
}

/* Of two that go by one name exactly one stays, and the other says why. */
static void two_of_one_name_are_one_too_many(void **state)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct team *team = *state;
        team_close(team);
        team_open(team, seed, 3);
        team_kill(team, 1);
        team->nodes[1].name[1] = '0';
        team_run(team, seed % 2 ? 12 * SECOND : 0);
        team_start(team, 1);
        team_run(team, 60 * SECOND);
        unsigned stays = connected(team, 0) ? 0 : 1, leaves = 1 - stays;
        assert_true(connected(team, stays) && connected(team, 2));
        expect_alone(team, leaves, "another byway calls itself \"n0\" there");
        team_run(team, 300 * SECOND);
        assert_true(connected(team, stays));
        expect_alone(team, leaves, "another byway");
        team_kill(team, stays);
        team_run(team, 100 * SECOND); /* it sees that the other has fallen silent */
        assert_true(connected(team, leaves));
    }
}

/* Itself, as it was before. */
static void who_is_killed_comes_back_at_once(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    for (unsigned i = 0; i < 5; i++) {
        team_kill(team, 0);
        team_run(team, 700 * i);
        team_start(team, 0);
        team_join(team, SECOND);
        team_run(team, 20 * SECOND);
        assert_int_equal(team->nodes[0].alone, 0);
    }
}

static void names_that_come_and_go_leave_room(void **state)
{
    struct team *team = *state;
    team_join(team, SECOND);
    for (unsigned i = 0; i < 3 * SESSION_PEERS; i++) {
        char             node[16];
        struct statement said;
        uint8_t          bytes[STATEMENT_MAX];
        snprintf(node, sizeof(node), "c%u", i);
        said                = stated(STATEMENT_PIN, node, &zone, (uint64_t) TEAM_WALL + (uint64_t) team->now);
        struct view words[] = {text_view("XADD"),   text_view(TEAM_NAME ":changes"),
                               text_view("MAXLEN"), text_view("~"),
                               text_view("99"),     text_view("*"),
                               text_view("s"),      {bytes, statement_write(&said, bytes)}};
        run_words(team, ARRAY_LEN(words), words);
        team_run(team, 20);
        struct statement pin;
        assert_true(replica_pin(team->nodes[0].replica, name_view(&zone), &pin));
        assert_int_equal(pin.stamp.ms, said.stamp.ms);
    }
    assert_int_equal(team_report(&team->nodes[0]).peers, SESSION_PEERS);
    team_run(team, 2 * SESSION_BEAT);
    bool there = false; /* who is present was not put out for it */
    for (unsigned i = 0; i < SESSION_PEERS; i++)
        there = there || (strcmp(session_peer(team->nodes[0].session, i)->node, "n1") == 0);
    assert_true(there);
}

/* It may be Redis' clock that was wrong, or this machine slept: that is looked at anew at each beat. */
static void whose_clock_is_wrong_is_looked_at_again(void **state)
{
    struct team *team = *state;
    team_kill(team, 1);
    team_answer(team, "TIME", "*2\r\n$10\r\n1764467400\r\n$1\r\n0\r\n", 1); /* an hour ago */
    team_run(team, SECOND);
    struct clocks clocks = team_clocks(&team->nodes[0]);
    assert_true(connected(team, 0));
    assert_in_range(session_ahead(team->nodes[0].session, &clocks), HOUR - SECOND, HOUR + 2 * SECOND);
    team_run(team, SESSION_BEAT + SECOND);
    clocks = team_clocks(&team->nodes[0]);
    assert_in_range(session_ahead(team->nodes[0].session, &clocks) + 1000, 0, 2 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(one_of_them_has_the_lease),
        FIXTURE_TEST(a_lease_that_has_ended_is_not_taken_from_another),
        FIXTURE_TEST(who_is_left_alone_while_it_asks_may),
        FIXTURE_TEST(leases_are_bounded),
        FIXTURE_TEST(a_hook_may_ask_again),
        FIXTURE_TEST(peers_come_and_go),
        FIXTURE_TEST(who_is_long_gone_is_not_named),
        FIXTURE_TEST(who_is_far_behind_is_not_gone),
        FIXTURE_TEST(two_of_one_name_are_one_too_many),
        FIXTURE_TEST(who_is_killed_comes_back_at_once),
        FIXTURE_TEST(names_that_come_and_go_leave_room),
        FIXTURE_TEST(whose_clock_is_wrong_is_looked_at_again),
    };
    return run_in_team(tests);
}
