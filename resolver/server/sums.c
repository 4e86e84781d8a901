/*
 * sums.c: see sums.h.
 */
#include "server/sums.h"

#include "server/worker.h"

static void add_counters(struct counters *sum, const struct counters *counters)
{
#define COUNTER(symbol, help)                                                                                          \
    atomic_fetch_add(&sum->symbol, atomic_load_explicit(&counters->symbol, memory_order_relaxed));
#include "core/counters.def"
#undef COUNTER
}

static struct worker *worker_at(const struct daemon *daemon, unsigned i)
{
    return i < daemon->worker_count ? daemon->workers[i] : daemon->leaving[i - daemon->worker_count];
}

void sums_counters(const struct daemon *daemon, struct counters *ret, uint64_t *ret_drops)
{
    *ret       = (struct counters){0};
    *ret_drops = daemon->ended_drops;
    add_counters(ret, &daemon->ended);
    for (unsigned i = 0; i < daemon->worker_count + daemon->leaving_count; i++) {
        add_counters(ret, worker_counters(worker_at(daemon, i)));
        *ret_drops += worker_kernel_drops(worker_at(daemon, i));
    }
}

void sums_responses(const struct daemon *daemon, struct responses *ret)
{
    *ret = (struct responses){0};
    responses_add(ret, &daemon->ended_responses);
    for (unsigned i = 0; i < daemon->worker_count + daemon->leaving_count; i++)
        responses_add(ret, worker_responses(worker_at(daemon, i)));
}
