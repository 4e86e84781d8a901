/*
 * hearing.h: one explanation after the other, each run to its end in virtual time between parties that the test plays:
 * domestic, external, the canary, and whatever address a zone's servers have. It checks by itself what may be asked of
 * whom, how much at once and for how long, and that what is concluded can be shown to people; what breaks one of these
 * aborts, so that a fuzz target may use it, too.
 */
#ifndef LIB_HEARING_H
#define LIB_HEARING_H

#include "base/rng.h"
#include "explain/explanation.h"
#include "lib/packet.h"

enum {
    HEARING_BEGIN     = 1000000,    /* ms */
    HEARING_WALL      = 1700000000, /* s */
    HEARING_TOOK      = 20,         /* ms from a question to its reply */
    HEARING_UPSTREAMS = 2,          /* in each group */
    HEARING_FLIGHTS   = 2 * INQUEST_AT_ONCE,
};

enum hearing_party {
    HEARD_DOMESTIC,
    HEARD_EXTERNAL,
    HEARD_OFFICE, /* a group of the operator's own */
    HEARD_CANARY,
    HEARD_SERVER, /* of a zone */
    HEARD_COUNT
};

struct hearing_question {
    enum hearing_party    party;
    const struct address *address;
    enum transport        transport;
    const struct inquiry *inquiry;
};

enum hearing_play {
    PLAY_SILENCE,
    PLAY_REPLY,    /* *reply: its header and question are there at first */
    PLAY_REFUSAL,  /* the network says that nobody is there */
    PLAY_NO_ROUTE, /* nothing can be sent there */
};
typedef enum hearing_play (*hearing_play_fn)(void *context, const struct hearing_question *question,
                                             struct packet *reply);

struct hearing_flight {
    struct exchange *exchange; /* NULL: free */
    enum transport   transport;
    bool             refused;
    msec_t           due; /* MSEC_NEVER: nothing comes */
    struct packet    reply;
};

struct hearing {
    hearing_play_fn       play;
    void                 *context;
    struct shared         shared;
    struct external_rate  quota;
    struct setup          setup;
    struct group          groups[3];
    struct server        *servers[3 * HEARING_UPSTREAMS], *canary;
    msec_t                now;
    struct explanation   *explanation; /* NULL: none, or no memory for one */
    unsigned              sent[HEARD_COUNT], open;
    struct hearing_flight flights[HEARING_FLIGHTS];
};

/* With the operator's `rules`, besides which none counts. `hearing` may be static: it is a megabyte or some. */
void hearing_open(struct hearing *hearing, const struct rule *rules, size_t count, hearing_play_fn play, void *context);
/* Destroys the explanation, too. Aborts if a socket was not given back. */
void hearing_close(struct hearing *hearing);
/* Runs one to its end and concludes it. False: no memory. */
bool hearing_explain(struct hearing *hearing, const struct explain_request *request);

#endif
