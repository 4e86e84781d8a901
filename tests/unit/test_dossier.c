/*
 * test_dossier.c: dossiers keep the newest lines, and of more zones than they hold the newest zones.
 */
#include "learn/dossier.h"

#include "base/limits.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <stdlib.h>

static void a_dossier_keeps_the_newest(void **state)
{
    (void) state;
    struct zone     zone = {.hash = 0};
    struct dossiers dossiers;
    dossiers_init(&dossiers);
    for (int i = 0; i < DOSSIER_EVIDENCE + 3; i++)
        dossier_note_evidence(&dossiers, &zone, &(struct evidence_line){.at = i});
    for (int i = 0; i < DOSSIER_HISTORY + 3; i++)
        dossier_note_change(&dossiers, &zone, &(struct change_line){.at = i});
    assert_int_equal(zone.dossier->evidence_count, DOSSIER_EVIDENCE + 3);
    assert_int_equal(zone.dossier->evidence[2].at, DOSSIER_EVIDENCE + 2);
    assert_int_equal(zone.dossier->evidence[3].at, 3);
    assert_int_equal(zone.dossier->history_count, DOSSIER_HISTORY + 3);
    assert_int_equal(zone.dossier->history[2].at, DOSSIER_HISTORY + 2);
    assert_int_equal(dossiers.count, 1);
    dossier_close(&dossiers, &zone);
    assert_null(zone.dossier);
    assert_int_equal(dossiers.count, 0);
    dossier_close(&dossiers, &zone);
    assert_int_equal(dossiers.count, 0);
    dossiers_fini(&dossiers);
}

static void the_zone_written_to_longest_ago_gives_its_dossier_up(void **state)
{
    (void) state;
    enum {
        EXTRA = 5
    };
    struct zone    *zones = calloc(LIMIT_DOSSIERS + EXTRA, sizeof(*zones));
    struct dossiers dossiers;
    dossiers_init(&dossiers);
    for (int i = 0; i < LIMIT_DOSSIERS; i++)
        dossier_note_change(&dossiers, &zones[i], &(struct change_line){.at = i});
    dossier_note_change(&dossiers, &zones[0], &(struct change_line){.at = 1000}); /* the oldest is the newest now */
    for (int i = 0; i < EXTRA; i++)
        dossier_note_evidence(&dossiers, &zones[LIMIT_DOSSIERS + i], &(struct evidence_line){.at = i});
    assert_int_equal(dossiers.count, LIMIT_DOSSIERS);
    assert_int_equal(zones[0].dossier->history_count, 2);
    for (int i = 1; i <= EXTRA; i++)
        assert_null(zones[i].dossier);
    for (int i = EXTRA + 1; i < LIMIT_DOSSIERS + EXTRA; i++)
        assert_ptr_equal(zones[i].dossier->zone, &zones[i]);
    assert_int_equal(zones[LIMIT_DOSSIERS].dossier->history_count, 0); /* nothing of the other zone's */
    dossiers_fini(&dossiers);
    free(zones);
}

static void without_memory_nothing_is_noted(void **state)
{
    (void) state;
    struct zone     zone = {.hash = 0};
    struct dossiers dossiers;
    dossiers_init(&dossiers);
    heap_fail_at(0);
    dossier_note_change(&dossiers, &zone, &(struct change_line){.at = 1});
    assert_true(heap_restore());
    assert_null(zone.dossier);
    assert_int_equal(dossiers.count, 0);
    dossiers_fini(&dossiers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dossier_keeps_the_newest),
        cmocka_unit_test(the_zone_written_to_longest_ago_gives_its_dossier_up),
        cmocka_unit_test(without_memory_nothing_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
