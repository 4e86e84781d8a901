/*
 * test_neighbours.c: who else is at an address, by the kernel's own tables.
 */
#include "server/neighbours.h"

#include "lib/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    LOOKS = 1500
};

static int open_socket(struct address *address)
{
    int       fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
    socklen_t len = sizeof(address->in);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, &address->any, len), 0);
    assert_int_equal(getsockname(fd, &address->any, &len), 0);
    return fd;
}

static void our_own_socket_is_ours(void **state)
{
    (void) state;
    char           who[NEIGHBOUR_MAX];
    struct address address;
    assert_true(address_parse("127.0.0.1:0", 0, &address));
    int fd = open_socket(&address);
    assert_int_equal(neighbours_look(&address, SOCK_DGRAM, who), NEIGHBOURS_OURS);
    close(fd);
    assert_int_equal(neighbours_look(&address, SOCK_DGRAM, who), NEIGHBOURS_NONE);
}

struct opener {
    struct address address;
    atomic_bool    over;
};

static void *open_and_close(void *context)
{
    struct opener *opener = context;
    while (!atomic_load(&opener->over)) {
        struct address address = opener->address;
        close(open_socket(&address));
    }
    return NULL;
}

/* Workers that end close theirs at any time, also while a reload looks who is there. */
static void a_socket_that_is_being_closed_is_no_strangers(void **state)
{
    (void) state;
    char          who[NEIGHBOUR_MAX];
    struct opener opener = {.over = false};
    pthread_t     thread;
    /* below what the kernel gives to whoever asks for any port: other tests run beside this one */
    assert_true(address_parse("127.0.0.77", (uint16_t) (20000 + getpid() % 10000), &opener.address));
    assert_int_equal(pthread_create(&thread, NULL, open_and_close, &opener), 0);
    for (unsigned i = 0; i < LOOKS; i++)
        assert_int_not_equal(neighbours_look(&opener.address, SOCK_DGRAM, who), NEIGHBOURS_ANOTHER);
    atomic_store(&opener.over, true);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_socket_is_ours),
        cmocka_unit_test(a_socket_that_is_being_closed_is_no_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
