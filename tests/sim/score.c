/*
 * score.c: what came of it, with the truth known. What counts as what is said where it is printed.
 */
#include "sim/sim.h"

#include <stdlib.h>

enum {
    SLOW    = 600, /* ms: byway's least patience with an unknown zone */
    AT_ONCE = 20,
};

void score_sample(msec_t **samples, size_t *count, size_t *cap, msec_t value)
{
    if (*count == *cap) {
        *cap     = *cap ? 2 * *cap : 1024;
        *samples = realloc(*samples, *cap * sizeof(**samples));
    }
    (*samples)[(*count)++] = value;
}

static bool domestic_can(const struct truth *truth, const struct lookup *lookup, msec_t now)
{
    bool abroad = truth_foreign(truth, lookup->subject.zone);
    return truth_kind(truth, lookup->subject.zone) != KIND_BROKEN && !truth_blocked(truth, &lookup->subject, now) &&
           !truth_outage(truth, OUTAGE_DOMESTIC, now) && !truth_outage(truth, OUTAGE_REFUSED, now) &&
           !truth_outage(truth, OUTAGE_LIMITED, now) && !truth_outage(truth, OUTAGE_FAILS, now) &&
           truth_rate(truth, OUTAGE_RATE_REFUSES, now) == 0 && truth_rate(truth, OUTAGE_RATE_FAILS, now) == 0 &&
           truth_rate(truth, OUTAGE_RATE_DROPS, now) == 0 && !(abroad && truth_outage(truth, OUTAGE_LINK, now));
}

static bool external_up(const struct truth *truth, msec_t now)
{
    return !truth_outage(truth, OUTAGE_EXTERNAL, now) && !truth_outage(truth, OUTAGE_LINK, now);
}

void score_asked(struct sim *sim, struct lookup *lookup)
{
    const struct truth *truth = sim->truth;
    uint32_t            zone  = lookup->subject.zone;
    lookup->domestic_ok       = domestic_can(truth, lookup, sim->now);
    bool deceived             = truth_censored(truth, zone) && !truth_foreign(truth, zone);
    lookup->external_ok =
        !lookup->fenced && !deceived && truth_kind(truth, zone) != KIND_BROKEN && external_up(truth, sim->now);
    struct says_at best = group_ask(sim->oracle[!lookup->domestic_ok], &lookup->subject, sim->now);
    lookup->oracle      = best.says == SAYS_ANSWER ? best.after : -1;
}

static bool is_hopeless(enum outage outage)
{
    return outage == OUTAGE_DOMESTIC || outage == OUTAGE_REFUSED || outage == OUTAGE_LIMITED || outage == OUTAGE_FAILS;
}

/* Domestic fails so much that no zone's failure shows anything: none is learned then. */
static bool is_unknowable(const struct truth *truth, msec_t now)
{
    for (enum outage outage = 0; outage < OUTAGES; outage++)
        if (is_hopeless(outage) ? truth_outage(truth, outage, now) : truth_rate(truth, outage, now) >= 1)
            return true;
    return false;
}

/* Lookups of zones that are blocked as a whole: the first two may teach, the third goes the way that works. */
static void note_blocked(struct sim *sim, const struct lookup *lookup)
{
    struct score *score = &sim->score;
    uint32_t      zone  = lookup->subject.zone;
    if (!truth_zone_blocked(sim->truth, zone, lookup->asked)) {
        if (lookup->asked_domestic && lookup->usable && !lookup->asked_external) {
            sim->seen[zone]         = 0;
            sim->first_failed[zone] = 0;
        }
        return;
    }
    if (!lookup->asked_domestic && !lookup->asked_external)
        return; /* from the cache */
    if (lookup->asked_domestic && lookup->domestic_took >= 0)
        return; /* from the resolver's */
    if (!lookup->external_ok || is_unknowable(sim->truth, lookup->asked))
        return;
    if (!sim->first_failed[zone])
        sim->first_failed[zone] = lookup->asked;
    score->blocked++;
    score->blocked_direct += !lookup->asked_domestic;
    if (sim->seen[zone] >= 2) {
        score->blocked_third++;
        bool waited = !lookup->asked_external || lookup->external_wait > AT_ONCE;
        score->blocked_third_waited += waited;
        if (waited && sim->options.trace)
            fprintf(stderr, "%lld waited: zone %u %s type %u took %lld seen %u first %lld\n", (long long) sim->now,
                    zone, kind_words[truth_kind(sim->truth, zone)], lookup->subject.type,
                    (long long) (lookup->answered - lookup->asked), sim->seen[zone],
                    (long long) (sim->now - sim->first_failed[zone]));
    }
    if (sim->seen[zone] < UINT8_MAX)
        sim->seen[zone]++;
}

void score_answered(struct sim *sim, struct lookup *lookup)
{
    struct score *score = &sim->score;
    msec_t        took  = lookup->answered - lookup->asked;
    score->lookups++;
    score->external += lookup->asked_external;
    if (!lookup->usable) {
        score->failed++;
        /* it could have been answered all the while */
        bool could = (lookup->domestic_ok && domestic_can(sim->truth, lookup, lookup->answered)) ||
                     (lookup->external_ok && external_up(sim->truth, lookup->answered));
        enum kind_of_zone kind    = truth_kind(sim->truth, lookup->subject.zone);
        bool              lossy   = kind == KIND_LOSSY || (kind == KIND_SLOW && !lookup->domestic_ok); /* or too slow */
        bool              outside = lossy || lookup->fenced || !external_up(sim->truth, lookup->asked);
        /* external's word that a name is not there does not count where domestic knows the domain: docs/learning.md */
        bool denied = could && !outside && !lookup->subject.exists;
        score->denied += denied;
        score->avoidable += could && !outside && !denied;
        score->avoidable_outage += could && outside;
        if (could && !outside && !denied && sim->options.trace)
            fprintf(stderr, "%lld avoidable: zone %u %s type %u took %lld asked d%u e%u\n", (long long) sim->now,
                    lookup->subject.zone, kind_words[truth_kind(sim->truth, lookup->subject.zone)],
                    lookup->subject.type, (long long) took, lookup->asked_domestic, lookup->asked_external);
    } else if (lookup->oracle >= 0 && (lookup->asked_domestic || lookup->asked_external)) {
        score_sample(&score->added, &score->added_count, &score->added_cap, msec_max(0, took - lookup->oracle));
    }
    if (lookup->domestic_ok && !lookup->fenced) {
        bool known_slow = lookup->domestic_took < 0 || lookup->domestic_took > SLOW;
        score->healthy++;
        if (lookup->asked_external && lookup->asked_domestic && known_slow)
            score->healthy_slow_external++;
        else if (lookup->asked_external)
            score->healthy_external++;
        if (lookup->asked_external && !(lookup->asked_domestic && known_slow) && sim->options.trace)
            fprintf(stderr, "%lld needless: zone %u %s type %u d%u took %lld\n", (long long) sim->now,
                    lookup->subject.zone, kind_words[truth_kind(sim->truth, lookup->subject.zone)],
                    lookup->subject.type, lookup->asked_domestic, (long long) lookup->domestic_took);
    }
    note_blocked(sim, lookup);
}

static int compare(const void *a, const void *b)
{
    msec_t left = *(const msec_t *) a, right = *(const msec_t *) b;
    return left < right ? -1 : left > right;
}

static msec_t quantile(msec_t *samples, size_t count, double q)
{
    if (count == 0)
        return 0;
    qsort(samples, count, sizeof(*samples), compare);
    return samples[(size_t) (q * (double) (count - 1))];
}

static double percent(uint64_t part, uint64_t all) { return all ? 100.0 * (double) part / (double) all : 0; }

/* X(key, format, value, what it is) */
#define FIGURES(X)                                                                                                     \
    X(lookups, "%.0f", (double) s->lookups, "lookups")                                                                 \
    X(failed, "%.0f", (double) s->failed, "failed")                                                                    \
    X(avoidable, "%.0f", (double) s->avoidable, "failed though one side could answer, external up")                    \
    X(denied, "%.0f", (double) s->denied, "names that do not exist, which domestic failed to say")                     \
    X(avoidable_else, "%.0f", (double) s->avoidable_outage, "the same, external down, zone lossy or fenced")           \
    X(forged, "%.0f", (double) s->forged, "forged answers given out")                                                  \
    X(forged_missed, "%.0f", (double) s->forged_missed, "the same, both datagrams to the canary lost")                 \
    X(external, "%.3f", percent(s->external, s->lookups), "% of lookups that asked external")                          \
    X(needless, "%.4f", percent(s->healthy_external, s->healthy), "% of those domestic would have answered in time")   \
    X(slow, "%.4f", percent(s->healthy_slow_external, s->healthy), "% of the same, domestic slower than 600 ms")       \
    X(third_waited, "%.3f", percent(s->blocked_third_waited, s->blocked_third),                                        \
      "% of lookups of a blocked zone, from the third on, that waited for domestic")                                   \
    X(added_median, "%.0f", (double) quantile(s->added, s->added_count, 0.5), "ms more than the best way, median")     \
    X(added_p99, "%.0f", (double) quantile(s->added, s->added_count, 0.99), "and p99")

/* What only a strategy that learns has. */
#define LEARNING(X)                                                                                                    \
    X(learned, "%.0f", (double) s->learned, "zones learned")                                                           \
    X(learn_median, "%.1f", (double) quantile(s->learn, s->learn_count, 0.5) / 1000,                                   \
      "s from the first lookup, median")                                                                               \
    X(learn_p99, "%.1f", (double) quantile(s->learn, s->learn_count, 0.99) / 1000, "and p99")                          \
    X(false_holds, "%.0f", (double) s->false_holds, "zones held blocked that were not")                                \
    X(false_healthy, "%.0f", (double) s->false_healthy, "of these, not lossy ones")                                    \
    X(false_hours, "%.2f", s->false_hours, "hours of these")                                                           \
    X(false_share, "%.5f", s->blocked_hours > 0 ? 100 * s->false_hours / s->blocked_hours : 0,                         \
      "% of the hours of those that were")                                                                             \
    X(blocked_hours, "%.0f", s->blocked_hours, "hours of zones held blocked that were")                                \
    X(lag_hours, "%.0f", s->lag_hours, "hours held after the end of the block")                                        \
    X(recovered, "%.0f", (double) s->recover_count, "zones in use that recovered")                                     \
    X(recover_median, "%.2f", (double) quantile(s->recover, s->recover_count, 0.5) / 1000,                             \
      "of their recheck interval until they were found open, median")                                                  \
    X(recover_p99, "%.2f", (double) quantile(s->recover, s->recover_count, 0.99) / 1000, "and p99")                    \
    X(recheck_share, "%.3f", percent(s->rechecks, s->domestic_packets), "rechecks, in % of the questions to domestic") \
    X(own_share, "%.3f", percent(s->own_packets, s->domestic_packets), "% of those that are byway's own")

void score_print(const struct sim *sim, FILE *to)
{
    const struct score *s = &sim->score;
    fprintf(to, "\n%s\n", sim->strategy->word);
#define X(key, format, value, text)                                                                                    \
    fprintf(to, "%12.12s  %s\n", (snprintf(number, sizeof(number), format, value), number), text);
    char number[32];
    FIGURES(X)
    if (s->learned) {
        LEARNING(X)
    }
#undef X
}

void score_json(const struct sim *sim, FILE *to)
{
    const struct score *s     = &sim->score;
    const char         *comma = "";
    fprintf(to, "\"%s\": {", sim->strategy->word);
#define X(key, format, value, text)                                                                                    \
    fprintf(to, "%s\"" #key "\": ", comma);                                                                            \
    fprintf(to, format, value);                                                                                        \
    comma = ", ";
    FIGURES(X)
    if (s->learned) {
        LEARNING(X)
    }
#undef X
    if (s->hour_count) {
        fprintf(to, ", \"hours\": [");
        for (unsigned i = 0; i < s->hour_count; i++)
            fprintf(to, "%s[%u, %u, %u]", i ? ", " : "", s->hours[i].met, s->hours[i].held, s->hours[i].over);
        fprintf(to, "]");
    }
    fprintf(to, "}");
}

static bool target(bool met, const char *text)
{
    if (!met)
        printf("missed: %s\n", text);
    return met;
}

/* All the while an upstream has its own trouble: what is lost or held wrong because of it, and what is learned
 * although. */
static bool check_weather(const struct sim *sim)
{
    const struct score   *s       = &sim->score;
    const struct weather *weather = &sim->options.weather;
    if (is_hopeless(weather->outage) || weather->severity >= 1)
        return true;
    return target(s->learned > 0 && s->blocked_third > 0, "something happens") &&
           target(percent(s->blocked_third_waited, s->blocked_third) <= 5,
                  "straight to external from the third lookup on, 5 % aside");
}

bool score_check(const struct sim *sim)
{
    const struct score *s  = &sim->score;
    bool                ok = target(s->lookups > 0, "something happens");
    ok &= target(s->avoidable == 0, "no avoidable failure with external up");
    ok &= target(s->false_healthy == 0, "no healthy zone called blocked");
    ok &= target(s->forged == 0, "nothing that is forged given out");
    if (sim->options.weather.on)
        return ok & check_weather(sim);
    ok &= target(s->learned > 0 && s->blocked_third > 0, "something is learned");
    if (sim->options.forging) /* and 2 % of domestic's answers are lost */
        return ok &
               target(percent(s->healthy_external, s->healthy) <= 0.1, "healthy lookups sent external: 0.1 % at most");
    /* the border changes three times, be the run as short as it may */
    bool brief = sim->options.days < 30;
    ok &= target(percent(s->healthy_external, s->healthy) <= (brief ? 0.1 : 0.05),
                 "healthy lookups sent external: 0.05 % at most, 0.1 in a short run");
    ok &= target(s->false_hours <= (brief ? 1 : 0.00002 * s->blocked_hours),
                 "hours of zones never blocked: 0.002 % at most, 1 in a short run");
    ok &= target(percent(s->blocked_third_waited, s->blocked_third) <= 1,
                 "straight to external from the third lookup on");
    ok &= target(quantile(s->recover, s->recover_count, 0.99) <= 1500,
                 "zones in use are found open within 1.5 intervals");
    ok &= target(brief || percent(s->own_packets, s->domestic_packets) <= 4, "own questions: 4 % of those to domestic");
    return ok;
}
