/*
 * hearing.c: see hearing.h.
 */
#include "lib/hearing.h"

#include "base/printable.h"
#include "explain/direct.h"
#include "fuzz/fuzz.h"

#include <string.h>

/* ---- the network ---- */

static enum hearing_party party_of(const struct hearing *hearing, const struct server *server)
{
    for (unsigned i = 0; i < ARRAY_LEN(hearing->servers); i++)
        if (hearing->servers[i] == server)
            return (enum hearing_party)(i / HEARING_UPSTREAMS);
    return server == hearing->canary || address_equal(&server->address, &hearing->canary->address) ? HEARD_CANARY
                                                                                                   : HEARD_SERVER;
}

/* What goes to `party` is allowed to go there. */
static void check_question(const struct hearing *hearing, enum hearing_party party, const struct exchange *exchange)
{
    const struct inquest *inquest = hearing->explanation->inquest;
    const struct inquiry *inquiry = exchange->inquiry;
    const struct rule    *rule    = policy_find_for(hearing->setup.policy, name_view(&inquiry->name), inquiry->type);
    CHECK(rule->via == VIA_AUTO || (rule->via == VIA_GROUP && rule->group == (unsigned) party));
    CHECK(inquiry->class == CLASS_IN);
    CHECK(party != HEARD_SERVER || direct_may_ask(&exchange->server->address));
    CHECK(inquest->running <= INQUEST_AT_ONCE && inquest->fact_count <= INQUEST_FACTS);
    CHECK(hearing->now < inquest->began + INQUEST_LIFE);
}

static struct hearing_flight *flight_of(struct hearing *hearing, struct exchange *exchange, enum transport transport)
{
    struct hearing_flight *flight = exchange->tickets[transport];
    for (unsigned i = 0; !flight && i < HEARING_FLIGHTS; i++)
        if (!hearing->flights[i].exchange)
            flight = &hearing->flights[i];
    CHECK(flight != NULL);
    return flight;
}

static bool on_send(void *context, struct exchange *exchange, struct view query)
{
    struct hearing         *hearing   = context;
    enum transport          transport = exchange->transport;
    struct hearing_flight  *flight    = flight_of(hearing, exchange, transport);
    struct hearing_question question  = {.party     = party_of(hearing, exchange->server),
                                         .address   = &exchange->server->address,
                                         .transport = transport,
                                         .inquiry   = exchange->inquiry};
    struct message          message;
    check_question(hearing, question.party, exchange);
    CHECK(message_receive(query, &message) == RECEPTION_QUERY);
    hearing->sent[question.party]++;
    flight->reply.len = 0;
    packet_bytes(&flight->reply, query.data, MESSAGE_HEADER + message.question.name.len + 4);
    put_u16(flight->reply.data + 2, PACKET_REPLY);
    memset(flight->reply.data + 6, 0, 6);
    enum hearing_play play = hearing->play(hearing->context, &question, &flight->reply);
    if (play == PLAY_NO_ROUTE)
        return false;
    if (!exchange->tickets[transport])
        hearing->open++;
    flight->exchange             = exchange;
    flight->transport            = transport;
    flight->refused              = play == PLAY_REFUSAL;
    flight->due                  = play == PLAY_SILENCE ? MSEC_NEVER : hearing->now + HEARING_TOOK;
    exchange->tickets[transport] = flight;
    return true;
}

static void on_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct hearing        *hearing = context;
    struct hearing_flight *flight  = exchange->tickets[transport];
    CHECK(flight && flight->exchange == exchange && flight->transport == transport);
    flight->exchange             = NULL;
    exchange->tickets[transport] = NULL;
    hearing->open--;
}

static struct hearing_flight *next_flight(struct hearing *hearing)
{
    struct hearing_flight *next = NULL;
    for (unsigned i = 0; i < HEARING_FLIGHTS; i++) {
        struct hearing_flight *flight = &hearing->flights[i];
        if (flight->exchange && flight->due != MSEC_NEVER && (!next || flight->due < next->due))
            next = flight;
    }
    return next;
}

static void arrive(struct hearing *hearing, struct hearing_flight *flight)
{
    static struct packet packet; /* a question that is sent again by this flight has its reply there at once */
    struct inquest      *inquest = hearing->explanation->inquest;
    hearing->now                 = msec_max(hearing->now, flight->due);
    flight->due                  = MSEC_NEVER;
    if (flight->refused) {
        inquest_on_unreachable(inquest, flight->exchange, flight->transport, hearing->now);
        return;
    }
    packet.len = 0;
    packet_bytes(&packet, flight->reply.data, flight->reply.len);
    inquest_on_packet(inquest, flight->exchange, flight->transport, packet_view(&packet), hearing->now);
}

static void run(struct hearing *hearing)
{
    struct inquest *inquest = hearing->explanation->inquest;
    inquest_begin(inquest, hearing->now);
    while (!inquest->ended) {
        struct hearing_flight *flight = next_flight(hearing);
        msec_t                 timer  = inquest_next(inquest);
        CHECK(timer != MSEC_NEVER);
        if (flight && flight->due <= timer) {
            arrive(hearing, flight);
            continue;
        }
        hearing->now = msec_max(hearing->now, timer);
        inquest_on_time(inquest, hearing->now);
    }
    CHECK(inquest_next(inquest) == MSEC_NEVER && inquest->running == 0 && hearing->open == 0);
    CHECK(hearing->now <= inquest->began + INQUEST_LIFE);
}

/* ---- what is concluded ---- */

/* A string, and nothing in it that a terminal obeys once it is made printable, as for who reads it. */
static void check_text(const char *text, size_t size)
{
    char   safe[4 * FINDING_TEXT_MAX + 1];
    size_t len;
    CHECK(memchr(text, '\0', size) != NULL && 4 * strlen(text) + 1 <= sizeof(safe));
    printable_copy(text, safe, sizeof(safe));
    for (const char *at = safe; *at; at += len) {
        len = printable_length(at);
        CHECK(len > 0);
    }
}

static void check_name(const struct name *name) { CHECK(name->len == 0 || name_check(name_view(name)) == name->len); }

static void check_findings(const struct explanation *explanation)
{
    CHECK(explanation->finding_count <= EXPLANATION_FINDINGS);
    CHECK(explanation->cause < (int) explanation->finding_count);
    for (unsigned i = 0; i < explanation->finding_count; i++) {
        const struct finding *finding = &explanation->findings[i];
        CHECK(finding->tag < FINDING_COUNT && finding->grade <= GRADE_CAUSE && *finding->text);
        CHECK(finding->grade != GRADE_CAUSE || (int) i == explanation->cause);
        CHECK((int) i != explanation->cause || finding->grade >= GRADE_PROBLEM);
        check_text(finding->text, sizeof(finding->text));
        check_text(finding->record, sizeof(finding->record));
        check_name(&finding->zone);
        check_name(&finding->name);
    }
    CHECK(explanation->cause >= 0 || explanation->verdict == EXPLAINED_FINE ||
          explanation->verdict == EXPLAINED_MISCONFIGURED || explanation->verdict == EXPLAINED_UNKNOWN);
    CHECK(explanation->cause < 0 || explanation->verdict != EXPLAINED_FINE);
}

static void check_lists(const struct explanation *explanation)
{
    CHECK(explanation->zone_count <= EXPLANATION_ZONES && explanation->host_count <= EXPLANATION_MX);
    for (unsigned i = 0; i < EXPLANATION_ZONES; i++) {
        const struct servers_seen *seen = &explanation->servers[i];
        CHECK(i < explanation->zone_count || seen->host_count + seen->count == 0);
        CHECK(i >= explanation->zone_count || explanation->zones[i].roles != 0);
        CHECK(seen->host_count <= EXPLANATION_NS);
        CHECK(seen->count <= ARRAY_LEN(seen->list) && seen->answered + seen->silent + seen->lame <= seen->count);
        for (unsigned s = 0; s < seen->count; s++)
            CHECK(direct_may_ask(&seen->list[s].address));
    }
    for (unsigned i = 0; i < explanation->zone_count; i++)
        check_name(&explanation->zones[i].zone);
    for (unsigned i = 0; i < explanation->host_count; i++)
        CHECK(explanation->hosts[i].address_count <= EXPLANATION_ADDRESSES);
    CHECK(explanation->reply_count <= EXPLANATION_REPLIES);
    for (unsigned i = 0; i < explanation->reply_count; i++)
        check_text(explanation->replies[i].text, sizeof(explanation->replies[i].text));
    check_text(explanation->cure, sizeof(explanation->cure));
}

/* All that it wants to know was asked for while there was time. */
static void conclude(struct hearing *hearing)
{
    struct explanation *explanation = hearing->explanation;
    unsigned            asked       = explanation->inquest->fact_count;
    explanation_conclude(explanation);
    CHECK(explanation->inquest->fact_count == asked && explanation->inquest->running == 0);
    for (unsigned i = 0; i < asked; i++)
        CHECK(!fact_is_waited_for(explanation->inquest->facts[i]));
    check_findings(explanation);
    check_lists(explanation);
}

/* ---- life ---- */

bool hearing_explain(struct hearing *hearing, const struct explain_request *request)
{
    const struct explanation_options options = {
        .inquest = {.effects = {.network = hearing, .send = on_send, .release = on_release},
                    .shared  = hearing->shared,
                    .setup   = &hearing->setup,
                    .seed    = {7}},
        .request = *request,
        .wall    = HEARING_WALL,
    };
    explanation_destroy(hearing->explanation);
    CHECK(hearing->open == 0);
    memset(hearing->sent, 0, sizeof(hearing->sent));
    hearing->explanation = explanation_create(&options);
    if (!hearing->explanation)
        return false;
    run(hearing);
    conclude(hearing);
    return true;
}

static struct server *make_server(const char *text)
{
    struct server_options options = {.address = {.len = 0}};
    CHECK(address_parse(text, 53, &options.address));
    struct server *server = server_create(&options);
    CHECK(server != NULL);
    return server;
}

static void make_shared(struct hearing *hearing)
{
    static struct suffix     *suffix; /* of which nothing changes */
    const struct hash_key     key    = {1, 2};
    const struct cache_limits limits = {.memory = 1 << 18, .stale = 86400};
    if (!suffix)
        suffix = suffix_open();
    external_rate_init(&hearing->quota, 1000000);
    hearing->shared = (struct shared){.cache   = cache_create(&limits, key, 1),
                                      .table   = table_create(64, key),
                                      .forging = forging_create(key),
                                      .suffix  = suffix,
                                      .quota   = &hearing->quota};
    CHECK(suffix && hearing->shared.cache && hearing->shared.table && hearing->shared.forging);
}

static void keep_setup(struct setup *setup) { (void) setup; }

void hearing_open(struct hearing *hearing, const struct rule *rules, size_t count, hearing_play_fn play, void *context)
{
    static const char *const names[]     = {"domestic", "external", "office"};
    static const char *const addresses[] = {"198.18.0.1", "198.18.0.2", "198.18.1.1",
                                            "198.18.1.2", "198.18.2.1", "198.18.2.2"};
    memset(hearing, 0, offsetof(struct hearing, flights));
    for (unsigned i = 0; i < HEARING_FLIGHTS; i++)
        hearing->flights[i].exchange = NULL;
    hearing->play    = play;
    hearing->context = context;
    hearing->now     = HEARING_BEGIN;
    hearing->canary  = make_server("198.18.3.1");
    for (unsigned i = 0; i < ARRAY_LEN(hearing->servers); i++) {
        struct group *group            = &hearing->groups[i / HEARING_UPSTREAMS];
        hearing->servers[i]            = make_server(addresses[i]);
        group->name                    = names[i / HEARING_UPSTREAMS];
        group->servers[group->count++] = hearing->servers[i];
    }
    hearing->setup = (struct setup){.references     = 1,
                                    .destroy        = keep_setup,
                                    .policy         = policy_create(rules, count),
                                    .groups         = hearing->groups,
                                    .group_count    = ARRAY_LEN(hearing->groups),
                                    .fall_on_forged = true,
                                    .canary         = hearing->canary,
                                    .learning       = SETUP_LEARN};
    CHECK(hearing->setup.policy != NULL);
    make_shared(hearing);
}

void hearing_close(struct hearing *hearing)
{
    explanation_destroy(hearing->explanation);
    hearing->explanation = NULL;
    CHECK(hearing->open == 0 && hearing->setup.references == 1);
    for (unsigned i = 0; i < ARRAY_LEN(hearing->servers); i++)
        server_destroy(hearing->servers[i]);
    server_destroy(hearing->canary);
    policy_destroy(hearing->setup.policy);
    cache_destroy(hearing->shared.cache);
    table_destroy(hearing->shared.table);
    forging_destroy(hearing->shared.forging);
}
