/*
 * maillog_names.c: see maillog_names.h.
 */
#include "ctl/maillog_names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
    REVERSE_MAX = 80, /* 32 digits, each with a dot, and "ip6.arpa" */
    TOKEN_MAX   = 512 /* bytes of an address that are looked at: a local part, '@', a name */
};

/* The name that is asked for when it is looked up what an address is called. */
static bool reverse_name(const char *text, char ret[REVERSE_MAX])
{
    uint8_t bytes[16];
    size_t  len = 0;
    if (inet_pton(AF_INET, text, bytes) == 1) {
        snprintf(ret, REVERSE_MAX, "%d.%d.%d.%d.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return false;
    for (int i = 15; i >= 0; i--)
        len += (size_t) snprintf(ret + len, REVERSE_MAX - len, "%x.%x.", bytes[i] & 15, bytes[i] >> 4);
    snprintf(ret + len, REVERSE_MAX - len, "ip6.arpa");
    return true;
}

/* What stands behind the last '@', which a URL writes "%40". */
static char *domain_of(char *address)
{
    char *at = strrchr(address, '@');
    if (at)
        return at + 1;
    at = strstr(address, "%40");
    return at ? at + 3 : address;
}

/* Cuts off what no name holds. An address in brackets is left without them. */
static char *trim(char *name)
{
    if (*name == '[') {
        name++;
        if (strncmp(name, "IPv6:", 5) == 0)
            name += 5;
    }
    char *report = strstr(name, "._("); /* the end of a sentence of qmail's: "a.example._(#5.1.2)" */
    if (report)
        *report = 0;
    name[strcspn(name, " \t<>[](){}\"',;|/=&")] = 0;
    return name;
}

bool maillog_names_read(struct view piece, char ret[NAME_TEXT_MAX])
{
    char        token[TOKEN_MAX], reverse[REVERSE_MAX];
    struct name name;
    size_t      len = piece.len < TOKEN_MAX - 1 ? piece.len : TOKEN_MAX - 1;
    memcpy(token, piece.data, len);
    token[len] = 0;
    if (token[0] != '<') /* in brackets a local part may hold blanks */
        token[strcspn(token, " \t>\"';|")] = 0;
    else
        token[strcspn(token, ">|")] = 0;
    char *text = trim(domain_of(token + (token[0] == '<')));
    if (reverse_name(text, reverse))
        text = reverse;
    else
        text[strcspn(text, ":")] = 0;
    if (reverse_name(text, reverse)) /* what stood before a colon */
        text = reverse;
    if (!name_parse(text, &name) || name.len <= 1)
        return false;
    name_format(name_view(&name), ret);
    return true;
}
