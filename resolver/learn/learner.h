/*
 * learner.h: the writer of the zone table: applies evidence, keeps the caps, knows what is due, and tells what changed.
 * It does not know how evidence is come by (probe/prober), nor who is told (server/keeper).
 *
 * Zones that belong together recover together: when a recheck finds one of a nameserver set open, two others of the
 * set are due within KIN_SPREAD, and when it finds a second one, all are; batch.h has the same for mass events.
 *
 * Times are monotonic ms; a zone's times reach disk and people as calendar time (record.h), so that a jump of the
 * calendar moves what is shown and nothing else.
 *
 * Thread: keeper.
 */
#ifndef LEARN_LEARNER_H
#define LEARN_LEARNER_H

#include "base/rng.h"
#include "learn/dossier.h"
#include "learn/nameservers.h"
#include "learn/table.h"

struct learner;

enum { /* ms */
    KIN_SPREAD = 60 * 1000,
};
#define PROVED_LIFE ((msec_t) 86400 * 1000) /* ms: then it is proved anew, if somebody asks */
#define FORMER_LIFE                                                                                                    \
    ((msec_t) 30 * 86400 *                                                                                             \
     1000) /* ms: so long a zone that recovered is remembered as blocked before                  \
                                  */

struct learner_limits {
    struct zone_limits zone;
    size_t             max_zones;
};

/* Called after a zone's state, pin or presence changed. `removed`: it leaves the table after the call. */
struct learner_hooks {
    void (*changed)(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed);
    /* A pin's time is over, and no query goes its way any more. NULL: nobody is told. */
    void (*pin_ended)(void *context, struct view zone);
    /* The registrable domain of a zone, a tail of its name, or empty. NULL: LIMIT_DOMAIN_ZONES binds nobody. */
    struct view (*domain)(void *context, struct view zone);
    void *context;
};

/* `table` is borrowed. NULL: no memory. */
struct learner *learner_create(struct table *table, const struct learner_limits *limits,
                               const struct learner_hooks *hooks, const uint8_t seed[RNG_SEED_BYTES]);
void            learner_destroy(struct learner *learner);
void            learner_set_limits(struct learner *learner, const struct learner_limits *limits);
struct table   *learner_table(struct learner *learner);

struct zone_id {
    struct view     name;
    enum zone_scope scope;
    uint16_t        type; /* SCOPE_TYPE */
};

/* Evidence about a zone that may not be listed yet; `asked`, `asked_type`: the question that failed. Returns the zone
 * if it is (still) listed, else NULL: it is clear, a cap forbids it, or no memory. */
struct zone *learner_apply(struct learner *learner, const struct zone_id *id, enum evidence evidence,
                           enum zone_reason reason, struct view asked, uint16_t asked_type, msec_t now);
/* The same for a zone in hand. False: it is not listed any more. */
bool learner_apply_zone(struct learner *learner, struct zone *zone, enum evidence evidence, enum zone_reason reason,
                        msec_t now);

/* A blocked zone is rechecked now, or recheck_first after its last failure. */
void learner_hurry(struct learner *learner, struct zone *zone, msec_t now);
/* A recovering zone is rechecked then, if recheck_max allows: until then its question may be answered from a cache.
 * Sets zone->waited_out until the next evidence. */
void learner_wait_out(struct learner *learner, struct zone *zone, msec_t until);

/* True if the zone was found blocked, and recovered, within FORMER_LIFE. */
bool learner_was_blocked(const struct learner *learner, struct view zone, msec_t now);
/* True if all of these nameservers are known for blocked zones (nameservers.h). */
bool learner_is_kin(const struct learner *learner, const struct delegation *servers);
/* True if a set with these names is kept, so that their addresses need not be asked. */
bool learner_knows_set(const struct learner *learner, const struct delegation *servers);
/* What the nameservers of a blocked or recovering zone are. */
void learner_place(struct learner *learner, struct zone *zone, const struct delegation *servers);

/* Domestic was proved to answer for `name`, though a zone above it is blocked: for PROVED_LIFE the name and what is
 * below it are asked there, unless it fails. Nothing is done about a zone that is listed, nor above LIMIT_SUSPECTS. */
void learner_prove(struct learner *learner, struct view name, msec_t now);

/* For the operator's eyes. learner_recall() replaces the history, oldest line first. */
void learner_recall(struct learner *learner, struct zone *zone, const struct change_line *lines, unsigned count);
void learner_note(struct learner *learner, struct zone *zone, const struct evidence_line *line);

/* The operator. `until`: MSEC_NEVER for ever. `note`: copied, may be NULL. NULL: no memory. */
struct zone *learner_pin(struct learner *learner, struct view name, enum pin pin, msec_t until, const char *note,
                         msec_t now);
/* False: no such pin. */
bool learner_unpin(struct learner *learner, struct view name, msec_t now);
/* Drops the zone's entries of all scopes, pins excepted, that have failed at `until` or before for the last time, and
 * that it was blocked before. Returns how many. */
size_t learner_forget(struct learner *learner, struct view name, msec_t until, msec_t now);

/* A zone as it was, times already in this clock. All is borrowed. */
struct learned {
    struct zone_id   id;
    struct condition condition;
    enum zone_source source;
    enum pin         pin; /* PIN_NONE: the next two are nothing */
    msec_t           pin_until;
    const char      *note; /* NULL: none */
    struct view      asked;
    uint16_t         asked_type;
    msec_t           last_used;
};

/* From disk or import. Replaces the condition of one that is there; a pin of this node stays unless one is given. Its
 * next recheck, or end, is not left further off than the settings allow; over max_zones another one gives way. NULL: no
 * memory, or nothing is to be said of it. */
struct zone *learner_restore(struct learner *learner, const struct learned *learned, msec_t now);

/* What another node, or a file, says of a zone that is blocked. All is borrowed. */
struct hearsay {
    struct zone_id   id;
    enum zone_reason reason;
    msec_t           failed;   /* in this clock: when it failed for the last time */
    msec_t           interval; /* ms between rechecks, there */
    struct view      asked;
    uint16_t         asked_type;
    enum zone_source source; /* of an entry that is new here */
};

/* It is blocked here too, and its next recheck is due as if it had failed here then; a failure that is not later than
 * the last one known changes nothing. NULL: there is no room, nobody gives way to it; or no memory. */
struct zone *learner_hear(struct learner *learner, const struct hearsay *heard, msec_t now);

/* Domestic is down, or in trouble: what looked like a failing zone was its own doing. Every suspicion that failed at
 * `since` or later for the last time is dropped. */
void learner_drop_suspicions(struct learner *learner, msec_t since, msec_t now);

/* When the next pin or suspicion ends, and ending those that are over. Not to be kept waiting by rechecks. */
msec_t learner_next_end(const struct learner *learner);
void   learner_end_due(struct learner *learner, msec_t now);
/* When the next recheck is due, and the zone, the most lately used first (pick.h); NULL: none. The caller rechecks it
 * and calls learner_apply_zone(); until then it is not returned again for ZONE_POSTPONE. Zones that were not used for
 * ZONE_IDLE are forgotten instead. */
msec_t       learner_next_recheck(const struct learner *learner);
struct zone *learner_recheck_due(struct learner *learner, msec_t now);

/* The zone's recheck was given up before it came to an end: it is due as if it had not begun. */
void learner_recheck_undone(struct learner *learner, struct zone *zone);

/* Zones by state, and of each by source (who is pinned is not counted under what it was learned from), pins, and zones
 * proved fine. */
struct learner_counts {
    size_t states[ZONE_STATE_COUNT], sources[ZONE_STATE_COUNT][SOURCE_COUNT], pins, proved;
};
struct learner_counts learner_count(const struct learner *learner);
/* Frees what was removed (table_reclaim). */
void learner_reclaim(struct learner *learner);

#endif
