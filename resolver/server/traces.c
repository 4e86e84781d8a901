/*
 * traces.c: see traces.h.
 */
#include "server/traces.h"

#include "base/units.h"
#include "dns/text.h"
#include "server/clock.h"

#include <stdlib.h>

struct tracer {
    struct list          link;
    struct daemon       *daemon;
    struct control_call *call;
    struct traces_filter filter;
};

static const char *const ways[] = {
#define X(symbol, word) [TRACE_BY_##symbol] = (word),
    TRACE_WAYS(X)
#undef X
};
static const char *const whats[] = {
#define X(symbol, word) [TRACE_##symbol] = (word),
    TRACE_WHATS(X)
#undef X
};
static const char *const transports[] = {[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp"};

/* ---- who watches ---- */

void traces_refresh(struct daemon *daemon)
{
    atomic_store(&daemon->watched, list_empty(&daemon->tracers) ? query_log_wants(daemon->settings) : TRACE_ALL);
}

static void on_gone(void *context, struct control_call *call)
{
    struct tracer *tracer = context;
    list_remove(&tracer->link);
    traces_refresh(tracer->daemon);
    free(tracer);
    control_end_stream(call);
}

void traces_watch(struct daemon *daemon, struct control_call *call, const struct traces_filter *filter)
{
    struct tracer *tracer = malloc(sizeof(*tracer));
    if (!tracer) {
        control_fail(call, CONTROL_INTERNAL, "out of memory");
        return;
    }
    *tracer = (struct tracer){.daemon = daemon, .call = call, .filter = *filter};
    list_append(&daemon->tracers, &tracer->link);
    traces_refresh(daemon);
    control_begin_stream(call, &(struct control_stream){tracer, on_gone});
}

static bool passes(const struct traces_filter *filter, const struct traced *traced)
{
    return (!filter->has_client || cidr_contains(&filter->client, &traced->client)) &&
           (filter->under.len == 0 || name_is_at_or_below(name_view(&traced->name), name_view(&filter->under))) &&
           (filter->type == 0 || filter->type == traced->type) && (!filter->failed || trace_failed(traced));
}

/* ---- what is told ---- */

static json_t *group_name(const struct daemon *daemon, uint8_t group)
{
    return group < daemon->setup->group_count ? json_string(daemon->setup->groups[group].name) : json_null();
}

static json_t *present_step(const struct daemon *daemon, const struct trace_step *step)
{
    char address[ADDRESS_TEXT_MAX];
    bool exchange = step->what == TRACE_ASK || step->what == TRACE_JUDGE;
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:b}", "at", (json_int_t) step->at, "step", whats[step->what],
                     "group", group_name(daemon, step->group), "upstream",
                     exchange ? json_string(address_format(&step->upstream, address)) : json_null(), "over",
                     exchange ? json_string(transports[step->over]) : json_null(), "outcome",
                     step->what == TRACE_JUDGE ? json_string(outcome_word(step->outcome)) : json_null(), "copy",
                     step->copy);
}

static json_t *present_steps(const struct daemon *daemon, const struct trace *trace)
{
    json_t *steps = json_array();
    for (unsigned i = 0; i < trace->count; i++)
        json_array_append_new(steps, present_step(daemon, &trace->steps[i]));
    return steps;
}

static json_t *present_way(const struct daemon *daemon, const struct traced *traced)
{
    return traced->way == TRACE_BY_GROUP ? group_name(daemon, traced->group) : json_string(ways[traced->way]);
}

json_t *traces_present(const struct daemon *daemon, const struct traced *traced)
{
    char time[TIME_TEXT_MAX], client[ADDRESS_TEXT_MAX], name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX], rcode[RCODE_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:I, s:o}", "time", time_format(clock_wall(), time), "client",
                     address_format(&traced->client, client), "name",
                     traced->name.len ? name_format(name_view(&traced->name), name) : "", "type",
                     type_format(traced->type, type), "rcode", rcode_format(traced->rcode, rcode), "way",
                     present_way(daemon, traced), "why", traced->why ? traced->why : "", "ms",
                     (json_int_t) traced->took, "steps", present_steps(daemon, &traced->trace));
}

void traces_tell(struct daemon *daemon, const struct traced *traced)
{
    json_t *object = NULL;
    LIST_EACH (item, next, &daemon->tracers) {
        struct tracer *tracer = CONTAINER_OF(item, struct tracer, link);
        if (!passes(&tracer->filter, traced))
            continue;
        if (!object)
            object = traces_present(daemon, traced);
        control_notify(tracer->call, json_incref(object));
    }
    if (query_log_wants_this(daemon, traced))
        query_log_tell(daemon, object ? object : (object = traces_present(daemon, traced)));
    json_decref(object);
}
