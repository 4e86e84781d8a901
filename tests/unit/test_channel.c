/*
 * test_channel.c: what a connection carries, without a network: TLS against OpenSSL's own server in memory, with
 * certificates that are right or wrong in each way; what came behind a proxy; questions before, while and after.
 */
#include "stream/channel.h"

#include "base/bytes.h"
#include "lib/check.h"
#include "lib/identity.h"
#include "stream/pin.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOW     = 1800000000,
    DAY     = 86400,
    WIRE    = 64 << 10,
    ID      = 0x1234,
    LONGEST = 100000 /* bytes of a reply are more than this only by mistake */
};

struct pipe { /* bytes on their way in one direction */
    uint8_t data[WIRE];
    size_t  len;
};

struct fixture {
    struct identity     ca, between, server;
    struct way          way;
    struct credentials *credentials;
    struct tls_ticket   ticket;
    struct channel     *channel;
    struct pipe         out, in; /* to the server, from it */
    SSL_CTX            *context;
    SSL                *ssl; /* the server's */
    unsigned            replies;
    uint16_t            last_id;
    char                sni[256]; /* that the server saw */
    wall_t              wall;
};

static void append(struct pipe *pipe, const void *data, size_t len)
{
    assert_true(pipe->len + len <= sizeof(pipe->data));
    memcpy(pipe->data + pipe->len, data, len);
    pipe->len += len;
}

static void on_send(void *context, struct view bytes)
{
    append(&((struct fixture *) context)->out, bytes.data, bytes.len);
}

static void on_received(void *context, struct view message)
{
    struct fixture *fixture = context;
    fixture->replies++;
    fixture->last_id = message.len >= 2 ? get_u16(message.data) : 0;
}

static void on_failed(void *context, uint16_t id, enum http_failure failure)
{
    (void) context;
    fail_msg("question %u failed: %d", id, failure);
}

static void on_paused(void *context, msec_t pause)
{
    (void) context;
    fail_msg("paused for %lld ms", (long long) pause);
}

static struct identity make(const char *name, const char *names, const struct identity *issuer, bool is_ca)
{
    return identity_make(&(struct identity_options){
        .name = name, .names = names, .issuer = issuer, .is_ca = is_ca, .from = NOW - DAY, .until = NOW + DAY});
}

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->wall    = NOW;
    fixture->ca      = make("Test CA", NULL, NULL, true);
    fixture->between = make("Between", NULL, &fixture->ca, true);
    fixture->server  = make("dns.example.net", "DNS:dns.example.net,IP:192.0.2.53", &fixture->ca, false);
    fixture->way = (struct way){.form = WAY_TLS, .name = strdup("dns.example.net"), .ca = identity_pem(&fixture->ca)};
    assert_true(address_parse("192.0.2.53", 853, &fixture->way.address));
    *state = fixture;
    return 0;
}

static void hang_up(struct fixture *fixture)
{
    channel_destroy(fixture->channel);
    SSL_free(fixture->ssl);
    SSL_CTX_free(fixture->context);
    credentials_drop(fixture->credentials);
    fixture->channel     = NULL;
    fixture->ssl         = NULL;
    fixture->context     = NULL;
    fixture->credentials = NULL;
    fixture->in.len = fixture->out.len = 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    hang_up(fixture);
    tls_ticket_fini(&fixture->ticket);
    way_fini(&fixture->way);
    identity_drop(&fixture->server);
    identity_drop(&fixture->between);
    identity_drop(&fixture->ca);
    free(fixture);
    return 0;
}

/* ---- the other end ---- */

static int on_sni(SSL *ssl, int *alert, void *context)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void) alert;
    snprintf(((struct fixture *) context)->sni, 256, "%s", name ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *context)
{
    (void) ssl;
    (void) context;
    assert_int_equal(in_len, 4);
    assert_memory_equal(in, "\3dot", 4);
    *out     = in + 1;
    *out_len = 3;
    return SSL_TLSEXT_ERR_OK;
}

static void serve_with(struct fixture *fixture, const struct identity *identity, const struct identity *between)
{
    SSL_CTX_free(fixture->context);
    fixture->context = identity_context(identity, between);
    SSL_CTX_set_session_id_context(fixture->context, (const unsigned char *) "t", 1);
    SSL_CTX_set_tlsext_servername_callback(fixture->context, on_sni);
    SSL_CTX_set_tlsext_servername_arg(fixture->context, fixture);
    SSL_CTX_set_alpn_select_cb(fixture->context, on_alpn, NULL);
}

static void accept_one(struct fixture *fixture)
{
    SSL_free(fixture->ssl);
    fixture->ssl = SSL_new(fixture->context);
    assert_non_null(fixture->ssl);
    SSL_set_bio(fixture->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(fixture->ssl);
}

static void drain_server(struct fixture *fixture)
{
    uint8_t bytes[4096];
    int     len;
    while ((len = BIO_read(SSL_get_wbio(fixture->ssl), bytes, sizeof(bytes))) > 0)
        append(&fixture->in, bytes, (size_t) len);
}

/* Answers each question with its own bytes. */
static void turn_server(struct fixture *fixture)
{
    uint8_t plain[4096];
    int     len;
    BIO_write(SSL_get_rbio(fixture->ssl), fixture->out.data, (int) fixture->out.len);
    fixture->out.len = 0;
    while ((len = SSL_read(fixture->ssl, plain, sizeof(plain))) > 0)
        assert_int_equal(SSL_write(fixture->ssl, plain, len), len);
    ERR_clear_error();
    drain_server(fixture);
}

/* Bytes go to and fro until nobody has any, `step` at a time to the client. */
static enum channel_state run(struct fixture *fixture, size_t step)
{
    enum channel_state state = channel_state(fixture->channel);
    while (fixture->out.len > 0 || fixture->in.len > 0) {
        turn_server(fixture);
        while (fixture->in.len > 0) {
            size_t  len = fixture->in.len < step ? fixture->in.len : step;
            uint8_t bytes[WIRE];
            memcpy(bytes, fixture->in.data, len);
            fixture->in.len -= len;
            memmove(fixture->in.data, fixture->in.data + len, fixture->in.len);
            state = channel_feed(fixture->channel, (struct view){bytes, len});
        }
    }
    return state;
}

static void dial(struct fixture *fixture)
{
    const struct channel_hooks hooks = {fixture, on_send, on_received, on_failed, on_paused};
    char                       why[CREDENTIALS_WHY_MAX];
    if (!fixture->credentials)
        fixture->credentials = credentials_create(&fixture->way, NULL, why);
    assert_non_null(fixture->credentials);
    channel_destroy(fixture->channel);
    fixture->channel = channel_create(&fixture->way, fixture->credentials, &fixture->ticket, &hooks, fixture->wall);
    assert_non_null(fixture->channel);
    fixture->replies = 0;
}

static void ask(struct fixture *fixture, uint16_t id)
{
    uint8_t question[40] = {0};
    put_u16(question, id);
    assert_true(channel_send(fixture->channel, (struct view){question, sizeof(question)}));
}

static enum channel_state connect_to(struct fixture *fixture, const struct identity *identity,
                                     const struct identity *between)
{
    serve_with(fixture, identity, between);
    accept_one(fixture);
    dial(fixture);
    ask(fixture, ID);
    assert_int_equal(channel_start(fixture->channel), CHANNEL_OPENING);
    return run(fixture, WIRE);
}

/* ---- whom it believes ---- */

static void assert_fails(struct fixture *fixture, const struct identity *identity, const struct identity *between,
                         const char *why)
{
    assert_int_equal(connect_to(fixture, identity, between), CHANNEL_FAILED);
    if (!strstr(channel_problem(fixture->channel), why))
        fail_msg("\"%s\" says nothing of \"%s\"", channel_problem(fixture->channel), why);
    assert_int_equal(fixture->replies, 0);
    assert_false(channel_send(fixture->channel, (struct view){(const uint8_t *) "\0\1", 2}));
    hang_up(fixture);
}

static void assert_opens(struct fixture *fixture, const struct identity *identity, const struct identity *between)
{
    if (connect_to(fixture, identity, between) != CHANNEL_OPEN)
        fail_msg("%s", channel_problem(fixture->channel));
    assert_int_equal(fixture->replies, 1);
    assert_int_equal(fixture->last_id, ID);
    hang_up(fixture);
}

static void a_right_certificate_is_believed(void **state)
{
    struct fixture *fixture = *state;
    assert_opens(fixture, &fixture->server, NULL);
    assert_string_equal(fixture->sni, "dns.example.net");
}

static void wrong_certificates_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct identity other = make("other.example", "DNS:other.example,DNS:b.example,IP:192.0.2.9", &fixture->ca, false);
    struct identity expired = identity_make(&(struct identity_options){.name   = "dns.example.net",
                                                                       .names  = "DNS:dns.example.net",
                                                                       .issuer = &fixture->ca,
                                                                       .from   = NOW - 9 * DAY,
                                                                       .until  = NOW - DAY});
    struct identity early   = identity_make(&(struct identity_options){.name   = "dns.example.net",
                                                                       .names  = "DNS:dns.example.net",
                                                                       .issuer = &fixture->ca,
                                                                       .from   = NOW + DAY,
                                                                       .until  = NOW + 9 * DAY});
    struct identity alone   = make("dns.example.net", "DNS:dns.example.net", NULL, false);
    struct identity evil    = make("Evil CA", NULL, NULL, true);
    struct identity forged  = make("dns.example.net", "DNS:dns.example.net", &evil, false);
    struct identity below   = make("dns.example.net", "DNS:dns.example.net", &fixture->between, false);
    struct identity partial = make("x", "DNS:d*.example.net", &fixture->ca, false);
    assert_fails(fixture, &other, NULL, "is for other.example, b.example, 192.0.2.9, not for dns.example.net");
    assert_fails(fixture, &expired, NULL, "expired at 2027-01-14T08:00:00Z");
    assert_fails(fixture, &early, NULL, "clock");
    assert_fails(fixture, &alone, NULL, "self-signed");
    assert_fails(fixture, &forged, NULL, "issued by Evil CA");
    assert_fails(fixture, &forged, &evil, "Evil CA");
    assert_fails(fixture, &below, NULL, "leaves out what stands between");
    assert_fails(fixture, &partial, NULL, "not for dns.example.net");
    assert_opens(fixture, &below, &fixture->between);
    struct identity *all[] = {&other, &expired, &early, &alone, &evil, &forged, &below, &partial};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        identity_drop(all[i]);
}

static void without_a_name_the_address_is_verified(void **state)
{
    struct fixture *fixture = *state;
    struct identity other   = make("x", "DNS:dns.example.net,IP:192.0.2.54", &fixture->ca, false);
    free(fixture->way.name);
    fixture->way.name = NULL;
    assert_opens(fixture, &fixture->server, NULL);
    assert_string_equal(fixture->sni, "");
    assert_fails(fixture, &other, NULL, "not for 192.0.2.53");
    identity_drop(&other);
}

static void the_name_that_is_sent_may_be_another(void **state)
{
    struct fixture *fixture = *state;
    fixture->way.sni        = strdup("harmless.example");
    assert_opens(fixture, &fixture->server, NULL);
    assert_string_equal(fixture->sni, "harmless.example");
    fixture->way.sni[0] = '\0';
    assert_opens(fixture, &fixture->server, NULL);
    assert_string_equal(fixture->sni, "");
}

static void pin(struct fixture *fixture, const struct identity *identity)
{
    unsigned char *der = NULL;
    int            len = i2d_PUBKEY(identity->key, &der);
    assert_true(len > 0);
    SHA256(der, (size_t) len, fixture->way.pins[fixture->way.pin_count++]);
    OPENSSL_free(der);
}

/* RFC 7858, 4.2: a pinned key is believed whoever issued its certificate, for what name and until when. */
static void pins_alone_decide(void **state)
{
    struct fixture *fixture = *state;
    struct identity old     = identity_make(&(struct identity_options){
            .name = "whoever", .like = &fixture->server, .from = NOW - 9 * DAY, .until = NOW - DAY});
    struct identity next    = make("dns.example.net", "DNS:dns.example.net", &fixture->ca, false);
    char            text[PIN_TEXT_MAX];
    free(fixture->way.ca);
    fixture->way.ca = NULL;
    pin(fixture, &fixture->server);
    assert_opens(fixture, &old, NULL);
    pin_format(fixture->way.pins[0], text);
    assert_fails(fixture, &next, NULL, "which is not among \"pins\"");
    /* not even where somebody else shows the pinned one behind his own */
    assert_fails(fixture, &next, &old, "which is not among \"pins\"");
    pin(fixture, &next);
    assert_opens(fixture, &next, NULL);
    identity_drop(&old);
    identity_drop(&next);
}

static void with_an_authority_too_both_must_hold(void **state)
{
    struct fixture *fixture = *state;
    struct identity alone   = identity_make(&(struct identity_options){.name  = "dns.example.net",
                                                                       .names = "DNS:dns.example.net",
                                                                       .like  = &fixture->server,
                                                                       .from  = NOW - 9,
                                                                       .until = NOW + 9});
    pin(fixture, &fixture->ca); /* any of the chain */
    assert_opens(fixture, &fixture->server, NULL);
    fixture->way.pin_count = 0;
    pin(fixture, &fixture->between);
    assert_fails(fixture, &fixture->server, NULL, "pins");
    fixture->way.pin_count = 0;
    pin(fixture, &fixture->server);
    assert_opens(fixture, &fixture->server, NULL);
    assert_fails(fixture, &alone, NULL, "self-signed");
    identity_drop(&alone);
}

/* ---- the protocol ---- */

static void one_byte_at_a_time_will_do(void **state)
{
    struct fixture *fixture = *state;
    serve_with(fixture, &fixture->server, NULL);
    accept_one(fixture);
    dial(fixture);
    for (uint16_t id = 1; id <= 9; id++)
        ask(fixture, id);
    channel_start(fixture->channel);
    assert_int_equal(run(fixture, 1), CHANNEL_OPEN);
    assert_int_equal(fixture->replies, 9);
    assert_int_equal(fixture->last_id, 9);
}

static void old_protocols_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        int  version;
        bool good;
    } rows[] = {{TLS1_VERSION, false}, {TLS1_1_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        serve_with(fixture, &fixture->server, NULL);
        SSL_CTX_set_security_level(fixture->context, 0);
        SSL_CTX_set_min_proto_version(fixture->context, rows[i].version);
        SSL_CTX_set_max_proto_version(fixture->context, rows[i].version);
        accept_one(fixture);
        dial(fixture);
        ask(fixture, ID);
        channel_start(fixture->channel);
        assert_int_equal(run(fixture, WIRE), rows[i].good ? CHANNEL_OPEN : CHANNEL_FAILED);
        assert_int_equal(fixture->replies, rows[i].good);
        if (!rows[i].good)
            assert_string_equal(channel_problem(fixture->channel), "it speaks no TLS as new as 1.2");
        hang_up(fixture);
    }
}

static void what_does_not_speak_tls_is_named(void **state)
{
    struct fixture    *fixture = *state;
    static const char *texts[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "\0\14\22\64\200\1\0\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        dial(fixture);
        channel_start(fixture->channel);
        assert_int_equal(channel_feed(fixture->channel, (struct view){(const uint8_t *) texts[i], i == 0 ? 28 : 14}),
                         CHANNEL_FAILED);
        assert_string_equal(channel_problem(fixture->channel), "what answers does not speak TLS");
        hang_up(fixture);
    }
}

static void ends_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned reset = 0; reset < 2; reset++) {
        dial(fixture);
        channel_start(fixture->channel);
        assert_int_equal(channel_end(fixture->channel, reset), CHANNEL_FAILED);
        assert_non_null(strstr(channel_problem(fixture->channel), "behind the ClientHello"));
        assert_int_equal(channel_was_cut(fixture->channel), reset);
        hang_up(fixture);
    }
    /* open, with close_notify and without: no failure */
    for (unsigned notify = 0; notify < 2; notify++) {
        assert_int_equal(connect_to(fixture, &fixture->server, NULL), CHANNEL_OPEN);
        if (notify) {
            SSL_shutdown(fixture->ssl);
            drain_server(fixture);
            assert_int_equal(run(fixture, WIRE), CHANNEL_ENDED);
        }
        assert_int_equal(channel_end(fixture->channel, false), CHANNEL_ENDED);
        assert_string_equal(channel_problem(fixture->channel), "");
        assert_false(channel_was_cut(fixture->channel));
        hang_up(fixture);
    }
}

static void garbage_in_mid_stream_ends_it(void **state)
{
    struct fixture *fixture  = *state;
    uint8_t         junk[64] = {0x17, 3, 3, 0, 59};
    assert_int_equal(connect_to(fixture, &fixture->server, NULL), CHANNEL_OPEN);
    assert_int_equal(channel_feed(fixture->channel, (struct view){junk, sizeof(junk)}), CHANNEL_FAILED);
    assert_string_equal(channel_problem(fixture->channel), "it broke the protocol");
}

/* ---- resumption ---- */

static bool resumed(struct fixture *fixture)
{
    struct tls_peer peer;
    serve_with(fixture, &fixture->server, NULL);
    accept_one(fixture);
    dial(fixture);
    ask(fixture, ID);
    channel_start(fixture->channel);
    assert_int_equal(run(fixture, WIRE), CHANNEL_OPEN);
    assert_int_equal(fixture->replies, 1);
    assert_true(channel_describe(fixture->channel, &peer));
    assert_string_equal(peer.subject, "dns.example.net");
    assert_string_equal(peer.issuer, "Test CA");
    return peer.resumed;
}

static void a_session_is_resumed_for_as_long_as_its_certificate_is_good(void **state)
{
    struct fixture *fixture = *state;
    struct identity brief   = identity_make(&(struct identity_options){.name   = "dns.example.net",
                                                                       .names  = "DNS:dns.example.net",
                                                                       .issuer = &fixture->ca,
                                                                       .from   = NOW - DAY,
                                                                       .until  = NOW + 3600});
    /* one server for all: its tickets are its context's */
    serve_with(fixture, &brief, NULL);
    for (unsigned i = 0; i < 4; i++) {
        static const struct {
            wall_t wall;
            bool   resumes;
        } rows[]             = {{NOW, false}, {NOW + 1, true}, {NOW + 3599, true}, {NOW + 3601, false}};
        struct tls_peer peer = {0};
        fixture->wall        = rows[i].wall;
        accept_one(fixture);
        dial(fixture);
        ask(fixture, ID);
        channel_start(fixture->channel);
        enum channel_state is = run(fixture, WIRE);
        channel_describe(fixture->channel, &peer);
        assert_int_equal(peer.resumed, rows[i].resumes);
        assert_int_equal(is, i < 3 ? CHANNEL_OPEN : CHANNEL_FAILED); /* it is verified anew, and has expired */
        channel_end(fixture->channel, false);                        /* by the server, as most are */
    }
    identity_drop(&brief);
}

/* After a reload the credentials are others: what was verified by those before says nothing. */
static void other_credentials_resume_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_false(resumed(fixture));
    assert_non_null(fixture->ticket.session);
    credentials_drop(fixture->credentials);
    fixture->credentials = NULL;
    assert_false(resumed(fixture));
}

static void a_failed_handshake_leaves_no_ticket(void **state)
{
    struct fixture *fixture = *state;
    struct identity alone   = make("dns.example.net", "DNS:dns.example.net", NULL, false);
    assert_fails(fixture, &alone, NULL, "self-signed");
    assert_null(fixture->ticket.session);
    identity_drop(&alone);
}

/* ---- memory ---- */

static size_t blocks; /* of the library, that nobody has freed */

static void *count_malloc(size_t len, const char *file, int line)
{
    void *block = malloc(len);
    (void) file;
    (void) line;
    blocks += block != NULL;
    return block;
}

static void *count_realloc(void *block, size_t len, const char *file, int line)
{
    void *next = realloc(block, len);
    (void) file;
    (void) line;
    blocks += !block && next;
    return next;
}

static void count_free(void *block, const char *file, int line)
{
    (void) file;
    (void) line;
    blocks -= block != NULL;
    free(block);
}

/* One that is not believed, one that speaks no TLS, one that is cut. */
static void fail_three_times(struct fixture *fixture)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    for (unsigned i = 0; i < 3; i++) {
        accept_one(fixture);
        dial(fixture);
        ask(fixture, ID);
        assert_int_equal(channel_start(fixture->channel), CHANNEL_OPENING);
        enum channel_state state =
            i == 0   ? run(fixture, WIRE)
            : i == 1 ? channel_feed(fixture->channel, (struct view){(const uint8_t *) text, sizeof(text)})
                     : channel_end(fixture->channel, true);
        assert_int_equal(state, CHANNEL_FAILED);
        fixture->out.len = fixture->in.len = 0;
    }
}

static void ten_thousand_failing_handshakes_leave_nothing(void **state)
{
    enum {
        WARM  = 10,
        TIMES = 3333
    };
    struct fixture *fixture = *state;
    struct identity alone   = make("dns.example.net", "DNS:dns.example.net", NULL, false);
    size_t          before  = 0;
    serve_with(fixture, &alone, NULL);
    for (unsigned i = 0; i < TIMES + WARM; i++) {
        fail_three_times(fixture);
        if (i == WARM)
            before = blocks;
    }
    assert_int_equal(blocks, before);
    identity_drop(&alone);
}

int main(void)
{
    assert_int_equal(CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free), 1);
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_right_certificate_is_believed),
        FIXTURE_TEST(wrong_certificates_are_told_apart),
        FIXTURE_TEST(without_a_name_the_address_is_verified),
        FIXTURE_TEST(the_name_that_is_sent_may_be_another),
        FIXTURE_TEST(pins_alone_decide),
        FIXTURE_TEST(with_an_authority_too_both_must_hold),
        FIXTURE_TEST(one_byte_at_a_time_will_do),
        FIXTURE_TEST(old_protocols_are_refused),
        FIXTURE_TEST(what_does_not_speak_tls_is_named),
        FIXTURE_TEST(ends_are_told_apart),
        FIXTURE_TEST(garbage_in_mid_stream_ends_it),
        FIXTURE_TEST(a_session_is_resumed_for_as_long_as_its_certificate_is_good),
        FIXTURE_TEST(other_credentials_resume_nothing),
        FIXTURE_TEST(a_failed_handshake_leaves_no_ticket),
        FIXTURE_TEST(ten_thousand_failing_handshakes_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
