/*
 * concerns.c: see concerns.h. Each function looks at one thing, the grave ones first.
 */
#include "observe/concerns.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    MANY_ANSWERS  = 50, /* of which a share says something */
    SERVFAIL_PART = 10, /* one in so many is too much */
};

static void __attribute__((format(printf, 2, 3))) add(struct concerns *concerns, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(concerns->text[concerns->count++], CONCERN_MAX, format, arguments);
    va_end(arguments);
}

static unsigned count_of(const struct standing *standing, unsigned group, bool (*is)(const struct standing_upstream *))
{
    unsigned count = 0;
    for (unsigned i = 0; i < standing->upstream_count; i++)
        count += standing->upstreams[i].group == group && is(&standing->upstreams[i]);
    return count;
}

static bool is_any(const struct standing_upstream *upstream)
{
    (void) upstream;
    return true;
}
static bool is_down(const struct standing_upstream *upstream) { return upstream->health == HEALTH_DOWN; }
static bool is_looping(const struct standing_upstream *upstream) { return upstream->loops; }
static bool is_tainted(const struct standing_upstream *upstream) { return upstream->tainted; }

static bool group_is_down(const struct standing *standing, unsigned group)
{
    unsigned all = count_of(standing, group, is_any);
    return all > 0 && count_of(standing, group, is_down) == all;
}

/* ---- grave ---- */

static void find_groups_down(const struct standing *standing, struct concerns *concerns)
{
    size_t diverted = standing->blocked + standing->recovering;
    for (unsigned i = 0; i < standing->group_count; i++) {
        if (!group_is_down(standing, i))
            continue;
        if (i == STANDING_DOMESTIC)
            add(concerns, "%.64s is down: none of its upstreams answers, and all lookups go to external.",
                standing->groups[i]);
        else if (i == STANDING_EXTERNAL && diverted > 0)
            add(concerns, "%.64s is down: none of its upstreams answers, and %zu blocked zone%s cannot be resolved.",
                standing->groups[i], diverted, diverted == 1 ? "" : "s");
        else
            add(concerns, "%.64s is down: none of its upstreams answers.", standing->groups[i]);
    }
}

static uint64_t lately(const struct history *history, enum history_series series)
{
    return (uint64_t) history_interval(history, 0)->of[series] + history_interval(history, 1)->of[series];
}

static void find_servfail(const struct history *history, struct concerns *concerns)
{
    uint64_t answers  = history_answers(history_interval(history, 0)) + history_answers(history_interval(history, 1));
    uint64_t servfail = lately(history, HISTORY_SERVFAIL);
    if (answers >= MANY_ANSWERS && servfail * SERVFAIL_PART > answers)
        add(concerns, "%" PRIu64 " of the last %" PRIu64 " answers were SERVFAIL: bywayctl trace --failed shows which.",
            servfail, answers);
}

static void find_state(const struct standing *standing, struct concerns *concerns)
{
    if (standing->state_failing)
        add(concerns, "What is learned does not reach the disk: after a restart it would be gone. The log says why.");
    if (standing->control_lost)
        add(concerns, "The control socket is gone from its place: bywayctl cannot reach this daemon.");
}

/* ---- worth a look ---- */

static void find_upstreams(const struct standing *standing, unsigned group, struct concerns *concerns)
{
    unsigned    all = count_of(standing, group, is_any), down = count_of(standing, group, is_down);
    const char *name = standing->groups[group];
    if (down > 0 && down < all)
        add(concerns, "%u of the %u upstreams of %.64s %s down; the others stand in.", down, all, name,
            down == 1 ? "is" : "are");
    if (count_of(standing, group, is_looping) > 0)
        add(concerns, "An upstream of %.64s forwards to this daemon: what it cannot answer goes round in circles.",
            name);
    if (count_of(standing, group, is_tainted) > 0)
        add(concerns, "Answers of an upstream of %.64s are forged on the way: reach it by tls:// or https://.", name);
}

static void find_losses(const struct history *history, struct concerns *concerns)
{
    uint64_t kept = lately(history, HISTORY_OVER_QUOTA), lost = lately(history, HISTORY_LOST);
    if (kept > 0)
        add(concerns, "%" PRIu64 " questions were lately kept from external, for limits.external_qps was reached.",
            kept);
    if (lost > 0)
        add(concerns, "%" PRIu64 " queries were lately lost or refused because there was no room for them.", lost);
}

static void find_settings(const struct standing *standing, struct concerns *concerns)
{
    if (standing->reload_failed)
        add(concerns,
            "The configuration has an error: the settings from before are in force. bywayd --check names it.");
    if (standing->canary_blind)
        add(concerns, "The canary answers whatever it is asked, and shows nothing of what is forged.");
}

void concerns_find(const struct standing *standing, const struct history *history, struct concerns *ret)
{
    ret->count = 0;
    find_groups_down(standing, ret);
    find_servfail(history, ret);
    find_state(standing, ret);
    ret->grave = ret->count;
    for (unsigned i = 0; i < standing->group_count; i++)
        find_upstreams(standing, i, ret);
    find_losses(history, ret);
    find_settings(standing, ret);
}
