/*
 * maillog_cured.c: see maillog_cured.h.
 */
#include "ctl/maillog_cured.h"

#include <string.h>

/* What is above "a.b.example."; NULL: nothing but the root. */
static const char *parent_of(const char *name)
{
    for (; *name; name++) {
        if (*name == '\\' && name[1])
            name++;
        else if (*name == '.')
            return name[1] ? name + 1 : NULL;
    }
    return NULL;
}

/* name -> whether it goes to external. A zone speaks for all below it, a name for itself only; types of a name speak
 * for neither. */
static json_t *index_of(json_t *zones, const char *wanted)
{
    json_t *index = json_object(), *zone;
    size_t  i;
    json_array_foreach(zones, i, zone)
    {
        const char *name  = json_string_value(json_object_get(zone, "zone"));
        const char *scope = json_string_value(json_object_get(zone, "scope"));
        const char *via   = json_string_value(json_object_get(zone, "via"));
        if (name && scope && via && strcmp(scope, wanted) == 0)
            json_object_set_new(index, name, json_boolean(strcmp(via, "external") == 0));
    }
    return index;
}

/* The closest entry decides. */
static bool is_cured(const char *domain, json_t *names, json_t *zones)
{
    json_t *found = json_object_get(names, domain);
    for (; domain && !found; domain = parent_of(domain))
        found = json_object_get(zones, domain);
    return json_is_true(found);
}

/* Another server's trouble is not ended by what this daemon does. */
static bool is_ours(json_t *entry)
{
    const char *kind = json_string_value(json_object_get(entry, "kind"));
    return kind && strcmp(kind, "remote") != 0;
}

enum client_result maillog_cured_set(struct client *client, json_t *list)
{
    json_t            *answer = NULL, *entry;
    size_t             i;
    enum client_result result = client_call(client, "zones.list", json_object(), &answer);
    if (result != CLIENT_DONE)
        return result;
    json_t *names = index_of(answer, "name"), *zones = index_of(answer, "zone");
    json_array_foreach(list, i, entry)
    {
        const char *domain = json_string_value(json_object_get(entry, "domain"));
        json_object_set_new(entry, "cured", json_boolean(domain && is_ours(entry) && is_cured(domain, names, zones)));
    }
    json_decref(names);
    json_decref(zones);
    json_decref(answer);
    return CLIENT_DONE;
}

/* Nothing is wrong any more, and byway is the reason. */
static bool is_carried(json_t *explained)
{
    const char *verdict = json_string_value(json_object_get(explained, "verdict"));
    json_t     *finding;
    size_t      i;
    if (!verdict || strcmp(verdict, "fine") != 0)
        return false;
    json_array_foreach(json_object_get(explained, "findings"), i, finding)
    {
        const char *tag = json_string_value(json_object_get(finding, "tag"));
        if (tag && strcmp(tag, "carried") == 0)
            return true;
    }
    return false;
}

void maillog_cured_add_explained(json_t *list)
{
    json_t *entry;
    size_t  i;
    json_array_foreach(list, i, entry)
    {
        if (is_ours(entry) && is_carried(json_object_get(entry, "explain")))
            json_object_set_new(entry, "cured", json_true());
    }
}
