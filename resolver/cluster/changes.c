/*
 * changes.c: where the stream of changes stands, as Redis' replies tell it: see session_internal.h.
 */
#include "cluster/session_internal.h"

#include <stdlib.h>
#include <string.h>

bool position_read(const redisReply *reply, struct position *ret)
{
    char *end;
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    ret->ms = strtoull(reply->str, &end, 10);
    if (end == reply->str || *end != '-')
        return false;
    char *number = end + 1;
    ret->number  = strtoull(number, &end, 10);
    return end != number && *end == '\0';
}

bool position_before(struct position a, struct position b) { return a.ms != b.ms ? a.ms < b.ms : a.number < b.number; }

/* What an even element of XINFO's reply is called; NULL: it has none. */
static const redisReply *info_of(const redisReply *reply, const char *name)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2)
        if ((reply->element[i]->type == REDIS_REPLY_STRING || reply->element[i]->type == REDIS_REPLY_STATUS) &&
            strcmp(reply->element[i]->str, name) == 0)
            return reply->element[i + 1];
    return NULL;
}

bool changes_read(const redisReply *reply, struct changes *ret)
{
    *ret = (struct changes){0};
    if (reply->type == REDIS_REPLY_ERROR) /* no such key: nobody has written yet, or all is gone */
        return strstr(reply->str, "no such key") != NULL;
    const redisReply *last = info_of(reply, "last-generated-id"), *first = info_of(reply, "first-entry"),
                     *added = info_of(reply, "entries-added"), *length = info_of(reply, "length");
    if (!last || !position_read(last, &ret->last) || !added || !length)
        return false;
    ret->trimmed = added->integer > length->integer;
    return !first || first->type != REDIS_REPLY_ARRAY || first->elements == 0 ||
           position_read(first->element[0], &ret->first);
}
