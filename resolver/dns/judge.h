/*
 * judge.h: what a reply to one question is. Pure; judges only the reply, not what it means for a zone.
 *
 * Thread: pure.
 */
#ifndef DNS_JUDGE_H
#define DNS_JUDGE_H

#include "dns/message.h"

enum outcome {
#define OUTCOME(symbol, word, help) OUTCOME_##symbol,
#include "dns/outcome.def"
#undef OUTCOME
    OUTCOME_COUNT
};

const char *outcome_word(enum outcome outcome);
/* usable: answers the client. */
static inline bool outcome_usable(enum outcome outcome) { return outcome <= OUTCOME_NODATA; }

struct judgement {
    enum outcome outcome;   /* ANSWER, NXDOMAIN, NODATA, SERVFAIL, REFUSED, MALFORMED or FORGED */
    bool         truncated; /* TC: never final, ask over TCP */
    bool edns_refused; /* FORMERR, or NOTIMP or BADVERS without OPT or with a version: ask again with less of EDNS */
    bool has_alias;    /* the answer follows a CNAME or DNAME from the question's name */
    bool has_soa;      /* `zone` and `negative_ttl` are set */
    int  ede;
    struct name alias; /* if has_alias: the last name of the chain, lower case */
    struct name zone;  /* owner of the SOA (answer or authority section), lower case; at or above the question's name or
                          the end of its chain */
    uint32_t    negative_ttl; /* seconds: min(SOA's TTL, its MINIMUM), RFC 2308 */
};

/* A SERVFAIL that failed validation (RFC 8914): by the zone's own fault, or maybe because its DNSSEC records were
 * forged or dropped on the way. */
enum bogus {
    BOGUS_NOT,
    BOGUS_OWN_FAULT,
    BOGUS_DOUBTFUL,
};
enum bogus judge_bogus(const struct judgement *judgement);

/* Judges `reply`, whose question was already matched; without one only a failing rcode counts, and QR=0 is MALFORMED.
 * Records are followed from the question's name through
 * CNAME and DNAME in the answer section, in any order, 32 steps at most: NXDOMAIN by rcode; ANSWER if a record of the
 * asked type (any for ANY) stands at the end; else NODATA if there is an SOA, or an empty answer, or a chain; a
 * referral (NS without SOA, empty answer, no AA, RA=0) is REFUSED; YXDOMAIN (6) is an answer; records that have nothing
 * to do with the question are MALFORMED, and so is an answer with an address of a wrong length; an address where
 * something else was asked for is FORGED. */
void judge_reply(const struct message *reply, struct judgement *ret);

/* True of a denial without SOA and without an alias: an injector could have made it, or a resolver that believed one. */
bool judge_is_unfounded(const struct judgement *judgement);

/* True if the reply brings NSEC or NSEC3 records: a denial that a cache may have made of those (RFC 8198). */
bool judge_has_proof(const struct message *reply);
/* How long a cache may keep that reply, s: the least TTL of its answer, or its negative TTL. 0: it has neither. */
uint32_t judge_lifetime(const struct judgement *judgement, const struct message *reply);

#endif
