/*
 * simple.c: three simpler strategies, each with an answer cache and resolvers of its own: race both always; ask
 * domestic, and external after 500 ms or a failure, and remember nothing; the same, but a name that only external
 * answered is asked there for an hour.
 */
#include "sim/sim.h"

#include <stdlib.h>

enum {
    CACHE    = 1 << 19,
    FALLBACK = 500,     /* ms */
    REMEMBER = 3600000, /* ms */
    DEADLINE = 4500,
};

struct kept {
    uint64_t question;
    msec_t   until;
};

struct simple {
    struct resolver *groups[2][2];
    struct kept      answers[CACHE], blocked[CACHE];
};

static void *open_simple(struct sim *sim)
{
    struct simple *simple = calloc(1, sizeof(*simple));
    for (unsigned i = 0; i < 4; i++)
        simple->groups[i / 2][i % 2] = resolver_create(sim->truth, i >= 2, i % 2, sim->options.seed);
    return simple;
}

static void close_simple(struct sim *sim, void *self)
{
    struct simple *simple = self;
    (void) sim;
    for (unsigned i = 0; i < 4; i++)
        resolver_destroy(simple->groups[i / 2][i % 2]);
    free(simple);
}

static bool is_kept(const struct kept *kept, uint64_t question, msec_t now)
{
    return kept[question % CACHE].question == question && kept[question % CACHE].until > now;
}

static void tell(struct sim *sim, void *context, uint64_t usable) { sim_answered(sim, context, usable); }

static struct says_at ask_side(struct sim *sim, struct simple *simple, struct lookup *lookup, bool external, msec_t at)
{
    struct says_at says = group_ask(simple->groups[external], &lookup->subject, sim->now + at);
    says.after += at;
    if (external) {
        lookup->asked_external = 1;
        lookup->external_wait  = at;
    } else {
        lookup->asked_domestic = 1;
        lookup->domestic_took  = says.says == SAYS_ANSWER ? says.after - at : -1;
        sim->score.domestic_packets++;
    }
    return says;
}

static bool answers(struct says_at says) { return says.says == SAYS_ANSWER && says.after <= DEADLINE; }

static void finish(struct sim *sim, struct simple *simple, struct lookup *lookup, struct says_at a, struct says_at b)
{
    uint64_t question = sim_hash(lookup->subject.name, lookup->subject.type, 3) | 1;
    bool     usable   = answers(a) || answers(b);
    msec_t   after    = DEADLINE;
    if (answers(a))
        after = a.after;
    if (answers(b) && b.after < after)
        after = b.after;
    if (!usable && a.says != SAYS_NOTHING && b.says != SAYS_NOTHING)
        after = msec_min(DEADLINE, msec_max(a.after, b.after));
    if (usable)
        simple->answers[question % CACHE] =
            (struct kept){question, sim->now + 300 * 1000 +
                                        (msec_t) (truth_draw(sim->truth, lookup->subject.zone, 42) % 3300) * 1000};
    sim_at(sim, sim->now + after, tell, lookup, usable);
}

/* `memory`: names are remembered. */
static void ask_in_turn(struct sim *sim, struct simple *simple, struct lookup *lookup, bool memory)
{
    uint64_t             question = sim_hash(lookup->subject.name, 0, 4) | 1;
    const struct says_at nothing  = {SAYS_NOTHING, 0};
    if (lookup->fenced) {
        finish(sim, simple, lookup, ask_side(sim, simple, lookup, false, 0), nothing);
        return;
    }
    bool           turned = memory && is_kept(simple->blocked, question, sim->now);
    struct says_at first = ask_side(sim, simple, lookup, turned, 0), second = nothing;
    bool           late = first.says == SAYS_NOTHING || first.after > FALLBACK;
    if (late || first.says != SAYS_ANSWER)
        second = ask_side(sim, simple, lookup, !turned, late ? FALLBACK : first.after);
    if (memory && !turned && !answers(first) && answers(second))
        simple->blocked[question % CACHE] = (struct kept){question, sim->now + REMEMBER};
    finish(sim, simple, lookup, first, second);
}

static bool from_cache(struct sim *sim, struct simple *simple, struct lookup *lookup)
{
    uint64_t question = sim_hash(lookup->subject.name, lookup->subject.type, 3) | 1;
    if (!is_kept(simple->answers, question, sim->now))
        return false;
    sim_at(sim, sim->now, tell, lookup, true);
    return true;
}

static void ask_race(struct sim *sim, void *self, struct lookup *lookup)
{
    const struct says_at nothing = {SAYS_NOTHING, 0};
    if (from_cache(sim, self, lookup))
        return;
    struct says_at domestic = ask_side(sim, self, lookup, false, 0);
    finish(sim, self, lookup, domestic, lookup->fenced ? nothing : ask_side(sim, self, lookup, true, 0));
}

static void ask_fixed(struct sim *sim, void *self, struct lookup *lookup)
{
    if (!from_cache(sim, self, lookup))
        ask_in_turn(sim, self, lookup, false);
}

static void ask_names(struct sim *sim, void *self, struct lookup *lookup)
{
    if (!from_cache(sim, self, lookup))
        ask_in_turn(sim, self, lookup, true);
}

static msec_t next_simple(void *self)
{
    (void) self;
    return MSEC_NEVER;
}

static void on_time_simple(void *self, msec_t now) { (void) self, (void) now; }

const struct strategy strategy_race  = {"race", open_simple, ask_race, next_simple, on_time_simple, close_simple};
const struct strategy strategy_fixed = {"fixed", open_simple, ask_fixed, next_simple, on_time_simple, close_simple};
const struct strategy strategy_names = {"names", open_simple, ask_names, next_simple, on_time_simple, close_simple};
