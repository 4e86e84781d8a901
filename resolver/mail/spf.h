/*
 * spf.h: may this client send mail for this domain? check_host() of RFC 7208, as a machine that asks its owner for one
 * lookup at a time and is told what came of it; and with the result why it came out so, for people who must mend it.
 *
 *     spf_begin(&spf, &request);
 *     while ((lookup = spf_lookup(&spf)) != NULL)
 *         look it up, then spf_on_reply(&spf, &message) or spf_on_failure(&spf, outcome, who);
 *     spf.result, spf.problem, ...
 *
 * It ends whatever it is told: ten terms may look up, each at most eleven names, and two lookups may be void (4.6.4); the
 * client's own names take eleven more, the explanation one. It allocates nothing. A `struct spf` has pointers into
 * itself: it is not copied.
 *
 * Where the RFC leaves a choice: a record that includes, or redirects to, one that is being evaluated is permerror at
 * once, since ten terms later it would be. Whatever %{p} needs is looked up once, and is not counted. A void lookup is
 * one for a, mx (and each of its hosts) or exists, or of ptr the one for the client's name.
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_H
#define MAIL_SPF_H

#include "dns/judge.h"
#include "mail/spf_macro.h"
#include "mail/spf_record.h"

enum {
    SPF_TERMS_MAX       = 10,                /* that look up (RFC 7208, 4.6.4), */
    SPF_VOIDS_MAX       = 2,                 /* lookups without an answer, */
    SPF_HOSTS_MAX       = 10,                /* and names of MX or PTR records */
    SPF_VISITS_MAX      = 1 + SPF_TERMS_MAX, /* records: each but the first costs a term */
    SPF_RECORDS_SIZE    = 32768,             /* bytes of all records that are evaluated at once */
    SPF_TERM_TEXT_MAX   = 128,
    SPF_WHO_MAX         = 64,
    SPF_EXPLANATION_MAX = 512, /* a line of SMTP (RFC 5321, 4.5.3.1.5) */
};

enum spf_result {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};

enum spf_trouble {
    SPF_FINE,
    SPF_NO_DOMAIN,  /* the sender's domain, or HELO, is none, or has one label; of a term: what it expands to */
    SPF_NO_RECORD,  /* at `name` */
    SPF_SEVERAL,    /* records at `name` */
    SPF_LONG,       /* the record at `name` does not fit SPF_RECORDS_SIZE */
    SPF_SYNTAX,     /* in `term` of the record of `domain` */
    SPF_TERMS,      /* `term` is the eleventh */
    SPF_VOIDS,      /* the lookup for `name` is the third without an answer */
    SPF_HOSTS,      /* `name` has more than ten MX records */
    SPF_LOOP,       /* `term` leads to `name`, which led to it */
    SPF_UNRESOLVED, /* the lookup for `name` failed */
};

struct spf_problem {
    enum spf_trouble trouble;
    struct name      domain; /* whose record it is in, or of the first: whose is missing; len 0: none */
    size_t           at;     /* of the term: its place in the record, in bytes */
    char             term[SPF_TERM_TEXT_MAX]; /* as it stands there, cut; "": no term. Not fit to be printed as it is */
    const char      *why;                     /* SPF_SYNTAX: what is wrong with it, static text; else NULL */
    struct name      name;                    /* what was looked up last; empty: nothing */
    uint16_t         type;
    enum outcome     outcome;          /* what came of that */
    char             who[SPF_WHO_MAX]; /* who said so, where the owner has told */
};

/* A record that was looked up. */
struct spf_visit {
    struct name   domain;
    enum spf_kind by;      /* SPF_INCLUDE or SPF_REDIRECT; of the first SPF_NO_TERM */
    uint8_t       parent;  /* whose term led here; of the first 0 */
    uint8_t       lookups; /* counted terms: those met in it and below, and the one that led here */
};

struct spf_lookup {
    struct name name;
    uint16_t    type;
};

/* The term that decided. */
struct spf_match {
    struct name domain;                  /* whose record it stands in; empty: none matched */
    char        term[SPF_TERM_TEXT_MAX]; /* cut; not fit to be printed as it is */
};

struct spf_request {
    struct address client;   /* an IPv6 one that maps an IPv4 one is taken for that */
    const char    *helo;     /* copied, as are the others; "": unknown */
    const char    *sender;   /* of MAIL FROM, without brackets; "": HELO stands for it. Without '@': a domain */
    const char    *receiver; /* our own host, for explanations; NULL: unknown */
    wall_t         now;
};

/* A record that is being evaluated; the last one is at work. */
struct spf_frame {
    uint8_t            visit;
    enum spf_kind      by;
    struct view        text; /* in spf->records */
    size_t             at;   /* where its next term is */
    struct spf_term    term; /* the one at work */
    struct spf_outline outline;
};

struct spf {
    enum spf_result    result;     /* these once spf_lookup() is NULL */
    struct spf_problem problem;    /* of none, temperror and permerror */
    struct spf_match match, inner; /* what decided; and in the records that it includes, down to the last, else empty */
    char             explanation[SPF_EXPLANATION_MAX]; /* of fail, where the domain has one, else ""; cut, and not fit
                                                            to be printed as it is */
    unsigned         lookups;                          /* counted terms that were met: 11 if there were too many */
    struct spf_visit visits[SPF_VISITS_MAX];
    unsigned         visit_count;
    struct spf_lookup voids[SPF_VOIDS_MAX + 1];
    unsigned          void_count;

    /* Its own. */
    struct spf_lookup lookup;
    enum spf_stage {
        SPF_STAGE_TERM, /* nothing is asked */
        SPF_STAGE_RECORD,
        SPF_STAGE_ADDRESS,
        SPF_STAGE_EXISTS,
        SPF_STAGE_MX,
        SPF_STAGE_MX_HOST,
        SPF_STAGE_PTR,
        SPF_STAGE_PTR_HOST,
        SPF_STAGE_EXPLANATION,
        SPF_STAGE_DONE,
    } stage;
    enum {
        SPF_DECIDING,
        SPF_NAMING,    /* the explanation: where it stands */
        SPF_EXPLAINING /* what it says */
    } phase;
    struct address   client;
    wall_t           now;
    char             sender[SPF_VALUE_MAX], helo[SPF_VALUE_MAX], receiver[SPF_VALUE_MAX];
    struct view      local, sender_domain; /* in `sender` */
    struct spf_frame frames[SPF_VISITS_MAX];
    unsigned         depth;
    struct name      hosts[SPF_HOSTS_MAX];     /* names whose addresses are looked up one by one, */
    unsigned         host_count, host_at;      /* and which is next */
    struct name      validated[SPF_HOSTS_MAX]; /* the client's names (RFC 7208, 5.5) */
    unsigned         validated_count;
    bool             validation_done;
    uint8_t          records[SPF_RECORDS_SIZE];
    struct view      explanation_text; /* in `records` */
};

/* Begins. False: a text of `request` is SPF_VALUE_MAX bytes or longer, and nothing has begun. */
bool spf_begin(struct spf *spf, const struct spf_request *request);
/* What is to be looked up, class IN; NULL: there is a result. Valid until it is told what came of it. */
const struct spf_lookup *spf_lookup(const struct spf *spf);
/* There is a reply: NOERROR with or without such records, CNAMEs followed, or NXDOMAIN. `reply` is borrowed for the
 * call; one of another rcode is a failure of nobody known. */
void spf_on_reply(struct spf *spf, const struct message *reply);
/* There is none, or none that answers. `who` failed, copied and cut; NULL: not known. */
void spf_on_failure(struct spf *spf, enum outcome outcome, const char *who);

/* "pass", as in a Received-SPF field (RFC 7208, 9.1). */
const char *spf_result_word(enum spf_result result);

#endif
