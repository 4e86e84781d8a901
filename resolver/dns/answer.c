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

size_t answer_write(const struct client_query *query, const struct stored *stored, uint32_t age, bool stale, int ede,
                    uint8_t *out, size_t cap)
{
    size_t     question_end = MESSAGE_HEADER + (size_t) query->name.len + 4;
    size_t     len          = stored->message.len;
    uint16_t   flags        = get_u16(stored->message.data + 2);
    size_t     limit        = query->limit < cap ? query->limit : cap;
    size_t     opt_min      = query->edns ? OPT_LEN : 0;
    bool       fits, any;
    struct opt opt = {
        .size = LIMIT_UDP_PAYLOAD, .dnssec_ok = query->dnssec_ok, .ede = ede, .keepalive = query->keepalive};

    assert(len >= question_end);
    /* An option that alone would cost the records is left out. */
    fits = len + opt_min <= limit;
    if (fits && query->edns && len + opt_len(&opt) > limit)
        opt = (struct opt){.size = LIMIT_UDP_PAYLOAD, .dnssec_ok = query->dnssec_ok, .ede = EDE_NONE};
    /* Whoever sent DO may validate, and no signature covers that HINFO. */
    any = !fits && query->limit < LIMIT_TCP_MESSAGE && query->type == TYPE_ANY && !query->dnssec_ok &&
          (flags & FLAG_RCODE) == RCODE_NOERROR;
    if (!fits)
        len = question_end;
    if (len + (any ? ANY_RECORD : 0) + (query->edns ? opt_len(&opt) : 0) > cap)
        return 0;

    memcpy(out, stored->message.data, len);
    memcpy(out + MESSAGE_HEADER, query->name.wire, query->name.len);
    if (((query->flags & FLAG_AD) == 0 && !query->dnssec_ok) || any)
        flags &= (uint16_t) ~FLAG_AD;
    put_u16(out, query->id);
    put_u16(out + 2, (uint16_t) (flags | (query->flags & (FLAG_RD | FLAG_CD)) | (fits || any ? 0 : FLAG_TC)));
    if (fits)
        patch_ttls(out, stored->ttls, age, stale);
    else
        memset(out + 6, 0, 6);
    if (any) {
        put_u16(out + 6, 1);
        len += put_any(out + len);
    }
    if (!query->edns)
        return len;
    put_u16(out + 10, (uint16_t) (get_u16(out + 10) + 1));
    return len + opt_write(&opt, out + len);
}
