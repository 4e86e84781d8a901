/*
 * An upstream's packet through its stored form to a client, held against ldns: of the answer ldns reads what it reads
 * of the packet, but for the TTLs that were clamped and the OPT; what was written can be stored and written again.
 */
#include "dns/answer.h"
#include "fuzz.h"
#include "lib/ldns_view.h"

#include <string.h>

enum {
    MIN_TTL = 5,
    MAX_TTL = 86400
};

static const struct store_rules rules = {.min_ttl = MIN_TTL, .max_ttl = MAX_TTL};

/* ldns looks into all rdata; it may refuse there, or read on from elsewhere than its end. */
static bool is_disliked(const struct message *message)
{
    uint16_t type;
    if (!ldns_dislikes(message, &type))
        return false;
    CHECK(!is_checked(type));
    return true;
}

static ldns_pkt *seen_by_ldns(struct view wire)
{
    ldns_pkt *packet = NULL;

    CHECK(ldns_wire2pkt(&packet, wire.data, wire.len) == LDNS_STATUS_OK);
    return packet;
}

static uint32_t clamped(uint32_t ttl)
{
    if (ttl > INT32_MAX)
        ttl = 0;
    return ttl < MIN_TTL ? MIN_TTL : ttl > MAX_TTL ? MAX_TTL : ttl;
}

/* The first `count` records of both are the same. What is passed on unseen may point to where something has changed. */
static void check_list(const ldns_rr_list *before, const ldns_rr_list *after, size_t count)
{
    CHECK(ldns_rr_list_rr_count(after) == count && ldns_rr_list_rr_count(before) >= count);
    for (size_t i = 0; i < count; i++) {
        const ldns_rr *a = ldns_rr_list_rr(before, i), *b = ldns_rr_list_rr(after, i);
        CHECK(ldns_rr_compare_no_rdata(a, b) == 0 && clamped(ldns_rr_ttl(a)) == ldns_rr_ttl(b));
        CHECK(!is_checked((uint16_t) ldns_rr_get_type(a)) || ldns_rr_compare(a, b) == 0);
    }
}

/* Additional records that ldns lists: neither OPT nor TSIG, and none behind the OPT, which are dropped with it. */
static size_t additional_kept(const struct message *reply)
{
    struct record record = {0};
    size_t        count  = 0;

    while (message_next(reply, &record) && record.type != TYPE_OPT)
        count += record.section == SECTION_ADDITIONAL && record.type != TYPE_TSIG;
    return count;
}

static void check_against_ldns(const struct message *reply, struct view answer, bool edns)
{
    ldns_pkt *before = seen_by_ldns(reply->wire), *after = seen_by_ldns(answer);

    CHECK(ldns_pkt_qr(after) && !ldns_pkt_tc(after) && ldns_pkt_ra(after) && !ldns_pkt_aa(after));
    CHECK(ldns_pkt_id(after) == reply->id && ldns_pkt_get_rcode(after) == ldns_pkt_get_rcode(before));
    CHECK(ldns_pkt_edns(after) == edns);
    CHECK(ldns_rr_list_compare(ldns_pkt_question(before), ldns_pkt_question(after)) == 0);
    check_list(ldns_pkt_answer(before), ldns_pkt_answer(after), reply->count[SECTION_ANSWER]);
    check_list(ldns_pkt_authority(before), ldns_pkt_authority(after), reply->count[SECTION_AUTHORITY]);
    check_list(ldns_pkt_additional(before), ldns_pkt_additional(after), additional_kept(reply));
    ldns_pkt_free(before);
    ldns_pkt_free(after);
}

/* Byte for byte, where ldns is not asked. */
static void check_data(const struct message *before, const struct message *after)
{
    struct record a = {0}, b = {0};

    while (message_next(before, &a) && a.type != TYPE_OPT) {
        CHECK(message_next(after, &b) && a.type == b.type && a.data.len == b.data.len);
        CHECK(a.data.len == 0 || is_checked(a.type) || memcmp(a.data.data, b.data.data, a.data.len) == 0);
    }
}

struct trip {
    uint8_t packed[STORED_MAX], out[65535];
    size_t  len;
};

/* False: it cannot be stored. */
static bool travel(const struct message *reply, const struct client_query *asked, struct trip *trip)
{
    size_t   split;
    uint32_t ttl;
    size_t   len = answer_pack(reply, &rules, trip->packed, sizeof(trip->packed), &split, &ttl);

    if (len == 0)
        return false;
    const struct stored stored = {{trip->packed, split}, {trip->packed + split, len - split}};
    trip->len                  = answer_write(asked, &stored, 0, false, EDE_NONE, trip->out, sizeof(trip->out));
    CHECK(trip->len > 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trip  first, second;
    struct message      reply, answer;
    struct client_query asked;

    if (!message_parse((struct view){data, size}, &reply) || !reply.has_question)
        return 0;
    client_query_from(&reply, 0, &asked);
    if (!travel(&reply, &asked, &first))
        return 0;
    CHECK(message_parse((struct view){first.out, first.len}, &answer));
    if ((answer.flags & FLAG_TC) != 0) /* no room for our OPT beside the largest of messages */
        return 0;
    CHECK(travel(&answer, &asked, &second));
    CHECK(second.len == first.len && memcmp(second.out, first.out, first.len) == 0);
    check_data(&reply, &answer);
    if (!is_disliked(&reply) && !is_disliked(&answer))
        check_against_ldns(&reply, answer.wire, asked.edns);
    return 0;
}
