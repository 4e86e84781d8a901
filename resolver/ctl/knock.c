/*
 * knock.c: see knock.h.
 */
#include "ctl/knock.h"

#include "ctl/clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORT     = 25,
    PATIENCE = 5000, /* ms for the connection, and as much for the greeting */
    CHUNK    = 2048
};

/* Its length; 0: no address. */
static socklen_t address_read(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in  *v4 = (struct sockaddr_in *) ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) ret;
    *ret                    = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port   = htons(PORT);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return 0;
    v6->sin6_family = AF_INET6;
    v6->sin6_port   = htons(PORT);
    return sizeof(*v6);
}

bool knock_knows(const char *address)
{
    struct sockaddr_storage ignored;
    return address_read(address, &ignored) > 0;
}

static enum greeting_outcome outcome_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return GREETING_REFUSED;
    case ETIMEDOUT:
        return GREETING_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
        return GREETING_RESET;
    default: /* no route, no such family, forbidden by a firewall of this machine */
        return GREETING_UNREACHABLE;
    }
}

static void knock_end(struct knock *knock, enum greeting_outcome outcome)
{
    knock->outcome = outcome;
    knock->ms      = clock_now() - knock->begun;
    if (knock->fd >= 0)
        close(knock->fd);
    knock->fd = -1;
}

static void knock_start(struct knock *knock)
{
    struct sockaddr_storage address;
    socklen_t               len = address_read(knock->address, &address);
    knock->begun                = clock_now();
    knock->until                = knock->begun + PATIENCE;
    knock->fd                   = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (knock->fd < 0 || (connect(knock->fd, (const struct sockaddr *) &address, len) != 0 && errno != EINPROGRESS))
        knock_end(knock, outcome_of(errno));
}

static void knock_leave(struct knock *knock)
{
    static const char quit[] = "QUIT\r\n";
    send(knock->fd, quit, sizeof(quit) - 1, MSG_NOSIGNAL);
    shutdown(knock->fd, SHUT_WR);
}

static void on_connected(struct knock *knock)
{
    int       error = 0;
    socklen_t len   = sizeof(error);
    getsockopt(knock->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        knock_end(knock, outcome_of(error));
        return;
    }
    knock->connected = true;
    knock->until     = clock_now() + PATIENCE;
}

static void on_input(struct knock *knock)
{
    uint8_t bytes[CHUNK];
    ssize_t count = recv(knock->fd, bytes, sizeof(bytes), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        knock_end(knock, greeting_judge(&knock->greeting, count == 0 ? GREETING_CLOSED : outcome_of(errno)));
    } else if (greeting_hear(&knock->greeting, (struct view){bytes, (size_t) count})) {
        knock_leave(knock);
        knock_end(knock, greeting_judge(&knock->greeting, GREETING_SILENT));
    }
}

static void on_late(struct knock *knock)
{
    if (knock->connected)
        knock_leave(knock);
    knock_end(knock, knock->connected ? greeting_judge(&knock->greeting, GREETING_SILENT) : GREETING_TIMEOUT);
}

/* Those that are under way, in *ret_count; returns when the first of them will be late. */
static msec_t knocks_open(const struct knock *knocks, size_t count, struct pollfd *ret, nfds_t *ret_count)
{
    msec_t first = MSEC_NEVER;
    *ret_count   = 0;
    for (size_t i = 0; i < count; i++) {
        if (knocks[i].fd < 0)
            continue;
        ret[(*ret_count)++] = (struct pollfd){.fd = knocks[i].fd, .events = knocks[i].connected ? POLLIN : POLLOUT};
        if (knocks[i].until < first)
            first = knocks[i].until;
    }
    return first;
}

static void knocks_turn(struct knock *knocks, size_t count, const struct pollfd *polled)
{
    for (size_t i = 0; i < count; i++) {
        if (knocks[i].fd < 0)
            continue;
        if (polled->revents != 0 && knocks[i].connected)
            on_input(&knocks[i]);
        else if (polled->revents != 0)
            on_connected(&knocks[i]);
        polled++;
        if (knocks[i].fd >= 0 && clock_now() >= knocks[i].until)
            on_late(&knocks[i]);
    }
}

void knock_all(struct knock *knocks, size_t count, void (*on_second)(unsigned seconds))
{
    struct pollfd polled[KNOCKS_MAX];
    nfds_t        open;
    msec_t        begun = clock_now();
    unsigned      told  = 0;
    assert(count <= KNOCKS_MAX);
    for (size_t i = 0; i < count; i++)
        knock_start(&knocks[i]);
    for (;;) {
        msec_t late = knocks_open(knocks, count, polled, &open), now = clock_now();
        msec_t second = begun + 1000 * ((msec_t) told + 1), next = late < second ? late : second;
        if (open == 0)
            return;
        if (now >= second)
            on_second(++told);
        poll(polled, open, next > now ? (int) (next - now) : 0);
        knocks_turn(knocks, count, polled);
    }
}
