/*
 * udp_socket.c: see udp_socket.h.
 */
#include "net/udp_socket.h"

#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    UNUSED_MOST = 64,      /* as many questions as 2,000 a second have under way at 30 ms each */
    IDS         = 1 << 16, /* that a message may have */
};

bool udp_sockets_init(struct udp_sockets *sockets, unsigned limit)
{
    *sockets = (struct udp_sockets){.epoll = epoll_create1(EPOLL_CLOEXEC), .limit = limit};
    list_init(&sockets->unused[0]);
    list_init(&sockets->unused[1]);
    list_init(&sockets->dead);
    if (sockets->epoll < 0)
        return false;
    for (int fd; sockets->spare_count < UDP_SOCKET_SPARES && (fd = fcntl(sockets->epoll, F_DUPFD_CLOEXEC, 0)) >= 0;)
        sockets->spares[sockets->spare_count++] = fd;
    return true;
}

/* What the dup3() closes and what it opens is one step: nobody else snatches the descriptor. */
static void close_descriptor(struct udp_sockets *sockets, int fd)
{
    if (sockets->spare_count < UDP_SOCKET_SPARES && dup3(sockets->epoll, fd, O_CLOEXEC) >= 0)
        sockets->spares[sockets->spare_count++] = fd;
    else
        close(fd);
}

static void destroy(struct udp_sockets *sockets, struct udp_socket *socket)
{
    close_descriptor(sockets, socket->fd);
    socket->fd = -1;
    if (sockets->dispatching)
        list_append(&sockets->dead, &socket->link);
    else
        free(socket);
}

static struct udp_socket *take_unused(struct udp_sockets *sockets, bool ipv6)
{
    struct list *unused = &sockets->unused[ipv6];
    if (list_empty(unused))
        return NULL;
    struct udp_socket *socket = CONTAINER_OF(unused->next, struct udp_socket, link);
    list_remove(&socket->link);
    sockets->unused_count--;
    if (sockets->unused_count < sockets->unused_least)
        sockets->unused_least = sockets->unused_count;
    return socket;
}

static void drop_unused(struct udp_sockets *sockets, unsigned count)
{
    struct udp_socket *socket;
    while (count-- > 0 && (socket = take_unused(sockets, list_empty(&sockets->unused[0]))))
        destroy(sockets, socket);
}

void udp_sockets_fini(struct udp_sockets *sockets)
{
    assert(sockets->open == 0 && !sockets->dispatching);
    drop_unused(sockets, sockets->unused_count);
    while (sockets->spare_count > 0)
        close(sockets->spares[--sockets->spare_count]);
    close(sockets->epoll);
}

static int prepare(struct udp_sockets *sockets, struct udp_socket *socket, const struct way *way)
{
    int error = socket_omit_pmtu(socket->fd, &way->address);
    if (error == 0 && socket->bound)
        error = socket_bind_from(socket->fd, &way->bind, way->interface);
    /* Without it the kernel keeps "host unreachable" and "network unreachable" to itself. */
    if (error == 0)
        error = socket->ipv6 ? socket_set(socket->fd, IPPROTO_IPV6, IPV6_RECVERR, 1)
                             : socket_set(socket->fd, IPPROTO_IP, IP_RECVERR, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = socket};
    if (error == 0 && epoll_ctl(sockets->epoll, EPOLL_CTL_ADD, socket->fd, &event) < 0)
        error = -errno;
    return error;
}

static bool is_bound(const struct way *way) { return way->bind.len > 0 || way->interface[0] != '\0'; }

static int create(struct udp_sockets *sockets, const struct way *way, struct udp_socket **ret)
{
    const struct address *server = &way->address;
    if (sockets->open + sockets->unused_count >= sockets->limit)
        drop_unused(sockets, sockets->unused_count > 0); /* of the other family */
    struct udp_socket *created = calloc(1, sizeof(*created));
    if (!created)
        return -ENOMEM;
    created->fd = socket_open(server, SOCK_DGRAM);
    if ((created->fd == -EMFILE || created->fd == -ENFILE) && sockets->unused_count > 0) {
        drop_unused(sockets, 1);
        created->fd = socket_open(server, SOCK_DGRAM);
    }
    created->ipv6  = server->any.sa_family == AF_INET6;
    created->bound = is_bound(way);
    int error      = created->fd < 0 ? created->fd : prepare(sockets, created, way);
    if (error < 0) {
        if (created->fd >= 0)
            close_descriptor(sockets, created->fd);
        free(created);
        return error;
    }
    *ret = created;
    return 0;
}

int udp_sockets_open(struct udp_sockets *sockets, const struct way *way, struct udp_socket **ret)
{
    const struct address *server = &way->address;
    struct udp_socket    *socket = is_bound(way) ? NULL : take_unused(sockets, server->any.sa_family == AF_INET6);
    int                   error  = socket ? 0 : create(sockets, way, &socket);
    if (error < 0)
        return error;
    if (connect(socket->fd, &server->any, server->len) < 0) {
        error = -errno;
        destroy(sockets, socket);
        return error;
    }
    *socket = (struct udp_socket){.fd = socket->fd, .ipv6 = socket->ipv6, .bound = socket->bound};
    list_init(&socket->tickets);
    list_init(&socket->link);
    sockets->open++;
    sockets->opened++;
    *ret = socket;
    return 0;
}

/* Nothing reaches it any more. True: nor had anything, unread, that the next question would be told of. */
static bool disconnect(struct udp_socket *socket)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    char                  byte;
    return connect(socket->fd, &nobody, sizeof(nobody)) == 0 && recv(socket->fd, &byte, sizeof(byte), 0) < 0 &&
           errno == EAGAIN;
}

void udp_sockets_close(struct udp_sockets *sockets, struct udp_socket *socket)
{
    assert(socket->fd >= 0 && list_empty(&socket->tickets));
    free(socket->all_ids);
    socket->all_ids = NULL;
    sockets->open--;
    bool wanted = sockets->spare_count == UDP_SOCKET_SPARES && sockets->unused_count < UNUSED_MOST;
    if (!wanted || socket->bound || socket->awaited > 0 || socket->unclean || !disconnect(socket)) {
        destroy(sockets, socket);
        return;
    }
    list_prepend(&sockets->unused[socket->ipv6], &socket->link);
    sockets->unused_count++;
}

bool udp_sockets_spend_spare(struct udp_sockets *sockets)
{
    if (sockets->spare_count == 0)
        return false;
    close(sockets->spares[--sockets->spare_count]);
    return true;
}

void udp_sockets_free_dead(struct udp_sockets *sockets)
{
    sockets->dispatching = false;
    LIST_EACH (link, next, &sockets->dead)
        free(CONTAINER_OF(link, struct udp_socket, link));
    list_init(&sockets->dead);
}

void udp_sockets_sweep(struct udp_sockets *sockets)
{
    drop_unused(sockets, sockets->unused_least);
    sockets->unused_least = sockets->unused_count;
}

void udp_socket_note_id(struct udp_socket *socket, uint16_t id)
{
    if (socket->uses == UDP_SOCKET_IDS && (socket->all_ids = calloc(1, IDS / 8)))
        for (unsigned i = 0; i < UDP_SOCKET_IDS; i++)
            socket->all_ids[socket->ids[i] / 8] |= (uint8_t) (1U << socket->ids[i] % 8);
    if (socket->all_ids)
        socket->all_ids[id / 8] |= (uint8_t) (1U << id % 8);
    else
        socket->ids[socket->uses % UDP_SOCKET_IDS] = id;
    socket->uses++;
}

bool udp_socket_sent_id(const struct udp_socket *socket, uint16_t id)
{
    if (socket->all_ids)
        return socket->all_ids[id / 8] >> id % 8 & 1;
    unsigned known = socket->uses < UDP_SOCKET_IDS ? socket->uses : UDP_SOCKET_IDS;
    for (unsigned i = 0; i < known; i++)
        if (socket->ids[i] == id)
            return true;
    return false;
}
