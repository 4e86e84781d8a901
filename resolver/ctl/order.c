/*
 * order.c: see order.h.
 */
#include "ctl/order.h"

#include "dns/name.h"
#include "dns/text.h"

#include <stdlib.h>
#include <string.h>

struct ranked {
    json_t  *zone;
    uint8_t *name; /* wire form; NULL: none */
    size_t   name_len;
    unsigned scope; /* 0: the widest */
    uint16_t type;
    size_t   at; /* where it stood */
};

static bool rank(struct ranked *ranked, json_t *zone, size_t at)
{
    const char *text = json_string_value(json_object_get(zone, "zone"));
    const char *type = json_string_value(json_object_get(zone, "type"));
    const char *word = json_string_value(json_object_get(zone, "scope"));
    struct name name;
    *ranked = (struct ranked){.zone = zone, .at = at};
    if (word)
        ranked->scope = strcmp(word, "zone") == 0 ? 0 : strcmp(word, "name") == 0 ? 1 : 2;
    if (type)
        type_parse(type, &ranked->type);
    if (!text || !name_parse(text, &name))
        return true;
    ranked->name     = malloc(name.len);
    ranked->name_len = name.len;
    if (ranked->name)
        memcpy(ranked->name, name.wire, name.len);
    return ranked->name != NULL;
}

static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    int                  order = a->name && b->name
                                     ? name_compare((struct view){a->name, a->name_len}, (struct view){b->name, b->name_len})
                                     : (a->name != NULL) - (b->name != NULL);
    if (order != 0)
        return order;
    if (a->scope != b->scope)
        return a->scope < b->scope ? -1 : 1;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

bool order_zones(json_t *zones)
{
    size_t         count = json_array_size(zones), ranked = 0;
    struct ranked *list = calloc(count + 1, sizeof(*list));
    bool           good = list != NULL;
    for (; good && ranked < count; ranked++)
        good = rank(&list[ranked], json_array_get(zones, ranked), ranked);
    if (good) {
        qsort(list, count, sizeof(*list), compare);
        for (size_t i = 0; i < count; i++)
            json_incref(list[i].zone);
        for (size_t i = 0; i < count; i++)
            json_array_set_new(zones, i, list[i].zone);
    }
    for (size_t i = 0; i < ranked; i++)
        free(list[i].name);
    free(list);
    return good;
}
