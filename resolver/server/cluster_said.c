/*
 * cluster_said.c: see cluster.h and cluster_internal.h.
 */
#include "server/cluster_internal.h"

#include "server/clock.h"

#include <string.h>

static struct statement own_statement(struct cluster *cluster, enum statement_kind kind, const struct zone_id *id,
                                      bool everywhere)
{
    return (struct statement){
        .kind    = kind,
        .id      = *id,
        .vantage = everywhere ? (struct view){0} : replica_vantage(cluster->replica),
        .node    = replica_node(cluster->replica),
        .until   = WALL_NEVER,
    };
}

void cluster_take_along(struct statement *statement, struct view by, const struct replica *replica)
{
    if (statement->kind == STATEMENT_EVIDENCE || statement->node.len != by.len ||
        memcmp(statement->node.data, by.data, by.len) != 0)
        return;
    statement->node = replica_node(replica);
    if (statement->vantage.len > 0)
        statement->vantage = replica_vantage(replica);
}

static int64_t to_wall_ms(const struct clocks *clocks, msec_t when) { return clocks->wall_ms + (when - clocks->now); }

/* True if it is the latest of its kind. */
static bool say(struct cluster *cluster, const struct statement *statement)
{
    struct clocks clocks = clock_both();
    enum merged   merged = replica_merge(cluster->replica, statement, false, (uint64_t) clocks.wall_ms);
    if (merged != MERGED_NEWS)
        return false;
    cluster_keep(cluster, statement, store_append);
    if (cluster->session)
        session_tell(cluster->session, statement);
    return true;
}

static struct stamp stamp_now(struct cluster *cluster, struct view zone)
{
    return replica_stamp(cluster->replica, zone, (uint64_t) clock_both().wall_ms);
}

static struct statement evidence_of(struct cluster *cluster, const struct zone *zone)
{
    const struct zone_id id   = {.name = zone_name(zone), .scope = zone->scope, .type = zone->type};
    struct statement     said = own_statement(cluster, STATEMENT_EVIDENCE, &id, false);
    said.reason               = zone->condition.reason;
    said.interval             = zone->condition.interval;
    said.asked                = zone_asked(zone);
    said.asked_type           = zone->asked_type;
    return said;
}

static bool say_pin(struct cluster *cluster, struct view zone, enum pin pin, msec_t until, const char *note,
                    bool everywhere, struct stamp stamp)
{
    const struct zone_id id     = {.name = zone, .scope = SCOPE_ZONE};
    struct statement     said   = own_statement(cluster, STATEMENT_PIN, &id, everywhere);
    struct clocks        clocks = clock_both();
    said.stamp                  = stamp;
    said.pin                    = pin;
    said.until                  = clocks_wall(&clocks, until);
    said.note                   = (struct view){(const uint8_t *) note, note ? strlen(note) : 0};
    return say(cluster, &said);
}

/* Its end by this node's own clock, which nobody sets, not by the calendar's of the next start. */
static void say_ended(struct cluster *cluster, struct view zone)
{
    struct statement said;
    struct view      own = replica_node(cluster->replica);
    if (replica_pin(cluster->replica, zone, &said) && said.pin != PIN_NONE && said.node.len == own.len &&
        memcmp(said.node.data, own.data, own.len) == 0)
        say_pin(cluster, zone, PIN_NONE, MSEC_NEVER, NULL, said.vantage.len == 0, stamp_now(cluster, zone));
}

void cluster_on_evidence(struct daemon *daemon, const struct zone *zone, enum zone_why why)
{
    struct cluster      *cluster = daemon->cluster;
    const struct zone_id id      = {.name = zone_name(zone), .scope = zone->scope, .type = zone->type};
    if (why == WHY_PIN_ENDED)
        say_ended(cluster, zone_name(zone));
    if (!cluster->session)
        return;
    if (why == WHY_RECHECK_GOOD || why == WHY_RECHECK_BAD || why == WHY_POSTPONED)
        session_end_lease(cluster->session, &id);
    if (why != WHY_CONFIRMED && why != WHY_BELIEVED && why != WHY_RECHECK_BAD && why != WHY_RECHECK_GOOD)
        return;
    struct statement said = evidence_of(cluster, zone);
    said.stamp            = stamp_now(cluster, id.name);
    if (why == WHY_RECHECK_GOOD)
        said.good = zone->condition.state == ZONE_CLEAR ? daemon->settings->recover_after : zone->condition.good;
    say(cluster, &said);
}

bool cluster_ask_lease(void *context, const struct zone *zone)
{
    struct daemon       *daemon  = context;
    struct cluster      *cluster = daemon->cluster;
    const struct zone_id id      = {.name = zone_name(zone), .scope = zone->scope, .type = zone->type};
    return cluster->session && session_ask_lease(cluster->session, &id, daemon->now);
}

void cluster_tell_pin(struct daemon *daemon, struct view zone, enum pin pin, msec_t until, const char *note,
                      bool everywhere)
{
    say_pin(daemon->cluster, zone, pin, until, note, everywhere, stamp_now(daemon->cluster, zone));
}

static struct stamp stamp_of(int64_t wall_ms) { return (struct stamp){.ms = wall_ms < 0 ? 0 : (uint64_t) wall_ms}; }

bool cluster_tell_past_pin(struct daemon *daemon, struct view zone, enum pin pin, msec_t until, const char *note,
                           int64_t wall_ms)
{
    return say_pin(daemon->cluster, zone, pin, until, note, false, stamp_of(wall_ms));
}

void cluster_tell_forget(struct daemon *daemon, struct view zone, bool everywhere)
{
    struct cluster      *cluster = daemon->cluster;
    const struct zone_id id      = {.name = zone, .scope = SCOPE_ZONE};
    struct statement     said    = own_statement(cluster, STATEMENT_FORGET, &id, everywhere);
    said.stamp                   = stamp_now(cluster, zone);
    say(cluster, &said);
}

bool cluster_knows(const struct daemon *daemon, struct view zone)
{
    return replica_knows(daemon->cluster->replica, zone);
}

bool cluster_tell_failure(struct daemon *daemon, const struct hearsay *heard, int64_t wall_ms)
{
    struct cluster  *cluster = daemon->cluster;
    struct statement said    = own_statement(cluster, STATEMENT_EVIDENCE, &heard->id, false);
    said.stamp               = stamp_of(wall_ms);
    said.reason              = heard->reason;
    said.interval            = heard->interval;
    said.asked               = heard->asked;
    said.asked_type          = heard->asked_type;
    return say(cluster, &said);
}

int64_t cluster_pinned_at(const struct daemon *daemon, struct view zone)
{
    struct statement said;
    bool is = replica_pin(daemon->cluster->replica, zone, &said) && said.pin != PIN_NONE && said.stamp.ms <= INT64_MAX;
    return is ? (int64_t) said.stamp.ms : 0;
}

static void seed_one(void *context, struct zone *zone)
{
    struct cluster  *cluster = context;
    struct clocks    clocks  = clock_both();
    struct statement said;
    if (zone->pin != PIN_NONE && !replica_pin(cluster->replica, zone_name(zone), &said)) /* nobody knows since when */
        say_pin(cluster, zone_name(zone), zone->pin, zone->pin_until, zone->note, false, stamp_of(0));
    if (!zone_diverts(zone) || zone->source == SOURCE_CLUSTER)
        return;
    said       = evidence_of(cluster, zone);
    said.good  = zone->condition.good;
    said.stamp = stamp_of(to_wall_ms(&clocks, said.good ? zone->condition.since : zone->condition.last_failure));
    say(cluster, &said);
}

void cluster_seed(struct cluster *cluster) { table_each(cluster->daemon->shared.table, seed_one, cluster); }
