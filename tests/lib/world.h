/*
 * world.h: a small censored country in virtual time, around the logic of ranks 0 to 4: workers, one prober and learner,
 * upstream servers that behave as they are told, and a network between them. No socket, no sleep; the same seed gives
 * the same course of events.
 *
 * A test is a transcript: say how servers behave, ask, let time pass, look. Whatever else a test looks at, each world
 * checks in world_end() that every question was answered once and by its deadline, that no packet crossed a fence, that
 * no public suffix was learned, that no cap was passed, that the journal gives the table again, that no question cost
 * more datagrams than it may, and that every ticket was given back.
 */
#ifndef LIB_WORLD_H
#define LIB_WORLD_H

#include "learn/learner.h"
#include "lib/names.h"
#include "probe/prober.h"
#include "query/engine.h"

enum { /* servers, as bits */
    WORLD_GROUP_BITS = 8,
    DOMESTIC         = 0x0000ff,
    EXTERNAL         = 0x00ff00,
    OFFICE           = 0xff0000,
    DOMESTIC_1       = 0x000001,
    DOMESTIC_2       = 0x000002,
    EXTERNAL_1       = 0x000100,
    EXTERNAL_2       = 0x000200,
    EVERYBODY        = 0xffffff,
    CANARY           = 0x1000000, /* an address where nobody is: silent, unless a border is said to answer there */
};

enum { /* groups of the setup */
    GROUP_OFFICE = 2,
    WORLD_GROUPS = 3,
};

enum { /* ms from a question to its reply, unless a way says otherwise */
    DOMESTIC_DELAY = 5,
    EXTERNAL_DELAY = 60,
    OFFICE_DELAY   = 10,
    CANARY_DELAY   = 20, /* the border's */
};

enum way {
    ANSWERS,
    SILENT,
    SERVFAILS,
    REFUSES,
    FORMERRS,          /* whatever the question's EDNS */
    NO_EDNS,           /* FORMERR to a question with EDNS, answers one without */
    DROPS_EDNS,        /* silent to a question with EDNS, answers one without */
    TRUNCATES,         /* over UDP; answers over TCP */
    GARBLES,           /* the right header, then noise */
    MISLEADS,          /* a reply to another id */
    FORGES,            /* an A record, whatever was asked */
    CUTS,              /* a record ends in its middle, and TC is not set */
    TRAILS,            /* bytes behind the message */
    LACKS_QUESTION,    /* NOERROR, and nothing more than a header */
    REFUSES_SHORTLY,   /* REFUSED, the same */
    SERVFAILS_SHORTLY, /* SERVFAIL, the same */
    BREAKS_EXTRA,      /* a good answer, and a broken record in additional */
    NO_EDNS_COPIED,    /* as NO_EDNS, but the FORMERR has an OPT */
    NO_OPTIONS,        /* FORMERR to an OPT with options */
    DROPS_LONG,        /* its answers are long, and come over UDP only where they are cut to 512 bytes */
    UNREACHABLE,
    NXDOMAINS,
    HAS_NO_DATA,
    CHAOS, /* any of those, drawn for each packet */
    WAYS,  /* those that may be drawn */
    LOOPS, /* hands the question to worker 0; only for names that byway answers itself */
};

struct manner { /* how a server treats a question */
    enum way       way;
    msec_t         after; /* ms until the reply; 0: the server's usual delay */
    enum transport over;  /* only that transport, if `only_over` */
    bool           only_over;
    uint16_t       type;      /* only that type; 0: all */
    int            ede;       /* sent with the reply; 0: none */
    bool           authentic; /* AD set */
    bool           proves;    /* a denial comes with NSEC, if the question has DO */
    uint32_t       address;   /* of A records, in place of what tells who answered; 0: none */
    int            ttl;       /* s, of all records; 0: 300; NO_TTL: 0 */
    bool           no_soa;    /* a denial comes without */
    bool           lower;     /* the question comes back in lower case */
};

enum {
    NO_TTL = -1
};

struct world_rate {      /* what servers bear, be it questions of clients or of the prober */
    uint32_t per_second; /* 0: as many as come */
    uint32_t burst;      /* so many at once; 0: as many as in a second, counted anew with each whole one */
    bool     together;   /* all of them are one */
    enum way way;        /* what becomes of the others */
};

struct world_fence {
    const char *zone;
    enum via    via;
    uint8_t     group;
    bool        list;     /* it is a preset's blocklist */
    uint32_t    refusal;  /* list: the address by which it refuses, beside the usual ones; 0: none */
    bool        or_empty; /* as the reverse zones of private addresses are: byway stands in */
};

enum {
    WORLD_FENCES = 4
};

struct world_options { /* zero means the default */
    uint64_t            seed;
    unsigned            workers;                    /* 1 */
    unsigned            domestic, external, office; /* 2, 2, 0 servers */
    unsigned            trusted, tcp_only;          /* bits of servers */
    unsigned            mix_case;                   /* the same */
    unsigned            loss;                       /* packets lost of a thousand, each way */
    struct world_fence  fences[WORLD_FENCES];
    enum setup_learning learning;
    bool                not_on_timeout, not_on_servfail, not_on_refused, not_on_forged;
    bool                on_nxdomain;
    uint32_t            censor; /* an address that only a censor gives; 0: none is known */
    bool                pass_list_errors;
    msec_t              patience, deadline;         /* auto, 4500 */
    msec_t              recheck_first, recheck_max; /* 10 m, 1 d */
    unsigned            recover_after;              /* 2 */
    unsigned            max_zones;                  /* 1000 */
    uint32_t            external_qps;               /* 1000 */
    uint32_t            client_qps;                 /* 0: no limit; who has an address in 127.1.0.0/16 is exempt */
    uint32_t            recheck_share;              /* 100: one percent */
    bool                canary;
    msec_t              wait; /* 250 */
    bool                echo; /* upstreams are asked whether they forward to byway */
    /* As prober_hooks.ask_lease; NULL: there are no other nodes. */
    bool (*ask_lease)(void *lessor, const struct zone *zone);
    void *lessor;
};

struct world;

struct world *world_create(const struct world_options *options); /* NULL: no memory */
/* Cancels what is under way, checks what holds in every world, frees it. */
void world_end(struct world *world);
/* A reload; fences, learning, patience, deadline, pass_list_errors and external_qps count. */
void world_reload(struct world *world, const struct world_options *options);
/* Its two halves: a worker reads its orders when it comes to it. */
void world_reload_keeper(struct world *world, const struct world_options *options);
void world_reload_workers(struct world *world);

/* From now on these servers treat `zone` and all below so; what was said last counts. */
void world_say(struct world *world, unsigned servers, const char *zone, struct manner manner);
/* The same, by the way alone or by the way and what else there is to a manner. */
#define SAY(world, servers, zone, ...) world_say(world, servers, zone, (struct manner){.way = __VA_ARGS__})
/* From now on these servers bear no more than that. */
void world_limit(struct world *world, unsigned servers, struct world_rate rate);
/* There is a cut at `zone`: its SOA stands there. Without one it stands at the last two labels. */
void world_cut(struct world *world, const char *zone);
/* One nameserver of the zone, of several if called again. Without this it has one of its own. */
void world_host(struct world *world, const char *zone, const char *host);
void world_alias(struct world *world, const char *name, const char *target);
void world_lose(struct world *world, unsigned thousandths);
/* Somebody on the path to these servers answers for `zone` over UDP, too, with an A record, `after` ms behind the
 * question. */
void world_inject(struct world *world, unsigned servers, const char *zone, msec_t after);

struct ask {
    unsigned answers; /* how often it was answered */
    msec_t   asked, answered, deadline;
    unsigned rcode;
    int      ede;
    unsigned records; /* in the answer section */
    int      group;   /* that the answer's data came from; -1: none */
    uint32_t address; /* of the last A record; 0: none */
    bool     truncated, authentic;
};

struct world_question {
    const char *name;
    uint16_t    type;
    unsigned    worker;
    bool        plain; /* no EDNS */
    bool        checking_disabled, dnssec_ok, tcp;
};

struct ask *world_ask(struct world *world, const char *name, uint16_t type);
struct ask *world_ask_by(struct world *world, const struct world_question *question);
/* Lets time pass until it is answered; ms that it took. */
msec_t world_wait(struct world *world, const struct ask *ask);
/* The two at once. */
struct ask *world_resolve(struct world *world, const char *name, uint16_t type);
void        world_run(struct world *world, msec_t ms);
msec_t      world_now(const struct world *world); /* the clock that the logic is told */

struct sending { /* one packet from byway to a server */
    msec_t         at;
    unsigned       server; /* its bit */
    bool           probe;  /* by the prober, else for a client */
    enum transport transport;
    struct name    name;
    uint16_t       type;
    const void    *owner; /* the query or errand */
    msec_t         owner_started;
};

size_t                world_sendings(const struct world *world);
const struct sending *world_sending(const struct world *world, size_t index);

enum {
    BY_CLIENTS = 1,
    BY_PROBER  = 2,
    BY_ALL     = 3
};
/* Packets sent so far to any of the servers with a name at or below `zone`. */
size_t world_count(const struct world *world, unsigned servers, const char *zone, unsigned by);

/* Complaints about blocklists so far. */
unsigned                  world_complaints(const struct world *world);
const struct observation *world_complaint(const struct world *world); /* the last one */

struct verdict world_verdict(const struct world *world, const char *name, uint16_t type);
/* Of the entry that stands at `zone` itself with scope `zone`; ZONE_CLEAR: none. */
enum zone_state world_state(const struct world *world, const char *zone);
struct zone    *world_zone(const struct world *world, const char *zone, enum zone_scope scope, uint16_t type);
/* Blocked and recovering zones. */
size_t world_blocked(const struct world *world);
/* Makes `zone` blocked by asking until it is confirmed; domestic must fail it, external not. */
void world_learn(struct world *world, const char *name, uint16_t type);
/* As an operator pins it; MSEC_NEVER: for good. */
void world_pin(struct world *world, const char *zone, enum pin pin, msec_t until);
/* Domestic answers for a few zones, so that control questions have something to stand on. */
void world_warm_up(struct world *world);

const struct group  *world_domestic(const struct world *world);
struct server       *world_server(const struct world *world, unsigned server);
struct prober       *world_prober(const struct world *world);
struct learner      *world_learner(const struct world *world);
const struct policy *world_policy(const struct world *world);
struct shared        world_shared(const struct world *world);
/* As the operator does; *ret is set when it ends. */
void           world_probe(struct world *world, struct view zone, struct study_result *ret);
struct engine *world_engine(const struct world *world, unsigned worker);
uint32_t       world_random(struct world *world, uint32_t bound);

#endif
