/*
 * address.h: IPv4 and IPv6 socket addresses as values, and their text form.
 *
 * Thread: pure.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/types.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct address {
    union {
        struct sockaddr     any;
        struct sockaddr_in  in;
        struct sockaddr_in6 in6;
    };
    socklen_t len; /* 0: no address */
};

struct cidr {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bits;      /* 0..128; IPv4 /n is 96 + n */
};

#define ADDRESS_TEXT_MAX 80 /* "[v6%scope]:port" with its NUL */

/* Reads "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53", with "%eth0" after a v6
 * address. `default_port` is used where none is given. False and *ret untouched: not an address. */
bool address_parse(const char *text, uint16_t default_port, struct address *ret);
/* Writes "192.0.2.1:53" or "[2001:db8::1]:53"; returns `text`. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);
/* The same without the port. */
const char *address_format_host(const struct address *address, char text[ADDRESS_TEXT_MAX]);
uint16_t    address_port(const struct address *address);
bool        address_equal(const struct address *a, const struct address *b);
bool        address_is_loopback(const struct address *address);
/* 0.0.0.0 or ::, which to a listener is every address of its family. */
bool address_is_wildcard(const struct address *address);
/* The bytes that tell clients apart: an IPv4 address, the /64 of an IPv6 one, in which a host may number itself as it
 * likes. Borrows. */
struct view address_client(const struct address *address);

/* Reads "192.0.2.0/24", "2001:db8::/32", or a single address. Bits set beyond the prefix are an error. */
bool cidr_parse(const char *text, struct cidr *ret);
/* The first address of the block. */
void cidr_first(const struct cidr *cidr, struct address *ret);
bool cidr_contains(const struct cidr *cidr, const struct address *address);

#endif
