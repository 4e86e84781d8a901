/*
 * world_life.c: see world.h: how a world is made, looked at, and ended with the checks that hold in every world.
 */
#include "base/bytes.h"
#include "dns/text.h"
#include "lib/check.h"
#include "lib/world_internal.h"

#include "base/bytes.h"
#include "policy/attribution.h"
#include "policy/local.h"
#include "query/query.h"

#include <stdlib.h>

/* ---- looking ---- */

size_t world_sendings(const struct world *world) { return world->sending_count; }

const struct sending *world_sending(const struct world *world, size_t index) { return &world->sendings[index]; }

size_t world_count(const struct world *world, unsigned servers, const char *zone, unsigned by)
{
    const struct name name  = named(zone);
    size_t            count = 0;
    for (size_t i = 0; i < world->sending_count; i++) {
        const struct sending *sending = &world->sendings[i];
        count += (sending->server & servers) && (by & (sending->probe ? BY_PROBER : BY_CLIENTS)) &&
                 name_is_at_or_below(name_view(&sending->name), name_view(&name));
    }
    return count;
}

unsigned world_complaints(const struct world *world) { return world->complaints; }

const struct observation *world_complaint(const struct world *world) { return &world->complaint; }

struct verdict world_verdict(const struct world *world, const char *name, uint16_t type)
{
    const struct name asked = named(name);
    return table_find(world->shared.table, name_view(&asked), type);
}

struct zone *world_zone(const struct world *world, const char *zone, enum zone_scope scope, uint16_t type)
{
    const struct name name = named(zone);
    return table_get(world->shared.table, name_view(&name), scope, type);
}

enum zone_state world_state(const struct world *world, const char *zone)
{
    const struct zone *found = world_zone(world, zone, SCOPE_ZONE, 0);
    return found ? found->condition.state : ZONE_CLEAR;
}

size_t world_blocked(const struct world *world)
{
    struct learner_counts counts = learner_count(world->learner);
    return counts.states[ZONE_BLOCKED] + counts.states[ZONE_RECOVERING];
}

struct server *world_server(const struct world *world, unsigned server)
{
    return world->servers[__builtin_ctz(server)];
}

const struct group *world_domestic(const struct world *world) { return &world->setup->groups[SETUP_DOMESTIC]; }

struct prober       *world_prober(const struct world *world) { return world->prober; }
struct learner      *world_learner(const struct world *world) { return world->learner; }
const struct policy *world_policy(const struct world *world) { return world->setup->policy; }
struct shared        world_shared(const struct world *world) { return world->shared; }
struct engine       *world_engine(const struct world *world, unsigned worker) { return world->engines[worker]; }

void world_warm_up(struct world *world)
{
    static const char *const zones[] = {"good.example", "fine.example", "well.example"};
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        world_resolve(world, zones[i], TYPE_MX);
        world_run(world, SAMPLE_EVERY);
    }
}

void world_learn(struct world *world, const char *name, uint16_t type)
{
    world_resolve(world, name, type);
    world_run(world, 12000);
    enum zone_state state = world_verdict(world, name, type).state;
    if (state != ZONE_BLOCKED)
        fail_msg("%s was not learned but is %s", name, zone_state_words[state]);
}

void world_pin(struct world *world, const char *zone, enum pin pin, msec_t until)
{
    const struct name name = named(zone);
    assert_non_null(learner_pin(world->learner, name_view(&name), pin, until, "", world->now));
}

/* ---- life ---- */

static void destroy_setup(struct setup *setup)
{
    policy_destroy(setup->policy);
    free(setup->clients.blocks);
    free(setup->exempt.blocks);
    free(setup->forgery.blocks);
    free(setup->groups);
    free(setup);
}

static bool fill_policy(struct setup *setup, const struct world_options *options)
{
    struct rule rules[WORLD_FENCES + 1];
    size_t      count = 0;
    for (; count < WORLD_FENCES && options->fences[count].zone; count++) {
        const struct world_fence *fence = &options->fences[count];
        rules[count]                    = (struct rule){.zone     = named(fence->zone),
                                                        .via      = fence->via,
                                                        .group    = fence->group,
                                                        .or_empty = fence->or_empty,
                                                        .shipped  = fence->list || fence->or_empty,
                                                        .is_list  = fence->list};
        rules[count].refusals.count     = fence->refusal != 0;
        put_u32(rules[count].refusals.addresses[0], fence->refusal);
    }
    if (options->echo)
        rules[count++] = echo_rule(&setup->echo);
    setup->policy         = policy_create(rules, count);
    setup->clients.blocks = malloc(sizeof(struct cidr));
    setup->clients.count  = 1;
    setup->exempt.blocks  = malloc(sizeof(struct cidr));
    setup->exempt.count   = 1;
    return setup->policy && setup->clients.blocks && setup->exempt.blocks &&
           cidr_parse("127.0.0.0/8", setup->clients.blocks) && cidr_parse("127.1.0.0/16", setup->exempt.blocks);
}

static void fill_groups(const struct world *world, struct setup *setup)
{
    static const char *const names[WORLD_GROUPS] = {"domestic", "external", "office"};
    for (unsigned i = 0; i < WORLD_SERVERS; i++) {
        struct group *group = &setup->groups[world_group(i)];
        group->name         = names[world_group(i)];
        if (world->servers[i])
            group->servers[group->count++] = world->servers[i];
    }
    setup->group_count = setup->groups[GROUP_OFFICE].count ? WORLD_GROUPS : WORLD_GROUPS - 1;
}

static bool fill_forgery(struct setup *setup, uint32_t censor)
{
    if (censor == 0)
        return true;
    struct cidr *block = setup->forgery.blocks = calloc(1, sizeof(*block));
    if (!block)
        return false;
    setup->forgery.block_count = 1;
    block->bits                = 128;
    block->bytes[10] = block->bytes[11] = 0xff;
    put_u32(block->bytes + 12, censor);
    return true;
}

static struct setup *make_setup(const struct world *world, const struct world_options *options)
{
    struct setup *setup = calloc(1, sizeof(*setup));
    if (!setup)
        return NULL;
    setup->references       = 1;
    setup->destroy          = destroy_setup;
    setup->serial           = world->setup ? world->setup->serial + 1 : 1;
    setup->fall_on_timeout  = !options->not_on_timeout;
    setup->fall_on_servfail = !options->not_on_servfail;
    setup->fall_on_refused  = !options->not_on_refused;
    setup->fall_on_forged   = !options->not_on_forged;
    setup->fall_on_nxdomain = options->on_nxdomain;
    setup->patience         = options->patience;
    setup->deadline         = options->deadline ? options->deadline : 4500;
    setup->learning         = options->learning;
    setup->max_ttl          = 86400;
    setup->negative_max_ttl = 3600;
    setup->pass_list_errors = options->pass_list_errors;
    setup->client_qps       = options->client_qps;
    setup->recheck_share    = options->recheck_share ? options->recheck_share : 100;
    setup->groups           = calloc(WORLD_GROUPS, sizeof(*setup->groups));
    setup->canary           = options->canary ? world->servers[WORLD_CANARY] : NULL;
    setup->wait             = options->wait ? options->wait : 250;
    if (options->echo)
        setup->echo = world->echo;
    if (setup->groups && fill_policy(setup, options) && fill_forgery(setup, options->censor)) {
        fill_groups(world, setup);
        return setup;
    }
    destroy_setup(setup);
    return NULL;
}

static bool make_servers(struct world *world)
{
    const unsigned counts[WORLD_GROUPS] = {world->options.domestic, world->options.external, world->options.office};
    for (unsigned i = 0; i < WORLD_SERVERS; i++) {
        struct server_options options = {.tcp_only = world->options.tcp_only & 1u << i,
                                         .trusted  = world->options.trusted & 1u << i,
                                         .mix_case = world->options.mix_case & 1u << i,
                                         .key      = {i, world->options.seed}};
        char                  text[]  = "192.0.2.1";
        if (i % WORLD_GROUP_BITS >= counts[world_group(i)])
            continue;
        text[6] = (char) ('1' + world_group(i));
        text[8] = (char) ('1' + i % WORLD_GROUP_BITS);
        if (!address_parse(text, 53, &options.address) || !(world->servers[i] = server_create(&options)))
            return false;
    }
    struct server_options canary = {.key = {WORLD_CANARY, world->options.seed}};
    return address_parse("192.0.2.99", 53, &canary.address) &&
           (world->servers[WORLD_CANARY] = server_create(&canary)) != NULL;
}

/* What no event may do to the table. */
static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    struct world *world = context;
    char          text[NAME_TEXT_MAX];
    (void) from;
    world_journal_note(world, zone, removed);
    struct learner_counts counts = learner_count(world->learner);
    if (counts.states[ZONE_BLOCKED] + counts.states[ZONE_RECOVERING] > world_learner_limits(world).max_zones)
        fail_msg("more zones than may be: %s", zone_why_words[why]);
    if (counts.states[ZONE_SUSPECT] + counts.states[ZONE_BROKEN] > LIMIT_SUSPECTS)
        fail_msg("more unconfirmed zones than may be: %s", zone_why_words[why]);
    if (zone->condition.state == ZONE_CLEAR && !zone->proved)
        return;
    if (zone->scope == SCOPE_ZONE && zone->pin == PIN_NONE && !suffix_learnable(world->shared.suffix, zone_name(zone)))
        fail_msg("the public suffix %s was learned: %s", name_format(zone_name(zone), text), zone_why_words[why]);
    if (zone->scope == SCOPE_ZONE && zone->pin == PIN_NONE &&
        !attribution_is_open(world->setup->policy, zone_name(zone)))
        fail_msg("%s is fenced and was learned: %s", name_format(zone_name(zone), text), zone_why_words[why]);
}

static void on_probed(void *context, void *cookie, const struct study *study)
{
    (void) context;
    *(struct study_result *) cookie = study->result;
}

void world_probe(struct world *world, struct view zone, struct study_result *ret)
{
    assert_true(prober_probe(world->prober, zone, on_probed, ret, world->now));
}

/* As server/keeper counts them. */
static uint64_t domestic_questions(void *context)
{
    const struct world *world = context;
    uint64_t            count = 0;
    for (unsigned i = 0; i < world->options.workers && world->engines[i]; i++) {
        const struct counters *counters = engine_counters(world->engines[i]);
        count += atomic_load(&counters->flights) - atomic_load(&counters->external_by_verdict) -
                 atomic_load(&counters->external_by_outage) - atomic_load(&counters->other_groups);
    }
    return count;
}

static bool ask_lease(void *context, const struct zone *zone)
{
    const struct world_options *options = &((const struct world *) context)->options;
    return options->ask_lease && options->ask_lease(options->lessor, zone);
}

static uint32_t external_qps(const struct world_options *options)
{
    return options->external_qps ? options->external_qps : 1000;
}

struct learner_limits world_learner_limits(const struct world *world)
{
    return (struct learner_limits){
        .zone      = {.recheck_first = world->options.recheck_first ? world->options.recheck_first : 600000,
                      .recheck_max   = world->options.recheck_max ? world->options.recheck_max : 86400000,
                      .recover_after = world->options.recover_after ? world->options.recover_after : 2},
        .max_zones = world->options.max_zones ? world->options.max_zones : 1000,
    };
}

static struct view registrable(void *context, struct view zone)
{
    return suffix_registrable(((const struct world *) context)->shared.suffix, zone);
}

static bool make_shared(struct world *world)
{
    const struct cache_limits   limits   = {.memory = 8 << 20, .stale = 86400};
    const struct hash_key       key      = {rng_u64(&world->rng), rng_u64(&world->rng)};
    const struct learner_limits learning = world_learner_limits(world);
    const struct learner_hooks  hooks    = {.changed = on_changed, .domain = registrable, .context = world};
    uint8_t                     seed[RNG_SEED_BYTES];
    rng_fill(&world->rng, seed, sizeof(seed));
    world->shared = (struct shared){.cache       = cache_create(&limits, key, 4),
                                    .table       = table_create(1024, key),
                                    .good        = recent_create(key, RECENT_SLOTS, RECENT_LIFE),
                                    .suffix      = suffix_open(),
                                    .forging     = forging_create(key),
                                    .claims      = world->options.workers > 1 ? claims_create(key) : NULL,
                                    .client_rate = world->options.client_qps ? client_rate_create(key) : NULL,
                                    .quota       = &world->quota};
    external_rate_init(&world->quota, external_qps(&world->options));
    if (world->shared.table)
        epoch_set_setup(table_epoch(world->shared.table), world->setup->serial);
    return (world->shared.claims || world->options.workers == 1) && world->shared.cache && world->shared.table &&
           world->shared.good && world->shared.suffix && world->shared.forging &&
           (world->shared.client_rate || !world->options.client_qps) &&
           (world->learner = learner_create(world->shared.table, &learning, &hooks, seed));
}

static bool make_logic(struct world *world)
{
    for (unsigned i = 0; i <= WORLD_WORKERS; i++)
        world->drivers[i] = (struct driver){.world = world, .by = i < WORLD_WORKERS ? (int) i : -1};
    struct prober_options prober = {
        .shared  = world->shared,
        .setup   = world->setup,
        .effects = {.network = &world->drivers[WORLD_WORKERS],
                    .send    = world_effect_send,
                    .release = world_effect_release},
        .learner = world->learner,
        .hooks   = {.context = world, .domestic_questions = domestic_questions, .ask_lease = ask_lease},
    };
    rng_fill(&world->rng, prober.seed, sizeof(prober.seed));
    if (!(world->prober = prober_create(&prober)))
        return false;
    for (unsigned i = 0; i < world->options.workers; i++) {
        struct engine_options engine = {
            .shared  = world->shared,
            .reader  = i,
            .setup   = world->setup,
            .effects = {&world->drivers[i], world_effect_send, world_effect_release, &world->drivers[i],
                        world_effect_answer, world_effect_observe},
        };
        rng_fill(&world->rng, engine.seed, sizeof(engine.seed));
        if (!(world->engines[i] = engine_create(&engine)))
            return false;
    }
    return true;
}

static void destroy(struct world *world)
{
    prober_destroy(world->prober);
    for (unsigned i = 0; i < WORLD_WORKERS; i++)
        engine_destroy(world->engines[i]);
    learner_destroy(world->learner);
    cache_destroy(world->shared.cache);
    table_destroy(world->shared.table);
    recent_destroy(world->shared.good);
    forging_destroy(world->shared.forging);
    suffix_close(world->shared.suffix);
    claims_destroy(world->shared.claims);
    client_rate_destroy(world->shared.client_rate);
    setup_drop(world->setup);
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        server_destroy(world->servers[i]);
    free(world);
}

struct world *world_create(const struct world_options *options)
{
    struct world *world                = calloc(1, sizeof(*world));
    uint8_t       seed[RNG_SEED_BYTES] = {0};
    if (!world)
        return NULL;
    world->agenda.items = world->items;
    world->now          = WORLD_BEGIN;
    world->options      = *options;
    if (!options->workers)
        world->options.workers = 1;
    if (!options->domestic)
        world->options.domestic = 2;
    if (!options->external)
        world->options.external = 2;
    put_u64(seed, options->seed);
    rng_init(&world->rng, seed);
    if (options->echo)
        echo_draw(&world->echo, &world->rng);
    if (make_servers(world) && (world->setup = make_setup(world, options)) && make_shared(world) && make_logic(world))
        return world;
    destroy(world);
    return NULL;
}

void world_reload_keeper(struct world *world, const struct world_options *options)
{
    struct setup *before_it = world->setup;
    struct setup *setup     = make_setup(world, options);
    assert_non_null(setup);
    world->setup = setup;
    epoch_set_setup(table_epoch(world->shared.table), setup->serial);
    prober_set_setup(world->prober, setup, world->now);
    external_rate_set_rate(&world->quota, external_qps(options), world->now);
    setup_drop(before_it);
}

void world_reload_workers(struct world *world)
{
    for (unsigned i = 0; i < world->options.workers; i++)
        engine_set_setup(world->engines[i], world->setup);
}

void world_reload(struct world *world, const struct world_options *options)
{
    world_reload_keeper(world, options);
    world_reload_workers(world);
}

static void check_answers(const struct world *world)
{
    for (size_t i = 0; i < world->ask_count; i++) {
        const struct ask *ask = &world->asks[i];
        if (ask->answers != 1)
            fail_msg("question %zu was answered %u times", i, ask->answers);
        if (ask->answered > ask->deadline + 1)
            fail_msg("question %zu was answered %d ms after its deadline", i, (int) (ask->answered - ask->deadline));
    }
}

/* Every query has one end, and one counter of it. */
static void check_accounts(const struct world *world)
{
    for (unsigned i = 0; i < world->options.workers; i++) {
        const struct counters *c = engine_counters(world->engines[i]);
        uint64_t ends            = c->dropped + c->rate_limited + c->malformed + c->refused + c->local + c->cache_hits +
                        c->cache_failures + c->cache_stale + c->answered + c->servfail + c->overload;
        if (c->queries != ends)
            fail_msg("%llu queries and %llu ends", (unsigned long long) c->queries, (unsigned long long) ends);
    }
}

static void tally(void *context, struct zone *zone)
{
    struct learner_counts *counts = context;
    counts->states[zone->condition.state]++;
    counts->pins += zone->pin != PIN_NONE;
    counts->proved += zone->proved;
}

/* The caps are kept by counting: what the learner counted must be what is there. */
static void check_counts(const struct world *world)
{
    struct learner_counts counts = learner_count(world->learner), found = {0};
    table_each(world->shared.table, tally, &found);
    for (size_t i = 0; i < ZONE_STATE_COUNT; i++)
        if (counts.states[i] != found.states[i])
            fail_msg("%zu zones are %s, and %zu were counted", found.states[i], zone_state_words[i], counts.states[i]);
    if (counts.pins != found.pins || counts.proved != found.proved)
        fail_msg("pins or proved zones were miscounted");
}

void world_end(struct world *world)
{
    for (unsigned i = 0; i < world->options.workers; i++) {
        engine_cancel(world->engines[i], world->now);
        assert_int_equal(engine_flights(world->engines[i]), 0);
    }
    check_answers(world);
    check_accounts(world);
    check_counts(world);
    world_journal_check(world);
    prober_destroy(world->prober);
    world->prober = NULL;
    assert_int_equal(world->open, 0);
    assert_int_equal(atomic_load(&world->setup->references), 1 + world->options.workers);
    destroy(world);
}
