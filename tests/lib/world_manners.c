/*
 * world_manners.c: see world.h: what servers are told to do, and what is where. Who is asked too much forgets what it
 * was told.
 */
#include "lib/world_internal.h"

#include "lib/check.h"

void world_say(struct world *world, unsigned servers, const char *zone, struct manner manner)
{
    if (world->say_count == WORLD_SAYINGS)
        fail_msg("too much was said");
    world->sayings[world->say_count++] = (struct saying){.servers = servers, .zone = named(zone), .manner = manner};
}

void world_cut(struct world *world, const char *zone) { world->cuts[world->cut_count++] = named(zone); }

void world_alias(struct world *world, const char *name, const char *target)
{
    world->aliases[world->alias_count++] = (struct alias){named(name), named(target)};
}

void world_host(struct world *world, const char *zone, const char *host)
{
    world->hosts[world->host_count++] = (struct alias){named(zone), named(host)};
}

void world_lose(struct world *world, unsigned thousandths) { world->options.loss = thousandths; }

static struct manner told(const struct world *world, unsigned place, const struct message *question,
                          enum transport transport)
{
    for (size_t i = world->say_count; i-- > 0;) {
        const struct saying *saying = &world->sayings[i];
        const struct manner *manner = &saying->manner;
        if (saying->servers & 1u << place && name_is_at_or_below(question->question.name, name_view(&saying->zone)) &&
            (!manner->type || manner->type == question->question.type) &&
            (!manner->only_over || manner->over == transport))
            return *manner;
    }
    return (struct manner){.way = place == WORLD_CANARY ? SILENT : ANSWERS};
}

void world_limit(struct world *world, unsigned servers, struct world_rate rate)
{
    unsigned first = (unsigned) __builtin_ctz(servers);
    for (unsigned i = first; i < WORLD_SERVERS; i++) {
        if (!(servers & 1u << i))
            continue;
        world->limiters[i] = (struct limiter){.rate = rate, .left = (msec_t) rate.burst * 1000, .at = world->now};
        world->limits[i]   = &world->limiters[rate.together ? first : i];
    }
}

/* A bucket, or a count that begins anew with each second. */
static void refill(struct limiter *limiter, msec_t now)
{
    const struct world_rate *rate = &limiter->rate;
    if (rate->burst > 0)
        limiter->left = msec_min(limiter->left + (now - limiter->at) * rate->per_second, (msec_t) rate->burst * 1000);
    else if (now / 1000 != limiter->at / 1000)
        limiter->left = (msec_t) rate->per_second * 1000;
    limiter->at = now;
}

static bool is_above_rate(struct limiter *limiter, msec_t now)
{
    if (!limiter || limiter->rate.per_second == 0)
        return false;
    refill(limiter, now);
    if (limiter->left < 1000)
        return true;
    limiter->left -= 1000;
    return false;
}

struct manner world_manner_for(struct world *world, unsigned place, const struct message *question,
                               enum transport transport)
{
    struct limiter *limiter = world->limits[place];
    if (is_above_rate(limiter, world->now))
        return (struct manner){.way = limiter->rate.way};
    return told(world, place, question, transport);
}

struct world_facts world_facts_for(const struct world *world, unsigned place, struct view name)
{
    struct world_facts facts = {
        .soa = name_tail(name, 2), .group = world_group(place), .server = place % WORLD_GROUP_BITS};
    size_t labels = 0;
    for (size_t i = 0; i < world->alias_count; i++)
        if (name_equal(name, name_view(&world->aliases[i].name)))
            facts.target = name_view(&world->aliases[i].target);
    for (size_t i = 0; i < world->cut_count; i++) {
        struct view cut = name_view(&world->cuts[i]);
        if (name_is_at_or_below(name, cut) && name_labels(cut) >= labels) {
            facts.soa = cut;
            labels    = name_labels(cut);
        }
    }
    for (size_t i = 0; i < world->host_count; i++)
        if (name_equal(facts.soa, name_view(&world->hosts[i].name)) && facts.host_count < WORLD_NAMESERVERS)
            facts.hosts[facts.host_count++] = name_view(&world->hosts[i].target);
    return facts;
}

void world_inject(struct world *world, unsigned servers, const char *zone, msec_t after)
{
    if (world->injector_count == WORLD_INJECTORS)
        fail_msg("too many injectors");
    world->injectors[world->injector_count++] =
        (struct injector){.servers = servers, .zone = named(zone), .after = after};
}
