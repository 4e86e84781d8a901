/*
 * studies.c: the studies that are under way: how many of each kind there may be, and which is about what. See
 * prober_internal.h.
 */
#include "probe/prober_internal.h"

#include <stdlib.h>

/* Each kind has places of its own: dead zones, of which a stranger has as many as he likes, must not keep a
 * confirmation out. */
static const unsigned study_limits[STUDY_KINDS] = {
    [STUDY_CONFIRM] = LIMIT_CONFIRMATIONS, [STUDY_BROKEN] = LIMIT_CHECKS,
    [STUDY_RECHECK] = RECHECKS_AT_ONCE,    [STUDY_CUT] = LIMIT_CHECKS,
    [STUDY_PROBE] = LIMIT_CHECKS,
};

struct study *prober_study_new(struct prober *prober, enum study_kind kind, msec_t now)
{
    struct study *study = prober->study_counts[kind] < study_limits[kind] ? calloc(1, sizeof(*study)) : NULL;
    if (!study) {
        prober->stats.skipped++;
        return NULL;
    }
    study->kind    = kind;
    study->script  = kind == STUDY_CONFIRM || kind == STUDY_BROKEN ? &trial_script : &inspection_script;
    study->errands = &prober->errands;
    study->done    = prober->study_done;
    study->owner   = prober;
    study->started = now;
    list_append(&prober->studies, &study->link);
    prober->study_counts[kind]++;
    return study;
}

void prober_study_ended(struct prober *prober, struct study *study)
{
    list_remove(&study->link);
    list_append(&prober->finished, &study->link);
    prober->study_counts[study->kind]--;
}

void prober_free_finished(struct prober *prober)
{
    LIST_EACH (item, next, &prober->finished) {
        list_remove(item);
        free(CONTAINER_OF(item, struct study, link));
    }
}

struct study *prober_study_of(const struct prober *prober, enum study_kind kind, struct view zone, struct view name)
{
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        struct view   about = name_view(study->zone.len ? &study->zone : &study->guess);
        if (study->kind == kind &&
            ((zone.len > 0 && about.len > 0 && name_equal(about, zone)) || name_equal(name_view(&study->name), name)))
            return study;
    }
    return NULL;
}
