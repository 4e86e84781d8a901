/*
 * endpoint.c: see endpoint.h. First the text as a whole, by base/address; then, of what that refuses, which slip it may
 * be, and of what it takes, whether a machine can have it.
 */
#include "settings/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool say(char why[ENDPOINT_WHY_MAX], const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why, ENDPOINT_WHY_MAX, format, values);
    va_end(values);
    return false;
}

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 9 && text[digits] == '\0';
}

/* ---- slips in text that is no address ---- */

/* Cuts "HOST:PORT" at its last colon where HOST is an IPv6 address, maybe with an interface. */
static bool cut_port(const char *text, char host[ADDRESS_TEXT_MAX], const char **ret_port)
{
    const char     *colon = strrchr(text, ':');
    struct in6_addr ignored;
    if (!colon || text[0] == '[' || strlen(text) >= ADDRESS_TEXT_MAX || !is_number(colon + 1) ||
        atoi(colon + 1) > UINT16_MAX)
        return false;
    snprintf(host, ADDRESS_TEXT_MAX, "%.*s", (int) (colon - text), text);
    char *scope = strchr(host, '%');
    if (scope)
        *scope = '\0';
    bool good = inet_pton(AF_INET6, host, &ignored) == 1;
    if (scope)
        *scope = '%';
    *ret_port = colon + 1;
    return good;
}

/* The interface that `text` names, into `name`; false: it names none, or one that is there. */
static bool names_no_interface(const char *text, char name[ADDRESS_TEXT_MAX])
{
    const char *scope = strchr(text, '%');
    if (!scope)
        return false;
    snprintf(name, ADDRESS_TEXT_MAX, "%.*s", (int) strcspn(scope + 1, "]"), scope + 1);
    char ignored[IF_NAMESIZE];
    if (strchr(name, ':')) /* the system takes it for an alias of what is before it, and never for a port */
        return true;
    return if_nametoindex(name) == 0 && !(is_number(name) && if_indextoname((unsigned) atoi(name), ignored));
}

/* What the last colon has behind it, where that cannot be a port. */
static bool has_bad_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    bool        v6    = colon && strchr(text, ':') != colon;
    return colon && (!v6 || (colon > text && colon[-1] == ']')) && is_number(colon + 1) && atoi(colon + 1) > UINT16_MAX;
}

static bool explain_text(const char *text, char why[ENDPOINT_WHY_MAX])
{
    char        host[ADDRESS_TEXT_MAX];
    const char *port, *mark = strpbrk(text, "#@");
    if (cut_port(text, host, &port))
        return say(why, "the port of an IPv6 address stands behind brackets: write \"[%s]:%s\"", host, port);
    if (names_no_interface(text, host))
        return say(why, "there is no interface \"%s\"", host);
    if (has_bad_port(text))
        return say(why, "a port is 1 to %d", UINT16_MAX);
    if (strchr(text, '/'))
        return say(why, "one address is expected, not a block or a path");
    if (mark && is_number(mark + 1))
        return say(why, "the port stands behind a colon: write \"%.*s:%s\"", (int) (mark - text), text, mark + 1);
    if (strspn(text, ".:[]%") == 0 && isalpha((unsigned char) text[0]) && !strchr(text, ':'))
        return say(why, "names are not looked up: write an address");
    why[0] = '\0';
    return false;
}

/* ---- addresses that no machine has ---- */

static bool is_mapped(const struct address *address)
{
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr);
}

static bool explain_mapped(const char *text, const struct address *address, char why[ENDPOINT_WHY_MAX])
{
    struct address v4 = {.in = {.sin_family = AF_INET, .sin_port = address->in6.sin6_port}, .len = sizeof(v4.in)};
    char           form[ADDRESS_TEXT_MAX];
    memcpy(&v4.in.sin_addr, &address->in6.sin6_addr.s6_addr[12], 4);
    if (address_port(&v4) == DNS_PORT)
        address_format_host(&v4, form);
    else
        address_format(&v4, form);
    return say(why, "\"%.80s\" is an IPv4 address in IPv6's form: write \"%s\"", text, form);
}

static bool judge_v4(const char *text, uint32_t host, enum endpoint_use use, char why[ENDPOINT_WHY_MAX])
{
    if (host == INADDR_BROADCAST)
        return say(why, "\"%.80s\" is the broadcast address, no machine's own", text);
    if (IN_MULTICAST(host))
        return say(why, "\"%.80s\" is a multicast address, no machine's own", text);
    if (host == INADDR_ANY)
        return use == ENDPOINT_LISTEN ||
               say(why, "nobody can be asked at \"%.80s\": it stands for every address of a machine", text);
    if (host >> 24 == 0)
        return say(why, "\"%.80s\" is no machine's address", text);
    return true;
}

/* ::1:53 is an address too, of a kind that is out of use. */
static bool is_compatible(const struct in6_addr *host)
{
    static const uint8_t zero[12];
    return memcmp(host->s6_addr, zero, sizeof(zero)) == 0 && !IN6_IS_ADDR_UNSPECIFIED(host) &&
           !IN6_IS_ADDR_LOOPBACK(host);
}

static bool judge_v6(const char *text, const struct address *address, enum endpoint_use use, char why[ENDPOINT_WHY_MAX])
{
    const struct in6_addr *host = &address->in6.sin6_addr;
    char                   cut[ADDRESS_TEXT_MAX];
    const char            *port;
    bool                   may_have_port = cut_port(text, cut, &port);
    if (is_compatible(host) && may_have_port)
        return say(why, "\"%.80s\" is an IPv6 address without a port: write \"[%s]:%s\"", text, cut, port);
    if (is_compatible(host))
        return say(why, "\"%.80s\" is no machine's address", text);
    if (is_mapped(address))
        return explain_mapped(text, address, why);
    if (IN6_IS_ADDR_MULTICAST(host))
        return say(why, "\"%.80s\" is a multicast address, no machine's own", text);
    if (IN6_IS_ADDR_UNSPECIFIED(host) && use == ENDPOINT_ASK)
        return say(why, "nobody can be asked at \"%.80s\": it stands for every address of a machine", text);
    if (IN6_IS_ADDR_LINKLOCAL(host) && address->in6.sin6_scope_id == 0)
        return say(why, "\"%.80s\" is link-local, and of no use without its interface: write \"%s%%eth0\"", text,
                   address_format_host(address, cut));
    if (may_have_port && (atoi(port) == DNS_PORT || atoi(port) == 853 || atoi(port) == 5353))
        say(why, "\"%.80s\" is taken for an address with port %d; if %s is its port, write \"[%s]:%s\"", text, DNS_PORT,
            port, cut, port);
    return true;
}

bool endpoint_read(const char *text, enum endpoint_use use, uint16_t port, struct address *ret,
                   char why[ENDPOINT_WHY_MAX])
{
    char name[ADDRESS_TEXT_MAX], what[ENDPOINT_WHY_MAX];
    why[0] = '\0';
    if (!address_parse(text, port, ret) || names_no_interface(text, name)) {
        explain_text(text, what);
        if (what[0] != '\0')
            say(why, "not an address: \"%.80s\" (%.*s)", text, ENDPOINT_WHY_MAX - 120, what);
        return false;
    }
    if (address_port(ret) == 0)
        return say(why, "port 0 in \"%.80s\" (expected 1 to %d)", text, UINT16_MAX);
    if (ret->any.sa_family == AF_INET)
        return judge_v4(text, ntohl(ret->in.sin_addr.s_addr), use, why);
    return judge_v6(text, ret, use, why);
}

/* ---- blocks ---- */

/* The prefix that a netmask stands for; false: it is none. */
static bool netmask_read(const char *text, unsigned *ret_bits)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1)
        return false;
    uint32_t mask = ntohl(address.s_addr);
    *ret_bits     = (unsigned) __builtin_popcount(mask);
    return mask != 0 && (mask | (mask - 1)) == UINT32_MAX;
}

/* "192.0.2.0/24": the block that `host` is in. */
static void block_format(const struct address *host, unsigned bits, char text[ADDRESS_TEXT_MAX])
{
    struct address first = *host;
    bool           v4    = host->any.sa_family == AF_INET;
    uint8_t       *bytes = v4 ? (uint8_t *) &first.in.sin_addr : first.in6.sin6_addr.s6_addr;
    for (unsigned i = bits; i < (v4 ? 32u : 128u); i++)
        bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    address_format_host(&first, text);
    snprintf(text + strlen(text), ADDRESS_TEXT_MAX - strlen(text), "/%u", bits);
}

static bool explain_block(const char *host_text, const char *prefix, char why[ENDPOINT_WHY_MAX])
{
    struct address host;
    char           form[ADDRESS_TEXT_MAX];
    unsigned       bits;
    why[0] = '\0';
    if (strchr(host_text, '%'))
        return say(why, "a block has no interface");
    if (!prefix || host_text[0] == '[' || !address_parse(host_text, 0, &host) || address_port(&host) != 0)
        return false;
    unsigned width = host.any.sa_family == AF_INET ? 32 : 128;
    if (width == 32 && netmask_read(prefix, &bits)) {
        block_format(&host, bits, form);
        return say(why, "a prefix is expected, not a netmask: write \"%s\"", form);
    }
    if (!is_number(prefix) || (prefix[0] == '0' && prefix[1] != '\0') || (bits = (unsigned) atoi(prefix)) > width)
        return say(why, "its prefix is 0 to %u", width);
    block_format(&host, bits, form);
    return say(why, "bits are set behind its prefix: write \"%s\", or \"%.60s\" for this address alone", form,
               host_text);
}

/* No client comes from there, though it is a block. */
static bool judge_block(const char *text, const struct address *host, unsigned bits, char why[ENDPOINT_WHY_MAX])
{
    bool v4 = host->any.sa_family == AF_INET;
    if (is_mapped(host) && bits >= 96) {
        struct address inside = {.in = {.sin_family = AF_INET}, .len = sizeof(inside.in)};
        char           form[ADDRESS_TEXT_MAX];
        memcpy(&inside.in.sin_addr, &host->in6.sin6_addr.s6_addr[12], 4);
        if (bits == 128)
            address_format_host(&inside, form);
        else
            block_format(&inside, bits - 96, form);
        return say(why, "\"%.80s\" is an IPv4 block in IPv6's form: write \"%s\"", text, form);
    }
    if (v4 ? bits == 32 && host->in.sin_addr.s_addr == INADDR_ANY
           : bits == 128 && IN6_IS_ADDR_UNSPECIFIED(&host->in6.sin6_addr))
        return say(why, "no client has the address \"%.80s\": for everybody write \"%s\"", text,
                   v4 ? "0.0.0.0/0" : "::/0");
    if (v4 ? bits >= 4 && IN_MULTICAST(ntohl(host->in.sin_addr.s_addr))
           : bits >= 8 && IN6_IS_ADDR_MULTICAST(&host->in6.sin6_addr))
        return say(why, "no client has a multicast address: \"%.80s\"", text);
    return true;
}

bool block_read(const char *text, struct cidr *ret, char why[ENDPOINT_WHY_MAX])
{
    char           host_text[ADDRESS_TEXT_MAX], what[ENDPOINT_WHY_MAX];
    const char    *slash = strchr(text, '/');
    struct address host;
    why[0] = '\0';
    snprintf(host_text, sizeof(host_text), "%.*s", (int) (slash ? (size_t) (slash - text) : strlen(text)), text);
    if (!cidr_parse(text, ret)) {
        explain_block(host_text, slash ? slash + 1 : NULL, what);
        if (what[0] != '\0')
            say(why, "not a CIDR block: \"%.80s\" (%.*s)", text, ENDPOINT_WHY_MAX - 120, what);
        return false;
    }
    if (!address_parse(host_text, DNS_PORT, &host)) /* never: cidr_parse() took it */
        return false;
    return judge_block(text, &host, host.any.sa_family == AF_INET ? ret->bits - 96u : ret->bits, why);
}
