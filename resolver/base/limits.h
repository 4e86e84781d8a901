/*
 * limits.h: every bound on growth that a stranger could cause, each with its reason.
 *
 * Thread: pure.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    LIMIT_UDP_PAYLOAD        = 1232,     /* DNS Flag Day 2020: fits any path without fragments */
    LIMIT_TCP_MESSAGE        = 65535,    /* the two length bytes of RFC 1035, 4.2.2 */
    LIMIT_FLIGHTS            = 20000,    /* questions in flight for each worker: 5,000 a second for 4 s of silence */
    LIMIT_WAITERS            = 1024,     /* clients that wait for one flight; the next is answered SERVFAIL */
    LIMIT_WAITERS_TOTAL      = 40000,    /* clients that wait, for each worker */
    LIMIT_TCP_CLIENTS        = 1000,     /* client connections for each worker; the idlest gives way */
    LIMIT_TCP_CLIENT         = 250,      /* of them from one client, so that nobody alone takes all places */
    LIMIT_TCP_PIPELINE       = 64,       /* unanswered questions of one client connection; then it is not read */
    LIMIT_TCP_OUTPUT         = 1 << 20,  /* bytes a slow reader may have waiting before it is cut off */
    LIMIT_TCP_MEMORY         = 64 << 20, /* bytes of all client connections of a worker; the heaviest is cut off */
    LIMIT_TCP_UPSTREAM       = 8,        /* connections of a worker to one upstream: one, and more if they break */
    LIMIT_TCP_UPSTREAM_SHORT = 32, /* the same, to one that answers a few questions on each: 100 a second at 150 ms */
    LIMIT_CLIENT_RATES       = 65536,    /* clients whose rate is remembered; a power of two: 512 KiB */
    LIMIT_UDP_SENDS          = 6,        /* datagrams towards upstreams for one question */
    LIMIT_GROUP              = 8,        /* upstreams in a group */
    LIMIT_GROUPS             = 16,       /* upstream groups */
    LIMIT_WORKERS            = 64,       /* threads that serve queries */
    LIMIT_CONFIRMATIONS      = 256,      /* suspicions studied at once by the keeper */
    LIMIT_CHECKS             = 64,       /* the same of each other kind of study */
    LIMIT_OBSERVATIONS       = 1024,     /* slots of the ring from one worker to the keeper; a power of two */
    LIMIT_CONTROL_CLIENTS    = 64,       /* connections on the control socket */
    LIMIT_CONTROL_LINE       = 16 << 20, /* bytes in one control request: an import of 100,000 zones */
    LIMIT_WEB_CLIENTS        = 32,       /* connections over HTTP: a scraper, and a browser or two */
    LIMIT_WEB_PAGE           = 2 << 20,  /* bytes of a page: 128 upstreams with long names */
    LIMIT_SUSPECTS           = 4096,     /* unconfirmed zones in the table, so that random names cannot fill it */
    LIMIT_DOMAIN_ZONES    = 256,   /* blocked zones and names of one registrable domain, so that none fills the table */
    LIMIT_DOSSIERS        = 4096,  /* zones whose evidence is at hand: 6 MB */
    LIMIT_NAMESERVER_SETS = 16384, /* nameserver sets of blocked zones that are kept; a power of two: 15 MB */
    LIMIT_INTERVIEWS      = 2,     /* upstreams that are tried at once: each has sockets of its own */
    LIMIT_EXPLANATIONS    = 2,     /* domains that are explained at once: 200 questions each, and sockets of its own */
    LIMIT_NOTE            = 256,   /* bytes of an operator's note on a pin */
    LIMIT_LOG_DOMAINS     = 100000, /* domains that bywayctl finds in logs: 280 MB at worst */
    LIMIT_QUERY_LINES     = 5000,   /* lines of log.queries a second: a tenth of a core */
};

#endif
