/*
 * greeting.c: see greeting.h.
 */
#include "ctl/greeting.h"

#include <string.h>

enum {
    CODE = 3 /* digits */
};

static bool is_reply(const char *line)
{
    if (strspn(line, "0123456789") != CODE || !strchr("245", line[0]))
        return false;
    return line[CODE] == 0 || line[CODE] == ' ' || line[CODE] == '-';
}

static void hear_line(struct greeting *greeting)
{
    if (greeting->line_len > 0 && greeting->line[greeting->line_len - 1] == '\r')
        greeting->line_len--;
    greeting->line[greeting->line_len] = 0;
    greeting->line_len                 = 0;
    if (!is_reply(greeting->line) || (*greeting->first && strncmp(greeting->first, greeting->line, CODE) != 0))
        greeting->wrong = true;
    greeting->whole = greeting->line[0] && greeting->line[CODE] != '-';
    if (!*greeting->first)
        strcpy(greeting->first, greeting->line);
}

bool greeting_hear(struct greeting *greeting, struct view bytes)
{
    for (size_t i = 0; i < bytes.len && !greeting->whole && !greeting->wrong; i++) {
        char byte = (char) bytes.data[i];
        if (byte == '\n')
            hear_line(greeting);
        else if (greeting->line_len < GREETING_LINE_MAX)
            greeting->line[greeting->line_len++] = byte ? byte : '?';
    }
    greeting->bytes += bytes.len;
    return greeting->whole || greeting->wrong || greeting->bytes >= GREETING_MAX;
}

enum greeting_outcome greeting_judge(const struct greeting *greeting, enum greeting_outcome end)
{
    if (greeting->wrong || (!*greeting->first && greeting->bytes >= GREETING_MAX))
        return GREETING_GARBAGE;
    if (!*greeting->first)
        return end;
    if (greeting->first[0] != '2')
        return GREETING_REFUSED;
    if (strncmp(greeting->first, "220", CODE) != 0)
        return GREETING_GARBAGE;
    /* who screens its clients has them wait within the greeting: its first line says enough */
    return greeting->whole || end == GREETING_SILENT ? GREETING_GREETED : end;
}

const char *greeting_word(enum greeting_outcome outcome)
{
    static const char *const words[] = {
        [GREETING_GREETED] = "greeted",         [GREETING_REFUSED] = "refused", [GREETING_TIMEOUT] = "timeout",
        [GREETING_UNREACHABLE] = "unreachable", [GREETING_RESET] = "reset",     [GREETING_SILENT] = "silent",
        [GREETING_CLOSED] = "closed",           [GREETING_GARBAGE] = "garbage",
    };
    return words[outcome];
}
