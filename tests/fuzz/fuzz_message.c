/* A client's packet: whatever it is, what byway writes back is a good message that belongs to it. */
#include "dns/compose.h"
#include "fuzz.h"

#include <string.h>

static const unsigned rcodes[] = {
    [RECEPTION_QUERY]   = RCODE_REFUSED,
    [RECEPTION_FORMERR] = RCODE_FORMERR,
    [RECEPTION_NOTIMP]  = RCODE_NOTIMP,
    [RECEPTION_BADVERS] = RCODE_BADVERS,
};

static void check_reply(const struct message *query, const uint8_t *out, size_t len, unsigned rcode)
{
    struct message reply;

    CHECK(len <= FAILURE_MAX);
    CHECK(message_parse((struct view){out, len}, &reply));
    CHECK(reply.id == query->id && reply.rcode == rcode && (reply.flags & FLAG_QR) != 0);
    CHECK(reply.has_question == query->has_question && reply.edns.present == query->edns.present);
    if (query->has_question) {
        CHECK(reply.question.name.len == query->question.name.len);
        CHECK(memcmp(reply.question.name.data, query->question.name.data, reply.question.name.len) == 0);
        CHECK(reply.question.type == query->question.type && reply.question.class == query->question.class);
    }
}

static void walk_records(const struct message *message)
{
    struct record record = {0};
    struct name   owner;
    size_t        end;

    while (message_next(message, &record))
        CHECK(name_unpack(message->wire, record.owner, &owner, &end) && end < record.ttl_at);
    CHECK(record.end == message->wire.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t             out[FAILURE_MAX];
    struct message      query;
    struct client_query asked;
    enum reception      reception = message_receive((struct view){data, size}, &query);

    if (reception == RECEPTION_DROP)
        return 0;
    check_reply(&query, out, rejection_write(&query, rcodes[reception], out), rcodes[reception]);
    if (reception != RECEPTION_QUERY)
        return 0;
    walk_records(&query);
    client_query_from(&query, 1232, &asked);
    CHECK(asked.limit >= 512 && asked.limit <= 1232);
    check_reply(&query, out, failure_write(&asked, RCODE_SERVFAIL, EDE_NETWORK_ERROR, out), RCODE_SERVFAIL);
    return 0;
}
