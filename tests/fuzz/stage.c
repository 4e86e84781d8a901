/*
 * stage.c: see stage.h.
 */
#include "stage.h"

#include "base/bytes.h"
#include "fuzz.h"
#include "policy/attribution.h"
#include "policy/local.h"
#include "stream/remote.h"

#include <string.h>

enum {
    STAGE_BEGIN  = 1000000, /* ms */
    CACHE_MEMORY = 1 << 18,
};

/* ---- what byway does ---- */

static unsigned group_of(const struct stage *stage, const struct server *server)
{
    for (unsigned i = 0; i < 2 * STAGE_UPSTREAMS; i++)
        if (stage->servers[i] == server)
            return i / STAGE_UPSTREAMS;
    CHECK(server == stage->canary);
    return SETUP_NO_GROUP;
}

/* What reaches an upstream is a plain question, whatever the client had sent. */
static void check_query(const struct stage *stage, const struct exchange *exchange, struct view wire)
{
    struct message     query;
    const struct rule *rule =
        policy_find_for(stage->setup.policy, name_view(&exchange->inquiry->name), exchange->inquiry->type);

    size_t opt_len = exchange->transport == TRANSPORT_TCP && !exchange->bare ? 11 + 4 : 11;

    CHECK(wire.len <= QUERY_MAX && message_receive(wire, &query) == RECEPTION_QUERY);
    CHECK(name_equal(query.question.name, name_view(&exchange->inquiry->name)));
    CHECK(query.question.type == exchange->inquiry->type && query.question.class == exchange->inquiry->class);
    CHECK((query.flags & FLAG_RD) != 0 && query.count[SECTION_ADDITIONAL] == query.edns.present);
    CHECK(!query.edns.present || (query.edns.version == 0 && query.opt_end - query.opt_start == opt_len));
    CHECK(query.edns.keepalive.form == (query.edns.present && opt_len == 15 ? KEEPALIVE_ASKED : KEEPALIVE_NONE));
    CHECK(rule->via == VIA_AUTO || (rule->via == VIA_GROUP && rule->group == group_of(stage, exchange->server)));
}

static bool send_query(struct stage *stage, struct exchange *exchange, struct view query, bool by_prober)
{
    enum transport transport = exchange->transport;
    struct ticket *ticket    = exchange->tickets[transport];

    check_query(stage, exchange, query);
    CHECK(ticket == NULL || transport == TRANSPORT_UDP);
    if (ticket == NULL) {
        if (stage->ticket_count == STAGE_TICKETS)
            return false;
        ticket  = &stage->tickets[stage->ticket_count++];
        *ticket = (struct ticket){.exchange = exchange, .transport = transport, .by_prober = by_prober};
        exchange->tickets[transport] = ticket;
    }
    ticket->fresh = true;
    ticket->len   = query.len;
    memcpy(ticket->wire, query.data, query.len);
    return true;
}

static bool send_for_client(void *context, struct exchange *exchange, struct view query)
{
    return send_query(context, exchange, query, false);
}

static bool send_probe(void *context, struct exchange *exchange, struct view query)
{
    return send_query(context, exchange, query, true);
}

static void release(void *context, struct exchange *exchange, enum transport transport)
{
    struct ticket *ticket = exchange->tickets[transport];

    (void) context;
    CHECK(ticket != NULL && ticket->exchange == exchange && ticket->transport == transport);
    ticket->exchange             = NULL;
    exchange->tickets[transport] = NULL;
}

static void answer(void *context, const struct path *path, struct view answer)
{
    struct heard *heard = path->endpoint;

    (void) context;
    CHECK(answer.len <= sizeof(heard->wire));
    heard->answers++;
    heard->len = answer.len;
    if (answer.len > 0)
        memcpy(heard->wire, answer.data, answer.len);
}

static void observe(void *context, const struct observation *observation)
{
    struct stage *stage = context;

    CHECK(name_check(name_view(&observation->name)) == observation->name.len);
    CHECK(observation->zone.len == 0 || name_check(name_view(&observation->zone)) == observation->zone.len);
    CHECK(observation->alias.len == 0 || name_check(name_view(&observation->alias)) == observation->alias.len);
    if (stage->observation_count < ARRAY_LEN(stage->observations))
        stage->observations[stage->observation_count++] = *observation;
}

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    const struct stage *stage = context;

    (void) from, (void) why, (void) removed;
    if (zone->scope != SCOPE_ZONE || zone->condition.state == ZONE_CLEAR)
        return;
    CHECK(suffix_learnable(stage->shared.suffix, zone_name(zone)));
    CHECK(attribution_is_open(stage->setup.policy, zone_name(zone)));
}

/* ---- events ---- */

static void tell_prober(struct stage *stage)
{
    for (size_t i = 0; i < stage->observation_count; i++)
        prober_observe(stage->prober, &stage->observations[i], stage->now);
    stage->observation_count = 0;
    learner_reclaim(stage->learner);
}

void stage_receive(struct stage *stage, struct view message, bool tcp, struct heard *heard)
{
    struct path path = {.endpoint = heard, .connection = tcp, .idle_ms = tcp ? 30000 : 0};

    CHECK(address_parse("192.0.2.200", 4000, &path.peer));
    size_t len = engine_receive(stage->engine, message, &path, tcp, stage->now, stage->out,
                                tcp ? LIMIT_TCP_MESSAGE : LIMIT_UDP_PAYLOAD);
    if (len > 0)
        answer(stage, &path, (struct view){stage->out, len});
    tell_prober(stage);
}

void stage_reply(struct stage *stage, struct ticket *ticket, struct view packet)
{
    struct exchange *exchange = ticket->exchange;

    if (exchange == NULL)
        return;
    ticket->fresh = false;
    if (ticket->by_prober)
        prober_on_packet(stage->prober, exchange, ticket->transport, packet, stage->now);
    else
        engine_on_packet(stage->engine, exchange, ticket->transport, packet, stage->now);
    tell_prober(stage);
}

void stage_reply_plainly(struct stage *stage, struct ticket *ticket, unsigned flags, bool record)
{
    static const uint8_t address[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1};
    uint8_t              reply[QUERY_MAX + sizeof(address)];
    struct message       query;

    CHECK(message_parse((struct view){ticket->wire, ticket->len}, &query));
    size_t len = MESSAGE_HEADER + query.question.name.len + 4;
    memcpy(reply, ticket->wire, len);
    put_u16(reply + 2, (uint16_t) (FLAG_QR | FLAG_RD | FLAG_RA | flags));
    put_u16(reply + 6, record);
    put_u16(reply + 8, 0);
    put_u16(reply + 10, 0);
    if (record)
        memcpy(reply + len, address, sizeof(address));
    stage_reply(stage, ticket, (struct view){reply, len + (record ? sizeof(address) : 0)});
}

void stage_run(struct stage *stage, msec_t ms)
{
    msec_t until = stage->now + ms;

    for (;;) {
        msec_t engine = engine_next(stage->engine), prober = prober_next(stage->prober);
        if (engine > until && prober > until)
            break;
        stage->now = msec_max(stage->now, msec_min(engine, prober));
        if (engine <= prober)
            engine_on_time(stage->engine, stage->now);
        else
            prober_on_time(stage->prober, stage->now);
        tell_prober(stage);
    }
    stage->now = until;
}

struct ticket *stage_fresh(struct stage *stage)
{
    for (size_t i = 0; i < stage->ticket_count; i++)
        if (stage->tickets[i].exchange != NULL && stage->tickets[i].fresh)
            return &stage->tickets[i];
    return NULL;
}

bool stage_is_domestic(const struct stage *stage, const struct ticket *ticket)
{
    return group_of(stage, ticket->exchange->server) == SETUP_DOMESTIC;
}

void stage_check_answer(const struct message *query, bool tcp, struct view wire)
{
    struct message answer;
    size_t         limit = query->edns.present && query->edns.size > 512 ? query->edns.size : 512;

    CHECK(wire.len <= (tcp ? LIMIT_TCP_MESSAGE : limit < LIMIT_UDP_PAYLOAD ? limit : LIMIT_UDP_PAYLOAD));
    CHECK(message_parse(wire, &answer) && answer.id == query->id && (answer.flags & FLAG_QR) != 0);
    CHECK((answer.flags & (FLAG_RD | FLAG_OPCODE)) == (query->flags & (FLAG_RD | FLAG_OPCODE)));
    bool told = tcp && query->edns.keepalive.form == KEEPALIVE_ASKED;
    CHECK(answer.edns.keepalive.form == (told ? KEEPALIVE_TOLD : KEEPALIVE_NONE));
    CHECK(answer.edns.keepalive.idle == (told ? 300 : 0));
    CHECK(answer.has_question == query->has_question && answer.edns.present == query->edns.present);
    CHECK(!answer.has_question ||
          (answer.question.name.len == query->question.name.len && answer.question.type == query->question.type &&
           answer.question.class == query->question.class &&
           memcmp(answer.question.name.data, query->question.name.data, query->question.name.len) == 0));
}

/* ---- life ---- */

static void keep_setup(struct setup *setup) { (void) setup; }

static void make_setup(struct stage *stage)
{
    static const struct rule rules[] = {
        {.zone = {.len = 14, .wire = "\4corp\7example"}, .via = VIA_GROUP, .group = SETUP_DOMESTIC},
        {.zone = {.len = 15, .wire = "\5never\7example"}, .via = VIA_REFUSE},
        {.zone     = {.len = 14, .wire = "\4list\7example"},
         .via      = VIA_GROUP,
         .group    = SETUP_DOMESTIC,
         .shipped  = true,
         .is_list  = true,
         .refusals = {1, {{127, 0, 0, 1}}}},
    };
    struct rule all[ARRAY_LEN(rules) + LOCAL_RULES];
    size_t      local  = local_rules(rules, ARRAY_LEN(rules), SETUP_DOMESTIC, all + ARRAY_LEN(rules));
    char        text[] = "192.0.2.1";

    memcpy(all, rules, sizeof rules);
    for (unsigned i = 0; i < 2 * STAGE_UPSTREAMS; i++) {
        struct group         *group   = &stage->groups[i / STAGE_UPSTREAMS];
        struct server_options options = {.trusted = i >= STAGE_UPSTREAMS, .mix_case = i % 2};

        text[8] = (char) ('1' + i);
        CHECK(address_parse(text, 53, &options.address));
        options.remote = remote_create(&(struct way){.address = options.address});
        CHECK(options.remote != NULL);
        stage->servers[i] = server_create(&options);
        CHECK(stage->servers[i] != NULL);
        group->servers[group->count++] = stage->servers[i];
    }
    const struct server_options canary = {.address = stage->servers[0]->address};
    stage->canary                      = server_create(&canary);
    CHECK(stage->canary != NULL);
    CHECK(cidr_parse("192.0.2.0/24", &stage->everybody));
    stage->groups[SETUP_DOMESTIC].name = "domestic";
    stage->groups[SETUP_EXTERNAL].name = "external";
    stage->setup                       = (struct setup){.references       = 1,
                                                        .destroy          = keep_setup,
                                                        .serial           = 1,
                                                        .policy           = policy_create(all, ARRAY_LEN(rules) + local),
                                                        .clients          = {.blocks = &stage->everybody, .count = 1},
                                                        .groups           = stage->groups,
                                                        .group_count      = 2,
                                                        .fall_on_timeout  = true,
                                                        .fall_on_servfail = true,
                                                        .fall_on_refused  = true,
                                                        .fall_on_forged   = true,
                                                        .canary           = stage->canary,
                                                        .wait             = 250,
                                                        .deadline         = 4500,
                                                        .max_ttl          = 86400,
                                                        .negative_max_ttl = 3600};
    CHECK(stage->setup.policy != NULL);
}

static void make_shared(struct stage *stage)
{
    static struct suffix     *suffix; /* of which nothing changes */
    const struct hash_key     key    = {1, 2};
    const struct cache_limits limits = {.memory = CACHE_MEMORY, .stale = 86400};

    if (suffix == NULL)
        suffix = suffix_open();
    stage->shared = (struct shared){.cache   = cache_create(&limits, key, 1),
                                    .table   = table_create(64, key),
                                    .good    = recent_create(key, 256, RECENT_LIFE),
                                    .forging = forging_create(key),
                                    .suffix  = suffix};
    CHECK(stage->shared.cache != NULL && stage->shared.table != NULL && stage->shared.good != NULL && suffix != NULL &&
          stage->shared.forging != NULL);
    epoch_set_setup(table_epoch(stage->shared.table), stage->setup.serial);
}

struct stage *stage_begin(const struct prober_hooks *hooks)
{
    static const uint8_t        seed[RNG_SEED_BYTES] = {1};
    static struct stage         only;
    struct stage               *stage    = &only;
    const struct learner_limits learning = {
        .zone      = {.recheck_first = 600000, .recheck_max = 86400000, .recover_after = 2},
        .max_zones = 100,
    };

    memset(stage, 0, offsetof(struct stage, tickets));
    stage->ticket_count = stage->observation_count = 0;
    stage->now                                     = STAGE_BEGIN;
    make_setup(stage);
    make_shared(stage);
    stage->learner = learner_create(stage->shared.table, &learning,
                                    &(struct learner_hooks){.changed = on_changed, .context = stage}, seed);
    CHECK(stage->learner != NULL);
    struct prober_options prober = {.shared  = stage->shared,
                                    .setup   = &stage->setup,
                                    .effects = {.network = stage, .send = send_probe, .release = release},
                                    .learner = stage->learner,
                                    .hooks   = *hooks};
    struct engine_options engine = {.shared  = stage->shared,
                                    .setup   = &stage->setup,
                                    .effects = {stage, send_for_client, release, stage, answer, observe}};
    memcpy(prober.seed, seed, sizeof(seed));
    memcpy(engine.seed, seed, sizeof(seed));
    stage->prober = prober_create(&prober);
    stage->engine = engine_create(&engine);
    CHECK(stage->prober != NULL && stage->engine != NULL);
    return stage;
}

void stage_end(struct stage *stage)
{
    engine_cancel(stage->engine, stage->now);
    CHECK(engine_flights(stage->engine) == 0);
    tell_prober(stage);
    prober_destroy(stage->prober);
    engine_destroy(stage->engine);
    for (size_t i = 0; i < stage->ticket_count; i++)
        CHECK(stage->tickets[i].exchange == NULL);
    CHECK(stage->setup.references == 1);
    learner_destroy(stage->learner);
    table_destroy(stage->shared.table);
    recent_destroy(stage->shared.good);
    forging_destroy(stage->shared.forging);
    server_destroy(stage->canary);
    cache_destroy(stage->shared.cache);
    policy_destroy(stage->setup.policy);
    for (unsigned i = 0; i < 2 * STAGE_UPSTREAMS; i++) {
        remote_drop(stage->servers[i]->remote);
        server_destroy(stage->servers[i]);
    }
}
