/*
 * monitor.h: an eye on each upstream: is it there (health probes), can it answer at all just now (control questions),
 * does it ask us in turn (echoes)? Knows studies as those who wait for a control question, and nothing of zones. The
 * prober's.
 *
 * Thread: keeper.
 */
#ifndef PROBE_MONITOR_H
#define PROBE_MONITOR_H

#include "core/counters.h"
#include "probe/study.h"

enum {                           /* ms */
    CONTROL_EVERY = 250,         /* at most one control question to a server in that time */
    HEALTH_LOOK   = 100,         /* how often the servers' health is looked at: workers only set a flag */
    ECHO_FIRST    = 60 * 1000,   /* from one echo to the next, doubling: who is in the circle may start after us, … */
    ECHO_LAST     = 3600 * 1000, /* … or have its configuration changed, as happens seldom */
};

enum {
    MONITOR_CANDIDATES = 16, /* zones that control questions are asked below */
    MONITOR_NAMES      = 4,  /* questions of each group that probes are drawn from: one more than take a server down */
};

struct answered { /* what a group has answered lately, each of another domain */
    struct {
        struct name name;
        uint16_t    type;
    } list[MONITOR_NAMES];
    unsigned count, oldest;
};

struct monitor;

struct monitors {
    struct errands      *errands; /* borrowed, and so is what follows */
    struct list         *studies; /* under way */
    struct prober_stats *stats;
    void (*changed)(void *owner, const struct server *server, bool up, msec_t now); /* declared down, or came up */
    /* No domestic upstream answers its control question now; `since`: when the first of those was sent. */
    void (*troubled)(void *owner, msec_t since, msec_t now);
    /* server->loops; once for each echo that came back. */
    void (*looped)(void *owner, const struct server *server);
    void           *owner;
    struct monitor *list; /* owned */
    unsigned        count;
    msec_t          looked;
    struct candidate {
        struct name zone;
        bool        good;     /* what was asked below it last was answered */
        bool        deniable; /* a name below it may be denied from a cache of its NSEC records (RFC 8198) */
    } candidates[MONITOR_CANDIDATES];
    unsigned        candidate_count;
    struct answered answered[LIMIT_GROUPS];
};

/* For the servers of the env's setup; the borrowed fields are set, all else zero. False: no memory, and nothing is
 * watched. */
bool monitors_open(struct monitors *monitors);
/* Ends what is under way and leaves `monitors` ready to be opened anew. */
void monitors_close(struct monitors *monitors);

/* Workers heal and suspect servers by themselves; what they cannot do is ask. */
void monitors_look(struct monitors *monitors, msec_t now);
/* A client has asked for `name`, below setup->echo. */
void monitors_heard(struct monitors *monitors, struct view name);
/* Looks at the trials, and asks the control questions that they want. Studies may end in it. */
void monitors_tend(struct monitors *monitors, msec_t now);

/* What it failed was no zone's doing: `failed` questions that it should have answered. */
void monitors_note_trouble(struct monitors *monitors, const struct server *server, unsigned failed, msec_t now);
/* What share of what it should answer it fails just now. */
double monitors_share(struct monitors *monitors, const struct server *server, msec_t now);
/* True if every domestic upstream is in trouble: what fails there now says nothing of zones. */
bool monitors_in_trouble(struct monitors *monitors, msec_t now);

/* What became of the control question to `server` that was sent last of those that have ended. False: before `since`.
 */
bool monitors_told(struct monitors *monitors, const struct server *server, msec_t since, struct control *ret);

/* That group has answered that question: its upstreams may be probed with it. */
void monitors_note(struct monitors *monitors, uint8_t group, struct view name, uint16_t type);
/* No upstream is probed with a name at or below `zone` any more: the operator has spoken of it. */
void monitors_abandon(struct monitors *monitors, struct view zone);
/* Domestic answered below that domain, so control questions may be asked there. */
void monitors_offer(struct monitors *monitors, struct view domain);
/* `zone` is blocked: nothing at or below it serves as a control; what is above it does, for a random label there is not
 * in it. A failure alone ends no service: in an outage all would be gone when they are needed. */
void monitors_withdraw(struct monitors *monitors, struct view zone);

#endif
