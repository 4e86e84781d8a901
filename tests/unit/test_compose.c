/* Messages that byway makes: each must parse again and say what was asked of it. */
#include "dns/compose.h"

#include "base/limits.h"
#include "lib/check.h"
#include "lib/packet.h"

static struct packet packet;
static uint8_t       out[FAILURE_MAX];

/* A name of 255 bytes: the sizes promised must hold for it. */
static struct view longest(void)
{
    static uint8_t wire[NAME_WIRE_MAX];

    for (unsigned i = 0; i < 4; i++) {
        uint8_t *label = wire + 64u * i;
        label[0]       = i < 3 ? 63 : 61;
        for (unsigned j = 1; j <= label[0]; j++)
            label[j] = 'a';
    }
    return (struct view){wire, sizeof wire};
}

static void queries_are_written(void **state)
{
    static const struct {
        bool     edns, dnssec_ok, checking_disabled, keepalive;
        unsigned flags;
        size_t   spared; /* of QUERY_PLAIN_MAX */
    } rows[] = {
        {false, false, false, false, FLAG_RD | FLAG_AD, 11 + 4},
        {true, false, true, false, FLAG_RD | FLAG_AD | FLAG_CD, 4},
        {true, true, false, false, FLAG_RD | FLAG_AD, 4},
        {true, true, false, true, FLAG_RD | FLAG_AD, 0},
        {false, false, false, true, FLAG_RD | FLAG_AD, 11 + 4}, /* there is nothing that could carry it */
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct query_form form = {
            .name              = longest(),
            .id                = 0xbeef,
            .type              = TYPE_TXT,
            .class             = CLASS_IN,
            .edns              = rows[i].edns,
            .size              = LIMIT_UDP_PAYLOAD,
            .dnssec_ok         = rows[i].dnssec_ok,
            .checking_disabled = rows[i].checking_disabled,
            .keepalive         = rows[i].keepalive,
        };
        struct message message;
        size_t         len = query_write(&form, out);

        assert_int_equal(len, QUERY_PLAIN_MAX - rows[i].spared);
        assert_int_equal(message_receive((struct view){out, len}, &message), RECEPTION_QUERY);
        assert_int_equal(message.id, 0xbeef);
        assert_int_equal(message.flags, rows[i].flags);
        assert_int_equal(message.question.type, TYPE_TXT);
        assert_int_equal(message.question.class, CLASS_IN);
        assert_true(name_equal(message.question.name, longest()));
        assert_int_equal(message.edns.present, rows[i].edns);
        assert_int_equal(message.edns.dnssec_ok, rows[i].dnssec_ok);
        assert_int_equal(message.edns.size, rows[i].edns ? LIMIT_UDP_PAYLOAD : 0);
        assert_int_equal(message.edns.keepalive.form,
                         rows[i].edns && rows[i].keepalive ? KEEPALIVE_ASKED : KEEPALIVE_NONE);
    }
}

static void failures_are_written(void **state)
{
    static const struct {
        unsigned flags, rcode;
        bool     edns;
        int      ede;
    } rows[] = {
        {FLAG_RD, RCODE_SERVFAIL, false, EDE_NETWORK_ERROR},
        {FLAG_RD | FLAG_CD | FLAG_AD, RCODE_SERVFAIL, true, EDE_NO_REACHABLE_AUTHORITY},
        {0, RCODE_REFUSED, true, EDE_NONE},
        {0, RCODE_BADVERS, true, EDE_OTHER},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client_query asked = {.id        = 7,
                                     .flags     = (uint16_t) rows[i].flags,
                                     .edns      = rows[i].edns,
                                     .dnssec_ok = true,
                                     .keepalive = {KEEPALIVE_TOLD, 7},
                                     .limit     = 512,
                                     .type      = TYPE_MX,
                                     .class     = CLASS_IN};
        struct message      message;
        size_t              len;

        name_set(&asked.name, longest());
        len = failure_write(&asked, rows[i].rcode, rows[i].ede, out);
        assert_true(len <= FAILURE_MAX && len <= asked.limit);
        assert_true(message_parse((struct view){out, len}, &message));
        assert_int_equal(message.id, 7);
        assert_int_equal(message.flags & ~FLAG_RCODE, FLAG_QR | FLAG_RA | (rows[i].flags & (FLAG_RD | FLAG_CD)));
        assert_int_equal(message.rcode, rows[i].rcode);
        assert_true(name_equal(message.question.name, longest()));
        assert_int_equal(message.edns.present, rows[i].edns);
        assert_int_equal(message.edns.ede, rows[i].edns ? rows[i].ede : EDE_NONE);
        assert_int_equal(message.edns.keepalive.idle, rows[i].edns ? 7 : 0);
    }
}

/* No code says that a limit of ours was reached, or that a blocklist will not serve us: EDE 0, and words. */
static void what_has_no_code_is_said_in_words(void **state)
{
    static const struct {
        int         ede;
        const char *text;
    } rows[]                  = {{EDE_OVER_QUOTA, "over the quota of questions to external upstreams"},
                                 {EDE_BLOCKLIST, "the blocklist answered with an error code"}};
    struct client_query asked = {
        .edns = true, .keepalive = {KEEPALIVE_TOLD, 300}, .limit = 512, .type = TYPE_MX, .class = CLASS_IN};
    struct message message;

    (void) state;
    name_set(&asked.name, longest());
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = failure_write(&asked, RCODE_SERVFAIL, rows[i].ede, out), text_len = strlen(rows[i].text);
        assert_true(len <= FAILURE_MAX && len <= asked.limit);
        assert_true(message_parse((struct view){out, len}, &message));
        assert_int_equal(message.edns.ede, EDE_OTHER);
        assert_false(message.edns.garbled);
        assert_memory_equal(out + len - text_len, rows[i].text, text_len);
    }
}

static void rejections_echo_what_they_can(void **state)
{
    static const struct {
        unsigned       flags, opts, questions;
        uint32_t       bits;
        enum reception reception;
        unsigned       rcode;
    } rows[] = {
        {0x0100, 0, 1, 0, RECEPTION_QUERY, RCODE_REFUSED},
        {0x2910, 1, 1, 0, RECEPTION_NOTIMP, RCODE_NOTIMP},
        {0x0100, 2, 1, 0, RECEPTION_FORMERR, RCODE_FORMERR},
        {0x0000, 0, 0, 0, RECEPTION_FORMERR, RCODE_FORMERR},
        {0x0100, 1, 1, 0x00058000, RECEPTION_BADVERS, RCODE_BADVERS},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message query, message;
        size_t         len;

        packet_begin(&packet, rows[i].flags, rows[i].questions > 0 ? "Example.com" : NULL, TYPE_MX);
        for (unsigned opt = 0; opt < rows[i].opts; opt++)
            packet_opt(&packet, 1232, rows[i].bits, NULL, 0);
        assert_int_equal(message_receive(packet_view(&packet), &query), rows[i].reception);
        len = rejection_write(&query, rows[i].rcode, out);
        assert_true(message_parse((struct view){out, len}, &message));
        assert_int_equal(message.id, 0x1234);
        assert_int_equal(message.flags & ~FLAG_RCODE, FLAG_QR | FLAG_RA | (rows[i].flags & 0x7910));
        assert_int_equal(message.rcode, rows[i].rcode);
        assert_int_equal(message.has_question, rows[i].questions > 0);
        if (message.has_question)
            assert_memory_equal(message.question.name.data, "\7Example\3com", 13);
        assert_int_equal(message.edns.present, rows[i].opts > 0);
        assert_int_equal(message.edns.version, 0);
    }
}

static void a_truncation_is_no_longer_than_the_query(void **state)
{
    (void) state;
    for (unsigned opts = 0; opts < 2; opts++) {
        struct message query, message;
        size_t         len;

        packet_begin(&packet, 0x0100, "Example.com", TYPE_MX);
        if (opts > 0)
            packet_opt(&packet, 4096, 0x00008000, NULL, 0);
        assert_int_equal(message_receive(packet_view(&packet), &query), RECEPTION_QUERY);
        len = truncation_write(&query, out);
        assert_int_equal(len, packet_view(&packet).len);
        assert_true(message_parse((struct view){out, len}, &message));
        assert_int_equal(message.id, 0x1234);
        assert_int_equal(message.flags, FLAG_QR | FLAG_TC | FLAG_RD | FLAG_RA);
        assert_memory_equal(message.question.name.data, "\7Example\3com", 13);
        assert_int_equal(message.count[SECTION_ANSWER] + message.count[SECTION_AUTHORITY], 0);
    }
}

static void case_is_mixed_by_bits(void **state)
{
    uint8_t wire[]  = "\4Ma1l\7EXAMPLE\3c-\xc1";
    uint8_t again[] = "\4ma1l\7example\3c-\xc1";

    (void) state;
    name_mix_case(wire, sizeof wire, 0);
    assert_memory_equal(wire, again, sizeof wire);
    name_mix_case(wire, sizeof wire, 0x5); /* first and third letter; the digit takes no bit */
    assert_memory_equal(wire, "\4Ma1L\7example\3c-\xc1", sizeof wire);
    name_mix_case(wire, sizeof wire, UINT64_MAX);
    assert_memory_equal(wire, "\4MA1L\7EXAMPLE\3C-\xc1", sizeof wire);

    struct name name;
    name_set_lower(&name, longest());
    name_mix_case(name.wire, name.len, UINT64_C(1) << 63);
    assert_int_equal(name.wire[64 + 1], 'A'); /* the 64th letter; then the bits begin anew */
    assert_int_equal(name.wire[64], 63);
    assert_int_equal(name.wire[64 + 2], 'a');
    assert_int_equal(name.wire[63], 'a');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_written),
        cmocka_unit_test(failures_are_written),
        cmocka_unit_test(what_has_no_code_is_said_in_words),
        cmocka_unit_test(rejections_echo_what_they_can),
        cmocka_unit_test(a_truncation_is_no_longer_than_the_query),
        cmocka_unit_test(case_is_mixed_by_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
