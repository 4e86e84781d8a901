/*
 * resolver.c: see resolver.h.
 */
#include "sim/resolver.h"

#include <math.h>
#include <stdlib.h>

enum {
    CACHE  = 1 << 19, /* slots; a later question takes an earlier one's */
    MINUTE = 60 * 1000,
    BURST  = 10, /* questions: a message or two */
};

struct slot {
    uint64_t question;
    msec_t   ready, expires;
    bool     forged;
};

struct dead { /* what it knows of a zone's servers */
    msec_t fails_from, fails_until;
    msec_t denies_until; /* its NSEC records: names that are not there are denied without them (RFC 8198) */
};

struct bucket { /* what a rate limit lets through */
    uint64_t asked;
    double   tokens;
    msec_t   since, at;
};

struct resolver {
    const struct truth *truth;
    bool                external;
    unsigned            number;
    uint64_t            draws, salt;
    struct dead        *dead; /* by zone */
    struct bucket       bucket;
    struct slot         slots[CACHE];
};

struct resolver *resolver_create(const struct truth *truth, bool external, unsigned number, uint64_t salt)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    resolver->truth           = truth;
    resolver->external        = external;
    resolver->number          = number;
    resolver->salt            = sim_hash(salt, external, number);
    resolver->dead            = calloc(truth_zones(truth), sizeof(*resolver->dead));
    return resolver;
}

void resolver_destroy(struct resolver *resolver)
{
    free(resolver->dead);
    free(resolver);
}

static double chance(struct resolver *resolver)
{
    return (double) (sim_hash(resolver->salt, resolver->draws++, 1) >> 11) / (double) ((uint64_t) 1 << 53);
}

static msec_t rtt(struct resolver *resolver)
{
    return resolver->external ? 80 + (msec_t) (80 * chance(resolver)) : 1 + (msec_t) (3 * chance(resolver));
}

static bool is_down(const struct resolver *resolver, msec_t now)
{
    const struct truth *truth = resolver->truth;
    if (resolver->external)
        return truth_outage(truth, OUTAGE_EXTERNAL, now) || truth_outage(truth, OUTAGE_LINK, now) ||
               (resolver->number == 0 && truth_outage(truth, OUTAGE_EXTERNAL_1, now));
    return truth_outage(truth, OUTAGE_DOMESTIC, now) ||
           (resolver->number == 0 && truth_outage(truth, OUTAGE_DOMESTIC_1, now));
}

/* By what is asked of it all the while. */
static bool over_rate(struct resolver *resolver, double severity, msec_t now)
{
    struct bucket *bucket = &resolver->bucket;
    double         usual  = (double) bucket->asked / (double) msec_max(now - bucket->since, MINUTE); /* a ms */
    double         rate   = usual / severity;
    bucket->tokens += rate * (double) (now - bucket->at);
    bucket->at = now;
    if (bucket->tokens > BURST + rate * 5000)
        bucket->tokens = BURST + rate * 5000;
    if (bucket->tokens < 1)
        return true;
    bucket->tokens--;
    return false;
}

/* False: it is not kept from answering. */
static bool is_limited(struct resolver *resolver, msec_t now, struct says_at *ret)
{
    static const struct {
        enum outage all, rate;
        enum says   says;
    } sorts[]                 = {{OUTAGE_REFUSED, OUTAGE_RATE_REFUSES, SAYS_REFUSED},
                                 {OUTAGE_FAILS, OUTAGE_RATE_FAILS, SAYS_SERVFAIL},
                                 {OUTAGE_LIMITED, OUTAGE_RATE_DROPS, SAYS_NOTHING}};
    const struct truth *truth = resolver->truth;
    if (resolver->bucket.asked++ == 0)
        resolver->bucket.since = now;
    for (unsigned i = 0; i < ARRAY_LEN(sorts); i++) {
        double severity = truth_rate(truth, sorts[i].rate, now);
        if (truth_outage(truth, sorts[i].all, now) || (severity > 0 && over_rate(resolver, severity, now))) {
            *ret = (struct says_at){sorts[i].says, rtt(resolver)};
            return true;
        }
    }
    if (resolver->number > 0)
        return false;
    *ret = (struct says_at){truth_outage(truth, OUTAGE_REFUSES_1, now) ? SAYS_REFUSED : SAYS_SERVFAIL, rtt(resolver)};
    return truth_outage(truth, OUTAGE_REFUSES_1, now) || truth_outage(truth, OUTAGE_FAILS_1, now);
}

/* Servers that do not answer. */
static struct says_at no_servers(struct resolver *resolver, const struct subject *subject, msec_t now)
{
    struct dead *dead = &resolver->dead[subject->zone];
    if (now >= dead->fails_until) { /* one try */
        dead->fails_from  = now + 8000 + (msec_t) (12000 * chance(resolver));
        dead->fails_until = dead->fails_from + 5 * MINUTE + (msec_t) (10 * MINUTE * chance(resolver));
    }
    msec_t after = dead->fails_from > now ? dead->fails_from - now : 0;
    return (struct says_at){SAYS_SERVFAIL, after + rtt(resolver)};
}

static msec_t recursion(struct resolver *resolver, const struct subject *subject)
{
    const struct truth *truth  = resolver->truth;
    enum kind_of_zone   kind   = truth_kind(truth, subject->zone);
    double              far    = truth_foreign(truth, subject->zone) && !resolver->external ? 150 : 40;
    double              spread = exp(1.2 * (chance(resolver) + chance(resolver) + chance(resolver) - 1.5));
    double              base   = far * (0.5 + (double) (truth_draw(truth, subject->zone, 40) % 100) / 50) * spread;
    if (chance(resolver) < 0.01) /* a server of several that is lame or far away */
        base += 400 + 1200 * chance(resolver);
    if (kind == KIND_SLOW)
        base += 1200 + 1800 * chance(resolver);
    if (kind == KIND_LOSSY && chance(resolver) < 0.3)
        base += 1000 + 3000 * chance(resolver);
    return (msec_t) base;
}

/* Its questions cross the border; once in a hundred the true answer is the sooner one. */
static bool is_deceived(struct resolver *resolver, const struct subject *subject)
{
    const struct truth *truth = resolver->truth;
    return truth_censored(truth, subject->zone) && truth_foreign(truth, subject->zone) != resolver->external &&
           chance(resolver) >= 0.01;
}

struct says_at resolver_ask(struct resolver *resolver, const struct subject *subject, msec_t now)
{
    const struct truth *truth = resolver->truth;
    enum kind_of_zone   kind  = truth_kind(truth, subject->zone);
    if (is_down(resolver, now) || chance(resolver) < (resolver->external ? 0.01 : 0.001))
        return (struct says_at){SAYS_NOTHING, 0};
    struct says_at limited;
    if (!resolver->external && is_limited(resolver, now, &limited))
        return limited;
    uint64_t     question = sim_hash(subject->name, subject->type, 2) | 1;
    struct slot *slot     = &resolver->slots[question % CACHE];
    if (slot->question == question && now < slot->expires)
        return (struct says_at){slot->forged ? SAYS_FORGED : SAYS_ANSWER,
                                (slot->ready > now ? slot->ready - now : 0) + rtt(resolver)};
    if (is_deceived(resolver, subject)) {
        msec_t soon = 10 + (msec_t) (40 * chance(resolver));
        *slot       = (struct slot){question, now + soon, now + soon + 150 * 1000, true};
        return (struct says_at){SAYS_FORGED, rtt(resolver) + soon};
    }
    struct dead *dead = &resolver->dead[subject->zone];
    if (!subject->exists && now < dead->denies_until)
        return (struct says_at){SAYS_ANSWER, rtt(resolver)};
    if (kind == KIND_BROKEN && truth_draw(truth, subject->zone, 41) % 2)
        return (struct says_at){SAYS_SERVFAIL, rtt(resolver) + 50};
    if (kind == KIND_BROKEN)
        return no_servers(resolver, subject, now);
    if (!resolver->external) {
        bool abroad = truth_foreign(truth, subject->zone) || subject->zone > truth_blocklist(truth);
        if (truth_blocked(truth, subject, now) && !truth_censored(truth, subject->zone)) {
            if (kind == KIND_ONE_TYPE || truth_provider(truth, subject->zone) % 3 == 0)
                return (struct says_at){SAYS_SERVFAIL, rtt(resolver) + 200};
            return no_servers(resolver, subject, now);
        }
        if (abroad && truth_outage(truth, OUTAGE_LINK, now))
            return no_servers(resolver, subject, now);
    }
    msec_t takes = recursion(resolver, subject);
    if (kind == KIND_LOSSY && chance(resolver) < 0.05)
        return (struct says_at){SAYS_SERVFAIL, rtt(resolver) + takes};
    msec_t life = 300 * 1000 + (msec_t) (truth_draw(truth, subject->zone, 42) % 3300) * 1000;
    if (!subject->exists && truth_signed(truth, subject->zone))
        dead->denies_until = now + takes + 900 * 1000;
    *slot = (struct slot){question, now + takes, now + takes + (subject->exists ? life : 900 * 1000), false};
    return (struct says_at){SAYS_ANSWER, rtt(resolver) + takes};
}

struct says_at group_ask(struct resolver *const group[2], const struct subject *subject, msec_t now)
{
    struct says_at first = resolver_ask(group[0], subject, now);
    if (first.says == SAYS_ANSWER && first.after <= 400)
        return first;
    msec_t         wait   = first.says != SAYS_NOTHING && first.after < 400 ? first.after : 400;
    struct says_at second = resolver_ask(group[1], subject, now + wait);
    second.after += wait;
    if (first.says != SAYS_ANSWER)
        return second.says == SAYS_NOTHING ? first : second;
    return second.says == SAYS_ANSWER && second.after < first.after ? second : first;
}
