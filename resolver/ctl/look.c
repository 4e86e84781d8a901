/*
 * look.c: see look.h.
 */
#include "ctl/look.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct look look;

size_t look_width(const char *columns, size_t terminal)
{
    char *end   = NULL;
    long  width = columns ? strtol(columns, &end, 10) : 0;
    return width > 0 && width < 10000 && *end == 0 ? (size_t) width : terminal;
}

/* no-color.org: NO_COLOR set to anything but "". */
static bool wants_colour(void)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return (!refused || *refused == 0) && terminal && strcmp(terminal, "dumb") != 0;
}

struct look look_of(FILE *to)
{
    struct winsize size = {0};
    struct look    ret  = {.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    if (!isatty(fileno(to)))
        return ret;
    ioctl(fileno(to), TIOCGWINSZ, &size);
    ret.width  = look_width(getenv("COLUMNS"), size.ws_col);
    ret.colour = wants_colour();
    return ret;
}

void               look_set(const struct look *set) { look = *set; }
const struct look *look_now(void) { return &look; }

const char *look_ellipsis(void) { return look.utf8 ? "\xe2\x80\xa6" : "..."; }

const char *look_word(const char *word)
{
    static const struct {
        const char *word, *sequence;
    } meanings[] = {
        {"blocked", "\x1b[31m"},    {"broken", "\x1b[31m"},  {"down", "\x1b[31m"},          {"loop", "\x1b[31m"},
        {"SERVFAIL", "\x1b[31m"},   {"REFUSED", "\x1b[31m"}, {"FORMERR", "\x1b[31m"},       {"NOTIMP", "\x1b[31m"},
        {"forged", "\x1b[31m"},     {"cause", "\x1b[31m"},   {"misconfigured", "\x1b[31m"}, {"problem", "\x1b[33m"},
        {"fine", "\x1b[32m"},       {"ok", "\x1b[32m"},      {"suspect", "\x1b[33m"},       {"outdone", "\x1b[33m"},
        {"recovering", "\x1b[33m"}, {"up", "\x1b[32m"},
    };
    for (size_t i = 0; look.colour && i < ARRAY_LEN(meanings); i++)
        if (strcmp(word, meanings[i].word) == 0)
            return meanings[i].sequence;
    return "";
}

const char *look_bold(void) { return look.colour ? "\x1b[1m" : ""; }
const char *look_plain(void) { return look.colour ? "\x1b[0m" : ""; }
