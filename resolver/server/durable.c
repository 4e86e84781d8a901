/*
 * durable.c: see durable.h.
 */
#include "server/durable.h"

#include <stdlib.h>

enum {
    KEPT_LOOK = 10,   /* ms between looks at the disk's progress */
    KEPT_WAIT = 2000, /* ms that a slow disk may hold a reply back; a failing one does not */
};

struct kept {
    struct list          link;
    struct control_call *call;
    json_t              *result;  /* NULL: the end of a series */
    uint64_t             records; /* that were queued when it was made */
    msec_t               deadline;
};

static void say_not_stored(json_t *result)
{
    json_t *zone;
    size_t  i;
    if (json_is_object(result))
        json_object_set_new(result, "stored", json_false());
    json_array_foreach(result, i, zone) json_object_set_new(zone, "stored", json_false());
}

/* False: it is not on disk, and has to wait for that. */
static bool reply_now(struct daemon *daemon, struct control_call *call, json_t *result, uint64_t records, bool in_time)
{
    struct store_stats stats;
    store_read_stats(daemon->store, &stats);
    bool stored = stats.synced >= records;
    if (!stored && !stats.refused && in_time)
        return false;
    if (!result) {
        control_end_series(call);
        return true;
    }
    if (!stored)
        say_not_stored(result);
    control_reply(call, result);
    return true;
}

static void reply_when_kept(struct daemon *daemon, struct control_call *call, json_t *result)
{
    struct store_stats stats;
    store_read_stats(daemon->store, &stats);
    struct kept *kept = malloc(sizeof(*kept));
    if (reply_now(daemon, call, result, stats.appended, kept)) {
        free(kept);
        return;
    }
    *kept =
        (struct kept){.call = call, .result = result, .records = stats.appended, .deadline = daemon->now + KEPT_WAIT};
    list_append(&daemon->kept, &kept->link);
}

void durable_reply(struct daemon *daemon, struct control_call *call, json_t *result)
{
    if (result)
        reply_when_kept(daemon, call, result);
    else
        control_reply(call, NULL);
}

void durable_end_series(struct daemon *daemon, struct control_call *call) { reply_when_kept(daemon, call, NULL); }

msec_t durable_on_time(struct daemon *daemon)
{
    LIST_EACH (item, next, &daemon->kept) {
        struct kept *kept    = CONTAINER_OF(item, struct kept, link);
        bool         in_time = daemon->now < kept->deadline && daemon->control;
        if (!reply_now(daemon, kept->call, kept->result, kept->records, in_time))
            continue;
        list_remove(item);
        free(kept);
    }
    return list_empty(&daemon->kept) ? MSEC_NEVER : daemon->now + KEPT_LOOK;
}
