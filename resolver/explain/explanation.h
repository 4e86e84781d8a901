/*
 * explanation.h: why mail from or to a domain does or does not work from here. The facts are an inquest's; what they
 * mean is found by checks, a file each, which ask for what they need and, when nothing more is under way, write their
 * findings. Without I/O.
 *
 *   zones           every zone that the mail depends on, on both sides      servers         a zone's own servers, asked by us
 *   validation      what fails for those who validate                       mail_hosts      MX, their addresses, TLSA
 *   sender_policy   SPF                                                     authentication  DMARC, DKIM
 *   client          --ip and --helo: PTR, blocklists, HELO                  own             byway's verdict, pin, fence
 *   conclusion      which finding is the cause; the verdict, the cure, what mail servers reply
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_EXPLANATION_H
#define EXPLAIN_EXPLANATION_H

#include "dns/text.h"
#include "explain/finding.h"
#include "explain/pair.h"

enum {
    EXPLANATION_FINDINGS  = 96,
    EXPLANATION_ZONES     = 24,
    EXPLANATION_MX        = 8,                       /* mail hosts that are looked at, the most preferred first */
    EXPLANATION_NS        = 8,                       /* of a zone */
    EXPLANATION_LISTS     = 16,                      /* blocklists that are asked */
    EXPLANATION_TEXT_MAX  = 256,                     /* of a sender, a HELO name */
    EXPLANATION_CURE_MAX  = 256 + 2 * NAME_TEXT_MAX, /* a command in it is never cut */
    EXPLANATION_REPLIES   = 8,
    EXPLANATION_REPLY_MAX = 384,
    EXPLANATION_ADDRESSES = 8, /* of a host */
    EXPLANATION_UNRELATED = 2, /* domains that have nothing to do with it */
};

enum role { /* why the mail depends on a zone; a bit each */
    ROLE_DOMAIN  = 1,
    ROLE_SERVERS = 2,
    ROLE_MX      = 4,
    ROLE_SPF     = 8,
    ROLE_DKIM    = 16,
    ROLE_CLIENT  = 32, /* the names of its address */
    ROLE_HELO    = 64,
};

struct reliance { /* on a zone */
    struct name zone;
    unsigned    roles;
    struct name by;      /* a name in it that the mail needs: one that fails, if any does */
    enum role   by_role; /* why */
    struct pair failing; /* of the questions in it that domestic fails and external answers the first; type 0: none */
};

struct server_seen { /* an address of a zone's server */
    struct name        host;
    struct address     address;
    const struct fact *udp, *tcp; /* SOA; NULL: not asked */
    const struct fact *mx, *txt;  /* over UDP; NULL: not asked */
};

struct servers_seen { /* of a zone */
    struct name        zone;
    struct name        hosts[EXPLANATION_NS];
    unsigned           host_count;
    bool               is_cut;      /* it has more of them */
    bool               from_parent; /* neither side knows the zone's NS: these are the parent's word */
    struct server_seen list[2 * EXPLANATION_NS];
    unsigned           count;
    unsigned answered, silent, lame; /* of them, over UDP; what this network has no route to is none of these */
};

struct mail_host {
    struct name    name;
    uint16_t       preference;
    bool           is_implicit; /* the domain itself (RFC 5321, 5.1) */
    bool           is_twice;
    struct pair    a, aaaa;
    struct address addresses[EXPLANATION_ADDRESSES];
    unsigned       address_count;
};

enum verdict_word {
    EXPLAINED_FINE,
    EXPLAINED_BLOCKED,
    EXPLAINED_FORGED,
    EXPLAINED_BROKEN,
    EXPLAINED_MISCONFIGURED,
    EXPLAINED_UNKNOWN,
};
const char *explanation_verdict_word(enum verdict_word verdict);

struct mail_reply { /* what a mail server that asks here says */
    const char *server, *check;
    char        code[16], text[EXPLANATION_REPLY_MAX];
};

struct explain_request {
    struct name    domain;
    struct address ip;                                                       /* len 0: not given */
    char           helo[EXPLANATION_TEXT_MAX], sender[EXPLANATION_TEXT_MAX]; /* "": not given */
    struct name    helo_name;                                                /* len 0: none, or an address literal */
    struct name    dkim;                                                     /* where the key is; len 0: not given */
};

struct explanation {
    struct explain_request request;
    struct inquest        *inquest;
    wall_t                 wall; /* for signatures */
    bool                   final;

    struct finding      findings[EXPLANATION_FINDINGS];
    unsigned            finding_count;
    struct reliance     zones[EXPLANATION_ZONES];
    unsigned            zone_count;
    struct servers_seen servers[EXPLANATION_ZONES]; /* of the zones, in their order; hosts 0: not looked at */
    struct mail_host    hosts[EXPLANATION_MX];
    unsigned            host_count;
    bool                is_forged; /* the canary, or domestic's own words, show it of the domain */

    enum verdict_word verdict; /* these from the conclusion */
    int               cause;   /* index of a finding; -1: none */
    char              cure[EXPLANATION_CURE_MAX];
    struct mail_reply replies[EXPLANATION_REPLIES];
    unsigned          reply_count;
    struct spf_walk  *walk; /* scratch of sender_policy; owned */
    struct spf       *spf;
};

struct explanation_options {
    struct inquest_options inquest; /* look and owner are set by explanation_create() */
    struct explain_request request;
    wall_t                 wall;
};

/* NULL: no memory. Begin it, and give it its events, by its inquest. */
struct explanation *explanation_create(const struct explanation_options *options);
void                explanation_destroy(struct explanation *explanation); /* NULL is allowed */
/* Once the inquest has ended: findings, verdict and the rest. */
void explanation_conclude(struct explanation *explanation);

#endif
