/*
 * holding.c: see holding.h; numbers in brackets are its points.
 */
#include "query/holding.h"

#include "core/sending.h"
#include "query/asking.h"

#include <stdlib.h>
#include <string.h>

/* ---- the canary ---- */

static void ask_canary(const struct query *query, struct env *env)
{
    struct observation untried = {
        .what = OBSERVED_UNTRIED, .class = CLASS_IN, .epoch = query->epoch, .name = query->inquiry.name};
    name_set_lower(&untried.zone, query->route.domain);
    env->effects.observe(env->effects.context, &untried);
}

/* Enough names may be tried in this second: then what domestic says is believed, but not for long. */
static void try_name(struct query *query, struct env *env, bool further, msec_t now)
{
    if (!forging_take(env->shared.forging, further, now)) {
        COUNT(env->counters.canary_untried);
        query->untried = true;
        return;
    }
    forging_ask(env->shared.forging, query->route.domain, name_view(&query->inquiry.name), now);
    ask_canary(query, env);
    if (!further)
        query->held_until = now + query->setup->wait;
}

/* UNTRIED where it makes no difference. */
static enum forging_state state_of(const struct query *query, const struct env *env, msec_t now)
{
    const struct forging *forging = env->shared.forging;
    struct view           domain  = query->route.domain;
    msec_t                since;
    if (domain.len == 0 || query->setup->learning == SETUP_OBSERVE || forging_is_blind(forging))
        return FORGING_UNTRIED;
    return forging_of(forging, domain, now, &since);
}

static bool is_held(const struct query *query, const struct env *env, msec_t now)
{
    return now < query->held_until && query->setup->learning != SETUP_OBSERVE && !forging_is_blind(env->shared.forging);
}

/* Whom it does not believe once it does not believe again. What was seen to be open is, until more is known. */
static void take_state(struct query *query, const struct env *env, msec_t now)
{
    enum forging_state state = state_of(query, env, now);
    query->suspense          = false;
    if (query->forged || query->inner)
        return;
    query->forged   = state == FORGING_FORGED || state == FORGING_NOBODY;
    query->inner    = state == FORGING_INNER || state == FORGING_NOBODY || state == FORGING_HOME;
    query->suspense = state == FORGING_SHOWN || (state < FORGING_SHOWN && is_held(query, env, now));
}

void holding_begin(struct query *query, struct env *env, msec_t now) /* [1] */
{
    struct forging *forging = env->shared.forging;
    struct view     domain  = query->route.domain;
    msec_t          since   = 0;
    query->forged           = query->route.forged;
    if (domain.len == 0 || query->forged || query->route.reason == ROUTE_INNER)
        return;
    switch (forging_of(forging, domain, now, &since)) {
    case FORGING_UNTRIED:
        try_name(query, env, false, now);
        break;
    case FORGING_ASKED:
        query->held_until = since + query->setup->wait;
        /* fall through */
    case FORGING_SILENT:
        if (!forging_knows(forging, name_view(&query->inquiry.name), now))
            try_name(query, env, true, now);
        break;
    default:
        break;
    }
    take_state(query, env, now);
}

bool holding_believes(const struct query *query, const struct env *env, msec_t now)
{
    enum forging_state state = state_of(query, env, now);
    return !query->forged && state != FORGING_SHOWN && state != FORGING_FORGED && state != FORGING_NOBODY;
}

/* ---- what is held ---- */

/* False: no memory. */
static bool keep(struct query *query, struct exchange *exchange, struct view packet, msec_t now)
{
    struct holding *held = &query->held[exchange->part];
    if (held->bytes)
        return true;
    held->bytes = malloc(packet.len);
    if (!held->bytes)
        return false;
    memcpy(held->bytes, packet.data, packet.len);
    held->len      = packet.len;
    held->exchange = exchange;
    held->came     = now;
    return true;
}

/* Nobody else of its group is asked: they are deceived alike. */
static void set_aside(struct query *query, struct env *env, struct exchange *exchange) /* [2] */
{
    COUNT(env->counters.canary_set_aside);
    exchange->outcome                     = OUTCOME_FORGED;
    asking_side(query, exchange)->stopped = true;
    asking_failed(query, env, exchange);
}

static bool is_distrusted(const struct query *query, const struct exchange *exchange)
{
    return asking_is_domestic(query, exchange) ? query->forged : query->inner;
}

bool holding_takes(struct query *query, struct env *env, struct exchange *exchange, struct view packet, msec_t now)
{
    bool domestic = asking_is_domestic(query, exchange);
    take_state(query, env, now);
    if (query->suspense && keep(query, exchange, packet, now)) {
        COUNT(env->counters.canary_held);
        asking_side(query, exchange)->stopped = true;
        sending_release(env, exchange);
        return true;
    }
    bool stands = domestic && query->forged && !query->inner && asking_external_lies(query); /* [3] */
    if (!query->suspense && (stands || !is_distrusted(query, exchange)))
        return false;
    if (domestic)
        keep(query, exchange, packet, now);
    set_aside(query, env, exchange);
    return true;
}

struct holding *holding_look(struct query *query, struct env *env, msec_t now)
{
    struct holding *found = NULL;
    bool            was   = query->suspense;
    take_state(query, env, now);
    if (!was || query->suspense)
        return NULL;
    for (unsigned part = 0; part < ARRAY_LEN(query->held); part++) {
        struct holding *held = &query->held[part];
        if (!held->bytes)
            continue;
        if (is_distrusted(query, held->exchange))
            set_aside(query, env, held->exchange);
        else if (!found)
            found = held;
    }
    return found;
}

struct holding *holding_stands(struct query *query)
{
    for (unsigned part = 0; part < ARRAY_LEN(query->held) && !query->inner; part++)
        if (query->held[part].bytes && asking_is_domestic(query, query->held[part].exchange))
            return &query->held[part];
    return NULL;
}

msec_t holding_due(const struct query *query, msec_t now)
{
    if (!query->suspense)
        return MSEC_NEVER;
    return now < query->held_until ? query->held_until : now + HOLDING_LOOK;
}

void holding_drop(struct query *query)
{
    for (unsigned part = 0; part < ARRAY_LEN(query->held); part++) {
        free(query->held[part].bytes);
        query->held[part].bytes = NULL;
    }
}
