/*
 * statement.c: see statement.h.
 */
#include "cluster/statement.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/printable.h"
#include "dns/name.h"
#include "dns/text.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_words[STATEMENT_KIND_COUNT] = {
#define X(symbol, word) word,
    STATEMENT_KINDS(X)
#undef X
};

static int compare_text(struct view a, struct view b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

int statement_compare(struct stamp a, struct view a_node, struct stamp b, struct view b_node)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    if (a.count != b.count)
        return a.count < b.count ? -1 : 1;
    return compare_text(a_node, b_node);
}

bool statement_is_label(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t letter = text.data[i];
        if (!(letter >= 'a' && letter <= 'z') && !(letter >= 'A' && letter <= 'Z') &&
            !(letter >= '0' && letter <= '9') && letter != '.' && letter != '-' && letter != '_')
            return false;
    }
    return text.len > 0 && text.len <= STATEMENT_NODE_MAX;
}

static void write_text(struct writer *writer, struct view text)
{
    writer_u16(writer, (uint16_t) text.len);
    writer_bytes(writer, text.data, text.len);
}

static void write_name(struct writer *writer, struct view name)
{
    struct name lower;
    name_set_lower(&lower, name);
    write_text(writer, name_view(&lower));
}

size_t statement_write(const struct statement *statement, uint8_t *out)
{
    struct writer writer = writer_over(out, STATEMENT_MAX);
    writer_u8(&writer, STATEMENT_VERSION);
    writer_u8(&writer, (uint8_t) statement->kind);
    writer_u8(&writer, (uint8_t) statement->id.scope);
    writer_u16(&writer, statement->id.type);
    write_text(&writer, statement->vantage);
    write_text(&writer, statement->node);
    writer_u64(&writer, statement->stamp.ms);
    writer_u32(&writer, statement->stamp.count);
    write_name(&writer, statement->id.name);
    if (statement->kind == STATEMENT_EVIDENCE) {
        writer_u8(&writer, (uint8_t) statement->good);
        writer_u8(&writer, (uint8_t) statement->reason);
        writer_u64(&writer, (uint64_t) statement->interval);
        write_name(&writer, statement->asked);
        writer_u16(&writer, statement->asked_type);
    } else if (statement->kind == STATEMENT_PIN) {
        writer_u8(&writer, (uint8_t) statement->pin);
        writer_u64(&writer, (uint64_t) statement->until);
        write_text(&writer, statement->note);
    }
    return writer.pos;
}

static struct view read_text(struct cursor *cursor)
{
    size_t len = cursor_u16(cursor);
    return cursor_take(cursor, len);
}

static bool is_name(struct view bytes) { return bytes.len > 0 && name_check(bytes) == bytes.len; }

static bool read_evidence(struct cursor *cursor, struct statement *ret)
{
    ret->good       = cursor_u8(cursor);
    uint8_t reason  = cursor_u8(cursor);
    ret->reason     = (enum zone_reason) reason;
    ret->interval   = (msec_t) cursor_u64(cursor);
    ret->asked      = read_text(cursor);
    ret->asked_type = cursor_u16(cursor);
    return !cursor->failed && reason < REASON_COUNT && ret->interval >= 0 && is_name(ret->asked) &&
           name_is_at_or_below(ret->asked, ret->id.name);
}

static bool read_pin(struct cursor *cursor, struct statement *ret)
{
    uint8_t pin = cursor_u8(cursor);
    ret->pin    = (enum pin) pin;
    ret->until  = (wall_t) cursor_u64(cursor);
    ret->note   = read_text(cursor);
    return !cursor->failed && pin <= PIN_EXTERNAL && ret->note.len <= LIMIT_NOTE && printable_is_utf8(ret->note);
}

bool statement_read(struct view bytes, struct statement *ret)
{
    struct cursor cursor  = cursor_over(bytes);
    uint8_t       version = cursor_u8(&cursor), kind = cursor_u8(&cursor), scope = cursor_u8(&cursor);
    *ret             = (struct statement){.kind = (enum statement_kind) kind,
                                          .id   = {.scope = (enum zone_scope) scope, .type = cursor_u16(&cursor)}};
    ret->vantage     = read_text(&cursor);
    ret->node        = read_text(&cursor);
    ret->stamp.ms    = cursor_u64(&cursor);
    ret->stamp.count = cursor_u32(&cursor);
    ret->id.name     = read_text(&cursor);
    if (cursor.failed || version != STATEMENT_VERSION || kind >= STATEMENT_KIND_COUNT || scope >= SCOPE_COUNT ||
        (ret->vantage.len > 0 && !statement_is_label(ret->vantage)) || !statement_is_label(ret->node) ||
        !is_name(ret->id.name) || (scope != SCOPE_TYPE && ret->id.type != 0))
        return false;
    if (kind == STATEMENT_EVIDENCE) /* what one finds holds where it looks from */
        return ret->vantage.len > 0 && read_evidence(&cursor, ret) && cursor_left(&cursor) == 0;
    return scope == SCOPE_ZONE && (kind != STATEMENT_PIN || read_pin(&cursor, ret)) && cursor_left(&cursor) == 0;
}

size_t statement_field(const struct statement *statement, char *out)
{
    struct name lower;
    char        name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX] = "-";
    name_set_lower(&lower, statement->id.name);
    if (statement->id.scope == SCOPE_TYPE)
        type_format(statement->id.type, type);
    int len = snprintf(out, STATEMENT_FIELD_MAX, "%s %.*s %s %s %s %.*s", kind_words[statement->kind],
                       statement->vantage.len ? (int) statement->vantage.len : 1,
                       statement->vantage.len ? (const char *) statement->vantage.data : "*",
                       zone_scope_words[statement->id.scope], type, name_format(name_view(&lower), name),
                       (int) statement->node.len, (const char *) statement->node.data);
    return (size_t) len;
}
