/*
 * day.c: see day.h.
 */
#include "server/day.h"

#include "dns/message.h"
#include "server/sums.h"

static void add_answers(const struct daemon *daemon, struct history_totals *totals)
{
    static const enum history_series series[RESPONSE_WAY_COUNT] = {
        [RESPONSE_BY_CACHE] = HISTORY_HERE,        [RESPONSE_BY_LOCAL] = HISTORY_HERE,
        [RESPONSE_BY_NONE] = HISTORY_HERE,         [RESPONSE_BY_STALE] = HISTORY_STALE,
        [RESPONSE_BY_DOMESTIC] = HISTORY_DOMESTIC, [RESPONSE_BY_OTHER] = HISTORY_DOMESTIC,
        [RESPONSE_BY_EXTERNAL] = HISTORY_EXTERNAL,
    };
    struct responses sum;
    sums_responses(daemon, &sum);
    for (unsigned way = 0; way < RESPONSE_WAY_COUNT; way++)
        for (unsigned rcode = 0; rcode < RESPONSE_RCODES; rcode++)
            totals->of[rcode == RCODE_SERVFAIL ? HISTORY_SERVFAIL : series[way]] +=
                sum.at_once[way][rcode] + sum.waited[way][rcode];
}

static void add_losses(const struct daemon *daemon, struct history_totals *totals)
{
    struct counters sum;
    uint64_t        kernel;
    sums_counters(daemon, &sum, &kernel);
    totals->of[HISTORY_OVER_QUOTA] = sum.external_over_quota;
    totals->of[HISTORY_LOST]       = sum.overload + sum.tcp_refused + kernel;
}

static bool is_silence(enum outcome outcome)
{
    return outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_UNREACHABLE || outcome == OUTCOME_MALFORMED;
}

static void add_questions(const struct group *group, uint64_t *asked, uint64_t *unanswered)
{
    for (unsigned i = 0; i < group->count; i++) {
        for (unsigned j = 0; j < TRANSPORT_COUNT * OUTCOME_COUNT; j++) {
            enum outcome outcome = (enum outcome)(j % OUTCOME_COUNT);
            uint64_t     count =
                atomic_load_explicit(&group->servers[i]->outcomes[j / OUTCOME_COUNT][outcome], memory_order_relaxed);
            *asked += count;
            *unanswered += is_silence(outcome) ? count : 0;
        }
    }
}

static struct history_totals totals_of(const struct daemon *daemon)
{
    struct history_totals totals = {0};
    struct learner_counts zones  = learner_count(daemon->learner);
    const struct group   *groups = daemon->setup->groups;
    totals.blocked               = (uint32_t) (zones.states[ZONE_BLOCKED] + zones.states[ZONE_RECOVERING]);
    add_answers(daemon, &totals);
    add_losses(daemon, &totals);
    add_questions(&groups[SETUP_DOMESTIC], &totals.of[HISTORY_DOMESTIC_ASKED], &totals.of[HISTORY_DOMESTIC_UNANSWERED]);
    add_questions(&groups[SETUP_EXTERNAL], &totals.of[HISTORY_EXTERNAL_ASKED], &totals.of[HISTORY_EXTERNAL_UNANSWERED]);
    return totals;
}

void day_begin(struct daemon *daemon)
{
    struct history_totals totals = totals_of(daemon);
    history_init(&daemon->history, &totals, daemon->now);
}

void day_bring_up(struct daemon *daemon)
{
    struct history_totals totals = totals_of(daemon);
    history_add(&daemon->history, &totals, daemon->now);
}

void day_on_pulse(struct daemon *daemon)
{
    if (daemon->now >= daemon->history.end)
        day_bring_up(daemon);
}

void day_on_setup(struct daemon *daemon)
{
    struct history_totals totals = totals_of(daemon);
    history_rebase(&daemon->history, &totals);
}
