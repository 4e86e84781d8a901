/*
 * truth.h: the country that the simulator plays in: which zones there are, on whose nameservers, which of them domestic
 * cannot reach and when, and when upstreams or the link to the world are down. A pure function of the seed: every
 * strategy meets the same weather.
 */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

#include "base/types.h"
#include "dns/message.h"
#include "dns/name.h"

enum kind_of_zone {
    KIND_HEALTHY,
    KIND_SLOW,     /* each recursion takes 1.2 to 3 s */
    KIND_LOSSY,    /* a third of the recursions take seconds longer or fail */
    KIND_BROKEN,   /* fails on both sides */
    KIND_FILTERED, /* blocked by its own name, not by its servers, now and then */
    KIND_ONE_NAME, /* only the name `mail` is filtered, now and then */
    KIND_ONE_TYPE, /* domestic fails AAAA, always */
    KIND_FLAPPING, /* blocked three hours, open three hours */
    KINDS
};
extern const char *const kind_words[KINDS];

enum outage {
    OUTAGE_DOMESTIC_1, /* this upstream is silent */
    OUTAGE_REFUSES_1,  /* it refuses everything */
    OUTAGE_FAILS_1,    /* SERVFAIL, the same */
    OUTAGE_DOMESTIC,   /* all are silent */
    OUTAGE_EXTERNAL_1,
    OUTAGE_EXTERNAL,
    OUTAGE_LINK,         /* abroad is not reached, neither by domestic nor external itself */
    OUTAGE_REFUSED,      /* domestic refuses everything */
    OUTAGE_LIMITED,      /* domestic is silent to everything */
    OUTAGE_FAILS,        /* domestic says SERVFAIL to everything */
    OUTAGE_RATE_REFUSES, /* domestic answers so many questions a second, and refuses the rest */
    OUTAGE_RATE_FAILS,   /* the same, SERVFAIL */
    OUTAGE_RATE_DROPS,   /* the same, silence */
    OUTAGE_ROOT,         /* domestic is silent to . NS alone */
    OUTAGES
};
extern const char *const outage_words[OUTAGES];

struct subject { /* what a question is about */
    uint32_t zone;
    uint64_t name; /* hash */
    uint16_t type;
    bool     mail; /* its first label */
    bool     exists;
    size_t   apex_labels;
};

struct truth;

struct weather { /* beside the usual: from an eighth of the time to the last one this goes on */
    bool        on;
    enum outage outage;
    double      severity; /* of a rate limit: how many times what is let through is asked */
};

/* `forging`: the border forges for some zones, abroad and at home. */
struct truth *truth_create(uint64_t seed, unsigned zones, msec_t length, const struct weather *weather, bool forging);
void          truth_destroy(struct truth *truth);

unsigned          truth_zones(const struct truth *truth); /* of all sorts: numbers of zones lie below */
enum kind_of_zone truth_kind(const struct truth *truth, uint32_t zone);
bool              truth_foreign(const struct truth *truth, uint32_t zone);
unsigned          truth_provider(const struct truth *truth, uint32_t zone);
/* A hash that belongs to the zone: what is drawn once and stays. */
uint64_t truth_draw(const struct truth *truth, uint32_t zone, unsigned salt);

/* Domestic cannot get at that: the border's doing. */
bool truth_blocked(const struct truth *truth, const struct subject *subject, msec_t now);
/* The border forges answers for its names, for whomever is asked across it. */
bool truth_censored(const struct truth *truth, uint32_t zone);
/* The whole zone is, be it that its answers are forged. */
bool truth_zone_blocked(const struct truth *truth, uint32_t zone, msec_t now);
/* When the block at `now` ends, or the last one before it ended; 0: there was none. */
msec_t truth_block_end(const struct truth *truth, uint32_t zone, msec_t now);
bool   truth_outage(const struct truth *truth, enum outage outage, msec_t now);
/* How many times what a rate limit lets through is asked now; 0: there is none. */
double truth_rate(const struct truth *truth, enum outage outage, msec_t now);
/* Its answers prove that a name is not there, by NSEC. */
bool truth_signed(const struct truth *truth, uint32_t zone);

/* Names. */
void truth_apex(const struct truth *truth, uint32_t zone, struct name *ret);
/* False: of no zone of this country (it does not exist then). */
bool     truth_subject(const struct truth *truth, struct view name, uint16_t type, struct subject *ret);
uint32_t truth_child(const struct truth *truth, uint32_t zone);   /* a delegated zone below it, or 0 */
uint32_t truth_reverse(const struct truth *truth, uint32_t zone); /* where its mail servers' addresses are */
uint32_t truth_blocklist(const struct truth *truth);

uint64_t sim_hash(uint64_t a, uint64_t b, uint64_t c);

#endif
