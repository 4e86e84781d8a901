/*
 * report.c: what was found, as a letter to those whose domain it is; see print.h. Plain text of 72 columns in their
 * words: of what stands on this side of the border it says only what they can do something about.
 */
#include "base/units.h"
#include "ctl/explained.h"
#include "ctl/print_internal.h"

#include <string.h>

enum {
    COLUMNS = 72,
    ASIDE   = 4 /* columns before what is quoted */
};

/* For "%.*s": a name as people write it, without its final dot. */
#define NAME_OF(object, key) length_of(text_of(object, key)), text_of(object, key)

static int length_of(const char *name)
{
    size_t len = strlen(name);
    return (int) (len > 1 && name[len - 1] == '.' ? len - 1 : len);
}

/* ---- lines ---- */

struct line {
    FILE  *to;
    size_t indent, column;
};

static void put_word(struct line *line, const char *word)
{
    size_t columns;
    safe_fit(word, SIZE_MAX, &columns);
    if (line->column > line->indent && line->column + 1 + columns > COLUMNS) {
        fprintf(line->to, "\n%*s", (int) line->indent, "");
        line->column = line->indent;
    }
    if (line->column > line->indent) {
        fputc(' ', line->to);
        line->column++;
    }
    for (size_t len; *word; word += len) {
        size_t room = COLUMNS - line->column;
        len         = safe_fit(word, room, &columns);
        fprintf(line->to, "%.*s", (int) len, word);
        line->column += columns;
        if (!word[len])
            break;
        fprintf(line->to, "\n%*s", (int) line->indent, ""); /* it is longer than a line */
        line->column = line->indent;
    }
}

/* Words until a line is full, and then the next. `first`: what stands before the first line, in the room of the indent. */
static void fill(FILE *to, const char *first, size_t indent, const char *text)
{
    struct line line = {.to = to, .indent = indent, .column = indent};
    char       *safe = safe_text(text), *rest = safe;
    fprintf(to, "%-*s", (int) indent, first);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word)
            put_word(&line, word);
    fputc('\n', to);
    free(safe);
}

__attribute__((format(printf, 2, 3))) static void paragraph(FILE *to, const char *format, ...)
{
    char   *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    fputc('\n', to);
    fill(to, "", 0, text);
    free(text);
}

/* ---- what is wrong on their side ---- */

static bool is_theirs(json_t *finding)
{
    const char *grade = text_of(finding, "grade");
    return strcmp(text_of(finding, "side"), "domain") == 0 &&
           (strcmp(grade, "problem") == 0 || strcmp(grade, "cause") == 0);
}

static void write_record(FILE *to, json_t *finding)
{
    const char *record = json_string_value(json_object_get(finding, "record"));
    const char *name   = json_string_value(json_object_get(finding, "name"));
    const char *type   = json_string_value(json_object_get(finding, "type"));
    char       *where  = NULL;
    if (!name && !record)
        return;
    if (asprintf(&where, "%s%s%s%s", name ? name : "", name && type ? " " : "", type ? type : "", record ? ":" : "") <
        0)
        abort();
    fill(to, "", ASIDE, where);
    free(where);
    if (record)
        fill(to, "", (size_t) 2 * ASIDE, record);
}

/* No part of a name: "external.example". */
static bool is_word(const char *text, const char *at, size_t len)
{
    static const char joins[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return (at == text || !strchr(joins, at[-1])) && (!at[len] || !strchr(joins, at[len])) &&
           !(at[len] == '.' && at[len + 1] && at[len + 1] != ' ');
}

/* One word in place of another, wherever it stands; on the heap. Takes `text`. */
static char *replaced(char *text, const char *word, const char *by)
{
    char  *ret = NULL, *rest = text;
    size_t len = 0;
    FILE  *to  = open_memstream(&ret, &len);
    if (!to)
        abort();
    for (char *at; (at = strstr(rest, word)); rest = at + strlen(word))
        fprintf(to, "%.*s%s", (int) (at - rest), rest, is_word(text, at, strlen(word)) ? by : word);
    fputs(rest, to);
    fclose(to);
    free(text);
    return ret;
}

/* What domestic and external are nobody else knows. */
static char *in_their_words(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return replaced(replaced(copy, "domestic", "our resolver"), "external", "a resolver elsewhere");
}

static size_t write_wrong(FILE *to, json_t *findings)
{
    size_t  count = 0, i;
    json_t *finding;
    char    number[32], *text;
    json_array_foreach(findings, i, finding)
    {
        if (!is_theirs(finding))
            continue;
        if (count++ == 0)
            paragraph(to, "What is wrong on your side:");
        snprintf(number, sizeof(number), "%zu.", count);
        fputc('\n', to);
        text = in_their_words(text_of(finding, "text"));
        fill(to, number, ASIDE, text);
        free(text);
        write_record(to, finding);
    }
    return count;
}

/* ---- what they cannot help ---- */

static bool is_usable(const char *outcome)
{
    return strcmp(outcome, "answer") == 0 || strcmp(outcome, "nodata") == 0 || strcmp(outcome, "nxdomain") == 0;
}

/* It is well, but not from here. */
static bool is_cut_off(json_t *zone)
{
    const char *domestic = json_string_value(json_object_get(zone, "domestic"));
    const char *external = json_string_value(json_object_get(zone, "external"));
    if (strcmp(text_of(zone, "state"), "blocked") == 0)
        return true;
    return domestic && external && !is_usable(domestic) && is_usable(external);
}

/* Port 53 goes without saying. */
static void write_server(FILE *to, json_t *server)
{
    const char *address = text_of(server, "address"), *end = strrchr(address, ':');
    size_t      len   = end && strcmp(end, ":53") == 0 ? (size_t) (end - address) : strlen(address);
    bool        boxed = len > 1 && len < strlen(address) && address[0] == '[' && address[len - 1] == ']';
    char       *text  = NULL;
    if (asprintf(&text, "%.*s %.*s", NAME_OF(server, "name"), (int) len - 2 * boxed, address + boxed) < 0)
        abort();
    fill(to, "", ASIDE, text);
    free(text);
}

/* Of the servers those that have not answered by any transport; returns how many that are. */
static size_t write_servers(FILE *to, json_t *servers)
{
    json_t *answer = json_object(), *server;
    size_t  count  = 0, i;
    json_array_foreach(servers, i, server)
    {
        if (explained_answers(server))
            json_object_set_new(answer, text_of(server, "address"), json_true());
    }
    json_array_foreach(servers, i, server)
    {
        const char *address = text_of(server, "address");
        if (json_object_get(answer, address))
            continue;
        json_object_set_new(answer, address, json_false());
        if (count++ == 0)
            paragraph(to, "These of its name servers do not answer us:");
        write_server(to, server);
    }
    json_decref(answer);
    return count;
}

/* Where no DNS leaves this machine, that a server is silent says nothing of the server. */
static bool means_silence(json_t *findings)
{
    size_t  i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
    {
        if (strcmp(text_of(finding, "tag"), "direct-unknown") == 0)
            return false;
    }
    return true;
}

static size_t write_cut_off(FILE *to, json_t *zones, bool silence)
{
    size_t  count = 0, silent = 0, i;
    json_t *zone;
    json_array_foreach(zones, i, zone)
    {
        bool forged = strcmp(text_of(zone, "domestic"), "forged") == 0;
        if (!is_cut_off(zone))
            continue;
        if (count++ == 0)
            paragraph(to, "What is not your fault:");
        if (forged)
            paragraph(to, "Answers for %.*s (%s) are forged on their way to our network.", NAME_OF(zone, "zone"),
                      text_of(zone, "role"));
        else
            paragraph(to, "%.*s (%s) cannot be looked up from our network; elsewhere it can.", NAME_OF(zone, "zone"),
                      text_of(zone, "role"));
        silent += forged || !silence ? 0 : write_servers(to, json_object_get(zone, "servers"));
    }
    if (silent > 0)
        paragraph(to,
                  "A name server more for the zone, in another network or another country than these, or one of them "
                  "moved there, would let mail servers here find it again.");
    return count;
}

/* ---- what is in order ---- */

/* How it is looked up here, and by what, is nobody else's business. */
static bool is_for_others(json_t *finding)
{
    static const char *const ours[] = {"domestic", "external", "byway", "upstream"};
    const char              *text   = text_of(finding, "text");
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcasestr(text, ours[i]))
            return false;
    return strcmp(text_of(finding, "grade"), "ok") == 0 && strcmp(text_of(finding, "side"), "here") != 0;
}

static void write_well(FILE *to, json_t *findings)
{
    size_t  count = 0, i;
    json_t *finding;
    json_array_foreach(findings, i, finding)
    {
        if (!is_for_others(finding))
            continue;
        if (count++ == 0) {
            paragraph(to, "What we have looked at, and found in order:");
            fputc('\n', to);
        }
        fill(to, "-", 2, text_of(finding, "text"));
    }
}

void print_report(FILE *to, json_t *result, wall_t now)
{
    json_t *findings = json_object_get(result, "findings");
    char    when[TIME_TEXT_MAX];
    time_format(now, when);
    fputs("Hello,\n", to);
    paragraph(to,
              "mail between our users and %.*s depends on what DNS says of that domain. We have looked at it, from our "
              "network and from elsewhere, on %.10s at %.5s UTC.",
              NAME_OF(result, "domain"), when, when + strlen("2026-01-31T"));
    size_t wrong   = write_wrong(to, findings);
    size_t cut_off = write_cut_off(to, json_object_get(result, "zones"), means_silence(findings));
    if (wrong == 0 && cut_off == 0)
        paragraph(to, "We have found nothing wrong with it.");
    else if (wrong == 0)
        paragraph(to, "On your side we have found nothing wrong.");
    write_well(to, findings);
    paragraph(to, "Kind regards");
}
