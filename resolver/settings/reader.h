/*
 * reader.h: what the files of this folder share: where in the configuration we are, how an error is told, and values
 * taken out of JSON with their type and range checked. Knows no key by name.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_READER_H
#define SETTINGS_READER_H

#include "settings/settings.h"

#include <jansson.h>

struct place {
    const struct place *up;    /* NULL: the top of the file */
    const char         *key;   /* NULL: an element of a list */
    size_t              index; /* of the element */
};

struct reader {
    struct settings               *settings; /* being filled */
    const struct settings_sources *sources;
    settings_report_fn             report;
    void                          *context;
    const json_t                  *root;        /* the whole file */
    bool                           failed;      /* an error was told */
    bool                           resolv_conf; /* the domestic upstreams are those that it names */
};

/* Tells one error or warning; `place` NULL: none is shown. What is not printable comes out as \xHH. */
void reader_error(struct reader *reader, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_warning(struct reader *reader, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reader_no_memory(struct reader *reader);
/* Reads JSON; *ret is NULL where it is none, and *ret_error (or NULL) says why. False: no memory, told. */
bool reader_parse(struct reader *reader, struct view text, size_t flags, json_t **ret, json_error_t *ret_error);
/* A copy on the heap; NULL: no memory, told. */
char *reader_copy(struct reader *reader, const char *text);

/* Each tells what is wrong with `value` and returns false (or NULL), or fills *ret. Bounds are inclusive. */
const char *value_text(struct reader *reader, const struct place *place, const json_t *value, const char *expected);
bool        value_list(struct reader *reader, const struct place *place, const json_t *value, const char *expected);
bool        value_object(struct reader *reader, const struct place *place, const json_t *value);
bool value_number(struct reader *reader, const struct place *place, const json_t *value, int64_t low, int64_t high,
                  int64_t *ret);
/* A number of percent, fractions too: bounds and *ret in hundredths of a percent. */
bool value_percent(struct reader *reader, const struct place *place, const json_t *value, uint32_t low, uint32_t high,
                   uint32_t *ret);
bool value_duration(struct reader *reader, const struct place *place, const json_t *value, msec_t low, msec_t high,
                    msec_t *ret);
/* Whole seconds, at most a year. */
bool value_seconds(struct reader *reader, const struct place *place, const json_t *value, uint32_t *ret);
bool value_size(struct reader *reader, const struct place *place, const json_t *value, uint64_t low, uint64_t high,
                uint64_t *ret);
/* One of `words`, which ends with NULL: its index. */
bool value_word(struct reader *reader, const struct place *place, const json_t *value, const char *const *words,
                size_t *ret);
/* An absolute path shorter than `cap` bytes, copied. */
bool value_path(struct reader *reader, const struct place *place, const json_t *value, size_t cap, char **ret);

/* Tells every key of `object` that is not in `words` (ends with NULL) and no comment. */
void reader_known_keys(struct reader *reader, const struct place *place, const json_t *object,
                       const char *const *words);

#endif
