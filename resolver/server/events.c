/*
 * events.c: see events.h.
 */
#include "server/events.h"

#include "base/units.h"
#include "dns/text.h"
#include "server/clock.h"
#include "stream/remote.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct watcher {
    struct list          link;
    struct control_call *call;
};

static void on_gone(void *context, struct control_call *call)
{
    struct watcher *watcher = context;
    list_remove(&watcher->link);
    free(watcher);
    control_end_stream(call);
}

void events_watch(struct daemon *daemon, struct control_call *call)
{
    struct watcher *watcher = malloc(sizeof(*watcher));
    if (!watcher) {
        control_fail(call, CONTROL_INTERNAL, "out of memory");
        return;
    }
    watcher->call = call;
    list_append(&daemon->watchers, &watcher->link);
    control_begin_stream(call, &(struct control_stream){watcher, on_gone});
}

static bool is_watched(const struct daemon *daemon) { return !list_empty(&daemon->watchers); }

/* Takes what it is about. */
static void tell(struct daemon *daemon, const char *word, json_t *about)
{
    char    when[TIME_TEXT_MAX];
    json_t *event = json_pack("{s:s, s:s}", "time", time_format(clock_wall(), when), "event", word);
    if (event && about && json_object_update(event, about) == 0) {
        LIST_EACH (item, next, &daemon->watchers)
            control_notify(CONTAINER_OF(item, struct watcher, link)->call, json_copy(event));
    }
    json_decref(event);
    json_decref(about);
}

static json_t *name_text(struct view name)
{
    char text[NAME_TEXT_MAX];
    return json_string(name_format(name, text));
}

static json_t *text_or_null(const char *text) { return text && *text ? json_string(text) : json_null(); }

void events_on_zone(struct daemon *daemon, const struct zone *zone, enum zone_state from, enum zone_why why)
{
    char type[TYPE_TEXT_MAX] = "";
    if (!is_watched(daemon))
        return;
    if (zone->scope == SCOPE_TYPE)
        type_format(zone->type, type);
    tell(daemon, "zone",
         json_pack("{s:o, s:s, s:o, s:s, s:s, s:o, s:s}", "zone", name_text(zone_name(zone)), "scope",
                   zone_scope_words[zone->scope], "type", text_or_null(type), "from", zone_state_words[from], "to",
                   zone_state_words[zone->condition.state], "reason",
                   text_or_null(zone_reason_words[zone->condition.reason]), "why", zone_why_words[why]));
}

void events_on_pin(struct daemon *daemon, struct view zone, enum pin pin)
{
    static const char *const ways[] = {[PIN_NONE] = NULL, [PIN_DOMESTIC] = "domestic", [PIN_EXTERNAL] = "external"};
    if (is_watched(daemon))
        tell(daemon, "pin", json_pack("{s:o, s:o}", "zone", name_text(zone), "via", text_or_null(ways[pin])));
}

void events_on_forged(struct daemon *daemon, struct view name)
{
    char text[ADDRESS_TEXT_MAX];
    if (is_watched(daemon))
        tell(daemon, "forged",
             json_pack("{s:o, s:s}", "name", name_text(name), "canary",
                       address_format(&daemon->setup->canary->address, text)));
}

static const struct group *group_of(const struct daemon *daemon, const struct server *server)
{
    for (unsigned i = 0; i < daemon->setup->group_count; i++)
        for (unsigned j = 0; j < daemon->setup->groups[i].count; j++)
            if (daemon->setup->groups[i].servers[j] == server)
                return &daemon->setup->groups[i];
    return NULL;
}

/* All of a group are down, or one of them is back. */
static void tell_outage(struct daemon *daemon, const struct group *group, bool up)
{
    unsigned down = 0;
    for (unsigned i = 0; i < group->count; i++)
        down += server_health(group->servers[i]) == HEALTH_DOWN;
    if (up ? down == group->count - 1 : down == group->count)
        tell(daemon, "outage", json_pack("{s:s, s:s}", "group", group->name, "state", up ? "end" : "begin"));
}

void events_on_upstream(struct daemon *daemon, const struct server *server, bool up, const char *problem)
{
    const struct group *group = group_of(daemon, server);
    char                text[WAY_TEXT_MAX];
    if (!is_watched(daemon) || !group)
        return;
    tell(daemon, "upstream",
         json_pack("{s:s, s:s, s:s, s:o}", "group", group->name, "upstream",
                   way_format(remote_way(server->remote), text), "state", up ? "up" : "down", "problem",
                   text_or_null(up ? NULL : problem)));
    tell_outage(daemon, group, up);
}

void events_on_blocklist(struct daemon *daemon, const struct observation *complaint)
{
    char upstream[ADDRESS_TEXT_MAX], address[INET6_ADDRSTRLEN] = "";
    if (!is_watched(daemon))
        return;
    inet_ntop(complaint->answer_len == 4 ? AF_INET : AF_INET6, complaint->answer, address, sizeof(address));
    tell(daemon, "blocklist",
         json_pack("{s:o, s:o, s:s, s:s}", "zone", name_text(name_view(&complaint->zone)), "name",
                   name_text(name_view(&complaint->name)), "answer", address, "upstream",
                   address_format(&complaint->upstream, upstream)));
}

void events_on_quota(struct daemon *daemon, uint64_t kept)
{
    if (is_watched(daemon))
        tell(daemon, "quota", json_pack("{s:I}", "kept", (json_int_t) kept));
}

void events_on_cluster(struct daemon *daemon, bool connected, const char *problem)
{
    if (is_watched(daemon))
        tell(daemon, "cluster",
             json_pack("{s:s, s:o}", "state", connected ? "connected" : "alone", "problem", text_or_null(problem)));
}

void events_on_peer(struct daemon *daemon, const char *node, bool present)
{
    if (is_watched(daemon))
        tell(daemon, "cluster", json_pack("{s:s, s:s}", "node", node, "state", present ? "up" : "down"));
}

void events_on_reload(struct daemon *daemon, const char *error)
{
    if (is_watched(daemon))
        tell(daemon, "reload",
             json_pack("{s:s, s:b, s:o}", "file", daemon->config_path, "done", error == NULL, "error",
                       text_or_null(error)));
}
