/*
 * loopback.h: what the tests of net/ share: plain sockets on the loopback interface and a loop that runs until
 * something is so, with a bound on the time.
 */
#ifndef TEST_LOOPBACK_H
#define TEST_LOOPBACK_H

#include "base/address.h"
#include "base/bytes.h"
#include "lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#define PATIENCE_MS 5000 /* far more than anything here takes, unless it never comes */

static inline struct address loopback_at(const char *host, unsigned port)
{
    struct address address = {.len = sizeof(address.in)};
    address.in.sin_family  = AF_INET;
    address.in.sin_port    = htons((uint16_t) port);
    if (inet_pton(AF_INET, host, &address.in.sin_addr) == 1)
        return address;
    address                 = (struct address){.len = sizeof(address.in6)};
    address.in6.sin6_family = AF_INET6;
    address.in6.sin6_port   = htons((uint16_t) port);
    assert_int_equal(inet_pton(AF_INET6, host, &address.in6.sin6_addr), 1);
    return address;
}

static inline struct address bound_to(int fd)
{
    struct address address = {.len = sizeof(address.in6)};
    assert_int_equal(getsockname(fd, &address.any, &address.len), 0);
    return address;
}

/* A non-blocking socket bound to the host, on a port of the kernel's choice. */
static inline int plain_socket(const char *host, int type)
{
    struct address address = loopback_at(host, 0);
    int            fd      = socket(address.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.any, address.len), 0);
    return fd;
}

static inline int connected_socket(const struct address *to, int type)
{
    int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &to->any, to->len), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static inline uint64_t now_ms(void) { return uv_hrtime() / 1000000; }

/* Runs the loop until `condition` holds; fails the test after PATIENCE_MS. */
#define RUN_UNTIL(loop_, condition_)                                                                                   \
    do {                                                                                                               \
        uint64_t end_ = now_ms() + PATIENCE_MS;                                                                        \
        while (!(condition_)) {                                                                                        \
            if (now_ms() > end_)                                                                                       \
                fail_msg("never came true: %s", #condition_);                                                          \
            uv_run((loop_), UV_RUN_NOWAIT);                                                                            \
            (void) poll(NULL, 0, 1);                                                                                   \
        }                                                                                                              \
    } while (0)

static inline void run_for(uv_loop_t *loop, unsigned ms)
{
    for (uint64_t end = now_ms() + ms; now_ms() < end;) {
        uv_run(loop, UV_RUN_NOWAIT);
        (void) poll(NULL, 0, 1);
    }
}

/* Every handle must be closed by now or soon: nothing leaks, nothing keeps the loop alive. */
static inline void finish_loop(uv_loop_t *loop)
{
    RUN_UNTIL(loop, !uv_loop_alive(loop));
    assert_int_equal(uv_loop_close(loop), 0);
}

static inline unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

#endif
