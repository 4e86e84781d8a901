/*
 * trouble.c: see trouble.h.
 */
#include "upstream/trouble.h"

#include <string.h>

struct sum {
    double well, failed;
};

static void move_on(struct trouble *trouble, msec_t now)
{
    msec_t step = now / TROUBLE_STEP;
    if (step - trouble->step >= TROUBLE_STEPS)
        memset(trouble->steps, 0, sizeof(trouble->steps));
    for (msec_t gone = trouble->step + 1; step - trouble->step < TROUBLE_STEPS && gone <= step; gone++)
        memset(&trouble->steps[gone % TROUBLE_STEPS], 0, sizeof(trouble->steps[0]));
    trouble->step = msec_max(step, trouble->step);
}

void trouble_note(struct trouble *trouble, unsigned well, unsigned failed, msec_t now)
{
    move_on(trouble, now);
    trouble->steps[trouble->step % TROUBLE_STEPS].well += well;
    trouble->steps[trouble->step % TROUBLE_STEPS].failed += failed;
}

static struct sum sum_of(const struct trouble *trouble, unsigned steps)
{
    struct sum sum = {0};
    for (unsigned i = 0; i < steps; i++) {
        size_t at = (size_t) (trouble->step + TROUBLE_STEPS - i) % TROUBLE_STEPS;
        sum.well += trouble->steps[at].well;
        sum.failed += trouble->steps[at].failed;
    }
    return sum;
}

static double shown(struct sum sum) { return sum.failed >= TROUBLE_SOME ? sum.failed / (sum.well + sum.failed) : 0; }

static double greater(double a, double b) { return a > b ? a : b; }

double trouble_share(struct trouble *trouble, msec_t now)
{
    move_on(trouble, now);
    struct sum all   = sum_of(trouble, TROUBLE_STEPS);
    double     share = (all.failed + 1) / (all.well + all.failed + TROUBLE_PRIOR);
    share            = greater(share, greater(shown(all), shown(sum_of(trouble, TROUBLE_BRIEF))));
    return greater(share, TROUBLE_LEAST);
}
