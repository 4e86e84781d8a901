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

/* False: enough names are tried in this second. */
static bool try_name(const struct query *query, struct env *env, msec_t now)
{
    if (!forging_take(env->shared.forging, now)) {
        COUNT(env->counters.canary_untried);
        return false;
    }
    forging_note(env->shared.forging, name_view(&query->inquiry.name), now);
    ask_canary(query, env);
    return true;
}

void holding_begin(struct query *query, struct env *env, msec_t now) /* [1] */
{
    struct forging *forging = env->shared.forging;
    struct view     domain  = query->route.domain;
    msec_t          since   = 0;
    query->forged           = query->route.forged;
    if (domain.len == 0 || query->forged)
        return;
    switch (forging_of(forging, domain, now, &since)) {
    case FORGING_UNTRIED:
        if (!try_name(query, env, now))
            return;
        forging_set(forging, domain, FORGING_SILENT, now);
        since = now;
        break;
    case FORGING_SILENT:
        if (!forging_knows(forging, name_view(&query->inquiry.name), now))
            try_name(query, env, now);
        break;
    default:
        return;
    }
    if (query->setup->learning != SETUP_OBSERVE)
        query->held_until = since + query->setup->wait;
}

enum belief {
    BELIEF_YES,
    BELIEF_OPEN, /* the keeper is looking into it */
    BELIEF_NO
};

static enum belief believe(const struct query *query, const struct env *env, msec_t now)
{
    const struct forging *forging = env->shared.forging;
    struct view           domain  = query->route.domain;
    msec_t                since;
    if (query->forged)
        return BELIEF_NO;
    if (domain.len == 0 || query->setup->learning == SETUP_OBSERVE || forging_is_blind(forging))
        return BELIEF_YES;
    switch (forging_of(forging, domain, now, &since)) {
    case FORGING_SHOWN:
        return BELIEF_OPEN;
    case FORGING_FORGED:
        return BELIEF_NO;
    default:
        return BELIEF_YES;
    }
}

bool holding_believes(const struct query *query, const struct env *env, msec_t now)
{
    return believe(query, env, now) == BELIEF_YES;
}

/* ---- what is held ---- */

static void keep(struct query *query, struct exchange *exchange, struct view packet)
{
    struct holding *held = &query->held;
    if (held->bytes)
        return;
    held->bytes = malloc(packet.len);
    if (!held->bytes)
        return;
    memcpy(held->bytes, packet.data, packet.len);
    held->len      = packet.len;
    held->exchange = exchange;
}

/* Nobody else of domestic's is asked: what is there is there, or all are deceived alike. */
static void set_aside(struct query *query, struct env *env, struct exchange *exchange) /* [2] */
{
    COUNT(env->counters.canary_set_aside);
    query->forged                         = true;
    exchange->outcome                     = OUTCOME_FORGED;
    asking_side(query, exchange)->stopped = true;
    asking_failed(query, env, exchange);
}

bool holding_takes(struct query *query, struct env *env, struct exchange *exchange, struct view packet, msec_t now)
{
    if (!asking_is_domestic(query, exchange))
        return false;
    enum belief belief = believe(query, env, now);
    if (belief == BELIEF_YES && now >= query->held_until)
        return false;
    if (belief == BELIEF_NO && asking_external_lies(query)) /* [3] */
        return false;
    keep(query, exchange, packet);
    if (belief == BELIEF_NO || !query->held.bytes) {
        set_aside(query, env, exchange);
        return true;
    }
    COUNT(env->counters.canary_held);
    asking_side(query, exchange)->stopped = true;
    sending_release(env, exchange);
    return true;
}

bool holding_ends(struct query *query, struct env *env, msec_t now)
{
    if (!holding_waits(query))
        return false;
    enum belief belief = believe(query, env, now);
    if (belief == BELIEF_NO)
        set_aside(query, env, query->held.exchange);
    return belief == BELIEF_YES && now >= query->held_until;
}

msec_t holding_due(const struct query *query, msec_t now)
{
    if (!holding_waits(query))
        return MSEC_NEVER;
    return now < query->held_until ? query->held_until : now + HOLDING_LOOK;
}

void holding_drop(struct query *query)
{
    free(query->held.bytes);
    query->held.bytes = NULL;
}
