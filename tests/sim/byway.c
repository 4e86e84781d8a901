/*
 * byway.c: the strategy under test: the real engine, prober and learner, driven through their effects. The keeper's
 * look at the upstreams' health every 100 ms is left out while nothing is going on: 26 million looks in a month that
 * find nothing.
 */
#include "base/bytes.h"
#include "probe/prober.h"
#include "query/engine.h"
#include "query/query.h"
#include "sim/sim.h"

#include "dns/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICKETS   = 4096,
    SERVERS   = 4, /* two domestic, two external */
    CANARY    = SERVERS,
    OBSERVING = 64,
    QUIET     = 10 * 1000 /* ms without an event, after which nothing can be going on */
};

struct ticket {
    struct exchange *exchange;
    enum transport   transport;
    bool             probe, open;
    uint32_t         turn; /* its uses so far */
};

struct driver {
    struct byway *byway;
    bool          probe;
};

struct pending { /* a reply on its way */
    uint32_t  ticket, turn;
    enum says says;
};

struct
try { /* the canary's last attempt */
    uint64_t name;
    unsigned lost;   /* of two datagrams */
    msec_t   missed; /* when both were; 0: never */
};

struct byway {
    struct sim        *sim;
    struct shared      shared;
    struct setup      *setup;
    struct server     *servers[SERVERS + 1];
    struct resolver   *resolvers[SERVERS];
    struct learner    *learner;
    struct prober     *prober;
    struct engine     *engine;
    struct driver      drivers[2];
    struct ticket      tickets[TICKETS];
    uint32_t           free[TICKETS], free_count;
    struct observation observed[OBSERVING];
    unsigned           observed_count;
    msec_t             last_event;
    struct held       *held;  /* by zone */
    struct try        *tries; /* the same */
    uint8_t            out[LIMIT_TCP_MESSAGE];
};

/* ---- the network ---- */

static void arrive(struct sim *sim, void *context, uint64_t number);

static unsigned place_of(const struct byway *byway, const struct server *server)
{
    unsigned place = 0;
    while (byway->servers[place] != server)
        place++;
    return place;
}

static void note_sent(struct byway *byway, const struct driver *driver, const struct exchange *exchange, unsigned place,
                      struct says_at says)
{
    struct score *score    = &byway->sim->score;
    bool          external = place >= 2;
    if (place == CANARY)
        return;
    if (driver->probe) {
        score->own_packets += !external;
        return;
    }
    score->domestic_packets += !external;
    struct lookup *lookup = traffic_find(&exchange->inquiry->name, exchange->inquiry->type);
    if (!lookup)
        return;
    if (external) {
        if (!lookup->asked_external)
            lookup->external_wait = byway->sim->now - lookup->asked;
        lookup->asked_external = 1;
    } else if (!lookup->asked_domestic) {
        lookup->asked_domestic = 1;
        lookup->domestic_took  = says.says == SAYS_ANSWER ? says.after : -1;
    }
}

static struct says_at ask_canary(struct byway *byway, const struct subject *subject)
{
    struct sim *sim = byway->sim;
    struct try *try = &byway->tries[subject->zone];
    if (!truth_censored(sim->truth, subject->zone))
        return (struct says_at){SAYS_NOTHING, 0};
    bool   lost  = sim_chance(sim) < 0.02;
    msec_t after = 10 + (msec_t) (40 * sim_chance(sim));
    try->lost    = lost ? (try->name == subject->name ? try->lost + 1 : 1) : 0;
    try->name    = subject->name;
    if (try->lost == 2)
        try->missed = sim->now;
    return (struct says_at){lost ? SAYS_NOTHING : SAYS_FORGED, after};
}

static bool effect_send(void *context, struct exchange *exchange, struct view query)
{
    struct driver *driver = context;
    struct byway  *byway  = driver->byway;
    struct message question;
    struct subject subject;
    if (!message_parse(query, &question))
        abort();
    enum transport transport = exchange->transport;
    if (!exchange->tickets[transport]) {
        if (byway->free_count == 0)
            return false;
        struct ticket *ticket        = &byway->tickets[byway->free[--byway->free_count]];
        *ticket                      = (struct ticket){.exchange  = exchange,
                                                       .transport = transport,
                                                       .probe     = driver->probe,
                                                       .open      = true,
                                                       .turn      = ticket->turn + 1};
        exchange->tickets[transport] = ticket;
    }
    struct ticket *ticket = exchange->tickets[transport];
    unsigned       place  = place_of(byway, exchange->server);
    truth_subject(byway->sim->truth, question.question.name, question.question.type, &subject);
    struct says_at says = place == CANARY ? ask_canary(byway, &subject)
                                          : resolver_ask(byway->resolvers[place], &subject, byway->sim->now);
    if (byway->sim->options.forging && place < 2 && sim_chance(byway->sim) < 0.02)
        says.says = SAYS_NOTHING;
    if (question.question.name.len == 1 && place < 2 && truth_outage(byway->sim->truth, OUTAGE_ROOT, byway->sim->now))
        says.says = SAYS_NOTHING;
    note_sent(byway, driver, exchange, place, says);
    if (says.says != SAYS_NOTHING && says.after < 12000)
        sim_at(byway->sim, byway->sim->now + says.after, arrive, byway,
               (uint64_t) (ticket - byway->tickets) << 40 | (uint64_t) (ticket->turn & 0xffffffff) << 8 | says.says);
    return true;
}

static void effect_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct byway  *byway             = ((struct driver *) context)->byway;
    struct ticket *ticket            = exchange->tickets[transport];
    ticket->open                     = false;
    exchange->tickets[transport]     = NULL;
    byway->free[byway->free_count++] = (uint32_t) (ticket - byway->tickets);
}

static void effect_observe(void *context, const struct observation *observation)
{
    struct byway *byway = ((struct driver *) context)->byway;
    if (byway->observed_count < OBSERVING)
        byway->observed[byway->observed_count++] = *observation;
}

static bool is_forged(const struct message *answer)
{
    struct record record = {0};
    bool          any    = false;
    while (message_next(answer, &record)) {
        any |= record.section != SECTION_ADDITIONAL;
        if (record.type == TYPE_A && get_u32(record.data.data) == SIM_STRANGER)
            return true;
    }
    return !any && answer->rcode == RCODE_NOERROR;
}

static void note_forged(struct byway *byway, const struct lookup *lookup, const struct message *answer)
{
    struct sim       *sim = byway->sim;
    const struct try *try = &byway->tries[lookup->subject.zone];
    if (sim->over || !is_forged(answer))
        return;
    bool missed = try->missed && sim->now - try->missed < FORGING_SILENT_LIFE;
    sim->score.forged += !missed;
    sim->score.forged_missed += missed;
    if (!missed && sim->options.trace)
        fprintf(stderr, "%lld forged: zone %u type %u took %lld asked d%u e%u\n", (long long) sim->now,
                lookup->subject.zone, lookup->subject.type, (long long) (sim->now - lookup->asked),
                lookup->asked_domestic, lookup->asked_external);
}

static void answered(struct byway *byway, struct lookup *lookup, struct view wire)
{
    struct message answer;
    if (!message_parse(wire, &answer))
        abort();
    note_forged(byway, lookup, &answer);
    sim_answered(byway->sim, lookup, answer.rcode == RCODE_NOERROR || answer.rcode == RCODE_NXDOMAIN);
}

static void effect_answer(void *context, const struct path *path, struct view answer)
{
    answered(((struct driver *) context)->byway, path->endpoint, answer);
}

/* The worker's ring, emptied when nobody is in the logic. */
static void pass_on(struct byway *byway)
{
    for (unsigned i = 0; i < byway->observed_count; i++) {
        struct observation observation = byway->observed[i];
        prober_observe(byway->prober, &observation, byway->sim->now);
    }
    byway->observed_count = 0;
    learner_reclaim(byway->learner);
}

static void arrive(struct sim *sim, void *context, uint64_t number)
{
    struct byway  *byway  = context;
    struct ticket *ticket = &byway->tickets[number >> 40];
    byway->last_event     = sim->now;
    if (!ticket->open || ticket->turn != (uint32_t) (number >> 8))
        return;
    uint8_t        wire[QUERY_MAX], reply[SIM_REPLY_MAX];
    struct message question;
    struct subject subject;
    if (!message_parse((struct view){wire, exchange_write(ticket->exchange, wire)}, &question))
        abort();
    truth_subject(sim->truth, question.question.name, question.question.type, &subject);
    size_t      len    = reply_write(sim->truth, &question, &subject, (enum says)(number & 0xff), reply);
    struct view packet = {reply, len};
    if (ticket->probe)
        prober_on_packet(byway->prober, ticket->exchange, ticket->transport, packet, sim->now);
    else
        engine_on_packet(byway->engine, ticket->exchange, ticket->transport, packet, sim->now);
    pass_on(byway);
}

/* ---- what is learned, beside the truth ---- */

static double hours(msec_t ms) { return (double) ms / 3600000; }

static void end_hold(struct byway *byway, uint32_t zone, bool recovered)
{
    struct sim   *sim   = byway->sim;
    struct held  *held  = &byway->held[zone];
    struct score *score = &sim->score;
    msec_t        end   = truth_block_end(sim->truth, zone, sim->now);
    held->listed        = false;
    if (!held->truly) {
        score->false_hours += hours(sim->now - held->from);
        return;
    }
    if (end > sim->now || end < held->from)
        end = sim->now;
    score->blocked_hours += hours(end - held->from);
    score->lag_hours += hours(sim->now - end);
    if (recovered)
        sim->first_failed[zone] = 0;
    sim->seen[zone] = 0;
}

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    struct byway  *byway = context;
    struct sim    *sim   = byway->sim;
    struct subject subject;
    if (zone->scope != SCOPE_ZONE)
        return;
    truth_subject(sim->truth, zone_name(zone), TYPE_SOA, &subject);
    struct held *held = &byway->held[subject.zone];
    if (zone->condition.interval > 0)
        held->interval = zone->condition.interval;
    if (zone->condition.state == ZONE_RECOVERING)
        held->found = sim->now;
    bool is = !removed && (zone->condition.state == ZONE_BLOCKED || zone->condition.state == ZONE_RECOVERING);
    if (is && !held->listed) {
        bool truly = truth_zone_blocked(sim->truth, subject.zone, sim->now);
        *held      = (struct held){
                 .from = sim->now, .listed = true, .truly = truly, .interval = msec_max(zone->condition.interval, 1)};
        sim->score.learned++;
        sim->score.false_holds += !truly;
        sim->score.false_healthy += !truly && truth_kind(sim->truth, subject.zone) != KIND_LOSSY;
        if (truly && sim->first_failed[subject.zone])
            score_sample(&sim->score.learn, &sim->score.learn_count, &sim->score.learn_cap,
                         sim->now - sim->first_failed[subject.zone]);
        if (!truly && sim->options.trace) {
            char text[NAME_TEXT_MAX];
            fprintf(stderr, "%lld false: %s kind %s: %s\n", (long long) sim->now, name_format(zone_name(zone), text),
                    kind_words[truth_kind(sim->truth, subject.zone)], zone_why_words[why]);
        }
    } else if (!is && held->listed) {
        bool   recovered = from == ZONE_RECOVERING;
        msec_t end       = truth_block_end(sim->truth, subject.zone, sim->now);
        msec_t used      = atomic_load(&zone->last_used);
        if (recovered && held->truly && end <= sim->now && end > held->from && used >= end)
            score_sample(&sim->score.recover, &sim->score.recover_count, &sim->score.recover_cap,
                         msec_max(held->found - end, 0) * 1000 / held->interval);
        end_hold(byway, subject.zone, recovered);
    }
}

static void count_zones(struct sim *sim, void *context, uint64_t number)
{
    const struct byway *byway = context;
    struct score       *score = &sim->score;
    if (score->hour_count < ARRAY_LEN(score->hours)) {
        struct hour *hour = &score->hours[score->hour_count++];
        for (uint32_t zone = 0; zone < truth_zones(sim->truth); zone++) {
            bool held = byway->held[zone].listed;
            if (!held && !sim->first_failed[zone])
                continue;
            bool blocked = truth_zone_blocked(sim->truth, zone, sim->now);
            hour->met += blocked && sim->first_failed[zone];
            hour->held += held;
            hour->over += held && !blocked;
        }
    }
    sim_at(sim, sim->now + 3600 * 1000, count_zones, context, number);
}

/* ---- life ---- */

static void destroy_setup(struct setup *setup)
{
    policy_destroy(setup->policy);
    free(setup->clients.blocks);
    free(setup->groups);
    free(setup);
}

static struct setup *make_setup(struct byway *byway)
{
    struct setup *setup = calloc(1, sizeof(*setup));
    struct rule   fence = {.via = VIA_GROUP, .group = SETUP_DOMESTIC};
    truth_apex(byway->sim->truth, truth_blocklist(byway->sim->truth), &fence.zone);
    *setup                = (struct setup){.references       = 1,
                                           .destroy          = destroy_setup,
                                           .serial           = 1,
                                           .fall_on_timeout  = true,
                                           .fall_on_servfail = true,
                                           .fall_on_refused  = true,
                                           .fall_on_forged   = true,
                                           .deadline         = 4500,
                                           .learning         = SETUP_LEARN,
                                           .max_ttl          = 86400,
                                           .negative_max_ttl = 3600,
                                           .recheck_share    = 100,
                                           .group_count      = 2};
    setup->groups         = calloc(2, sizeof(*setup->groups));
    setup->policy         = policy_create(&fence, 1);
    setup->clients.blocks = malloc(sizeof(struct cidr));
    setup->clients.count  = 1;
    cidr_parse("127.0.0.0/8", setup->clients.blocks);
    for (unsigned i = 0; i <= CANARY; i++) {
        struct server_options options = {.address = {.len = 0}};
        char                  text[]  = "192.0.2.1";
        text[8]                       = (char) ('1' + i);
        address_parse(text, 53, &options.address);
        byway->servers[i] = server_create(&options);
        if (i == CANARY)
            break;
        struct group *group            = &setup->groups[i / 2];
        group->name                    = i < 2 ? "domestic" : "external";
        group->servers[group->count++] = byway->servers[i];
    }
    setup->canary = byway->sim->options.forging ? byway->servers[CANARY] : NULL;
    setup->wait   = 250;
    return setup;
}

static uint64_t domestic_questions(void *context)
{
    struct counters *counters = engine_counters(((struct byway *) context)->engine);
    return atomic_load(&counters->flights) - atomic_load(&counters->external_by_verdict) -
           atomic_load(&counters->external_by_outage);
}

static struct view registrable(void *context, struct view zone)
{
    return suffix_registrable(((const struct byway *) context)->shared.suffix, zone);
}

static void *open_byway(struct sim *sim)
{
    struct byway               *byway  = calloc(1, sizeof(*byway));
    const struct cache_limits   cache  = {.memory = 64 << 20, .stale = 86400};
    const struct hash_key       key    = {sim->options.seed, 7};
    const struct learner_limits limits = {
        .zone = {.recheck_first = 600000, .recheck_max = 86400000, .recover_after = 2}, .max_zones = 100000};
    const struct learner_hooks hooks                = {.changed = on_changed, .domain = registrable, .context = byway};
    uint8_t                    seed[RNG_SEED_BYTES] = {(uint8_t) sim->options.seed, 1};
    byway->sim                                      = sim;
    byway->held                                     = calloc(truth_zones(sim->truth), sizeof(*byway->held));
    byway->tries                                    = calloc(truth_zones(sim->truth), sizeof(*byway->tries));
    byway->free_count                               = TICKETS;
    for (uint32_t i = 0; i < TICKETS; i++)
        byway->free[i] = i;
    byway->shared  = (struct shared){.cache   = cache_create(&cache, key, 4),
                                     .table   = table_create(100000, key),
                                     .good    = recent_create(key, RECENT_SLOTS, RECENT_LIFE),
                                     .suffix  = suffix_open(),
                                     .forging = forging_create(key)};
    byway->learner = learner_create(byway->shared.table, &limits, &hooks, seed);
    byway->setup   = make_setup(byway);
    epoch_set_setup(table_epoch(byway->shared.table), byway->setup->serial);
    for (unsigned i = 0; i < SERVERS; i++)
        byway->resolvers[i] = resolver_create(sim->truth, i >= 2, i % 2, sim->options.seed);
    for (unsigned i = 0; i < 2; i++)
        byway->drivers[i] = (struct driver){.byway = byway, .probe = i == 1};
    struct prober_options prober = {
        .shared  = byway->shared,
        .setup   = byway->setup,
        .effects = {.network = &byway->drivers[1], .send = effect_send, .release = effect_release},
        .learner = byway->learner,
        .hooks   = {.context = byway, .domestic_questions = domestic_questions},
        .seed    = {(uint8_t) sim->options.seed, 2}};
    struct engine_options engine = {
        .shared  = byway->shared,
        .setup   = byway->setup,
        .effects = {&byway->drivers[0], effect_send, effect_release, &byway->drivers[0], effect_answer, effect_observe},
        .seed    = {(uint8_t) sim->options.seed, 3}};
    byway->engine = engine_create(&engine);
    byway->prober = prober_create(&prober);
    sim_at(sim, sim->now, count_zones, byway, 0);
    return byway;
}

static void ask_byway(struct sim *sim, void *self, struct lookup *lookup)
{
    struct byway *byway     = self;
    uint8_t       wire[512] = {0};
    size_t        len       = 12 + lookup->name.len + 4;
    struct path   path      = {.endpoint = lookup};
    byway->last_event       = sim->now;
    wire[1] = 1, wire[2] = 1, wire[5] = 1;
    memcpy(wire + 12, lookup->name.wire, lookup->name.len);
    wire[len - 3] = (uint8_t) lookup->subject.type;
    wire[len - 1] = CLASS_IN;
    if (!address_parse("127.0.0.1", 1000, &path.peer))
        abort();
    size_t got =
        engine_receive(byway->engine, (struct view){wire, len}, &path, false, sim->now, byway->out, sizeof(byway->out));
    if (got)
        answered(byway, lookup, (struct view){byway->out, got});
    pass_on(byway);
}

/* When nothing goes on the prober is woken for rechecks and ends only. */
static msec_t next_byway(void *self)
{
    struct byway *byway = self;
    msec_t        quiet = msec_min(learner_next_end(byway->learner), learner_next_recheck(byway->learner));
    bool          idle  = byway->sim->now - byway->last_event > QUIET;
    msec_t        probe = prober_next(byway->prober);
    return msec_min(engine_next(byway->engine), idle ? msec_max(probe, quiet) : probe);
}

static void on_time_byway(void *self, msec_t now)
{
    struct byway *byway = self;
    if (engine_next(byway->engine) <= now)
        engine_on_time(byway->engine, now);
    if (learner_next_recheck(byway->learner) <= now)
        byway->last_event = now;
    if (prober_next(byway->prober) <= now)
        prober_on_time(byway->prober, now);
    pass_on(byway);
}

static void close_byway(struct sim *sim, void *self)
{
    struct byway *byway = self;
    engine_cancel(byway->engine, sim->now);
    for (uint32_t zone = 0; zone < truth_zones(sim->truth); zone++)
        if (byway->held[zone].listed)
            end_hold(byway, zone, false);
    sim->score.rechecks = prober_read_stats(byway->prober)->rechecks;
    prober_destroy(byway->prober);
    engine_destroy(byway->engine);
    learner_destroy(byway->learner);
    cache_destroy(byway->shared.cache);
    table_destroy(byway->shared.table);
    recent_destroy(byway->shared.good);
    forging_destroy(byway->shared.forging);
    suffix_close(byway->shared.suffix);
    setup_drop(byway->setup);
    for (unsigned i = 0; i < SERVERS; i++) {
        server_destroy(byway->servers[i]);
        resolver_destroy(byway->resolvers[i]);
    }
    server_destroy(byway->servers[CANARY]);
    free(byway->held);
    free(byway->tries);
    free(byway);
}

const struct strategy strategy_byway = {"byway", open_byway, ask_byway, next_byway, on_time_byway, close_byway};
