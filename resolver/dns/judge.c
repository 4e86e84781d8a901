/*
 * judge.c: see judge.h. It knows nothing of zones' history, upstreams or time.
 */
#include "dns/judge.h"

#include "base/bytes.h"

#include <string.h>

enum {
    ALIASES_MAX    = 32, /* alias records looked at, and steps of a chain; resolvers give up at 8 to 20 */
    RCODE_YXDOMAIN = 6,
};

/* A CNAME or DNAME of the answer section; the names are unpacked only where they are compared. */
struct alias {
    uint16_t type;
    size_t   owner, target; /* offsets */
};

struct aliases {
    struct alias each[ALIASES_MAX];
    size_t       count;
};

const char *outcome_word(enum outcome outcome)
{
    static const char *const words[] = {
#define OUTCOME(symbol, word, help) word,
#include "dns/outcome.def"
#undef OUTCOME
    };
    return words[outcome];
}

/* The message was parsed: its names are good. */
static void unpack(const struct message *reply, size_t offset, struct name *ret)
{
    size_t end;
    (void) name_unpack(reply->wire, offset, ret, &end);
    name_lower(ret->wire, ret->len);
}

static bool same_class(const struct message *reply, const struct record *record)
{
    return record->class == reply->question.class || reply->question.class == CLASS_ANY;
}

static void collect_aliases(const struct message *reply, struct aliases *ret)
{
    struct record record = {0};
    ret->count           = 0;
    while (ret->count < ALIASES_MAX && message_next(reply, &record) && record.section == SECTION_ANSWER)
        if ((record.type == TYPE_CNAME || record.type == TYPE_DNAME) && same_class(reply, &record))
            ret->each[ret->count++] = (struct alias){record.type, record.owner, record.data_at};
}

/* *name, which is below `owner`, with `owner` replaced by `target`. False: the result is too long. */
static bool substitute(struct name *name, const struct name *owner, const struct name *target)
{
    size_t prefix = (size_t) name->len - owner->len;
    if (prefix + target->len > NAME_WIRE_MAX)
        return false;
    memcpy(name->wire + prefix, target->wire, target->len);
    name->len = (uint8_t) (prefix + target->len);
    return true;
}

/* One step of the chain from *name. */
static bool follow(const struct message *reply, const struct aliases *aliases, struct name *name)
{
    for (size_t i = 0; i < aliases->count; i++) {
        const struct alias *alias = &aliases->each[i];
        struct name         owner, target;

        unpack(reply, alias->owner, &owner);
        if (alias->type == TYPE_CNAME
                ? !name_equal(name_view(name), name_view(&owner))
                : name->len <= owner.len || !name_is_at_or_below(name_view(name), name_view(&owner)))
            continue;
        unpack(reply, alias->target, &target);
        if (alias->type == TYPE_DNAME)
            return substitute(name, &owner, &target);
        *name = target;
        return true;
    }
    return false;
}

/* A question for CNAME or ANY is answered by the alias itself. */
static void find_chain_end(const struct message *reply, struct judgement *ret)
{
    struct aliases aliases;
    name_set_lower(&ret->alias, reply->question.name);
    if (reply->question.type == TYPE_CNAME || reply->question.type == TYPE_ANY)
        return;
    collect_aliases(reply, &aliases);
    for (unsigned steps = 0; steps < ALIASES_MAX && follow(reply, &aliases, &ret->alias); steps++)
        ret->has_alias = true;
}

/* RFC 1035, 3.4.1 and RFC 3596, 2.2. */
static bool is_bad_address(const struct record *record)
{
    return record->class == CLASS_IN &&
           ((record->type == TYPE_A && record->data.len != 4) || (record->type == TYPE_AAAA && record->data.len != 16));
}

static bool has_bad_address(const struct message *reply)
{
    struct record record = {0};
    while (message_next(reply, &record) && record.section == SECTION_ANSWER)
        if (is_bad_address(&record))
            return true;
    return false;
}

/* `at_question`: *name is the question's, where most owners are a pointer to it. */
static bool has_answer(const struct message *reply, const struct name *name, bool at_question)
{
    uint16_t      type   = reply->question.type;
    struct record record = {0};
    while (message_next(reply, &record) && record.section == SECTION_ANSWER) {
        struct name owner;

        if ((type != TYPE_ANY && record.type != type) || !same_class(reply, &record))
            continue;
        if (at_question && get_u16(reply->wire.data + record.owner) == POINTER_TO_QUESTION)
            return true;
        unpack(reply, record.owner, &owner);
        if (name_equal(name_view(&owner), name_view(name)))
            return true;
    }
    return false;
}

/* A record of another type than was asked for, where the answer should stand: some that forge answer every question with
 * an address. */
static bool has_wrong_type(const struct message *reply, const struct name *name)
{
    struct record record = {0};
    while (message_next(reply, &record) && record.section == SECTION_ANSWER) {
        struct name owner;
        unpack(reply, record.owner, &owner);
        if ((record.type == TYPE_A || record.type == TYPE_AAAA) && same_class(reply, &record) &&
            name_equal(name_view(&owner), name_view(name)))
            return true;
    }
    return false;
}

/* RFC 2181, 8: a TTL with the top bit set is read as 0. */
static uint32_t ttl_value(uint32_t ttl) { return ttl > INT32_MAX ? 0 : ttl; }

/* Returns whether authority has NS records, which make a referral of a reply without SOA. */
static bool find_soa(const struct message *reply, struct judgement *ret)
{
    struct record record = {0};
    bool          has_ns = false;
    while (message_next(reply, &record) && record.section != SECTION_ADDITIONAL) {
        struct name owner;
        uint32_t    ttl, minimum;

        has_ns |= record.type == TYPE_NS && record.section == SECTION_AUTHORITY;
        if (record.type != TYPE_SOA || ret->has_soa || !same_class(reply, &record))
            continue;
        unpack(reply, record.owner, &owner);
        if (!name_is_at_or_below(reply->question.name, name_view(&owner)) &&
            !name_is_at_or_below(name_view(&ret->alias), name_view(&owner)))
            continue;
        ret->zone         = owner;
        ttl               = ttl_value(record.ttl);
        minimum           = ttl_value(get_u32(reply->wire.data + record.end - 4));
        ret->negative_ttl = ttl < minimum ? ttl : minimum;
        ret->has_soa      = true;
    }
    return has_ns;
}

static enum outcome judge_records(const struct message *reply, struct judgement *ret)
{
    bool empty = reply->count[SECTION_ANSWER] == 0;
    bool has_ns;
    find_chain_end(reply, ret);
    has_ns = find_soa(reply, ret);
    if (has_bad_address(reply))
        return OUTCOME_MALFORMED;
    if (reply->rcode == RCODE_NXDOMAIN)
        return OUTCOME_NXDOMAIN;
    if (reply->rcode == RCODE_YXDOMAIN || has_answer(reply, &ret->alias, !ret->has_alias))
        return OUTCOME_ANSWER;
    if (empty && has_ns && !ret->has_soa && (reply->flags & (FLAG_AA | FLAG_RA)) == 0)
        return OUTCOME_REFUSED;
    if (has_wrong_type(reply, &ret->alias))
        return OUTCOME_FORGED;
    return ret->has_soa || ret->has_alias || empty ? OUTCOME_NODATA : OUTCOME_MALFORMED;
}

void judge_reply(const struct message *reply, struct judgement *ret)
{
    bool refuses     = reply->rcode == RCODE_NOTIMP || reply->rcode == RCODE_BADVERS;
    bool bad_version = reply->rcode == RCODE_BADVERS || reply->edns.version > 0;
    memset(ret, 0, offsetof(struct judgement, alias));
    ret->negative_ttl = 0;
    ret->alias.len = ret->zone.len = 0;
    ret->ede                       = reply->edns.ede;
    ret->truncated                 = (reply->flags & FLAG_TC) != 0;
    ret->edns_refused = reply->rcode == RCODE_FORMERR || (refuses && (!reply->edns.present || bad_version));

    if ((reply->flags & FLAG_QR) == 0 || (reply->flags & FLAG_OPCODE) != 0)
        ret->outcome = OUTCOME_MALFORMED;
    else if (reply->rcode == RCODE_SERVFAIL)
        ret->outcome = OUTCOME_SERVFAIL;
    else if (reply->rcode != RCODE_NOERROR && reply->rcode != RCODE_NXDOMAIN && reply->rcode != RCODE_YXDOMAIN)
        ret->outcome = OUTCOME_REFUSED;
    else if (!reply->has_question)
        ret->outcome = OUTCOME_MALFORMED;
    else
        ret->outcome = judge_records(reply, ret);
}

enum bogus judge_bogus(const struct judgement *judgement)
{
    if (judgement->outcome != OUTCOME_SERVFAIL)
        return BOGUS_NOT;
    switch (judgement->ede) {
    case EDE_SIGNATURE_EXPIRED:
    case EDE_SIGNATURE_NOT_YET_VALID:
    case EDE_NO_ZONE_KEY:
        return BOGUS_OWN_FAULT;
    case EDE_BOGUS:
    case EDE_DNSKEY_MISSING:
    case EDE_RRSIGS_MISSING:
    case EDE_NSEC_MISSING:
        return BOGUS_DOUBTFUL;
    default:
        return BOGUS_NOT;
    }
}

bool judge_is_unfounded(const struct judgement *judgement)
{
    return (judgement->outcome == OUTCOME_NXDOMAIN || judgement->outcome == OUTCOME_NODATA) && !judgement->has_soa &&
           !judgement->has_alias;
}

bool judge_has_proof(const struct message *reply)
{
    struct record record = {0};
    while (message_next(reply, &record))
        if (record.section == SECTION_AUTHORITY && (record.type == TYPE_NSEC || record.type == TYPE_NSEC3))
            return true;
    return false;
}

uint32_t judge_lifetime(const struct judgement *judgement, const struct message *reply)
{
    struct record record = {0};
    uint32_t least = judgement->outcome != OUTCOME_ANSWER && judgement->has_soa ? judgement->negative_ttl : UINT32_MAX;
    while (message_next(reply, &record) && record.section == SECTION_ANSWER)
        least = record.ttl < least ? record.ttl : least;
    return least == UINT32_MAX ? 0 : least;
}
