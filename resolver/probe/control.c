/*
 * control.c: can an upstream answer at all just now? What share of its questions it fails, control questions, and how
 * trials are told of both. See monitor.h.
 */
#include "policy/attribution.h"
#include "probe/monitor_internal.h"

#include <limits.h>

enum {
    CONTROL_LIFE      = 5000,  /* ms */
    CONTROL_PAUSE     = 5000,  /* ms behind a failed one in which no strike begins a study, doubling … */
    CONTROL_PAUSE_MAX = 20000, /* … to this while they go on failing */
};

/* ---- how does it fare? ---- */

struct monitor *monitor_of(const struct monitors *monitors, const struct server *server)
{
    for (unsigned i = 0; i < monitors->count; i++)
        if (monitors->list[i].server == server)
            return &monitors->list[i];
    return NULL;
}

uint64_t monitor_answers(const struct server *server)
{
    uint64_t sum = 0;
    for (unsigned transport = 0; transport < TRANSPORT_COUNT; transport++)
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            if (outcome_usable((enum outcome) outcome))
                sum += atomic_load_explicit(&server->outcomes[transport][outcome], memory_order_relaxed);
    return sum;
}

void monitor_note_fare(struct monitor *monitor, msec_t now)
{
    uint64_t well   = monitor_answers(monitor->server);
    uint64_t beaten = atomic_load_explicit(&monitor->server->beaten, memory_order_relaxed);
    if (well != monitor->well || beaten != monitor->beaten)
        trouble_note(&monitor->trouble, (unsigned) (well - monitor->well), (unsigned) (beaten - monitor->beaten), now);
    monitor->well   = well;
    monitor->beaten = beaten;
}

/* ---- control questions ---- */

static struct candidate *candidate_above(struct monitors *monitors, struct view name)
{
    for (unsigned i = 0; i < monitors->candidate_count; i++)
        if (name_is_at_or_below(name, name_view(&monitors->candidates[i].zone)))
            return &monitors->candidates[i];
    return NULL;
}

static void on_control_read(void *owner, struct errand *errand, const struct message *reply)
{
    struct monitor   *monitor   = owner;
    struct candidate *candidate = candidate_above(monitor->monitors, name_view(&errand->inquiry.name));
    if (candidate && !monitor->external)
        candidate->deniable = judge_has_proof(reply);
}

/* What a validating upstream has denied with proof it may have denied from its cache, its link cut or not. That counts
 * only where no other zone is left to ask about. */
static bool vouches(const struct monitor *monitor, struct view name)
{
    struct monitors        *monitors  = monitor->monitors;
    const struct candidate *candidate = candidate_above(monitors, name);
    if (monitor->external || !candidate || !candidate->deniable)
        return true;
    for (unsigned i = 0; i < monitors->candidate_count; i++)
        if (!monitors->candidates[i].deniable)
            return false;
    return true;
}

/* All that were asked at all failed their last one. */
static void look_for_trouble(struct monitors *monitors, msec_t now)
{
    msec_t since = MSEC_NEVER;
    for (unsigned i = 0; i < monitors->count; i++) {
        const struct monitor *monitor = &monitors->list[i];
        const struct control *last    = control_last(monitor->told);
        if (monitor->group != SETUP_DOMESTIC || monitor->control_asked == 0)
            continue;
        if (last->sent == 0 || outcome_usable(last->outcome))
            return;
        since = msec_min(since, last->sent);
    }
    monitors->troubled(monitors->owner, since, now);
}

/* Of several that are open in one silence the first to end speaks for all. Where one that was sent later was answered the
 * trouble is over, and what fails in a pause makes that no longer. */
static void note_failure(struct monitor *monitor, const struct control *told, msec_t now)
{
    const struct control *last = control_last(monitor->told);
    bool                  over = last->sent > told->sent && outcome_usable(last->outcome);
    if (told->sent >= monitor->failed_at)
        trouble_note(&monitor->trouble, 0, 1, now);
    if (!over && told->sent >= monitor->pause_end) {
        monitor->pause     = monitor->pause ? msec_min(2 * monitor->pause, CONTROL_PAUSE_MAX) : CONTROL_PAUSE;
        monitor->pause_end = now + monitor->pause;
    }
    monitor->failed_at = now;
}

static void on_control_done(void *owner, struct errand *errand, msec_t now)
{
    struct monitor   *monitor   = owner;
    struct monitors  *monitors  = monitor->monitors;
    struct candidate *candidate = candidate_above(monitors, name_view(&errand->inquiry.name));
    struct control    told      = {.sent = errand->exchange.started, .outcome = errand->exchange.outcome};
    bool              answered  = outcome_usable(told.outcome);
    told.good                   = answered && vouches(monitor, name_view(&errand->inquiry.name));
    if (candidate && !monitor->external)
        candidate->good = told.good;
    monitor->told[monitor->told_next++ % CONTROLS_TOLD] = told;
    if (answered) {
        monitor->pause = monitor->pause_end = 0;
        return;
    }
    monitors->stats->control_failures++;
    note_failure(monitor, &told, now);
    if (monitor->group == SETUP_DOMESTIC)
        look_for_trouble(monitors, now);
}

static bool is_studied_below(const struct monitors *monitors, struct view zone)
{
    LIST_EACH (item, next, monitors->studies)
        if (name_is_at_or_below(name_view(&CONTAINER_OF(item, struct study, link)->name), zone))
            return true;
    return false;
}

/* A zone that domestic answered lately, searched from a random place on: rather one below which no cache can deny a
 * name, that nobody doubts now, and that served before; but an answer below any proves something. NULL: there is none.
 */
static const struct name *control_zone(struct monitors *monitors)
{
    const struct name *found = NULL;
    unsigned           least = UINT_MAX;
    unsigned from = monitors->candidate_count ? rng_below(&monitors->errands->env->rng, monitors->candidate_count) : 0;
    for (unsigned i = 0; i < monitors->candidate_count; i++) {
        const struct candidate *candidate = &monitors->candidates[(from + i) % monitors->candidate_count];
        unsigned                flaws =
            4u * candidate->deniable + 2u * is_studied_below(monitors, name_view(&candidate->zone)) + !candidate->good;
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
static bool control_name(struct monitors *monitors, const struct monitor *monitor, struct name *ret)
{
    static const struct name root  = {.len = 1};
    const struct name       *below = monitor->external ? &root : control_zone(monitors);
    return below && name_prepend_random(ret, name_view(below), &monitors->errands->env->rng) &&
           attribution_is_open(monitors->errands->env->setup->policy, name_view(ret));
}

static struct errand *free_control(struct monitor *monitor)
{
    for (unsigned i = 0; i < MONITOR_CONTROLS; i++)
        if (!monitor->controls[i].running)
            return &monitor->controls[i];
    return NULL;
}

static bool is_ready(struct monitor *monitor, msec_t now)
{
    return free_control(monitor) && (monitor->control_asked == 0 || now - monitor->control_asked >= CONTROL_EVERY);
}

static void ask_control(struct monitors *monitors, struct monitor *monitor, msec_t now)
{
    struct errand *control = free_control(monitor);
    struct errand  fresh   = {
           .life    = CONTROL_LIFE,
           .read    = on_control_read,
           .done    = on_control_done,
           .owner   = monitor,
           .inquiry = {.type = TYPE_CNAME, .class = CLASS_IN, .dnssec_ok = !monitor->external},
    };
    if (!control_name(monitors, monitor, &fresh.inquiry.name))
        return;
    monitors->stats->controls++;
    *control               = fresh;
    monitor->control_asked = now;
    errand_start(monitors->errands, control, monitor->server, now);
}

bool monitors_told(struct monitors *monitors, const struct server *server, msec_t since, struct control *ret)
{
    const struct monitor *monitor = monitor_of(monitors, server);
    if (!monitor)
        return false;
    *ret = *control_last(monitor->told);
    return ret->sent > 0 && ret->sent >= since;
}

/* ---- trials ---- */

struct look {
    struct monitors *monitors;
    msec_t           now;
};

static void fare_of(void *context, const struct server *server, struct fare *ret)
{
    static const struct control none[CONTROLS_TOLD] = {0};
    const struct look          *look                = context;
    struct monitor             *monitor             = monitor_of(look->monitors, server);
    *ret                                            = (struct fare){.share = 1, .told = none};
    if (!monitor)
        return;
    monitor_note_fare(monitor, look->now);
    ret->share = trouble_share(&monitor->trouble, look->now);
    ret->ready = is_ready(monitor, look->now);
    ret->asked = monitor->control_asked;
    ret->told  = monitor->told;
}

static bool is_trial(const struct study *study) { return study->kind == STUDY_CONFIRM || study->kind == STUDY_BROKEN; }

static void ask_wanted(struct monitors *monitors, const struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->witness_count; i++) {
        struct monitor *monitor = monitor_of(monitors, study->witnesses[i].server);
        if (study->witnesses[i].wants_control && is_ready(monitor, now))
            ask_control(monitors, monitor, now);
    }
}

/* First all ask what they ask, then one control question stands behind it for all. */
void monitors_tend(struct monitors *monitors, msec_t now)
{
    struct look look = {monitors, now};
    LIST_EACH (item, next, monitors->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (is_trial(study))
            trial_look(study, fare_of, &look, now);
    }
    LIST_EACH (item, next, monitors->studies)
        if (is_trial(CONTAINER_OF(item, struct study, link)))
            ask_wanted(monitors, CONTAINER_OF(item, struct study, link), now);
}

void monitors_note_trouble(struct monitors *monitors, const struct server *server, unsigned failed, msec_t now)
{
    struct monitor *monitor = monitor_of(monitors, server);
    if (monitor)
        trouble_note(&monitor->trouble, 0, failed, now);
}

double monitors_share(struct monitors *monitors, const struct server *server, msec_t now)
{
    struct monitor *monitor = monitor_of(monitors, server);
    return monitor ? trouble_share(&monitor->trouble, now) : 1;
}

/* One control question that fails is enough for a while: further ones would show no more, and the longer it goes on the
 * likelier. */
static bool is_in_trouble(struct monitor *monitor, msec_t now)
{
    return now < monitor->pause_end || trouble_share(&monitor->trouble, now) > TRIAL_TROUBLE;
}

bool monitors_in_trouble(struct monitors *monitors, msec_t now)
{
    for (unsigned i = 0; i < monitors->count; i++)
        if (monitors->list[i].group == SETUP_DOMESTIC && !is_in_trouble(&monitors->list[i], now))
            return false;
    return true;
}

/* ---- what they are asked below ---- */

void monitors_offer(struct monitors *monitors, struct view domain)
{
    for (unsigned i = 0; i < monitors->candidate_count; i++)
        if (name_equal(name_view(&monitors->candidates[i].zone), domain))
            return;
    unsigned place = monitors->candidate_count < MONITOR_CANDIDATES
                         ? monitors->candidate_count++
                         : rng_below(&monitors->errands->env->rng, MONITOR_CANDIDATES);
    name_set_lower(&monitors->candidates[place].zone, domain);
    monitors->candidates[place].deniable = monitors->candidates[place].good = false;
}

void monitors_withdraw(struct monitors *monitors, struct view zone)
{
    for (unsigned i = 0; i < monitors->candidate_count; i++)
        if (name_is_at_or_below(name_view(&monitors->candidates[i].zone), zone))
            monitors->candidates[i--] = monitors->candidates[--monitors->candidate_count];
}
