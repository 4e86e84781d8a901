/*
 * monitor.c: is an upstream there, and does it ask us in turn? See monitor.h.
 */
#include "probe/monitor_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    ECHO_LIFE   = 5000,  /* ms */
    PLAIN_EVERY = 20000, /* ms between probes without EDNS that nobody answers */
    DOUBT       = 500,   /* ms from a silence that makes an upstream suspect to the probe */
};

/* ---- is it there? ---- */

/* A reply to somebody else has healed it. */
static void note_life(struct monitor *monitor, msec_t now)
{
    struct monitors *monitors = monitor->monitors;
    if (server_note_life(monitor->server))
        monitors->changed(monitors->owner, monitor->server, true, now);
}

static bool is_answered(const struct errand *errand)
{
    enum outcome outcome = errand->exchange.outcome; /* what was forged, somebody else has said */
    return outcome != OUTCOME_TIMEOUT && outcome != OUTCOME_UNREACHABLE && outcome != OUTCOME_FORGED;
}

/* A handshake comes before the answer. */
static msec_t life_of(const struct server *server)
{
    return server->encrypted ? 3 * SERVER_PROBE_TIMEOUT : SERVER_PROBE_TIMEOUT;
}

/* What has befallen one of a group may have befallen the others, whom hardly anybody asks. They are probed at once. */
static void suspect_others(const struct monitor *monitor, msec_t now)
{
    for (unsigned i = 0; i < monitor->monitors->count; i++) {
        struct monitor *other = &monitor->monitors->list[i];
        if (other->group != monitor->group || other == monitor)
            continue;
        server_suspect(other->server);
        other->doubted = now - DOUBT;
    }
}

static void on_health_done(void *owner, struct errand *errand, msec_t now)
{
    struct monitor  *monitor  = owner;
    struct monitors *monitors = monitor->monitors;
    bool             alive    = is_answered(errand);
    bool             known    = server_health(monitor->server) == HEALTH_DOWN;
    monitor->has_root |= alive && monitor->probe == PROBE_ROOT;
    monitor->edns_lost = errand->exchange.form != FORM_PLAIN && !alive;
    note_life(monitor, now); /* first: this probe may have been sent before its return, and failed */
    if (server_on_probe(monitor->server, monitor->probe, monitor->last, alive, now))
        monitors->changed(monitors->owner, monitor->server, alive, now);
    if (!alive && !known)
        suspect_others(monitor, now);
}

/* Some middleboxes drop what has an OPT. Twice an answer without it where there was none with it, and none in between,
 * is no lost datagram any more. */
static void on_plain_done(void *owner, struct errand *errand, msec_t now)
{
    struct monitor *monitor = owner;
    struct server  *server  = monitor->server;
    if (!outcome_usable(errand->exchange.outcome))
        return;
    if (monitor->plain_at && atomic_load_explicit(&server->edns_seen, memory_order_relaxed) < monitor->plain_at)
        forms_set(&server->forms, FORM_PLAIN, now);
    else
        monitor->plain_at = now;
}

/* The probe before was silent: the same without EDNS, beside the next one. */
static void probe_plain(struct monitor *monitor, msec_t now)
{
    monitor->plain_due = now + PLAIN_EVERY;
    monitor->plain     = (struct errand){
            .life    = life_of(monitor->server),
            .plain   = true,
            .aside   = true,
            .weak    = monitor->health.weak,
            .done    = on_plain_done,
            .owner   = monitor,
            .inquiry = monitor->health.inquiry,
    };
    errand_start(monitor->monitors->errands, &monitor->plain, monitor->server, now);
}

/* In turn a name that its group has answered, another one each time, and the root, or what stands for it. */
static void choose_probe(struct monitor *monitor, struct inquiry *ret)
{
    const struct answered *answered = &monitor->monitors->answered[monitor->group];
    unsigned               failed   = atomic_load_explicit(&monitor->server->names_failed, memory_order_relaxed);
    bool                   declared = server_health(monitor->server) == HEALTH_DOWN;
    monitor->last                   = failed >= answered->count && (monitor->has_root || answered->count == 0);
    monitor->probe =
        monitor->probe == PROBE_NAME || (monitor->last && !declared) || answered->count == 0 ? PROBE_ROOT : PROBE_NAME;
    *ret = (struct inquiry){.name = *monitor->zone, .type = TYPE_NS, .class = CLASS_IN};
    if (monitor->probe == PROBE_ROOT)
        return;
    ret->name = answered->list[failed % answered->count].name;
    ret->type = answered->list[failed % answered->count].type;
}

static void probe_health(struct monitors *monitors, struct monitor *monitor, msec_t now)
{
    monitors->stats->health_probes++;
    if (monitor->edns_lost && !monitor->plain.running && (monitor->plain_at || now >= monitor->plain_due))
        probe_plain(monitor, now);
    monitor->health = (struct errand){.life = life_of(monitor->server), .done = on_health_done, .owner = monitor};
    choose_probe(monitor, &monitor->health.inquiry);
    monitor->health.weak = monitor->probe == PROBE_ROOT;
    errand_start(monitors->errands, &monitor->health, monitor->server, now);
}

/* ---- echoes ---- */

/* What the server says matters not, only whether the question comes back. */
static void on_echo_done(void *owner, struct errand *errand, msec_t now)
{
    struct monitor *monitor = owner;
    (void) errand;
    monitor->echo_due  = now + monitor->echo_wait;
    monitor->echo_wait = msec_min(2 * monitor->echo_wait, ECHO_LAST);
}

static void ask_echo(struct monitors *monitors, struct monitor *monitor, msec_t now)
{
    struct env *env = monitors->errands->env;
    monitor->heard  = false;
    monitor->echo   = (struct errand){
          .life    = ECHO_LIFE,
          .aside   = true,
          .done    = on_echo_done,
          .owner   = monitor,
          .inquiry = {.type = TYPE_TXT, .class = CLASS_IN},
    };
    if (name_prepend_random(&monitor->echo.inquiry.name, name_view(&env->setup->echo), &env->rng))
        errand_start(monitors->errands, &monitor->echo, monitor->server, now);
}

static bool wants_echo(const struct monitors *monitors, const struct monitor *monitor, msec_t now)
{
    return monitors->errands->env->setup->echo.len > 0 && !monitor->echo.running && now >= monitor->echo_due;
}

void monitors_heard(struct monitors *monitors, struct view name)
{
    for (unsigned i = 0; i < monitors->count; i++) {
        struct monitor *monitor = &monitors->list[i];
        if (monitor->heard || !name_equal(name_view(&monitor->echo.inquiry.name), name))
            continue;
        monitor->heard         = true;
        monitor->echo_wait     = ECHO_LAST;
        monitor->server->loops = true;
        monitors->looped(monitors->owner, monitor->server);
    }
}

/* ---- looking ---- */

/* Most who were silent to one question answer the next one in the meantime. Of whom the kernel says that nobody is
 * there no answer is awaited. */
static bool is_doubted(struct monitor *monitor, msec_t now)
{
    msec_t hinted = atomic_load_explicit(&monitor->server->hinted, memory_order_relaxed);
    if (server_health(monitor->server) == HEALTH_UP)
        monitor->doubted = 0;
    else if (monitor->doubted == 0)
        monitor->doubted = hinted != 0 && now - hinted < DOUBT ? now - DOUBT : now;
    return monitor->doubted != 0 && now - monitor->doubted >= DOUBT;
}

void monitors_look(struct monitors *monitors, msec_t now)
{
    monitors->looked = now;
    for (unsigned i = 0; i < monitors->count; i++) {
        struct monitor *monitor = &monitors->list[i];
        note_life(monitor, now);
        monitor_note_fare(monitor, now);
        if (monitor->zone && wants_echo(monitors, monitor, now))
            ask_echo(monitors, monitor, now);
        if (!monitor->health.running && monitor->zone && is_doubted(monitor, now) &&
            server_wants_probe(monitor->server, now))
            probe_health(monitors, monitor, now);
    }
}

/* ---- life ---- */

bool monitors_open(struct monitors *monitors)
{
    const struct setup *setup = monitors->errands->env->setup;
    unsigned            total = 0;
    for (unsigned i = 0; i < setup->group_count; i++)
        total += setup->groups[i].count;
    monitors->list  = calloc(total, sizeof(*monitors->list));
    monitors->count = 0;
    if (!monitors->list)
        return false;
    for (unsigned i = 0; i < setup->group_count; i++)
        for (unsigned j = 0; j < setup->groups[i].count; j++) {
            struct server *server = setup->groups[i].servers[j];
            if (monitor_of(monitors, server))
                continue;
            server->loops = false; /* it is asked again */
            monitors->list[monitors->count++] =
                (struct monitor){.monitors  = monitors,
                                 .server    = server,
                                 .well      = monitor_answers(server),
                                 .beaten    = atomic_load_explicit(&server->beaten, memory_order_relaxed),
                                 .group     = (uint8_t) i,
                                 .echo_wait = ECHO_FIRST,
                                 .external  = i == SETUP_EXTERNAL,
                                 .zone      = policy_zone_of(setup->policy, (uint8_t) i, i <= SETUP_EXTERNAL)};
        }
    return true;
}

void monitors_close(struct monitors *monitors)
{
    for (unsigned i = 0; i < monitors->count; i++) {
        errand_cancel(monitors->errands, &monitors->list[i].health);
        errand_cancel(monitors->errands, &monitors->list[i].plain);
        for (unsigned j = 0; j < MONITOR_CONTROLS; j++)
            errand_cancel(monitors->errands, &monitors->list[i].controls[j]);
        errand_cancel(monitors->errands, &monitors->list[i].echo);
    }
    free(monitors->list);
    monitors->list            = NULL;
    monitors->count           = 0;
    monitors->candidate_count = 0; /* a fence may stand there when it is opened again, and groups be others */
    memset(monitors->answered, 0, sizeof(monitors->answered));
}

void monitors_note(struct monitors *monitors, uint8_t group, struct view name, uint16_t type)
{
    struct answered *answered = &monitors->answered[group];
    unsigned         place    = 0;
    while (place < answered->count &&
           !name_equal(name_tail(name_view(&answered->list[place].name), 2), name_tail(name, 2)))
        place++;
    if (place == answered->count && answered->count < MONITOR_NAMES)
        answered->count++;
    else if (place == answered->count)
        place = answered->oldest = (answered->oldest + 1) % MONITOR_NAMES;
    name_set_lower(&answered->list[place].name, name);
    answered->list[place].type = type;
}

void monitors_abandon(struct monitors *monitors, struct view zone)
{
    for (unsigned group = 0; group < LIMIT_GROUPS; group++) {
        struct answered *answered = &monitors->answered[group];
        for (unsigned i = 0; i < answered->count; i++)
            if (name_is_at_or_below(name_view(&answered->list[i].name), zone))
                answered->list[i--] = answered->list[--answered->count];
    }
}
