/*
 * control.c: can an upstream answer at all just now? What share of its questions it fails, control questions, and how
 * trials are told of both. See watch.h.
 */
#include "query/attribution.h"
#include "query/watch_inside.h"

#include <limits.h>

enum {
    CONTROL_LIFE = 5000 /* ms */
};

/* ---- how does it fare? ---- */

uint64_t watch_answers(const struct server *server)
{
    uint64_t sum = 0;
    for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++)
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            if (outcome_usable((enum outcome) outcome))
                sum += atomic_load_explicit(&server->outcomes[transport][outcome], memory_order_relaxed);
    return sum;
}

void watch_note_fare(struct watch *watch, msec_t now)
{
    uint64_t well   = watch_answers(watch->server);
    uint64_t beaten = atomic_load_explicit(&watch->server->beaten, memory_order_relaxed);
    if (well != watch->well || beaten != watch->beaten)
        trouble_note(&watch->trouble, (unsigned) (well - watch->well), (unsigned) (beaten - watch->beaten), now);
    watch->well   = well;
    watch->beaten = beaten;
}

/* ---- control questions ---- */

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
    watch_note_fare(watch, look->now);
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

/* ---- what they are asked below ---- */

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
