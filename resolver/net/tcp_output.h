/*
 * tcp_output.h: bytes on their way out of a TCP socket: messages, each behind its two length bytes, or what carries
 * them. What one turn of the loop produces leaves in one system call.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_OUTPUT_H
#define NET_TCP_OUTPUT_H

#include "base/types.h"

struct tcp_output { /* zeroed: empty */
    uint8_t *data;
    size_t   head, len, cap; /* bytes head..len wait */
};

void   tcp_output_fini(struct tcp_output *output);
size_t tcp_output_waiting(const struct tcp_output *output);
/* Appends bytes as they are. False: no memory, nothing was appended. */
bool tcp_output_bytes(struct tcp_output *output, struct view bytes);
/* Appends a message of at most 65535 bytes, with its length before it. False as above. */
bool tcp_output_frame(struct tcp_output *output, struct view message);
/* Sends what the socket takes and gives the memory back once all is gone. Bytes sent, or -errno. */
ptrdiff_t tcp_output_flush(struct tcp_output *output, int fd);

#endif
