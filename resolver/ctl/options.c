/*
 * options.c: see options.h.
 */
#include "ctl/options.h"

#include "base/spelling.h"
#include "ctl/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char *const names[] = {"--socket", "--json", "--no-headers", "--help", "--version"};

const char *options_name(size_t at) { return at < ARRAY_LEN(names) ? names[at] : NULL; }

void options_help(FILE *to, const char *socket)
{
    fprintf(to,
            "usage: bywayctl [-s SOCKET] [--json] [--no-headers] COMMAND ...\n"
            "Talks to a running bywayd. Options may stand anywhere.\n\n"
            "  -s, --socket SOCKET   where it listens (default: %s)\n"
            "  --json                print its answer as JSON\n"
            "  --no-headers          tables without the line of column names, for scripts\n"
            "  -h, --help            this text; with a command: how to use it\n"
            "  -V, --version         the version of this program\n",
            socket);
}

__attribute__((format(printf, 2, 3))) static bool wrong(char why[OPTIONS_WHY_MAX], const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(why, OPTIONS_WHY_MAX, format, values);
    va_end(values);
    return false;
}

static bool is_flag(const char *word, const char *brief, const char *name)
{
    return strcmp(word, brief) == 0 || strcmp(word, name) == 0;
}

/* What stands in the same word as the option ("--socket=PATH", "-s/PATH"); NULL: nothing. "-state" is a slip. */
static const char *value_within(const char *word)
{
    if (strncmp(word, "--socket=", 9) == 0)
        return word + 9;
    return strncmp(word, "-s/", 3) == 0 || strncmp(word, "-s.", 3) == 0 ? word + 2 : NULL;
}

static bool take_socket(const char *path, struct options *options, char why[OPTIONS_WHY_MAX])
{
    size_t most = sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1;
    if (*path == 0)
        return wrong(why, "the path of the socket is empty");
    if (strlen(path) > most)
        return wrong(why, "the path of the socket is longer than %zu bytes: \"%.40s...\"", most, path);
    options->socket = path;
    return true;
}

/* An option before any command is one of ours, or nobody's. */
static bool complain_of(const char *word, char why[OPTIONS_WHY_MAX])
{
    const char *meant = NULL;
    size_t      best  = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (spelling_is_nearer(word, names[i], &best))
            meant = names[i];
    if (meant)
        return wrong(why, "unknown option \"%.100s\" (did you mean \"%s\"?)", word, meant);
    return wrong(why, "unknown option \"%.100s\" (see bywayctl --help)", word);
}

bool options_take(int *count, char **words, struct options *ret, char why[OPTIONS_WHY_MAX])
{
    int left   = 0;
    *ret       = (struct options){0};
    ret->plain = *count;
    for (int i = 0; i < *count; i++) {
        char *word = words[i];

        if (ret->plain < *count) {
            words[left++] = word;
        } else if (strcmp(word, "--") == 0) {
            ret->plain = left;
        } else if (strcmp(word, "--json") == 0) {
            ret->json = true;
        } else if (strcmp(word, "--no-headers") == 0) {
            ret->no_headers = true;
        } else if (is_flag(word, "-h", "--help")) {
            ret->help = true;
        } else if (is_flag(word, "-V", "--version")) {
            ret->version = true;
        } else if (is_flag(word, "-s", "--socket")) {
            if (++i == *count)
                return wrong(why, "%s needs a value", word);
            if (!take_socket(words[i], ret, why))
                return false;
        } else if (value_within(word)) {
            if (!take_socket(value_within(word), ret, why))
                return false;
        } else if (left == 0 && word[0] == '-') {
            return complain_of(word, why);
        } else {
            words[left++] = word;
            if (commands_have_option(word) && i + 1 < *count)
                words[left++] = words[++i];
        }
    }
    *count = left;
    return true;
}
