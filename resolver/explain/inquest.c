/*
 * inquest.c: see inquest.h.
 */
#include "explain/inquest.h"

#include "core/sending.h"

#include <stdlib.h>
#include <string.h>

/* ---- one fact ---- */

static void settle(struct fact *fact, enum fact_state state)
{
    fact->state                = state;
    fact->inquest->has_changed = true;
    fact->inquest->is_bounded |= state == FACT_LEFT_OUT;
}

static bool ask_next(struct fact *fact);

static void on_read(void *owner, struct errand *errand, const struct message *reply)
{
    struct fact *fact = owner;
    uint8_t     *copy = malloc(reply->wire.len);
    (void) errand;
    free((void *) fact->wire.data); /* of an upstream that was asked before */
    fact->wire  = (struct view){0};
    fact->flags = reply->flags;
    fact->edns  = reply->edns.present;
    if (!copy)
        return;
    memcpy(copy, reply->wire.data, reply->wire.len);
    fact->wire = (struct view){copy, reply->wire.len};
}

static void on_done(void *owner, struct errand *errand, msec_t now)
{
    struct fact    *fact    = owner;
    struct inquest *inquest = fact->inquest;
    inquest->running--;
    fact->outcome   = errand->exchange.outcome;
    fact->judgement = errand->judgement;
    fact->ms += now - errand->exchange.started;
    fact->server = errand->exchange.server;
    if (!outcome_usable(fact->outcome) && fact->party < PARTY_SERVER && ask_next(fact))
        return;
    settle(fact, outcome_usable(fact->outcome) && !fact->wire.data ? FACT_LEFT_OUT : FACT_KNOWN);
}

static bool start(struct fact *fact, struct server *server, msec_t life)
{
    struct inquest *inquest = fact->inquest;
    fact->errand            = (struct errand){.life      = msec_min(life, inquest->began + INQUEST_LIFE - inquest->now),
                                              .resend    = server->tcp_only ? 0 : INQUEST_RESEND,
                                              .aside     = true,
                                              .inquiry   = {.name              = fact->name,
                                                            .type              = fact->type,
                                                            .class             = CLASS_IN,
                                                            .dnssec_ok         = fact->unvalidated,
                                                            .checking_disabled = fact->unvalidated},
                                              .reads_all = true,
                                              .read      = on_read,
                                              .done      = on_done,
                                              .owner     = fact};
    inquest->running++;
    if (errand_start(&inquest->errands, &fact->errand, server, inquest->now))
        return true;
    inquest->running--;
    return false;
}

/* The next upstream of its group. False: there is none to ask, or no more time, quota, memory. */
static bool ask_next(struct fact *fact)
{
    struct inquest     *inquest = fact->inquest;
    const struct group *group   = &inquest->env->setup->groups[fact->party];
    int                 next    = group_pick(group, fact->tried, inquest->now);
    if (next < 0 || __builtin_popcount(fact->tried) >= INQUEST_TRIES ||
        inquest->now >= inquest->began + INQUEST_LIFE - INQUEST_ASK)
        return false;
    if (fact->party == PARTY_EXTERNAL && !errand_within_quota(&inquest->errands, inquest->now))
        return false;
    fact->tried |= 1u << next;
    return start(fact, group->servers[next], INQUEST_ASK);
}

static bool begin_fact(struct fact *fact)
{
    struct inquest *inquest = fact->inquest;
    if (fact->party >= PARTY_SERVER)
        return start(fact, inquest->servers[fact->party - PARTY_SERVER].server, INQUEST_SERVER);
    return ask_next(fact);
}

/* ---- all of them ---- */

static bool is_begun(const struct fact *fact) { return fact->errand.exchange.state != EXCHANGE_UNUSED; }

/* In the order in which they were asked for. */
static void begin_waiting(struct inquest *inquest)
{
    bool late = inquest->now >= inquest->began + INQUEST_LIFE;
    for (unsigned i = 0; i < inquest->fact_count; i++) {
        struct fact *fact = inquest->facts[i];
        if (fact->state != FACT_WAITING || is_begun(fact))
            continue;
        if (inquest->running >= INQUEST_AT_ONCE && !late)
            return;
        if (late || !begin_fact(fact))
            settle(fact, FACT_LEFT_OUT);
    }
}

/* What is asked for by a look may be settled at once, which wants another look. */
static void go_on(struct inquest *inquest)
{
    while (inquest->has_changed) {
        inquest->has_changed = false;
        inquest->look(inquest->owner, inquest);
        begin_waiting(inquest);
    }
    inquest->ended = inquest->running == 0;
}

static struct fact *find(const struct inquest *inquest, struct view name, uint16_t type, unsigned party,
                         bool unvalidated)
{
    for (unsigned i = 0; i < inquest->fact_count; i++) {
        struct fact *fact = inquest->facts[i];
        if (fact->type == type && fact->party == party && fact->unvalidated == unvalidated &&
            name_equal(name_view(&fact->name), name))
            return fact;
    }
    return NULL;
}

/* Addresses for documents and the like have no names but what byway says itself; what domestic says of them harms nobody
 * who asks. */
static bool is_reverse(struct view name)
{
    static const uint8_t v4[] = "\7in-addr\4arpa", v6[] = "\3ip6\4arpa";
    return name_is_at_or_below(name, (struct view){v4, sizeof(v4)}) ||
           name_is_at_or_below(name, (struct view){v6, sizeof(v6)});
}

static bool may_go(const struct inquest *inquest, const struct fact *fact)
{
    struct view        name = name_view(&fact->name);
    const struct rule *rule = policy_find_for(inquest->env->setup->policy, name, fact->type);
    switch (rule->via) {
    case VIA_AUTO:
        return fact->party <= PARTY_EXTERNAL || fact->party >= PARTY_SERVER;
    case VIA_GROUP:
        return rule->group == fact->party;
    case VIA_LOCAL:
        return fact->party == PARTY_DOMESTIC && is_reverse(name);
    default:
        return false;
    }
}

static const struct fact *ask(struct inquest *inquest, struct view name, uint16_t type, unsigned party,
                              bool unvalidated)
{
    struct fact *fact = find(inquest, name, type, party, unvalidated);
    if (fact)
        return fact;
    fact = inquest->fact_count < INQUEST_FACTS && !inquest->ended ? calloc(1, sizeof(*fact)) : NULL;
    if (!fact) {
        inquest->is_bounded = true;
        return NULL;
    }
    name_set_lower(&fact->name, name);
    fact->type        = type;
    fact->party       = party;
    fact->unvalidated = unvalidated;
    fact->inquest     = inquest;
    if (!may_go(inquest, fact))
        fact->state = FACT_FENCED;
    inquest->facts[inquest->fact_count++] = fact;
    return fact;
}

const struct fact *inquest_ask(struct inquest *inquest, struct view name, uint16_t type, unsigned party)
{
    return ask(inquest, name, type, party, false);
}

const struct fact *inquest_ask_unvalidated(struct inquest *inquest, struct view name, uint16_t type, unsigned party)
{
    return ask(inquest, name, type, party, true);
}

/* False: no memory. */
static bool fill_server(struct inquest *inquest, struct inquest_server *ret)
{
    const struct way way          = {.form = ret->tcp ? WAY_TCP : WAY_UDP, .address = ret->address};
    ret->remote                   = remote_create(&way);
    struct server_options options = {.address = ret->address, .tcp_only = ret->tcp, .remote = ret->remote};
    rng_fill(&inquest->env->rng, &options.key, sizeof(options.key));
    ret->server = ret->remote ? server_create(&options) : NULL;
    if (!ret->server)
        remote_drop(ret->remote);
    return ret->server != NULL;
}

bool inquest_party(struct inquest *inquest, const struct address *address, bool tcp, unsigned *ret_party)
{
    struct inquest_server *servers = inquest->servers, server = {.address = *address, .tcp = tcp};
    unsigned               i = 0;
    while (i < inquest->server_count && (servers[i].tcp != tcp || !address_equal(&servers[i].address, address)))
        i++;
    *ret_party = PARTY_SERVER + i;
    if (i < inquest->server_count)
        return true;
    if (i == INQUEST_SERVERS || !fill_server(inquest, &server)) {
        inquest->is_bounded = true;
        return false;
    }
    servers[inquest->server_count++] = server;
    return true;
}

/* ---- events ---- */

void inquest_begin(struct inquest *inquest, msec_t now)
{
    inquest->began       = now;
    inquest->now         = now;
    inquest->has_changed = true;
    go_on(inquest);
}

void inquest_on_packet(struct inquest *inquest, struct exchange *exchange, enum transport transport, struct view packet,
                       msec_t now)
{
    inquest->now = now;
    errand_on_packet(&inquest->errands, exchange->owner, transport, packet, now);
    go_on(inquest);
}

void inquest_on_unreachable(struct inquest *inquest, struct exchange *exchange, enum transport transport, msec_t now)
{
    inquest->now = now;
    errand_on_unreachable(&inquest->errands, exchange->owner, transport, now);
    go_on(inquest);
}

msec_t inquest_next(const struct inquest *inquest)
{
    return inquest->ended ? MSEC_NEVER : timers_next(&inquest->errands.timers);
}

void inquest_on_time(struct inquest *inquest, msec_t now)
{
    inquest->now = now;
    errands_on_time(&inquest->errands, now);
    go_on(inquest);
}

/* ---- life ---- */

struct inquest *inquest_create(const struct inquest_options *options)
{
    struct inquest *inquest = calloc(1, sizeof(*inquest));
    struct env     *env     = calloc(1, sizeof(*env));
    if (!inquest || !env) {
        free(inquest);
        free(env);
        return NULL;
    }
    rng_init(&env->rng, options->seed);
    timers_init(&inquest->errands.timers);
    env->effects         = options->effects;
    env->shared          = options->shared;
    env->setup           = setup_take(options->setup);
    inquest->env         = env;
    inquest->errands.env = env;
    inquest->look        = options->look;
    inquest->owner       = options->owner;
    return inquest;
}

void inquest_destroy(struct inquest *inquest)
{
    if (!inquest)
        return;
    for (unsigned i = 0; i < inquest->fact_count; i++) {
        struct fact *fact = inquest->facts[i];
        if (fact->errand.running)
            errand_cancel(&inquest->errands, &fact->errand);
        free((void *) fact->wire.data);
        free(fact);
    }
    timers_fini(&inquest->errands.timers);
    for (unsigned i = 0; i < inquest->server_count; i++) {
        server_destroy(inquest->servers[i].server);
        remote_drop(inquest->servers[i].remote);
    }
    setup_drop(inquest->env->setup);
    free(inquest->env);
    free(inquest);
}
