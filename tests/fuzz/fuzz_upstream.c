/*
 * Packets from upstreams, each led by its length in two bytes as over TCP: given one by one to whatever byway has asked
 * last longest, with the id and the question's letters that it expects. They are judged, stored and studied; the client
 * hears once; and nothing but the answer to a question is ever answered from the cache.
 */
#include "base/bytes.h"
#include "fuzz.h"
#include "policy/blocklist.h"
#include "stage.h"

#include <string.h>

enum {
    PACKETS   = 12,
    STRANGERS = 8, /* records whose owners are asked for afterwards */
};

static uint8_t packet[LIMIT_TCP_MESSAGE];

/* The next packet behind *at; empty: there is none. */
static struct view next_packet(struct view input, size_t *at)
{
    if (input.len - *at < 2)
        return (struct view){0};
    size_t      len = get_u16(input.data + *at), left = input.len - *at - 2;
    struct view found = {input.data + *at + 2, len < left ? len : left};
    *at += 2 + found.len;
    return found;
}

/* What the client asks: the first packet's question, if it can be asked. */
static size_t write_question(struct view first, uint8_t *out)
{
    static const struct view usual = {(const uint8_t *) "\4mail\7example", 14};
    struct query_form        form  = {
                .name = usual, .id = 7, .type = TYPE_MX, .class = CLASS_IN, .edns = first.len % 2, .size = LIMIT_UDP_PAYLOAD};
    struct message message, query;

    message_parse(first, &message);
    if (message.has_question) {
        form.name  = message.question.name;
        form.type  = message.question.type;
        form.class = message.question.class;
    }
    size_t len = query_write(&form, out);
    if (message_receive((struct view){out, len}, &query) == RECEPTION_QUERY)
        return len;
    form.name  = usual;
    form.type  = TYPE_MX;
    form.class = CLASS_IN;
    return query_write(&form, out);
}

/* As an upstream would: the id, and the question as it was asked, where there is room for it. */
static struct view as_reply_to(const struct ticket *ticket, struct view bytes)
{
    struct message query, reply;
    size_t         id = bytes.len < 2 ? bytes.len : 2;

    CHECK(message_parse((struct view){ticket->wire, ticket->len}, &query));
    memcpy(packet, bytes.data, bytes.len);
    message_parse(bytes, &reply);
    if (reply.has_question && reply.question.name.len == query.question.name.len)
        memcpy(packet + MESSAGE_HEADER, query.question.name.data, query.question.name.len + 4);
    memcpy(packet, ticket->wire, id);
    return (struct view){packet, bytes.len};
}

static const struct view good = {(const uint8_t *) "\4good\7example", 14};

/* Health probes and control questions are answered well, so that they stand in the way of no verdict. */
static struct ticket *next_ticket(struct stage *stage)
{
    struct ticket *ticket;
    struct message query;

    while ((ticket = stage_fresh(stage)) != NULL && ticket->by_prober) {
        CHECK(message_parse((struct view){ticket->wire, ticket->len}, &query));
        if (name_labels(query.question.name) > 1 && !name_is_at_or_below(query.question.name, good))
            break;
        stage_reply_plainly(stage, ticket, RCODE_NXDOMAIN, false);
    }
    return ticket;
}

/* A zone that domestic answers for, below which control questions can be asked. */
static void warm_up(struct stage *stage)
{
    static struct heard heard;
    uint8_t             wire[QUERY_MAX];
    struct query_form   form = {.name = good, .type = TYPE_A, .class = CLASS_IN};

    stage_receive(stage, (struct view){wire, query_write(&form, wire)}, false, &heard);
    stage_reply_plainly(stage, stage_fresh(stage), RCODE_NOERROR, true);
    stage_run(stage, 1000);
}

/* Whoever asks for what was only said along is not answered from the cache. */
static void check_strangers(struct stage *stage, const struct message *asked, struct view bytes)
{
    static struct heard heard;
    struct message      message;
    struct record       record = {0};

    if (!message_parse(bytes, &message))
        return;
    for (unsigned i = 0; i < STRANGERS && message_next(&message, &record); i++) {
        struct name    owner;
        struct message query;
        uint8_t        wire[QUERY_MAX];
        size_t         end;

        CHECK(name_unpack(message.wire, record.owner, &owner, &end));
        if (name_equal(name_view(&owner), good) ||
            (record.type == asked->question.type && name_equal(name_view(&owner), asked->question.name)))
            continue;
        struct view view = {wire, query_write(&(struct query_form){.name  = name_view(&owner),
                                                                   .type  = record.type,
                                                                   .class = record.class,
                                                                   .edns  = asked->edns.present,
                                                                   .size  = asked->edns.size},
                                              wire)};
        heard.answers    = 0;
        stage_receive(stage, view, true, &heard);
        if (heard.answers > 0)
            CHECK(message_parse((struct view){heard.wire, heard.len}, &query) && query.rcode != RCODE_NOERROR &&
                  query.rcode != RCODE_NXDOMAIN);
    }
}

/* No error reaches who asked a blocklist. */
static void check_blocklist(const struct stage *stage, const struct message *asked, struct view answer)
{
    struct view             name = asked->question.name, address;
    const struct blocklist *list = policy_find(stage->setup.policy, name)->blocklist;
    struct message          message;

    if (list != NULL && message_parse(answer, &message))
        CHECK(!blocklist_error(list, name, &message, &address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct heard heard;
    const struct view   input = {data, size};
    uint8_t             question[QUERY_MAX];
    struct message      asked;
    struct ticket      *ticket;
    struct view         bytes;
    size_t              at = 0, start = 0;

    bytes               = next_packet(input, &at);
    struct view   wire  = {question, write_question(bytes, question)};
    bool          tcp   = size % 3 == 0;
    struct stage *stage = stage_begin(&(struct prober_hooks){0});

    CHECK(message_receive(wire, &asked) == RECEPTION_QUERY);
    warm_up(stage);
    heard.answers = 0;
    stage_receive(stage, wire, tcp, &heard);
    for (unsigned i = 0; i < PACKETS && bytes.len > 0; i++, bytes = next_packet(input, &at)) {
        for (unsigned j = 0; j < 20 && next_ticket(stage) == NULL; j++)
            stage_run(stage, 50);
        if ((ticket = next_ticket(stage)) != NULL)
            stage_reply(stage, ticket, as_reply_to(ticket, bytes));
        stage_run(stage, 5);
    }
    for (bytes = next_packet(input, &start); bytes.len > 0 && start <= 4096; bytes = next_packet(input, &start))
        check_strangers(stage, &asked, bytes);
    for (unsigned i = 0; i < 12; i++) {
        next_ticket(stage);
        stage_run(stage, 1000);
    }
    CHECK(heard.answers == 1);
    stage_check_answer(&asked, tcp, (struct view){heard.wire, heard.len});
    check_blocklist(stage, &asked, (struct view){heard.wire, heard.len});
    stage_end(stage);
    return 0;
}
