/*
 * test_clients.c: who may ask.
 */
#include "policy/clients.h"

#include "lib/check.h"

static void clients_in_a_block_may_ask(void **state)
{
    (void) state;
    struct cidr    blocks[3];
    struct clients clients = {.blocks = blocks, .count = ARRAY_LEN(blocks)};
    assert_true(cidr_parse("127.0.0.0/8", &blocks[0]));
    assert_true(cidr_parse("192.0.2.16/28", &blocks[1]));
    assert_true(cidr_parse("2001:db8:5::/48", &blocks[2]));

    static const struct {
        const char *client;
        bool        allowed;
    } rows[] = {
        {"127.0.0.1", true},      {"127.255.255.255", true},  {"128.0.0.0", false},  {"192.0.2.15", false},
        {"192.0.2.16", true},     {"192.0.2.31", true},       {"192.0.2.32", false}, {"2001:db8:5::1", true},
        {"2001:db8:6::1", false}, {"::ffff:127.0.0.1", true}, {"::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address;
        assert_true(address_parse(rows[i].client, 53, &address));
        if (clients_allow(&clients, &address) != rows[i].allowed)
            fail_msg("%s: expected %s", rows[i].client, rows[i].allowed ? "allowed" : "refused");
    }
}

static void without_blocks_nobody_may_ask(void **state)
{
    (void) state;
    struct clients clients = {0};
    struct address address;
    assert_true(address_parse("127.0.0.1", 53, &address));
    assert_false(clients_allow(&clients, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_in_a_block_may_ask),
        cmocka_unit_test(without_blocks_nobody_may_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
