/*
 * watch.c: is an upstream there, and does it ask us in turn? See watch.h.
 */
#include "query/watch_inside.h"

#include <stdlib.h>
#include <string.h>

enum {
    ECHO_LIFE   = 5000,  /* ms */
    PLAIN_EVERY = 20000, /* ms between probes without EDNS that nobody answers */
    DOUBT       = 500,   /* ms from a silence that makes an upstream suspect to the probe */
};

struct watch *watch_of(const struct watches *watches, const struct server *server)
{
    for (unsigned i = 0; i < watches->count; i++)
        if (watches->list[i].server == server)
            return &watches->list[i];
    return NULL;
}

/* ---- is it there? ---- */

/* A reply to somebody else has healed it. */
static void note_life(struct watch *watch, msec_t now)
{
    struct watches *watches = watch->watches;
    if (server_note_life(watch->server))
        watches->changed(watches->owner, watch->server, true, now);
}

static bool is_answered(const struct errand *errand)
{
    return errand->exchange.outcome != OUTCOME_TIMEOUT && errand->exchange.outcome != OUTCOME_UNREACHABLE;
}

/* What has befallen one of a group may have befallen the others, whom hardly anybody asks. They are probed at once. */
static void suspect_others(const struct watch *watch, msec_t now)
{
    for (unsigned i = 0; i < watch->watches->count; i++) {
        struct watch *other = &watch->watches->list[i];
        if (other->group != watch->group || other == watch)
            continue;
        server_suspect(other->server);
        other->doubted = now - DOUBT;
    }
}

static void on_health_done(void *owner, struct errand *errand, msec_t now)
{
    struct watch   *watch   = owner;
    struct watches *watches = watch->watches;
    bool            alive   = is_answered(errand);
    bool            known   = server_health(watch->server) == HEALTH_DOWN;
    watch->has_root |= alive && watch->probe == PROBE_ROOT;
    watch->edns_lost = errand->exchange.form != FORM_PLAIN && !alive;
    note_life(watch, now); /* first: this probe may have been sent before its return, and failed */
    if (server_on_probe(watch->server, watch->probe, watch->last, alive, now))
        watches->changed(watches->owner, watch->server, alive, now);
    if (!alive && !known)
        suspect_others(watch, now);
}

/* Some middleboxes drop what has an OPT. Twice an answer without it where there was none with it, and none in between,
 * is no lost datagram any more. */
static void on_plain_done(void *owner, struct errand *errand, msec_t now)
{
    struct watch  *watch  = owner;
    struct server *server = watch->server;
    if (!outcome_usable(errand->exchange.outcome))
        return;
    if (watch->plain_at && atomic_load_explicit(&server->edns_seen, memory_order_relaxed) < watch->plain_at)
        forms_set(&server->forms, FORM_PLAIN, now);
    else
        watch->plain_at = now;
}

/* The probe before was silent: the same without EDNS, beside the next one. */
static void probe_plain(struct watch *watch, msec_t now)
{
    watch->plain_due = now + PLAIN_EVERY;
    watch->plain     = (struct errand){
            .life    = SERVER_PROBE_TIMEOUT,
            .plain   = true,
            .aside   = true,
            .weak    = watch->health.weak,
            .done    = on_plain_done,
            .owner   = watch,
            .inquiry = watch->health.inquiry,
    };
    errand_start(watch->watches->errands, &watch->plain, watch->server, now);
}

/* In turn a name that its group has answered, another one each time, and the root, or what stands for it. */
static void choose_probe(struct watch *watch, struct inquiry *ret)
{
    const struct answered *answered = &watch->watches->answered[watch->group];
    unsigned               failed   = atomic_load_explicit(&watch->server->names_failed, memory_order_relaxed);
    bool                   declared = server_health(watch->server) == HEALTH_DOWN;
    watch->last                     = failed >= answered->count && (watch->has_root || answered->count == 0);
    watch->probe =
        watch->probe == PROBE_NAME || (watch->last && !declared) || answered->count == 0 ? PROBE_ROOT : PROBE_NAME;
    *ret = (struct inquiry){.name = *watch->zone, .type = TYPE_NS, .class = CLASS_IN};
    if (watch->probe == PROBE_ROOT)
        return;
    ret->name = answered->list[failed % answered->count].name;
    ret->type = answered->list[failed % answered->count].type;
}

static void probe_health(struct watches *watches, struct watch *watch, msec_t now)
{
    watches->stats->health_probes++;
    if (watch->edns_lost && !watch->plain.running && (watch->plain_at || now >= watch->plain_due))
        probe_plain(watch, now);
    watch->health = (struct errand){.life = SERVER_PROBE_TIMEOUT, .done = on_health_done, .owner = watch};
    choose_probe(watch, &watch->health.inquiry);
    watch->health.weak = watch->probe == PROBE_ROOT;
    errand_start(watches->errands, &watch->health, watch->server, now);
}

/* ---- echoes ---- */

/* What the server says matters not, only whether the question comes back. */
static void on_echo_done(void *owner, struct errand *errand, msec_t now)
{
    struct watch *watch = owner;
    (void) errand;
    watch->echo_due  = now + watch->echo_wait;
    watch->echo_wait = msec_min(2 * watch->echo_wait, ECHO_LAST);
}

static void ask_echo(struct watches *watches, struct watch *watch, msec_t now)
{
    struct env *env = watches->errands->env;
    watch->heard    = false;
    watch->echo     = (struct errand){
            .life    = ECHO_LIFE,
            .aside   = true,
            .done    = on_echo_done,
            .owner   = watch,
            .inquiry = {.type = TYPE_TXT, .class = CLASS_IN},
    };
    if (name_prepend_random(&watch->echo.inquiry.name, name_view(&env->setup->echo), &env->rng))
        errand_start(watches->errands, &watch->echo, watch->server, now);
}

static bool wants_echo(const struct watches *watches, const struct watch *watch, msec_t now)
{
    return watches->errands->env->setup->echo.len > 0 && !watch->echo.running && now >= watch->echo_due;
}

void watches_heard(struct watches *watches, struct view name)
{
    for (unsigned i = 0; i < watches->count; i++) {
        struct watch *watch = &watches->list[i];
        if (watch->heard || !name_equal(name_view(&watch->echo.inquiry.name), name))
            continue;
        watch->heard         = true;
        watch->echo_wait     = ECHO_LAST;
        watch->server->loops = true;
        watches->looped(watches->owner, watch->server);
    }
}

/* ---- looking ---- */

/* Most who were silent to one question answer the next one in the meantime. Of whom the kernel says that nobody is
 * there no answer is awaited. */
static bool is_doubted(struct watch *watch, msec_t now)
{
    msec_t hinted = atomic_load_explicit(&watch->server->hinted, memory_order_relaxed);
    if (server_health(watch->server) == HEALTH_UP)
        watch->doubted = 0;
    else if (watch->doubted == 0)
        watch->doubted = hinted != 0 && now - hinted < DOUBT ? now - DOUBT : now;
    return watch->doubted != 0 && now - watch->doubted >= DOUBT;
}

void watches_look(struct watches *watches, msec_t now)
{
    watches->looked = now;
    for (unsigned i = 0; i < watches->count; i++) {
        struct watch *watch = &watches->list[i];
        note_life(watch, now);
        watch_note_fare(watch, now);
        if (watch->zone && wants_echo(watches, watch, now))
            ask_echo(watches, watch, now);
        if (!watch->health.running && watch->zone && is_doubted(watch, now) && server_wants_probe(watch->server, now))
            probe_health(watches, watch, now);
    }
}

/* ---- life ---- */

bool watches_open(struct watches *watches)
{
    const struct setup *setup = watches->errands->env->setup;
    unsigned            total = 0;
    for (unsigned i = 0; i < setup->group_count; i++)
        total += setup->groups[i].count;
    watches->list  = calloc(total, sizeof(*watches->list));
    watches->count = 0;
    if (!watches->list)
        return false;
    for (unsigned i = 0; i < setup->group_count; i++)
        for (unsigned j = 0; j < setup->groups[i].count; j++) {
            struct server *server = setup->groups[i].servers[j];
            if (watch_of(watches, server))
                continue;
            server->loops = false; /* it is asked again */
            watches->list[watches->count++] =
                (struct watch){.watches   = watches,
                               .server    = server,
                               .well      = watch_answers(server),
                               .beaten    = atomic_load_explicit(&server->beaten, memory_order_relaxed),
                               .group     = (uint8_t) i,
                               .echo_wait = ECHO_FIRST,
                               .external  = i == SETUP_EXTERNAL,
                               .zone      = policy_zone_of(setup->policy, (uint8_t) i, i <= SETUP_EXTERNAL)};
        }
    return true;
}

void watches_close(struct watches *watches)
{
    for (unsigned i = 0; i < watches->count; i++) {
        errand_cancel(watches->errands, &watches->list[i].health);
        errand_cancel(watches->errands, &watches->list[i].plain);
        for (unsigned j = 0; j < WATCH_CONTROLS; j++)
            errand_cancel(watches->errands, &watches->list[i].controls[j]);
        errand_cancel(watches->errands, &watches->list[i].echo);
    }
    free(watches->list);
    watches->list            = NULL;
    watches->count           = 0;
    watches->candidate_count = 0; /* a fence may stand there when it is opened again, and groups be others */
    memset(watches->answered, 0, sizeof(watches->answered));
}

void watches_note(struct watches *watches, uint8_t group, struct view name, uint16_t type)
{
    struct answered *answered = &watches->answered[group];
    unsigned         place    = 0;
    while (place < answered->count &&
           !name_equal(name_tail(name_view(&answered->list[place].name), 2), name_tail(name, 2)))
        place++;
    if (place == answered->count && answered->count < WATCH_NAMES)
        answered->count++;
    else if (place == answered->count)
        place = answered->oldest = (answered->oldest + 1) % WATCH_NAMES;
    name_set_lower(&answered->list[place].name, name);
    answered->list[place].type = type;
}

void watches_disregard(struct watches *watches, struct view zone)
{
    for (unsigned group = 0; group < LIMIT_GROUPS; group++) {
        struct answered *answered = &watches->answered[group];
        for (unsigned i = 0; i < answered->count; i++)
            if (name_is_at_or_below(name_view(&answered->list[i].name), zone))
                answered->list[i--] = answered->list[--answered->count];
    }
}
