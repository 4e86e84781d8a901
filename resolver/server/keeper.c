/*
 * keeper.c: see keeper.h.
 */
#include "server/keeper.h"

#include "base/log.h"
#include "dns/text.h"
#include "learn/record.h"
#include "policy/blocklist.h"
#include "query/claims.h"
#include "server/clock.h"
#include "server/cluster.h"
#include "server/day.h"
#include "server/durable.h"
#include "server/events.h"
#include "server/traces.h"
#include "stream/remote.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>

enum {
    CACHE_SHARDS = 64,
    TELL_AGAIN   = 60000, /* ms */
    CLOSE_WITHIN = 3000   /* ms for the disk at the end */
};

void keeper_begin(struct daemon *daemon) { daemon->now = clock_now(); }

/* ---- the logic's way out ---- */

static void begin_dispatch(void *context) { keeper_begin(((struct dispatch *) context)->context); }

static void on_packet(void *context, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct daemon *daemon = context;
    prober_on_packet(daemon->prober, exchange, transport, packet, daemon->now);
}

static void on_unreachable(void *context, struct exchange *exchange, enum transport transport)
{
    struct daemon *daemon = context;
    prober_on_unreachable(daemon->prober, exchange, transport, daemon->now);
}

/* ---- what is told ---- */

static void write_record(struct daemon *daemon, const struct zone *zone, bool removed,
                         void (*put)(struct store *store, struct view record))
{
    uint8_t       bytes[RECORD_MAX];
    struct clocks clocks = clock_both();
    size_t        len    = record_write(zone, removed, &clocks, bytes);
    put(daemon->store, (struct view){bytes, len});
}

/* A suspicion lives a minute: only what it becomes is worth the disk. */
static bool is_kept(const struct zone *zone)
{
    return zone->pin != PIN_NONE || zone_diverts(zone) || zone->condition.state == ZONE_BROKEN;
}

static void tell_change(const struct zone *zone, enum zone_state from, enum zone_why why, bool in_detail)
{
    char           name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX] = "";
    enum log_level level =
        from == ZONE_SUSPECT && zone->condition.state == ZONE_CLEAR ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (zone->condition.state == ZONE_SUSPECT || in_detail || why == WHY_HEARD)
        level = LOG_LEVEL_DEBUG;
    if (zone->scope == SCOPE_TYPE)
        type_format(zone->type, type);
    log_line(level, "zone %s%s%s: %s -> %s%s%s: %s", name_format(zone_name(zone), name), *type ? " " : "", type,
             zone_state_words[from], zone_state_words[zone->condition.state], zone->condition.reason ? ", reason " : "",
             zone_reason_words[zone->condition.reason], zone_why_words[why]);
}

static bool is_about_pin(enum zone_why why) { return why == WHY_PINNED || why == WHY_UNPINNED || why == WHY_PIN_ENDED; }

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    struct daemon *daemon = context;
    if (daemon->loading)
        return;
    if (from != zone->condition.state) {
        tell_change(zone, from, why, daemon->importing);
        events_on_zone(daemon, zone, from, why);
        daemon->zone_changes[zone->condition.state][zone->condition.reason]++;
    }
    cluster_on_evidence(daemon, zone, why);
    if (is_about_pin(why))
        events_on_pin(daemon, zone_name(zone), zone->pin);
    bool keep = !removed && is_kept(zone);
    if (keep || zone->stored)
        write_record(daemon, zone, !keep, store_append);
    zone->stored = keep;
}

static void on_server_changed(void *context, const struct server *server, bool up)
{
    char                 text[WAY_TEXT_MAX];
    struct remote_report report;
    way_format(remote_way(server->remote), text);
    remote_read(server->remote, &report);
    if (up)
        log_info("upstream %s is back", text);
    else if (server->tcp_only && report.problem[0] != '\0')
        log_warning("upstream %s is down: %s", text, report.problem);
    else
        log_warning("upstream %s is down: %d probes in a row were not answered", text, SERVER_PROBES_TO_DOWN);
    events_on_upstream(context, server, up, report.problem);
}

static void on_server_loops(void *context, const struct server *server)
{
    (void) context;
    char text[WAY_TEXT_MAX];
    log_warning("upstream %s forwards to this bywayd: what it cannot answer goes round in circles; let it ask somebody "
                "else, or take it out of upstreams",
                way_format(remote_way(server->remote), text));
}

static void on_canary_shown(void *context, struct view name)
{
    char text[NAME_TEXT_MAX];
    events_on_forged(context, name);
    log_info("canary: answered for %s: the border forges it; who is deceived by that is being looked into",
             name_format(name, text));
}

static void on_canary_blind(void *context, bool blind)
{
    const struct daemon *daemon = context;
    char                 text[ADDRESS_TEXT_MAX];
    address_format(&daemon->setup->canary->address, text);
    if (blind)
        log_warning("canary %s: answers for a name that nobody censors: port 53 is redirected, or a server listens "
                    "there; no domain is tried until that ends",
                    text);
    else
        log_info("canary %s is silent again", text);
}

/* Once an hour for each list, see policy.h. */
static void tell_complaint(const struct observation *complaint)
{
    char        list[NAME_TEXT_MAX], name[NAME_TEXT_MAX], upstream[ADDRESS_TEXT_MAX], address[INET6_ADDRSTRLEN] = "";
    const char *words = blocklist_error_words((struct view){complaint->answer, complaint->answer_len});
    inet_ntop(complaint->answer_len == 4 ? AF_INET : AF_INET6, complaint->answer, address, sizeof(address));
    log_warning("blocklist %s: error code %s%s%s%s from upstream %s for %s",
                name_format(name_view(&complaint->zone), list), address, words ? " (" : "", words ? words : "",
                words ? ")" : "", address_format(&complaint->upstream, upstream),
                name_format(name_view(&complaint->name), name));
}

static void take_observation(struct daemon *daemon, const struct observation *observation)
{
    if (observation->what == OBSERVED_COMPLAINT) {
        tell_complaint(observation);
        events_on_blocklist(daemon, observation);
    } else {
        prober_observe(daemon->prober, observation, daemon->now);
    }
}

static struct view registrable(void *context, struct view zone)
{
    return suffix_registrable(((const struct daemon *) context)->shared.suffix, zone);
}

/* Of all workers, those that are leaving and those that have ended. */
static uint64_t sum_of(const struct daemon *daemon, uint64_t (*of)(const struct counters *counters))
{
    uint64_t count = of(&daemon->ended);
    for (unsigned i = 0; i < daemon->worker_count; i++)
        count += of(worker_counters(daemon->workers[i]));
    for (unsigned i = 0; i < daemon->leaving_count; i++)
        count += of(worker_counters(daemon->leaving[i]));
    return count;
}

static uint64_t domestic_of(const struct counters *counters)
{
    uint64_t elsewhere = atomic_load(&counters->external_by_verdict) + atomic_load(&counters->external_by_outage) +
                         atomic_load(&counters->other_groups);
    uint64_t flights = atomic_load(&counters->flights); /* read last: it is counted first */
    return flights > elsewhere ? flights - elsewhere : 0;
}

static uint64_t domestic_questions(void *context) { return sum_of(context, domestic_of); }

static uint64_t traces_lost_of(const struct counters *counters) { return atomic_load(&counters->traces_lost); }

uint64_t keeper_traces_lost(const struct daemon *daemon) { return sum_of(daemon, traces_lost_of); }

static uint64_t over_quota_of(const struct counters *counters) { return atomic_load(&counters->external_over_quota); }

/* What the quota keeps from external goes on for as long as the flood does. */
static void tell_quota(struct daemon *daemon)
{
    uint64_t kept = sum_of(daemon, over_quota_of);
    if (kept == daemon->kept_from_abroad || daemon->now - daemon->kept_told < TELL_AGAIN)
        return;
    events_on_quota(daemon, kept - daemon->kept_from_abroad);
    daemon->kept_from_abroad = kept;
    daemon->kept_told        = daemon->now;
}

/* ---- the loop ---- */

/* Traces no more than found a place: while a flood goes on there are always new ones, and the loop has other things to
 * do. */
static void take_traces(struct daemon *daemon, struct worker *worker)
{
    struct traced *traced;
    unsigned       count = 0;
    while (count < WORKER_TRACES && (traced = worker_traced(worker))) {
        traces_tell(daemon, traced);
        free(traced);
        count++;
    }
    if (count == WORKER_TRACES)
        uv_async_send(&daemon->wake);
}

static void take_observations(struct daemon *daemon, struct worker *worker)
{
    struct observation observation;
    while (worker_observation(worker, &observation))
        take_observation(daemon, &observation);
    take_traces(daemon, worker);
}

void keeper_reap_workers(struct daemon *daemon, bool wait)
{
    for (unsigned i = 0; i < daemon->leaving_count;) {
        struct worker *worker = daemon->leaving[i];
        bool           ended  = wait || worker_has_ended(worker);
        take_observations(daemon, worker);
        if (!ended) {
            i++;
            continue;
        }
        daemon->leaving[i] = daemon->leaving[--daemon->leaving_count];
        daemon->ended_drops += worker_join(worker, &daemon->ended, &daemon->ended_responses);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct daemon *daemon = wake->data;
    keeper_begin(daemon);
    for (unsigned i = 0; i < daemon->worker_count; i++)
        take_observations(daemon, daemon->workers[i]);
    keeper_reap_workers(daemon, false);
}

/* Once for each time that it becomes so. */
static void tell_taints(struct daemon *daemon)
{
    const struct group *external = &daemon->setup->groups[GROUP_EXTERNAL];
    for (unsigned i = 0; i < external->count; i++) {
        struct server *server  = external->servers[i];
        bool           tainted = server_is_tainted(server, daemon->now);
        char           text[WAY_TEXT_MAX];
        if (tainted && !server->taint_told)
            log_warning(
                "upstream %s: its answers over UDP are forged on the way; it is asked over TCP, which a border reads "
                "too: use tls:// or https://",
                way_format(remote_way(server->remote), text));
        server->taint_told = tainted;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    keeper_begin(daemon);
    bool stalled      = clock_stalled(daemon->timer_due, daemon->now, &daemon->catching_up);
    daemon->timer_due = MSEC_NEVER;
    if (!stalled)
        prober_on_time(daemon->prober, daemon->now);
    cluster_on_time(daemon);
    tell_taints(daemon);
    tell_quota(daemon);
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    struct daemon *daemon = prepare->data;
    keeper_begin(daemon);
    msec_t due = msec_min(msec_min(prober_next(daemon->prober), cluster_next(daemon)), durable_on_time(daemon));
    if (due >= daemon->timer_due && daemon->timer_due > daemon->now)
        return;
    daemon->timer_due = due;
    uv_update_time(&daemon->loop);
    uv_timer_start(&daemon->timer, on_timer, (uint64_t) msec_max(due - daemon->now, 0), 0);
}

/* ---- the store ---- */

static void collect_one(void *context, struct zone *zone)
{
    if (is_kept(zone))
        write_record(context, zone, false, store_snapshot_add);
}

static void collect(void *context)
{
    struct daemon *daemon = context;
    table_each(daemon->shared.table, collect_one, daemon);
    cluster_collect(daemon);
}

static void report_store(void *context, const char *text)
{
    (void) context;
    log_warning("state: %s", text);
}

struct replay {
    struct daemon *daemon;
    struct clocks  clocks;
};

static bool replay_one(void *context, struct view record)
{
    struct replay *replay = context;
    return cluster_replay(replay->daemon, record) || record_apply(record, &replay->clocks, replay->daemon->learner);
}

static bool replay_store(struct daemon *daemon)
{
    struct replay replay = {.daemon = daemon, .clocks = clock_both()};
    size_t        records;
    char          why[STORE_WHY_MAX];
    daemon->loading = true;
    int error       = store_replay(daemon->store, replay_one, report_store, &replay, why, &records);
    daemon->loading = false;
    learner_reclaim(daemon->learner);
    if (error) {
        log_error("state: %s", why);
        return false;
    }
    struct learner_counts counts = learner_count(daemon->learner);
    log_info("state: %zu blocked or recovering zones, %zu pins",
             counts.states[ZONE_BLOCKED] + counts.states[ZONE_RECOVERING], counts.pins);
    return true;
}

/* ---- life ---- */

static struct learner_limits learner_limits(const struct settings *settings)
{
    return (struct learner_limits){.zone = {settings->recheck_first, settings->recheck_max, settings->recover_after},
                                   .max_zones = settings->max_zones};
}

static struct cache_limits cache_limits(const struct settings *settings)
{
    return (struct cache_limits){.memory = settings->cache_memory, .stale = settings->stale};
}

static struct hash_key random_key(void)
{
    struct hash_key key;
    if (getentropy(&key, sizeof(key)) != 0)
        log_warning("no entropy for the hash keys");
    return key;
}

static bool open_shared(struct daemon *daemon)
{
    const struct cache_limits limits = cache_limits(daemon->settings);
    daemon->shared.cache             = cache_create(&limits, random_key(), CACHE_SHARDS);
    daemon->shared.table             = table_create(daemon->settings->max_zones, random_key());
    daemon->shared.good              = recent_create(random_key(), RECENT_SLOTS, RECENT_LIFE);
    daemon->shared.suffix            = suffix_open();
    daemon->shared.forging           = forging_create(random_key());
    daemon->shared.claims            = claims_create(random_key());
    daemon->shared.quota             = &daemon->quota;
    daemon->shared.watched           = &daemon->watched;
    daemon->shared.client_rate       = client_rate_create(random_key());
    traces_refresh(daemon);
    external_rate_init(&daemon->quota, daemon->settings->external_qps);
    if (!daemon->shared.suffix)
        log_error("no public suffix list: install the package publicsuffix");
    if (daemon->shared.table)
        epoch_set_setup(table_epoch(daemon->shared.table), daemon->setup->serial);
    return daemon->shared.cache && daemon->shared.table && daemon->shared.good && daemon->shared.suffix &&
           daemon->shared.forging && daemon->shared.claims && daemon->shared.client_rate;
}

static bool open_logic(struct daemon *daemon)
{
    const struct learner_limits limits = learner_limits(daemon->settings);
    const struct learner_hooks  hooks  = {
          .changed = on_changed, .pin_ended = cluster_on_pin_ended, .domain = registrable, .context = daemon};
    struct prober_options options = {
        .shared  = daemon->shared,
        .setup   = daemon->setup,
        .effects = {.network = &daemon->dispatch, .send = dispatch_send, .release = dispatch_release},
        .hooks   = {.context            = daemon,
                    .server_changed     = on_server_changed,
                    .server_loops       = on_server_loops,
                    .canary_shown       = on_canary_shown,
                    .canary_blind       = on_canary_blind,
                    .domestic_questions = domestic_questions,
                    .ask_lease          = cluster_ask_lease},
    };
    uint8_t seed[RNG_SEED_BYTES];
    if (getentropy(seed, sizeof(seed)) != 0 || getentropy(options.seed, sizeof(options.seed)) != 0) {
        log_error("no entropy: %s", strerror(errno));
        return false;
    }
    daemon->learner = options.learner = learner_create(daemon->shared.table, &limits, &hooks, seed);
    daemon->prober                    = daemon->learner ? prober_create(&options) : NULL;
    daemon->dispatch                  = (struct dispatch){
                         .now = &daemon->now, .context = daemon, .on_packet = on_packet, .on_unreachable = on_unreachable};
    return daemon->prober && dispatch_open(&daemon->dispatch, &daemon->loop, prober_rng(daemon->prober),
                                           daemon->share.sockets, begin_dispatch);
}

bool keeper_open(struct daemon *daemon)
{
    keeper_begin(daemon);
    if (!open_shared(daemon) || !open_logic(daemon) || !cluster_open(daemon)) {
        log_error("cannot start: out of memory or descriptors");
        return false;
    }
    if (!replay_store(daemon))
        return false;
    int error = store_start(daemon->store, &daemon->loop, collect, report_store, daemon);
    if (error) {
        log_error("state: cannot write %s: %s", daemon->settings->state, strerror(-error));
        return false;
    }
    uv_async_init(&daemon->loop, &daemon->wake, on_wake);
    uv_timer_init(&daemon->loop, &daemon->timer);
    uv_prepare_init(&daemon->loop, &daemon->before_sleep);
    uv_prepare_start(&daemon->before_sleep, on_before_sleep);
    daemon->wake.data = daemon->timer.data = daemon->before_sleep.data = daemon;
    daemon->timer_due                                                  = MSEC_NEVER;
    day_begin(daemon);
    cluster_set_settings(daemon, true);
    return true;
}

void keeper_set_setup(struct daemon *daemon, bool cluster_changed)
{
    const struct learner_limits limits = learner_limits(daemon->settings);
    const struct cache_limits   cache  = cache_limits(daemon->settings);
    learner_set_limits(daemon->learner, &limits);
    cache_set_limits(daemon->shared.cache, &cache);
    external_rate_set_rate(&daemon->quota, daemon->settings->external_qps, daemon->now);
    prober_set_setup(daemon->prober, daemon->setup, daemon->now);
    cluster_set_settings(daemon, cluster_changed);
}

void keeper_close(struct daemon *daemon)
{
    durable_on_time(daemon); /* the control socket is closed: they go to nobody */
    prober_destroy(daemon->prober);
    daemon->prober = NULL;
    dispatch_close(&daemon->dispatch);
    if (daemon->store)
        store_close(daemon->store, CLOSE_WITHIN);
    cluster_close(daemon);
    learner_destroy(daemon->learner);
    table_destroy(daemon->shared.table);
    cache_destroy(daemon->shared.cache);
    recent_destroy(daemon->shared.good);
    forging_destroy(daemon->shared.forging);
    claims_destroy(daemon->shared.claims);
    client_rate_destroy(daemon->shared.client_rate);
    if (daemon->shared.suffix)
        suffix_close(daemon->shared.suffix);
}
