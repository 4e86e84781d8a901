/*
 * trust.c: see trust.h.
 */
#include "upstream/trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static unsigned count_trusted(const struct group *group)
{
    unsigned count = 0;
    for (unsigned i = 0; i < group->count; i++)
        count += group->servers[i]->trusted;
    return count;
}

/* What is trusted is believed whatever its way: here nobody is needed to break DNSSEC but who stands on it. */
static bool has_forgeable(const struct group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct server *server = group->servers[i];
        if (server->trusted && !server->encrypted && !address_is_loopback(&server->address))
            return true;
    }
    return false;
}

static void add(char why[TRUST_TEXT_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char why[TRUST_TEXT_MAX], const char *format, ...)
{
    va_list arguments;
    if (why[0] != '\0')
        strncat(why, "; ", TRUST_TEXT_MAX - 1 - strlen(why));
    size_t len = strlen(why);
    va_start(arguments, format);
    vsnprintf(why + len, TRUST_TEXT_MAX - len, format, arguments);
    va_end(arguments);
}

static void add_partial(char why[TRUST_TEXT_MAX], const struct group *group)
{
    unsigned trusted = count_trusted(group);
    if (trusted > 0 && trusted < group->count)
        add(why, "only %u of %u upstreams of %s %s trusted: answers of the others have no AD", trusted, group->count,
            group->name, trusted == 1 ? "is" : "are");
    if (has_forgeable(group))
        add(why, "%s has a trusted upstream that is asked in plain DNS: who stands on the way can set AD", group->name);
}

bool trust_reaches(const struct group *domestic, const struct group *external, char ret_why[TRUST_TEXT_MAX])
{
    bool inside = count_trusted(domestic) > 0, outside = count_trusted(external) > 0;
    ret_why[0] = '\0';
    if (!inside && !outside)
        add(ret_why, "no upstream of %s or %s is trusted", domestic->name, external->name);
    else if (!inside)
        add(ret_why, "no upstream of %s is trusted: only what %s answers can have AD", domestic->name, external->name);
    else if (!outside)
        add(ret_why, "no upstream of %s is trusted: zones that go there have no AD", external->name);
    add_partial(ret_why, domestic);
    add_partial(ret_why, external);
    return inside;
}
