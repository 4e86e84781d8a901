/*
 * echo.c: the floor: what the kernel asks for a datagram in and one out, in batches, and nothing else done. It sends
 * each query back as its own answer (QR set).
 *
 * usage: bench-echo PORT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    BATCH    = 32,
    DATAGRAM = 2048,
    BUFFER   = 4 << 20, /* as bywayd's */
    QR       = 0x80,
};

static struct mmsghdr     messages[BATCH];
static struct iovec       parts[BATCH];
static struct sockaddr_in peers[BATCH];
static uint8_t            data[BATCH][DATAGRAM];

static int open_socket(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), buffer = BUFFER;
    if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
        return -1;
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    return fd;
}

static int receive(int fd)
{
    for (unsigned i = 0; i < BATCH; i++) {
        parts[i]            = (struct iovec){data[i], DATAGRAM};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]), .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    return recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open_socket((uint16_t) atoi(argv[1])) : -1;
    if (fd < 0) {
        fprintf(stderr, "usage: bench-echo PORT (a free one)\n");
        return 2;
    }
    for (;;) {
        int count = receive(fd);
        for (int i = 0; i < count; i++) {
            parts[i].iov_len = messages[i].msg_len;
            if (messages[i].msg_len > 2)
                data[i][2] |= QR;
        }
        if (count > 0)
            (void) sendmmsg(fd, messages, (unsigned) count, 0);
    }
}
