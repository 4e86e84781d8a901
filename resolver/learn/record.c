/*
 * record.c: see record.h.
 */
#include "learn/record.h"

#include "base/cursor.h"
#include "base/limits.h"

#include <string.h>

enum {
    RECORD_VERSION = 3, /* 1 had no history, 2 did not say when it was written */
    RECORD_ZONE    = 1,
    RECORD_REMOVED = 2,
};

static void write_time(struct writer *writer, const struct clocks *clocks, msec_t when)
{
    writer_u64(writer, (uint64_t) clocks_wall(clocks, when));
}

static void write_text(struct writer *writer, struct view text)
{
    writer_u16(writer, (uint16_t) text.len);
    writer_bytes(writer, text.data, text.len);
}

/* Oldest line first. */
static void write_history(struct writer *writer, const struct dossier *dossier, const struct clocks *clocks)
{
    unsigned all = dossier ? dossier->history_count : 0, count = all < DOSSIER_HISTORY ? all : DOSSIER_HISTORY;
    writer_u8(writer, (uint8_t) count);
    for (unsigned i = all - count; i < all; i++) {
        const struct change_line *line = &dossier->history[i % DOSSIER_HISTORY];
        writer_u8(writer, (uint8_t) line->from);
        writer_u8(writer, (uint8_t) line->to);
        writer_u8(writer, (uint8_t) line->why);
        write_time(writer, clocks, line->at);
    }
}

size_t record_write(const struct zone *zone, bool removed, const struct clocks *clocks, uint8_t *out)
{
    struct writer writer = writer_over(out, RECORD_MAX);
    writer_u8(&writer, RECORD_VERSION);
    writer_u8(&writer, removed ? RECORD_REMOVED : RECORD_ZONE);
    writer_u8(&writer, (uint8_t) zone->scope);
    writer_u16(&writer, zone->type);
    write_text(&writer, zone_name(zone));
    if (removed)
        return writer.pos;
    const struct condition *is = &zone->condition;
    writer_u8(&writer, (uint8_t) is->state);
    writer_u8(&writer, (uint8_t) is->reason);
    writer_u8(&writer, (uint8_t) zone->source);
    writer_u8(&writer, is->strikes);
    writer_u8(&writer, is->good);
    writer_u32(&writer, is->failures);
    write_time(&writer, clocks, is->since);
    write_time(&writer, clocks, is->last_failure);
    write_time(&writer, clocks, is->next);
    writer_u64(&writer, (uint64_t) is->interval);
    write_time(&writer, clocks, atomic_load(&zone->last_used));
    writer_u64(&writer, atomic_load(&zone->answered));
    writer_u8(&writer, (uint8_t) zone->pin);
    write_time(&writer, clocks, zone->pin_until);
    const char *note = zone->note ? zone->note : "";
    write_text(&writer, (struct view){(const uint8_t *) note, strlen(note)});
    writer_u16(&writer, zone->asked_type);
    write_text(&writer, zone_asked(zone));
    write_history(&writer, zone->dossier, clocks);
    write_time(&writer, clocks, clocks->now);
    return writer.pos;
}

static struct view read_text(struct cursor *cursor)
{
    size_t len = cursor_u16(cursor);
    return cursor_take(cursor, len);
}

static bool is_name(struct view bytes) { return bytes.len > 0 && name_check(bytes) == bytes.len; }

static msec_t read_time(struct cursor *cursor, const struct clocks *clocks)
{
    return clocks_msec(clocks, (wall_t) cursor_u64(cursor));
}

static bool apply_removed(const struct zone_id *id, struct learner *learner, msec_t now)
{
    struct zone *zone = table_get(learner_table(learner), id->name, id->scope, id->type);
    if (zone) {
        if (zone->pin != PIN_NONE)
            learner_unpin(learner, id->name, now);
        zone                       = table_get(learner_table(learner), id->name, id->scope, id->type);
        const struct learned clear = {
            .id        = *id,
            .condition = {.state = ZONE_CLEAR, .since = now, .next = MSEC_NEVER},
            .last_used = now,
        };
        if (zone)
            learner_restore(learner, &clear, now);
    }
    return true;
}

/* Returns the number of lines; -1: that is no history. */
static int read_history(struct cursor *cursor, const struct clocks *clocks, struct change_line lines[DOSSIER_HISTORY])
{
    unsigned count = cursor_u8(cursor);
    if (count > DOSSIER_HISTORY)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        uint8_t from = cursor_u8(cursor), to = cursor_u8(cursor), why = cursor_u8(cursor);
        lines[i] = (struct change_line){.at   = read_time(cursor, clocks),
                                        .from = (enum zone_state) from,
                                        .to   = (enum zone_state) to,
                                        .why  = (enum zone_why) why};
        if (from >= ZONE_STATE_COUNT || to >= ZONE_STATE_COUNT || why >= WHY_COUNT)
            return -1;
    }
    return (int) count;
}

/* A pin has no more left than when that was written, by whatever the calendar was set back since. */
static msec_t in_bounds(msec_t pin_until, msec_t wrote, msec_t now)
{
    return pin_until == MSEC_NEVER ? MSEC_NEVER : msec_min(pin_until, now + (pin_until - wrote));
}

bool record_apply(struct view record, const struct clocks *clocks, struct learner *learner)
{
    struct cursor  cursor  = cursor_over(record);
    uint8_t        version = cursor_u8(&cursor), kind = cursor_u8(&cursor);
    uint8_t        scope = cursor_u8(&cursor);
    struct zone_id id    = {.scope = (enum zone_scope) scope, .type = cursor_u16(&cursor)};
    id.name              = read_text(&cursor);
    if (cursor.failed || version < 1 || version > RECORD_VERSION || scope >= SCOPE_COUNT || !is_name(id.name))
        return false;
    if (kind == RECORD_REMOVED)
        return apply_removed(&id, learner, clocks->now);

    struct condition is    = {0};
    uint8_t          state = cursor_u8(&cursor), reason = cursor_u8(&cursor), source = cursor_u8(&cursor);
    is.state                      = (enum zone_state) state;
    is.reason                     = (enum zone_reason) reason;
    is.strikes                    = cursor_u8(&cursor);
    is.good                       = cursor_u8(&cursor);
    is.failures                   = cursor_u32(&cursor);
    is.since                      = read_time(&cursor, clocks);
    is.last_failure               = read_time(&cursor, clocks);
    is.next                       = read_time(&cursor, clocks);
    is.interval                   = (msec_t) cursor_u64(&cursor);
    msec_t             last_used  = read_time(&cursor, clocks);
    uint64_t           answered   = cursor_u64(&cursor);
    uint8_t            pin        = cursor_u8(&cursor);
    msec_t             pin_until  = read_time(&cursor, clocks);
    struct view        note       = read_text(&cursor);
    uint16_t           asked_type = cursor_u16(&cursor);
    struct view        asked      = read_text(&cursor);
    struct change_line lines[DOSSIER_HISTORY];
    int                history = version > 1 ? read_history(&cursor, clocks, lines) : 0;
    msec_t             wrote   = version > 2 ? read_time(&cursor, clocks) : clocks->now;
    if (cursor.failed || history < 0 || wrote == MSEC_NEVER || kind != RECORD_ZONE || state >= ZONE_STATE_COUNT ||
        reason >= REASON_COUNT || source >= SOURCE_COUNT || pin > PIN_EXTERNAL ||
        (pin != PIN_NONE && id.scope != SCOPE_ZONE) || note.len > LIMIT_NOTE || is.interval < 0 || !is_name(asked))
        return false;

    char text[LIMIT_NOTE + 1] = "";
    memcpy(text, note.data, note.len);
    text[note.len] = '\0';
    if (pin == PIN_NONE && id.scope == SCOPE_ZONE)
        learner_unpin(learner, id.name, clocks->now);
    const struct learned learned = {.id         = id,
                                    .condition  = is,
                                    .source     = (enum zone_source) source,
                                    .pin        = (enum pin) pin,
                                    .pin_until  = in_bounds(pin_until, wrote, clocks->now),
                                    .note       = text,
                                    .asked      = asked,
                                    .asked_type = asked_type,
                                    .last_used  = last_used};
    struct zone         *zone    = learner_restore(learner, &learned, clocks->now);
    if (zone) {
        atomic_store(&zone->answered, answered);
        zone->stored = true;
        if (history > 0)
            learner_recall(learner, zone, lines, (unsigned) history);
    }
    return true;
}
