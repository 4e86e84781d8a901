/*
 * answer.h: the stored form of an answer, and the answer to a client made from it in one pass.
 *
 * A stored answer is the upstream's message as it came, but: id 0; flags QR, RA (byway recurses for its
 * clients, whoever it asks), AD and rcode; OPT removed (and the rare records that stand after it, since they may point
 * across the gap); each TTL clamped. Behind the message follow the offsets of its TTLs, two bytes each.
 *
 * Thread: pure.
 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "dns/message.h"

struct stored {
    struct view message;
    struct view ttls; /* offsets of TTLs in `message`, two bytes each */
};

/* The largest stored form of any message. */
enum {
    STORED_MAX = 65535 + 2 * (65535 / 11)
};

struct store_rules {
    uint32_t min_ttl, max_ttl; /* s, clamps */
    bool     authentic;        /* keep AD: the upstream is trusted */
};

/* Writes the stored form of `reply` into `out`: the message, then the offsets. Returns the whole length, 0 if it does
 * not fit or cannot be stored: not a reply, no question, TC, or an rcode over 15; and the split in *ret_message_len.
 * *ret_ttl: the smallest TTL of answer and authority after clamping, s; max_ttl with no records. */
size_t answer_pack(const struct message *reply, const struct store_rules *rules, uint8_t *out, size_t cap,
                   size_t *ret_message_len, uint32_t *ret_ttl);

/* What the client sent, kept until it is answered. 300 bytes, plain data. */
struct client_query {
    uint16_t id;
    uint16_t flags; /* of the query: RD, AD and CD are used */
    bool     edns;
    bool     dnssec_ok;
    uint16_t limit; /* bytes the answer may have: UDP 512..1232, TCP 65535 */
    uint16_t type, class;

    struct keepalive keepalive; /* what the answer says of the TCP connection; only with edns */
    struct name      name;      /* in the client's case */
};

/* Takes what is needed out of a parsed query. `udp_limit`: our own cap on UDP answers, bytes; 0: TCP. The answer will
 * say nothing of the connection. */
void client_query_from(const struct message *query, uint16_t udp_limit, struct client_query *ret);

/* Writes the client's answer: id, question in the client's case, RD and CD from the query, AD only where the query had
 * AD or DO, TTLs less `age` s but not below 0 (`stale`: all are STALE_TTL), OPT if the query had one, with `ede` unless
 * EDE_NONE and query->keepalive, unless only these would not fit. Over query->limit or `cap` additional is left out, and
 * then the NS records beside an answer. Is it still too long: TC, and as many records of the answer as fit; but for ANY
 * over UDP without DO one HINFO "RFC8482" instead. `stored` was made from a reply to this very question. Returns the
 * length, 0 if `cap` is too small (never for cap >= limit). */
size_t answer_write(const struct client_query *query, const struct stored *stored, uint32_t age, bool stale, int ede,
                    uint8_t *out, size_t cap);

/* TTL that a stale answer carries, s (RFC 8767, 5). */
enum {
    STALE_TTL = 30
};

/* Of the HINFO that stands for the records of ANY, s: long enough to spare who asks again and again (RFC 8482, 4.2),
 * with nothing in it that could become wrong. */
enum {
    ANY_TTL = 3600
};

#endif
