/*
 * dossier.h: what was seen of a zone, exchange by exchange and change by change, for the operator. The zones that
 * something happened to last have one; there is a fixed number of them, since a million zones would take a gigabyte.
 *
 * Thread: keeper.
 */
#ifndef LEARN_DOSSIER_H
#define LEARN_DOSSIER_H

#include "base/list.h"
#include "dns/judge.h"
#include "learn/table.h"

enum {
    DOSSIER_EVIDENCE = 16, /* a study of three domestic upstreams leaves up to twelve lines */
    DOSSIER_HISTORY  = 8,
    DOSSIER_WHO      = 48
};

struct evidence_line { /* one exchange of a study */
    msec_t              at;
    uint16_t            type; /* not of a control question */
    enum evidence_about about;
    uint8_t             labels; /* of an apex: that many of the zone's asked name, from the root */
    bool                below;  /* of an apex: asked was a random label below it */
    bool                external;
    enum outcome        outcome;
    char                who[DOSSIER_WHO]; /* the upstream's address */
};

struct change_line {
    msec_t          at;
    enum zone_state from, to;
    enum zone_why   why;
};

struct dossier { /* rings: the newest overwrites the oldest */
    struct list          link;
    struct zone         *zone;
    struct evidence_line evidence[DOSSIER_EVIDENCE];
    struct change_line   history[DOSSIER_HISTORY];
    unsigned             evidence_count, history_count;
};

struct dossiers {
    struct list list; /* the one that was written to longest ago first */
    unsigned    count;
};

void dossiers_init(struct dossiers *dossiers);
void dossiers_fini(struct dossiers *dossiers); /* the zones are not touched */

/* Opens one for the zone if it has none; above LIMIT_DOSSIERS it takes over the one that was written to longest ago.
 * Without memory nothing is noted. */
void dossier_note_evidence(struct dossiers *dossiers, struct zone *zone, const struct evidence_line *line);
void dossier_note_change(struct dossiers *dossiers, struct zone *zone, const struct change_line *line);
/* The zone is leaving. */
void dossier_close(struct dossiers *dossiers, struct zone *zone);

#endif
