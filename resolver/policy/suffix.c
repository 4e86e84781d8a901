/*
 * suffix.c: where registrable domains begin. The only file that sees libpsl; it must not know what is learned. The
 * workers ask it where to note a good answer, the learner how high a verdict may stand.
 *
 * libpsl reads text in which a dot separates labels. A DNS label may hold any byte, a dot too, so every byte that no
 * host name has becomes "_" on the way: no rule of the list has that letter, hence such a label matches nothing but a
 * wildcard. Text and wire form have the same length, so an offset into one is an offset into the other.
 */
#include "policy/suffix.h"

#include <libpsl.h>
#include <stdlib.h>

struct suffix {
    psl_ctx_t *list;
};

enum {
    SUFFIX_LABELS = 16, /* longer than any rule of the list, and a bound on libpsl's work for deep names */
    IPV4_SHORTEST = 2,  /* /16, in labels below in-addr.arpa */
    IPV4_USUAL    = 3,  /* /24 */
    IPV6_SHORTEST = 8,  /* /32, in labels below ip6.arpa */
    IPV6_USUAL    = 12, /* /48 */
    REVERSE_ROOT  = 2,  /* labels of either root */
};

static const uint8_t in_addr_arpa[] = "\7in-addr\4arpa";
static const uint8_t ip6_arpa[]     = "\3ip6\4arpa";

struct suffix *suffix_open(void)
{
    struct suffix *suffix = malloc(sizeof *suffix);
    if (!suffix)
        return NULL;
    suffix->list = psl_latest(NULL);
    if (!suffix->list)
        suffix->list = (psl_ctx_t *) psl_builtin();
    if (!suffix->list) {
        free(suffix);
        return NULL;
    }
    return suffix;
}

void suffix_close(struct suffix *suffix)
{
    if (!suffix)
        return;
    psl_free(suffix->list); /* leaves the built-in one alone */
    free(suffix);
}

/* Labels below /24, such as RFC 2317's, belong to their /24. */
static struct view reverse_registrable(struct view name, size_t shortest, size_t usual)
{
    if (name_labels(name) < REVERSE_ROOT + shortest)
        return (struct view){0};
    return name_tail(name, REVERSE_ROOT + usual);
}

static char text_letter(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char) (byte + ('a' - 'A'));
    bool host = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
    return host ? (char) byte : '_';
}

/* "\3www\7example\3com\0" as "www.example.com". */
static void text_from(struct view name, char text[NAME_WIRE_MAX])
{
    size_t at = 0;
    while (name.data[at] != 0) {
        size_t end = at + 1 + name.data[at];
        for (size_t i = at + 1; i < end; i++)
            text[i - 1] = text_letter(name.data[i]);
        text[end - 1] = '.';
        at            = end;
    }
    text[at > 0 ? at - 1 : 0] = '\0';
}

struct view suffix_registrable(const struct suffix *suffix, struct view name)
{
    if (name_is_at_or_below(name, (struct view){in_addr_arpa, sizeof in_addr_arpa}))
        return reverse_registrable(name, IPV4_SHORTEST, IPV4_USUAL);
    if (name_is_at_or_below(name, (struct view){ip6_arpa, sizeof ip6_arpa}))
        return reverse_registrable(name, IPV6_SHORTEST, IPV6_USUAL);

    char        text[NAME_WIRE_MAX];
    struct view tail = name_tail(name, SUFFIX_LABELS);
    text_from(tail, text);
    const char *domain = psl_registrable_domain(suffix->list, text);
    if (!domain)
        return (struct view){0};
    size_t skip = (size_t) (domain - text);
    return (struct view){tail.data + skip, tail.len - skip};
}

bool suffix_learnable(const struct suffix *suffix, struct view zone)
{
    return suffix_registrable(suffix, zone).len > 0;
}
