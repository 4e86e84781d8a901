/*
 * sim.h: the simulator's parts to each other: events in virtual time, mail that looks names up, strategies that answer,
 * and the score that is kept with the truth known.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "lib/agenda.h"
#include "sim/resolver.h"

#include <stdio.h>

enum {
    SIM_BEGIN     = 1000 * 1000, /* ms: the clock does not begin at 0 */
    SIM_REPLY_MAX = 1024,
    SIM_STRANGER  = 0x1f0d5801, /* the address that is forged */
};

struct sim;
struct lookup;

typedef void (*event_fn)(struct sim *sim, void *context, uint64_t number);

struct lookup { /* one question of a mail server */
    struct name    name;
    struct subject subject;
    uint8_t        asked_external, asked_domestic;   /* packets, or 1 */
    bool           usable, domestic_ok, external_ok; /* who could answer, by the truth, when it was asked */
    bool           fenced;
    msec_t         asked, answered;
    msec_t         external_wait; /* until the first packet to external */
    msec_t         domestic_took; /* the first packet to domestic; -1: none or silent */
    msec_t         oracle;        /* ms the best way takes */
    struct mail   *mail;
    bool           open;
};

struct strategy {
    const char *word;
    void *(*open)(struct sim *sim);
    void (*ask)(struct sim *sim, void *self, struct lookup *lookup); /* calls sim_answered() once, now or later */
    msec_t (*next)(void *self);                                      /* MSEC_NEVER: it waits for events only */
    void (*on_time)(void *self, msec_t now);
    void (*close)(struct sim *sim, void *self);
};
extern const struct strategy strategy_byway, strategy_race, strategy_fixed, strategy_names;

struct held {                     /* one time that a zone was held blocked */
    msec_t from, interval, found; /* found: open, by the last good recheck from which it began to recover */
    bool   listed, truly;         /* truly: the zone was blocked when it was learned */
};

struct hour {      /* zones at that time */
    unsigned met;  /* blocked as a whole, and a lookup has met it */
    unsigned held; /* held blocked or recovering */
    unsigned over; /* of these, the block has ended */
};

struct score {
    uint64_t    lookups, failed, avoidable, avoidable_outage, denied;
    uint64_t    healthy, healthy_external, healthy_slow_external, external;
    uint64_t    blocked, blocked_direct, blocked_third, blocked_third_waited;
    uint64_t    domestic_packets, own_packets, rechecks;
    uint64_t    forged, forged_missed;               /* given out; the canary's datagrams were lost */
    uint64_t    false_holds, false_healthy, learned; /* healthy: not lossy, which answer or fail by chance */
    double      false_hours, blocked_hours, lag_hours;
    msec_t     *added, *learn, *recover; /* samples, ms; recover: in thousandths of the interval */
    size_t      added_count, learn_count, recover_count, added_cap, learn_cap, recover_cap;
    struct hour hours[24 * 366];
    unsigned    hour_count;
};
void score_sample(msec_t **samples, size_t *count, size_t *cap, msec_t value);

struct options {
    uint64_t       seed, lookups;
    unsigned       zones;
    double         days;
    const char    *strategies, *json;
    bool           check, trace, forging;
    struct weather weather;
};

struct sim {
    struct options         options;
    struct truth          *truth;
    const struct strategy *strategy;
    void                  *self;
    msec_t                 now, end;
    bool                   over; /* what is cut off by the end counts for nothing */
    struct score           score;
    struct resolver       *oracle[2][2]; /* [external][number] */
    uint8_t               *seen;         /* lookups of a zone's own block so far, up to 255 */
    msec_t                *first_failed; /* by zone: when a lookup first met the present block; 0: not yet */
    uint64_t               draws;
    struct agenda          agenda; /* of events */
    size_t                 agenda_cap;
};

void   sim_at(struct sim *sim, msec_t at, event_fn fn, void *context, uint64_t number);
void   sim_answered(struct sim *sim, struct lookup *lookup, bool usable);
double sim_chance(struct sim *sim);

/* traffic.c */
void           traffic_begin(struct sim *sim);
void           traffic_end(void);
void           traffic_answered(struct sim *sim, struct lookup *lookup);
struct lookup *traffic_find(const struct name *name, uint16_t type); /* an open one; NULL: none */

/* score.c */
void score_asked(struct sim *sim, struct lookup *lookup);
void score_answered(struct sim *sim, struct lookup *lookup);
void score_print(const struct sim *sim, FILE *to);
void score_json(const struct sim *sim, FILE *to);
bool score_check(const struct sim *sim); /* prints each target that is missed */

/* reply.c: what an upstream says, as a packet; returns its length. */
struct message;
size_t reply_write(const struct truth *truth, const struct message *question, const struct subject *subject,
                   enum says says, uint8_t out[SIM_REPLY_MAX]);

#endif
