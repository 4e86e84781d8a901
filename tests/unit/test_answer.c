/* Stored answers: what a client gets back is what the upstream said, but for id, flags, TTLs, case and OPT. */
#include "dns/answer.h"

#include "base/limits.h"
#include "lib/check.h"
#include "lib/packet.h"

#include <stdlib.h>

static struct packet            packet, query;
static uint8_t                  packed[STORED_MAX], out[65535];
static const struct store_rules rules = {.min_ttl = 0, .max_ttl = 86400};

struct form { /* of a client's query */
    unsigned    flags;
    const char *name;
    uint16_t    type;
    bool        edns;
    uint16_t    size;
    bool        dnssec_ok;
    uint16_t    udp_limit; /* 0: TCP */
};

static struct client_query asked_by(const struct form *form)
{
    struct message      message;
    struct client_query asked;

    packet_begin(&query, form->flags, form->name, form->type);
    put_u16(query.data, 0xabcd);
    if (form->edns)
        packet_opt(&query, form->size, form->dnssec_ok ? 0x8000 : 0, NULL, 0);
    assert_int_equal(message_receive(packet_view(&query), &message), RECEPTION_QUERY);
    client_query_from(&message, form->udp_limit, &asked);
    return asked;
}

static struct stored stored_with(const struct store_rules *with, uint32_t *ret_ttl)
{
    struct message message;
    size_t         len, split = 0;

    assert_true(message_parse(packet_view(&packet), &message));
    len = answer_pack(&message, with, packed, sizeof packed, &split, ret_ttl);
    assert_true(len >= split && split > 0);
    return (struct stored){{packed, split}, {packed + split, len - split}};
}

static struct stored stored_packet(void)
{
    uint32_t ttl;

    return stored_with(&rules, &ttl);
}

static void parse_out(size_t len, struct message *ret) { assert_true(message_parse((struct view){out, len}, ret)); }

/* The reply of an MX lookup, the question's case mixed as byway sends it. */
static void mx_reply(unsigned flags)
{
    packet_begin(&packet, flags, "eXaMpLe.CoM", TYPE_MX);
    packet_record_here(&packet, 0, TYPE_MX, 300, "\0\12\4mail\xc0\x0c", 9);
    packet_name_record(&packet, 1, "example.com", TYPE_NS, 86401, 0, "ns.example.com");
    packet_record(&packet, 2, "mail.example.com", TYPE_A, 5, "1234", 4);
    packet_opt(&packet, 4096, 0x8000, "\0\12\0\10cookie..", 12);
}

static void a_stored_answer_is_bare(void **state)
{
    struct message message;
    struct stored  stored;
    uint32_t       ttl;

    (void) state;
    mx_reply(0xffff & ~(FLAG_OPCODE | FLAG_TC | FLAG_RCODE));
    stored = stored_with(&rules, &ttl);
    assert_int_equal(ttl, 300); /* additional does not count, the NS was clamped */
    assert_int_equal(stored.ttls.len, 6);
    assert_true(message_parse(stored.message, &message));
    assert_int_equal(message.id, 0);
    assert_int_equal(message.flags, FLAG_QR | FLAG_RA);
    assert_false(message.edns.present);
    assert_int_equal(message.count[SECTION_ADDITIONAL], 1);

    struct record record = {0};
    uint32_t      ttls[] = {300, 86400, 5};
    for (size_t i = 0; message_next(&message, &record); i++) {
        assert_int_equal(record.ttl, ttls[i]);
        assert_int_equal(record.ttl_at, get_u16(stored.ttls.data + 2 * i));
    }
    stored = stored_with(&(struct store_rules){.max_ttl = 86400, .authentic = true}, &ttl);
    assert_int_equal(get_u16(stored.message.data + 2), FLAG_QR | FLAG_RA | FLAG_AD);
}

static void ttls_are_clamped(void **state)
{
    static const struct {
        uint32_t ttl, min, max, result;
    } rows[] = {
        {300, 0, 86400, 300},          {300, 600, 86400, 600},    {300, 0, 60, 60},
        {0x7fffffff, 0, 86400, 86400}, {0x80000000, 0, 86400, 0}, {0xffffffff, 10, 86400, 10},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store_rules with = {.min_ttl = rows[i].min, .max_ttl = rows[i].max};
        struct stored      stored;
        uint32_t           ttl;

        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
        packet_record_here(&packet, 0, TYPE_A, rows[i].ttl, "1234", 4);
        stored = stored_with(&with, &ttl);
        assert_int_equal(ttl, rows[i].result);
        assert_int_equal(get_u32(stored.message.data + get_u16(stored.ttls.data)), rows[i].result);
    }
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    uint32_t ttl;
    assert_int_equal(stored_with(&rules, &ttl).ttls.len, 0);
    assert_int_equal(ttl, rules.max_ttl);
}

/* What comes after the OPT goes with it: it may point across the gap. */
static void records_behind_the_opt_go(void **state)
{
    struct message message;
    struct stored  stored;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    packet_record_here(&packet, 0, TYPE_A, 300, "1234", 4);
    packet_record(&packet, 2, "a.example.com", TYPE_A, 7, "1234", 4);
    packet_opt(&packet, 1232, 0, NULL, 0);
    packet_record(&packet, 2, "b.example.com", TYPE_A, 8, "1234", 4);
    stored = stored_packet();
    assert_true(message_parse(stored.message, &message));
    assert_int_equal(message.count[SECTION_ADDITIONAL], 1);
    assert_int_equal(stored.ttls.len, 4);
}

static void what_is_not_final_is_not_stored(void **state)
{
    struct message message;
    size_t         split;
    uint32_t       ttl;

    (void) state;
    packet_begin(&packet, PACKET_QUERY, "example.com", TYPE_A); /* its names were not kept off what is edited */
    assert_true(message_parse(packet_view(&packet), &message));
    assert_int_equal(answer_pack(&message, &rules, packed, sizeof packed, &split, &ttl), 0);
    packet_begin(&packet, PACKET_REPLY | FLAG_TC, "example.com", TYPE_A);
    assert_true(message_parse(packet_view(&packet), &message));
    assert_int_equal(answer_pack(&message, &rules, packed, sizeof packed, &split, &ttl), 0);
    packet_begin(&packet, PACKET_REPLY, NULL, 0);
    assert_true(message_parse(packet_view(&packet), &message));
    assert_int_equal(answer_pack(&message, &rules, packed, sizeof packed, &split, &ttl), 0);
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    packet_opt(&packet, 1232, 0x01000000, NULL, 0); /* BADVERS would read as NOERROR without it */
    assert_true(message_parse(packet_view(&packet), &message));
    assert_int_equal(answer_pack(&message, &rules, packed, sizeof packed, &split, &ttl), 0);
}

static void packing_keeps_to_its_room(void **state)
{
    struct message message;
    size_t         whole, split;
    uint32_t       ttl;

    (void) state;
    mx_reply(PACKET_REPLY);
    assert_true(message_parse(packet_view(&packet), &message));
    whole = answer_pack(&message, &rules, packed, sizeof packed, &split, &ttl);
    assert_true(whole > 0);
    for (size_t cap = 0; cap <= whole; cap++) {
        uint8_t *room = malloc(cap + 1);
        room          = realloc(room, cap > 0 ? cap : 1);
        assert_int_equal(answer_pack(&message, &rules, room, cap, &split, &ttl), cap < whole ? 0 : whole);
        free(room);
    }
}

/* The one EDE that needs words: no code says that an answer came the external way. */
static void external_is_said_in_words(void **state)
{
    struct client_query asked  = asked_by(&(struct form){FLAG_RD, "Example.com", TYPE_MX, true, 1232, true, 1232});
    static const char   text[] = "answered by an external upstream";
    struct message      message;

    (void) state;
    mx_reply(PACKET_REPLY);
    struct stored stored = stored_packet();
    size_t        len    = answer_write(&asked, &stored, 0, false, EDE_EXTERNAL, out, sizeof out);
    assert_int_equal(len, stored.message.len + 17 + sizeof text - 1);
    parse_out(len, &message);
    assert_int_equal(message.edns.ede, EDE_OTHER);
    assert_false(message.edns.garbled);
    assert_memory_equal(out + len - (sizeof text - 1), text, sizeof text - 1);
}

static void an_answer_is_the_clients(void **state)
{
    struct client_query asked =
        asked_by(&(struct form){FLAG_RD | FLAG_CD, "Example.com", TYPE_MX, true, 1232, true, 1232});
    struct message message;
    struct record  record = {0};
    struct name    owner;
    size_t         len, end;

    (void) state;
    mx_reply(PACKET_REPLY);
    struct stored stored = stored_packet();
    len                  = answer_write(&asked, &stored, 10, false, EDE_NETWORK_ERROR, out, sizeof out);
    assert_int_equal(len, stored.message.len + 17);
    parse_out(len, &message);
    assert_int_equal(message.id, 0xabcd);
    assert_int_equal(message.flags, FLAG_QR | FLAG_RA | FLAG_RD | FLAG_CD);
    assert_memory_equal(message.question.name.data, "\7Example\3com", 13);
    assert_true(message.edns.present && message.edns.dnssec_ok);
    assert_int_equal(message.edns.size, LIMIT_UDP_PAYLOAD);
    assert_int_equal(message.edns.ede, EDE_NETWORK_ERROR);
    assert_int_equal(message.rcode, RCODE_NOERROR);

    uint32_t ttls[] = {290, 86390, 0};
    for (size_t i = 0; i < 3; i++) {
        assert_true(message_next(&message, &record));
        assert_int_equal(record.ttl, ttls[i]);
        if (i == 0) { /* a pointer to the question shows the client's case too */
            assert_true(name_unpack(message.wire, record.owner, &owner, &end));
            assert_memory_equal(owner.wire, "\7Example\3com", 13);
        }
    }
}

static void answers_differ_by_what_was_asked(void **state)
{
    static const struct {
        struct form form;
        unsigned    flags;
        bool        edns;
    } rows[] = {
        {{FLAG_RD, "example.com", TYPE_MX, false, 0, false, 1232}, FLAG_RD, false},
        {{0, "example.com", TYPE_MX, false, 0, false, 1232}, 0, false},
        {{FLAG_CD, "example.com", TYPE_MX, true, 512, false, 1232}, FLAG_CD, true},
        {{FLAG_AD, "example.com", TYPE_MX, false, 0, false, 0}, FLAG_AD, false},
        {{0, "example.com", TYPE_MX, true, 4096, true, 0}, FLAG_AD, true},
    };
    const struct store_rules with = {.max_ttl = 86400, .authentic = true};
    uint32_t                 ttl;

    (void) state;
    mx_reply(PACKET_REPLY | FLAG_AD | RCODE_NXDOMAIN);
    struct stored stored = stored_with(&with, &ttl);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client_query asked = asked_by(&rows[i].form);
        struct message      message;

        parse_out(answer_write(&asked, &stored, 0, false, EDE_NONE, out, sizeof out), &message);
        assert_int_equal(message.flags, FLAG_QR | FLAG_RA | RCODE_NXDOMAIN | rows[i].flags);
        assert_int_equal(message.edns.present, rows[i].edns);
        assert_int_equal(message.edns.ede, EDE_NONE);
        assert_int_equal(message.count[SECTION_ADDITIONAL], 1 + rows[i].edns);
    }
}

static void a_stale_answer_is_short_lived(void **state)
{
    struct client_query asked = asked_by(&(struct form){FLAG_RD, "example.com", TYPE_MX, true, 1232, false, 1232});
    struct message      message;
    struct record       record = {0};

    (void) state;
    mx_reply(PACKET_REPLY);
    struct stored stored = stored_packet();
    parse_out(answer_write(&asked, &stored, 5000, true, EDE_STALE_ANSWER, out, sizeof out), &message);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(message_next(&message, &record));
        assert_int_equal(record.ttl, STALE_TTL);
    }
    assert_int_equal(message.edns.ede, EDE_STALE_ANSWER);
}

static void limits_follow_the_query(void **state)
{
    static const struct {
        bool     edns;
        uint16_t size, udp_limit, limit;
    } rows[] = {
        {false, 0, 1232, 512},    {true, 0, 1232, 512},      {true, 511, 1232, 512}, {true, 900, 1232, 900},
        {true, 4096, 1232, 1232}, {true, 65535, 1232, 1232}, {true, 4096, 0, 65535}, {false, 0, 0, 65535},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct form form = {FLAG_RD, "example.com", TYPE_TXT, rows[i].edns, rows[i].size, false, rows[i].udp_limit};
        assert_int_equal(asked_by(&form).limit, rows[i].limit);
    }
}

/* The 4 kB SPF record: whole over TCP, byte for byte; over UDP an empty answer with TC, for no record fits. */
static void a_large_txt_passes_unchanged(void **state)
{
    static uint8_t      text[4096];
    struct client_query tcp = asked_by(&(struct form){FLAG_RD, "EXAMPLE.com", TYPE_TXT, true, 1232, false, 0});
    struct client_query udp = asked_by(&(struct form){FLAG_RD, "EXAMPLE.com", TYPE_TXT, true, 4096, false, 1232});
    struct message      message;
    size_t              len, bare;

    (void) state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 256 == 0 ? 255 : (uint8_t) ('a' + i % 26);
    packet_begin(&packet, PACKET_REPLY, "eXaMpLe.CoM", TYPE_TXT);
    packet_record_here(&packet, 0, TYPE_TXT, 300, text, sizeof text);
    bare = packet.len;
    packet_opt(&packet, 4096, 0, NULL, 0);
    struct stored stored = stored_packet();
    len                  = answer_write(&tcp, &stored, 0, false, EDE_NONE, out, sizeof out);
    assert_int_equal(len, bare + 11);
    assert_memory_equal(out + 12 + 13, packet.data + 12 + 13, bare - 12 - 13);
    assert_memory_equal(out + 12, "\7EXAMPLE\3com", 13);
    assert_memory_equal(out + 4, "\0\1\0\1\0\0\0\1", 8);

    len = answer_write(&udp, &stored, 0, false, EDE_NETWORK_ERROR, out, 1232);
    assert_int_equal(len, 12 + 13 + 4 + 17);
    parse_out(len, &message);
    assert_int_equal(message.flags, FLAG_QR | FLAG_TC | FLAG_RD | FLAG_RA);
    assert_int_equal(message.count[SECTION_ANSWER], 0);
    assert_int_equal(message.edns.ede, EDE_NETWORK_ERROR);
    assert_memory_equal(message.question.name.data, "\7EXAMPLE\3com", 13);
}

/* What the connection's client is told costs no records: it is left out where only that does not fit. */
static void keepalive_is_told_where_it_fits(void **state)
{
    static uint8_t      data[65535];
    struct client_query asked = asked_by(&(struct form){FLAG_RD, "example.com", TYPE_TXT, true, 1232, false, 0});
    const size_t        bare  = 12 + 13 + 4 + 12; /* of the record all but its data */
    static const struct {
        size_t              spare; /* bytes that are left beside an OPT without options */
        enum keepalive_form form;
        int                 ede;
    } rows[] = {{1000, KEEPALIVE_TOLD, EDE_STALE_ANSWER},
                {12, KEEPALIVE_TOLD, EDE_STALE_ANSWER},
                {11, KEEPALIVE_NONE, EDE_NONE},
                {0, KEEPALIVE_NONE, EDE_NONE}};

    (void) state;
    assert_int_equal(asked.keepalive.form, KEEPALIVE_NONE);
    asked.keepalive = (struct keepalive){KEEPALIVE_TOLD, 300};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message message;
        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_TXT);
        packet_record_here(&packet, 0, TYPE_TXT, 300, data, 65535 - bare - 11 - rows[i].spare);
        struct stored stored = stored_packet();
        parse_out(answer_write(&asked, &stored, 0, false, EDE_STALE_ANSWER, out, sizeof out), &message);
        assert_int_equal(message.flags & FLAG_TC, 0);
        assert_int_equal(message.count[SECTION_ANSWER], 1);
        assert_int_equal(message.edns.keepalive.form, rows[i].form);
        assert_int_equal(message.edns.keepalive.idle, rows[i].form == KEEPALIVE_TOLD ? 300 : 0);
        assert_int_equal(message.edns.ede, rows[i].ede);
    }
    asked.edns            = false;
    struct stored  stored = stored_packet();
    struct message message;
    parse_out(answer_write(&asked, &stored, 0, false, EDE_NONE, out, sizeof out), &message);
    assert_false(message.edns.present);
}

/* 20 addresses of 16 bytes, in authority `authority`, and 20 more in additional. */
static struct stored long_reply(unsigned authority)
{
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    for (size_t i = 0; i < 20; i++)
        packet_record_here(&packet, 0, TYPE_A, 300, "1234", 4);
    for (size_t i = 0; i < 10; i++)
        packet_record_here(&packet, 1, authority, 300, "\2ns\xc0\x0c", 5);
    for (size_t i = 0; i < 20; i++)
        packet_record(&packet, 2, "ns.example.com", TYPE_A, 300, "1234", 4);
    return stored_packet();
}

/* Hints are left out before anybody has to come by TCP; who cannot come has as much of the answer as fits. */
static void what_is_too_long_loses_hints_first(void **state)
{
    enum {
        BARE      = 12 + 13 + 4,
        ANSWERS   = BARE + 20 * 16,
        AUTHORITY = ANSWERS + 10 * 17,
        OTHER     = 99
    };
    static const struct {
        unsigned authority;
        bool     dnssec_ok;
        size_t   cap, answers, authorities, additional;
        bool     cut;
    } rows[] = {
        {TYPE_NS, false, 65535, 20, 10, 20, false},         {TYPE_NS, false, AUTHORITY + 11 + 599, 20, 10, 0, false},
        {TYPE_NS, false, AUTHORITY + 11, 20, 10, 0, false}, {TYPE_NS, false, AUTHORITY + 10, 20, 0, 0, false},
        {TYPE_NS, false, ANSWERS + 11, 20, 0, 0, false},    {TYPE_NS, false, ANSWERS + 10, 19, 0, 0, true},
        {TYPE_NS, false, BARE + 11 + 16, 1, 0, 0, true},    {TYPE_NS, false, BARE + 11 + 15, 0, 0, 0, true},
        {TYPE_NS, true, AUTHORITY + 11, 20, 10, 0, false},  {TYPE_NS, true, AUTHORITY + 10, 20, 0, 0, true},
        {OTHER, false, AUTHORITY + 11, 20, 10, 0, false},   {OTHER, false, AUTHORITY + 10, 20, 0, 0, true},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct form         form   = {FLAG_RD, "example.com", TYPE_A, true, 65535, rows[i].dnssec_ok, 65534};
        struct client_query asked  = asked_by(&form);
        struct stored       stored = long_reply(rows[i].authority);
        struct message      message;
        struct record       record = {0};
        parse_out(answer_write(&asked, &stored, 7, false, EDE_NONE, out, rows[i].cap), &message);
        assert_int_equal((message.flags & FLAG_TC) != 0, rows[i].cut);
        assert_int_equal(message.count[SECTION_ANSWER], rows[i].answers);
        assert_int_equal(message.count[SECTION_AUTHORITY], rows[i].authorities);
        assert_int_equal(message.count[SECTION_ADDITIONAL], rows[i].additional + 1);
        assert_true(message.edns.present && message.edns.dnssec_ok == rows[i].dnssec_ok);
        while (message_next(&message, &record) && record.type != TYPE_OPT)
            assert_int_equal(record.ttl, 293);
    }
}

/* RFC 8482, 4.2. With DO, over TCP, for other types and other rcodes nothing stands for the records. */
static void a_large_any_is_one_hinfo(void **state)
{
    static const struct {
        unsigned rcode, type;
        bool     dnssec_ok;
        uint16_t udp_limit;
        bool     hinfo;
    } rows[] = {
        {RCODE_NOERROR, TYPE_ANY, false, 1232, true},  {RCODE_NOERROR, TYPE_ANY, true, 1232, false},
        {RCODE_NOERROR, TYPE_TXT, false, 1232, false}, {RCODE_NXDOMAIN, TYPE_ANY, false, 1232, false},
        {RCODE_NOERROR, TYPE_ANY, false, 0, false},
    };
    static uint8_t           text[2000];
    const struct store_rules with = {.max_ttl = 86400, .authentic = true};
    uint32_t                 ttl;

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct form         form  = {FLAG_RD | FLAG_AD, "Example.com",    (uint16_t) rows[i].type, true, 4096,
                                     rows[i].dnssec_ok, rows[i].udp_limit};
        struct client_query asked = asked_by(&form);
        struct message      message;
        struct record       record = {0};

        packet_begin(&packet, PACKET_REPLY | FLAG_AD | rows[i].rcode, "example.com", rows[i].type);
        packet_record_here(&packet, 0, TYPE_TXT, 300, text, sizeof text);
        struct stored stored = stored_with(&with, &ttl);
        size_t        len    = answer_write(&asked, &stored, 10, false, EDE_EXTERNAL, out, sizeof out);
        parse_out(len, &message);
        assert_int_equal((message.flags & FLAG_TC) != 0, !rows[i].hinfo && rows[i].udp_limit > 0);
        assert_int_equal((message.flags & FLAG_AD) != 0, !rows[i].hinfo);
        assert_true(message.edns.present);
        if (rows[i].udp_limit == 0) { /* nor where a message is too large even for TCP */
            parse_out(answer_write(&asked, &stored, 10, false, EDE_NONE, out, 600), &message);
            assert_true((message.flags & FLAG_TC) != 0 && message.count[SECTION_ANSWER] == 0);
        }
        if (!rows[i].hinfo)
            continue;
        assert_int_equal(message.count[SECTION_ANSWER], 1);
        assert_true(message_next(&message, &record));
        assert_int_equal(record.type, TYPE_HINFO);
        assert_int_equal(record.ttl, ANY_TTL);
        assert_int_equal(record.data.len, 9);
        assert_memory_equal(record.data.data, "\7RFC8482", 9);
        assert_memory_equal(message.question.name.data, "\7Example\3com", 13);
    }
}

/* Round the limit: first the code goes, then the records. */
static void the_limit_is_kept(void **state)
{
    static uint8_t      text[1300];
    struct client_query asked = asked_by(&(struct form){FLAG_RD, "example.com", TYPE_TXT, true, 1232, false, 1232});

    (void) state;
    for (size_t size = 1100; size < sizeof text; size++) {
        struct message message;
        size_t         len, whole;

        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_TXT);
        packet_record_here(&packet, 0, TYPE_TXT, 300, text, size);
        struct stored stored = stored_packet();
        whole                = packet.len + 11;
        len                  = answer_write(&asked, &stored, 0, false, EDE_STALE_ANSWER, out, sizeof out);
        parse_out(len, &message);
        assert_true(len <= 1232 && message.edns.present);
        assert_int_equal((message.flags & FLAG_TC) != 0, whole > 1232);
        assert_int_equal(message.count[SECTION_ANSWER], whole <= 1232);
        assert_int_equal(message.edns.ede, whole <= 1232 && whole + 6 > 1232 ? EDE_NONE : EDE_STALE_ANSWER);
    }
}

static void writing_keeps_to_its_room(void **state)
{
    struct client_query asked = asked_by(&(struct form){FLAG_RD, "example.com", TYPE_MX, true, 1232, false, 1232});
    size_t              whole;

    (void) state;
    mx_reply(PACKET_REPLY);
    struct stored stored = stored_packet();
    whole                = answer_write(&asked, &stored, 0, false, EDE_NONE, out, sizeof out);
    for (size_t cap = 0; cap <= whole; cap++) {
        uint8_t *room = malloc(cap + 1);
        size_t   len;

        room = realloc(room, cap > 0 ? cap : 1);
        len  = answer_write(&asked, &stored, 0, false, EDE_NONE, room, cap);
        assert_true(len <= cap);
        assert_int_equal(len >= 12 + 13 + 4 + 11, cap >= 12 + 13 + 4 + 11);
        assert_int_equal(len == whole, cap == whole);
        free(room);
    }
}

/* The largest message there is, made of the smallest records. */
static void the_largest_message_is_packed(void **state)
{
    struct message message;
    size_t         split;
    uint32_t       ttl;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "", TYPE_A);
    while (packet.len + 11 <= sizeof packet.data)
        packet_record(&packet, 0, "", 65280, 1, NULL, 0);
    assert_true(message_parse(packet_view(&packet), &message));
    assert_int_equal(answer_pack(&message, &rules, packed, sizeof packed, &split, &ttl),
                     packet.len + 2u * message.count[SECTION_ANSWER]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stored_answer_is_bare),         cmocka_unit_test(ttls_are_clamped),
        cmocka_unit_test(records_behind_the_opt_go),       cmocka_unit_test(what_is_not_final_is_not_stored),
        cmocka_unit_test(packing_keeps_to_its_room),       cmocka_unit_test(an_answer_is_the_clients),
        cmocka_unit_test(external_is_said_in_words),       cmocka_unit_test(answers_differ_by_what_was_asked),
        cmocka_unit_test(a_stale_answer_is_short_lived),   cmocka_unit_test(limits_follow_the_query),
        cmocka_unit_test(a_large_txt_passes_unchanged),    cmocka_unit_test(the_limit_is_kept),
        cmocka_unit_test(keepalive_is_told_where_it_fits), cmocka_unit_test(what_is_too_long_loses_hints_first),
        cmocka_unit_test(writing_keeps_to_its_room),       cmocka_unit_test(a_large_any_is_one_hinfo),
        cmocka_unit_test(the_largest_message_is_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
