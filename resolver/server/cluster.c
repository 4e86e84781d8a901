/*
 * cluster.c: see cluster.h and cluster_internal.h.
 */
#include "server/cluster_internal.h"

#include "base/log.h"
#include "cluster/redis.h"
#include "server/clock.h"
#include "server/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SWEEP_EVERY  = 3600 * 1000, /* ms */
    SWEEP_STEP   = 1000,        /* statements in one turn */
    SETTLE_STEP  = 500,         /* the same */
    SETTLE_LOOK  = 20,          /* ms between looks whether the hash has been read */
    PASSWORD_MAX = 513,
    TELL_AGAIN   = 600 * 1000, /* ms between lines of the log that say the same */
};

#define LOCAL_WORD "-" /* vantage and node where there is no cluster */

static struct view text_view(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

static bool is_shared(const struct cluster *cluster) { return cluster->session != NULL; }

/* ---- the session's way out ---- */

static void on_ready(void *context);
static void on_reply(void *context, uint64_t tag, const redisReply *reply);
static void on_closed(void *context, const char *problem);

static void open_line(void *context, enum session_line which)
{
    struct cluster                *cluster  = context;
    struct cluster_line           *line     = &cluster->lines[which];
    const struct settings_cluster *settings = &cluster->daemon->settings->cluster;
    const struct redis_target target = {.local = settings->local, .address = settings->address, .path = settings->path};
    const struct redis_hooks  hooks  = {.context = line, .ready = on_ready, .reply = on_reply, .closed = on_closed};
    line->redis                      = redis_open(&cluster->daemon->loop, &target, &hooks);
    if (!line->redis)
        on_closed(line, "out of memory");
}

static void close_line(void *context, enum session_line which)
{
    struct cluster_line *line = &((struct cluster *) context)->lines[which];
    if (line->redis)
        redis_close(line->redis);
    line->redis = NULL;
}

static bool send_line(void *context, enum session_line which, uint64_t tag, int count, const char *const *words,
                      const size_t *lengths, msec_t patience)
{
    struct cluster_line *line = &((struct cluster *) context)->lines[which];
    return line->redis && redis_send(line->redis, tag, count, words, lengths, patience);
}

/* The first line of the file. NULL, or why it could not be had. */
static const char *read_password(const char *path, char out[PASSWORD_MAX])
{
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat facts;
    bool        known   = fd >= 0 && fstat(fd, &facts) == 0;
    bool        regular = known && S_ISREG(facts.st_mode);
    ssize_t     len     = regular ? read(fd, out, PASSWORD_MAX - 1) : -1;
    const char *why     = known && !regular ? "it is no regular file"
                          : len < 0         ? strerror(errno)
                          : len == 0        ? "it is empty"
                                            : NULL;
    if (fd >= 0)
        close(fd);
    out[len > 0 ? len : 0]    = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return why ? why : out[0] == '\0' ? "its first line is empty" : NULL;
}

/* These come between the loop's other events. */
static struct clocks begin(struct cluster *cluster)
{
    struct clocks clocks = clock_both();
    cluster->daemon->now = clocks.now;
    return clocks;
}

static void on_ready(void *context)
{
    struct cluster_line *line    = context;
    struct cluster      *cluster = line->cluster;
    const char          *path = cluster->daemon->settings->cluster.password_file, *why = NULL;
    char                 password[PASSWORD_MAX], problem[SESSION_PROBLEM_MAX];
    struct clocks        clocks = begin(cluster);
    if (path && (why = read_password(path, password))) {
        snprintf(problem, sizeof(problem), "cluster.password_file %.160s: %s", path, why);
        session_on_closed(cluster->session, line->line, problem, &clocks);
    } else {
        session_on_ready(cluster->session, line->line, path ? password : NULL, &clocks);
    }
    explicit_bzero(password, sizeof(password));
}

static void on_reply(void *context, uint64_t tag, const redisReply *reply)
{
    struct cluster_line *line   = context;
    struct clocks        clocks = begin(line->cluster);
    session_on_reply(line->cluster->session, line->line, tag, reply, &clocks);
}

static void on_closed(void *context, const char *problem)
{
    struct cluster_line *line   = context;
    struct clocks        clocks = begin(line->cluster);
    line->redis                 = NULL;
    session_on_closed(line->cluster->session, line->line, problem, &clocks);
}

/* A node that is connected may have a problem, too. */
static void read_report(const struct cluster *cluster, struct session_report *ret)
{
    struct clocks              clocks = clock_both();
    int64_t                    ahead  = session_ahead(cluster->session, &clocks);
    struct replica_node_counts own    = replica_counts(cluster->replica, replica_node(cluster->replica));
    session_read(cluster->session, ret);
    if (!ret->connected)
        return;
    if (llabs(ahead) > REPLICA_AHEAD)
        snprintf(ret->problem, sizeof(ret->problem), "this node's clock is %lld s %s", (long long) llabs(ahead) / 1000,
                 ahead > 0 ? "ahead of Redis': what it says is not taken"
                           : "behind Redis': it does not take what others say");
    else if (own.zones >= REPLICA_OWN * cluster->daemon->settings->max_zones)
        snprintf(ret->problem, sizeof(ret->problem),
                 "this node has stated %zu zones in %d days, and states no more: see learning.max_zones", own.zones,
                 (int) (REPLICA_LIFE / (86400 * 1000)));
}

/* Logs it, unless it was logged. */
static void say_problem(struct cluster *cluster, const struct session_report *report)
{
    bool still = cluster->told && cluster->told_alone;
    if (report->problem[0])
        log_warning("cluster: %s%s", report->connected ? "" : still ? "still alone: " : "alone: ", report->problem);
    cluster->told       = report->problem[0] ? cluster->daemon->now : 0;
    cluster->told_alone = !report->connected;
}

static void on_leased(void *context, const struct zone_id *id, bool granted)
{
    struct daemon *daemon = ((struct cluster *) context)->daemon;
    if (daemon->prober) /* else it ends */
        prober_on_lease(daemon->prober, id, granted, daemon->now);
}

static void on_changed(void *context, bool connected)
{
    struct cluster       *cluster = context;
    struct session_report report;
    read_report(cluster, &report);
    if (connected)
        log_info("cluster: connected as %s, vantage %s; nodes: %u", cluster->daemon->settings->cluster.node,
                 cluster->daemon->settings->cluster.vantage, report.peers + 1);
    say_problem(cluster, &report);
    events_on_cluster(cluster->daemon, connected, report.problem);
}

static void on_peer_changed(void *context, const char *node, bool present)
{
    struct daemon *daemon = ((struct cluster *) context)->daemon;
    log_info("cluster: node %s is %s", node, present ? "there" : "gone");
    events_on_peer(daemon, node, present);
}

/* ---- the disk ---- */

struct leaving { /* a zone that was pinned in a vantage which this node is in no longer */
    struct list link;
    struct name zone;
};

/* Without memory the pin stays: it is this node's own then. */
static void note_left(struct cluster *cluster, struct view zone)
{
    struct leaving *leaving = malloc(sizeof(*leaving));
    if (!leaving)
        return;
    name_set(&leaving->zone, zone);
    list_append(&cluster->left, &leaving->link);
}

/* Once all is read: the zone may have a pin of this vantage, too. */
static void leave_pins(struct cluster *cluster)
{
    LIST_EACH (item, next, &cluster->left) {
        struct leaving  *leaving = CONTAINER_OF(item, struct leaving, link);
        struct statement said    = {.kind = STATEMENT_PIN, .pin = PIN_DOMESTIC, .id.name = name_view(&leaving->zone)},
                         other;
        if (!replica_pin(cluster->replica, said.id.name, &other))
            cluster_leave_pin(cluster, &said);
        list_remove(item);
        free(leaving);
    }
}

bool cluster_replay(struct daemon *daemon, struct view record)
{
    struct replica  *replica = daemon->cluster->replica;
    struct statement statement;
    if (!statement_read(record, &statement))
        return false;
    bool stands = statement.kind == STATEMENT_PIN && statement.pin != PIN_NONE;
    /* The cluster may be another now, or none, or the first. */
    cluster_take_along(&statement, daemon->settings->cluster.on ? text_view(LOCAL_WORD) : statement.node, replica);
    cluster_take_along(&statement, replica_node(replica), replica);
    if (replica_merge(replica, &statement, false, (uint64_t) clock_both().wall_ms) == MERGED_FOREIGN && stands)
        note_left(daemon->cluster, statement.id.name);
    return true;
}

static void collect_one(void *context, const struct statement *statement)
{
    cluster_keep(context, statement, store_snapshot_add);
}

void cluster_collect(struct daemon *daemon)
{
    size_t at = 0;
    while (replica_walk(daemon->cluster->replica, &at, SIZE_MAX, collect_one, daemon->cluster))
        ;
}

/* ---- life ---- */

static struct replica *make_replica(struct daemon *daemon)
{
    const struct settings_cluster *settings = &daemon->settings->cluster;
    struct hash_key                key;
    if (getentropy(&key, sizeof(key)) != 0)
        return NULL;
    return replica_create(key, text_view(settings->on ? settings->vantage : LOCAL_WORD),
                          text_view(settings->on ? settings->node : LOCAL_WORD), daemon->settings->max_zones);
}

static int64_t calendar_apart(void)
{
    struct clocks clocks = clock_both();
    return clocks.wall_ms - clocks.now;
}

bool cluster_open(struct daemon *daemon)
{
    struct cluster *cluster = daemon->cluster = calloc(1, sizeof(*cluster));
    if (!cluster)
        return false;
    cluster->daemon = daemon;
    list_init(&cluster->left);
    for (int i = 0; i < SESSION_LINES; i++)
        cluster->lines[i] = (struct cluster_line){.cluster = cluster, .line = (enum session_line) i};
    cluster->sweep   = daemon->now + SWEEP_EVERY;
    cluster->apart   = calendar_apart();
    cluster->replica = make_replica(daemon);
    return cluster->replica;
}

static void begin_session(struct cluster *cluster)
{
    struct daemon                 *daemon   = cluster->daemon;
    const struct settings_cluster *settings = &daemon->settings->cluster;
    struct session_options         options  = {
                 .name    = settings->name,
                 .user    = settings->user,
                 .version = BYWAY_VERSION,
                 .replica = cluster->replica,
                 .hooks = {cluster, open_line, close_line, send_line, cluster_on_heard, on_leased, on_changed, on_peer_changed},
    };
    if (getentropy(options.seed, sizeof(options.seed)) == 0)
        cluster->session = session_create(&options, daemon->now);
    if (!cluster->session)
        log_error("cluster: out of memory: nothing is shared");
    else
        cluster_seed(cluster);
}

static void end_session(struct cluster *cluster)
{
    session_destroy(cluster->session);
    cluster->session = NULL;
    cluster->told    = 0;
}

struct move {
    struct cluster *cluster; /* it has the old replica still */
    struct replica *next;
    bool            ends; /* the cluster: whatever is in force here stays so */
};

static void hand_over(void *context, const struct statement *statement)
{
    const struct move *move = context;
    struct statement   said = *statement;
    cluster_take_along(&said, move->ends ? said.node : replica_node(move->cluster->replica), move->next);
    if (replica_merge(move->next, &said, false, (uint64_t) clock_both().wall_ms) == MERGED_FOREIGN)
        cluster_leave_pin(move->cluster, &said);
}

/* A new vantage or node begins with what the old one knew and may know too, and with what was said there itself. */
static void renew_replica(struct cluster *cluster)
{
    struct replica *next = make_replica(cluster->daemon);
    struct move     move = {.cluster = cluster, .next = next, .ends = !cluster->daemon->settings->cluster.on};
    size_t          at   = 0;
    if (!next) {
        log_error("cluster: out of memory: what was heard is kept as it was");
        return;
    }
    while (replica_walk(cluster->replica, &at, SIZE_MAX, hand_over, &move))
        ;
    replica_destroy(cluster->replica);
    cluster->replica = next;
}

static void begin_anew(struct cluster *cluster)
{
    end_session(cluster);
    renew_replica(cluster);
    if (cluster->daemon->settings->cluster.on)
        begin_session(cluster);
}

void cluster_set_settings(struct daemon *daemon, bool changed)
{
    struct cluster *cluster = daemon->cluster;
    leave_pins(cluster);
    if (changed)
        begin_anew(cluster);
    cluster->settle  = true; /* a fence may have gone, and a kill may have come between a word and what follows */
    cluster->settled = 0;
}

void cluster_close(struct daemon *daemon)
{
    struct cluster *cluster = daemon->cluster;
    if (!cluster)
        return;
    end_session(cluster);
    LIST_EACH (item, next, &cluster->left) /* the start was given up */
        free(CONTAINER_OF(item, struct leaving, link));
    replica_destroy(cluster->replica);
    free(cluster);
    daemon->cluster = NULL;
}

/* ---- time ---- */

static bool is_reading(const struct cluster *cluster)
{
    return is_shared(cluster) && session_is_reading(cluster->session);
}

static void settle_one(void *context, const struct statement *statement) { cluster_take(context, statement, false); }

static void settle(struct cluster *cluster)
{
    if (!cluster->settle || is_reading(cluster))
        return;
    cluster->settle = replica_walk(cluster->replica, &cluster->settled, SETTLE_STEP, settle_one, cluster);
    if (!cluster->settle)
        cluster->settled = 0;
}

msec_t cluster_next(const struct daemon *daemon)
{
    const struct cluster *cluster = daemon->cluster;
    msec_t                next    = cluster->sweep;
    if (cluster->flush_all)
        next = msec_min(next, cluster->flushed + 1000);
    if (cluster->settle)
        next = msec_min(next, daemon->now + (is_reading(cluster) ? SETTLE_LOOK : 0));
    return is_shared(cluster) ? msec_min(next, session_next(cluster->session)) : next;
}

static void look_for_problem(struct cluster *cluster)
{
    struct session_report report;
    bool                  was = cluster->told != 0;
    read_report(cluster, &report);
    if (was && report.problem[0] && cluster->daemon->now - cluster->told < TELL_AGAIN)
        return;
    say_problem(cluster, &report);
    if (was != (report.problem[0] != '\0'))
        events_on_cluster(cluster->daemon, report.connected, report.problem);
}

/* The calendar was set, or the machine slept: what was dated by the old one gets its right date, and what is known here
 * and was not taken by others is stated anew. */
static void look_at_calendar(struct cluster *cluster, const struct clocks *clocks)
{
    int64_t apart = clocks->wall_ms - clocks->now, moved = apart - cluster->apart;
    size_t  at     = 0;
    cluster->apart = apart;
    if (llabs(moved) <= REPLICA_AHEAD)
        return;
    log_info("cluster: this machine's calendar moved by %lld s", (long long) moved / 1000);
    while (replica_sweep(cluster->replica, &at, SIZE_MAX, (uint64_t) clocks->wall_ms))
        ;
    if (is_shared(cluster))
        cluster_seed(cluster);
}

void cluster_on_time(struct daemon *daemon)
{
    struct cluster *cluster = daemon->cluster;
    struct clocks   clocks  = clock_both();
    if (cluster->flush_all && daemon->now - cluster->flushed >= 1000) {
        cluster->flush_all = false;
        cache_flush_all(daemon->shared.cache);
    }
    look_at_calendar(cluster, &clocks);
    if (cluster->sweep <= daemon->now) {
        bool more = replica_sweep(cluster->replica, &cluster->swept, SWEEP_STEP, (uint64_t) clocks.wall_ms);
        if (!more)
            cluster->swept = 0;
        cluster->sweep = daemon->now + (more ? 0 : SWEEP_EVERY);
    }
    settle(cluster);
    if (!is_shared(cluster))
        return;
    session_on_time(cluster->session, &clocks);
    look_for_problem(cluster);
}

bool cluster_each_of(const struct daemon *daemon, struct view zone, replica_visit_fn visit, void *context)
{
    if (!is_shared(daemon->cluster))
        return false;
    replica_each_of(daemon->cluster->replica, zone, visit, context);
    return true;
}

bool cluster_read(const struct daemon *daemon, struct session_report *ret)
{
    if (!is_shared(daemon->cluster))
        return false;
    read_report(daemon->cluster, ret);
    return true;
}

const struct session_peer *cluster_peer(const struct daemon *daemon, unsigned index, struct replica_node_counts *ret)
{
    const struct session_peer *peer = session_peer(daemon->cluster->session, index);
    *ret                            = replica_counts(daemon->cluster->replica, text_view(peer->node));
    return peer;
}
