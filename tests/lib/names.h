/*
 * names.h: domain names for tests of what links dns/.
 */
#ifndef LIB_NAMES_H
#define LIB_NAMES_H

#include "dns/text.h"
#include "lib/check.h"

/* "mail.example", as name_parse() takes it; what it refuses fails the test. */
static inline struct name named(const char *text)
{
    struct name name;
    if (!name_parse(text, &name))
        fail_msg("not a name: %s", text);
    return name;
}

#endif
