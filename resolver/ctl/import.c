/*
 * import.c: see import.h.
 */
#include "ctl/import.h"

#include <stdio.h>
#include <string.h>

enum {
    PIECE = 1000 /* zones a request: 300 kB or so */
};

/* The array of zones, the caller's; NULL: `client->why` says it. */
static json_t *import_read(struct client *client, const char *path)
{
    json_error_t error;
    json_t      *zones   = NULL;
    bool         stdio   = strcmp(path, "-") == 0;
    json_t      *file    = stdio ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                                 : json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    json_t      *version = json_object_get(file, "version");

    if (!file) {
        snprintf(client->why, sizeof(client->why), "%s:%d:%d: %s", path, error.line, error.column, error.text);
        return NULL;
    }
    zones = json_is_array(file) ? file : json_object_get(file, "zones");
    if (json_is_object(file) && (!json_is_integer(version) || json_integer_value(version) != 1))
        snprintf(client->why, sizeof(client->why), "%s: not an export of version 1", path), zones = NULL;
    else if (!json_is_array(zones))
        snprintf(client->why, sizeof(client->why), "%s: \"zones\" must be an array", path), zones = NULL;
    json_incref(zones);
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
