/* An upstream's packet: judged, stored, and written for a client who asked in another case, a while later. */
#include "base/bytes.h"
#include "dns/compose.h"
#include "dns/judge.h"
#include "fuzz.h"

#include <string.h>

static uint8_t packed[STORED_MAX], out[65535];

static void check_kind(const struct message *reply)
{
    struct judgement judgement;

    judge_reply(reply, &judgement);
    CHECK(judgement.outcome <= OUTCOME_REFUSED || judgement.outcome == OUTCOME_MALFORMED ||
          judgement.outcome == OUTCOME_FORGED);
    CHECK(judgement.has_soa || judgement.negative_ttl == 0);
    if (judgement.has_alias)
        CHECK(name_check(name_view(&judgement.alias)) == judgement.alias.len);
    if (judgement.has_soa)
        CHECK(name_check(name_view(&judgement.zone)) == judgement.zone.len);
}

/* Each TTL less the age, and nothing else changed but that the end of a section may be missing. */
static void check_records(const struct message *answer, const struct message *before, uint32_t age, bool stale)
{
    struct record mine = {0}, theirs = {0};
    uint16_t      left[SECTION_COUNT];

    memcpy(left, answer->count, sizeof(left));
    left[SECTION_ADDITIONAL] -= answer->edns.present;
    while (message_next(before, &theirs)) {
        if (left[theirs.section] == 0)
            continue;
        left[theirs.section]--;
        CHECK(message_next(answer, &mine) && mine.type == theirs.type && mine.section == theirs.section);
        CHECK(mine.ttl_at == theirs.ttl_at && mine.end == theirs.end);
        CHECK(mine.ttl == (stale ? STALE_TTL : theirs.ttl > age ? theirs.ttl - age : 0));
    }
    if (message_next(answer, &mine))
        CHECK(mine.type == TYPE_OPT && !message_next(answer, &mine));
}

/* Without TC only hints may be missing. */
static void check_whole(const struct message *answer, const struct message *before, bool fits)
{
    if (answer->flags & FLAG_TC)
        return;
    CHECK(answer->count[SECTION_ANSWER] == before->count[SECTION_ANSWER]);
    bool authority  = answer->count[SECTION_AUTHORITY] == before->count[SECTION_AUTHORITY];
    bool additional = answer->count[SECTION_ADDITIONAL] - answer->edns.present == before->count[SECTION_ADDITIONAL];
    CHECK(fits ? authority && additional : authority || before->count[SECTION_ANSWER] > 0);
}

/* What stands for the records of ANY. */
static bool is_any(const struct client_query *asked, const struct message *answer)
{
    struct record record = {0};

    return asked->type == TYPE_ANY && !asked->dnssec_ok && answer->rcode == RCODE_NOERROR &&
           answer->count[SECTION_ANSWER] == 1 && message_next(answer, &record) && record.type == TYPE_HINFO &&
           record.ttl == ANY_TTL;
}

static void check_answer(const struct client_query *asked, const struct stored *stored, uint32_t age, bool stale)
{
    struct message answer, before;
    size_t         len = answer_write(asked, stored, age, stale, EDE_STALE_ANSWER, out, sizeof out);

    CHECK(len > 0 && len <= asked->limit);
    CHECK(message_parse((struct view){out, len}, &answer));
    CHECK(message_parse(stored->message, &before));
    CHECK(memcmp(answer.question.name.data, asked->name.wire, asked->name.len) == 0);
    CHECK(answer.edns.present == asked->edns && answer.rcode == before.rcode);
    bool fits = stored->message.len + (asked->edns ? 11 : 0) <= asked->limit;
    CHECK(!fits || (answer.flags & FLAG_TC) == 0);
    if (!fits && is_any(asked, &answer))
        return;
    check_records(&answer, &before, age, stale);
    check_whole(&answer, &before, fits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct store_rules rules = {.min_ttl = 1, .max_ttl = 86400, .authentic = size % 2 != 0};
    struct message           reply;
    struct client_query      asked;
    size_t                   split, len;
    uint32_t                 ttl;

    if (!message_parse((struct view){data, size}, &reply))
        return 0;
    check_kind(&reply);
    len = answer_pack(&reply, &rules, packed, sizeof packed, &split, &ttl);
    if (len == 0)
        return 0;
    CHECK(ttl >= rules.min_ttl && ttl <= rules.max_ttl);

    struct stored stored = {{packed, split}, {packed + split, len - split}};
    client_query_from(&reply, 0, &asked);
    name_mix_case(asked.name.wire, asked.name.len, 0x5555555555555555);
    check_answer(&asked, &stored, 17, false);
    name_mix_case(asked.name.wire, asked.name.len, UINT64_MAX);
    check_answer(&asked, &stored, 0x3f3f3f, false);
    client_query_from(&reply, 1232, &asked);
    check_answer(&asked, &stored, 1, true);
    return 0;
}
