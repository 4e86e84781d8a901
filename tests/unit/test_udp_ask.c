#include "loopback.h"

#include "net/udp_ask.h"

#define PLENTY 2000 /* questions in one go that each get a socket of their own */

static uv_loop_t       loop;
static struct rng      rng;
static struct udp_ask *ask;
static int             server;
static struct address  server_address, source_address;

struct owner {
    struct udp_ticket *ticket;
    unsigned           replies, strays, unreachable;
    uint8_t            last[16];
    size_t             len;
    struct owner      *victim;       /* released when this one is told of anything */
    bool               release_self; /* so is this one */
    struct owner      *opens;        /* asked then, with id 7 */
    uint64_t           order;
};

static uint64_t told;

static int ask_now(struct owner *owner, uint16_t id, msec_t now)
{
    uint8_t question[12] = {0};
    put_u16(question, id);
    const struct way way = {.address = server_address, .bind = source_address};
    return udp_ask_open(ask, &way, (struct view){question, sizeof(question)}, owner, now, &owner->ticket);
}

static void release(struct owner *owner)
{
    udp_ask_release(ask, owner->ticket);
    owner->ticket = NULL;
}

static void handle(void *context, void *pointer, enum udp_event event, struct view datagram)
{
    struct owner *owner = pointer;
    assert_ptr_equal(context, &loop);
    assert_non_null(owner->ticket); /* a released ticket hears nothing */
    owner->replies += event == UDP_REPLY;
    owner->strays += event == UDP_STRAY;
    owner->unreachable += event == UDP_UNREACHABLE;
    owner->order = ++told;
    owner->len   = datagram.len;
    if (datagram.len > 0)
        memcpy(owner->last, datagram.data, datagram.len < 16 ? datagram.len : 16);
    if (owner->victim && owner->victim->ticket)
        release(owner->victim);
    if (owner->release_self)
        release(owner);
    if (owner->opens && !owner->opens->ticket)
        assert_int_equal(ask_now(owner->opens, 7, 0), 0);
}

static void begin(void *context) { assert_ptr_equal(context, &loop); }

static void start(const char *host)
{
    rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){1});
    assert_int_equal(uv_loop_init(&loop), 0);
    ask = udp_ask_create(&loop, &rng, 1024, handle, begin, &loop);
    assert_non_null(ask);
    server         = plain_socket(host, SOCK_DGRAM);
    server_address = bound_to(server);
}

static void finish(void)
{
    udp_ask_close(ask);
    if (server >= 0)
        close(server);
    finish_loop(&loop);
}

/* The next question at the server; returns its id. */
static uint16_t take(struct address *ret_from)
{
    uint8_t question[64];
    *ret_from   = (struct address){.len = sizeof(ret_from->in6)};
    ssize_t len = recvfrom(server, question, sizeof(question), 0, &ret_from->any, &ret_from->len);
    assert_int_equal(len, 12);
    return get_u16(question);
}

static void reply(const struct address *to, const char *bytes, size_t len)
{
    assert_int_equal(sendto(server, bytes, len, 0, &to->any, to->len), len);
}

static void reply_id(const struct address *to, uint16_t id)
{
    char bytes[12] = {(char) (id >> 8), (char) id};
    reply(to, bytes, sizeof(bytes));
}

static void test_reply_and_strays(void **state)
{
    (void) state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        start(hosts[i]);
        struct owner   one = {0}, two = {0};
        struct address from_one, from_two;
        assert_int_equal(ask_now(&one, 0x1234, 0), 0);
        assert_int_equal(ask_now(&two, 0x1234, 0), 0);
        assert_int_equal(take(&from_one), 0x1234);
        assert_int_equal(take(&from_two), 0x1234);
        assert_int_not_equal(address_port(&from_one), address_port(&from_two));

        reply(&from_one, "", 0);
        reply(&from_one, "\x12", 1);
        reply_id(&from_one, 0x1235);
        RUN_UNTIL(&loop, one.strays == 3);
        assert_int_equal(one.replies, 0);
        reply_id(&from_one, 0x1234);
        RUN_UNTIL(&loop, one.replies == 1);
        assert_int_equal(one.len, 12);
        reply_id(&from_one, 0x1234); /* the ticket still lives: another one with this id */
        RUN_UNTIL(&loop, one.replies == 2);
        assert_int_equal(two.order, 0);

        assert_int_equal(
            udp_ask_resend(ask, two.ticket, (struct view){(const uint8_t *) "\x12\x34\0\0\0\0\0\0\0\0\0", 12}), 0);
        struct address again;
        assert_int_equal(take(&again), 0x1234);
        assert_true(address_equal(&again, &from_two));
        release(&one);
        release(&two);
        assert_int_equal(udp_ask_read_stats(ask)->sockets, 0);
        assert_int_equal(udp_ask_read_stats(ask)->stray, 3);
        finish();
    }
}

/* A socket whose question was answered serves the next one, from another port; meanwhile it has none. */
static void test_ports_are_fresh(void **state)
{
    (void) state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        unsigned before = open_descriptors(), first = 0, ports = 0;
        start(hosts[i]);
        static bool seen[65536];
        memset(seen, 0, sizeof(seen));
        for (unsigned k = 0; k < 300; k++) {
            struct owner   one = {.release_self = true};
            struct address from;
            assert_int_equal(ask_now(&one, (uint16_t) k, 0), 0);
            assert_int_equal(take(&from), k);
            if (k == 0)
                first = open_descriptors();
            reply_id(&from, (uint16_t) k);
            RUN_UNTIL(&loop, one.replies == 1);
            assert_int_equal(open_descriptors(), first);
            assert_int_equal(udp_ask_read_stats(ask)->sockets, 0);
            int fd = socket(from.any.sa_family, SOCK_DGRAM, 0);
            assert_int_equal(bind(fd, &from.any, from.len), 0);
            close(fd);
            ports += !seen[address_port(&from)];
            seen[address_port(&from)] = true;
        }
        assert_true(ports > 280); /* of 28,000 drawn at random, 2 are expected twice */
        RUN_UNTIL(&loop, open_descriptors() < first);
        finish();
        assert_int_equal(open_descriptors(), before);
    }
}

static bool is_from(const struct address *from, const struct address *source)
{
    char one[ADDRESS_TEXT_MAX], other[ADDRESS_TEXT_MAX];
    return strcmp(address_format_host(from, one), address_format_host(source, other)) == 0;
}

/* Fresh sockets and kept ones: those of one source serve no other, though all ask the same server. */
static void test_source_addresses_are_kept_apart(void **state)
{
    (void) state;
    const struct address nobody    = {.len = 0},
                         sources[] = {nobody, loopback_at("127.0.0.7", 0), loopback_at("127.0.0.8", 0)};
    const struct address usual     = loopback_at("127.0.0.1", 0);
    start("127.0.0.1");
    unsigned ports[65536] = {0}, first = 0;
    for (unsigned k = 0; k < PLENTY + 900; k++) {
        struct owner   one = {0};
        struct address from;
        source_address = sources[k % ARRAY_LEN(sources)];
        assert_int_equal(ask_now(&one, (uint16_t) k, 0), 0);
        assert_int_equal(take(&from), k);
        assert_true(is_from(&from, source_address.len > 0 ? &source_address : &usual));
        reply_id(&from, (uint16_t) k);
        RUN_UNTIL(&loop, one.replies == 1);
        release(&one);
        first += k < PLENTY && ports[address_port(&from)]++ == 0;
    }
    assert_true(first > PLENTY * 9 / 10); /* a bound socket's port is fresh, too */
    struct owner nowhere = {0};
    source_address       = loopback_at("198.51.100.1", 0);
    assert_int_equal(ask_now(&nowhere, 1, 0), -EADDRNOTAVAIL);
    source_address = (struct address){0};
    finish();
}

/* A reply that is still on its way would be taken for forgery of the next question's. */
static void test_what_may_still_be_told_is_closed(void **state)
{
    (void) state;
    start("127.0.0.1");
    unsigned       before = open_descriptors();
    struct owner   late = {0}, twice = {0};
    struct address from;
    assert_int_equal(ask_now(&late, 1, 0), 0);
    take(&from);
    release(&late);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(ask_now(&twice, 2, 0), 0);
    take(&from);
    assert_int_equal(udp_ask_resend(ask, twice.ticket, (struct view){(const uint8_t *) "\0\2\0\0\0\0\0\0\0\0\0", 12}),
                     0);
    take(&from);
    reply_id(&from, 2);
    RUN_UNTIL(&loop, twice.replies == 1);
    release(&twice);
    assert_int_equal(open_descriptors(), before);

    struct owner unreachable = {0}; /* everything was answered in the end */
    assert_int_equal(ask_now(&unreachable, 3, 0), 0);
    take(&from);
    close(server);
    assert_int_equal(
        udp_ask_resend(ask, unreachable.ticket, (struct view){(const uint8_t *) "\0\3\0\0\0\0\0\0\0\0\0", 12}), 0);
    RUN_UNTIL(&loop, unreachable.unreachable == 1);
    server = socket(server_address.any.sa_family, SOCK_DGRAM, 0);
    assert_int_equal(bind(server, &server_address.any, server_address.len), 0);
    reply_id(&from, 3);
    reply_id(&from, 3);
    RUN_UNTIL(&loop, unreachable.replies == 2);
    release(&unreachable);
    assert_int_equal(open_descriptors(), before);
    finish();
}

/* Two replies wait when the first one is read; the handler asks the next question at once. */
static void test_a_second_reply_is_no_forgery_of_the_next(void **state)
{
    (void) state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        start(hosts[i]);
        struct owner   next = {0}, one = {.release_self = true, .opens = &next};
        struct address from, from_next;
        assert_int_equal(ask_now(&one, 3, 0), 0);
        assert_int_equal(take(&from), 3);
        reply_id(&from, 3);
        reply_id(&from, 3);
        RUN_UNTIL(&loop, one.replies == 1);
        assert_int_equal(take(&from_next), 7);
        assert_int_not_equal(address_port(&from), address_port(&from_next));
        run_for(&loop, 5);
        assert_int_equal(next.order, 0);
        reply_id(&from_next, 7);
        RUN_UNTIL(&loop, next.replies == 1);
        release(&next);
        finish();
    }
}

/* A stranger's datagram never reaches a connected socket. */
static void test_replies_of_others_are_not_heard(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner   one = {0};
    struct address from;
    assert_int_equal(ask_now(&one, 5, 0), 0);
    take(&from);
    int  stranger   = plain_socket("127.0.0.1", SOCK_DGRAM);
    char forged[12] = {0, 5};
    (void) sendto(stranger, forged, sizeof(forged), 0, &from.any, from.len);
    run_for(&loop, 20);
    assert_int_equal(one.order, 0);
    release(&one);
    close(stranger);
    finish();
}

static void test_unreachable(void **state)
{
    (void) state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        start(hosts[i]);
        close(server);
        server           = -1;
        struct owner one = {.release_self = true};
        assert_int_equal(ask_now(&one, 5, 0), 0);
        RUN_UNTIL(&loop, one.unreachable == 1);
        assert_int_equal(one.replies + one.strays, 0);
        run_for(&loop, 5);
        assert_int_equal(one.unreachable, 1);
        finish();
    }
}

static void test_no_way_there(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0};
    server_address   = loopback_at("255.255.255.255", 53);
    assert_true(ask_now(&one, 5, 0) < 0);
    assert_null(one.ticket);
    assert_int_equal(udp_ask_read_stats(ask)->sockets, 0);
    finish();
}

/* Spends the second's share of fresh sockets, all at time 0. */
static void spend_credit(void)
{
    struct address from;
    for (unsigned i = 0; i < PLENTY; i++) {
        struct owner one = {0};
        assert_int_equal(ask_now(&one, (uint16_t) i, 0), 0);
        assert_int_equal(take(&from), i);
        release(&one);
    }
    assert_int_equal(udp_ask_read_stats(ask)->sockets, 0);
    assert_int_equal(udp_ask_read_stats(ask)->opened, PLENTY);
}

/* Beyond the rate sockets are shared: by no more questions than they may, never by two with the same id. */
static void test_kept_sockets(void **state)
{
    (void) state;
    start("127.0.0.1");
    spend_credit();
    static struct owner owners[4000];
    static uint8_t      uses[65536];
    static uint16_t     port_of_id[65536][2]; /* each id is asked twice at the same time */
    unsigned            ports = 0;
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
        struct address from;
        owners[i] = (struct owner){0};
        assert_int_equal(ask_now(&owners[i], (uint16_t) (i / 2), 0), 0);
        assert_int_equal(take(&from), i / 2);
        uint16_t port            = address_port(&from);
        port_of_id[i / 2][i % 2] = port;
        ports += uses[port]++ == 0;
        assert_true(uses[port] <= 32);
    }
    for (unsigned i = 0; i < ARRAY_LEN(owners) / 2; i++)
        assert_int_not_equal(port_of_id[i][0], port_of_id[i][1]);
    assert_true(ports >= 256 && ports < 400);
    assert_int_equal(udp_ask_read_stats(ask)->sockets, ports); /* worn ones stay for the tickets they have */
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++)
        release(&owners[i]);
    assert_true(udp_ask_read_stats(ask)->sockets <= 256);

    /* No more questions: their ports close by themselves. */
    RUN_UNTIL(&loop, udp_ask_read_stats(ask)->sockets == 0);
    struct owner one = {0};
    assert_int_equal(ask_now(&one, 1, 1), 0); /* 1 ms is worth two fresh ones */
    assert_int_equal(udp_ask_read_stats(ask)->sockets, 1);
    release(&one);
    assert_int_equal(udp_ask_read_stats(ask)->sockets, 0);
    finish();
}

/* Begins with two tickets on one kept socket, both waiting: birthday makes that quick. */
static struct address share_a_socket(struct owner *owners, unsigned count, unsigned *ret_first, unsigned *ret_second)
{
    static uint16_t owner_of_port[65536];
    memset(owner_of_port, 0, sizeof(owner_of_port));
    memset(owners, 0, count * sizeof(*owners));
    start("127.0.0.1");
    spend_credit();
    for (unsigned i = 0; i < count; i++) {
        struct address from;
        assert_int_equal(ask_now(&owners[i], (uint16_t) (1000 + i), 0), 0);
        take(&from);
        uint16_t *known = &owner_of_port[address_port(&from)];
        if (*known > 0) {
            *ret_first  = (unsigned) (*known - 1);
            *ret_second = i;
            return from;
        }
        *known = (uint16_t) (i + 1);
    }
    fail_msg("no socket was shared");
    return (struct address){0};
}

static void release_all(struct owner *owners, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (owners[i].ticket)
            release(&owners[i]);
}

static void test_tickets_of_one_socket(void **state)
{
    (void) state;
    static struct owner owners[300];
    unsigned            a, b;
    struct address      from = share_a_socket(owners, ARRAY_LEN(owners), &a, &b);

    /* A datagram that nobody asked for is told to both, and only to them. */
    reply_id(&from, 9);
    RUN_UNTIL(&loop, owners[a].strays == 1 && owners[b].strays == 1);
    assert_int_equal(udp_ask_read_stats(ask)->stray, 1);
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++)
        assert_true(i == a || i == b || owners[i].order == 0);

    /* Each has its own reply, in any order. */
    reply_id(&from, (uint16_t) (1000 + b));
    RUN_UNTIL(&loop, owners[b].replies == 1);
    assert_int_equal(owners[a].replies, 0);

    /* The late reply to a released ticket is nobody's business. */
    release(&owners[b]);
    reply_id(&from, (uint16_t) (1000 + b));
    reply_id(&from, (uint16_t) (1000 + a));
    RUN_UNTIL(&loop, owners[a].replies == 1);
    assert_int_equal(owners[a].strays, 1);
    release_all(owners, ARRAY_LEN(owners));

    /* So it is on a socket without any ticket. */
    reply_id(&from, (uint16_t) (1000 + a));
    reply_id(&from, 9);
    uint64_t received = udp_ask_read_stats(ask)->received;
    RUN_UNTIL(&loop, udp_ask_read_stats(ask)->received == received + 2);
    finish();
}

/* The handler releases the other ticket, its own, and opens another, all while the socket's tickets are being told. */
static void test_release_in_the_handler(void **state)
{
    (void) state;
    static struct owner owners[300];
    for (unsigned mode = 0; mode < 8; mode++) {
        unsigned       a, b;
        struct owner   fresh = {0};
        struct address from  = share_a_socket(owners, ARRAY_LEN(owners), &a, &b);
        for (unsigned i = 0; i < 2; i++) {
            struct owner *owner = &owners[i ? b : a];
            owner->victim       = mode & 1 ? &owners[i ? a : b] : NULL;
            owner->release_self = mode & 2;
            owner->opens        = mode & 4 ? &fresh : NULL;
        }
        uint64_t before = told;
        reply_id(&from, 9);
        RUN_UNTIL(&loop, told > before);
        run_for(&loop, 3);
        assert_int_equal(told - before, mode & 1 ? 1 : 2);
        assert_int_equal(fresh.order, 0);
        if (fresh.ticket)
            release(&fresh);
        release_all(owners, ARRAY_LEN(owners));
        finish();
    }
}

/* ICMP speaks to all tickets of the socket; a question sent through it afterwards is sent all the same. */
static void test_unreachable_on_a_shared_socket(void **state)
{
    (void) state;
    static struct owner owners[300];
    unsigned            a, b;
    struct address      from = share_a_socket(owners, ARRAY_LEN(owners), &a, &b);
    close(server);
    uint8_t question[12] = {(uint8_t) ((1000 + a) >> 8), (uint8_t) (1000 + a)};
    assert_int_equal(udp_ask_resend(ask, owners[a].ticket, (struct view){question, 12}), 0);
    struct address any = server_address;
    server             = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, &any.any, any.len), 0);
    assert_int_equal(udp_ask_resend(ask, owners[a].ticket, (struct view){question, 12}), 0);
    assert_int_equal(take(&any), 1000 + a);
    assert_true(address_equal(&any, &from));
    RUN_UNTIL(&loop, owners[a].unreachable == 1 && owners[b].unreachable == 1);
    run_for(&loop, 3);
    assert_int_equal(owners[a].unreachable, 1);
    release_all(owners, ARRAY_LEN(owners));
    finish();
}

/* Without a single free descriptor every question still goes out, and its reply comes back. */
static void test_no_descriptor_left(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){.rlim_cur = 128, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int hogs[128], count = 0;
    while ((hogs[count] = dup(server)) >= 0)
        count++;
    static struct owner owners[500];
    struct address      from;
    memset(owners, 0, sizeof(owners));
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
        assert_int_equal(ask_now(&owners[i], (uint16_t) i, 0), 0);
        assert_int_equal(take(&from), i);
        reply_id(&from, (uint16_t) i);
        RUN_UNTIL(&loop, owners[i].replies == 1);
        if (i != 40) /* more than a socket's share */
            continue;
        release(&owners[0]); /* a late reply to it is no forgery, and no event for the others */
        reply_id(&from, 0);
        RUN_UNTIL(&loop, udp_ask_read_stats(ask)->received == i + 2);
        assert_int_equal(udp_ask_read_stats(ask)->stray, 0);
    }
    reply_id(&from, 30000);
    RUN_UNTIL(&loop, udp_ask_read_stats(ask)->stray == 1);
    assert_true(udp_ask_read_stats(ask)->sockets <= 8);

    /* What is closed goes back to the reserve, not to whoever is quicker. */
    release_all(owners, ARRAY_LEN(owners));
    RUN_UNTIL(&loop, udp_ask_read_stats(ask)->sockets == 0);
    assert_int_equal(dup(server), -1);
    assert_int_equal(ask_now(&owners[0], 1, 0), 0);
    release(&owners[0]);
    while (count > 0)
        close(hogs[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    finish();
}

static void test_closes_all(void **state)
{
    (void) state;
    unsigned before = open_descriptors();
    start("127.0.0.1");
    spend_credit();
    struct owner one = {0};
    assert_int_equal(ask_now(&one, 1, 0), 0);
    release(&one);
    assert_int_equal(udp_ask_read_stats(ask)->sockets, 1);
    finish();
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_and_strays),
        cmocka_unit_test(test_replies_of_others_are_not_heard),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_no_way_there),
        cmocka_unit_test(test_ports_are_fresh),
        cmocka_unit_test(test_source_addresses_are_kept_apart),
        cmocka_unit_test(test_what_may_still_be_told_is_closed),
        cmocka_unit_test(test_a_second_reply_is_no_forgery_of_the_next),
        cmocka_unit_test(test_kept_sockets),
        cmocka_unit_test(test_tickets_of_one_socket),
        cmocka_unit_test(test_release_in_the_handler),
        cmocka_unit_test(test_unreachable_on_a_shared_socket),
        cmocka_unit_test(test_no_descriptor_left),
        cmocka_unit_test(test_closes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
