/*
 * message.h: a zero-copy view of one DNS message. Parsed once, every record walked and bounded, so
 * that whoever holds a `struct message` may rely on its offsets. What this parser accepts, ldns
 * accepts and reads the same (tests/unit/test_message_ldns.c).
 *
 * Thread: pure.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include "base/types.h"
#include "dns/name.h"

enum {
    MESSAGE_HEADER      = 12,
    POINTER_TO_QUESTION = 0xc000 | MESSAGE_HEADER /* a compressed name that is the question's (RFC 1035, 4.1.4) */
};

enum { /* header flags, in the 16-bit word at offset 2 */
    FLAG_QR     = 0x8000,
    FLAG_OPCODE = 0x7800,
    FLAG_AA     = 0x0400,
    FLAG_TC     = 0x0200,
    FLAG_RD     = 0x0100,
    FLAG_RA     = 0x0080,
    FLAG_Z      = 0x0040,
    FLAG_AD     = 0x0020,
    FLAG_CD     = 0x0010,
    FLAG_RCODE  = 0x000f,
};

enum {
    RCODE_NOERROR  = 0,
    RCODE_FORMERR  = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP   = 4,
    RCODE_REFUSED  = 5,
    RCODE_BADVERS  = 16
};

enum {
    TYPE_A     = 1,
    TYPE_NS    = 2,
    TYPE_CNAME = 5,
    TYPE_SOA   = 6,
    TYPE_PTR   = 12,
    TYPE_HINFO = 13,
    TYPE_MX    = 15,
    TYPE_TXT   = 16,
    TYPE_AAAA  = 28,
    TYPE_SRV   = 33,
    TYPE_DNAME = 39,
    TYPE_OPT   = 41,
    TYPE_DS    = 43,
    TYPE_RRSIG = 46,
    TYPE_NSEC  = 47,
    TYPE_NSEC3 = 50,
    TYPE_TLSA  = 52,
    TYPE_TSIG  = 250,
    TYPE_IXFR  = 251,
    TYPE_AXFR  = 252,
    TYPE_ANY   = 255
};
enum {
    CLASS_IN  = 1,
    CLASS_ANY = 255
};

enum section {
    SECTION_ANSWER,
    SECTION_AUTHORITY,
    SECTION_ADDITIONAL,
    SECTION_COUNT
};

enum ede { /* RFC 8914 info-codes that byway sends or reads; EDE_NONE: none */
    EDE_NONE                    = -1,
    EDE_OTHER                   = 0,
    EDE_EXTERNAL                = 1 << 16,          /* no codes, but EDE_OTHER with a text: external answered */
    EDE_OVER_QUOTA              = EDE_EXTERNAL + 1, /* external was not asked, since its quota was used up */
    EDE_BLOCKLIST               = EDE_EXTERNAL + 2, /* the blocklist's answer was an error code */
    EDE_STALE_ANSWER            = 3,
    EDE_BOGUS                   = 6,
    EDE_SIGNATURE_EXPIRED       = 7,
    EDE_SIGNATURE_NOT_YET_VALID = 8,
    EDE_DNSKEY_MISSING          = 9,
    EDE_RRSIGS_MISSING          = 10,
    EDE_NO_ZONE_KEY             = 11,
    EDE_NSEC_MISSING            = 12,
    EDE_CACHED_ERROR            = 13,
    EDE_PROHIBITED              = 18,
    EDE_NOT_SUPPORTED           = 21,
    EDE_NO_REACHABLE_AUTHORITY  = 22,
    EDE_NETWORK_ERROR           = 23,
};

struct question {
    struct view name; /* borrows the message, in the case it came in; never compressed */
    uint16_t    type;
    uint16_t class;
};

enum keepalive_form {
    KEEPALIVE_NONE,
    KEEPALIVE_ASKED, /* without a time-out: all that a client may send */
    KEEPALIVE_TOLD,
};

struct keepalive { /* edns-tcp-keepalive (RFC 7828); zeroed: none */
    enum keepalive_form form;
    uint16_t            idle; /* KEEPALIVE_TOLD: units of 100 ms; 0: no questions any more */
};

struct edns {
    bool             present;
    bool             dnssec_ok;
    uint8_t          version;
    uint16_t         size;      /* as sent; not raised to 512 */
    int              ede;       /* first EDE info-code, or EDE_NONE */
    struct keepalive keepalive; /* the first of a length that RFC 7828 knows */
    bool             garbled;   /* the options do not fill the OPT: FORMERR in a query, ignored in a reply */
};

struct message {
    struct view     wire; /* borrows */
    uint16_t        id;
    uint16_t        flags;
    uint16_t        rcode; /* 12 bits, the OPT's upper bits included */
    uint16_t        count[SECTION_COUNT];
    bool            has_question; /* QDCOUNT is 1; false: 0 */
    struct question question;
    size_t          start[SECTION_COUNT + 1]; /* offset of each section; the last is the end of the message */
    size_t          opt_start, opt_end;       /* 0, 0: no OPT */
    struct edns     edns;
};

struct record {
    enum section section;
    size_t       owner; /* offset of the owner name, may be compressed */
    uint16_t     type, class;
    uint32_t     ttl;
    size_t       ttl_at; /* offset of the TTL */
    struct view  data;   /* rdata, borrows */
    size_t       data_at;
    size_t       end;   /* offset after the record; 0 before the first */
    size_t       index; /* records passed in this section; internal */
};

/* Reads a whole message, any direction. False: shorter than a header, QDCOUNT over 1, a record that
 * does not fit, a bad name or pointer, a second OPT, an OPT outside additional or not at the root,
 * a TSIG that is not the last record. ret->wire ends before bytes after the last record: they belong to nobody (RFC
 * 1035, 4.1 counts what is in a message). The compressed names inside the rdata of NS, CNAME, SOA, PTR, MX and the
 * other types of RFC 1035, of SRV, and DNAME are checked too, and must fill their rdata. In a reply no name may run
 * through a TTL or a letter of the question, which answer.h changes. After false the id, flags and question (if
 * has_question) may still be used when there was a whole header: a datagram that was cut in the middle of a record may
 * have TC set. */
bool message_parse(struct view wire, struct message *ret);

/* The four bits of the header's RCODE, of a message that we wrote; 0 if it is none. */
static inline unsigned message_rcode(struct view wire)
{
    return wire.len >= MESSAGE_HEADER ? wire.data[3] & FLAG_RCODE : 0;
}

/* The next record, OPT included; begin with a zeroed `record`. False: no more. */
bool message_next(const struct message *message, struct record *record);

/* How a datagram from a client is to be treated (RFC 1035, 6891, 8906). */
enum reception {
    RECEPTION_QUERY,   /* an ordinary question; *ret is complete */
    RECEPTION_DROP,    /* under 12 bytes, or QR set: silence */
    RECEPTION_FORMERR, /* ret->id and ret->flags are set; ret->has_question tells whether the question can be echoed */
    RECEPTION_NOTIMP,  /* opcode other than QUERY; AXFR, IXFR */
    RECEPTION_BADVERS, /* EDNS version over 0 */
};
enum reception message_receive(struct view wire, struct message *ret);

#endif
