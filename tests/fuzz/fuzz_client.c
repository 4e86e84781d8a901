/*
 * A client's packet through the whole engine. The first byte: bit 0 TCP; bits 1 to 3 how domestic answers, bits 4 to 6
 * external. The client hears once what belongs to its question, now and when it asks again.
 */
#include "base/bytes.h"
#include "fuzz.h"
#include "stage.h"

enum manner {
    ANSWERS,
    DENIES,
    FAILS,
    REFUSES,
    IS_SILENT,
    CUTS, /* the same over TCP is an answer */
    MANNERS
};

static void reply(struct stage *stage, struct ticket *ticket, enum manner manner)
{
    static const unsigned rcodes[MANNERS] = {
        [DENIES] = RCODE_NXDOMAIN, [FAILS] = RCODE_SERVFAIL, [REFUSES] = RCODE_REFUSED};
    bool cut = manner == CUTS && ticket->exchange->transport == TRANSPORT_UDP;

    stage_reply_plainly(stage, ticket, rcodes[manner] | (cut ? FLAG_TC : 0), rcodes[manner] == 0 && !cut);
}

static void ask(struct stage *stage, struct view packet, bool tcp, uint8_t script, struct heard *heard)
{
    struct ticket *ticket;

    heard->answers = 0;
    heard->len     = 0;
    stage_receive(stage, packet, tcp, heard);
    for (unsigned i = 0; i < 40 && (ticket = stage_fresh(stage)) != NULL; i++) {
        enum manner manner =
            (enum manner)((stage_is_domestic(stage, ticket) ? script >> 1 : script >> 4) & 7) % MANNERS;

        ticket->fresh = false;
        stage_run(stage, 10);
        if (manner != IS_SILENT && ticket->exchange != NULL)
            reply(stage, ticket, manner);
        while (stage_fresh(stage) == NULL && heard->answers == 0 && engine_flights(stage->engine) > 0)
            stage_run(stage, 100);
    }
    stage_run(stage, 5000);
}

static void check(const struct message *query, enum reception reception, bool tcp, const struct heard *heard)
{
    bool dropped = reception == RECEPTION_DROP;

    CHECK(heard->answers == (dropped && !tcp ? 0 : 1) && (heard->len == 0) == dropped);
    if (dropped)
        return;
    if (reception == RECEPTION_QUERY)
        stage_check_answer(query, tcp, (struct view){heard->wire, heard->len});
    else
        CHECK(heard->len <= FAILURE_MAX && get_u16(heard->wire) == query->id && (heard->wire[2] & 0x80) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct heard first, second;
    struct message      query;

    if (size < 1)
        return 0;
    const struct view packet    = {data + 1, size - 1};
    bool              tcp       = data[0] & 1;
    enum reception    reception = message_receive(packet, &query);
    struct stage     *stage     = stage_begin(&(struct prober_hooks){0});

    ask(stage, packet, tcp, data[0], &first);
    check(&query, reception, tcp, &first);
    ask(stage, packet, tcp, data[0], &second);
    check(&query, reception, tcp, &second);
    CHECK(first.len < MESSAGE_HEADER || (first.wire[3] & FLAG_RCODE) == (second.wire[3] & FLAG_RCODE));
    stage_end(stage);
    return 0;
}
