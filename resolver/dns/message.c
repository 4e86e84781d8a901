/*
 * message.c: the one reader of untrusted DNS bytes; see message.h. It knows no transport and judges no meaning.
 * Listeners call message_receive(), exchanges message_parse(), kind and edit walk the records.
 */
#include "dns/message.h"

#include "base/bytes.h"
#include "dns/opt.h"

#include <string.h>

enum {
    MESSAGE_MAX  = 65535,
    RECORD_FIXED = 10, /* type, class, TTL and length of the rdata */
    OPTION_FIXED = 4,
};

/* Bytes that answer.c may change: TTLs, and letters of the question's name. A name whose shape hangs on one of them, or
 * whose labels hold a TTL, would be another name after the edit, or none; nobody who compresses honestly points there.
 */
struct barred {
    size_t  question_end;
    uint8_t bits[(MESSAGE_MAX + 1) / 8];
};

static void bar(struct barred *barred, size_t pos) { barred->bits[pos / 8] |= (uint8_t) (1u << pos % 8); }

static void barred_init(struct barred *barred, const struct message *message)
{
    memset(barred->bits, 0, (message->wire.len + 7) / 8);
    barred->question_end = message->start[SECTION_ANSWER];
    if (!message->has_question)
        return;
    for (size_t i = 0; i < message->question.name.len; i++)
        if ((uint8_t) ((message->question.name.data[i] | 0x20) - 'a') < 26)
            bar(barred, MESSAGE_HEADER + i);
}

/* Where names stand in the rdata of a type: bytes before them, how many, bytes after. */
struct layout {
    uint8_t before, names, after;
};

static struct layout layout_of(uint16_t type)
{
    switch (type) {
    case TYPE_NS:
    case 3: /* MD */
    case 4: /* MF */
    case TYPE_CNAME:
    case 7: /* MB */
    case 8: /* MG */
    case 9: /* MR */
    case TYPE_PTR:
    case TYPE_DNAME:
        return (struct layout){0, 1, 0};
    case 14: /* MINFO */
        return (struct layout){0, 2, 0};
    case TYPE_SOA:
        return (struct layout){0, 2, 20};
    case TYPE_MX:
        return (struct layout){2, 1, 0};
    case TYPE_SRV:
        return (struct layout){6, 1, 0};
    default:
        return (struct layout){0, 0, 0};
    }
}

/* As name_skip_barred(); `barred` NULL: nothing is. Most names are a pointer to the question's, which was checked and
 * is not shaped by its letters. */
static bool skip_name(struct view wire, size_t pos, const struct barred *barred, size_t *ret_end)
{
    if (barred && barred->question_end > MESSAGE_HEADER && pos >= barred->question_end && pos + 2 <= wire.len &&
        get_u16(wire.data + pos) == POINTER_TO_QUESTION) {
        *ret_end = pos + 2;
        return true;
    }
    return barred ? name_skip_barred(wire, pos, barred->bits, barred->question_end, ret_end)
                  : name_skip(wire, pos, ret_end);
}

static bool data_fits(struct view wire, const struct record *record, const struct barred *barred)
{
    struct layout layout = layout_of(record->type);
    size_t        pos    = record->data_at + layout.before;
    if (layout.names == 0)
        return true;
    for (unsigned i = 0; i < layout.names; i++)
        if (!skip_name(wire, pos, barred, &pos))
            return false;
    return pos + layout.after == record->end;
}

/* What follows the owner name, which ends at `pos`; `wire` is known to hold RECORD_FIXED bytes there. */
static void read_fixed(struct view wire, size_t pos, struct record *ret)
{
    ret->type    = get_u16(wire.data + pos);
    ret->class   = get_u16(wire.data + pos + 2);
    ret->ttl     = get_u32(wire.data + pos + 4);
    ret->ttl_at  = pos + 4;
    ret->data_at = pos + RECORD_FIXED;
    ret->data    = (struct view){wire.data + ret->data_at, get_u16(wire.data + pos + 8)};
    ret->end     = ret->data_at + ret->data.len;
}

static bool read_record(struct view wire, size_t pos, struct barred *barred, struct record *ret)
{
    ret->owner = pos;
    if (!skip_name(wire, pos, barred, &pos) || wire.len - pos < RECORD_FIXED)
        return false;
    read_fixed(wire, pos, ret);
    if (ret->end > wire.len)
        return false;
    for (size_t i = 0; barred && i < 4; i++)
        bar(barred, ret->ttl_at + i);
    return data_fits(wire, ret, barred);
}

/* `data` holds `len` bytes. */
static void read_option(uint16_t code, const uint8_t *data, uint16_t len, struct edns *ret)
{
    if (code == OPT_EDE && len >= 2 && ret->ede == EDE_NONE)
        ret->ede = get_u16(data);
    if (code == OPT_KEEPALIVE && len == 0 && ret->keepalive.form == KEEPALIVE_NONE)
        ret->keepalive.form = KEEPALIVE_ASKED;
    if (code == OPT_KEEPALIVE && len == 2 && ret->keepalive.form == KEEPALIVE_NONE)
        ret->keepalive = (struct keepalive){KEEPALIVE_TOLD, get_u16(data)};
}

static void read_options(struct view options, struct edns *ret)
{
    size_t pos = 0;
    while (options.len - pos >= OPTION_FIXED) {
        uint16_t code = get_u16(options.data + pos), len = get_u16(options.data + pos + 2);
        pos += OPTION_FIXED;
        if (len > options.len - pos)
            break;
        read_option(code, options.data + pos, len, ret);
        pos += len;
        if (pos == options.len)
            return;
    }
    ret->garbled = options.len != 0;
}

static bool read_opt(const struct record *record, struct message *ret)
{
    bool root = record->ttl_at - record->owner == 1 + 4 && ret->wire.data[record->owner] == 0;
    if (record->section != SECTION_ADDITIONAL || ret->edns.present || !root)
        return false;
    ret->opt_start      = record->owner;
    ret->opt_end        = record->end;
    ret->rcode          = (uint16_t) (ret->rcode | record->ttl >> 24 << 4);
    ret->edns.present   = true;
    ret->edns.size      = record->class;
    ret->edns.version   = (uint8_t) (record->ttl >> 16);
    ret->edns.dnssec_ok = (record->ttl & 0x8000) != 0;
    read_options(record->data, &ret->edns);
    return true;
}

static bool read_header(struct view wire, struct message *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->edns.ede = EDE_NONE;
    ret->wire     = wire;
    if (wire.len < MESSAGE_HEADER || wire.len > MESSAGE_MAX)
        return false;
    ret->id    = get_u16(wire.data);
    ret->flags = get_u16(wire.data + 2);
    ret->rcode = ret->flags & FLAG_RCODE;
    for (unsigned i = 0; i < SECTION_COUNT; i++)
        ret->count[i] = get_u16(wire.data + 6 + 2 * i);
    return true;
}

static bool read_question(struct message *ret)
{
    struct view wire  = ret->wire;
    uint16_t    count = get_u16(wire.data + 4);
    size_t      len;
    ret->start[SECTION_ANSWER] = MESSAGE_HEADER;
    if (count == 0)
        return true;
    len = name_check((struct view){wire.data + MESSAGE_HEADER, wire.len - MESSAGE_HEADER});
    if (count > 1 || len == 0 || wire.len - MESSAGE_HEADER - len < 4)
        return false;
    ret->has_question   = true;
    ret->question.name  = (struct view){wire.data + MESSAGE_HEADER, len};
    ret->question.type  = get_u16(wire.data + MESSAGE_HEADER + len);
    ret->question.class = get_u16(wire.data + MESSAGE_HEADER + len + 2);
    ret->start[SECTION_ANSWER] += len + 4;
    return true;
}

static bool read_sections(struct message *ret)
{
    struct barred  barred;
    struct barred *edited = NULL; /* a query is not */
    struct record  record = {.end = ret->start[SECTION_ANSWER]};
    if ((ret->flags & FLAG_QR) != 0)
        barred_init(edited = &barred, ret);
    for (unsigned section = 0; section < SECTION_COUNT; section++) {
        record.section = section;
        for (unsigned i = 0; i < ret->count[section]; i++) {
            if (!read_record(ret->wire, record.end, edited, &record))
                return false;
            if (record.type == TYPE_OPT && !read_opt(&record, ret))
                return false;
            if (record.type == TYPE_TSIG && (section != SECTION_ADDITIONAL || i + 1u != ret->count[section]))
                return false;
        }
        ret->start[section + 1] = record.end;
    }
    ret->wire.len = record.end; /* what a careless client, server or middlebox has put behind it is no part of it */
    return true;
}

bool message_parse(struct view wire, struct message *ret)
{
    return read_header(wire, ret) && read_question(ret) && read_sections(ret);
}

/* The bytes were checked when the message was parsed. */
static size_t skip_owner(const uint8_t *data, size_t pos)
{
    while (data[pos] != 0 && data[pos] < 0xc0)
        pos += 1u + data[pos];
    return pos + (data[pos] == 0 ? 1 : 2);
}

bool message_next(const struct message *message, struct record *record)
{
    if (record->end == 0)
        record->end = message->start[SECTION_ANSWER];
    while (record->index == message->count[record->section]) {
        if (record->section == SECTION_ADDITIONAL)
            return false;
        record->section++;
        record->index = 0;
    }
    record->index++;
    record->owner = record->end;
    read_fixed(message->wire, skip_owner(message->wire.data, record->owner), record);
    return true;
}

enum reception message_receive(struct view wire, struct message *ret)
{
    bool     whole = message_parse(wire, ret);
    uint16_t type  = ret->question.type;
    if (wire.len < MESSAGE_HEADER || (ret->flags & FLAG_QR) != 0)
        return RECEPTION_DROP;
    if ((ret->flags & FLAG_OPCODE) != 0 || (ret->has_question && (type == TYPE_AXFR || type == TYPE_IXFR)))
        return RECEPTION_NOTIMP;
    if (!whole)
        return RECEPTION_FORMERR;
    if (ret->edns.version > 0)
        return RECEPTION_BADVERS;
    if (!ret->has_question || ret->count[SECTION_ANSWER] != 0 || ret->count[SECTION_AUTHORITY] != 0 ||
        ret->edns.garbled)
        return RECEPTION_FORMERR;
    return RECEPTION_QUERY;
}
