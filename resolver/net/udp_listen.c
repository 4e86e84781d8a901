/*
 * Datagrams from clients. One wakeup: recvmmsg() fills a batch, the handler writes each answer straight into the send
 * batch, one sendmmsg() sends those that are ready. What is answered later comes back with its path, and goes out in a
 * batch too, at the end of the loop's turn.
 *
 * Happy path: on_ready → serve_batch (receive, handle, send); udp_listen_send → on_turn_end.
 * Failure modes: a full socket buffer (answers wait in `late`, UV_WRITABLE is watched), a destination that cannot be
 * reached (skipped, counted), a socket error (cleared, the watch renewed), a queue that never ends (BATCHES a wakeup).
 *
 * Must not know: what is in a datagram.
 */
#include "net/udp_listen.h"

#include "base/list.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    UDP_LISTEN_BUFFER = 4 << 20, /* bytes: some 5,000 queries, a pause of 50 ms at 100,000 a second */
    BATCH             = 32,      /* datagrams a system call: the cost of the call is spread thin by then */
    BATCHES           = 4,       /* a wakeup, so that the loop's other handles have their turn */
    DISCARD_PORT      = 9,       /* nothing comes from there */
    DRAIN_BATCHES     = 256,     /* on stop: more than UDP_LISTEN_BUFFER holds */
    DATAGRAM          = 2048,    /* no query is longer; one that is arrives cut and is malformed */
    LATE              = 64,      /* answers that wait for room in the socket's buffer */
};

union control {
    struct cmsghdr align;
    uint8_t        bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
};

struct batch {
    struct mmsghdr in[BATCH], out[BATCH];
    struct iovec   in_bytes[BATCH], out_bytes[BATCH];
    union control  in_control[BATCH], out_control[BATCH];
    struct path    paths[BATCH];
    uint8_t        in_data[BATCH][DATAGRAM], out_data[BATCH][LIMIT_UDP_PAYLOAD];
};

struct outgoing { /* answers of this turn of the loop */
    unsigned       count;
    struct mmsghdr out[BATCH];
    struct iovec   bytes[BATCH];
    union control  control[BATCH];
    struct path    paths[BATCH];
    uint8_t        data[BATCH][LIMIT_UDP_PAYLOAD];
};

struct late {
    struct list link;
    struct path path;
    size_t      len;
    uint8_t     data[];
};

struct udp_listen {
    uv_poll_t      poll;
    uv_prepare_t   turn_end; /* runs before the loop waits, while answers are outgoing */
    unsigned       handles;  /* not yet closed */
    int            fd;       /* -1: stopped */
    struct address address;
    bool           wildcard; /* the address a query came to has to be asked for, and named in the answer */
    bool           serving, deaf;
    udp_listen_fn  handle;
    void (*begin)(void *context);
    void                   *context;
    struct udp_listen_stats stats;
    uint32_t                overflow; /* last value of SO_RXQ_OVFL, which counts from the socket's birth */
    struct list             late;
    unsigned                late_count;
    struct outgoing         outgoing;
    struct batch            batch;
};

int udp_listen_prepare(int fd, const struct address *address)
{
    int error = socket_set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (error == 0)
        error = socket_omit_pmtu(fd, address);
    if (error == 0 && address_is_wildcard(address))
        error = address->any.sa_family == AF_INET6 ? socket_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                                                   : socket_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    /* A smaller buffer than asked for still serves: the first needs a privilege, the second is cut by the kernel. */
    if (error == 0 && socket_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_LISTEN_BUFFER) < 0)
        (void) socket_set(fd, SOL_SOCKET, SO_RCVBUF, UDP_LISTEN_BUFFER);
    return error;
}

int udp_listen_bind(const struct address *address, enum socket_place place)
{
    int fd = socket_open(address, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int error = udp_listen_prepare(fd, address);
    if (error == 0 && place == SOCKET_JOINS)
        error = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0 && bind(fd, &address->any, address->len) < 0)
        error = -errno;
    if (error == 0 && place == SOCKET_FIRST)
        error = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static void read_control(struct udp_listen *listen, struct msghdr *header, struct path *path)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t overflow;
            memcpy(&overflow, CMSG_DATA(c), sizeof(overflow));
            listen->stats.kernel_dropped += (uint32_t) (overflow - listen->overflow);
            listen->overflow = overflow;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            path->local.in.sin_addr = info.ipi_spec_dst;
            path->interface         = (unsigned) info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            path->local.in6.sin6_addr = info.ipi6_addr;
            path->interface           = info.ipi6_ifindex;
        }
    }
}

/* Names the address that the answer leaves from. The interface is left to routing, which may well have another way
 * back; only a link-local address means nothing without it. */
static void write_control(const struct path *path, struct msghdr *header, union control *control)
{
    bool   v6  = path->local.any.sa_family == AF_INET6;
    size_t len = v6 ? sizeof(struct in6_pktinfo) : sizeof(struct in_pktinfo);
    memset(control, 0, sizeof(*control));
    header->msg_control    = control;
    header->msg_controllen = CMSG_SPACE(len);
    struct cmsghdr *c      = CMSG_FIRSTHDR(header);
    c->cmsg_len            = CMSG_LEN(len);
    if (v6) {
        struct in6_pktinfo info = {.ipi6_addr = path->local.in6.sin6_addr};
        if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            info.ipi6_ifindex = path->interface;
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type  = IPV6_PKTINFO;
        memcpy(CMSG_DATA(c), &info, sizeof(info));
    } else {
        struct in_pktinfo info = {.ipi_spec_dst = path->local.in.sin_addr};
        c->cmsg_level          = IPPROTO_IP;
        c->cmsg_type           = IP_PKTINFO;
        memcpy(CMSG_DATA(c), &info, sizeof(info));
    }
}

static void address_answer(const struct udp_listen *listen, const struct path *path, struct iovec *bytes,
                           union control *control, struct msghdr *ret_header)
{
    *ret_header = (struct msghdr){
        .msg_name    = (void *) &path->peer.any, /* sendmsg() only reads it */
        .msg_namelen = path->peer.len,
        .msg_iov     = bytes,
        .msg_iovlen  = 1,
    };
    if (listen->wildcard)
        write_control(path, ret_header, control);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct udp_listen *listen)
{
    int events = UV_READABLE | (list_empty(&listen->late) ? 0 : UV_WRITABLE);
    int error  = uv_poll_start(&listen->poll, events, on_ready);
    assert(error == 0);
    (void) error;
}

static void keep_late(struct udp_listen *listen, const struct path *path, struct view answer)
{
    struct late *late = listen->late_count < LATE ? malloc(sizeof(*late) + answer.len) : NULL;
    if (!late) {
        listen->stats.send_failed++;
        return;
    }
    late->path = *path;
    late->len  = answer.len;
    memcpy(late->data, answer.data, answer.len);
    list_append(&listen->late, &late->link);
    listen->late_count++;
}

static void drop_late(struct udp_listen *listen, struct late *late)
{
    list_remove(&late->link);
    listen->late_count--;
    free(late);
}

/* False: the socket's buffer is full. */
static bool send_one(struct udp_listen *listen, const struct path *path, struct view answer)
{
    union control control;
    struct iovec  bytes = {.iov_base = (void *) answer.data, .iov_len = answer.len};
    struct msghdr header;
    address_answer(listen, path, &bytes, &control, &header);
    ssize_t sent;
    do
        sent = sendmsg(listen->fd, &header, 0);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && socket_is_full(errno))
        return false;
    if (sent < 0)
        listen->stats.send_failed++;
    else
        listen->stats.sent++;
    return true;
}

static void send_waiting(struct udp_listen *listen)
{
    LIST_EACH (link, next, &listen->late) {
        struct late *late = CONTAINER_OF(link, struct late, link);
        if (!send_one(listen, &late->path, (struct view){late->data, late->len}))
            break;
        drop_late(listen, late);
    }
}

/* Sends `count` of `out`; what finds no room in the socket's buffer is kept. */
static void send_batch(struct udp_listen *listen, struct mmsghdr *out, unsigned count)
{
    unsigned failed;
    unsigned done = socket_send_batch(listen->fd, out, count, &failed);
    listen->stats.sent += done - failed;
    listen->stats.send_failed += failed;
    for (unsigned i = done; i < count; i++)
        keep_late(listen, CONTAINER_OF(out[i].msg_hdr.msg_name, struct path, peer.any),
                  (struct view){out[i].msg_hdr.msg_iov->iov_base, out[i].msg_hdr.msg_iov->iov_len});
}

static void flush(struct udp_listen *listen)
{
    struct outgoing *outgoing = &listen->outgoing;
    unsigned         count    = outgoing->count;
    outgoing->count           = 0;
    uv_prepare_stop(&listen->turn_end);
    if (listen->deaf) /* nobody watches for room in the socket's buffer */
        send_waiting(listen);
    if (count == 0)
        return;
    send_batch(listen, outgoing->out, count);
    if (!list_empty(&listen->late) && !listen->deaf)
        watch(listen);
}

static void on_turn_end(uv_prepare_t *turn_end) { flush(turn_end->data); }

static int receive_batch(struct udp_listen *listen)
{
    struct batch *batch = &listen->batch;
    for (unsigned i = 0; i < BATCH; i++) {
        batch->in_bytes[i]   = (struct iovec){.iov_base = batch->in_data[i], .iov_len = DATAGRAM};
        batch->in[i].msg_hdr = (struct msghdr){
            .msg_name       = &batch->paths[i].peer.any,
            .msg_namelen    = sizeof(batch->paths[i].peer.in6),
            .msg_iov        = &batch->in_bytes[i],
            .msg_iovlen     = 1,
            .msg_control    = &batch->in_control[i],
            .msg_controllen = sizeof(batch->in_control[i]),
        };
    }
    return recvmmsg(listen->fd, batch->in, BATCH, 0, NULL);
}

/* True: more may wait. */
static bool serve_batch(struct udp_listen *listen)
{
    struct batch *batch = &listen->batch;
    int           count = receive_batch(listen);
    if (count <= 0)
        return count < 0 && errno == EINTR;
    listen->stats.received += (unsigned) count;
    if (listen->begin)
        listen->begin(listen->context);
    unsigned answers = 0;
    for (int i = 0; i < count; i++) {
        struct path *path = &batch->paths[i];
        path->endpoint    = listen;
        path->connection  = 0;
        path->peer.len    = batch->in[i].msg_hdr.msg_namelen;
        path->local       = listen->address;
        path->interface   = 0;
        read_control(listen, &batch->in[i].msg_hdr, path);
        size_t len = listen->handle(listen->context, (struct view){batch->in_data[i], batch->in[i].msg_len}, path,
                                    batch->out_data[answers], LIMIT_UDP_PAYLOAD);
        if (len == 0)
            continue;
        assert(len <= LIMIT_UDP_PAYLOAD);
        batch->out_bytes[answers] = (struct iovec){.iov_base = batch->out_data[answers], .iov_len = len};
        address_answer(listen, path, &batch->out_bytes[answers], &batch->out_control[answers],
                       &batch->out[answers].msg_hdr);
        answers++;
    }
    if (answers > 0)
        send_batch(listen, batch->out, answers);
    return count == BATCH;
}

static void serve(struct udp_listen *listen, unsigned batches)
{
    listen->serving = true;
    while (batches > 0 && serve_batch(listen))
        batches--;
    listen->serving = false;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct udp_listen *listen = poll->data;
    if (status < 0) { /* libuv has stopped watching: an error waits on the socket */
        (void) socket_error(listen->fd);
        events = UV_READABLE;
    }
    if (events & UV_WRITABLE)
        send_waiting(listen);
    if (events & UV_READABLE)
        serve(listen, BATCHES);
    if (status < 0 || (events & UV_WRITABLE) || !list_empty(&listen->late))
        watch(listen);
}

static void on_closed(uv_handle_t *handle)
{
    struct udp_listen *listen = handle->data;
    if (--listen->handles == 0)
        free(listen);
}

/* What was dropped before this process had the socket is not its own. */
static uint32_t drops_so_far(int fd)
{
    uint32_t  memory[SK_MEMINFO_VARS] = {0};
    socklen_t len                     = sizeof(memory);
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0 ? memory[SK_MEMINFO_DROPS] : 0;
}

struct udp_listen *udp_listen_start(uv_loop_t *loop, int fd, udp_listen_fn handle, void (*begin)(void *context),
                                    void *context)
{
    struct udp_listen *listen = calloc(1, sizeof(*listen));
    if (!listen || !socket_address(fd, &listen->address) || uv_poll_init(loop, &listen->poll, fd) < 0) {
        free(listen);
        return NULL;
    }
    uv_prepare_init(loop, &listen->turn_end);
    listen->handles   = 2;
    listen->poll.data = listen->turn_end.data = listen;
    listen->fd                                = fd;
    listen->overflow                          = drops_so_far(fd);
    listen->wildcard                          = address_is_wildcard(&listen->address);
    listen->handle                            = handle;
    listen->begin                             = begin;
    listen->context                           = context;
    list_init(&listen->late);
    watch(listen);
    return listen;
}

void udp_listen_send(struct udp_listen *listen, const struct path *path, struct view answer)
{
    assert(answer.len <= LIMIT_UDP_PAYLOAD);
    if (answer.len == 0)
        return;
    struct outgoing *outgoing = &listen->outgoing;
    if (outgoing->count == BATCH)
        flush(listen);
    if (outgoing->count == 0)
        uv_prepare_start(&listen->turn_end, on_turn_end);
    unsigned at         = outgoing->count++;
    outgoing->paths[at] = *path;
    memcpy(outgoing->data[at], answer.data, answer.len);
    outgoing->bytes[at] = (struct iovec){.iov_base = outgoing->data[at], .iov_len = answer.len};
    address_answer(listen, &outgoing->paths[at], &outgoing->bytes[at], &outgoing->control[at],
                   &outgoing->out[at].msg_hdr);
}

/* Connected to a peer that never sends, the socket drops out of its SO_REUSEPORT group, so that the others get what
 * comes from now on; sendmsg() to any address still works on it. */
static void turn_deaf(struct udp_listen *listen)
{
    struct address nobody = listen->address;
    if (nobody.any.sa_family == AF_INET) {
        nobody.in.sin_port = htons(DISCARD_PORT);
        if (listen->wildcard)
            nobody.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        nobody.in6.sin6_port = htons(DISCARD_PORT);
        if (listen->wildcard)
            nobody.in6.sin6_addr = in6addr_loopback;
    }
    (void) connect(listen->fd, &nobody.any, nobody.len);
}

void udp_listen_stop(struct udp_listen *listen)
{
    assert(!listen->serving);
    if (listen->deaf)
        return;
    /* What came before and while the socket turns deaf is in its queue, which nobody else reads. */
    serve(listen, DRAIN_BATCHES);
    turn_deaf(listen);
    serve(listen, DRAIN_BATCHES);
    send_waiting(listen);
    uv_poll_stop(&listen->poll);
    listen->deaf = true;
}

void udp_listen_hand_on(struct udp_listen *listen)
{
    assert(!listen->serving);
    if (listen->deaf)
        return;
    serve(listen, DRAIN_BATCHES);
    send_waiting(listen);
    uv_poll_stop(&listen->poll);
    listen->deaf = true;
}

void udp_listen_free(struct udp_listen *listen)
{
    assert(listen->deaf);
    flush(listen);
    LIST_EACH (link, next, &listen->late) {
        drop_late(listen, CONTAINER_OF(link, struct late, link));
        listen->stats.send_failed++;
    }
    uv_close((uv_handle_t *) &listen->poll, on_closed);
    uv_close((uv_handle_t *) &listen->turn_end, on_closed);
    close(listen->fd);
}

const struct udp_listen_stats *udp_listen_read_stats(const struct udp_listen *listen) { return &listen->stats; }

struct address udp_listen_address(const struct udp_listen *listen) { return listen->address; }
