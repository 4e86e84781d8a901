/*
 * team.c: see team.h.
 */
#include "lib/team.h"

#include "lib/check.h"

#include <stdlib.h>

enum {
    WORDS        = 12,
    CONNECT_WAIT = 3000,
    LATE         = 5000, /* ms */
};

struct parcel { /* a command on its way up, or waiting; a reply on its way down; what was asked and has no reply */
    struct list link;
    msec_t      at; /* it arrives, ends to wait; its patience ends */
    uint64_t    tag;
    unsigned    node;
    int         count;
    struct view words[WORDS];
    char       *bytes; /* owned: the words, or the reply */
    size_t      len;
};

static struct parcel *parcel_of(const struct list *list)
{
    return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct parcel, link);
}

static void parcel_free(struct parcel *parcel)
{
    list_remove(&parcel->link);
    free(parcel->bytes);
    free(parcel);
}

static void free_all(struct list *list)
{
    for (struct parcel *parcel; (parcel = parcel_of(list));)
        parcel_free(parcel);
}

struct clocks team_clocks(const struct team_node *node)
{
    return (struct clocks){.now = node->team->now, .wall_ms = TEAM_WALL + node->team->now + node->wall_ahead};
}

static int64_t redis_wall(const struct team *team) { return TEAM_WALL + team->now + team->redis_ahead; }

/* It arrives behind what went before it. */
static void travel(struct team *team, struct list *way, struct parcel *parcel)
{
    msec_t before = list_empty(way) ? 0 : CONTAINER_OF(way->prev, struct parcel, link)->at;
    parcel->at    = msec_max(before, team->now + 1 + rng_below(&team->rng, team->delay));
    list_append(way, &parcel->link);
}

/* ---- a line ---- */

/* What Redis was sent it may get all the same, later. */
static void drop_line(struct team_node *node, struct team_line *line)
{
    for (struct parcel *parcel; (parcel = parcel_of(&line->up));) {
        list_remove(&parcel->link);
        parcel->at = node->team->now + rng_below(&node->team->rng, LATE);
        if (rng_below(&node->team->rng, 2))
            list_append(&node->team->late, &parcel->link);
        else
            parcel_free(parcel);
    }
    free_all(&line->down);
    free_all(&line->pending);
    redisReaderFree(line->reader);
    line->reader = NULL;
    line->open = line->ready = line->busy = false;
}

static void end_line(struct team_node *node, enum session_line which, const char *problem)
{
    struct clocks clocks = team_clocks(node);
    drop_line(node, &node->lines[which]);
    session_on_closed(node->session, which, problem, &clocks);
}

static void open_line(void *context, enum session_line which)
{
    struct team_node *node = context;
    struct team_line *line = &node->lines[which];
    assert_false(line->open);
    node->opened++;
    if (node->fails_at_once) {
        struct clocks clocks = team_clocks(node);
        session_on_closed(node->session, which, "out of descriptors", &clocks);
        return;
    }
    line->open   = true;
    line->reader = redisReaderCreate();
    line->opened = node->team->now + 1 + rng_below(&node->team->rng, node->team->delay);
}

static void close_line(void *context, enum session_line which)
{
    struct team_node *node = context;
    if (node->lines[which].open)
        drop_line(node, &node->lines[which]);
}

static struct parcel *packed(uint64_t tag, int count, const char *const *words, const size_t *lengths)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    size_t         len    = 0;
    assert_in_range(count, 1, WORDS);
    for (int i = 0; i < count; i++)
        len += lengths[i];
    parcel->bytes = malloc(len + 1);
    parcel->tag   = tag;
    parcel->count = count;
    for (int i = 0; i < count; i++) {
        parcel->words[i] = (struct view){(uint8_t *) parcel->bytes + parcel->len, lengths[i]};
        memcpy(parcel->bytes + parcel->len, words[i], lengths[i]);
        parcel->len += lengths[i];
    }
    return parcel;
}

static bool send_line(void *context, enum session_line which, uint64_t tag, int count, const char *const *words,
                      const size_t *lengths, msec_t patience)
{
    struct team_node *node = context;
    struct team_line *line = &node->lines[which];
    if (!line->ready || node->mute)
        return false;
    struct parcel *parcel = packed(tag, count, words, lengths), *asked = calloc(1, sizeof(*asked));
    parcel->node = node->index;
    asked->tag   = tag;
    asked->at    = node->team->now + patience;
    list_append(&line->pending, &asked->link);
    travel(node->team, &line->up, parcel);
    return true;
}

/* ---- Redis ---- */

static struct team_answer *find_answer(struct team *team, struct view command)
{
    for (unsigned i = 0; i < TEAM_ANSWERS; i++) {
        struct team_answer *answer = &team->answers[i];
        if (answer->times > 0 && strlen(answer->command) == command.len &&
            memcmp(answer->command, command.data, command.len) == 0)
            return answer;
    }
    return NULL;
}

/* False: it waits. */
static bool run(struct team *team, const struct parcel *parcel, char **ret, size_t *ret_len)
{
    FILE               *out    = open_memstream(ret, ret_len);
    struct team_answer *answer = find_answer(team, parcel->words[0]);
    bool                done   = true;
    if (answer) {
        fputs(answer->reply, out);
        answer->times--;
    } else {
        done = redis_model_run(team->model, parcel->count, parcel->words, redis_wall(team), out);
    }
    fclose(out);
    return done;
}

static void reply(struct team_node *node, struct team_line *line, struct parcel *parcel, char *bytes, size_t len)
{
    free(parcel->bytes);
    parcel->bytes = bytes;
    parcel->len   = len;
    list_remove(&parcel->link);
    line->busy = false;
    travel(node->team, &line->down, parcel);
}

/* The oldest command that has arrived; one that waits is tried again whenever something happens. */
static bool serve(struct team_node *node, struct team_line *line)
{
    struct parcel *parcel = parcel_of(&line->up);
    char          *bytes;
    size_t         len;
    if (!parcel || node->cut || node->team->redis != TEAM_UP || (!line->busy && parcel->at > node->team->now))
        return false;
    if (run(node->team, parcel, &bytes, &len)) {
        reply(node, line, parcel, bytes, len);
        return true;
    }
    free(bytes);
    if (!line->busy)
        parcel->at = node->team->now + atoi((const char *) parcel->words[4].data);
    line->busy = true;
    if (parcel->at > node->team->now)
        return false;
    reply(node, line, parcel, strdup("*-1\r\n"), strlen("*-1\r\n"));
    return true;
}

static void serve_late(struct team *team)
{
    LIST_EACH (item, next, &team->late) {
        struct parcel *parcel = CONTAINER_OF(item, struct parcel, link);
        char          *bytes;
        size_t         len;
        if (parcel->at > team->now || team->redis != TEAM_UP || team->nodes[parcel->node].cut)
            continue;
        run(team, parcel, &bytes, &len);
        free(bytes);
        parcel_free(parcel);
    }
}

/* ---- events ---- */

static bool deliver(struct team_node *node, enum session_line which)
{
    struct team_line *line   = &node->lines[which];
    struct parcel    *parcel = parcel_of(&line->down), *asked = parcel_of(&line->pending);
    struct clocks     clocks = team_clocks(node);
    void             *reply  = NULL;
    if (!parcel || parcel->at > node->team->now || node->cut)
        return false;
    redisReaderFeed(line->reader, parcel->bytes, parcel->len);
    if (redisReaderGetReply(line->reader, &reply) != REDIS_OK || !reply) {
        end_line(node, which, "not a reply of Redis");
        return true;
    }
    uint64_t tag = asked->tag;
    parcel_free(asked);
    parcel_free(parcel);
    session_on_reply(node->session, which, tag, reply, &clocks);
    freeReplyObject(reply);
    return true;
}

static bool connect_line(struct team_node *node, enum session_line which)
{
    struct team_line *line   = &node->lines[which];
    struct clocks     clocks = team_clocks(node);
    if (!line->open || line->ready || line->opened + (node->cut ? CONNECT_WAIT : 0) > node->team->now)
        return false;
    if (node->cut || node->team->redis == TEAM_DOWN) {
        end_line(node, which, node->cut ? "no connection for 3s" : "connection refused");
        return true;
    }
    line->ready = true;
    session_on_ready(node->session, which, node->password, &clocks);
    return true;
}

static bool lose_patience(struct team_node *node, enum session_line which)
{
    const struct parcel *asked = parcel_of(&node->lines[which].pending);
    if (!asked || asked->at > node->team->now)
        return false;
    end_line(node, which, "no reply for 3s");
    return true;
}

/* Whatever is due at this moment. */
static void settle(struct team *team)
{
    bool more = true;
    serve_late(team);
    for (unsigned rounds = 0; more; rounds++) {
        assert_true(rounds < 100000); /* it runs in a circle */
        more = false;
        for (unsigned i = 0; i < team->count; i++) {
            struct team_node *node = &team->nodes[i];
            if (!node->session)
                continue;
            for (int which = 0; which < SESSION_LINES; which++)
                more = connect_line(node, which) || serve(node, &node->lines[which]) || deliver(node, which) ||
                       lose_patience(node, which) || more;
            if (session_next(node->session) <= team->now) {
                struct clocks clocks = team_clocks(node);
                session_on_time(node->session, &clocks);
                assert_true(session_next(node->session) > team->now); /* else a processor is kept busy */
            }
        }
    }
}

static msec_t next_of(const struct team_node *node)
{
    msec_t next = node->session ? session_next(node->session) : MSEC_NEVER, now = node->team->now;
    for (int which = 0; node->session && which < SESSION_LINES; which++) {
        const struct team_line *line    = &node->lines[which];
        const struct parcel    *pending = parcel_of(&line->pending), *up = parcel_of(&line->up),
                            *down = parcel_of(&line->down);
        if (line->open && !line->ready)
            next = msec_min(next, line->opened > now ? line->opened : line->opened + CONNECT_WAIT);
        if (pending)
            next = msec_min(next, pending->at);
        if (up && up->at > now)
            next = msec_min(next, up->at);
        if (down && down->at > now)
            next = msec_min(next, down->at);
    }
    return next;
}

void team_run(struct team *team, msec_t ms)
{
    msec_t until = team->now + ms;
    for (;;) {
        settle(team);
        msec_t next = until;
        for (unsigned i = 0; i < team->count; i++)
            next = msec_min(next, next_of(&team->nodes[i]));
        LIST_EACH (item, after, &team->late)
            if (CONTAINER_OF(item, struct parcel, link)->at > team->now)
                next = msec_min(next, CONTAINER_OF(item, struct parcel, link)->at);
        if (team->now == until)
            return;
        team->now = msec_max(next, team->now + 1);
    }
}

/* ---- hooks ---- */

static void on_heard(void *context, const struct statement *statement)
{
    struct team_node *node = context;
    node->heard++;
    if (statement->kind != STATEMENT_EVIDENCE)
        holdings_add(&node->disk, statement);
}

static void on_leased(void *context, const struct zone_id *id, bool granted)
{
    struct team_node *node = context;
    node->granted += granted;
    node->denied += !granted;
    if (node->asks_again) { /* as a recheck that ends at once, and another one that is due */
        session_end_lease(node->session, id);
        session_ask_lease(node->session, id, node->team->now);
    }
}

static void on_changed(void *context, bool connected)
{
    struct team_node *node = context;
    node->connected += connected;
    node->alone += !connected;
    assert_int_equal(team_report(node).connected, connected);
    assert_int_equal(team_report(node).problem[0] != '\0', !connected);
}

static void on_peer_changed(void *context, const char *name, bool present)
{
    struct team_node *node = context;
    assert_string_not_equal(name, node->name);
    node->came += present;
    node->went += !present;
}

/* ---- life ---- */

void team_start(struct team *team, unsigned index)
{
    struct team_node      *node    = &team->nodes[index];
    struct session_options options = {
        .name    = TEAM_NAME,
        .version = "1.0",
        .hooks   = {node, open_line, close_line, send_line, on_heard, on_leased, on_changed, on_peer_changed},
    };
    node->replica = options.replica =
        replica_create((struct hash_key){index, 1}, text_view("cn"), text_view(node->name), team->max);
    rng_fill(&team->rng, options.seed, sizeof(options.seed));
    node->session = session_create(&options, team->now);
    assert_non_null(node->session);
    for (size_t i = 0; i < node->disk.count; i++) {
        struct statement statement;
        statement_read((struct view){node->disk.all[i]->bytes, node->disk.all[i]->len}, &statement);
        replica_merge(node->replica, &statement, false, (uint64_t) team_clocks(node).wall_ms);
    }
}

void team_kill(struct team *team, unsigned index)
{
    struct team_node *node = &team->nodes[index];
    if (!node->session)
        return;
    session_destroy(node->session);
    replica_destroy(node->replica);
    node->session = NULL;
    node->replica = NULL;
}

void team_open(struct team *team, uint64_t number, unsigned nodes)
{
    uint8_t seed[RNG_SEED_BYTES] = {0};
    *team = (struct team){.model = redis_model_create(), .delay = 3, .count = nodes, .now = 1000000, .max = 100000};
    memcpy(seed, &number, sizeof(number));
    rng_init(&team->rng, seed);
    list_init(&team->late);
    for (unsigned i = 0; i < nodes; i++) {
        struct team_node *node = &team->nodes[i];
        node->team             = team;
        node->index            = i;
        snprintf(node->name, sizeof(node->name), "n%u", i);
        for (int which = 0; which < SESSION_LINES; which++) {
            list_init(&node->lines[which].up);
            list_init(&node->lines[which].down);
            list_init(&node->lines[which].pending);
        }
        team_start(team, i);
    }
}

void team_close(struct team *team)
{
    for (unsigned i = 0; i < team->count; i++) {
        team_kill(team, i);
        holdings_fini(&team->nodes[i].disk);
    }
    free_all(&team->late);
    redis_model_destroy(team->model);
}

void team_join(struct team *team, msec_t most)
{
    for (msec_t began = team->now; team->now - began < most; team_run(team, 10)) {
        unsigned connected = 0;
        for (unsigned i = 0; i < team->count; i++)
            connected += !team->nodes[i].session || team_report(&team->nodes[i]).connected;
        if (connected == team->count)
            return;
    }
    for (unsigned i = 0; i < team->count; i++)
        if (team->nodes[i].session)
            printf("n%u: %s\n", i, team_report(&team->nodes[i]).problem);
    fail_msg("not all are connected");
}

void team_hang_up(struct team *team)
{
    for (unsigned i = 0; i < team->count; i++)
        for (int which = 0; team->nodes[i].session && which < SESSION_LINES; which++)
            if (team->nodes[i].lines[which].open)
                end_line(&team->nodes[i], which, "closed by Redis");
}

void team_answer(struct team *team, const char *command, const char *answer, unsigned times)
{
    unsigned i = 0;
    while (i < TEAM_ANSWERS && team->answers[i].times > 0)
        i++;
    assert_in_range(i, 0, TEAM_ANSWERS - 1);
    team->answers[i] = (struct team_answer){command, answer, times};
}

enum merged team_say(struct team *team, unsigned index, struct statement statement)
{
    struct team_node *node = &team->nodes[index];
    uint64_t          wall = (uint64_t) team_clocks(node).wall_ms;
    statement.node         = replica_node(node->replica);
    if (statement.stamp.ms == 0)
        statement.stamp = replica_stamp(node->replica, statement.id.name, wall);
    enum merged merged = replica_merge(node->replica, &statement, false, wall);
    if (merged == MERGED_NEWS && statement.kind != STATEMENT_EVIDENCE)
        holdings_add(&node->disk, &statement);
    session_tell(node->session, &statement);
    return merged;
}

bool team_agrees(struct team *team)
{
    struct holdings first = {0}, other;
    const char     *whose = NULL;
    bool            equal = true;
    for (unsigned i = 0; i < team->count; i++) {
        struct team_node *node = &team->nodes[i];
        if (!node->session || !team_report(node).connected)
            continue;
        holdings_of(node->replica, 5, whose ? &other : &first);
        if (whose) {
            equal = holdings_equal(&first, whose, &other, node->name) && equal;
            holdings_fini(&other);
        } else {
            whose = node->name;
        }
    }
    holdings_fini(&first);
    return equal;
}

struct session_report team_report(const struct team_node *node)
{
    struct session_report report;
    session_read(node->session, &report);
    return report;
}
