/*
 * reader.c: see reader.h.
 */
#include "settings/reader.h"

#include "base/printable.h"
#include "base/spelling.h"
#include "base/supply.h"
#include "base/units.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_MAX_BYTES  = 1024, /* one error; what is longer is cut */
    WORD_MAX_BYTES  = 64,
    SECONDS_IN_YEAR = 365 * 86400
};

struct line {
    char   text[LINE_MAX_BYTES];
    size_t len;
};

__attribute__((format(printf, 2, 0))) static void line_vadd(struct line *line, const char *format, va_list values)
{
    int wanted = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, format, values);
    if (wanted > 0)
        line->len += (size_t) wanted;
    if (line->len >= sizeof(line->text))
        line->len = sizeof(line->text) - 1;
}

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    line_vadd(line, format, values);
    va_end(values);
}

static bool is_plain(const char *key)
{
    for (const char *at = key; *at != '\0'; at++)
        if (!isalnum((unsigned char) *at) && *at != '_' && *at != '-')
            return false;
    return *key != '\0';
}

static void line_add_place(struct line *line, const struct place *place)
{
    if (place->up)
        line_add_place(line, place->up);
    if (!place->key)
        line_add(line, "[%zu]", place->index);
    else if (is_plain(place->key))
        line_add(line, "%s%.*s", place->up ? "." : "", WORD_MAX_BYTES, place->key);
    else
        line_add(line, "[\"%.*s\"]", WORD_MAX_BYTES, place->key);
}

__attribute__((format(printf, 4, 0))) static void tell(struct reader *reader, struct line *line,
                                                       const struct place *place, const char *format, va_list values)
{
    if (place) {
        line_add_place(line, place);
        line_add(line, ": ");
    }
    line_vadd(line, format, values);
    char safe[4 * LINE_MAX_BYTES];
    reader->report(reader->context, printable_copy(line->text, safe, sizeof(safe)));
}

void reader_error(struct reader *reader, const struct place *place, const char *format, ...)
{
    struct line line = {.len = 0};
    va_list     values;
    reader->failed = true;
    va_start(values, format);
    tell(reader, &line, place, format, values);
    va_end(values);
}

void reader_warning(struct reader *reader, const struct place *place, const char *format, ...)
{
    struct line line = {.len = 0};
    va_list     values;
    line_add(&line, "warning: ");
    va_start(values, format);
    tell(reader, &line, place, format, values);
    va_end(values);
}

void reader_no_memory(struct reader *reader) { reader_error(reader, NULL, "out of memory"); }

struct parsing {
    struct view  text;
    size_t       flags;
    json_t      *document;
    json_error_t error;
};

static void parse(void *context)
{
    struct parsing *parsing = context;
    parsing->document =
        json_loadb((const char *) parsing->text.data, parsing->text.len, parsing->flags, &parsing->error);
}

bool reader_parse(struct reader *reader, struct view text, size_t flags, json_t **ret, json_error_t *ret_error)
{
    struct parsing parsing = {.text = text, .flags = flags};
    bool           parsed  = supply_attempt(parse, &parsing);
    *ret                   = parsed ? parsing.document : NULL;
    if (parsed && ret_error)
        *ret_error = parsing.error;
    if (!parsed)
        reader_no_memory(reader);
    return parsed;
}

char *reader_copy(struct reader *reader, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        reader_no_memory(reader);
    return copy;
}

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a fraction";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        break;
    }
    return "null";
}

static void wrong_type(struct reader *reader, const struct place *place, const json_t *value, const char *expected)
{
    reader_error(reader, place, "expected %s, not %s", expected, kind_of(value));
}

const char *value_text(struct reader *reader, const struct place *place, const json_t *value, const char *expected)
{
    if (json_is_string(value))
        return json_string_value(value);
    wrong_type(reader, place, value, expected);
    return NULL;
}

bool value_list(struct reader *reader, const struct place *place, const json_t *value, const char *expected)
{
    if (json_is_array(value))
        return true;
    wrong_type(reader, place, value, expected);
    return false;
}

bool value_object(struct reader *reader, const struct place *place, const json_t *value)
{
    if (json_is_object(value))
        return true;
    wrong_type(reader, place, value, "an object");
    return false;
}

bool value_number(struct reader *reader, const struct place *place, const json_t *value, int64_t low, int64_t high,
                  int64_t *ret)
{
    if (!json_is_integer(value)) {
        wrong_type(reader, place, value, "a whole number");
        return false;
    }
    int64_t number = json_integer_value(value);
    if (number < low || number > high) {
        reader_error(reader, place, "%lld is out of range (%lld to %lld)", (long long) number, (long long) low,
                     (long long) high);
        return false;
    }
    *ret = number;
    return true;
}

bool value_percent(struct reader *reader, const struct place *place, const json_t *value, uint32_t low, uint32_t high,
                   uint32_t *ret)
{
    if (!json_is_number(value)) {
        wrong_type(reader, place, value, "a number of percent");
        return false;
    }
    double hundredths = json_number_value(value) * 100;
    if (hundredths < low || hundredths > high) {
        reader_error(reader, place, "%g is out of range (%g to %g)", json_number_value(value), low / 100.0,
                     high / 100.0);
        return false;
    }
    *ret = (uint32_t) (hundredths + 0.5);
    return true;
}

bool value_duration(struct reader *reader, const struct place *place, const json_t *value, msec_t low, msec_t high,
                    msec_t *ret)
{
    static const char expected[] = "a duration like \"250ms\", \"10m\" or \"1d\"";
    const char       *text       = value_text(reader, place, value, expected);
    if (!text)
        return false;
    msec_t duration;
    if (!duration_parse(text, &duration)) {
        reader_error(reader, place, "not a duration: \"%.*s\" (expected %s)", WORD_MAX_BYTES, text, expected);
        return false;
    }
    if (duration < low || duration > high) {
        char from[DURATION_TEXT_MAX], to[DURATION_TEXT_MAX];
        reader_error(reader, place, "%.*s is out of range (%s to %s)", WORD_MAX_BYTES, text, duration_format(low, from),
                     duration_format(high, to));
        return false;
    }
    *ret = duration;
    return true;
}

bool value_seconds(struct reader *reader, const struct place *place, const json_t *value, uint32_t *ret)
{
    msec_t duration;
    if (!value_duration(reader, place, value, 0, (msec_t) SECONDS_IN_YEAR * 1000, &duration))
        return false;
    if (duration % 1000 != 0) {
        reader_error(reader, place, "%.*s is not a whole number of seconds", WORD_MAX_BYTES, json_string_value(value));
        return false;
    }
    *ret = (uint32_t) (duration / 1000);
    return true;
}

bool value_size(struct reader *reader, const struct place *place, const json_t *value, uint64_t low, uint64_t high,
                uint64_t *ret)
{
    static const char expected[] = "a size like \"512KiB\", \"64MiB\" or \"2GiB\"";
    const char       *text       = value_text(reader, place, value, expected);
    if (!text)
        return false;
    uint64_t size;
    if (!size_parse(text, &size)) {
        reader_error(reader, place, "not a size: \"%.*s\" (expected %s)", WORD_MAX_BYTES, text, expected);
        return false;
    }
    if (size < low || size > high) {
        reader_error(reader, place, "%.*s is out of range (%lluMiB to %lluGiB)", WORD_MAX_BYTES, text,
                     (unsigned long long) (low >> 20), (unsigned long long) (high >> 30));
        return false;
    }
    *ret = size;
    return true;
}

bool value_word(struct reader *reader, const struct place *place, const json_t *value, const char *const *words,
                size_t *ret)
{
    struct line known = {.len = 0};
    line_add(&known, "one of");
    for (size_t i = 0; words[i]; i++)
        line_add(&known, "%s \"%s\"", i > 0 ? "," : "", words[i]);
    const char *text = value_text(reader, place, value, known.text);
    if (!text)
        return false;
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    reader_error(reader, place, "unknown word: \"%.*s\" (expected %s)", WORD_MAX_BYTES, text, known.text);
    return false;
}

bool value_path(struct reader *reader, const struct place *place, const json_t *value, size_t cap, char **ret)
{
    const char *text = value_text(reader, place, value, "an absolute path");
    if (!text)
        return false;
    if (text[0] != '/') {
        reader_error(reader, place, "not an absolute path: \"%.*s\"", WORD_MAX_BYTES, text);
        return false;
    }
    if (strlen(text) >= cap) {
        reader_error(reader, place, "path too long (at most %zu bytes)", cap - 1);
        return false;
    }
    *ret = reader_copy(reader, text);
    return *ret != NULL;
}

/* The one of `words` (ends with NULL) that `given` was meant to be; NULL: none is near. */
static const char *nearest(const char *given, const char *const *words)
{
    const char *found = NULL;
    size_t      best  = SIZE_MAX;
    for (size_t i = 0; words[i]; i++)
        if (spelling_is_nearer(given, words[i], &best))
            found = words[i];
    return found;
}

static bool is_among(const char *given, const char *const *words)
{
    while (*words && strcmp(*words, given) != 0)
        words++;
    return *words != NULL;
}

void reader_known_keys(struct reader *reader, const struct place *place, const json_t *object, const char *const *words)
{
    const char *key;
    json_t     *value;
    json_object_foreach((json_t *) object, key, value)
    {
        struct place here = {.up = place, .key = key};
        if (key[0] == '#' || is_among(key, words))
            continue;
        const char *hint = nearest(key, words);
        if (hint)
            reader_error(reader, &here, "unknown key (did you mean \"%s\"?)", hint);
        else
            reader_error(reader, &here, "unknown key");
    }
}
