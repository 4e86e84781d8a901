/* Outcomes: a reply judged wrongly either loses mail or teaches something false about a zone. */
#include "dns/judge.h"

#include "lib/check.h"
#include "lib/packet.h"

#include <stdio.h>

static struct packet packet;

static struct judgement judged(void)
{
    struct message   message;
    struct judgement judgement;

    assert_true(message_parse(packet_view(&packet), &message));
    judge_reply(&message, &judgement);
    return judgement;
}

/* "example.com" in the form that packet_name() writes. */
static void assert_name(const struct name *name, const char *text)
{
    struct packet expected = {0};

    packet_name(&expected, text);
    assert_int_equal(name->len, expected.len);
    assert_memory_equal(name->wire, expected.data, expected.len);
}

static void rcodes_are_outcomes(void **state)
{
    static const struct {
        bool         question;
        unsigned     flags;
        int          upper; /* of the rcode, in an OPT; -1: no OPT */
        enum outcome outcome;
        bool         edns_refused;
    } rows[] = {
        {true, 0x8180, 0, OUTCOME_NODATA, false},      {true, 0x8182, 0, OUTCOME_SERVFAIL, false},
        {true, 0x8183, -1, OUTCOME_NXDOMAIN, false},   {true, 0x8185, -1, OUTCOME_REFUSED, false},
        {true, 0x8186, -1, OUTCOME_ANSWER, false},     {true, 0x8181, -1, OUTCOME_REFUSED, true},
        {true, 0x8184, -1, OUTCOME_REFUSED, true},     {true, 0x8181, 0, OUTCOME_REFUSED, true},
        {true, 0x8184, 0, OUTCOME_REFUSED, false},     {true, 0x8189, -1, OUTCOME_REFUSED, false},
        {true, 0x8180, 1, OUTCOME_REFUSED, true},  /* BADVERS */
        {true, 0x8183, 1, OUTCOME_REFUSED, false}, /* 19, not NXDOMAIN */
        {false, 0x8180, -1, OUTCOME_MALFORMED, false}, {false, 0x8183, -1, OUTCOME_MALFORMED, false},
        {false, 0x8186, -1, OUTCOME_MALFORMED, false}, {false, 0x8182, -1, OUTCOME_SERVFAIL, false},
        {false, 0x8185, -1, OUTCOME_REFUSED, false},   {false, 0x8181, -1, OUTCOME_REFUSED, true},
        {true, 0x0100, -1, OUTCOME_MALFORMED, false}, /* our own query come back */
        {true, 0x0102, -1, OUTCOME_MALFORMED, false},  {true, 0xa180, -1, OUTCOME_MALFORMED, false}, /* NOTIFY */
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct judgement judgement;

        packet_begin(&packet, rows[i].flags, rows[i].question ? "example.com" : NULL, TYPE_A);
        if (rows[i].upper >= 0)
            packet_opt(&packet, 1232, (uint32_t) rows[i].upper << 24, NULL, 0);
        judgement = judged();
        assert_int_equal(judgement.outcome, rows[i].outcome);
        assert_int_equal(judgement.edns_refused, rows[i].edns_refused);
        assert_int_equal(judgement.ede, EDE_NONE);
        assert_false(judgement.has_alias || judgement.has_soa || judgement.truncated);
    }
}

static void words_are_the_tables(void **state)
{
    (void) state;
    assert_string_equal(outcome_word(OUTCOME_ANSWER), "answer");
    assert_string_equal(outcome_word(OUTCOME_FORGED), "forged");
    assert_true(outcome_usable(OUTCOME_NODATA));
    assert_false(outcome_usable(OUTCOME_SERVFAIL));
}

static void flags_and_codes_are_passed_on(void **state)
{
    struct judgement judgement;

    (void) state;
    packet_begin(&packet, PACKET_REPLY | FLAG_TC | RCODE_SERVFAIL, "example.com", TYPE_A);
    packet_opt(&packet, 1232, 0, "\0\17\0\2\0\11", 6);
    judgement = judged();
    assert_true(judgement.truncated);
    assert_int_equal(judgement.ede, EDE_DNSKEY_MISSING);
    packet_begin(&packet, PACKET_REPLY | RCODE_FORMERR, "example.com", TYPE_A);
    packet_opt(&packet, 1232, 0x00010000, NULL, 0);
    assert_true(judged().edns_refused);
}

static void negative_answers_name_their_zone(void **state)
{
    static const struct {
        unsigned    flags, section;
        const char *owner; /* of the SOA */
        uint32_t    ttl, minimum;
        bool        has_soa;
        uint32_t    negative_ttl;
    } rows[] = {
        {0x8183, 1, "Example.COM", 300, 60, true, 60},
        {0x8183, 1, "example.com", 60, 300, true, 60},
        {0x8180, 1, "com", 300, 300, true, 300},
        {0x8180, 1, "", 300, 300, true, 300},
        {0x8180, 0, "example.com", 300, 300, true, 300},
        {0x8180, 1, "www.example.com", 300, 300, true, 300},
        {0x8180, 1, "a.www.example.com", 300, 300, false, 0}, /* below */
        {0x8180, 1, "example.net", 300, 300, false, 0},       /* beside */
        {0x8180, 2, "example.com", 300, 300, false, 0},       /* additional is not listened to */
        {0x8180, 1, "com", 0x80000000, 300, true, 0},         /* RFC 2181: reads as 0 */
        {0x8180, 1, "com", 300, 0xffffffff, true, 0},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct judgement judgement;

        packet_begin(&packet, rows[i].flags, "www.example.com", TYPE_A);
        packet_soa(&packet, rows[i].section, rows[i].owner, rows[i].ttl, rows[i].minimum);
        judgement = judged();
        assert_int_equal(judgement.outcome, (rows[i].flags & FLAG_RCODE) != 0 ? OUTCOME_NXDOMAIN : OUTCOME_NODATA);
        assert_int_equal(judgement.has_soa, rows[i].has_soa);
        assert_int_equal(judgement.negative_ttl, rows[i].negative_ttl);
        if (judgement.has_soa) {
            struct name owner;
            packet.len = 0;
            packet_name(&packet, rows[i].owner);
            name_set_lower(&owner, packet_view(&packet));
            assert_true(name_equal(name_view(&judgement.zone), name_view(&owner)));
            assert_memory_equal(judgement.zone.wire, owner.wire, owner.len);
        }
    }
}

static void a_referral_is_refused(void **state)
{
    static const struct {
        unsigned     flags;
        bool         soa;
        enum outcome outcome;
    } rows[] = {
        {0x8100, false, OUTCOME_REFUSED},
        {0x8500, false, OUTCOME_NODATA}, /* AA */
        {0x8180, false, OUTCOME_NODATA}, /* RA */
        {0x8100, true, OUTCOME_NODATA},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        packet_begin(&packet, rows[i].flags, "www.example.com", TYPE_A);
        packet_name_record(&packet, 1, "com", TYPE_NS, 300, 0, "ns.example");
        if (rows[i].soa)
            packet_soa(&packet, 1, "com", 300, 300);
        assert_int_equal(judged().outcome, rows[i].outcome);
    }
}

/* Owner, type and target of each record; type A has no target. The question is for www.example.com. */
struct link {
    const char *owner;
    uint16_t    type;
    const char *target;
};

static void chains_are_followed(void **state)
{
    static const struct {
        uint16_t     type;
        struct link  links[6];
        enum outcome outcome;
        const char  *alias; /* NULL: none */
    } rows[] = {
        {TYPE_A, {{"www.example.com", TYPE_A, NULL}}, OUTCOME_ANSWER, NULL},
        {TYPE_A, {{"WWW.Example.Com", TYPE_A, NULL}}, OUTCOME_ANSWER, NULL},
        {TYPE_MX, {{"www.example.com", TYPE_A, NULL}}, OUTCOME_FORGED, NULL},
        {TYPE_TXT, {{"WWW.example.com", TYPE_A, NULL}, {"www.example.com", TYPE_A, NULL}}, OUTCOME_FORGED, NULL},
        {TYPE_MX,
         {{"www.example.com", TYPE_CNAME, "b.example"}, {"b.example", TYPE_A, NULL}},
         OUTCOME_FORGED,
         "b.example"},
        {TYPE_MX, {{"www.example.com", TYPE_TXT, NULL}}, OUTCOME_MALFORMED, NULL},
        {TYPE_A, {{"www.example.net", TYPE_A, NULL}}, OUTCOME_MALFORMED, NULL},
        {TYPE_ANY, {{"www.example.com", TYPE_A, NULL}}, OUTCOME_ANSWER, NULL},
        {TYPE_ANY, {{"www.example.com", TYPE_CNAME, "b.example"}}, OUTCOME_ANSWER, NULL},
        {TYPE_CNAME, {{"www.example.com", TYPE_CNAME, "b.example"}}, OUTCOME_ANSWER, NULL},
        {TYPE_A, {{"www.example.com", TYPE_CNAME, "B.example"}}, OUTCOME_NODATA, "b.example"},
        {TYPE_A,
         {{"www.example.com", TYPE_CNAME, "B.example"}, {"b.EXAMPLE", TYPE_A, NULL}},
         OUTCOME_ANSWER,
         "b.example"},
        /* any order, strangers between */
        {TYPE_A,
         {{"x.example", TYPE_CNAME, "y.example"},
          {"c.example", TYPE_A, NULL},
          {"b.example", TYPE_CNAME, "c.example"},
          {"x.example", TYPE_A, NULL},
          {"www.example.com", TYPE_CNAME, "b.example"}},
         OUTCOME_ANSWER,
         "c.example"},
        /* the record at the end is another's */
        {TYPE_A,
         {{"www.example.com", TYPE_CNAME, "b.example"}, {"c.example", TYPE_A, NULL}},
         OUTCOME_NODATA,
         "b.example"},
        {TYPE_A, {{"b.example", TYPE_CNAME, "c.example"}, {"c.example", TYPE_A, NULL}}, OUTCOME_MALFORMED, NULL},
        {TYPE_A,
         {{"example.com", TYPE_DNAME, "example.net"}, {"www.example.net", TYPE_A, NULL}},
         OUTCOME_ANSWER,
         "www.example.net"},
        {TYPE_A,
         {{"example.com", TYPE_DNAME, "example.net"},
          {"www.example.com", TYPE_CNAME, "www.example.net"},
          {"www.example.net", TYPE_A, NULL}},
         OUTCOME_ANSWER,
         "www.example.net"},
        {TYPE_A, {{"www.example.com", TYPE_DNAME, "example.net"}}, OUTCOME_MALFORMED, NULL}, /* not below itself */
        {TYPE_DNAME, {{"www.example.com", TYPE_DNAME, "example.net"}}, OUTCOME_ANSWER, NULL},
        /* loops */
        {TYPE_A, {{"www.example.com", TYPE_CNAME, "www.example.com"}}, OUTCOME_NODATA, "www.example.com"},
        {TYPE_A,
         {{"www.example.com", TYPE_CNAME, "b.example"}, {"b.example", TYPE_CNAME, "www.example.com"}},
         OUTCOME_NODATA,
         "www.example.com"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct judgement judgement;

        packet_begin(&packet, PACKET_REPLY, "www.example.com", rows[i].type);
        for (const struct link *link = rows[i].links; link->owner != NULL; link++)
            if (link->target != NULL)
                packet_name_record(&packet, 0, link->owner, link->type, 300, 0, link->target);
            else
                packet_record(&packet, 0, link->owner, link->type, 300, "1234", 4);
        judgement = judged();
        assert_int_equal(judgement.outcome, rows[i].outcome);
        assert_int_equal(judgement.has_alias, rows[i].alias != NULL);
        if (rows[i].alias != NULL)
            assert_name(&judgement.alias, rows[i].alias);
    }
}

/* A mail domain that is an alias into a blocked zone: the zone to learn is the target's. */
static void the_zone_may_be_the_aliases(void **state)
{
    struct judgement judgement;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "www.example.com", TYPE_MX);
    packet_name_record(&packet, 0, "www.example.com", TYPE_CNAME, 300, 0, "www.example.net");
    packet_soa(&packet, 1, "example.org", 300, 300);
    packet_soa(&packet, 1, "Example.net", 300, 30);
    judgement = judged();
    assert_int_equal(judgement.outcome, OUTCOME_NODATA);
    assert_true(judgement.has_soa);
    assert_name(&judgement.zone, "example.net");
    assert_int_equal(judgement.negative_ttl, 30);
    put_u16(packet.data + 2, PACKET_REPLY | RCODE_NXDOMAIN);
    assert_int_equal(judged().outcome, OUTCOME_NXDOMAIN);
}

static void an_soa_question_is_answered_by_its_zone(void **state)
{
    struct judgement judgement;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_SOA);
    packet_soa(&packet, 0, "example.com", 300, 30);
    judgement = judged();
    assert_int_equal(judgement.outcome, OUTCOME_ANSWER);
    assert_true(judgement.has_soa);
    assert_name(&judgement.zone, "example.com");
}

static void other_classes_do_not_answer(void **state)
{
    (void) state;
    packet_begin(&packet, PACKET_REPLY, "version.bind", TYPE_TXT);
    packet_record(&packet, 0, "version.bind", TYPE_TXT, 0, "\1x", 2);
    put_u16(packet.data + packet.len - 2 - 8, 3);
    assert_int_equal(judged().outcome, OUTCOME_MALFORMED);
    put_u16(packet.data + 12 + 14 + 2, 3); /* now the question is of class CH too */
    assert_int_equal(judged().outcome, OUTCOME_ANSWER);
    put_u16(packet.data + 12 + 14 + 2, CLASS_ANY);
    assert_int_equal(judged().outcome, OUTCOME_ANSWER);
}

/* The root's record, whose bytes are those of an offset without the marks of a pointer. */
static void the_root_is_no_pointer_to_the_question(void **state)
{
    (void) state;
    packet_begin(&packet, PACKET_REPLY, "example.com", MESSAGE_HEADER << 8);
    packet_record(&packet, 0, "", MESSAGE_HEADER << 8, 60, "x", 1);
    assert_int_not_equal(judged().outcome, OUTCOME_ANSWER);
    packet_record(&packet, 0, "example.com", MESSAGE_HEADER << 8, 60, "x", 1);
    assert_int_equal(judged().outcome, OUTCOME_ANSWER);
}

/* A chain ends after 32 steps, in the worst order too, and a reply full of aliases costs little. */
static void long_chains_end(void **state)
{
    char             owner[32], target[32];
    struct judgement judgement;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "n32", TYPE_A);
    for (unsigned i = 1; i <= 2000; i++) {
        snprintf(owner, sizeof owner, "n%u", i);
        snprintf(target, sizeof target, "n%u", i - 1);
        packet_name_record(&packet, 0, owner, TYPE_CNAME, 300, 0, target);
    }
    packet_record(&packet, 0, "n0", TYPE_A, 300, "1234", 4);
    judgement = judged();
    assert_int_equal(judgement.outcome, OUTCOME_ANSWER);
    assert_name(&judgement.alias, "n0");

    packet_begin(&packet, PACKET_REPLY, "n0", TYPE_A);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(owner, sizeof owner, "n%u", i);
        snprintf(target, sizeof target, "n%u", i + 1);
        packet_name_record(&packet, 0, owner, TYPE_CNAME, 300, 0, target);
    }
    packet_record(&packet, 0, "n2000", TYPE_A, 300, "1234", 4);
    judgement = judged();
    assert_int_equal(judgement.outcome, OUTCOME_NODATA);
    assert_name(&judgement.alias, "n32");
}

/* A DNAME that would make too long a name ends the chain where it is. */
static void a_substitute_may_be_too_long(void **state)
{
    char             target[300];
    struct judgement judgement;

    (void) state;
    memset(target, 'a', sizeof target);
    target[63] = target[127] = target[191] = '.';
    for (unsigned last = 57; last <= 58; last++) {
        target[192 + last] = '\0';
        packet_begin(&packet, PACKET_REPLY, "www.example.com", TYPE_A);
        packet_name_record(&packet, 0, "example.com", TYPE_DNAME, 300, 0, target);
        judgement = judged();
        assert_int_equal(judgement.has_alias, last == 57);
        target[192 + last] = 'a';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rcodes_are_outcomes),
        cmocka_unit_test(words_are_the_tables),
        cmocka_unit_test(flags_and_codes_are_passed_on),
        cmocka_unit_test(negative_answers_name_their_zone),
        cmocka_unit_test(a_referral_is_refused),
        cmocka_unit_test(chains_are_followed),
        cmocka_unit_test(the_zone_may_be_the_aliases),
        cmocka_unit_test(an_soa_question_is_answered_by_its_zone),
        cmocka_unit_test(other_classes_do_not_answer),
        cmocka_unit_test(the_root_is_no_pointer_to_the_question),
        cmocka_unit_test(long_chains_end),
        cmocka_unit_test(a_substitute_may_be_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
