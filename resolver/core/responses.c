/*
 * responses.c: see responses.h.
 */
#include "core/responses.h"

#include "core/setup.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define ADD(field, value) atomic_store_explicit(&(field), GET(field) + (value), memory_order_relaxed)

const char *const response_way_words[RESPONSE_WAY_COUNT] = {
#define X(symbol, word) (word),
    RESPONSE_WAYS(X)
#undef X
};

size_t responses_count(struct responses *responses, enum response_way way, const uint8_t *message, size_t len)
{
    responses_on_code(responses, way, message_rcode((struct view){message, len}));
    return len;
}

static enum response_way way_of(enum trace_way way, uint8_t group)
{
    switch (way) {
    case TRACE_BY_CACHE:
        return RESPONSE_BY_CACHE;
    case TRACE_BY_STALE:
        return RESPONSE_BY_STALE;
    case TRACE_BY_LOCAL:
        return RESPONSE_BY_LOCAL;
    case TRACE_BY_NONE:
        return RESPONSE_BY_NONE;
    case TRACE_BY_GROUP:
        break;
    }
    return group == SETUP_DOMESTIC   ? RESPONSE_BY_DOMESTIC
           : group == SETUP_EXTERNAL ? RESPONSE_BY_EXTERNAL
                                     : RESPONSE_BY_OTHER;
}

void responses_on_waiter(struct responses *responses, enum trace_way way, uint8_t group, unsigned rcode, msec_t took)
{
    enum response_way by    = way_of(way, group);
    struct histogram *times = &responses->times[by];
    COUNT(responses->waited[by][rcode]);
    COUNT(times->buckets[histogram_bucket(took)]);
    ADD(times->sum, (uint64_t) took);
}

void responses_add(struct responses *sum, const struct responses *responses)
{
    for (size_t way = 0; way < RESPONSE_WAY_COUNT; way++) {
        for (size_t rcode = 0; rcode < RESPONSE_RCODES; rcode++) {
            ADD(sum->at_once[way][rcode], GET(responses->at_once[way][rcode]));
            ADD(sum->waited[way][rcode], GET(responses->waited[way][rcode]));
        }
        for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
            ADD(sum->times[way].buckets[bucket], GET(responses->times[way].buckets[bucket]));
        ADD(sum->times[way].sum, GET(responses->times[way].sum));
    }
}
