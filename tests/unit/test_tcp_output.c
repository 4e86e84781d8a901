/*
 * test_tcp_output.c: what leaves a TCP socket in pieces arrives whole and in order, whoever reads slowly; the place of
 * what has left is used again.
 */
#include "net/tcp_output.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/rng.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FIRST  = 2048, /* bytes: what the first message takes of memory */
    STREAM = 1 << 20,
};

/* Both ends of a connection, and what was put in and what came out so far. */
struct line {
    struct tcp_output output;
    int               near, far;
    size_t            put, got;
    uint8_t           bytes[STREAM], read[STREAM];
};

static struct line *line_open(void)
{
    struct line *line = calloc(1, sizeof(*line));
    int          ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    line->near = ends[0];
    line->far  = ends[1];
    /* so that a few kilobytes are more than it takes */
    assert_int_equal(setsockopt(line->near, SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)), 0);
    return line;
}

static void line_close(struct line *line)
{
    tcp_output_fini(&line->output);
    close(line->near);
    if (line->far >= 0)
        close(line->far);
    free(line);
}

/* A message of `len` bytes, none like its neighbour. */
static bool put(struct line *line, size_t len)
{
    uint8_t message[LIMIT_TCP_MESSAGE];
    assert_true(line->put + 2 + len <= STREAM);
    for (size_t i = 0; i < len; i++)
        message[i] = (uint8_t) ((line->put + i) * 167 >> 3);
    if (!tcp_output_frame(&line->output, (struct view){message, len}))
        return false;
    put_u16(line->bytes + line->put, (uint16_t) len);
    memcpy(line->bytes + line->put + 2, message, len);
    line->put += 2 + len;
    return true;
}

static void fetch(struct line *line, size_t most)
{
    ssize_t len = recv(line->far, line->read + line->got, most, 0);
    assert_true(len >= 0 || errno == EAGAIN);
    line->got += len > 0 ? (size_t) len : 0;
    assert_memory_equal(line->read, line->bytes, line->got);
}

/* All that waits leaves and arrives, and nothing else. */
static void drain(struct line *line)
{
    while (tcp_output_waiting(&line->output) > 0) {
        assert_true(tcp_output_flush(&line->output, line->near) >= 0);
        fetch(line, STREAM - line->got);
    }
    fetch(line, STREAM - line->got);
    assert_int_equal(line->got, line->put);
    assert_null(line->output.data);
    assert_int_equal(line->output.cap, 0);
}

/* A piece of what waits leaves; bytes. */
static size_t send_some(struct line *line)
{
    ptrdiff_t sent = tcp_output_flush(&line->output, line->near);
    assert_true(sent > 0 && tcp_output_waiting(&line->output) > 0);
    return (size_t) sent;
}

/* As if the socket had taken just that much. */
static void send_just(struct line *line, size_t len)
{
    assert_int_equal(send(line->near, line->output.data + line->output.head, len, 0), len);
    line->output.head += len;
}

static void the_first_memory_holds_so_much(void **state)
{
    (void) state;
    struct line *line = line_open();
    assert_true(put(line, FIRST / 2 - 2));
    assert_int_equal(line->output.cap, FIRST);
    heap_fail_all();
    assert_true(put(line, FIRST / 2 - 2)); /* to the last byte */
    assert_false(put(line, 0));
    heap_restore();
    assert_int_equal(tcp_output_waiting(&line->output), FIRST);
    assert_int_equal(line->output.cap, FIRST);
    assert_true(put(line, 0));
    assert_int_equal(line->output.cap, 2 * FIRST);
    drain(line);
    line_close(line);

    line = line_open();
    assert_true(put(line, FIRST - 2));
    assert_int_equal(line->output.cap, FIRST);
    drain(line);
    line_close(line);
}

/* A client that reads slowly: what has left makes room for the next answer, without a byte of new memory; whether or
 * not one that was too long for it came before. */
static void what_has_left_makes_room(void **state)
{
    (void) state;
    for (size_t spare = 0; spare < 3; spare++)
        for (int too_long = 0; too_long < 2; too_long++) {
            struct line *line = line_open();
            for (unsigned i = 0; i < 16; i++)
                assert_true(put(line, FIRST - 2));
            assert_int_equal(line->output.cap, 16 * FIRST);
            size_t sent = send_some(line);
            assert_true(sent > 4 && sent < LIMIT_TCP_MESSAGE);
            heap_fail_all();
            if (too_long)
                assert_false(put(line, sent - 1)); /* with its length one byte more than there is */
            assert_int_equal(tcp_output_waiting(&line->output), 16 * FIRST - sent);
            assert_true(put(line, sent - 2 - spare));
            heap_restore();
            assert_int_equal(line->output.cap, 16 * FIRST);
            drain(line);
            line_close(line);
        }
}

/* The next answer finds room behind what waits, however little has left before: in the memory that is there, or in
 * twice as much, to the last byte. */
static void any_number_of_bytes_may_have_left(void **state)
{
    (void) state;
    for (size_t left = 1; left < FIRST; left += left < 8 || left > FIRST - 8 ? 1 : 97)
        for (size_t cap = FIRST; cap <= 2 * FIRST; cap += FIRST)
            for (size_t spare = 0; spare < 3; spare++) {
                size_t room = cap - (FIRST - left);
                if (room < 2 + spare)
                    continue;
                struct line *line = line_open();
                assert_true(put(line, FIRST - 2));
                send_just(line, left);
                assert_true(put(line, room - 2 - spare));
                assert_int_equal(tcp_output_waiting(&line->output), cap - spare);
                assert_int_equal(line->output.cap, cap);
                drain(line);
                line_close(line);
            }
}

/* Whatever is put in when, and however it leaves. */
static void pieces_arrive_whole(void **state)
{
    (void) state;
    for (uint8_t n = 0; n < 20; n++) {
        struct line *line                 = line_open();
        uint8_t      seed[RNG_SEED_BYTES] = {n};
        size_t       most                 = 0;
        struct rng   rng;
        rng_init(&rng, seed);
        while (line->put < STREAM / 2) {
            size_t len = rng_below(&rng, rng_below(&rng, 8) ? 600 : 9000);
            assert_true(put(line, len));
            most = tcp_output_waiting(&line->output) > most ? tcp_output_waiting(&line->output) : most;
            if (rng_below(&rng, 2))
                assert_true(tcp_output_flush(&line->output, line->near) >= 0);
            if (rng_below(&rng, 2))
                fetch(line, 1 + rng_below(&rng, 4000));
            assert_true(line->output.cap <= FIRST || line->output.cap < 2 * most);
        }
        drain(line);
        line_close(line);
    }
}

static void the_longest_and_the_shortest(void **state)
{
    (void) state;
    struct line *line = line_open();
    assert_true(put(line, LIMIT_TCP_MESSAGE));
    assert_true(put(line, 0));
    assert_true(put(line, 1));
    drain(line);
    line_close(line);
}

static void without_memory_nothing_is_appended(void **state)
{
    (void) state;
    struct line *line = line_open();
    heap_fail_all();
    assert_false(put(line, 10));
    heap_restore();
    assert_int_equal(tcp_output_waiting(&line->output), 0);
    assert_int_equal(tcp_output_flush(&line->output, line->near), 0);
    assert_true(put(line, 10));
    drain(line);
    line_close(line);
}

static void a_full_socket_takes_nothing(void **state)
{
    (void) state;
    struct line *line = line_open();
    assert_true(put(line, 60000));
    send_some(line);
    size_t waiting = tcp_output_waiting(&line->output);
    assert_int_equal(tcp_output_flush(&line->output, line->near), 0);
    assert_int_equal(tcp_output_waiting(&line->output), waiting);
    drain(line);
    line_close(line);
}

static void a_peer_that_has_gone_is_an_error(void **state)
{
    (void) state;
    struct line *line = line_open();
    assert_true(put(line, 10));
    close(line->far);
    line->far = -1;
    assert_int_equal(tcp_output_flush(&line->output, line->near), -EPIPE);
    assert_int_equal(tcp_output_waiting(&line->output), 12);
    line_close(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_memory_holds_so_much),    cmocka_unit_test(what_has_left_makes_room),
        cmocka_unit_test(any_number_of_bytes_may_have_left), cmocka_unit_test(pieces_arrive_whole),
        cmocka_unit_test(the_longest_and_the_shortest),      cmocka_unit_test(without_memory_nothing_is_appended),
        cmocka_unit_test(a_full_socket_takes_nothing),       cmocka_unit_test(a_peer_that_has_gone_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
