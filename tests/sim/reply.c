/*
 * reply.c: an upstream's answer as a packet.
 */
#include "base/bytes.h"
#include "sim/sim.h"

#include <string.h>

enum {
    HERE = 0xc00c /* a pointer to the question's name */
};

struct writing {
    uint8_t *out;
    size_t   len;
};

static void bytes(struct writing *w, const void *data, size_t len)
{
    memcpy(w->out + w->len, data, len);
    w->len += len;
}

static void u16(struct writing *w, unsigned value)
{
    put_u16(w->out + w->len, (uint16_t) value);
    w->len += 2;
}

static void u32(struct writing *w, uint32_t value)
{
    put_u32(w->out + w->len, value);
    w->len += 4;
}

static void soa(struct writing *w, struct view apex, uint32_t ttl)
{
    bytes(w, apex.data, apex.len);
    u16(w, TYPE_SOA);
    u16(w, CLASS_IN);
    u32(w, ttl);
    u16(w, 4 + 20);
    bytes(w, "\1n\0\0", 4);
    for (unsigned i = 0; i < 5; i++)
        u32(w, ttl);
}

static void nsec(struct writing *w, struct view apex)
{
    bytes(w, apex.data, apex.len);
    u16(w, TYPE_NSEC);
    u16(w, CLASS_IN);
    u32(w, 900);
    u16(w, 1 + 3);
    bytes(w, "\0\0\1\142", 4);
}

static void nameserver(struct writing *w, unsigned provider, unsigned number)
{
    char text[24];
    int  len = snprintf(text, sizeof(text), "p%u", provider);
    u16(w, HERE);
    u16(w, TYPE_NS);
    u16(w, CLASS_IN);
    u32(w, 86400);
    u16(w, 4 + 1 + (unsigned) len + 5);
    bytes(w, number ? "\3ns2" : "\3ns1", 4);
    bytes(w, &(uint8_t){(uint8_t) len}, 1);
    bytes(w, text, (size_t) len);
    bytes(w, "\3net\0", 5);
}

static void data(struct writing *w, const struct truth *truth, const struct subject *subject, struct view apex,
                 uint32_t ttl)
{
    uint64_t hash = subject->name;
    u16(w, HERE);
    u16(w, subject->type);
    u16(w, CLASS_IN);
    u32(w, ttl);
    switch (subject->type) {
    case TYPE_A:
        u16(w, 4);
        u32(w, 0x3c000000 | (truth_provider(truth, subject->zone) << 8 & 0xffff00) | (hash & 0xff));
        break;
    case TYPE_AAAA:
        u16(w, 16);
        u32(w, 0x20010db8);
        bytes(w, "\0\0\0\0", 4);
        bytes(w, &hash, 8);
        break;
    case TYPE_MX:
        u16(w, 2 + 5 + (unsigned) apex.len);
        u16(w, 10);
        bytes(w, "\4mail", 5);
        bytes(w, apex.data, apex.len);
        break;
    case TYPE_PTR:
        u16(w, 5 + (unsigned) apex.len);
        bytes(w, "\4mail", 5);
        bytes(w, apex.data, apex.len);
        break;
    default:
        u16(w, 12);
        bytes(w, "\13v=spf1 -all", 12);
    }
}

size_t reply_write(const struct truth *truth, const struct message *question, const struct subject *subject,
                   enum says says, uint8_t out[SIM_REPLY_MAX])
{
    struct writing w    = {.out = out};
    struct view    name = question->question.name, apex = name_tail(name, subject->apex_labels);
    bool           there = name.len == apex.len, known = subject->apex_labels > 0;
    bool           soa_asked = subject->type == TYPE_SOA && there, ns_asked = subject->type == TYPE_NS && there;
    bool           has = says == SAYS_ANSWER && known && (subject->exists || there) &&
               (soa_asked || ns_asked || (subject->exists && subject->type != TYPE_SOA && subject->type != TYPE_NS));
    bool nodata = says == SAYS_ANSWER && !has;
    bool proven =
        nodata && known && question->edns.present && question->edns.dnssec_ok && truth_signed(truth, subject->zone);
    bool     nx    = nodata && !subject->exists && !there && subject->type != TYPE_AAAA;
    unsigned rcode = says == SAYS_SERVFAIL  ? RCODE_SERVFAIL
                     : says == SAYS_REFUSED ? RCODE_REFUSED
                     : nx                   ? RCODE_NXDOMAIN
                                            : RCODE_NOERROR;
    uint32_t ttl   = 300 + (uint32_t) (truth_draw(truth, subject->zone, 42) % 3300);
    u16(&w, question->id);
    u16(&w, FLAG_QR | FLAG_RD | FLAG_RA | rcode);
    u16(&w, 1);
    u16(&w, has ? (ns_asked ? 2 : 1) : 0);
    u16(&w, nodata + proven);
    u16(&w, question->edns.present ? 1 : 0);
    bytes(&w, name.data, name.len);
    u16(&w, question->question.type);
    u16(&w, question->question.class);
    if (proven)
        nsec(&w, apex);
    if (nodata)
        soa(&w, known ? apex : (struct view){(const uint8_t *) "", 1}, 900);
    else if (has && soa_asked)
        soa(&w, apex, ttl);
    else if (has && ns_asked)
        for (unsigned i = 0; i < 2; i++)
            nameserver(&w, truth_provider(truth, subject->zone), i);
    else if (has)
        data(&w, truth, subject, apex, ttl);
    if (question->edns.present)
        bytes(&w, "\0\0\51\4\320\0\0\0\0\0\0", 11);
    return w.len;
}
