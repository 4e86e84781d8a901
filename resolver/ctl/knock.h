/*
 * knock.h: connects to port 25 of some addresses, all at once, hears the greeting and takes its leave. Knows nothing of
 * names, and nothing of what greetings mean.
 *
 * Thread: main.
 */
#ifndef CTL_KNOCK_H
#define CTL_KNOCK_H

#include "ctl/greeting.h"

enum {
    KNOCKS_MAX = 16
};

struct knock {
    const char           *address; /* IPv4 or IPv6 as text; borrowed */
    struct greeting       greeting;
    enum greeting_outcome outcome;
    msec_t                ms; /* until that was known */

    /* while it lasts */
    int    fd;
    bool   connected;
    msec_t begun, until;
};

/* Whether it is one that can be tried. */
bool knock_knows(const char *address);
/* Returns once each of the `count` knocks, at most KNOCKS_MAX, has its outcome: within 10 s. `on_second` is told of each
 * second that has passed. */
void knock_all(struct knock *knocks, size_t count, void (*on_second)(unsigned seconds));

#endif
