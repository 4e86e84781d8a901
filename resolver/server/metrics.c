/*
 * metrics.c: see metrics.h. One function for each subject, in the order of the page.
 */
#include "server/metrics.h"

#include "dns/text.h"
#include "observe/exposition.h"
#include "server/cluster.h"
#include "server/process.h"
#include "server/sums.h"
#include "stream/remote.h"

/* ---- answers ---- */

/* Those that are there from the start, so that their first increase is seen. */
static bool is_common(unsigned rcode)
{
    return rcode == RCODE_NOERROR || rcode == RCODE_SERVFAIL || rcode == RCODE_NXDOMAIN;
}

static void write_rcodes(struct sheet *page, const struct responses *sum, enum response_way way)
{
    for (unsigned rcode = 0; rcode < RESPONSE_RCODES; rcode++) {
        char     text[RCODE_TEXT_MAX];
        uint64_t count = atomic_load_explicit(&sum->at_once[way][rcode], memory_order_relaxed) +
                         atomic_load_explicit(&sum->waited[way][rcode], memory_order_relaxed);
        if (count > 0 || is_common(rcode))
            exposition_count(page, "byway_responses_total",
                             LABELS({"way", response_way_words[way]}, {"rcode", rcode_format(rcode, text)}), count);
    }
}

/* What was answered at once is in the lowest bucket, and took nothing. */
static void write_times(struct sheet *page, struct responses *sum, enum response_way way)
{
    struct histogram *times = &sum->times[way];
    for (unsigned rcode = 0; rcode < RESPONSE_RCODES; rcode++)
        times->buckets[HISTOGRAM_AT_ONCE] += sum->at_once[way][rcode];
    exposition_histogram(page, "byway_response_seconds", LABELS({"way", response_way_words[way]}), times);
}

static void write_responses(struct sheet *page, const struct daemon *daemon)
{
    struct responses sum;
    sums_responses(daemon, &sum);
    exposition_metric(page, "byway_responses_total", "counter", "Answers to clients, by the way they took and rcode.");
    for (unsigned way = 0; way < RESPONSE_WAY_COUNT; way++)
        write_rcodes(page, &sum, (enum response_way) way);
    exposition_metric(page, "byway_response_seconds", "histogram", "What clients waited for their answers.");
    for (unsigned way = 0; way < RESPONSE_WAY_COUNT; way++)
        write_times(page, &sum, (enum response_way) way);
}

/* ---- upstreams ---- */

struct upstream {
    const struct server *server;
    const char          *group;
    char                 name[WAY_TEXT_MAX];
};

static void write_outcomes(struct sheet *page, const struct upstream *upstream)
{
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        uint64_t count = 0;
        for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++)
            count += atomic_load_explicit(&upstream->server->outcomes[transport][i], memory_order_relaxed);
        exposition_count(page, "byway_exchanges_total",
                         LABELS({"group", upstream->group}, {"upstream", upstream->name},
                                {"outcome", outcome_word((enum outcome) i)}),
                         count);
    }
}

static void write_exchange_times(struct sheet *page, const struct upstream *upstream)
{
    exposition_histogram(page, "byway_exchange_seconds",
                         LABELS({"group", upstream->group}, {"upstream", upstream->name}), &upstream->server->times);
}

static void write_up(struct sheet *page, const struct upstream *upstream)
{
    exposition_count(page, "byway_upstream_up", LABELS({"group", upstream->group}, {"upstream", upstream->name}),
                     server_health(upstream->server) != HEALTH_DOWN);
}

static void each_upstream(struct sheet *page, const struct setup *setup,
                          void (*write)(struct sheet *page, const struct upstream *upstream))
{
    struct upstream upstream;
    for (unsigned i = 0; i < setup->group_count; i++) {
        for (unsigned j = 0; j < setup->groups[i].count; j++) {
            upstream.server = setup->groups[i].servers[j];
            upstream.group  = setup->groups[i].name;
            way_format(remote_way(upstream.server->remote), upstream.name);
            write(page, &upstream);
        }
    }
}

static void write_upstreams(struct sheet *page, const struct daemon *daemon)
{
    exposition_metric(page, "byway_exchanges_total", "counter", "Questions to an upstream, by what became of them.");
    each_upstream(page, daemon->setup, write_outcomes);
    exposition_metric(page, "byway_exchange_seconds", "histogram", "What an upstream's replies took.");
    each_upstream(page, daemon->setup, write_exchange_times);
    exposition_metric(page, "byway_upstream_up", "gauge",
                      "1: the upstream answers, or nothing speaks against it; 0: it is down.");
    each_upstream(page, daemon->setup, write_up);
}

/* ---- zones ---- */

static const char *reason_text(unsigned reason) { return reason == REASON_NONE ? "none" : zone_reason_words[reason]; }

static void write_zones(struct sheet *page, const struct daemon *daemon)
{
    struct learner_counts counts = learner_count(daemon->learner);
    exposition_metric(page, "byway_zones", "gauge", "Zones that something is known of, by state and where it is from.");
    for (unsigned state = 0; state < ZONE_STATE_COUNT; state++)
        for (unsigned source = 0; source < SOURCE_COUNT; source++)
            exposition_count(page, "byway_zones",
                             LABELS({"state", zone_state_words[state]}, {"source", zone_source_words[source]}),
                             counts.sources[state][source]);
    exposition_metric(page, "byway_zone_changes_total", "counter",
                      "Changes of a zone's state, by the new one and what failed.");
    for (unsigned state = 0; state < ZONE_STATE_COUNT; state++)
        for (unsigned reason = 0; reason < REASON_COUNT; reason++)
            exposition_count(page, "byway_zone_changes_total",
                             LABELS({"to", zone_state_words[state]}, {"reason", reason_text(reason)}),
                             daemon->zone_changes[state][reason]);
}

/* ---- drops, cache, reload ---- */

static void write_drop(struct sheet *page, const char *reason, uint64_t count)
{
    exposition_count(page, "byway_drops_total", LABELS({"reason", reason}), count);
}

static void write_drops(struct sheet *page, const struct daemon *daemon)
{
    struct counters sum;
    uint64_t        kernel;
    sums_counters(daemon, &sum, &kernel);
    uint64_t cut = sum.rate_truncated, limited = sum.rate_limited; /* in this order: the second is counted first */
    exposition_metric(page, "byway_drops_total", "counter", "What was dropped or refused, by the reason.");
    write_drop(page, "malformed", sum.dropped);
    write_drop(page, "rate", limited > cut ? limited - cut : 0);
    write_drop(page, "kernel", kernel);
    write_drop(page, "overload", sum.overload);
    write_drop(page, "connections", sum.tcp_refused);
    write_drop(page, "external_quota", sum.external_over_quota);
    write_drop(page, "observations", sum.observations_lost);
}

static void write_gauge(struct sheet *page, const char *name, const char *help, double value)
{
    exposition_metric(page, name, "gauge", help);
    exposition_number(page, name, NULL, value);
}

static void write_cache(struct sheet *page, const struct daemon *daemon)
{
    struct cache_stats cache;
    cache_read_stats(daemon->shared.cache, &cache);
    write_gauge(page, "byway_cache_bytes", "Memory that stored answers take.", (double) cache.bytes);
    write_gauge(page, "byway_cache_entries", "Stored answers.", (double) cache.entries);
}

/* Nothing where no Redis is configured. */
static void write_cluster(struct sheet *page, const struct daemon *daemon)
{
    struct session_report report;
    if (!cluster_read(daemon, &report))
        return;
    write_gauge(page, "byway_cluster_connected", "1: connected to Redis and so to the other nodes; 0: alone.",
                report.connected);
}

static void write_reload(struct sheet *page, const struct daemon *daemon)
{
    write_gauge(page, "byway_reload_success",
                "1: the file was in order when it was last read; 0: the settings before it are in force.",
                !daemon->reload_failed);
    write_gauge(page, "byway_reload_timestamp_seconds", "When the settings in force were read, since 1970.",
                (double) daemon->read_at);
    exposition_metric(page, "byway_build_info", "gauge", "1, with the version that runs.");
    exposition_count(page, "byway_build_info", LABELS({"version", BYWAY_VERSION}), 1);
}

static void write_process(struct sheet *page, const struct daemon *daemon)
{
    struct process process;
    process_read(&process);
    exposition_metric(page, "process_cpu_seconds_total", "counter", "Processor time, of user and system.");
    exposition_number(page, "process_cpu_seconds_total", NULL, process.cpu_seconds);
    write_gauge(page, "process_resident_memory_bytes", "Memory that is in RAM.", (double) process.resident_bytes);
    write_gauge(page, "process_open_fds", "Open file descriptors.", (double) process.open_descriptors);
    write_gauge(page, "process_start_time_seconds", "When the process began, since 1970.", (double) daemon->started_at);
}

void metrics_reply(const struct daemon *daemon, struct web_call *call)
{
    static const struct web_header headers[] = {{"Content-Type", EXPOSITION_TYPE}, {0}};
    struct sheet                   page      = {.most = LIMIT_WEB_PAGE};
    write_responses(&page, daemon);
    write_upstreams(&page, daemon);
    write_zones(&page, daemon);
    write_drops(&page, daemon);
    write_cache(&page, daemon);
    write_cluster(&page, daemon);
    write_reload(&page, daemon);
    write_process(&page, daemon);
    web_reply_sheet(call, &page, headers); /* half of it would be read as counters that have gone */
}
