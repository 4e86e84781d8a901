/*
 * monitor_internal.h: the parts of a monitor to each other: monitor.c (health probes, echoes, life), control.c (how it
 * fares, control questions).
 *
 * Thread: keeper.
 */
#ifndef PROBE_MONITOR_INTERNAL_H
#define PROBE_MONITOR_INTERNAL_H

#include "probe/monitor.h"
#include "upstream/trouble.h"

enum {
    MONITOR_CONTROLS = 8 /* control questions that are open at one server */
};

struct monitor { /* of one server: health probe, control question and echo */
    struct monitors   *monitors;
    struct server     *server;
    uint8_t            group;
    bool               external;
    const struct name *zone;    /* that it may be asked about; NULL: nobody asks it */
    msec_t             doubted; /* since when it is suspect; 0: it is not */
    enum probe         probe;
    bool               has_root; /* it has answered a probe by the root */
    struct trouble     trouble;
    uint64_t           well, beaten; /* of the server, when they were last looked at */
    bool               last;         /* no other name is left in this row */
    bool               edns_lost;    /* the health probe before was one with EDNS, and silent */
    msec_t             plain_at;     /* when the plain one beside such a probe was first answered; 0: never */
    msec_t             plain_due;    /* when one is asked again if none was answered */
    struct errand      health, plain, echo;
    struct errand      controls[MONITOR_CONTROLS];
    struct control     told[CONTROLS_TOLD]; /* a ring */
    unsigned           told_next;           /* place in it */
    msec_t             failed_at;           /* when the last control question that failed came to its end */
    msec_t             pause, pause_end;    /* behind those that failed; 0: none */
    msec_t             control_asked;       /* when the last control question was sent; 0: never */
    msec_t             echo_due;            /* when the next one is sent */
    msec_t             echo_wait;           /* and ms from that one to the one behind it */
    bool               heard;               /* the last one came back to us */
};

/* ---- control.c ---- */

struct monitor *monitor_of(const struct monitors *monitors, const struct server *server); /* NULL: there is none */
uint64_t        monitor_answers(const struct server *server);                             /* usable ones, so far */
/* Whatever it answers, it can answer; what others of its group answered in its place, it should have. */
void monitor_note_fare(struct monitor *monitor, msec_t now);

#endif
