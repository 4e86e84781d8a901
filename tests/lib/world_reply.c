/*
 * world_reply.c: see world_reply.h. It writes bytes by itself: nothing of dns/ that is under test but the parser.
 */
#include "lib/world_reply.h"

#include "lib/writing.h"

enum {
    OPT_BARE = 11,  /* bytes */
    LONG     = 513, /* the same */
};

static void soa(struct writing *w, unsigned section, struct view owner)
{
    size_t at = begin_record(w, section, &owner, TYPE_SOA);
    write_bytes(w, "\2ns\0\4root\0", 10);
    for (unsigned i = 0; i < 5; i++)
        write_u32(w, 60);
    end_record(w, at);
}

static void nsec(struct writing *w, struct view owner)
{
    size_t at = begin_record(w, 1, &owner, TYPE_NSEC);
    write_bytes(w, owner.data, owner.len);
    write_bytes(w, "\0\1\2", 3);
    end_record(w, at);
}

/* As resolvers do it, beginning with another one each time. */
static void nameservers(struct writing *w, const struct view *owner, unsigned from, const struct world_facts *facts)
{
    for (unsigned i = 0; i < facts->host_count; i++) {
        const struct view host = facts->hosts[(from + i) % facts->host_count];
        size_t            at   = begin_record(w, 0, owner, TYPE_NS);
        write_bytes(w, host.data, host.len);
        end_record(w, at);
    }
    if (facts->host_count)
        return;
    size_t at = begin_record(w, 0, owner, TYPE_NS);
    write_bytes(w, "\2ns", 3);
    write_bytes(w, facts->soa.data, facts->soa.len);
    end_record(w, at);
}

/* A nameserver's address is the same whoever is asked. */
static void host_address(struct writing *w, struct view name, uint16_t type)
{
    uint64_t hash        = name_hash((struct hash_key){3, 4}, name);
    uint8_t  address[16] = {10, 200};
    memcpy(address + 2, &hash, 8);
    write_bytes(w, address, type == TYPE_AAAA ? 16 : 4);
}

static bool is_host(struct view name) /* in any letter case */
{
    return name.len > 3 && name.data[0] <= 3 && (name.data[1] | 0x20) == 'n' && (name.data[2] | 0x20) == 's';
}

/* Data that tell who answered. */
static void data(struct writing *w, const struct view *owner, struct view name, uint16_t type,
                 const struct manner *manner, const struct world_facts *facts)
{
    uint8_t who[16] = {10, (uint8_t) facts->group, (uint8_t) facts->server, 1};
    size_t  at      = begin_record(w, 0, owner, type);
    switch (type) {
    case TYPE_MX:
        write_u16(w, facts->group);
        write_bytes(w, "\4mail\0", 6);
        break;
    case TYPE_PTR:
        write_bytes(w, (uint8_t[]){2, 'p', 'a' + (uint8_t) facts->group, 0}, 4);
        break;
    case TYPE_TXT:
        write_bytes(w, (uint8_t[]){3, 't', (uint8_t) facts->group, 't'}, 4);
        break;
    case TYPE_SRV:
        write_bytes(w, who, 6);
        write_bytes(w, "\2ns\0", 4);
        break;
    default:
        if (type == TYPE_A && manner->address)
            write_u32(w, manner->address);
        else if (is_host(name))
            host_address(w, name, type);
        else
            write_bytes(w, who, type == TYPE_AAAA ? 16 : 4);
    }
    end_record(w, at);
}

static void answer(struct writing *w, const struct message *question, const struct manner *manner,
                   const struct world_facts *facts)
{
    uint16_t           type  = question->question.type;
    const struct view *owner = NULL;
    bool               apex  = name_equal(question->question.name, facts->soa);
    if (facts->target.len > 0) {
        size_t at = begin_record(w, 0, NULL, TYPE_CNAME);
        write_bytes(w, facts->target.data, facts->target.len);
        end_record(w, at);
        owner = &facts->target;
        if (type == TYPE_CNAME)
            return;
    } else if (type == TYPE_SOA && apex) {
        soa(w, 0, facts->soa);
        return;
    } else if (type == TYPE_SOA || type == TYPE_CNAME) {
        soa(w, 1, facts->soa);
        return;
    }
    if (type == TYPE_NS)
        nameservers(w, owner, question->id, facts);
    else
        data(w, owner, question->question.name, type == TYPE_ANY || type == TYPE_SOA ? TYPE_A : type, manner, facts);
}

static void opt(struct writing *w, const struct manner *manner)
{
    write_bytes(w, "\0", 1);
    write_u16(w, TYPE_OPT);
    write_u16(w, 1232);
    write_u32(w, 0);
    write_u16(w, manner->ede ? 6 : 0);
    if (manner->ede) {
        write_u16(w, 15);
        write_u16(w, 2);
        write_u16(w, (unsigned) manner->ede);
    }
    w->counts[2]++;
}

static unsigned rcode_of(enum way way, const struct message *question)
{
    bool edns = question->edns.present, options = edns && question->opt_end - question->opt_start > OPT_BARE;
    switch (way) {
    case SERVFAILS:
    case SERVFAILS_SHORTLY:
        return RCODE_SERVFAIL;
    case REFUSES:
    case REFUSES_SHORTLY:
        return RCODE_REFUSED;
    case FORMERRS:
        return RCODE_FORMERR;
    case NO_EDNS:
    case NO_EDNS_COPIED:
        return edns ? RCODE_FORMERR : RCODE_NOERROR;
    case NO_OPTIONS:
        return options ? RCODE_FORMERR : RCODE_NOERROR;
    case NXDOMAINS:
        return RCODE_NXDOMAIN;
    default:
        return RCODE_NOERROR;
    }
}

static bool is_short(enum way way)
{
    return way == LACKS_QUESTION || way == REFUSES_SHORTLY || way == SERVFAILS_SHORTLY;
}

static bool has_opt(enum way way) { return way != NO_EDNS && way != FORMERRS && way != FORGES; }

/* Until it is longer than a small datagram. */
static void lengthen(struct writing *w)
{
    static const uint8_t text[101] = {100};
    while (w->len < LONG) {
        size_t at = begin_record(w, 2, NULL, TYPE_TXT);
        write_bytes(w, text, sizeof(text));
        end_record(w, at);
    }
}

/* What makes a good reply a bad one. */
static void spoil(struct writing *w, enum way way)
{
    if (way == CUTS) {
        w->len -= 3;
    } else if (way == TRAILS) {
        write_bytes(w, "\0\1\2\3", 4);
    } else if (way == BREAKS_EXTRA) {
        size_t at = begin_record(w, 2, NULL, TYPE_NS);
        write_bytes(w, "\100x", 2);
        end_record(w, at);
    }
}

size_t world_reply(const struct message *question, const struct manner *manner, enum transport transport,
                   const struct world_facts *facts, uint8_t out[WORLD_REPLY_MAX])
{
    bool           udp   = transport == TRANSPORT_UDP;
    bool           cut   = udp && (manner->way == TRUNCATES || manner->way == DROPS_LONG);
    unsigned       rcode = rcode_of(manner->way, question);
    struct writing w     = {.out = out, .ttl = manner->ttl == NO_TTL ? 0 : manner->ttl ? (uint32_t) manner->ttl : 300};
    write_header(&w, manner->way == MISLEADS ? question->id ^ 1u : question->id,
                 FLAG_QR | FLAG_RD | FLAG_RA | rcode | (cut ? FLAG_TC : 0) | (manner->authentic ? FLAG_AD : 0),
                 !is_short(manner->way));
    if (is_short(manner->way))
        return w.len;
    write_question(&w, &question->question);
    if (manner->lower)
        name_lower(out + MESSAGE_HEADER, question->question.name.len);
    if (manner->way == GARBLES) {
        write_bytes(&w, "\377\377\377\377\377\377\377", 7);
        put_u16(out + 6, 1);
        return w.len;
    }
    if (manner->way == FORGES)
        data(&w, NULL, question->question.name, TYPE_A, manner, facts);
    else if (rcode == RCODE_NOERROR && !cut && manner->way != HAS_NO_DATA)
        answer(&w, question, manner, facts);
    else if ((manner->way == NXDOMAINS || manner->way == HAS_NO_DATA) && !manner->no_soa)
        soa(&w, 1, facts->soa);
    if (manner->proves && question->edns.dnssec_ok)
        nsec(&w, facts->soa);
    if (manner->way == DROPS_LONG && !udp)
        lengthen(&w);
    if (question->edns.present && has_opt(manner->way))
        opt(&w, manner);
    spoil(&w, manner->way);
    write_counts(&w);
    return w.len;
}
