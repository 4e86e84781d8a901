/*
 * declining.c: see declining.h.
 */
#include "query/declining.h"

size_t declining_refuse(struct env *env, const struct client_query *query, int ede, uint8_t *out)
{
    COUNT(env->counters.refused);
    return responses_count(&env->responses, RESPONSE_BY_NONE, out, failure_write(query, RCODE_REFUSED, ede, out));
}

size_t declining_refuse_rejected(struct env *env, const struct message *query, uint8_t *out)
{
    COUNT(env->counters.refused);
    return responses_count(&env->responses, RESPONSE_BY_NONE, out, rejection_write(query, RCODE_REFUSED, out));
}

static unsigned reception_rcode(enum reception reception)
{
    switch (reception) {
    case RECEPTION_NOTIMP:
        return RCODE_NOTIMP;
    case RECEPTION_BADVERS:
        return RCODE_BADVERS;
    default:
        return RCODE_FORMERR;
    }
}

size_t declining_reject(struct env *env, const struct message *query, enum reception reception, uint8_t *out)
{
    COUNT(env->counters.malformed);
    responses_on_code(&env->responses, RESPONSE_BY_LOCAL, reception_rcode(reception));
    return rejection_write(query, reception_rcode(reception), out);
}

size_t declining_cut(struct env *env, struct view datagram, uint8_t *out)
{
    struct message query;
    COUNT(env->counters.rate_limited);
    if (rng_below(&env->rng, 2) == 0 || message_receive(datagram, &query) != RECEPTION_QUERY)
        return 0;
    COUNT(env->counters.rate_truncated);
    return responses_count(&env->responses, RESPONSE_BY_NONE, out, truncation_write(&query, out));
}
