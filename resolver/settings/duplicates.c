/*
 * duplicates.c: see duplicates.h. The syntax is known to be right, so each function takes the next token for granted.
 * Nesting is bounded by jansson's own limit (2048).
 */
#include "settings/duplicates.h"

#include <string.h>

struct scan {
    struct reader *reader;
    const char    *at;
    unsigned       line;
};

static void scan_value(struct scan *scan, const struct place *place, bool comment);

static void skip_blanks(struct scan *scan)
{
    for (; *scan->at != '\0' && strchr(" \t\r\n", *scan->at); scan->at++)
        if (*scan->at == '\n')
            scan->line++;
}

static void skip_string(struct scan *scan)
{
    for (scan->at++; *scan->at != '"'; scan->at++)
        if (*scan->at == '\\')
            scan->at++;
    scan->at++;
}

/* The key at the scan, decoded: "\u0061" and "a" are the same one. NULL: no memory, told. */
static json_t *scan_key(struct scan *scan)
{
    const char *start = scan->at;
    skip_string(scan);
    const struct view text = {(const uint8_t *) start, (size_t) (scan->at - start)};
    json_t           *key;
    reader_parse(scan->reader, text, JSON_DECODE_ANY, &key, NULL);
    return key;
}

/* `seen` maps each key of the object to its line. */
static void check_key(struct scan *scan, const struct place *place, json_t *seen)
{
    const json_t *first = json_object_get(seen, place->key);
    if (first)
        reader_error(scan->reader, place, "given twice (lines %lld and %u)", (long long) json_integer_value(first),
                     scan->line);
    else if (json_object_set_new(seen, place->key, json_integer(scan->line)) < 0)
        reader_no_memory(scan->reader);
}

static void scan_object(struct scan *scan, const struct place *place, bool comment)
{
    json_t *seen = json_object();
    if (!seen)
        reader_no_memory(scan->reader);
    scan->at++;
    skip_blanks(scan);
    while (*scan->at != '}') {
        json_t      *key  = scan_key(scan);
        const char  *word = json_string_value(key);
        struct place here = {.up = place, .key = word ? word : ""};
        bool         hush = comment || here.key[0] == '#';
        if (!hush && word && seen)
            check_key(scan, &here, seen);
        skip_blanks(scan);
        scan->at++; /* the colon */
        skip_blanks(scan);
        scan_value(scan, &here, hush);
        json_decref(key);
        skip_blanks(scan);
        if (*scan->at == ',')
            scan->at++;
        skip_blanks(scan);
    }
    scan->at++;
    json_decref(seen);
}

static void scan_list(struct scan *scan, const struct place *place, bool comment)
{
    struct place here = {.up = place};
    scan->at++;
    skip_blanks(scan);
    while (*scan->at != ']') {
        scan_value(scan, &here, comment);
        here.index++;
        skip_blanks(scan);
        if (*scan->at == ',')
            scan->at++;
        skip_blanks(scan);
    }
    scan->at++;
}

static void scan_value(struct scan *scan, const struct place *place, bool comment)
{
    switch (*scan->at) {
    case '{':
        scan_object(scan, place, comment);
        break;
    case '[':
        scan_list(scan, place, comment);
        break;
    case '"':
        skip_string(scan);
        break;
    default:
        scan->at += strcspn(scan->at, ",]} \t\r\n");
        break;
    }
}

void duplicates_check(struct reader *reader, const char *text)
{
    struct scan scan = {.reader = reader, .at = text, .line = 1};
    skip_blanks(&scan);
    scan_value(&scan, NULL, false);
}
