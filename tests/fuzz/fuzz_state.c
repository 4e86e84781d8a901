/*
 * What an earlier process left. Two bytes: bit 0 snapshot or journal, bit 1 file or records; how many bytes a crash cut
 * off the end. Behind them a whole state file, or records, each led by its length in two bytes, from which one is made,
 * since no fuzzer finds a checksum. What is accepted is written and read once more, and lived with for a month.
 */
#include "base/bytes.h"
#include "dns/text.h"
#include "fuzz.h"
#include "learn/record.h"
#include "store/journal.h"

#include <string.h>

enum {
    RECORDS    = 64,
    GENERATION = 7,
    MAX_ZONES  = 1000,
    MONTH_DAYS = 31,
    LIVES      = 300, /* rechecks that are lived through */
};

static const struct clocks clocks = {.now = 5000000, .wall_ms = 1700000000000};

struct node {
    struct table   *table;
    struct learner *learner;
};

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    (void) context, (void) removed;
    CHECK(why < WHY_COUNT && from < ZONE_STATE_COUNT && zone->condition.state < ZONE_STATE_COUNT);
    CHECK(name_check(zone_name(zone)) == zone->name_len && name_check(zone_asked(zone)) == zone->asked_len);
    CHECK(zone->pin == PIN_NONE || zone->scope == SCOPE_ZONE);
}

static void node_open(struct node *node)
{
    static const uint8_t        seed[RNG_SEED_BYTES] = {1};
    const struct learner_hooks  hooks                = {.changed = on_changed};
    const struct learner_limits limits               = {
                      .zone      = {.recheck_first = 600000, .recheck_max = 86400000, .recover_after = 2},
                      .max_zones = MAX_ZONES,
    };
    node->table   = table_create(64, (struct hash_key){1, 2});
    node->learner = learner_create(node->table, &limits, &hooks, seed);
    CHECK(node->table != NULL && node->learner != NULL);
}

static void node_close(struct node *node)
{
    learner_reclaim(node->learner);
    learner_destroy(node->learner);
    table_destroy(node->table);
}

struct sums {
    struct node          *again; /* the node that reads what this one writes */
    struct learner_counts counts;
};

static void check_same(const struct zone *zone, const struct zone *copy)
{
    const struct condition *is = &zone->condition, *was = &copy->condition;

    CHECK(is->state == was->state && is->reason == was->reason && is->strikes == was->strikes);
    CHECK(is->good == was->good && is->failures == was->failures);
    CHECK(zone->pin == copy->pin && zone->source == copy->source && zone->asked_type == copy->asked_type);
    CHECK(name_equal(zone_asked(zone), zone_asked(copy)));
    CHECK(strcmp(zone->note ? zone->note : "", copy->note ? copy->note : "") == 0);
}

static void check_zone(void *context, struct zone *zone)
{
    struct sums         *sums = context;
    const struct zone_id id   = {.name = zone_name(zone), .scope = zone->scope, .type = zone->type};
    uint8_t              bytes[RECORD_MAX], twice[RECORD_MAX];
    size_t               len = record_write(zone, false, &clocks, bytes);

    sums->counts.states[zone->condition.state]++;
    sums->counts.sources[zone->condition.state][zone->pin != PIN_NONE ? SOURCE_PINNED : zone->source]++;
    sums->counts.pins += zone->pin != PIN_NONE;
    CHECK(len <= RECORD_MAX && record_apply((struct view){bytes, len}, &clocks, sums->again->learner));
    const struct zone *copy = table_get(sums->again->table, id.name, id.scope, id.type);
    CHECK(copy != NULL && record_write(copy, false, &clocks, twice) == len && memcmp(bytes, twice, len) == 0);
    check_same(zone, copy);
}

static void check_node(struct node *node)
{
    struct learner_counts counts = learner_count(node->learner);
    struct node           again;
    struct sums           sums = {.again = &again};

    node_open(&again);
    table_each(node->table, check_zone, &sums);
    CHECK(memcmp(&sums.counts, &counts, sizeof(counts)) == 0);
    CHECK(table_count(again.table) == table_count(node->table));
    node_close(&again);
}

static void live(struct node *node)
{
    msec_t       now = clocks.now + (msec_t) MONTH_DAYS * 86400 * 1000;
    struct zone *zone;

    learner_end_due(node->learner, now);
    CHECK(learner_next_end(node->learner) > now);
    for (unsigned i = 0; i < LIVES && (zone = learner_recheck_due(node->learner, now)) != NULL; i++)
        learner_apply_zone(node->learner, zone, i % 3 ? EVIDENCE_RECHECK_BAD : EVIDENCE_RECHECK_GOOD, REASON_TIMEOUT,
                           now);
}

/* A whole file of the records in `bytes`; where each lies is noted. */
static void build(struct view bytes, enum journal_kind kind, struct buffer *file, struct view records[RECORDS],
                  size_t *ret_count)
{
    CHECK(journal_add_header(file, kind, GENERATION));
    for (size_t at = 0; at + 2 < bytes.len && *ret_count < RECORDS;) {
        size_t len = get_u16(bytes.data + at), left = bytes.len - at - 2;
        len = len < left ? len : left;
        at += 2;
        if (len == 0)
            continue;
        records[(*ret_count)++] = (struct view){bytes.data + at, len};
        CHECK(journal_add_record(file, (struct view){bytes.data + at, len}));
        at += len;
    }
    if (kind == JOURNAL_KIND_SNAPSHOT)
        CHECK(journal_add_end(file));
    journal_seal(file->data + JOURNAL_HEADER_BYTES, file->len - JOURNAL_HEADER_BYTES, kind, GENERATION);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view           records[RECORDS], record;
    struct buffer         file  = {0};
    size_t                count = 0, passed = 0;
    struct journal_reader reader;
    struct node           node;

    if (size < 2)
        return 0;
    enum journal_kind kind = data[0] & 1 ? JOURNAL_KIND_SNAPSHOT : JOURNAL_KIND_JOURNAL;
    bool              made = data[0] & 2;
    struct view       rest = {data + 2, size - 2}, bytes = rest;
    if (made) {
        build(rest, kind, &file, records, &count);
        bytes = (struct view){file.data, file.len};
    }
    size_t cut = data[1] < bytes.len ? data[1] : bytes.len;
    bytes.len -= cut;

    node_open(&node);
    if (journal_open(&reader, bytes, kind))
        while (journal_next(&reader, &record)) {
            if (made)
                CHECK(passed < count && record.len == records[passed].len &&
                      memcmp(record.data, records[passed].data, record.len) == 0);
            passed++;
            record_apply(record, &clocks, node.learner);
        }
    CHECK(reader.good <= bytes.len && journal_verdict_text(reader.verdict) != NULL);
    if (made && cut == 0)
        CHECK(reader.verdict == JOURNAL_COMPLETE && passed == count);
    learner_reclaim(node.learner);
    check_node(&node);
    live(&node);
    node_close(&node);
    buffer_fini(&file);
    return 0;
}
