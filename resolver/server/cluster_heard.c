/*
 * cluster_heard.c: see cluster.h, whose numbers are in brackets, and cluster_internal.h.
 */
#include "server/cluster_internal.h"

#include "base/log.h"
#include "dns/text.h"
#include "policy/attribution.h"
#include "query/route.h"
#include "server/clock.h"

#include <string.h>

enum {
    FLUSHES = 4, /* a second: each looks at the whole cache */
};

static msec_t from_wall_ms(const struct clocks *clocks, uint64_t wall_ms)
{
    const int64_t century = (int64_t) 100 * 365 * 86400 * 1000; /* no overflow */
    int64_t       bounded = wall_ms > INT64_MAX ? INT64_MAX : (int64_t) wall_ms;
    return clocks->now + msec_clamp(bounded - clocks->wall_ms, -century, century);
}

/* Above a few a second the cache is emptied once, a second later. */
static void flush_under(struct cluster *cluster, struct view zone)
{
    struct daemon *daemon = cluster->daemon;
    if (daemon->now - cluster->flushed >= 1000) {
        cluster->flushed = daemon->now;
        cluster->flushes = 0;
    }
    if (cluster->flushes++ < FLUSHES)
        cache_flush_under(daemon->shared.cache, zone);
    else
        cluster->flush_all = true;
}

static void void_old_way(struct cluster *cluster, struct view zone)
{
    prober_abandon(cluster->daemon->prober, zone, cluster->daemon->now);
    flush_under(cluster, zone);
}

void cluster_on_pin_ended(void *context, struct view zone)
{
    void_old_way(((const struct daemon *) context)->cluster, zone);
}

/* [1] */
static bool is_believable(const struct daemon *daemon, const struct statement *failure)
{
    return daemon->settings->learning != LEARNING_OFF && attribution_is_open(daemon->setup->policy, failure->id.name) &&
           attribution_is_open(daemon->setup->policy, failure->asked) &&
           (failure->id.scope != SCOPE_ZONE || suffix_learnable(daemon->shared.suffix, failure->id.name));
}

static void take_evidence(struct cluster *cluster, const struct zone_id *id)
{
    struct daemon           *daemon  = cluster->daemon;
    struct replica_judgement judged  = replica_judge(cluster->replica, id, daemon->settings->recover_after);
    struct clocks            clocks  = clock_both();
    struct zone             *zone    = table_get(daemon->shared.table, id->name, id->scope, id->type);
    bool                     diverts = zone && zone_diverts(zone);
    if (judged.blocked && !(judged.good && diverts) && is_believable(daemon, &judged.failure)) {
        const struct hearsay heard = {
            .id         = *id,
            .reason     = judged.failure.reason,
            .failed     = from_wall_ms(&clocks, judged.failed),
            .interval   = judged.failure.interval,
            .asked      = judged.failure.asked,
            .asked_type = judged.failure.asked_type,
            .source     = SOURCE_CLUSTER,
        };
        learner_hear(daemon->learner, &heard, daemon->now);
    } else if (judged.good && diverts) {
        learner_apply_zone(daemon->learner, zone, EVIDENCE_FINE, REASON_NONE, daemon->now);
    }
}

/* [2] `news`: it was said just now. Else a pin that is there keeps the time that it has left: the calendar by which its end
 * was said may have been set since. */
static void take_pin(struct cluster *cluster, struct view zone, bool news)
{
    struct daemon     *daemon = cluster->daemon;
    struct clocks      clocks = clock_both();
    struct statement   said;
    char               note[LIMIT_NOTE + 1], text[NAME_TEXT_MAX];
    const struct zone *there = table_get(daemon->shared.table, zone, SCOPE_ZONE, 0);
    enum pin           is    = there ? there->pin : PIN_NONE;
    if (!replica_pin(cluster->replica, zone, &said))
        return;
    msec_t until = clocks_msec(&clocks, said.until);
    if (!news && is != PIN_NONE && (is == said.pin || (said.pin != PIN_NONE && until <= daemon->now)))
        return;
    if (said.pin == PIN_NONE || until <= daemon->now) {
        if (is != PIN_NONE && learner_unpin(daemon->learner, zone, daemon->now))
            void_old_way(cluster, zone);
        return;
    }
    if (!route_allows(daemon->setup, zone, 0, said.pin == PIN_EXTERNAL ? SETUP_EXTERNAL : SETUP_DOMESTIC)) {
        log_info("cluster: %s cannot be pinned as another node has it: a fence forbids it", name_format(zone, text));
        return;
    }
    memcpy(note, said.note.data, said.note.len);
    note[said.note.len] = '\0';
    bool same           = is == said.pin && clocks_wall(&clocks, there->pin_until) == said.until &&
                strcmp(there->note ? there->note : "", note) == 0;
    if (!same && learner_pin(daemon->learner, zone, said.pin, until, note, daemon->now))
        void_old_way(cluster, zone);
}

void cluster_leave_pin(struct cluster *cluster, const struct statement *statement)
{
    struct daemon *daemon = cluster->daemon;
    if (statement->kind == STATEMENT_PIN && statement->pin != PIN_NONE &&
        learner_unpin(daemon->learner, statement->id.name, daemon->now))
        void_old_way(cluster, statement->id.name);
}

static void count_one(void *context, struct zone *zone)
{
    (void) zone;
    ++*(size_t *) context;
}

/* [3] Where it is no news and nothing is known of the zone there is nothing to disturb: no answer under way, and no
 * memory of what it was since. */
static void take_forget(struct cluster *cluster, struct view zone, bool news)
{
    struct daemon   *daemon = cluster->daemon;
    struct clocks    clocks = clock_both();
    struct statement said;
    size_t           known = news;
    table_each_of(daemon->shared.table, zone, count_one, &known);
    if (known > 0 && replica_forgotten(cluster->replica, zone, &said) &&
        learner_forget(daemon->learner, zone, from_wall_ms(&clocks, said.stamp.ms), daemon->now) > 0)
        void_old_way(cluster, zone);
}

void cluster_keep(struct cluster *cluster, const struct statement *statement,
                  void (*put)(struct store *store, struct view record))
{
    uint8_t bytes[STATEMENT_MAX];
    if (statement->kind != STATEMENT_EVIDENCE)
        put(cluster->daemon->store, (struct view){bytes, statement_write(statement, bytes)});
}

void cluster_take(struct cluster *cluster, const struct statement *statement, bool news)
{
    if (statement->kind == STATEMENT_EVIDENCE)
        take_evidence(cluster, &statement->id);
    else if (statement->kind == STATEMENT_PIN)
        take_pin(cluster, statement->id.name, news);
    else
        take_forget(cluster, statement->id.name, news);
}

void cluster_on_heard(void *context, const struct statement *statement)
{
    struct cluster *cluster = context;
    cluster_keep(cluster, statement, store_append);
    /* a part of the evidence on a zone may say what the whole does not */
    if (statement->kind != STATEMENT_EVIDENCE || !session_is_reading(cluster->session)) {
        cluster_take(cluster, statement, true);
        return;
    }
    cluster->settle  = true;
    cluster->settled = 0;
}
