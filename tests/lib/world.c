/*
 * world.c: see world.h: time, the network, servers and clients. Nothing here takes memory, so that a failing heap fails
 * the logic alone.
 */
#include "base/bytes.h"
#include "dns/text.h"
#include "lib/check.h"
#include "lib/world_internal.h"
#include "query/query.h"

#include <string.h>

uint32_t world_random(struct world *world, uint32_t bound) { return rng_below(&world->rng, bound); }

/* ---- events ---- */

static struct event *event_add(struct world *world, enum event_kind kind, msec_t at)
{
    size_t i = world->agenda.count;
    if (i >= WORLD_EVENTS)
        fail_msg("too many events");
    struct event *event = world->spare[i] ? world->spare[i] : &world->events[i];
    event->kind         = kind;
    event->len          = 0;
    agenda_add(&world->agenda, at, event);
    return event;
}

/* The event stays readable until the next event_add(). */
static struct event *event_take(struct world *world)
{
    struct event *first               = agenda_take(&world->agenda);
    world->spare[world->agenda.count] = first;
    return first;
}

/* ---- servers ---- */

static unsigned place_of(const struct world *world, const struct server *server)
{
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        if (world->servers[i] == server)
            return i;
    fail_msg("a server that is not of this world");
    return 0;
}

static bool lost(struct world *world) { return world_random(world, 1000) < world->options.loss; }

static msec_t usual_delay(unsigned place)
{
    static const msec_t delays[] = {DOMESTIC_DELAY, EXTERNAL_DELAY, OFFICE_DELAY, CANARY_DELAY};
    return delays[world_group(place)];
}

/* What byway answers at once to an upstream that forwards to it. */
static size_t come_back(struct world *world, struct view query, uint8_t out[WORLD_REPLY_MAX])
{
    struct path path = {0};
    address_parse("127.0.0.1", 4000, &path.peer);
    size_t len = engine_receive(world->engines[0], query, &path, false, world->now, out, WORLD_REPLY_MAX);
    if (len == 0)
        fail_msg("it was not answered at once");
    return len;
}

static void inject(struct world *world, struct ticket *ticket, unsigned place, const struct message *question)
{
    static const struct manner forged = {.way = FORGES, .address = 0x1f0d5801};
    for (size_t i = 0; i < world->injector_count && ticket->transport == TRANSPORT_UDP; i++) {
        const struct injector *injector = &world->injectors[i];
        if (!(injector->servers & 1u << place) ||
            !name_is_at_or_below(question->question.name, name_view(&injector->zone)))
            continue;
        struct world_facts facts = world_facts_for(world, place, question->question.name);
        struct event      *event = event_add(world, EVENT_PACKET, world->now + injector->after);
        event->ticket            = ticket;
        event->number            = ticket->number;
        event->len               = world_reply(question, &forged, TRANSPORT_UDP, &facts, event->bytes);
    }
}

/* Nothing comes of it. */
static bool is_dropped(struct world *world, const struct manner *manner, const struct message *question,
                       enum transport transport)
{
    bool udp = transport == TRANSPORT_UDP;
    return manner->way == SILENT || (manner->way == DROPS_EDNS && question->edns.present) ||
           (manner->way == DROPS_LONG && udp && question->edns.present && question->edns.size > 512) ||
           (udp && (lost(world) || lost(world)));
}

/* Over TCP nothing is lost, and a connection costs a round trip more. */
static void serve(struct world *world, struct ticket *ticket, unsigned place, struct view query)
{
    enum transport transport = ticket->transport;
    struct message question;
    if (!message_parse(query, &question) || !question.has_question)
        fail_msg("byway sent what is no query");
    struct manner manner = world_manner_for(world, place, &question, transport);
    if (manner.way == CHAOS)
        manner = (struct manner){.way   = (enum way) world_random(world, CHAOS),
                                 .after = 1 + world_random(world, world_random(world, 4) ? 300 : 9000)};
    inject(world, ticket, place, &question);
    if (is_dropped(world, &manner, &question, transport))
        return;
    msec_t        delay = manner.after ? manner.after : usual_delay(place);
    struct event *event = event_add(world, manner.way == UNREACHABLE ? EVENT_UNREACHABLE : EVENT_PACKET,
                                    world->now + delay * (transport == TRANSPORT_TCP ? 2 : 1));
    event->ticket       = ticket;
    event->number       = ticket->number;
    if (manner.way == UNREACHABLE)
        return;
    if (manner.way == LOOPS) {
        event->len = come_back(world, query, event->bytes);
        return;
    }
    struct world_facts facts = world_facts_for(world, place, question.question.name);
    event->len               = world_reply(&question, &manner, transport, &facts, event->bytes);
}

/* ---- effects ---- */

static void check_fence(const struct world *world, unsigned place, struct view name)
{
    const struct rule *rule = policy_find(world->setup->policy, name);
    char               text[NAME_TEXT_MAX];
    if (rule->via == VIA_REFUSE || (rule->via == VIA_GROUP && rule->group != world_group(place)))
        fail_msg("%s crossed its fence to group %u", name_format(name, text), world_group(place));
}

static void check_cost(const struct world *world, const struct sending *sending)
{
    unsigned datagrams = 0;
    for (size_t i = world->sending_count; i-- > 0 && world->sendings[i].at >= world->now - SEARCH_BACK;) {
        const struct sending *earlier = &world->sendings[i];
        datagrams += earlier->owner == sending->owner && earlier->owner_started == sending->owner_started &&
                     !earlier->probe && earlier->transport == TRANSPORT_UDP && earlier->type == sending->type &&
                     name_equal(name_view(&earlier->name), name_view(&sending->name));
    }
    if (!sending->probe && datagrams > LIMIT_UDP_SENDS)
        fail_msg("%u datagrams for one question", datagrams);
}

static struct ticket *ticket_open(struct world *world, struct exchange *exchange, int by)
{
    for (size_t i = 0; i < WORLD_TICKETS; i++) {
        struct ticket *ticket = &world->tickets[i];
        if (ticket->open)
            continue;
        *ticket = (struct ticket){.open      = true,
                                  .number    = ticket->number + 1,
                                  .exchange  = exchange,
                                  .transport = exchange->transport,
                                  .by        = by};
        world->open++;
        return ticket;
    }
    fail_msg("too many tickets");
    return NULL;
}

static void note_sending(struct world *world, const struct driver *driver, const struct exchange *exchange,
                         unsigned place)
{
    if (world->sending_count == WORLD_SENDINGS)
        fail_msg("too many packets");
    bool            probe   = driver->by < 0;
    struct sending *sending = &world->sendings[world->sending_count++];
    *sending                = (struct sending){
                       .at            = world->now,
                       .server        = 1u << place,
                       .probe         = probe,
                       .transport     = exchange->transport,
                       .name          = exchange->inquiry->name,
                       .type          = exchange->inquiry->type,
                       .owner         = exchange->owner,
                       .owner_started = probe ? exchange->started : ((struct query *) exchange->owner)->started,
    };
    check_fence(world, place, name_view(&sending->name));
    check_cost(world, sending);
}

bool world_effect_send(void *context, struct exchange *exchange, struct view query)
{
    struct driver *driver = context;
    struct world  *world  = driver->world;
    unsigned       place  = place_of(world, exchange->server);
    void         **ticket = &exchange->tickets[exchange->transport];
    assert_true(!*ticket || exchange->transport == TRANSPORT_UDP);
    if (!*ticket)
        *ticket = ticket_open(world, exchange, driver->by);
    note_sending(world, driver, exchange, place);
    serve(world, *ticket, place, query);
    return true;
}

void world_effect_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct driver *driver = context;
    struct ticket *ticket = exchange->tickets[transport];
    assert_true(ticket && ticket->open && ticket->exchange == exchange && ticket->by == driver->by &&
                ticket->transport == transport);
    ticket->open                 = false;
    exchange->tickets[transport] = NULL;
    driver->world->open--;
}

void world_effect_observe(void *context, const struct observation *observation)
{
    struct world *world                                                          = ((struct driver *) context)->world;
    event_add(world, EVENT_OBSERVATION, world->now + OBSERVE_DELAY)->observation = *observation;
}

static void read_records(const struct message *answer, struct ask *ask)
{
    struct record record = {0};
    while (message_next(answer, &record) && record.section == SECTION_ANSWER) {
        if (record.type == TYPE_A)
            ask->address = get_u32(record.data.data);
        if (record.type == TYPE_A || record.type == TYPE_AAAA)
            ask->group = record.data.data[1];
        else if (record.type == TYPE_MX)
            ask->group = record.data.data[1];
        else if (record.type == TYPE_TXT)
            ask->group = record.data.data[2];
        else if (record.type == TYPE_PTR)
            ask->group = record.data.data[2] - 'a';
    }
}

static void note_answer(struct world *world, struct ask *ask, struct view wire)
{
    struct message answer;
    assert_true(message_parse(wire, &answer) && answer.flags & FLAG_QR);
    ask->answers++;
    ask->answered  = world->now;
    ask->rcode     = answer.rcode;
    ask->ede       = answer.edns.ede;
    ask->records   = answer.count[SECTION_ANSWER];
    ask->truncated = answer.flags & FLAG_TC;
    ask->authentic = answer.flags & FLAG_AD;
    read_records(&answer, ask);
}

void world_effect_answer(void *context, const struct path *path, struct view answer)
{
    note_answer(((struct driver *) context)->world, path->endpoint, answer);
}

/* ---- time ---- */

static void happen(struct world *world, const struct event *event)
{
    struct ticket *ticket = event->ticket;
    if (event->kind == EVENT_OBSERVATION) {
        const struct observation observation = event->observation;
        if (observation.what == OBSERVED_COMPLAINT) {
            world->complaints++;
            world->complaint = observation;
        } else {
            prober_observe(world->prober, &observation, world->now);
        }
        return;
    }
    if (!ticket->open || ticket->number != event->number)
        return;
    uint8_t     copy[WORLD_REPLY_MAX];
    struct view packet = {copy, event->len};
    memcpy(copy, event->bytes, event->len);
    if (event->kind == EVENT_PACKET && ticket->by < 0)
        prober_on_packet(world->prober, ticket->exchange, ticket->transport, packet, world->now);
    else if (event->kind == EVENT_PACKET)
        engine_on_packet(world->engines[ticket->by], ticket->exchange, ticket->transport, packet, world->now);
    else if (ticket->by < 0)
        prober_on_unreachable(world->prober, ticket->exchange, ticket->transport, world->now);
    else
        engine_on_unreachable(world->engines[ticket->by], ticket->exchange, ticket->transport, world->now);
}

static void wake(struct world *world, struct driver *driver)
{
    msec_t second = world->now / 1000;
    driver->wakes = driver->second == second ? driver->wakes + 1 : 1;
    if (driver->wakes > TIMES_IN_SECOND)
        fail_msg("a busy loop");
    driver->second = second;
    if (driver->by < 0)
        prober_on_time(world->prober, world->now);
    else
        engine_on_time(world->engines[driver->by], world->now);
    msec_t next = driver->by < 0 ? prober_next(world->prober) : engine_next(world->engines[driver->by]);
    if (next <= world->now)
        fail_msg("nothing was done about what was due");
}

static struct driver *next_driver(struct world *world, msec_t *ret_due)
{
    struct driver *found = &world->drivers[WORLD_WORKERS];
    msec_t         least = prober_next(world->prober);
    for (unsigned i = 0; i < world->options.workers; i++)
        if (engine_next(world->engines[i]) < least) {
            least = engine_next(world->engines[i]);
            found = &world->drivers[i];
        }
    *ret_due = least;
    return found;
}

/* One event or wake-up that is due by `until`. */
static bool step(struct world *world, msec_t until)
{
    msec_t         due;
    struct driver *driver = next_driver(world, &due);
    bool           event  = world->agenda.count > 0 && agenda_next(&world->agenda) <= due;
    if (event)
        due = agenda_next(&world->agenda);
    if (due > until)
        return false;
    world->now = msec_max(world->now, due);
    if (event)
        happen(world, event_take(world));
    else
        wake(world, driver);
    learner_reclaim(world->learner);
    return true;
}

void world_run(struct world *world, msec_t ms)
{
    msec_t until = world->now + ms;
    while (step(world, until))
        ;
    world->now = until;
}

msec_t world_wait(struct world *world, const struct ask *ask)
{
    msec_t until = ask->deadline + 1;
    while (!ask->answers && step(world, until))
        ;
    if (!ask->answers)
        fail_msg("no answer by the deadline");
    return ask->answered - ask->asked;
}

msec_t world_now(const struct world *world) { return world->now; }

/* ---- clients ---- */

static size_t write_question(const struct world_question *question, uint16_t id, uint8_t *out)
{
    const struct name       name = named(question->name);
    const struct query_form form = {.name              = name_view(&name),
                                    .id                = id,
                                    .type              = question->type,
                                    .class             = CLASS_IN,
                                    .edns              = !question->plain,
                                    .size              = LIMIT_UDP_PAYLOAD,
                                    .dnssec_ok         = question->dnssec_ok,
                                    .checking_disabled = question->checking_disabled};
    return query_write(&form, out);
}

struct ask *world_ask_by(struct world *world, const struct world_question *question)
{
    if (world->ask_count == WORLD_ASKS)
        fail_msg("too many questions");
    struct ask        *ask = &world->asks[world->ask_count++];
    uint8_t            wire[QUERY_MAX];
    size_t             len   = write_question(question, (uint16_t) world->ask_count, wire);
    struct path        path  = {.endpoint = ask, .connection = question->tcp};
    const struct name  name  = named(question->name);
    const struct rule *rule  = policy_find_for(world->setup->policy, name_view(&name), question->type);
    bool               empty = rule_stands_in(rule, name_view(&name), question->type);
    msec_t             until = world->now + (empty ? EMPTY_AFTER : world->setup->deadline);
    address_parse("127.0.0.1", 4000, &path.peer);
    *ask          = (struct ask){.asked = world->now, .deadline = until, .group = -1, .ede = EDE_NONE};
    size_t answer = engine_receive(world->engines[question->worker], (struct view){wire, len}, &path, question->tcp,
                                   world->now, world->out, sizeof(world->out));
    if (answer > 0)
        note_answer(world, ask, (struct view){world->out, answer});
    return ask;
}

struct ask *world_ask(struct world *world, const char *name, uint16_t type)
{
    return world_ask_by(world, &(struct world_question){.name = name, .type = type});
}

struct ask *world_resolve(struct world *world, const char *name, uint16_t type)
{
    struct ask *ask = world_ask(world, name, type);
    world_wait(world, ask);
    return ask;
}
