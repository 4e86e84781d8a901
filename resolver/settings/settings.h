/*
 * settings.h: the configuration as plain data, read from one JSON object. Every error is reported with its path in one
 * go. What each key means: docs/man/byway.json.5. Immutable once read.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/address.h"
#include "base/limits.h"
#include "base/log.h"
#include "dns/forgery.h"
#include "policy/clients.h"
#include "policy/policy.h"
#include "stream/way.h"

enum {
    GROUP_DOMESTIC = 0,
    GROUP_EXTERNAL = 1,
    GROUP_OTHERS   = 2
}; /* indices into settings.groups */

struct upstream_setting {
    struct way way;
    bool       trusted;  /* its AD bit is believed */
    bool       mix_case; /* random letter case is sent to it, and must come back */
};

struct group_setting {
    char                    *name; /* "domestic", "external", … */
    struct upstream_setting *upstreams;
    size_t                   count; /* 1..LIMIT_GROUP */
};

enum learning_mode {
    LEARNING_ON,
    LEARNING_OBSERVE,
    LEARNING_OFF
};

enum log_queries { /* each is part of the next */
    LOG_QUERIES_OFF,
    LOG_QUERIES_FAILED,
    LOG_QUERIES_EXTERNAL,
    LOG_QUERIES_ALL
};

enum {
    SETTINGS_PATH_MAX = 108, /* bytes of a Unix socket's path, the NUL among them: sun_path */
    SETTINGS_WORD_MAX = 64
};

/* What is learned is shared with other nodes through Redis. */
struct settings_cluster {
    bool           on;
    bool           local;                      /* at `path`; else at `address` */
    struct address address;                    /* len 0: none */
    char           path[SETTINGS_PATH_MAX];    /* "": none */
    char           name[SETTINGS_WORD_MAX];    /* of the cluster: others in the same Redis are not ours */
    char           vantage[SETTINGS_WORD_MAX]; /* from where this node looks; "": off */
    char           node[SETTINGS_WORD_MAX];    /* "": off */
    char          *user;                       /* NULL: Redis' default one */
    char          *password_file;              /* its first line, at each connecting; NULL: none is asked for */
};

struct settings {
    char *path; /* the file it was read from */

    struct address *listen;
    size_t          listen_count;
    bool            listen_default; /* a failing IPv6 loopback is a warning only */
    struct clients  allow;
    unsigned        workers; /* 1..LIMIT_WORKERS */
    char           *user;    /* NULL: stay who we are */

    struct group_setting *groups; /* groups[GROUP_DOMESTIC], groups[GROUP_EXTERNAL], then others */
    size_t                group_count;
    struct rule          *rules; /* zones and presets */
    size_t                rule_count;
    bool                  pass_list_errors; /* else they become SERVFAIL */

    bool           fall_on_timeout, fall_on_servfail, fall_on_refused, fall_on_forged, fall_on_nxdomain;
    struct forgery forged;
    struct address canary;   /* where nobody listens, beyond the border; len 0: none */
    msec_t         wait;     /* that domestic's answer is held for it */
    msec_t         patience; /* 0: auto; "0ms" is 1, which a timer cannot tell from none */
    msec_t         deadline;

    enum learning_mode learning;
    msec_t             recheck_first, recheck_max;
    unsigned           recover_after;
    uint32_t           recheck_share; /* of the questions that domestic is asked, hundredths of a percent */
    size_t             max_zones;

    uint32_t       external_qps; /* questions of clients that external is asked, a second */
    uint32_t       client_qps;   /* messages from one client, a second; 0: no limit */
    struct clients client_exempt;

    uint64_t cache_memory;
    uint32_t min_ttl, max_ttl, stale; /* s */
    uint32_t negative_max_ttl;        /* s; max_ttl holds too */

    char                   *control_socket;
    char                   *control_group; /* NULL: none */
    char                   *state;
    struct settings_cluster cluster;
    struct address          metrics; /* where /metrics is served; len 0: nowhere */
    enum log_level          log_level;
    enum log_format         log_format;
    enum log_queries        log_queries;
};

/* Where errors go: one call each, `text` without a newline: "upstreams.external[1]: not an address: \"1.2.3\" (expected
 * …)", or "FILE:12:3: …" for syntax. */
typedef void (*settings_report_fn)(void *context, const char *text);

/* Where settings looks outside its file; tests put their own. */
struct settings_sources {
    const char *resolv_conf; /* "/etc/resolv.conf" */
    const char *presets;     /* directory with NAME.zones and NAME.forged files */
    const char *host;        /* this machine's name; NULL: the system is asked */
};

/* Reads and checks. NULL after at least one report; warnings, whose text starts with "warning: ", do not make it NULL.
 * The caller owns the result. Opens no socket. Not for two threads at once (getpwnam, getgrnam). */
struct settings *settings_read(const char *path, const struct settings_sources *sources, settings_report_fn report,
                               void *context);
void             settings_destroy(struct settings *settings);

#endif
