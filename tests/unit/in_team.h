/*
 * in_team.h: what the tests of a session have in common: two nodes and a Redis (lib/team.h), and what is said of a zone.
 */
#ifndef TEST_IN_TEAM_H
#define TEST_IN_TEAM_H

#include "lib/check.h"
#include "lib/names.h"
#include "lib/team.h"

#include <stdlib.h>

enum {
    SECOND = 1000,
    HOUR   = 3600 * SECOND,
};

static struct name zone, other;

static inline int open_fixture(void **state)
{
    struct team *team = calloc(1, sizeof(*team));
    team_open(team, 1, 2);
    *state = team;
    return 0;
}

static inline int close_fixture(void **state)
{
    team_close(*state);
    free(*state);
    return 0;
}

static inline struct statement failed(const struct name *of) { return stated(STATEMENT_EVIDENCE, "", of, 0); }

static inline bool connected(const struct team *team, unsigned node)
{
    return team_report(&team->nodes[node]).connected;
}

static inline bool knows(const struct team *team, unsigned node, const struct name *of)
{
    return replica_knows(team->nodes[node].replica, name_view(of));
}

static inline void expect_alone(const struct team *team, unsigned node, const char *problem)
{
    struct session_report report = team_report(&team->nodes[node]);
    if (report.connected || !strstr(report.problem, problem))
        fail_msg("%s, not \"%s\": \"%s\"", report.connected ? "connected" : "alone", problem, report.problem);
}

static inline struct name numbered(unsigned number)
{
    char text[32];
    snprintf(text, sizeof(text), "z%u.example", number);
    return named(text);
}

/* A command whose words have any bytes; nobody looks at its reply. */
static inline void run_words(struct team *team, int count, const struct view *words)
{
    char  *reply = NULL;
    size_t len   = 0;
    FILE  *out   = open_memstream(&reply, &len);
    redis_model_run(team->model, count, words, TEAM_WALL + team->now, out);
    fclose(out);
    free(reply);
}

/* In the hash, whoever it may be that puts it there. */
static inline void put_field(struct team *team, const char *field, const struct statement *statement)
{
    uint8_t     bytes[STATEMENT_MAX];
    struct view words[] = {text_view("HSET"), text_view(TEAM_NAME ":zones"), text_view(field), {bytes, 0}};
    words[3].len        = statement_write(statement, bytes);
    run_words(team, ARRAY_LEN(words), words);
}

#define run_in_team(tests)                                                                                             \
    (zone = named("blocked.example"), other = named("other.example"), cmocka_run_group_tests(tests, NULL, NULL))

#endif
