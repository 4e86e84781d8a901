/*
 * control.c: can an upstream answer at all just now? What share of its questions it fails, control questions, and how
 * trials are told of both. See watch.h.
 */
#include "policy/attribution.h"
#include "query/watch_inside.h"

#include <limits.h>

enum {
    CONTROL_LIFE      = 5000,  /* ms */
    CONTROL_PAUSE     = 5000,  /* ms behind a failed one in which no strike begins a study, doubling … */
    CONTROL_PAUSE_MAX = 20000, /* … to this while they go on failing */
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
        const struct watch   *watch = &watches->list[i];
        const struct control *last  = control_last(watch->told);
        if (watch->group != SETUP_DOMESTIC || watch->control_asked == 0)
            continue;
        if (last->sent == 0 || outcome_usable(last->outcome))
            return;
        since = msec_min(since, last->sent);
    }
    watches->troubled(watches->owner, since, now);
}

/* Of several that are open in one silence the first to end speaks for all. What was answered later is news, what was
 * sent in the pause is not. */
static void note_failure(struct watch *watch, const struct control *told, msec_t now)
{
    const struct control *last = control_last(watch->told);
    bool                  over = last->sent > told->sent && outcome_usable(last->outcome);
    if (told->sent >= watch->failed_at)
        trouble_note(&watch->trouble, 0, 1, now);
    if (!over && told->sent >= watch->pause_end) {
        watch->pause     = watch->pause ? msec_min(2 * watch->pause, CONTROL_PAUSE_MAX) : CONTROL_PAUSE;
        watch->pause_end = now + watch->pause;
    }
    watch->failed_at = now;
}

static void on_control_done(void *owner, struct errand *errand, msec_t now)
{
    struct watch     *watch     = owner;
    struct watches   *watches   = watch->watches;
    struct candidate *candidate = candidate_above(watches, name_view(&errand->inquiry.name));
    struct control    told      = {.sent = errand->exchange.started, .outcome = errand->exchange.outcome};
    bool              answered  = outcome_usable(told.outcome);
    told.good                   = answered && vouches(watch, name_view(&errand->inquiry.name));
    if (candidate && !watch->external)
        candidate->good = told.good;
    watch->told[watch->told_next++ % CONTROLS_TOLD] = told;
    if (answered) {
        watch->pause = watch->pause_end = 0;
        return;
    }
    watches->stats->control_failures++;
    note_failure(watch, &told, now);
    if (watch->group == SETUP_DOMESTIC)
        look_for_trouble(watches, now);
}

static bool is_studied_below(const struct watches *watches, struct view zone)
{
    LIST_EACH (item, next, watches->studies)
        if (name_is_at_or_below(name_view(&CONTAINER_OF(item, struct study, link)->name), zone))
            return true;
    return false;
}

/* A zone that domestic answered lately, searched from a random place on: rather one below which no cache can deny a
 * name, that nobody doubts now, and that served before; but an answer below any proves something. NULL: there is none.
 */
static const struct name *control_zone(struct watches *watches)
{
    const struct name *found = NULL;
    unsigned           least = UINT_MAX;
    unsigned from = watches->candidate_count ? rng_below(&watches->errands->env->rng, watches->candidate_count) : 0;
    for (unsigned i = 0; i < watches->candidate_count; i++) {
        const struct candidate *candidate = &watches->candidates[(from + i) % watches->candidate_count];
        unsigned                flaws =
            4u * candidate->deniable + 2u * is_studied_below(watches, name_view(&candidate->zone)) + !candidate->good;
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
    return below && name_prepend_random(ret, name_view(below), &watches->errands->env->rng) &&
           is_open(watches->errands->env->setup->policy, name_view(ret));
}

static struct errand *free_control(struct watch *watch)
{
    for (unsigned i = 0; i < WATCH_CONTROLS; i++)
        if (!watch->controls[i].running)
            return &watch->controls[i];
    return NULL;
}

static bool is_ready(struct watch *watch, msec_t now)
{
    return free_control(watch) && (watch->control_asked == 0 || now - watch->control_asked >= CONTROL_EVERY);
}

static void ask_control(struct watches *watches, struct watch *watch, msec_t now)
{
    struct errand *control = free_control(watch);
    struct errand  fresh   = {
           .life    = CONTROL_LIFE,
           .read    = on_control_read,
           .done    = on_control_done,
           .owner   = watch,
           .inquiry = {.type = TYPE_CNAME, .class = CLASS_IN, .dnssec_ok = !watch->external},
    };
    if (!control_name(watches, watch, &fresh.inquiry.name))
        return;
    watches->stats->controls++;
    *control             = fresh;
    watch->control_asked = now;
    errand_start(watches->errands, control, watch->server, now);
}

bool watches_told(struct watches *watches, const struct server *server, msec_t since, struct control *ret)
{
    const struct watch *watch = watch_of(watches, server);
    if (!watch)
        return false;
    *ret = *control_last(watch->told);
    return ret->sent > 0 && ret->sent >= since;
}

/* ---- trials ---- */

struct look {
    struct watches *watches;
    msec_t          now;
};

static void fare_of(void *context, const struct server *server, struct fare *ret)
{
    static const struct control none[CONTROLS_TOLD] = {0};
    const struct look          *look                = context;
    struct watch               *watch               = watch_of(look->watches, server);
    *ret                                            = (struct fare){.share = 1, .told = none};
    if (!watch)
        return;
    watch_note_fare(watch, look->now);
    ret->share = trouble_share(&watch->trouble, look->now);
    ret->ready = is_ready(watch, look->now);
    ret->asked = watch->control_asked;
    ret->told  = watch->told;
}

static bool is_trial(const struct study *study) { return study->kind == STUDY_CONFIRM || study->kind == STUDY_BROKEN; }

static void ask_wanted(struct watches *watches, const struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->witness_count; i++) {
        struct watch *watch = watch_of(watches, study->witnesses[i].server);
        if (study->witnesses[i].wants_control && is_ready(watch, now))
            ask_control(watches, watch, now);
    }
}

/* First all ask what they ask, then one control question stands behind it for all. */
void watches_tend(struct watches *watches, msec_t now)
{
    struct look look = {watches, now};
    LIST_EACH (item, next, watches->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (is_trial(study))
            trial_look(study, fare_of, &look, now);
    }
    LIST_EACH (item, next, watches->studies)
        if (is_trial(CONTAINER_OF(item, struct study, link)))
            ask_wanted(watches, CONTAINER_OF(item, struct study, link), now);
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

/* One control question that fails is enough for a while: further ones would show no more, and the longer it goes on the
 * likelier. */
static bool is_in_trouble(struct watch *watch, msec_t now)
{
    return now < watch->pause_end || trouble_share(&watch->trouble, now) > TRIAL_TROUBLE;
}

bool watches_in_trouble(struct watches *watches, msec_t now)
{
    for (unsigned i = 0; i < watches->count; i++)
        if (watches->list[i].group == SETUP_DOMESTIC && !is_in_trouble(&watches->list[i], now))
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
                         : rng_below(&watches->errands->env->rng, WATCH_CANDIDATES);
    name_set_lower(&watches->candidates[place].zone, domain);
    watches->candidates[place].deniable = watches->candidates[place].good = false;
}

void watches_withdraw(struct watches *watches, struct view zone)
{
    for (unsigned i = 0; i < watches->candidate_count; i++)
        if (name_is_at_or_below(name_view(&watches->candidates[i].zone), zone))
            watches->candidates[i--] = watches->candidates[--watches->candidate_count];
}
