/*
 * transport.h: how an upstream is asked.
 *
 * Thread: pure.
 */
#ifndef UPSTREAM_TRANSPORT_H
#define UPSTREAM_TRANSPORT_H

enum transport {
    TRANSPORT_UDP,
    TRANSPORT_TCP,
    TRANSPORT_COUNT
};

static inline const char *transport_word(enum transport transport)
{
    return transport == TRANSPORT_UDP ? "udp" : "tcp";
}

#endif
