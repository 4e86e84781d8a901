/*
 * trace.c: see trace.h.
 */
#include "core/trace.h"

#include "core/setup.h"

bool trace_failed(const struct traced *traced)
{
    return traced->way == TRACE_BY_STALE || (traced->rcode != RCODE_NOERROR && traced->rcode != RCODE_NXDOMAIN);
}

/* Where nobody waits for its answer it has crossed the border all the same. */
static bool reached_external(const struct traced *traced)
{
    for (unsigned i = 0; i < traced->trace.count; i++)
        if (traced->trace.steps[i].what == TRACE_ASK && traced->trace.steps[i].group == SETUP_EXTERNAL)
            return true;
    return traced->way == TRACE_BY_GROUP && traced->group == SETUP_EXTERNAL;
}

bool trace_is_wanted(enum trace_want want, const struct traced *traced)
{
    return want == TRACE_ALL || (want >= TRACE_FAILED && trace_failed(traced)) ||
           (want >= TRACE_EXTERNAL && reached_external(traced));
}
