/*
 * lookup.c: see lookup.h.
 */
#include "methods/lookup.h"

#include "dns/text.h"
#include "methods/present.h"
#include "server/clock.h"
#include "server/lookups.h"
#include "server/traces.h"

#include <stdlib.h>
#include <string.h>

struct looking {
    struct daemon       *daemon;
    struct control_call *call;
    struct name          name; /* lower case */
    uint16_t             type;
};

static void add_record(void *context, const char *line) { json_array_append_new(context, json_string(line)); }

/* The least TTL of the answer section; -1: it is empty. */
static int64_t ttl_of(struct view answer)
{
    struct message message;
    struct record  record = {0};
    int64_t        least  = -1;
    if (!message_parse(answer, &message))
        return -1;
    while (message_next(&message, &record) && record.section == SECTION_ANSWER)
        if (least < 0 || record.ttl < least)
            least = record.ttl;
    return least;
}

static bool has_answers(struct view answer)
{
    struct message message;
    return message_parse(answer, &message) && message.count[SECTION_ANSWER] > 0;
}

/* Whose answer it was: of the steps the last that judged one usable. */
static json_t *present_upstream(const struct traced *traced)
{
    char          text[ADDRESS_TEXT_MAX];
    const char   *found = NULL;
    const uint8_t group = traced->group;
    for (unsigned i = 0; i < traced->trace.count && traced->way == TRACE_BY_GROUP; i++) {
        const struct trace_step *step = &traced->trace.steps[i];
        if (step->what == TRACE_JUDGE && step->group == group && outcome_usable(step->outcome))
            found = address_format(&step->upstream, text);
    }
    return found ? json_string(found) : json_null();
}

/* What is known of the zone, if that is why it went where it went. */
static json_t *present_decider(const struct looking *looking, const struct traced *traced)
{
    static const char *const by_zone[] = {"blocked", "pin", "suspect"};
    struct verdict verdict = table_find(looking->daemon->shared.table, name_view(&looking->name), looking->type);
    struct clocks  clocks  = clock_both();
    for (size_t i = 0; i < ARRAY_LEN(by_zone); i++)
        if (traced->why && strcmp(traced->why, by_zone[i]) == 0 && verdict.zone)
            return present_zone(looking->daemon, verdict.zone, &clocks);
    return json_null();
}

static json_t *present_found(const struct looking *looking, const struct lookup_found *found)
{
    const struct traced *traced  = &found->traced;
    json_t              *object  = traces_present(looking->daemon, traced);
    json_t              *records = json_array();
    int64_t              ttl     = ttl_of(found->answer);
    if (has_answers(found->answer))
        records_format(found->answer, ttl, add_record, records);
    json_object_del(object, "time");
    json_object_del(object, "client");
    json_object_set_new(object, "answer", records);
    json_object_set_new(object, "ttl", ttl >= 0 ? json_integer(ttl) : json_null());
    json_object_set_new(object, "cached", json_boolean(traced->way == TRACE_BY_CACHE || traced->way == TRACE_BY_STALE));
    json_object_set(object, "group", traced->way == TRACE_BY_GROUP ? json_object_get(object, "way") : json_null());
    json_object_set_new(object, "upstream", present_upstream(traced));
    json_object_set_new(object, "zone", present_decider(looking, traced));
    return object;
}

static void on_done(void *cookie, const struct lookup_found *found)
{
    struct looking *looking = cookie;
    if (found)
        control_reply(looking->call, present_found(looking, found));
    else
        control_fail(looking->call, CONTROL_FAILED, "bywayd is stopping");
    free(looking);
}

void lookup_reply(struct daemon *daemon, struct control_call *call, const struct name *name, uint16_t type)
{
    struct looking *looking = malloc(sizeof(*looking));
    if (looking) {
        *looking = (struct looking){.daemon = daemon, .call = call, .name = *name, .type = type};
        if (lookups_begin(daemon, name, type, on_done, looking))
            return;
        free(looking);
    }
    control_fail(call, CONTROL_FAILED, "too many lookups at once, or no memory: try again");
}
