/*
 * world.c: see world.h. All its memory is taken in world_create(), so that a failing heap fails the logic alone.
 */
#include "lib/world.h"

#include "base/bytes.h"
#include "dns/text.h"
#include "lib/world_reply.h"
#include "query/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    WORLD_WORKERS   = 4,
    WORLD_SERVERS   = 24,
    WORLD_SAYINGS   = 256,
    WORLD_CUTS      = 64,
    WORLD_EVENTS    = 8192,
    WORLD_TICKETS   = 8192,
    WORLD_SENDINGS  = 60000,
    WORLD_ASKS      = 6000,
    WORLD_BEGIN     = 1000000, /* ms: times of the logic are never near 0 */
    OBSERVE_DELAY   = 1,
    SEARCH_BACK     = 11000, /* ms: a query lives 10 s */
    TIMES_IN_SECOND = 2000,  /* wake-ups of one engine or prober; more is a busy loop */
};

enum event_kind {
    EVENT_PACKET,
    EVENT_UNREACHABLE,
    EVENT_OBSERVATION
};

struct ticket {
    bool             open;
    uint32_t         number; /* of its use: an event of an earlier one is void */
    struct exchange *exchange;
    int              by; /* worker; -1: the prober */
};

struct event {
    msec_t          at;
    uint64_t        order;
    enum event_kind kind;
    struct ticket  *ticket;
    uint32_t        number;
    size_t          len;
    union {
        uint8_t            bytes[WORLD_REPLY_MAX];
        struct observation observation;
    };
};

struct saying {
    unsigned      servers;
    struct name   zone;
    struct manner manner;
};

struct alias {
    struct name name, target;
};

struct driver { /* context of one engine's or the prober's effects */
    struct world *world;
    int           by;
    msec_t        second; /* wake-ups are counted in it */
    unsigned      wakes;
};

struct world {
    msec_t               now;
    struct rng           rng;
    struct world_options options;
    struct shared        shared;
    struct setup        *setup;
    struct server       *servers[WORLD_SERVERS];
    struct learner      *learner;
    struct prober       *prober;
    struct driver        drivers[WORLD_WORKERS + 1];
    struct engine       *engines[WORLD_WORKERS];
    uint64_t             order;
    size_t               event_count, say_count, cut_count, alias_count, ask_count, sending_count, open;
    struct event        *heap[WORLD_EVENTS], *spare[WORLD_EVENTS];
    struct event         events[WORLD_EVENTS];
    struct ticket        tickets[WORLD_TICKETS];
    struct saying        sayings[WORLD_SAYINGS];
    struct name          cuts[WORLD_CUTS];
    struct alias         aliases[WORLD_CUTS];
    struct ask           asks[WORLD_ASKS];
    struct sending       sendings[WORLD_SENDINGS];
    uint8_t              out[LIMIT_TCP_MESSAGE];
};

static struct name named(const char *text)
{
    struct name name;
    if (!name_parse(*text ? text : ".", &name))
        fail_msg("not a name: %s", text);
    return name;
}

uint32_t world_random(struct world *world, uint32_t bound) { return rng_below(&world->rng, bound); }

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_swap(struct world *world, size_t a, size_t b)
{
    struct event *event = world->heap[a];
    world->heap[a]      = world->heap[b];
    world->heap[b]      = event;
}

static struct event *event_add(struct world *world, enum event_kind kind, msec_t at)
{
    size_t i = world->event_count++;
    if (i >= WORLD_EVENTS)
        fail_msg("too many events");
    struct event *event = world->spare[i] ? world->spare[i] : &world->events[i];
    event->kind         = kind;
    event->at           = at;
    event->order        = world->order++;
    event->len          = 0;
    world->heap[i]      = event;
    for (; i > 0 && before(world->heap[i], world->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(world, i, (i - 1) / 2);
    return event;
}

/* The event stays readable until the next event_add(). */
static struct event *event_take(struct world *world)
{
    struct event *first = world->heap[0];
    size_t        count = --world->event_count;
    world->heap[0]      = world->heap[count];
    world->spare[count] = first;
    for (size_t i = 0, child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && before(world->heap[child + 1], world->heap[child]))
            child++;
        if (!before(world->heap[child], world->heap[i]))
            break;
        heap_swap(world, i, child);
    }
    return first;
}

/* ---- servers ---- */

static unsigned group_index(unsigned place) { return place / WORLD_GROUP_BITS; }

static unsigned place_of(const struct world *world, const struct server *server)
{
    for (unsigned i = 0; i < WORLD_SERVERS; i++)
        if (world->servers[i] == server)
            return i;
    fail_msg("a server that is not of this world");
    return 0;
}

void world_say(struct world *world, unsigned servers, const char *zone, struct manner manner)
{
    if (world->say_count == WORLD_SAYINGS)
        fail_msg("too much was said");
    world->sayings[world->say_count++] = (struct saying){.servers = servers, .zone = named(zone), .manner = manner};
}

void world_cut(struct world *world, const char *zone) { world->cuts[world->cut_count++] = named(zone); }

void world_alias(struct world *world, const char *name, const char *target)
{
    world->aliases[world->alias_count++] = (struct alias){named(name), named(target)};
}

void world_lose(struct world *world, unsigned thousandths) { world->options.loss = thousandths; }

static struct manner manner_for(const struct world *world, unsigned place, const struct message *question,
                                enum transport transport)
{
    for (size_t i = world->say_count; i-- > 0;) {
        const struct saying *saying = &world->sayings[i];
        const struct manner *manner = &saying->manner;
        if (saying->servers & 1u << place && name_is_at_or_below(question->question.name, name_view(&saying->zone)) &&
            (!manner->type || manner->type == question->question.type) &&
            (!manner->only_over || manner->over == transport))
            return *manner;
    }
    return (struct manner){.way = ANSWERS};
}

static struct world_facts facts_for(const struct world *world, unsigned place, struct view name)
{
    struct world_facts facts = {
        .soa = name_tail(name, 2), .group = group_index(place), .server = place % WORLD_GROUP_BITS};
    size_t labels = 0;
    for (size_t i = 0; i < world->alias_count; i++)
        if (name_equal(name, name_view(&world->aliases[i].name)))
            facts.target = name_view(&world->aliases[i].target);
    for (size_t i = 0; i < world->cut_count; i++) {
        struct view cut = name_view(&world->cuts[i]);
        if (name_is_at_or_below(name, cut) && name_labels(cut) >= labels) {
            facts.soa = cut;
            labels    = name_labels(cut);
        }
    }
    return facts;
}

static bool lost(struct world *world) { return world_random(world, 1000) < world->options.loss; }

static msec_t usual_delay(unsigned place)
{
    static const msec_t delays[WORLD_GROUPS] = {DOMESTIC_DELAY, EXTERNAL_DELAY, OFFICE_DELAY};
    return delays[group_index(place)];
}

/* Over TCP nothing is lost, and a connection costs a round trip more. */
static void serve(struct world *world, struct ticket *ticket, unsigned place, struct view query)
{
    enum transport transport = ticket->exchange->transport;
    struct message question;
    if (!message_parse(query, &question) || !question.has_question)
        fail_msg("byway sent what is no query");
    struct manner manner = manner_for(world, place, &question, transport);
    if (manner.way == CHAOS)
        manner = (struct manner){.way   = (enum way) world_random(world, CHAOS),
                                 .after = 1 + world_random(world, world_random(world, 4) ? 300 : 9000)};
    if (manner.way == SILENT || (transport == TRANSPORT_UDP && (lost(world) || lost(world))))
        return;
    msec_t        delay = manner.after ? manner.after : usual_delay(place);
    struct event *event = event_add(world, manner.way == UNREACHABLE ? EVENT_UNREACHABLE : EVENT_PACKET,
                                    world->now + delay * (transport == TRANSPORT_TCP ? 2 : 1));
    event->ticket       = ticket;
    event->number       = ticket->number;
    if (manner.way == UNREACHABLE)
        return;
    struct world_facts facts = facts_for(world, place, question.question.name);
    event->len               = world_reply(&question, &manner, transport, &facts, event->bytes);
}

/* ---- effects ---- */

static void check_fence(const struct world *world, unsigned place, struct view name)
{
    const struct rule *rule = policy_find(world->setup->policy, name);
    char               text[NAME_TEXT_MAX];
    if (rule->via == VIA_REFUSE || (rule->via == VIA_GROUP && rule->group != group_index(place)))
        fail_msg("%s crossed its fence to group %u", name_format(name, text), group_index(place));
}

static void check_cost(const struct world *world, const struct sending *sending)
{
    unsigned datagrams = 0;
    for (size_t i = world->sending_count; i-- > 0 && world->sendings[i].at >= world->now - SEARCH_BACK;) {
        const struct sending *earlier = &world->sendings[i];
        datagrams += earlier->owner == sending->owner && earlier->owner_started == sending->owner_started &&
                     !earlier->probe && earlier->transport == TRANSPORT_UDP && earlier->type == sending->type &&
                     name_equal(name_view(&earlier->name), name_view(&sending->name));
    }
    if (!sending->probe && datagrams > LIMIT_UDP_SENDS)
        fail_msg("%u datagrams for one question", datagrams);
}

static struct ticket *ticket_open(struct world *world, struct exchange *exchange, int by)
{
    for (size_t i = 0; i < WORLD_TICKETS; i++) {
        struct ticket *ticket = &world->tickets[i];
        if (ticket->open)
            continue;
        *ticket = (struct ticket){.open = true, .number = ticket->number + 1, .exchange = exchange, .by = by};
        world->open++;
        return ticket;
    }
    fail_msg("too many tickets");
    return NULL;
}

static void note_sending(struct world *world, const struct driver *driver, const struct exchange *exchange,
                         unsigned place)
{
    if (world->sending_count == WORLD_SENDINGS)
        fail_msg("too many packets");
    bool            probe   = driver->by < 0;
    struct sending *sending = &world->sendings[world->sending_count++];
    *sending                = (struct sending){
                       .at            = world->now,
                       .server        = 1u << place,
                       .probe         = probe,
                       .transport     = exchange->transport,
                       .name          = exchange->inquiry->name,
                       .type          = exchange->inquiry->type,
                       .owner         = exchange->owner,
                       .owner_started = probe ? exchange->started : ((struct query *) exchange->owner)->started,
    };
    check_fence(world, place, name_view(&sending->name));
    check_cost(world, sending);
}

static bool effect_send(void *context, struct exchange *exchange, struct view query)
{
    struct driver *driver = context;
    struct world  *world  = driver->world;
    unsigned       place  = place_of(world, exchange->server);
    if (!exchange->ticket)
        exchange->ticket = ticket_open(world, exchange, driver->by);
    note_sending(world, driver, exchange, place);
    serve(world, exchange->ticket, place, query);
    return true;
}

static void effect_release(void *context, struct exchange *exchange)
{
    struct driver *driver = context;
    struct ticket *ticket = exchange->ticket;
    assert_true(ticket && ticket->open && ticket->exchange == exchange && ticket->by == driver->by);
    ticket->open     = false;
    exchange->ticket = NULL;
    driver->world->open--;
}

static void effect_observe(void *context, const struct observation *observation)
{
    struct world *world                                                          = ((struct driver *) context)->world;
    event_add(world, EVENT_OBSERVATION, world->now + OBSERVE_DELAY)->observation = *observation;
}

static void read_records(const struct message *answer, struct ask *ask)
{
    struct record record = {0};
    while (message_next(answer, &record) && record.section == SECTION_ANSWER) {
        if (record.type == TYPE_A || record.type == TYPE_AAAA)
            ask->group = record.data.data[1];
        else if (record.type == TYPE_MX)
            ask->group = record.data.data[1];
        else if (record.type == TYPE_TXT)
            ask->group = record.data.data[2];
    }
}

static void note_answer(struct world *world, struct ask *ask, struct view wire)
{
    struct message answer;
    assert_true(message_parse(wire, &answer) && answer.flags & FLAG_QR);
    ask->answers++;
    ask->answered  = world->now;
    ask->rcode     = answer.rcode;
    ask->ede       = answer.edns.ede;
    ask->records   = answer.count[SECTION_ANSWER];
    ask->truncated = answer.flags & FLAG_TC;
    ask->authentic = answer.flags & FLAG_AD;
    read_records(&answer, ask);
}

static void effect_answer(void *context, const struct path *path, struct view answer)
{
    note_answer(((struct driver *) context)->world, path->endpoint, answer);
}

/* ---- time ---- */

static void happen(struct world *world, const struct event *event)
{
    struct ticket *ticket = event->ticket;
    if (event->kind == EVENT_OBSERVATION) {
        const struct observation observation = event->observation;
        if (world->setup->learning != SETUP_LEARN_NOTHING)
            prober_observe(world->prober, &observation, world->now);
        return;
    }
    if (!ticket->open || ticket->number != event->number)
        return;
    uint8_t     copy[WORLD_REPLY_MAX];
    struct view packet = {copy, event->len};
    memcpy(copy, event->bytes, event->len);
    if (event->kind == EVENT_PACKET && ticket->by < 0)
        prober_on_packet(world->prober, ticket->exchange, packet, world->now);
    else if (event->kind == EVENT_PACKET)
        engine_on_packet(world->engines[ticket->by], ticket->exchange, packet, world->now);
    else if (ticket->by < 0)
        prober_on_unreachable(world->prober, ticket->exchange, world->now);
    else
        engine_on_unreachable(world->engines[ticket->by], ticket->exchange, world->now);
}

static void wake(struct world *world, struct driver *driver)
{
    msec_t second = world->now / 1000;
    driver->wakes = driver->second == second ? driver->wakes + 1 : 1;
    if (driver->wakes > TIMES_IN_SECOND)
        fail_msg("a busy loop");
    driver->second = second;
    if (driver->by < 0)
        prober_on_time(world->prober, world->now);
    else
        engine_on_time(world->engines[driver->by], world->now);
    msec_t next = driver->by < 0 ? prober_next(world->prober) : engine_next(world->engines[driver->by]);
    if (next <= world->now)
        fail_msg("nothing was done about what was due");
}

static struct driver *next_driver(struct world *world, msec_t *ret_due)
{
    struct driver *found = &world->drivers[WORLD_WORKERS];
    msec_t         least = prober_next(world->prober);
    for (unsigned i = 0; i < world->options.workers; i++)
        if (engine_next(world->engines[i]) < least) {
            least = engine_next(world->engines[i]);
            found = &world->drivers[i];
        }
    *ret_due = least;
    return found;
}

/* One event or wake-up that is due by `until`. */
static bool step(struct world *world, msec_t until)
{
    msec_t         due;
    struct driver *driver = next_driver(world, &due);
    bool           event  = world->event_count > 0 && world->heap[0]->at <= due;
    if (event)
        due = world->heap[0]->at;
    if (due > until)
        return false;
    world->now = msec_max(world->now, due);
    if (event)
        happen(world, event_take(world));
    else
        wake(world, driver);
    learner_reclaim(world->learner);
    return true;
}

void world_run(struct world *world, msec_t ms)
{
    msec_t until = world->now + ms;
    while (step(world, until))
        ;
    world->now = until;
}

msec_t world_wait(struct world *world, const struct ask *ask)
{
    msec_t until = ask->deadline + 1;
    while (!ask->answers && step(world, until))
        ;
    if (!ask->answers)
        fail_msg("no answer by the deadline");
    return ask->answered - ask->asked;
}

msec_t world_now(const struct world *world) { return world->now; }

/* ---- clients ---- */

static size_t write_question(const struct world_question *question, uint16_t id, uint8_t *out)
{
    const struct name       name = named(question->name);
    const struct query_form form = {.name              = name_view(&name),
                                    .id                = id,
                                    .type              = question->type,
                                    .class             = CLASS_IN,
                                    .edns              = !question->plain,
                                    .dnssec_ok         = question->dnssec_ok,
                                    .checking_disabled = question->checking_disabled};
    return query_write(&form, out);
}

struct ask *world_ask_by(struct world *world, const struct world_question *question)
{
    if (world->ask_count == WORLD_ASKS)
        fail_msg("too many questions");
    struct ask *ask = &world->asks[world->ask_count++];
    uint8_t     wire[QUERY_MAX];
    size_t      len  = write_question(question, (uint16_t) world->ask_count, wire);
    struct path path = {.endpoint = ask, .connection = question->tcp};
    address_parse("127.0.0.1", 4000, &path.peer);
    *ask = (struct ask){
        .asked = world->now, .deadline = world->now + world->setup->deadline, .group = -1, .ede = EDE_NONE};
    size_t answer = engine_receive(world->engines[question->worker], (struct view){wire, len}, &path, question->tcp,
                                   world->now, world->out, sizeof(world->out));
    if (answer > 0)
        note_answer(world, ask, (struct view){world->out, answer});
    return ask;
}

struct ask *world_ask(struct world *world, const char *name, uint16_t type)
{
    return world_ask_by(world, &(struct world_question){.name = name, .type = type});
}

struct ask *world_resolve(struct world *world, const char *name, uint16_t type)
{
    struct ask *ask = world_ask(world, name, type);
    world_wait(world, ask);
    return ask;
}

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

struct prober  *world_prober(const struct world *world) { return world->prober; }
struct learner *world_learner(const struct world *world) { return world->learner; }
struct shared   world_shared(const struct world *world) { return world->shared; }
struct engine  *world_engine(const struct world *world, unsigned worker) { return world->engines[worker]; }

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

/* ---- life ---- */

static void destroy_setup(struct setup *setup)
{
    policy_destroy(setup->policy);
    free(setup->clients.blocks);
    free(setup->groups);
    free(setup);
}

static bool fill_policy(struct setup *setup, const struct world_options *options)
{
    struct rule rules[WORLD_FENCES];
    size_t      count = 0;
    for (; count < WORLD_FENCES && options->fences[count].zone; count++)
        rules[count] = (struct rule){.zone  = named(options->fences[count].zone),
                                     .via   = options->fences[count].via,
                                     .group = options->fences[count].group};
    setup->policy         = policy_create(rules, count);
    setup->clients.blocks = malloc(sizeof(struct cidr));
    setup->clients.count  = 1;
    return setup->policy && setup->clients.blocks && cidr_parse("127.0.0.0/8", setup->clients.blocks);
}

static void fill_groups(const struct world *world, struct setup *setup)
{
    static const char *const names[WORLD_GROUPS] = {"domestic", "external", "office"};
    for (unsigned i = 0; i < WORLD_SERVERS; i++) {
        struct group *group = &setup->groups[group_index(i)];
        group->name         = names[group_index(i)];
        if (world->servers[i])
            group->servers[group->count++] = world->servers[i];
    }
    setup->group_count = setup->groups[GROUP_OFFICE].count ? WORLD_GROUPS : WORLD_GROUPS - 1;
}

static struct setup *make_setup(const struct world *world, const struct world_options *options)
{
    struct setup *setup = calloc(1, sizeof(*setup));
    if (!setup)
        return NULL;
    setup->references       = 1;
    setup->destroy          = destroy_setup;
    setup->fall_on_timeout  = !options->not_on_timeout;
    setup->fall_on_servfail = !options->not_on_servfail;
    setup->fall_on_refused  = !options->not_on_refused;
    setup->patience         = options->patience;
    setup->deadline         = options->deadline ? options->deadline : 4500;
    setup->learning         = options->learning;
    setup->max_ttl          = 86400;
    setup->groups           = calloc(WORLD_GROUPS, sizeof(*setup->groups));
    if (setup->groups && fill_policy(setup, options)) {
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
        struct address address;
        char           text[] = "192.0.2.1";
        if (i % WORLD_GROUP_BITS >= counts[group_index(i)])
            continue;
        text[6] = (char) ('1' + group_index(i));
        text[8] = (char) ('1' + i % WORLD_GROUP_BITS);
        if (!address_parse(text, 53, &address) ||
            !(world->servers[i] =
                  server_create(&address, world->options.tcp_only & 1u << i, world->options.trusted & 1u << i)))
            return false;
    }
    return true;
}

/* What no event may do to the table. */
static void on_changed(void *context, struct zone *zone, enum zone_state from, const char *why, bool removed)
{
    const struct world *world = context;
    char                text[NAME_TEXT_MAX];
    (void) from;
    (void) removed;
    if (zone->scope == SCOPE_ZONE && zone->pin == PIN_NONE && !suffix_learnable(world->shared.suffix, zone_name(zone)))
        fail_msg("the public suffix %s was learned: %s", name_format(zone_name(zone), text), why);
    if (zone->scope == SCOPE_ZONE && zone->pin == PIN_NONE && policy_fence_below(world->setup->policy, zone_name(zone)))
        fail_msg("%s has a fence at or below it and was learned: %s", name_format(zone_name(zone), text), why);
}

static void on_probed(void *context, void *cookie, const struct study *study)
{
    (void) context;
    *(struct study_result *) cookie = study->result;
}

static bool make_shared(struct world *world)
{
    const struct cache_limits   limits   = {.memory = 8 << 20, .stale = 86400};
    const struct hash_key       key      = {rng_u64(&world->rng), rng_u64(&world->rng)};
    const struct learner_limits learning = {
        .zone      = {.recheck_first = world->options.recheck_first ? world->options.recheck_first : 600000,
                      .recheck_max   = world->options.recheck_max ? world->options.recheck_max : 86400000,
                      .recover_after = world->options.recover_after ? world->options.recover_after : 2},
        .max_zones = 1000,
    };
    const struct learner_hooks hooks = {.changed = on_changed, .context = world};
    uint8_t                    seed[RNG_SEED_BYTES];
    rng_fill(&world->rng, seed, sizeof(seed));
    world->shared = (struct shared){.cache  = cache_create(&limits, key, 4),
                                    .table  = table_create(1024, key),
                                    .good   = good_create(key),
                                    .suffix = suffix_open(),
                                    .claims = world->options.workers > 1 ? claims_create(key) : NULL};
    return (world->shared.claims || world->options.workers == 1) && world->shared.cache && world->shared.table &&
           world->shared.good && world->shared.suffix &&
           (world->learner = learner_create(world->shared.table, &learning, &hooks, seed));
}

static bool make_logic(struct world *world)
{
    for (unsigned i = 0; i <= WORLD_WORKERS; i++)
        world->drivers[i] = (struct driver){.world = world, .by = i < WORLD_WORKERS ? (int) i : -1};
    struct prober_options prober = {
        .shared  = world->shared,
        .setup   = world->setup,
        .effects = {&world->drivers[WORLD_WORKERS], effect_send, effect_release, NULL, NULL},
        .learner = world->learner,
        .hooks   = {.context = world, .probed = on_probed},
    };
    rng_fill(&world->rng, prober.seed, sizeof(prober.seed));
    if (!(world->prober = prober_create(&prober)))
        return false;
    for (unsigned i = 0; i < world->options.workers; i++) {
        struct engine_options engine = {
            .shared  = world->shared,
            .setup   = world->setup,
            .effects = {&world->drivers[i], effect_send, effect_release, effect_answer, effect_observe},
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
    good_destroy(world->shared.good);
    suffix_close(world->shared.suffix);
    claims_destroy(world->shared.claims);
    setup_drop(world->setup);
    for (unsigned i = 0; i < WORLD_SERVERS; i++)
        server_destroy(world->servers[i]);
    free(world);
}

struct world *world_create(const struct world_options *options)
{
    struct world *world                = calloc(1, sizeof(*world));
    uint8_t       seed[RNG_SEED_BYTES] = {0};
    if (!world)
        return NULL;
    world->now     = WORLD_BEGIN;
    world->options = *options;
    if (!options->workers)
        world->options.workers = 1;
    if (!options->domestic)
        world->options.domestic = 2;
    if (!options->external)
        world->options.external = 2;
    put_u64(seed, options->seed);
    rng_init(&world->rng, seed);
    if (make_servers(world) && (world->setup = make_setup(world, options)) && make_shared(world) && make_logic(world))
        return world;
    destroy(world);
    return NULL;
}

void world_reload(struct world *world, const struct world_options *options)
{
    struct setup *before_it = world->setup;
    struct setup *setup     = make_setup(world, options);
    assert_non_null(setup);
    world->setup = setup;
    for (unsigned i = 0; i < world->options.workers; i++)
        engine_set_setup(world->engines[i], setup);
    prober_set_setup(world->prober, setup, world->now);
    setup_drop(before_it);
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

void world_end(struct world *world)
{
    for (unsigned i = 0; i < world->options.workers; i++) {
        engine_cancel(world->engines[i], world->now);
        assert_int_equal(engine_flights(world->engines[i]), 0);
    }
    check_answers(world);
    prober_destroy(world->prober);
    world->prober = NULL;
    assert_int_equal(world->open, 0);
    assert_int_equal(atomic_load(&world->setup->references), 1 + world->options.workers);
    destroy(world);
}
