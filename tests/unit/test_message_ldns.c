/*
 * What our parser accepts, ldns reads the same: real messages, mutated by a generator with a fixed seed. ldns reads
 * only what was accepted, as everywhere. It looks into the rdata of types that we pass on unseen, and may refuse there;
 * the test then insists that such a type is to blame.
 */
#include "base/rng.h"
#include "dns/message.h"
#include "lib/check.h"
#include "lib/ldns_view.h"
#include "lib/packet.h"

#include <stdlib.h>

enum {
    MUTANTS   = 200000,
    SEED_SIZE = 2048
};

struct seed {
    const char *question;
    uint16_t    type;
    const char *records[3][5]; /* by section */
    bool        edns;
};

static const struct seed seeds[] = {
    {"example.com.",
     15,
     {{"example.com. 300 IN MX 10 mx1.example.com.", "example.com. 300 IN MX 20 mx2.example.com."},
      {"example.com. 86400 IN NS ns1.example.com.", "example.com. 86400 IN NS ns2.example.net."},
      {"mx1.example.com. 60 IN A 192.0.2.1", "mx1.example.com. 60 IN AAAA 2001:db8::1"}},
     true},
    {"www.example.com.",
     1,
     {{"www.example.com. 60 IN CNAME a.b.c.example.net.", "a.b.c.example.net. 60 IN CNAME example.net.",
       "example.net. 5 IN A 192.0.2.7", "example.com. 5 IN DNAME example.org."}},
     true},
    {"gone.example.com.",
     28,
     {{NULL},
      {"example.com. 900 IN SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 300",
       "gone.example.com. 300 IN NSEC hallo.example.com. A RRSIG NSEC",
       "example.com. 300 IN RRSIG SOA 8 2 900 20300101000000 20200101000000 1 example.com. AAAA"}},
     true},
    {"example.com.",
     16,
     {{"example.com. 300 IN TXT \"v=spf1 ip4:192.0.2.0/24 include:_spf.example.net -all\"",
       "example.com. 300 IN TXT \"second\" \"part\""}},
     false},
    {"_25._tcp.mx.example.com.",
     52,
     {{"_25._tcp.mx.example.com. 300 IN TLSA 3 1 1 00112233445566778899aabbccddeeff"}},
     true},
    {"_smtp._tcp.example.com.",
     33,
     {{"_smtp._tcp.example.com. 300 IN SRV 0 0 25 mx.example.com."},
      {"example.com. 300 IN MINFO a.example.com. b.example.com."},
      {"mx.example.com. 300 IN NAPTR 1 1 \"s\" \"x\" \"\" example.com.",
       "mx.example.com. 300 IN TYPE65280 \\# 3 c00c01"}},
     true},
    {"1.2.0.192.in-addr.arpa.", 12, {{"1.2.0.192.in-addr.arpa. 3600 IN PTR mail.example.com."}}, false},
};

static ldns_pkt_section section_of(unsigned section)
{
    return section == 0 ? LDNS_SECTION_ANSWER : section == 1 ? LDNS_SECTION_AUTHORITY : LDNS_SECTION_ADDITIONAL;
}

/* The seed as ldns writes it, compressed. */
static size_t seed_wire(const struct seed *seed, uint8_t out[SEED_SIZE])
{
    ldns_rdf *name = ldns_dname_new_frm_str(seed->question);
    ldns_pkt *pkt  = ldns_pkt_query_new(name, (ldns_rr_type) seed->type, LDNS_RR_CLASS_IN, LDNS_RD);
    uint8_t  *wire;
    size_t    len;

    ldns_pkt_set_qr(pkt, true);
    for (unsigned section = 0; section < 3; section++)
        for (size_t i = 0; i < 5 && seed->records[section][i] != NULL; i++) {
            ldns_rr *rr;
            assert_int_equal(ldns_rr_new_frm_str(&rr, seed->records[section][i], 0, NULL, NULL), LDNS_STATUS_OK);
            ldns_pkt_push_rr(pkt, section_of(section), rr);
        }
    if (seed->edns)
        ldns_pkt_set_edns_udp_size(pkt, 1232);
    assert_int_equal(ldns_pkt2wire(&wire, pkt, &len), LDNS_STATUS_OK);
    assert_true(len < SEED_SIZE);
    memcpy(out, wire, len);
    free(wire);
    ldns_pkt_free(pkt);
    return len;
}

/* Changes `wire` of `len` bytes in one of the ways that parsers stumble over; returns the new length. */
static size_t mutate(struct rng *rng, uint8_t *wire, size_t len, size_t cap)
{
    size_t at = rng_below(rng, (uint32_t) len), some = rng_below(rng, 12) + 1u;

    switch (rng_below(rng, 8)) {
    case 0:
        wire[at] = (uint8_t) rng_u32(rng);
        break;
    case 1:
        wire[at] ^= (uint8_t) (1u << rng_below(rng, 8));
        break;
    case 2: /* a pointer to anywhere */
        if (at + 1 < len)
            put_u16(wire + at, (uint16_t) (0xc000 | rng_below(rng, (uint32_t) len)));
        break;
    case 3: /* a count or length that lies a little */
        if (at + 1 < len)
            put_u16(wire + at, (uint16_t) (get_u16(wire + at) + rng_below(rng, 5) - 2));
        break;
    case 4:
        if (len + some <= cap) {
            memmove(wire + at + some, wire + at, len - at);
            len += some;
        }
        break;
    case 5:
        if (at + some < len) {
            memmove(wire + at, wire + at + some, len - at - some);
            len -= some;
        }
        break;
    case 6:
        memmove(wire + at, wire + rng_below(rng, (uint32_t) at + 1), some < len - at ? some : len - at);
        break;
    case 7:
        len = at > 1 ? at : len;
        break;
    }
    return len;
}

static void assert_same_name(struct view wire, size_t offset, const ldns_rdf *theirs)
{
    struct name name;
    size_t      end;

    assert_true(name_unpack(wire, offset, &name, &end));
    assert_int_equal(name.len, ldns_rdf_size(theirs));
    assert_memory_equal(name.wire, ldns_rdf_data(theirs), name.len);
}

static void assert_same_record(const struct message *message, const struct record *record, const ldns_rr *theirs)
{
    assert_same_name(message->wire, record->owner, ldns_rr_owner(theirs));
    assert_int_equal(record->type, ldns_rr_get_type(theirs));
    assert_int_equal(record->class, ldns_rr_get_class(theirs));
    assert_int_equal(record->ttl, ldns_rr_ttl(theirs));
    switch (record->type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_DNAME:
    case TYPE_SOA:
        assert_same_name(message->wire, record->data_at, ldns_rr_rdf(theirs, 0));
        break;
    case TYPE_MX:
        assert_same_name(message->wire, record->data_at + 2, ldns_rr_rdf(theirs, 1));
        break;
    case TYPE_SRV:
        assert_same_name(message->wire, record->data_at + 6, ldns_rr_rdf(theirs, 3));
        break;
    default:
        break;
    }
}

static void assert_same(const struct message *message, ldns_pkt *theirs)
{
    struct record record                = {0};
    size_t        passed[SECTION_COUNT] = {0};

    assert_int_equal(message->id, ldns_pkt_id(theirs));
    assert_int_equal((message->flags & FLAG_QR) != 0, ldns_pkt_qr(theirs));
    assert_int_equal((message->flags & FLAG_TC) != 0, ldns_pkt_tc(theirs));
    assert_int_equal(message->flags & FLAG_RCODE, ldns_pkt_get_rcode(theirs));
    assert_int_equal(message->has_question, ldns_rr_list_rr_count(ldns_pkt_question(theirs)));
    assert_int_equal(message->edns.present, ldns_pkt_edns(theirs));
    if (message->has_question) {
        const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(theirs), 0);
        assert_same_name(message->wire, MESSAGE_HEADER, ldns_rr_owner(question));
        assert_int_equal(message->question.type, ldns_rr_get_type(question));
        assert_int_equal(message->question.class, ldns_rr_get_class(question));
    }
    if (message->edns.present) {
        assert_int_equal(message->edns.size, ldns_pkt_edns_udp_size(theirs));
        assert_int_equal(message->edns.version, ldns_pkt_edns_version(theirs));
        assert_int_equal(message->edns.dnssec_ok, ldns_pkt_edns_do(theirs));
        assert_int_equal(message->rcode >> 4, ldns_pkt_edns_extended_rcode(theirs));
    }
    ldns_rr_list *lists[] = {ldns_pkt_answer(theirs), ldns_pkt_authority(theirs), ldns_pkt_additional(theirs)};
    while (message_next(message, &record))
        if (record.type != TYPE_OPT && record.type != TYPE_TSIG) {
            ldns_rr *rr = ldns_rr_list_rr(lists[record.section], passed[record.section]++);
            assert_non_null(rr);
            assert_same_record(message, &record, rr);
        }
    for (unsigned section = 0; section < SECTION_COUNT; section++)
        assert_int_equal(passed[section], ldns_rr_list_rr_count(lists[section]));
}

static void mutants_are_read_alike(void **state)
{
    static const uint8_t key[RNG_SEED_BYTES] = "a fixed seed, so that it repeats";
    static uint8_t       originals[ARRAY_LEN(seeds)][SEED_SIZE];
    size_t               lens[ARRAY_LEN(seeds)];
    unsigned             accepted = 0, disliked = 0;
    struct rng           rng;

    (void) state;
    rng_init(&rng, key);
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++)
        lens[i] = seed_wire(&seeds[i], originals[i]);
    for (unsigned i = 0; i < MUTANTS; i++) {
        size_t         which = i % ARRAY_LEN(seeds), len = lens[which];
        uint8_t        wire[SEED_SIZE];
        struct message message;
        ldns_pkt      *theirs = NULL;
        uint16_t       type;

        memcpy(wire, originals[which], len);
        /* The first of each stays as it is. */
        for (unsigned n = i < ARRAY_LEN(seeds) ? 0 : 1 + rng_below(&rng, 3); n > 0; n--)
            len = mutate(&rng, wire, len, sizeof wire);
        if (!message_parse((struct view){wire, len}, &message)) {
            assert_true(i >= ARRAY_LEN(seeds));
            continue;
        }
        accepted++;
        if (ldns_dislikes(&message, &type)) {
            assert_false(is_checked(type));
            disliked++;
            continue;
        }
        assert_int_equal(ldns_wire2pkt(&theirs, wire, len), LDNS_STATUS_OK);
        assert_same(&message, theirs);
        ldns_pkt_free(theirs);
    }
    /* Else the test would say nothing. */
    assert_true(accepted > MUTANTS / 5);
    assert_true(disliked < accepted / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mutants_are_read_alike)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
