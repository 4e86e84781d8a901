/*
 * compose.h: messages that byway makes itself.
 *
 * Thread: pure.
 */
#ifndef DNS_COMPOSE_H
#define DNS_COMPOSE_H

#include "dns/answer.h"

struct query_form {
    struct view name; /* written as it is */
    uint16_t    id;
    uint16_t    type, class;
    bool        edns;
    uint16_t    size;      /* only with edns: bytes that a reply over UDP may have */
    bool        dnssec_ok; /* only with edns */
    bool        keepalive; /* only with edns: asks how long a TCP connection is kept (RFC 7828) */
    bool        padded;    /* only with edns: to a multiple of QUERY_BLOCK bytes (RFC 7830, RFC 8467) */
    bool        checking_disabled;
};

enum {
    QUERY_BLOCK     = 128,
    QUERY_PLAIN_MAX = MESSAGE_HEADER + NAME_WIRE_MAX + 4 + 11 + 4, /* the last: an empty option */
    QUERY_MAX       = (QUERY_PLAIN_MAX + 4 + QUERY_BLOCK - 1) / QUERY_BLOCK * QUERY_BLOCK
};

/* A query to an upstream: RD=1, AD=1. Returns its length; `out` holds at least QUERY_MAX. */
size_t query_write(const struct query_form *form, uint8_t *out);

/* An answer without records: `rcode` up to 12 bits (BADVERS needs query->edns), EDE if the query had EDNS. Returns its
 * length. `out` holds at least FAILURE_MAX. */
enum {
    FAILURE_MAX = MESSAGE_HEADER + NAME_WIRE_MAX + 4 + 11 + 6 + 6 + 64 /* the last: an EDE's text */
};
size_t failure_write(const struct client_query *query, unsigned rcode, int ede, uint8_t *out);

/* A record of byway's own, class IN. Its owner is the name at `owner_at` of the message: the question's, or a tail of
 * it; so may names in `data` be. */
struct own_record {
    enum section section; /* answer or authority */
    size_t       owner_at;
    uint16_t     type;
    uint32_t     ttl; /* s */
    struct view  data;
};

/* How a name that stands at `at` is written in a record. */
static inline uint16_t name_pointer(size_t at) { return (uint16_t) (0xc000 | at); }

/* An authoritative answer with that one record, and EDE if the query had EDNS. Returns its length. `out` holds at least
 * 512, `data` at most 100 bytes, so that it fits any client. */
size_t own_answer_write(const struct client_query *query, unsigned rcode, const struct own_record *record, int ede,
                        uint8_t *out);

/* What stands for the records of ANY where upstreams decline it: one HINFO (RFC 8482, 4.2). Returns its length; `out`
 * holds at least 512. */
size_t any_declined_write(const struct client_query *query, uint8_t *out);

/* The answer to a query that message_receive() did not accept: header with the id, opcode and RD echoed, the question
 * where it could be read. */
size_t rejection_write(const struct message *query, unsigned rcode, uint8_t *out);

/* An empty answer with TC=1, no longer than the query: the client is to come over TCP. */
size_t truncation_write(const struct message *query, uint8_t *out);

/* Letter case from the bits of `random`, two independent letters never share a bit until 64 are used. In place. */
void name_mix_case(uint8_t *wire, size_t len, uint64_t random);

#endif
