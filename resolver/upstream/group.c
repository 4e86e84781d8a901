/*
 * group.c: see group.h.
 */
#include "upstream/group.h"

enum {
    NEAR_FACTOR = 2,      /* as fast as the fastest, if not slower than this many times … */
    NEAR_SLACK  = 20,     /* … plus this, ms: then the configured order decides, which keeps caches warm */
    SPEED_LIFE  = 600000, /* ms after the last answer in which the speed holds: who was slow once is tried again */
    SLOW_ENOUGH = 20,
    SLOW_HALVE  = 4096,
};

bool group_down(const struct group *group)
{
    for (unsigned i = 0; i < group->count; i++)
        if (server_health(group->servers[i]) != HEALTH_DOWN)
            return false;
    return true;
}

/* One that was silent to a zone may only be suspected for it; one that is outdone was seen to fail what others answer.
 */
static int badness(const struct server *server)
{
    enum health health = server_health(server);
    if (health == HEALTH_DOWN)
        return 3;
    return server_is_outdone(server) ? 2 : health == HEALTH_SUSPECT;
}

/* By the transport that most of its questions take; 0: unknown. */
static msec_t speed(const struct server *server, msec_t now)
{
    if (now - atomic_load_explicit(&server->last_answer, memory_order_relaxed) > SPEED_LIFE)
        return 0;
    return rtt_smoothed(&server->rtt[server->tcp_only ? TRANSPORT_TCP : TRANSPORT_UDP]);
}

int group_pick(const struct group *group, unsigned tried, msec_t now)
{
    int    least   = -1;
    msec_t fastest = MSEC_NEVER;
    for (unsigned i = 0; i < group->count; i++) {
        if (tried & 1u << i)
            continue;
        int    bad  = badness(group->servers[i]);
        msec_t srtt = speed(group->servers[i], now);
        if (least < 0 || bad < least) {
            least   = bad;
            fastest = srtt;
        } else if (bad == least) {
            fastest = msec_min(fastest, srtt);
        }
    }
    for (unsigned i = 0; i < group->count; i++)
        if (!(tried & 1u << i) && badness(group->servers[i]) == least &&
            speed(group->servers[i], now) <= fastest * NEAR_FACTOR + NEAR_SLACK)
            return (int) i;
    /* health is shared between threads and may have changed since it was read above */
    for (unsigned i = 0; i < group->count; i++)
        if (!(tried & 1u << i))
            return (int) i;
    return -1;
}

void group_on_answer(struct group *group, msec_t took)
{
    if (took <= GROUP_SLOW)
        return;
    size_t bucket = (size_t) msec_min((took - GROUP_SLOW) / GROUP_SLOW_STEP, GROUP_SLOW_COUNT - 1);
    atomic_fetch_add_explicit(&group->slow[bucket], 1, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&group->slow_total, 1, memory_order_relaxed) < SLOW_HALVE)
        return;
    uint32_t total = 0;
    for (size_t i = 0; i < GROUP_SLOW_COUNT; i++) {
        uint32_t half = atomic_load_explicit(&group->slow[i], memory_order_relaxed) / 2;
        atomic_store_explicit(&group->slow[i], half, memory_order_relaxed);
        total += half;
    }
    atomic_store_explicit(&group->slow_total, total, memory_order_relaxed);
}

msec_t group_slow_p95(const struct group *group, msec_t unknown)
{
    uint32_t counts[GROUP_SLOW_COUNT], total = 0, seen = 0;
    for (size_t i = 0; i < GROUP_SLOW_COUNT; i++)
        total += counts[i] = atomic_load_explicit(&group->slow[i], memory_order_relaxed);
    if (total < SLOW_ENOUGH)
        return unknown;
    for (size_t i = 0; i < GROUP_SLOW_COUNT; i++)
        if ((seen += counts[i]) * 100 >= total * 95)
            return GROUP_SLOW + (msec_t) (i + 1) * GROUP_SLOW_STEP;
    return GROUP_SLOW + GROUP_SLOW_COUNT * GROUP_SLOW_STEP;
}
