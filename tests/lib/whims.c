/*
 * whims.c: see whims.h.
 */
#include "lib/whims.h"

#include <string.h>

enum whim {
    WHIM_NODATA,
    WHIM_RECORDS,
    WHIM_MORE_RECORDS, /* as likely as all that fails */
    WHIM_YET_MORE,
    WHIM_ALIAS,
    WHIM_NXDOMAIN,
    WHIM_SERVFAIL,
    WHIM_RCODE,
    WHIM_SILENCE,
    WHIM_REFUSAL,
    WHIM_NO_ROUTE,
    WHIM_REFERRAL,
    WHIM_CUT,
    WHIM_RAW_RECORD,
    WHIM_RUBBISH,
    WHIM_COUNT
};

enum {
    TYPE_TLSA_DRAWN = 52,
    LONGEST         = 60000, /* bytes of a reply */
    TEXTS           = 16     /* pieces of one TXT record */
};

const struct rule whims_rules[WHIMS_RULES] = {
    {.zone = {.len = 14, .wire = "\4kept\7example"}, .via = VIA_GROUP, .group = SETUP_DOMESTIC},
    {.zone = {.len = 14, .wire = "\4sent\7example"}, .via = VIA_GROUP, .group = SETUP_EXTERNAL},
    {.zone = {.len = 16, .wire = "\6office\7example"}, .via = VIA_GROUP, .group = HEARD_OFFICE},
    {.zone    = {.len = 14, .wire = "\4list\7example"},
     .via     = VIA_GROUP,
     .group   = SETUP_DOMESTIC,
     .shipped = true,
     .is_list = true,
     .entry   = {.is_asked = true, .len = 3, .label = "zen"}},
};

static unsigned draw(struct whims *whims, unsigned below)
{
    if (whims->bytes.len == 0)
        return whims->rng ? rng_below(whims->rng, below) : 0;
    unsigned byte = *whims->bytes.data++;
    whims->bytes.len--;
    return byte % below;
}

/* ---- what records say ---- */

static struct view draw_name(struct whims *whims)
{
    static const struct view names[] = {
        {(const uint8_t *) "\1x\7example", 11},
        {(const uint8_t *) "\4mail\1x\7example", 16},
        {(const uint8_t *) "\2ns\1x\7example", 14},
        {(const uint8_t *) "\1y\7example", 11},
        {(const uint8_t *) "\2ns\1y\7example", 14},
        {(const uint8_t *) "\4_spf\1y\7example", 16},
        {(const uint8_t *) "\4kept\7example", 14},
        {(const uint8_t *) "\4sent\7example", 14},
        {(const uint8_t *) "\6office\7example", 16},
        {(const uint8_t *) "\5\033[31m\1.\7example", 17},
        {(const uint8_t *) "\3"
                           "192"
                           "\1"
                           "0"
                           "\1"
                           "2"
                           "\1"
                           "1",
         11},
        {(const uint8_t *) "", 1},
        {(const uint8_t *) "\7example", 9},
        {(const uint8_t *) "\4\377\200\"\\\1x\7example", 16},
    };
    return names[draw(whims, ARRAY_LEN(names))];
}

static void put_name(struct whims *whims, struct packet *reply)
{
    struct view name = draw_name(whims);
    packet_bytes(reply, name.data, name.len);
}

static void put_v4(struct whims *whims, struct packet *reply)
{
    static const uint8_t nets[][3] = {{203, 0, 113}, {10, 0, 0}, {127, 0, 0}, {198, 18, 3}};
    packet_bytes(reply, nets[draw(whims, ARRAY_LEN(nets))], 3);
    reply->data[reply->len++] = (uint8_t) draw(whims, 6);
}

static void put_v6(struct whims *whims, struct packet *reply)
{
    static const uint8_t nets[][2] = {{0x20, 1}, {0xfe, 0x80}, {0, 0}};
    uint8_t              bytes[16] = {0};
    memcpy(bytes, nets[draw(whims, ARRAY_LEN(nets))], 2);
    bytes[15] = (uint8_t) draw(whims, 4);
    packet_bytes(reply, bytes, sizeof(bytes));
}

static void put_bytes(struct whims *whims, struct packet *reply, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        reply->data[reply->len++] = (uint8_t) draw(whims, 256);
}

/* Strings of one record: SPF, DMARC, DKIM, in order or not. */
static void put_text(struct whims *whims, struct packet *reply)
{
    static const char *const pieces[] = {"v=spf1 ",
                                         "include:_spf.y.example ",
                                         "mx ",
                                         "a:%{i}.x.example ",
                                         "redirect=y.example ",
                                         "exists:%{l1r-}.sent.example ",
                                         "include:office.example ",
                                         "include:x.example ",
                                         "ptr ",
                                         "ip4:203.0.113.0/24 ",
                                         "+all ",
                                         "-all ",
                                         "\033]0;x\007\r\n ",
                                         "v=DMARC1; p=",
                                         "none; ",
                                         "v=DKIM1; p=QUJD ",
                                         "\377\376\200",
                                         "%{xyz"};
    unsigned                 count    = 1 + draw(whims, TEXTS);
    for (unsigned i = 0; i < count; i++) {
        unsigned piece            = draw(whims, ARRAY_LEN(pieces) + 1);
        size_t   len              = piece < ARRAY_LEN(pieces) ? strlen(pieces[piece]) : 255;
        reply->data[reply->len++] = (uint8_t) len;
        if (piece < ARRAY_LEN(pieces))
            packet_bytes(reply, pieces[piece], len);
        else
            put_bytes(whims, reply, 255);
    }
}

static void put_soa_data(struct whims *whims, struct packet *reply)
{
    put_name(whims, reply);
    put_name(whims, reply);
    for (unsigned i = 0; i < 5; i++)
        packet_u32(reply, draw(whims, 3));
}

static void put_data(struct whims *whims, unsigned type, struct packet *reply)
{
    switch (type) {
    case TYPE_A:
        put_v4(whims, reply);
        return;
    case TYPE_AAAA:
        put_v6(whims, reply);
        return;
    case TYPE_MX:
        packet_u16(reply, draw(whims, 3));
        put_name(whims, reply);
        return;
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        put_name(whims, reply);
        return;
    case TYPE_SOA:
        put_soa_data(whims, reply);
        return;
    case TYPE_TXT:
        put_text(whims, reply);
        return;
    case TYPE_TLSA_DRAWN:
    default:
        put_bytes(whims, reply, draw(whims, 40));
    }
}

/* ---- records ---- */

static void put_record(struct whims *whims, struct packet *reply, unsigned section, struct view owner, unsigned type)
{
    packet_bytes(reply, owner.data, owner.len);
    size_t at = packet_fixed(reply, section, type, 300);
    put_data(whims, type, reply);
    packet_end(reply, at);
}

static void put_records(struct whims *whims, const struct inquiry *inquiry, struct packet *reply)
{
    unsigned count = 1 + draw(whims, 12);
    for (unsigned i = 0; i < count && reply->len < LONGEST; i++)
        put_record(whims, reply, SECTION_ANSWER, name_view(&inquiry->name), inquiry->type);
    if (inquiry->checking_disabled && draw(whims, 2) == 1) {
        packet_u16(reply, AT_QUESTION);
        size_t at = packet_fixed(reply, SECTION_ANSWER, TYPE_RRSIG, 300);
        put_bytes(whims, reply, 18 + draw(whims, 2));
        packet_end(reply, at);
    }
}

static void put_alias(struct whims *whims, const struct inquiry *inquiry, struct packet *reply)
{
    struct view target = draw_name(whims), next = draw_name(whims);
    packet_u16(reply, AT_QUESTION);
    size_t at = packet_fixed(reply, SECTION_ANSWER, TYPE_CNAME, 300);
    packet_bytes(reply, target.data, target.len);
    packet_end(reply, at);
    if (draw(whims, 3) == 0) {
        packet_bytes(reply, target.data, target.len);
        at = packet_fixed(reply, SECTION_ANSWER, TYPE_CNAME, 300);
        packet_bytes(reply, next.data, next.len);
        packet_end(reply, at);
        target = next;
    }
    if (draw(whims, 2) == 0)
        put_record(whims, reply, SECTION_ANSWER, target, inquiry->type);
}

/* The SOA of the name, or of what is above it. */
static void put_denial(struct whims *whims, const struct inquiry *inquiry, struct packet *reply)
{
    struct view name   = name_view(&inquiry->name);
    size_t      labels = name_labels(name);
    name               = name_tail(name, draw(whims, 2) == 0 ? labels : draw(whims, (unsigned) labels + 1));
    put_record(whims, reply, SECTION_AUTHORITY, name, TYPE_SOA);
}

static void put_referral(struct whims *whims, const struct inquiry *inquiry, struct packet *reply)
{
    reply->data[3] &= 0x7f; /* RA */
    put_record(whims, reply, SECTION_AUTHORITY, name_view(&inquiry->name), TYPE_NS);
    put_record(whims, reply, SECTION_ADDITIONAL, draw_name(whims), draw(whims, 2) == 0 ? TYPE_A : TYPE_AAAA);
}

static void put_raw_record(struct whims *whims, const struct inquiry *inquiry, struct packet *reply)
{
    packet_u16(reply, AT_QUESTION);
    size_t at = packet_fixed(reply, draw(whims, 3), inquiry->type, 300);
    put_bytes(whims, reply, draw(whims, 100));
    packet_end(reply, at);
}

/* ---- a reply ---- */

static void put_whim(struct whims *whims, enum whim whim, const struct hearing_question *question, struct packet *reply)
{
    switch (whim) {
    case WHIM_NXDOMAIN:
        reply->data[3] |= RCODE_NXDOMAIN;
        /* fallthrough */
    case WHIM_NODATA:
        put_denial(whims, question->inquiry, reply);
        return;
    case WHIM_ALIAS:
        put_alias(whims, question->inquiry, reply);
        return;
    case WHIM_SERVFAIL:
        reply->data[3] |= RCODE_SERVFAIL;
        return;
    case WHIM_RCODE:
        reply->data[3] = (uint8_t) (reply->data[3] | draw(whims, 16));
        return;
    case WHIM_REFERRAL:
        put_referral(whims, question->inquiry, reply);
        return;
    case WHIM_CUT:
        reply->data[2] |= FLAG_TC >> 8;
        return;
    case WHIM_RAW_RECORD:
        put_raw_record(whims, question->inquiry, reply);
        return;
    case WHIM_RUBBISH:
        put_bytes(whims, reply, draw(whims, 200));
        return;
    default:
        put_records(whims, question->inquiry, reply);
    }
}

enum hearing_play whims_play(void *context, const struct hearing_question *question, struct packet *reply)
{
    struct whims *whims = context;
    enum whim     whim  = (enum whim) draw(whims, WHIM_COUNT);
    if (whim == WHIM_SILENCE)
        return PLAY_SILENCE;
    if (whim == WHIM_REFUSAL)
        return PLAY_REFUSAL;
    if (whim == WHIM_NO_ROUTE)
        return PLAY_NO_ROUTE;
    unsigned flags = draw(whims, 8); /* 0: no OPT; AA, AD */
    reply->data[2] |= flags & 2 ? FLAG_AA >> 8 : 0;
    reply->data[3] |= flags & 4 ? FLAG_AD : 0;
    put_whim(whims, whim, question, reply);
    if (flags & 1 || whim == WHIM_SERVFAIL) {
        const uint8_t option[] = {0, 15, 0, 2, 0, (uint8_t) draw(whims, 30)};
        packet_opt(reply, 1232, 0, option, draw(whims, 2) == 0 ? sizeof(option) : 0);
    }
    return PLAY_REPLY;
}
