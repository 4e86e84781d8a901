/*
 * reply.c: an upstream's answer as a packet.
 */
#include "lib/writing.h"
#include "sim/sim.h"

static void soa(struct writing *w, unsigned section, struct view apex)
{
    size_t at = begin_record(w, section, &apex, TYPE_SOA);
    write_bytes(w, "\1n\0\0", 4);
    for (unsigned i = 0; i < 5; i++)
        write_u32(w, w->ttl);
    end_record(w, at);
}

static void nsec(struct writing *w, struct view apex)
{
    size_t at = begin_record(w, 1, &apex, TYPE_NSEC);
    write_bytes(w, "\0\0\1\142", 4);
    end_record(w, at);
}

static void nameserver(struct writing *w, unsigned provider, unsigned number)
{
    char   text[24];
    int    len = snprintf(text, sizeof(text), "p%u", provider);
    size_t at  = begin_record(w, 0, NULL, TYPE_NS);
    write_bytes(w, number ? "\3ns2" : "\3ns1", 4);
    write_bytes(w, &(uint8_t){(uint8_t) len}, 1);
    write_bytes(w, text, (size_t) len);
    write_bytes(w, "\3net\0", 5);
    end_record(w, at);
}

static void stranger(struct writing *w)
{
    size_t at = begin_record(w, 0, NULL, TYPE_A);
    write_u32(w, SIM_STRANGER);
    end_record(w, at);
}

static void data(struct writing *w, const struct truth *truth, const struct subject *subject, struct view apex)
{
    uint64_t hash = subject->name;
    size_t   at   = begin_record(w, 0, NULL, subject->type);
    switch (subject->type) {
    case TYPE_A:
        write_u32(w, 0x3c000000 | (truth_provider(truth, subject->zone) << 8 & 0xffff00) | (hash & 0xff));
        break;
    case TYPE_AAAA:
        write_u32(w, 0x20010db8);
        write_bytes(w, "\0\0\0\0", 4);
        write_bytes(w, &hash, 8);
        break;
    case TYPE_MX:
        write_u16(w, 10);
        write_bytes(w, "\4mail", 5);
        write_bytes(w, apex.data, apex.len);
        break;
    case TYPE_PTR:
        write_bytes(w, "\4mail", 5);
        write_bytes(w, apex.data, apex.len);
        break;
    default:
        write_bytes(w, "\13v=spf1 -all", 12);
    }
    end_record(w, at);
}

size_t reply_write(const struct truth *truth, const struct message *question, const struct subject *subject,
                   enum says says, uint8_t out[SIM_REPLY_MAX])
{
    struct writing w    = {.out = out};
    struct view    name = question->question.name, apex = name_tail(name, subject->apex_labels);
    bool           there = name.len == apex.len, known = subject->apex_labels > 0;
    bool           soa_asked = subject->type == TYPE_SOA && there, ns_asked = subject->type == TYPE_NS && there;
    bool           has =
        says == SAYS_ANSWER && known && (subject->exists || there) &&
        (soa_asked || ns_asked ||
         (subject->exists && subject->type != TYPE_SOA && subject->type != TYPE_NS && subject->type != TYPE_CNAME));
    bool nodata = says == SAYS_ANSWER && !has;
    bool proven =
        nodata && known && question->edns.present && question->edns.dnssec_ok && truth_signed(truth, subject->zone);
    bool     nx    = nodata && !subject->exists && !there && subject->type != TYPE_AAAA;
    unsigned rcode = says == SAYS_SERVFAIL  ? RCODE_SERVFAIL
                     : says == SAYS_REFUSED ? RCODE_REFUSED
                     : nx                   ? RCODE_NXDOMAIN
                                            : RCODE_NOERROR;
    uint32_t ttl   = 300 + (uint32_t) (truth_draw(truth, subject->zone, 42) % 3300);
    write_header(&w, question->id, FLAG_QR | FLAG_RD | FLAG_RA | rcode, true);
    write_question(&w, &question->question);
    w.ttl = nodata ? 900 : ns_asked ? 86400 : ttl;
    if (proven)
        nsec(&w, apex);
    if (says == SAYS_FORGED && subject->type == TYPE_A)
        stranger(&w);
    if (nodata)
        soa(&w, 1, known ? apex : (struct view){(const uint8_t *) "", 1});
    else if (has && soa_asked)
        soa(&w, 0, apex);
    else if (has && ns_asked)
        for (unsigned i = 0; i < 2; i++)
            nameserver(&w, truth_provider(truth, subject->zone), i);
    else if (has)
        data(&w, truth, subject, apex);
    if (question->edns.present) {
        write_bytes(&w, "\0\0\51\4\320\0\0\0\0\0\0", 11);
        w.counts[2]++;
    }
    write_counts(&w);
    return w.len;
}
