/*
 * slip.c: see slip.h. What is no part of a name is peeled off, from outside to inside, until a name is left or an
 * address, which becomes the name of its reverse zone. The first thing that was peeled off is what is told.
 */
#include "dns/slip.h"

#include "dns/text.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    QUOTE_MAX        = 120,
    REVERSE_TEXT_MAX = 80 /* of an IPv6 address: 32 nibbles with dots, and ip6.arpa */
};

struct slip {
    char       *text; /* what is left, in an allocation of its own */
    const char *what; /* what was peeled off first; NULL: nothing */
};

static void note(struct slip *slip, const char *what)
{
    if (!slip->what)
        slip->what = what;
}

static void cut_front(struct slip *slip, size_t count, const char *what)
{
    memmove(slip->text, slip->text + count, strlen(slip->text + count) + 1);
    note(slip, what);
}

static void cut_back(struct slip *slip, size_t len, const char *what)
{
    slip->text[len] = '\0';
    note(slip, what);
}

/* ---- addresses ---- */

struct block {
    uint8_t  bytes[16];
    unsigned width; /* bits of an address: 32 or 128 */
    unsigned unit;  /* bits of a label of its reverse name */
    unsigned bits;  /* of the prefix */
    bool     bad;   /* what stands for the prefix is none */
};

/* One to four numbers up to 255 with dots between them. Returns how many, 0: it is something else. */
static unsigned octets_read(const char *text, uint8_t bytes[4])
{
    unsigned count = 0;
    for (;;) {
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 3 || count == 4 || atoi(text) > 255)
            return 0;
        bytes[count++] = (uint8_t) atoi(text);
        text += digits;
        if (*text == '\0')
            return count;
        if (*text++ != '.')
            return 0;
    }
}

/* A prefix's length, or the netmask that stands for it. */
static bool prefix_read(const char *text, unsigned width, unsigned *ret)
{
    struct in_addr mask;
    size_t         digits = strspn(text, "0123456789");
    if (digits > 0 && digits <= 3 && text[digits] == '\0') {
        *ret = (unsigned) atoi(text);
        return *ret <= width;
    }
    if (width != 32 || inet_pton(AF_INET, text, &mask) != 1)
        return false;
    uint32_t bits = ntohl(mask.s_addr);
    *ret          = (unsigned) __builtin_popcount(bits);
    return (bits | (bits - 1)) == UINT32_MAX;
}

/* "10.0.0.0/8", "10/8", "1.2.3.4", "192.168", "2001:db8::/32", "[192.0.2.1]". False: neither address nor block. */
static bool block_read(const char *text, struct block *ret)
{
    char   copy[64];
    size_t len = strlen(text);
    if (text[0] == '[' && len > 1 && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len - (copy[len - 1] == '.')] = '\0';
    char *prefix                       = strchr(copy, '/');
    if (prefix)
        *prefix++ = '\0';
    *ret           = (struct block){.width = 32, .unit = 8};
    unsigned count = octets_read(copy, ret->bytes);
    ret->bits      = 8 * count;
    if (count == 0) {
        *ret = (struct block){.width = 128, .unit = 4, .bits = 128};
        if (inet_pton(AF_INET6, copy, ret->bytes) != 1)
            return false;
    }
    ret->bad = prefix && !prefix_read(prefix, ret->width, &ret->bits);
    return !ret->bad || strspn(prefix, "0123456789.") == strlen(prefix); /* else it is a label, or a path */
}

/* The name of the reverse zone of the first `bits`, whole labels. */
static void reverse_format(const struct block *block, const uint8_t bytes[16], unsigned bits,
                           char text[REVERSE_TEXT_MAX])
{
    char *at = text;
    for (unsigned i = bits / block->unit; i-- > 0;)
        at += block->unit == 8 ? sprintf(at, "%u.", bytes[i])
                               : sprintf(at, "%x.", i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 0xf);
    strcpy(at, block->width == 32 ? "in-addr.arpa" : "ip6.arpa");
}

/* Sets the bits from `from` to `to` to `value`. */
static void fill(uint8_t bytes[16], unsigned from, unsigned to, bool value)
{
    for (unsigned i = from; i < to; i++) {
        uint8_t bit  = (uint8_t) (0x80 >> i % 8);
        bytes[i / 8] = (uint8_t) (value ? bytes[i / 8] | bit : bytes[i / 8] & ~bit);
    }
}

/* A zone's cut is between labels: other prefixes are several zones, or part of one. */
static void tell_block(const char *text, struct block *block, char why[SLIP_WHY_MAX])
{
    const char *what = block->bits == block->width ? "address" : "address block";
    char        first[REVERSE_TEXT_MAX], last[REVERSE_TEXT_MAX], whole[REVERSE_TEXT_MAX], range[INET6_ADDRSTRLEN];
    unsigned    inner = (block->bits + block->unit - 1) / block->unit * block->unit;
    unsigned    outer = block->bits / block->unit * block->unit;
    if (block->bad) {
        snprintf(why, SLIP_WHY_MAX, "an address block is no domain name: \"%.*s\"", QUOTE_MAX, text);
        return;
    }
    fill(block->bytes, block->bits, block->width, false);
    reverse_format(block, block->bytes, inner, first);
    if (inner == block->bits) {
        snprintf(why, SLIP_WHY_MAX, "an %s is no domain name: \"%.*s\" (write \"%s\")", what, QUOTE_MAX, text, first);
        return;
    }
    fill(block->bytes, block->bits, inner, true);
    reverse_format(block, block->bytes, inner, last);
    fill(block->bytes, outer, block->width, false);
    reverse_format(block, block->bytes, outer, whole);
    inet_ntop(block->width == 32 ? AF_INET : AF_INET6, block->bytes, range, sizeof(range));
    snprintf(why, SLIP_WHY_MAX,
             "an %s is no domain name: \"%.*s\" (write each zone from \"%s\" to \"%s\", or \"%s\" for all of %s/%u)",
             what, QUOTE_MAX, text, first, last, whole, range, outer);
}

/* ---- what is peeled off ---- */

static const char *find_unescaped(const char *text, char wanted)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        else if (*text == wanted)
            return text;
    }
    return NULL;
}

static void peel_blanks(struct slip *slip)
{
    size_t front = strspn(slip->text, " \t\r\n"), len = strlen(slip->text);
    while (len > front && strchr(" \t\r\n", slip->text[len - 1]))
        cut_back(slip, --len, "blanks are no part of a domain name");
    if (front > 0)
        cut_front(slip, front, "blanks are no part of a domain name");
}

static void peel_mail(struct slip *slip)
{
    const char *at;
    while ((at = find_unescaped(slip->text, '@')))
        cut_front(slip, (size_t) (at - slip->text) + 1, "a mail address is no domain name");
}

/* The label of a classless reverse zone has a slash too (RFC 2317): "0/25.2.0.192.in-addr.arpa". */
static void peel_url(struct slip *slip)
{
    static const char arpa[] = ".arpa";
    const char       *scheme = strstr(slip->text, "://");
    if (scheme)
        cut_front(slip, (size_t) (scheme - slip->text) + 3, "a URL is no domain name");
    size_t len = strlen(slip->text);
    len -= len > 0 && slip->text[len - 1] == '.';
    if (len >= strlen(arpa) && strncasecmp(slip->text + len - strlen(arpa), arpa, strlen(arpa)) == 0 && !scheme)
        return;
    while (slip->text[0] == '/')
        cut_front(slip, 1, "a path is no part of a domain name");
    const char *slash = strchr(slip->text, '/');
    if (slash && (scheme || memchr(slip->text, '.', (size_t) (slash - slip->text))))
        cut_back(slip, (size_t) (slash - slip->text), "a path is no part of a domain name");
}

static void peel_port(struct slip *slip)
{
    const char *colon = strchr(slip->text, ':');
    if (colon && colon[1 + strspn(colon + 1, "0123456789")] == '\0')
        cut_back(slip, (size_t) (colon - slip->text), "a port is no part of a domain name");
}

static void peel_stars(struct slip *slip)
{
    static const char what[] = "a wildcard matches nothing";
    while (slip->text[0] == '*') {
        cut_front(slip, slip->text[1] == '.' ? 2 : 1, what);
        if (slip->text[0] == '\0')
            strcpy(slip->text, ".");
    }
    for (const char *rest = slip->text, *star; (star = find_unescaped(rest, '*')); rest = star + 1)
        if (star[-1] != '.' || star[1] != '.' || star[2] == '\0')
            note(slip, what);
}

static void peel_dots(struct slip *slip)
{
    size_t len = strlen(slip->text);
    while (len > 1 && slip->text[0] == '.') {
        cut_front(slip, 1, "not a domain name");
        len--;
    }
    while (len > 2 && slip->text[len - 1] == '.' && slip->text[len - 2] == '.')
        cut_back(slip, --len, "not a domain name");
}

/* No zone has one in its name. */
static void peel_list(struct slip *slip)
{
    if (find_unescaped(slip->text, ',') || find_unescaped(slip->text, ';'))
        note(slip, "one domain name is expected, not a list");
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char) *text < 0x80)
        text++;
    return *text == '\0';
}

/* Into its A-labels (RFC 5891). False: there is no such form. */
static bool peel_letters(struct slip *slip)
{
    char *ascii = NULL;
    if (is_ascii(slip->text))
        return true;
    note(slip, "not a domain name");
    if (idn2_to_ascii_8z(slip->text, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    free(slip->text);
    slip->text = strdup(ascii);
    idn2_free(ascii);
    return slip->text != NULL;
}

/* ---- */

static bool peel(struct slip *slip)
{
    peel_blanks(slip);
    peel_url(slip);
    peel_mail(slip);
    peel_port(slip);
    peel_dots(slip);
    peel_stars(slip);
    peel_list(slip);
    return peel_letters(slip);
}

static void tell(const char *text, const struct slip *slip, bool known, char why[SLIP_WHY_MAX])
{
    struct name  name;
    struct block block;
    const char  *what = slip->what ? slip->what : "not a domain name";
    if (known && slip->what && block_read(slip->text, &block))
        tell_block(text, &block, why);
    else if (known && slip->what && name_parse(slip->text, &name) && !strpbrk(slip->text, "*,;"))
        snprintf(why, SLIP_WHY_MAX, "%s: \"%.*s\" (write \"%.*s\")", what, QUOTE_MAX, text, 2 * QUOTE_MAX, slip->text);
    else if (!is_ascii(text))
        snprintf(why, SLIP_WHY_MAX, "%s: \"%.*s\" (write it in its xn-- form)", what, QUOTE_MAX, text);
    else
        snprintf(why, SLIP_WHY_MAX, "%s: \"%.*s\"", what, QUOTE_MAX, text);
}

bool name_read(const char *text, struct name *ret, char why[SLIP_WHY_MAX])
{
    struct block block;
    struct slip  slip = {.text = strdup(text)};
    bool         good = false;
    if (strcmp(text, "@") == 0) {
        snprintf(why, SLIP_WHY_MAX,
                 "\"@\" is a name in a zone file only (write the zone's name, or \".\" for all names)");
    } else if (block_read(text, &block)) {
        tell_block(text, &block, why);
    } else if (!slip.text) {
        snprintf(why, SLIP_WHY_MAX, "out of memory");
    } else {
        bool known = peel(&slip);
        good       = !slip.what && name_parse(text, ret);
        if (!good)
            tell(text, &slip, known, why);
    }
    free(slip.text);
    return good;
}
