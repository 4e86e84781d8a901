#include "net/tcp_output.h"

#include "base/bytes.h"
#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    OUTPUT_FIRST = 2048 /* bytes: one ordinary answer or a few small ones */
};

void tcp_output_fini(struct tcp_output *output)
{
    free(output->data);
    *output = (struct tcp_output){0};
}

size_t tcp_output_waiting(const struct tcp_output *output) { return output->len - output->head; }

static bool make_room(struct tcp_output *output, size_t len)
{
    size_t waiting = tcp_output_waiting(output);
    if (output->head > 0) {
        memmove(output->data, output->data + output->head, waiting);
        output->head = 0;
        output->len  = waiting;
    }
    size_t cap = output->cap ? output->cap : OUTPUT_FIRST;
    while (cap - waiting < len)
        cap *= 2;
    if (cap == output->cap)
        return true;
    uint8_t *data = realloc(output->data, cap);
    if (!data)
        return false;
    output->data = data;
    output->cap  = cap;
    return true;
}

bool tcp_output_bytes(struct tcp_output *output, struct view bytes)
{
    if (output->cap - output->len < bytes.len && !make_room(output, bytes.len))
        return false;
    memcpy(output->data + output->len, bytes.data, bytes.len);
    output->len += bytes.len;
    return true;
}

bool tcp_output_frame(struct tcp_output *output, struct view message)
{
    assert(message.len <= LIMIT_TCP_MESSAGE);
    size_t len = 2 + message.len;
    if (output->cap - output->len < len && !make_room(output, len))
        return false;
    put_u16(output->data + output->len, (uint16_t) message.len);
    if (message.len > 0)
        memcpy(output->data + output->len + 2, message.data, message.len);
    output->len += len;
    return true;
}

ptrdiff_t tcp_output_flush(struct tcp_output *output, int fd)
{
    size_t waiting = tcp_output_waiting(output);
    if (waiting == 0)
        return 0;
    ssize_t sent;
    do
        sent = send(fd, output->data + output->head, waiting, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    output->head += (size_t) sent;
    if (output->head == output->len)
        tcp_output_fini(output);
    return sent;
}
