/*
 * presets.c: see presets.h.
 */
#include "settings/presets.h"

#include "settings/source.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUOTE_MAX       = 80,
    PRESET_NAME_MAX = 32, /* bytes */
    PRESETS_TEXT    = 400 /* bytes of a list of them in an error */
};

static bool is_preset_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char) name[i]) && name[i] != '-' && name[i] != '_')
            return false;
    return len > 0 && len <= PRESET_NAME_MAX;
}

static bool is_preset_file(const char *file, const char *suffix)
{
    size_t len = strlen(file), suffix_len = strlen(suffix);
    return file[0] != '.' && len > suffix_len && strcmp(file + len - suffix_len, suffix) == 0;
}

/* The names of the presets that there are, "none" without one. */
static const char *known_text(const char *directory, const char *suffix, char text[PRESETS_TEXT])
{
    struct dirent **entries = NULL;
    size_t          len     = 0;
    int             count   = scandir(directory, &entries, NULL, alphasort);
    snprintf(text, PRESETS_TEXT, "none");
    for (int i = 0; i < count; i++) {
        const char *file = entries[i]->d_name;
        if (is_preset_file(file, suffix) && len < PRESETS_TEXT)
            len += (size_t) snprintf(text + len, PRESETS_TEXT - len, "%s\"%.*s\"", len > 0 ? ", " : "",
                                     (int) (strlen(file) - strlen(suffix)), file);
        free(entries[i]);
    }
    free(entries);
    return text;
}

static void preset_read(struct reader *reader, const struct place *place, const char *name, const char *suffix,
                        preset_lines_fn take)
{
    const char *directory = reader->sources->presets;
    char        problem[SOURCE_PROBLEM_MAX];
    char        path[PATH_MAX], known[PRESETS_TEXT];
    size_t      len;
    int         path_len = snprintf(path, sizeof(path), "%s/%s%s", directory, name, suffix);
    if (path_len < 0 || (size_t) path_len >= sizeof(path)) {
        reader_error(reader, place, "%s: path too long", directory);
        return;
    }
    errno      = 0;
    char *text = source_read(path, &len, problem);
    if (text && strlen(text) != len)
        reader_error(reader, place, "%s: not a text file (it holds a NUL byte)", path);
    else if (text)
        take(reader, place, path, text);
    else if (errno == ENOENT)
        reader_error(reader, place, "no such preset: \"%s\" (%s has: %s)", name, directory,
                     known_text(directory, suffix, known));
    else
        reader_error(reader, place, "%s: %s", path, problem);
    free(text);
}

void presets_read(struct reader *reader, const struct place *place, const json_t *value, const char *suffix,
                  preset_lines_fn take)
{
    static const char expected[] = "a preset's name";
    if (!value_list(reader, place, value, "a list of presets' names"))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here     = {.up = place, .index = i};
        const char        *name     = value_text(reader, &here, json_array_get(value, i), expected);
        bool               repeated = false;
        if (!name)
            continue;
        for (size_t j = 0; j < i; j++)
            repeated = repeated || json_equal(json_array_get(value, i), json_array_get(value, j));
        if (repeated)
            reader_error(reader, &here, "\"%.*s\" is listed already", QUOTE_MAX, name);
        else if (!is_preset_name(name))
            reader_error(reader, &here, "not a preset's name: \"%.*s\"", QUOTE_MAX, name);
        else
            preset_read(reader, &here, name, suffix, take);
    }
}
