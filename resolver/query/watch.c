/*
 * watch.c: see watch.h.
 */
#include "query/watch.h"

#include "query/attribution.h"
#include "upstream/trouble.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTROL_LIFE = 5000,  /* ms */
    ECHO_LIFE    = 5000,  /* ms */
    PLAIN_EVERY  = 20000, /* ms between probes without EDNS that nobody answers */
};

struct watch { /* of one server: health probe, control question and echo */
    struct watches     *watches;
    struct server      *server;
    uint8_t             group;
    bool                external;
    const struct name  *zone; /* that it may be asked about; NULL: nobody asks it */
    enum probe          probe;
    struct trouble      trouble;
    uint64_t            well, beaten; /* of the server, when they were last looked at */
    bool                last;         /* no other name is left in this row */
    bool                edns_lost;    /* the health probe before was one with EDNS, and silent */
    msec_t              plain_at;     /* when the plain one beside such a probe was first answered; 0: never */
    msec_t              plain_due;    /* when one is asked again if none was answered */
    struct errand       health, plain, control, echo;
    struct control_told told;           /* of the last control question that has ended */
    msec_t              control_asked;  /* when the last control question was sent; 0: never */
    msec_t              control_good;   /* sending time of the last good one */
    msec_t              control_failed; /* sending time of the last failed one */
    msec_t              echo_due;       /* when the next one is sent */
    msec_t              echo_wait;      /* and ms from that one to the one behind it */
    bool                heard;          /* the last one came back to us */
};

/* ---- how does it fare? ---- */

static uint64_t answers_of(const struct server *server)
{
    uint64_t sum = 0;
    for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++)
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            if (outcome_usable((enum outcome) outcome))
                sum += atomic_load_explicit(&server->outcomes[transport][outcome], memory_order_relaxed);
    return sum;
}

/* Whatever it answers, it can answer; what others of its group answered in its place, it should have. */
static void note_fare(struct watch *watch, msec_t now)
{
    uint64_t well   = answers_of(watch->server);
    uint64_t beaten = atomic_load_explicit(&watch->server->beaten, memory_order_relaxed);
    if (well != watch->well || beaten != watch->beaten)
        trouble_note(&watch->trouble, (unsigned) (well - watch->well), (unsigned) (beaten - watch->beaten), now);
    watch->well   = well;
    watch->beaten = beaten;
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

/* What has befallen one of a group may have befallen the others, whom hardly anybody asks. */
static void suspect_others(const struct watch *watch)
{
    for (unsigned i = 0; i < watch->watches->count; i++)
        if (watch->watches->list[i].group == watch->group && &watch->watches->list[i] != watch)
            server_suspect(watch->watches->list[i].server);
}

static void on_health_done(void *owner, struct errand *errand, msec_t now)
{
    struct watch   *watch   = owner;
    struct watches *watches = watch->watches;
    bool            alive   = is_answered(errand);
    bool            known   = server_health(watch->server) == HEALTH_DOWN;
    watch->edns_lost        = errand->exchange.form != FORM_PLAIN && !alive;
    note_life(watch, now); /* first: this probe may have been sent before its return, and failed */
    if (server_on_probe(watch->server, watch->probe, watch->last, alive, now))
        watches->changed(watches->owner, watch->server, alive, now);
    if (!alive && !known)
        suspect_others(watch);
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
    watch->last                     = failed >= answered->count;
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
    struct desk *desk = watches->errands->desk;
    watch->heard      = false;
    watch->echo       = (struct errand){
              .life    = ECHO_LIFE,
              .aside   = true,
              .done    = on_echo_done,
              .owner   = watch,
              .inquiry = {.type = TYPE_TXT, .class = CLASS_IN},
    };
    if (name_prepend_random(&watch->echo.inquiry.name, name_view(&desk->setup->echo), &desk->rng))
        errand_start(watches->errands, &watch->echo, watch->server, now);
}

static bool wants_echo(const struct watches *watches, const struct watch *watch, msec_t now)
{
    return watches->errands->desk->setup->echo.len > 0 && !watch->echo.running && now >= watch->echo_due;
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

void watches_look(struct watches *watches, msec_t now)
{
    watches->looked = now;
    for (unsigned i = 0; i < watches->count; i++) {
        struct watch *watch = &watches->list[i];
        note_life(watch, now);
        note_fare(watch, now);
        if (watch->zone && wants_echo(watches, watch, now))
            ask_echo(watches, watch, now);
        if (!watch->health.running && watch->zone && server_wants_probe(watch->server, now))
            probe_health(watches, watch, now);
    }
}

static struct candidate *candidate_above(struct watches *watches, struct view name)
{
    for (unsigned i = 0; i < watches->candidate_count; i++)
        if (name_is_at_or_below(name, name_view(&watches->candidates[i].zone)))
            return &watches->candidates[i];
    return NULL;
}

static void on_control_read(void *owner, struct errand *errand, const struct message *reply)
{
    struct watch     *watch     = owner;
    struct candidate *candidate = candidate_above(watch->watches, name_view(&errand->inquiry.name));
    if (candidate && !watch->external)
        candidate->deniable = kind_has_proof(reply);
}

/* What a validating upstream has denied with proof it may have denied from its cache, its link cut or not. That counts
 * only where no other zone is left to ask about. */
static bool vouches(const struct watch *watch, struct view name)
{
    struct watches         *watches   = watch->watches;
    const struct candidate *candidate = candidate_above(watches, name);
    if (watch->external || !candidate || !candidate->deniable)
        return true;
    for (unsigned i = 0; i < watches->candidate_count; i++)
        if (!watches->candidates[i].deniable)
            return false;
    return true;
}

/* All that were asked at all failed their last one. */
static void look_for_trouble(struct watches *watches, msec_t now)
{
    msec_t since = MSEC_NEVER;
    for (unsigned i = 0; i < watches->count; i++) {
        const struct watch *watch = &watches->list[i];
        if (watch->group != SETUP_DOMESTIC || watch->control_asked == 0)
            continue;
        if (watch->control_good >= watch->control_failed)
            return;
        since = msec_min(since, watch->control_failed);
    }
    watches->troubled(watches->owner, since, now);
}

static void on_control_done(void *owner, struct errand *errand, msec_t now)
{
    struct watch   *watch   = owner;
    struct watches *watches = watch->watches;
    watch->told             = (struct control_told){errand->exchange.started, errand->exchange.outcome};
    if (!outcome_usable(errand->exchange.outcome)) {
        watch->control_failed = errand->exchange.started;
        watches->stats->control_failures++;
        trouble_note(&watch->trouble, 0, 1, now);
        if (watch->group == SETUP_DOMESTIC)
            look_for_trouble(watches, now);
    } else if (vouches(watch, name_view(&errand->inquiry.name))) {
        watch->control_good = errand->exchange.started;
    } else {
        watch->control_asked = 0; /* another one goes out at once */
    }
}

static bool is_studied_below(const struct watches *watches, struct view zone)
{
    LIST_EACH (item, next, watches->studies)
        if (name_is_at_or_below(name_view(&CONTAINER_OF(item, struct study, link)->name), zone))
            return true;
    return false;
}

/* A zone that domestic answered lately, searched from a random place on: rather one below which no cache can deny a
 * name, and that nobody doubts now; but an answer below any proves something. NULL: there is none. */
static const struct name *control_zone(struct watches *watches)
{
    const struct name *found = NULL;
    unsigned           least = UINT_MAX;
    unsigned from = watches->candidate_count ? rng_below(&watches->errands->desk->rng, watches->candidate_count) : 0;
    for (unsigned i = 0; i < watches->candidate_count; i++) {
        const struct candidate *candidate = &watches->candidates[(from + i) % watches->candidate_count];
        unsigned flaws = 2u * candidate->deniable + is_studied_below(watches, name_view(&candidate->zone));
        if (flaws >= least)
            continue;
        found = &candidate->zone;
        least = flaws;
    }
    return found;
}

/* A name that no cache holds: a random label below a zone that domestic answered lately. For external, to which our own
 * good zones are nobody's business, below the root; never so for domestic, which may deny such a name from its cache of
 * the root though its link is cut. The CNAME of it is asked for, so that a wildcard's alias leads nowhere else. False:
 * there is nothing to ask. */
static bool control_name(struct watches *watches, const struct watch *watch, struct name *ret)
{
    static const struct name root  = {.len = 1};
    const struct name       *below = watch->external ? &root : control_zone(watches);
    return below && name_prepend_random(ret, name_view(below), &watches->errands->desk->rng) &&
           is_open(watches->errands->desk->setup->policy, name_view(ret));
}

static void ask_control(struct watches *watches, struct watch *watch, msec_t now)
{
    struct errand control = {
        .life    = CONTROL_LIFE,
        .read    = on_control_read,
        .done    = on_control_done,
        .owner   = watch,
        .inquiry = {.type = TYPE_CNAME, .class = CLASS_IN, .dnssec_ok = !watch->external},
    };
    if (!control_name(watches, watch, &control.inquiry.name))
        return;
    watches->stats->controls++;
    watch->control       = control;
    watch->control_asked = now;
    errand_start(watches->errands, &watch->control, watch->server, now);
}

static struct watch *watch_of(const struct watches *watches, const struct server *server)
{
    for (unsigned i = 0; i < watches->count; i++)
        if (watches->list[i].server == server)
            return &watches->list[i];
    return NULL;
}

bool watches_told(struct watches *watches, const struct server *server, msec_t since, struct control_told *ret)
{
    const struct watch *watch = watch_of(watches, server);
    if (!watch || watch->told.sent == 0 || watch->told.sent < since)
        return false;
    *ret = watch->told;
    return true;
}

/* ---- trials ---- */

struct look {
    struct watches *watches;
    msec_t          now;
};

static void fare_of(void *context, const struct server *server, struct fare *ret)
{
    const struct look *look  = context;
    struct watch      *watch = watch_of(look->watches, server);
    *ret                     = (struct fare){.share = 1};
    if (!watch)
        return;
    note_fare(watch, look->now);
    ret->share = trouble_share(&watch->trouble, look->now);
    ret->seen  = trouble_seen(&watch->trouble);
    ret->good  = watch->control_good;
    ret->bad   = watch->control_failed;
}

static void ask_wanted(struct watches *watches, const struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->witness_count; i++) {
        struct watch *watch = watch_of(watches, study->witnesses[i].server);
        if (study->witnesses[i].wants_control && watch && !watch->control.running &&
            (watch->control_asked == 0 || now - watch->control_asked >= CONTROL_EVERY))
            ask_control(watches, watch, now);
    }
}

void watches_tend(struct watches *watches, msec_t now)
{
    struct look look = {watches, now};
    LIST_EACH (item, next, watches->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (study->kind != STUDY_CONFIRM && study->kind != STUDY_BROKEN)
            continue;
        trial_look(study, fare_of, &look, now);
        if (study->step == STUDY_ASK)
            ask_wanted(watches, study, now);
    }
}

void watches_note_trouble(struct watches *watches, const struct server *server, unsigned failed, msec_t now)
{
    struct watch *watch = watch_of(watches, server);
    if (watch)
        trouble_note(&watch->trouble, 0, failed, now);
}

double watches_share(struct watches *watches, const struct server *server, msec_t now)
{
    struct watch *watch = watch_of(watches, server);
    return watch ? trouble_share(&watch->trouble, now) : 1;
}

bool watches_in_trouble(struct watches *watches, msec_t now)
{
    for (unsigned i = 0; i < watches->count; i++)
        if (watches->list[i].group == SETUP_DOMESTIC && trouble_share(&watches->list[i].trouble, now) <= TRIAL_TROUBLE)
            return false;
    return true;
}

/* ---- life ---- */

bool watches_open(struct watches *watches)
{
    const struct setup *setup = watches->errands->desk->setup;
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
                               .well      = answers_of(server),
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
        errand_cancel(watches->errands, &watches->list[i].control);
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

void watches_offer(struct watches *watches, struct view domain)
{
    for (unsigned i = 0; i < watches->candidate_count; i++)
        if (name_equal(name_view(&watches->candidates[i].zone), domain))
            return;
    unsigned place = watches->candidate_count < WATCH_CANDIDATES
                         ? watches->candidate_count++
                         : rng_below(&watches->errands->desk->rng, WATCH_CANDIDATES);
    name_set_lower(&watches->candidates[place].zone, domain);
    watches->candidates[place].deniable = false;
}

void watches_withdraw(struct watches *watches, struct view zone)
{
    for (unsigned i = 0; i < watches->candidate_count; i++) {
        struct view candidate = name_view(&watches->candidates[i].zone);
        if (name_is_at_or_below(candidate, zone) || name_is_at_or_below(zone, candidate))
            watches->candidates[i--] = watches->candidates[--watches->candidate_count];
    }
}
