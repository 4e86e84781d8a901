/*
 * address.c: the text forms of addresses and address blocks. Opens no socket; the only thing asked of the system is
 * an interface's index for a link-local scope.
 */
#include "base/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number without sign, blanks or leading zeros. */
static bool number_parse(const char *text, unsigned max, unsigned *ret)
{
    unsigned value = 0;
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned) (*text - '0');
        if (value > max)
            return false;
    }
    *ret = value;
    return true;
}

static bool scope_parse(const char *text, uint32_t *ret)
{
    unsigned index = if_nametoindex(text);
    if (index == 0 && !number_parse(text, UINT16_MAX, &index))
        return false;
    *ret = index;
    return index != 0;
}

static bool host_parse(char *host, uint16_t port, struct address *ret)
{
    struct address address = {0};
    char          *scope   = strchr(host, '%');
    if (scope)
        *scope++ = '\0';
    if (!scope && inet_pton(AF_INET, host, &address.in.sin_addr) == 1) {
        address.in.sin_family = AF_INET;
        address.in.sin_port   = htons(port);
        address.len           = sizeof(address.in);
        *ret                  = address;
        return true;
    }
    if (inet_pton(AF_INET6, host, &address.in6.sin6_addr) != 1 ||
        (scope && !scope_parse(scope, &address.in6.sin6_scope_id)))
        return false;
    address.in6.sin6_family = AF_INET6;
    address.in6.sin6_port   = htons(port);
    address.len             = sizeof(address.in6);
    *ret                    = address;
    return true;
}

bool address_parse(const char *text, uint16_t default_port, struct address *ret)
{
    char           copy[ADDRESS_TEXT_MAX];
    char          *host = copy, *colon = NULL, *bracket;
    unsigned       port = default_port;
    struct address address;
    if (strlen(text) >= sizeof(copy))
        return false;
    strcpy(copy, text);
    if (copy[0] == '[') {
        host    = copy + 1;
        bracket = strchr(host, ']');
        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return false;
        *bracket = '\0';
        colon    = bracket[1] == ':' ? bracket + 1 : NULL;
    } else if (strchr(host, ':') == strrchr(host, ':')) {
        colon = strchr(host, ':'); /* a single colon cannot be IPv6 */
    }
    if (colon) {
        *colon = '\0';
        if (!number_parse(colon + 1, UINT16_MAX, &port))
            return false;
    }
    if (!host_parse(host, (uint16_t) port, &address) ||
        (copy[0] == '[') > (address.any.sa_family == AF_INET6)) /* brackets are for IPv6 */
        return false;
    *ret = address;
    return true;
}

const char *address_format_host(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    char   name[IF_NAMESIZE];
    size_t len;
    if (address->len == 0)
        return strcpy(text, "none");
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->in.sin_addr, text, ADDRESS_TEXT_MAX);
        return text;
    }
    inet_ntop(AF_INET6, &address->in6.sin6_addr, text, ADDRESS_TEXT_MAX);
    if (address->in6.sin6_scope_id != 0) {
        len = strlen(text);
        if (if_indextoname(address->in6.sin6_scope_id, name))
            snprintf(text + len, ADDRESS_TEXT_MAX - len, "%%%s", name);
        else
            snprintf(text + len, ADDRESS_TEXT_MAX - len, "%%%u", address->in6.sin6_scope_id);
    }
    return text;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(address, host);
    if (address->len == 0)
        return strcpy(text, host);
    if (address->any.sa_family == AF_INET)
        snprintf(text, ADDRESS_TEXT_MAX, "%.*s:%u", INET_ADDRSTRLEN, host, address_port(address));
    else
        snprintf(text, ADDRESS_TEXT_MAX, "[%.*s]:%u", INET6_ADDRSTRLEN + IF_NAMESIZE, host, address_port(address));
    return text;
}

uint16_t address_port(const struct address *address)
{
    if (address->len == 0)
        return 0;
    return ntohs(address->any.sa_family == AF_INET ? address->in.sin_port : address->in6.sin6_port);
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->len == 0 || b->len == 0)
        return a->len == b->len;
    if (a->any.sa_family != b->any.sa_family || address_port(a) != address_port(b))
        return false;
    if (a->any.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 && a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

/* The address as 16 bytes, IPv4 mapped as in struct cidr. */
static bool address_bytes(const struct address *address, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->len == 0)
        return false;
    if (address->any.sa_family == AF_INET) {
        memcpy(ret, mapped, sizeof(mapped));
        memcpy(ret + sizeof(mapped), &address->in.sin_addr, 4);
    } else {
        memcpy(ret, &address->in6.sin6_addr, 16);
    }
    return true;
}

/* Whether the first `bits` bits are the same. */
static bool prefix_equal(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool address_is_loopback(const struct address *address)
{
    static const struct cidr v4 = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127}, .bits = 96 + 8};
    static const struct cidr v6 = {.bytes = {[15] = 1}, .bits = 128};
    return cidr_contains(&v4, address) || cidr_contains(&v6, address);
}

bool address_is_wildcard(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->in.sin_addr.s_addr == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

struct view address_client(const struct address *address)
{
    if (address->any.sa_family == AF_INET6)
        return (struct view){address->in6.sin6_addr.s6_addr, 8};
    return (struct view){(const uint8_t *) &address->in.sin_addr, 4};
}

bool cidr_parse(const char *text, struct cidr *ret)
{
    char           copy[ADDRESS_TEXT_MAX];
    char          *slash;
    struct address address;
    struct cidr    cidr;
    unsigned       width, bits;
    if (strlen(text) >= sizeof(copy) || strchr(text, '%'))
        return false;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash)
        *slash++ = '\0';
    if (!host_parse(copy, 0, &address) || !address_bytes(&address, cidr.bytes))
        return false;
    width = address.any.sa_family == AF_INET ? 32 : 128;
    bits  = width;
    if (slash && !number_parse(slash, width, &bits))
        return false;
    bits += 128 - width;
    for (unsigned i = bits; i < 128; i++) {
        if (cidr.bytes[i / 8] & 0x80 >> i % 8)
            return false;
    }
    cidr.bits = (uint8_t) bits;
    *ret      = cidr;
    return true;
}

void cidr_first(const struct cidr *cidr, struct address *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *ret                            = (struct address){0};
    if (memcmp(cidr->bytes, mapped, sizeof(mapped)) == 0) {
        ret->len           = sizeof(ret->in);
        ret->in.sin_family = AF_INET;
        memcpy(&ret->in.sin_addr, cidr->bytes + sizeof(mapped), 4);
    } else {
        ret->len             = sizeof(ret->in6);
        ret->in6.sin6_family = AF_INET6;
        memcpy(&ret->in6.sin6_addr, cidr->bytes, 16);
    }
}

bool cidr_contains(const struct cidr *cidr, const struct address *address)
{
    uint8_t bytes[16];
    return address_bytes(address, bytes) && prefix_equal(cidr->bytes, bytes, cidr->bits);
}
