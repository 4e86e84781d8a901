/*
 * local.c: see local.h. The answers are made afresh each time and never cached: that is as quick as a hit, and a reload
 * that claims a zone has nothing to flush.
 */
#include "policy/local.h"

#include "base/bytes.h"
#include "dns/compose.h"

#include <stdio.h>
#include <string.h>

enum {
    LOCAL_TTL    = 10800, /* s; RFC 6303, 3, for the SOA and what it says of negative answers */
    STAND_IN_TTL = 0      /* the same where domestic had no answer: it may know better the next moment */
};

static const struct {
    const char *zone;
    uint8_t     kind; /* enum local */
} zones[] = {
    {"localhost", LOCAL_LOOPBACK},     /* RFC 6761, 6.3 */
    {"invalid", LOCAL_NOTHING},        /* RFC 6761, 6.4 */
    {"onion", LOCAL_NOTHING},          /* RFC 7686, 2 */
    {"home.arpa", LOCAL_EMPTY},        /* RFC 8375, 4 */
    {"resolver.arpa", LOCAL_NODATA},   /* RFC 9462, 4 and 6.1: an upstream would tell of itself, and lead past byway */
    {"0.in-addr.arpa", LOCAL_EMPTY},   /* RFC 6303 from here on: 0.0.0.0/8 */
    {"127.in-addr.arpa", LOCAL_EMPTY}, /* loopback */
    {"1.0.0.127.in-addr.arpa", LOCAL_LOCALHOST},
    {"2.0.192.in-addr.arpa", LOCAL_EMPTY}, /* documentation */
    {"100.51.198.in-addr.arpa", LOCAL_EMPTY},
    {"113.0.203.in-addr.arpa", LOCAL_EMPTY},
    {"255.255.255.255.in-addr.arpa", LOCAL_EMPTY},
    {"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", LOCAL_EMPTY},     /* :: */
    {"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", LOCAL_LOCALHOST}, /* ::1 */
    {"8.b.d.0.1.0.0.2.ip6.arpa", LOCAL_EMPTY},                                                     /* documentation */
};

/* Whose addresses may be an organisation's own; only its resolvers know their names. More of them are in `ranges`. */
static const char *const private_zones[] = {
    "10.in-addr.arpa",                        /* RFC 1918 */
    "168.192.in-addr.arpa",                   /* RFC 1918 */
    "254.169.in-addr.arpa",                   /* link-local */
    "c.f.ip6.arpa",                           /* fc00::/7, unique local (RFC 4193) */
    "d.f.ip6.arpa",         "8.e.f.ip6.arpa", /* fe80::/10, link-local */
    "9.e.f.ip6.arpa",       "a.e.f.ip6.arpa", "b.e.f.ip6.arpa",
};

static const struct {
    const char *above;
    unsigned    first, last;
} ranges[] = {
    {"172.in-addr.arpa", 16, 31},  /* RFC 1918 */
    {"100.in-addr.arpa", 64, 127}, /* RFC 7793: shared by providers and their customers */
};

/* The names above have no escapes. */
static void name_of(const char *text, struct name *ret)
{
    uint8_t at = 0;
    while (*text != '\0') {
        size_t len      = strcspn(text, ".");
        ret->wire[at++] = (uint8_t) len;
        memcpy(ret->wire + at, text, len);
        at = (uint8_t) (at + len);
        text += len + (text[len] == '.');
    }
    ret->wire[at] = 0;
    ret->len      = (uint8_t) (at + 1);
}

static bool claimed(const struct rule *rules, size_t count, const struct name *zone)
{
    for (size_t i = 0; i < count; i++)
        if (!rules[i].shipped && rules[i].zone.len > 1 &&
            name_is_at_or_below(name_view(zone), name_view(&rules[i].zone)))
            return true;
    return false;
}

struct draft {
    const struct rule *rules; /* the operator's, and presets' */
    size_t             count;
    struct rule       *out;
    size_t             made;
};

static void add(struct draft *draft, const char *zone, struct rule rule)
{
    name_of(zone, &rule.zone);
    if (!claimed(draft->rules, draft->count, &rule.zone))
        draft->out[draft->made++] = rule;
}

size_t local_rules(const struct rule *rules, size_t count, uint8_t domestic, struct rule *out)
{
    struct draft      draft = {.rules = rules, .count = count, .out = out};
    const struct rule fence = {.via = VIA_GROUP, .group = domestic, .or_empty = true, .shipped = true};
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        add(&draft, zones[i].zone, (struct rule){.via = VIA_LOCAL, .group = zones[i].kind, .shipped = true});
    for (size_t i = 0; i < ARRAY_LEN(private_zones); i++)
        add(&draft, private_zones[i], fence);
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
        for (unsigned octet = ranges[i].first; octet <= ranges[i].last; octet++) {
            char text[32];
            snprintf(text, sizeof(text), "%u.%s", octet, ranges[i].above);
            add(&draft, text, fence);
        }
    return draft.made;
}

/* Neither `test` nor `invalid`: resolvers answer those themselves and would not pass it on. */
void echo_draw(struct name *echo, struct rng *rng)
{
    struct name example;
    name_of("example", &example);
    (void) name_prepend_random(echo, name_view(&example), rng); /* it is not too long */
}

struct rule echo_rule(const struct name *echo)
{
    return (struct rule){.zone = *echo, .via = VIA_LOCAL, .group = LOCAL_NOTHING, .shipped = true};
}

/* The type that answers a question of the type `query`, or 0: there is none. */
static uint16_t type_there(enum local kind, bool top, uint16_t asked)
{
    static const uint16_t types[][4] = {
        [LOCAL_EMPTY]     = {0},
        [LOCAL_NOTHING]   = {0},
        [LOCAL_NODATA]    = {0},
        [LOCAL_LOOPBACK]  = {TYPE_A, TYPE_AAAA},
        [LOCAL_LOCALHOST] = {TYPE_PTR},
    };
    bool apex = top && kind != LOCAL_NOTHING;
    if (kind == LOCAL_LOOPBACK || top)
        for (const uint16_t *type = types[kind]; *type != 0; type++)
            if (asked == *type || asked == TYPE_ANY)
                return *type;
    return apex && (asked == TYPE_SOA || asked == TYPE_ANY) ? TYPE_SOA : apex && asked == TYPE_NS ? TYPE_NS : 0;
}

/* The zone's own name stands for its primary server, as in RFC 6303, 3: whoever wants to send it an update finds no
 * address. */
static struct view data_of(uint16_t type, size_t zone_at, uint32_t ttl, uint8_t out[64])
{
    static const uint8_t loopback4[4] = {127, 0, 0, 1}, loopback6[16] = {[15] = 1};
    static const uint8_t localhost[] = "\11localhost", nobody[] = "\6nobody\7invalid";
    const uint32_t       timers[] = {1, 3600, 1200, 604800, ttl}; /* serial, refresh, retry, expire, negative */
    size_t               len      = 2;
    switch (type) {
    case TYPE_A:
        return (struct view){loopback4, sizeof(loopback4)};
    case TYPE_AAAA:
        return (struct view){loopback6, sizeof(loopback6)};
    case TYPE_PTR:
        return (struct view){localhost, sizeof(localhost)};
    default:
        put_u16(out, name_pointer(zone_at));
        if (type == TYPE_NS)
            return (struct view){out, len};
        memcpy(out + len, nobody, sizeof(nobody));
        len += sizeof(nobody);
        for (size_t i = 0; i < ARRAY_LEN(timers); i++, len += 4)
            put_u32(out + len, timers[i]);
        return (struct view){out, len};
    }
}

size_t local_answer(const struct client_query *query, const struct rule *rule, bool is_there, int ede, uint8_t *out)
{
    enum local        kind    = rule->or_empty ? LOCAL_EMPTY : (enum local) rule->group;
    bool              top     = query->name.len == rule->zone.len;
    size_t            zone_at = MESSAGE_HEADER + (size_t) (query->name.len - rule->zone.len);
    uint16_t          type    = type_there(kind, top, query->type);
    bool              exists  = kind == LOCAL_LOOPBACK || kind == LOCAL_NODATA || (is_there && kind != LOCAL_NOTHING);
    uint32_t          ttl     = rule->or_empty ? STAND_IN_TTL : LOCAL_TTL;
    struct own_record record  = {SECTION_ANSWER, MESSAGE_HEADER, type, ttl, {0}};
    uint8_t           data[64];
    if (type == 0) {
        record.section  = SECTION_AUTHORITY;
        record.owner_at = zone_at;
        record.type     = TYPE_SOA;
    }
    record.data = data_of(record.type, zone_at, ttl, data);
    return own_answer_write(query, exists ? RCODE_NOERROR : RCODE_NXDOMAIN, &record, ede, out);
}
