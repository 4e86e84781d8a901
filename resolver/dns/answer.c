/*
 * answer.c: see answer.h. It knows neither cache nor upstreams: bytes in, bytes out, nothing allocated. answer_write()
 * is on the path of each query.
 */
#include "dns/answer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "dns/opt.h"

#include <assert.h>
#include <string.h>

enum {
    ANY_RECORD  = 21,
    UDP_MINIMUM = 512, /* what a client without EDNS takes; less is never advertised in earnest (RFC 6891, 6.2.3) */
};

static uint32_t clamp_ttl(uint32_t ttl, const struct store_rules *rules)
{
    if (ttl > INT32_MAX) /* RFC 2181, 8 */
        ttl = 0;
    if (ttl < rules->min_ttl)
        ttl = rules->min_ttl;
    return ttl < rules->max_ttl ? ttl : rules->max_ttl;
}

size_t answer_pack(const struct message *reply, const struct store_rules *rules, uint8_t *out, size_t cap,
                   size_t *ret_message_len, uint32_t *ret_ttl)
{
    size_t        len    = reply->edns.present ? reply->opt_start : reply->wire.len;
    uint16_t      keep   = FLAG_RCODE | (rules->authentic ? FLAG_AD : 0);
    uint16_t      extra  = 0; /* additional records before the OPT */
    size_t        end    = len;
    uint32_t      lowest = rules->max_ttl;
    struct record record = {0};
    if ((reply->flags & (FLAG_QR | FLAG_TC)) != FLAG_QR || !reply->has_question || reply->rcode > FLAG_RCODE ||
        len > cap)
        return 0;
    memcpy(out, reply->wire.data, len);
    while (message_next(reply, &record) && record.end <= len) {
        uint32_t ttl = clamp_ttl(record.ttl, rules);

        if (cap - end < 2)
            return 0;
        put_u32(out + record.ttl_at, ttl);
        put_u16(out + end, (uint16_t) record.ttl_at);
        end += 2;
        if (record.section == SECTION_ADDITIONAL)
            extra++;
        else if (ttl < lowest)
            lowest = ttl;
    }
    put_u16(out, 0);
    put_u16(out + 2, FLAG_QR | FLAG_RA | (reply->flags & keep));
    put_u16(out + 10, extra);
    *ret_message_len = len;
    *ret_ttl         = lowest;
    return end;
}

void client_query_from(const struct message *query, uint16_t udp_limit, struct client_query *ret)
{
    uint16_t size  = query->edns.present && query->edns.size > UDP_MINIMUM ? query->edns.size : UDP_MINIMUM;
    ret->id        = query->id;
    ret->flags     = query->flags;
    ret->edns      = query->edns.present;
    ret->dnssec_ok = query->edns.dnssec_ok;
    ret->limit     = udp_limit == 0 ? LIMIT_TCP_MESSAGE : size < udp_limit ? size : udp_limit;
    ret->type      = query->question.type;
    ret->class     = query->question.class;
    ret->keepalive = (struct keepalive){0};
    name_set(&ret->name, query->question.name);
}

static void patch_ttls(uint8_t *out, struct view ttls, uint32_t age, bool stale)
{
    for (size_t i = 0; i + 1 < ttls.len; i += 2) {
        uint8_t *at  = out + get_u16(ttls.data + i);
        uint32_t ttl = get_u32(at);
        put_u32(at, stale ? STALE_TTL : ttl > age ? ttl - age : 0);
    }
}

/* What stands for the records of ANY where they do not fit (RFC 8482, 4.2): the client need not come again by TCP, and
 * the answer is too short to be worth a forged question. */
static size_t put_any(uint8_t *out)
{
    static const uint8_t record[ANY_RECORD] = "\xc0\x0c\0\x0d\0\x01" /* the question's name, HINFO, IN */
                                              "\0\0\0\0\0\x09"       /* TTL, length */
                                              "\7RFC8482";           /* CPU; the NUL that ends it is the empty OS */
    memcpy(out, record, sizeof(record));
    put_u32(out + 6, ANY_TTL);
    return sizeof(record);
}

/* ---- what is given of a message that is too long ---- */

struct part {
    size_t   len;
    uint16_t count[SECTION_COUNT];
    bool     cut; /* what is missing belongs to the answer */
};

/* Where the first `count` records of the message end. */
static size_t records_end(const struct stored *stored, size_t count, size_t question_end)
{
    if (count == 0)
        return question_end;
    const uint8_t *ttl = stored->message.data + get_u16(stored->ttls.data + 2 * (count - 1));
    return (size_t) (ttl + 6 - stored->message.data) + get_u16(ttl + 4);
}

/* NS records, all that there is in authority beside an answer, if the client did not set DO. */
static bool authority_is_hint(const struct stored *stored, const struct part *part, bool dnssec_ok)
{
    size_t first = part->count[SECTION_ANSWER];
    if (dnssec_ok || first == 0 || part->count[SECTION_AUTHORITY] == 0)
        return false;
    return get_u16(stored->message.data + get_u16(stored->ttls.data + 2 * first) - 4) == TYPE_NS;
}

/* Nobody need come again by TCP for hints (RFC 2181, 9). Where the answer itself is too long, as many of its records as
 * fit go with TC: some clients know no TCP, and take them. */
static struct part part_within(const struct stored *stored, size_t question_end, bool dnssec_ok, size_t room)
{
    const uint8_t *message = stored->message.data;
    struct part    part    = {.len   = stored->message.len,
                              .count = {get_u16(message + 6), get_u16(message + 8), get_u16(message + 10)}};
    if (part.len <= room)
        return part;
    part.count[SECTION_ADDITIONAL] = 0;
    part.len = records_end(stored, (size_t) part.count[SECTION_ANSWER] + part.count[SECTION_AUTHORITY], question_end);
    if (part.len <= room)
        return part;
    part.cut                      = !authority_is_hint(stored, &part, dnssec_ok);
    part.count[SECTION_AUTHORITY] = 0;
    part.len                      = question_end;
    for (uint16_t i = 0; i < part.count[SECTION_ANSWER]; i++) {
        size_t end = records_end(stored, i + 1U, question_end);
        if (end > room) {
            part.count[SECTION_ANSWER] = i;
            part.cut                   = true;
            return part;
        }
        part.len = end;
    }
    return part;
}

static void put_records(uint8_t *out, const struct stored *stored, const struct part *part, uint32_t age, bool stale)
{
    size_t records = 0;
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        put_u16(out + 6 + 2 * i, part->count[i]);
        records += part->count[i];
    }
    patch_ttls(out, (struct view){stored->ttls.data, 2 * records}, age, stale);
}

size_t answer_write(const struct client_query *query, const struct stored *stored, uint32_t age, bool stale, int ede,
                    uint8_t *out, size_t cap)
{
    size_t     question_end = MESSAGE_HEADER + (size_t) query->name.len + 4;
    uint16_t   flags        = get_u16(stored->message.data + 2);
    size_t     limit        = query->limit < cap ? query->limit : cap;
    size_t     opt_min      = query->edns ? OPT_LEN : 0;
    struct opt opt          = {
                 .size = LIMIT_UDP_PAYLOAD, .dnssec_ok = query->dnssec_ok, .ede = ede, .keepalive = query->keepalive};

    assert(stored->message.len >= question_end);
    struct part part = part_within(stored, question_end, query->dnssec_ok, limit > opt_min ? limit - opt_min : 0);
    /* An option that alone would cost the records is left out. */
    if (query->edns && part.len + opt_len(&opt) > limit)
        opt = (struct opt){.size = LIMIT_UDP_PAYLOAD, .dnssec_ok = query->dnssec_ok, .ede = EDE_NONE};
    /* Whoever sent DO may validate, and no signature covers that HINFO. */
    bool any = part.cut && query->limit < LIMIT_TCP_MESSAGE && query->type == TYPE_ANY && !query->dnssec_ok &&
               (flags & FLAG_RCODE) == RCODE_NOERROR;
    if (any)
        part = (struct part){.len = question_end};
    if (part.len + (any ? ANY_RECORD : 0) + (query->edns ? opt_len(&opt) : 0) > cap)
        return 0;

    memcpy(out, stored->message.data, part.len);
    memcpy(out + MESSAGE_HEADER, query->name.wire, query->name.len);
    if (((query->flags & FLAG_AD) == 0 && !query->dnssec_ok) || any)
        flags &= (uint16_t) ~FLAG_AD;
    put_u16(out, query->id);
    put_u16(out + 2, (uint16_t) (flags | (query->flags & (FLAG_RD | FLAG_CD)) | (part.cut ? FLAG_TC : 0)));
    put_records(out, stored, &part, age, stale);
    size_t len = part.len;
    if (any) {
        put_u16(out + 6, 1);
        len += put_any(out + len);
    }
    if (!query->edns)
        return len;
    put_u16(out + 10, (uint16_t) (get_u16(out + 10) + 1));
    return len + opt_write(&opt, out + len);
}
