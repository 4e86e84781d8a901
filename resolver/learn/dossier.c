/*
 * dossier.c: see dossier.h.
 */
#include "learn/dossier.h"

#include "base/limits.h"

#include <stdlib.h>

void dossiers_init(struct dossiers *dossiers)
{
    list_init(&dossiers->list);
    dossiers->count = 0;
}

void dossiers_fini(struct dossiers *dossiers)
{
    LIST_EACH (item, next, &dossiers->list)
        free(CONTAINER_OF(item, struct dossier, link));
}

void dossier_close(struct dossiers *dossiers, struct zone *zone)
{
    if (!zone->dossier)
        return;
    list_remove(&zone->dossier->link);
    free(zone->dossier);
    zone->dossier = NULL;
    dossiers->count--;
}

static struct dossier *open_dossier(struct dossiers *dossiers, struct zone *zone)
{
    if (!zone->dossier) {
        if (dossiers->count >= LIMIT_DOSSIERS)
            dossier_close(dossiers, CONTAINER_OF(dossiers->list.next, struct dossier, link)->zone);
        struct dossier *dossier = calloc(1, sizeof(*dossier));
        if (!dossier)
            return NULL;
        list_init(&dossier->link);
        dossier->zone = zone;
        zone->dossier = dossier;
        dossiers->count++;
    }
    list_remove(&zone->dossier->link);
    list_append(&dossiers->list, &zone->dossier->link);
    return zone->dossier;
}

void dossier_note_evidence(struct dossiers *dossiers, struct zone *zone, const struct evidence_line *line)
{
    struct dossier *dossier = open_dossier(dossiers, zone);
    if (dossier)
        dossier->evidence[dossier->evidence_count++ % DOSSIER_EVIDENCE] = *line;
}

void dossier_note_change(struct dossiers *dossiers, struct zone *zone, const struct change_line *line)
{
    struct dossier *dossier = open_dossier(dossiers, zone);
    if (dossier)
        dossier->history[dossier->history_count++ % DOSSIER_HISTORY] = *line;
}
