/*
 * setup.h: everything of the configuration that the path of a query reads, as one immutable, counted object. A reload
 * makes a new one; queries under way end with the one they began with. Servers are shared between setups, so that
 * health survives a reload.
 *
 * Thread: any; it does not change.
 */
#ifndef CORE_SETUP_H
#define CORE_SETUP_H

#include "dns/forgery.h"
#include "dns/judge.h"
#include "policy/clients.h"
#include "policy/policy.h"
#include "upstream/group.h"

#include <stdatomic.h>

enum {
    SETUP_DOMESTIC = 0,
    SETUP_EXTERNAL = 1,
    SETUP_NO_GROUP = 255
};

enum setup_learning {
    SETUP_LEARN,
    SETUP_OBSERVE,
    SETUP_LEARN_NOTHING
};

struct setup {
    _Atomic unsigned references;
    void (*destroy)(struct setup *setup); /* called by the last setup_drop() */
    uint32_t serial;                      /* no other setup of this process has it */

    struct policy *policy;
    struct name    echo; /* zone that nobody asks about but who was asked by us (local.h); len 0: there is none */
    struct clients clients;
    struct clients exempt;     /* from client_qps, and from the bound on connections of one client */
    uint32_t       client_qps; /* messages a second from one client; 0: no limit */
    struct group  *groups;
    unsigned       group_count;

    bool                fall_on_timeout, fall_on_servfail, fall_on_refused, fall_on_forged, fall_on_nxdomain;
    struct forgery      forgery;  /* owned */
    struct server      *canary;   /* an address where nobody listens, beyond the border; NULL: none */
    msec_t              wait;     /* ms that domestic's answer is held for it */
    msec_t              patience; /* ms; 0: auto */
    msec_t              deadline; /* ms */
    enum setup_learning learning;
    uint32_t            min_ttl, max_ttl; /* s */
    uint32_t            negative_max_ttl; /* s, of NXDOMAIN and NODATA; at most max_ttl, whatever min_ttl says */
    bool                pass_list_errors; /* else they become SERVFAIL */
    uint32_t            recheck_share;    /* of the questions that domestic is asked, hundredths of a percent */
};

static inline struct setup *setup_take(struct setup *setup)
{
    atomic_fetch_add_explicit(&setup->references, 1, memory_order_relaxed);
    return setup;
}

static inline void setup_drop(struct setup *setup)
{
    if (setup && atomic_fetch_sub_explicit(&setup->references, 1, memory_order_acq_rel) == 1)
        setup->destroy(setup);
}

/* fallback.on allows the external way after that outcome of domestic's; what is neither silence nor a failing code counts
 * as silence. */
static inline bool setup_falls_on(const struct setup *setup, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SERVFAIL:
        return setup->fall_on_servfail;
    case OUTCOME_REFUSED:
        return setup->fall_on_refused;
    case OUTCOME_FORGED:
        return setup->fall_on_forged;
    case OUTCOME_NXDOMAIN:
        return setup->fall_on_nxdomain;
    default:
        return setup->fall_on_timeout;
    }
}

#endif
