/*
 * import.c: see import.h.
 */
#include "ctl/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PIECE = 1000 /* zones a request: 300 kB or so */
};

static const char *name_of(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }

__attribute__((format(printf, 3, 4))) static json_t *wrong(struct client *client, const char *path, const char *format,
                                                           ...)
{
    char    why[256];
    va_list values;

    va_start(values, format);
    vsnprintf(why, sizeof(why), format, values);
    va_end(values);
    snprintf(client->why, sizeof(client->why), "%s: %s", name_of(path), why);
    return NULL;
}

/* The file as JSON, the caller's; NULL: told. */
static json_t *file_read(struct client *client, const char *path)
{
    bool         stdio = strcmp(path, "-") == 0;
    FILE        *from  = stdio ? stdin : fopen(path, "re");
    json_t      *file  = NULL;
    struct stat  facts;
    json_error_t error;

    if (!from)
        return wrong(client, path, "%s", strerror(errno));
    if (fstat(fileno(from), &facts) == 0 && S_ISDIR(facts.st_mode))
        wrong(client, path, "a directory, where a file is expected");
    else if (!(file = json_loadf(from, JSON_REJECT_DUPLICATES, &error)) && error.position <= 0)
        wrong(client, path, "empty, where an export is expected");
    else if (!file)
        snprintf(client->why, sizeof(client->why), "%s:%d:%d: %s", name_of(path), error.line,
                 error.column > 0 ? error.column : 1, error.text);
    if (!stdio)
        fclose(from);
    return file;
}

/* NULL, or what `file` lacks to be an export. */
static const char *unfit(const json_t *file)
{
    const json_t *version = json_object_get(file, "version"), *zones = json_object_get(file, "zones");
    if (json_is_array(file))
        return NULL;
    if (!version && !zones)
        return "no export: it has neither \"version\" nor \"zones\"";
    if (!version)
        return "no export: \"version\" is missing";
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return "no export that this version knows: \"version\" must be 1";
    if (!zones)
        return "no export: \"zones\" is missing";
    return json_is_array(zones) ? NULL : "no export: \"zones\" must be an array";
}

/* The array of zones, the caller's; NULL: `client->why` says it. */
static json_t *import_read(struct client *client, const char *path)
{
    json_t     *file  = file_read(client, path);
    const char *why   = file ? unfit(file) : NULL;
    json_t     *zones = NULL;
    if (why)
        wrong(client, path, "%s", why);
    else if (file)
        zones = json_incref(json_is_array(file) ? file : json_object_get(file, "zones"));
    json_decref(file);
    return zones;
}

static void add_count(json_t *sum, const json_t *part, const char *key)
{
    json_int_t count = json_integer_value(json_object_get(part, key));

    json_object_set_new(sum, key, json_integer(json_integer_value(json_object_get(sum, key)) + count));
}

static void add_part(json_t *sum, const json_t *part)
{
    add_count(sum, part, "imported");
    add_count(sum, part, "skipped");
    add_count(sum, part, "refused");
    json_array_extend(json_object_get(sum, "refusals"), json_object_get(part, "refusals"));
}

enum client_result import_run(struct client *client, const char *path, json_t **ret_result)
{
    enum client_result result = CLIENT_FAILED;
    json_t            *zones = import_read(client, path), *part = NULL;
    json_t            *sum = json_pack("{s:i, s:i, s:i, s:[]}", "imported", 0, "skipped", 0, "refused", 0, "refusals");
    size_t             at  = 0;
    if (!zones)
        goto out;
    do { /* once for no zones too, so that the daemon says whether we may */
        json_t *piece = json_array();
        for (size_t end = at + PIECE; at < end && at < json_array_size(zones); at++)
            json_array_append(piece, json_array_get(zones, at));
        result = client_call(client, "zones.import", json_pack("{s:o}", "zones", piece), &part);
        if (result != CLIENT_DONE)
            goto out;
        add_part(sum, part);
        json_decref(part);
    } while (at < json_array_size(zones));
    *ret_result = json_incref(sum);
out:
    json_decref(zones);
    json_decref(sum);
    return result;
}
