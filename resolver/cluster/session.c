/*
 * session.c: see session.h; numbers in brackets are its steps.
 */
#include "cluster/session_internal.h"

#include "base/printable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CATCH_UP  = 60 * 1000,    /* ms until what came too fast is read */
    WELL      = 60 * 1000,    /* ms without a refusal, after which the next is the first */
    FAR_AHEAD = 86400 * 1000, /* ms: what lies further ahead is removed, see is_useless() */
    JUMP      = 10 * 1000,    /* ms by which the calendar was set: what was too old, or of the future, may not be */
};

#define LOST "Redis has lost what it had"
#define TIME_MAX ((int64_t) 1 << 40) /* s: what Redis tells of itself, within reason */

struct session *session_create(const struct session_options *options, msec_t now)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return NULL;
    snprintf(session->name, sizeof(session->name), "%s", options->name);
    if (options->user && !(session->user = strdup(options->user))) {
        free(session);
        return NULL;
    }
    session->version = options->version;
    session->replica = options->replica;
    session->hooks   = options->hooks;
    session->again   = now;
    session->wait = session->refused_wait = SESSION_AGAIN;
    rng_init(&session->rng, options->seed);
    session->instance     = rng_u64(&session->rng) | 1;
    session->report.since = now;
    return session;
}

static void close_lines(struct session *session)
{
    for (int line = 0; line < SESSION_LINES; line++)
        session->hooks.close(session->hooks.context, (enum session_line) line);
}

void session_destroy(struct session *session)
{
    if (!session)
        return;
    close_lines(session);
    session->stage = STAGE_WAITING;
    session_grant_all(session);
    free(session->user);
    free(session);
}

void session_read(const struct session *session, struct session_report *ret)
{
    *ret           = session->report;
    ret->connected = session->stage == STAGE_TOGETHER;
}

bool session_is_reading(const struct session *session) { return session->reading; }

const struct session_peer *session_peer(const struct session *session, unsigned index)
{
    return &session->peers[index].is;
}

/* ---- alone, together ---- */

static void set_stage(struct session *session, enum stage stage, msec_t now)
{
    bool was = session->stage == STAGE_TOGETHER, is = stage == STAGE_TOGETHER;
    session->stage = stage;
    if (was == is)
        return;
    session->report.since = now;
    if (is)
        session->report.problem[0] = '\0';
    session->hooks.changed(session->hooks.context, is);
}

static void fail(struct session *session, const struct clocks *clocks, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct session *session, const struct clocks *clocks, const char *format, ...)
{
    va_list list;
    char    problem[SESSION_PROBLEM_MAX];
    if (session->stage == STAGE_WAITING)
        return;
    close_lines(session);
    va_start(list, format);
    vsnprintf(problem, sizeof(problem), format, list);
    va_end(list);
    printable_copy(problem, session->report.problem, sizeof(session->report.problem)); /* Redis' words may be in it */
    session->hearing = session->reading = session->reread_soon = false;
    session->putting                                           = 0;
    session->again = clocks->now + session->wait - rng_below(&session->rng, (uint32_t) session->wait / 4);
    session->wait  = msec_min(2 * session->wait, SESSION_AGAIN_MAX);
    set_stage(session, STAGE_WAITING, clocks->now);
    session_grant_all(session);
}

void session_on_closed(struct session *session, enum session_line line, const char *problem,
                       const struct clocks *clocks)
{
    (void) line;
    fail(session, clocks, "%s", problem);
}

/* ---- [1] ---- */

static bool say_auth(struct session *session, enum session_line line, const char *password)
{
    if (!password)
        return true;
    return session->user ? session_say(session, line, TAG_AUTH, SESSION_PATIENCE, "AUTH", session->user, password, NULL)
                         : session_say(session, line, TAG_AUTH, SESSION_PATIENCE, "AUTH", password, NULL);
}

/* ---- [2] ---- */

static bool begin_reading(struct session *session, const struct clocks *clocks)
{
    session->reading     = true;
    session->reread_soon = false;
    session->calendar    = clocks->wall_ms - clocks->now;
    session->reread      = clocks->now + SESSION_REREAD;
    for (unsigned i = 0; i < session->report.peers; i++)
        session->peers[i].is.skipped = 0;
    replica_unsee(session->replica);
    return session_say_scan(session, "0");
}

/* Another read is due: now, or when the one that goes on has ended. */
static bool read_again(struct session *session, const struct clocks *clocks)
{
    if (!session->reading)
        return begin_reading(session, clocks);
    session->reread_soon = true;
    session->reread      = clocks->now + SESSION_REREAD;
    return true;
}

/* What is not taken now is read once it may be. */
static void read_later(struct session *session, msec_t now, msec_t wait)
{
    session->reread = msec_min(session->reread, now + msec_clamp(wait, CATCH_UP, SESSION_REREAD));
}

/* What is superseded here by the word of this vantage may still be the latest for another one. */
static bool is_superseded(const struct session *session, const struct statement *statement)
{
    struct statement later;
    if (statement->vantage.len > 0)
        return true;
    return (statement->kind == STATEMENT_PIN ? replica_pin : replica_forgotten)(session->replica, statement->id.name,
                                                                                &later) &&
           later.vantage.len == 0;
}

static bool is_useless(const struct session *session, const struct statement *statement, enum merged merged,
                       const struct clocks *clocks)
{
    bool far = merged == MERGED_AHEAD && statement->stamp.ms - (uint64_t) clocks->wall_ms > FAR_AHEAD;
    bool old = merged == MERGED_OLD && is_superseded(session, statement);
    return (far || old || merged == MERGED_EXPIRED) && peers_clock_is_right(session, clocks);
}

static enum merged merge(struct session *session, const struct statement *statement, const struct clocks *clocks)
{
    enum merged merged = replica_merge(session->replica, statement, true, (uint64_t) clocks->wall_ms);
    if (merged == MERGED_NEWS)
        session->hooks.heard(session->hooks.context, statement);
    else if (merged == MERGED_AHEAD && statement->stamp.ms < INT64_MAX)
        read_later(session, clocks->now, (msec_t) statement->stamp.ms - clocks->wall_ms - REPLICA_AHEAD);
    return merged;
}

static void take_field(struct session *session, const redisReply *field, const redisReply *value,
                       const struct clocks *clocks)
{
    struct statement statement;
    char             right[STATEMENT_FIELD_MAX];
    struct view is = {(const uint8_t *) field->str, field->len}, bytes = {(const uint8_t *) value->str, value->len};
    if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING || !statement_read(bytes, &statement) ||
        statement_field(&statement, right) != is.len || memcmp(right, is.data, is.len) != 0) {
        session->report.garbage++;
        return;
    }
    peers_get(session, statement.node);
    enum merged merged = merge(session, &statement, clocks);
    if (!is_useless(session, &statement, merged, clocks))
        return;
    session_prune(session, "zones", is, bytes);
    if (merged == MERGED_OLD)
        replica_miss(session->replica, &statement);
}

/* The hash is read, and what changes is heard. */
static void join_if_ready(struct session *session, msec_t now)
{
    if (session->stage != STAGE_READING || session->reading || !session->hearing)
        return;
    session->wait = SESSION_AGAIN;
    set_stage(session, STAGE_TOGETHER, now);
    session_publish(session);
}

static void end_reading(struct session *session, const struct clocks *clocks)
{
    session->reading = false;
    join_if_ready(session, clocks->now);
    if (session->reread_soon && !begin_reading(session, clocks))
        fail(session, clocks, "out of memory");
    else
        session_publish(session);
}

static void on_scan(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        fail(session, clocks, "HSCAN: not a reply of Redis");
        return;
    }
    const redisReply *all = reply->element[1];
    for (size_t i = 0; i + 1 < all->elements; i += 2)
        take_field(session, all->element[i], all->element[i + 1], clocks);
    if (strcmp(reply->element[0]->str, "0") == 0)
        end_reading(session, clocks);
    else if (!session_say_scan(session, reply->element[0]->str))
        fail(session, clocks, "out of memory");
}

void session_on_ready(struct session *session, enum session_line line, const char *password,
                      const struct clocks *clocks)
{
    if (session->stage == STAGE_WAITING)
        return;
    bool said = say_auth(session, line, password);
    if (line == SESSION_HEARS) {
        session->hearing = said = said && session_say_hear(session);
        join_if_ready(session, clocks->now);
    } else {
        set_stage(session, STAGE_JOINING, clocks->now);
        said = said && session_say_nodes(session);
    }
    if (!said)
        fail(session, clocks, "out of memory");
}

/* ---- the stream ---- */

static void on_stream(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    struct changes changes;
    bool           said = true;
    if (!changes_read(reply, &changes)) {
        fail(session, clocks, "XINFO: Redis says: %.200s",
             reply->type == REDIS_REPLY_ERROR ? reply->str : "no entries-added: Redis 7 or later is needed");
        return;
    }
    if (session->stage == STAGE_JOINING) {
        session->position = changes.last;
        set_stage(session, STAGE_READING, clocks->now);
        session->hooks.open(session->hooks.context, SESSION_HEARS);
        said = session->stage != STAGE_READING || begin_reading(session, clocks);
    } else if (position_before(changes.last, session->looked)) {
        /* another Redis, or one whose memory is gone; XREAD waits for ids that may not come for long */
        fail(session, clocks, LOST);
    } else if (changes.trimmed && position_before(session->position, changes.first)) {
        session->position = changes.last; /* what the pending XREAD still brings was read, too */
        said              = read_again(session, clocks);
    }
    if (!said)
        fail(session, clocks, "out of memory");
}

/* False: it is no entry of a stream. */
static bool take_position(struct session *session, const redisReply *entry)
{
    return entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
           position_read(entry->element[0], &session->position);
}

static void take_change(struct session *session, const redisReply *fields, const struct clocks *clocks)
{
    struct statement  statement;
    const redisReply *value = fields->type == REDIS_REPLY_ARRAY && fields->elements == 2 ? fields->element[1] : NULL;
    if (!value || value->type != REDIS_REPLY_STRING ||
        !statement_read((struct view){(const uint8_t *) value->str, value->len}, &statement)) {
        session->report.garbage++;
        return;
    }
    session->report.received++;
    peers_get(session, statement.node);
    bool evidence = statement.kind == STATEMENT_EVIDENCE; /* what operators say does not wait behind it */
    if (evidence && !peers_admit(session, statement.node, clocks->now)) {
        read_later(session, clocks->now, CATCH_UP);
        return;
    }
    enum merged merged = merge(session, &statement, clocks);
    if (evidence && merged == MERGED_NEWS)
        peers_charge(session, statement.node);
    if (merged == MERGED_OLD && session_is_self(session, statement.node))
        replica_miss(session->replica, &statement); /* a former connection's, late: it has overwritten the later one */
}

static void on_changes(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    const redisReply *stream = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 ? reply->element[0] : NULL;
    const redisReply *list =
        stream && stream->type == REDIS_REPLY_ARRAY && stream->elements == 2 ? stream->element[1] : NULL;
    bool right = reply->type == REDIS_REPLY_NIL || (list && list->type == REDIS_REPLY_ARRAY);
    for (size_t i = 0; right && list && i < list->elements; i++)
        if ((right = take_position(session, list->element[i])))
            take_change(session, list->element[i]->element[1], clocks);
    session_publish(session);
    if (!right)
        fail(session, clocks, "XREAD: not a reply of Redis");
    else if (!session_say_hear(session))
        fail(session, clocks, "out of memory");
}

/* ---- replies ---- */

static void on_nodes(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    struct view own = replica_node(session->replica);
    if (reply->type != REDIS_REPLY_ARRAY) {
        fail(session, clocks, "HGETALL: not a reply of Redis");
        return;
    }
    if (!peers_read(session, reply, clocks)) {
        session->wait = SESSION_PRESENT; /* twice that behind its end it is seen that the other is gone */
        fail(session, clocks, "another byway calls itself \"%.*s\" there: give one of them another cluster.node",
             (int) own.len, (const char *) own.data);
    } else if (!session_say_presence(session, clocks)) {
        fail(session, clocks, "out of memory");
    }
}

static void on_time_told(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING)
        return;
    session->redis_wall_ms = msec_clamp(strtoll(reply->element[0]->str, NULL, 10), 0, TIME_MAX) * 1000;
    session->redis_at      = clocks->now;
}

/* What was put back by another may be older than what is here. */
static void on_stands(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    struct statement statement;
    char             field[STATEMENT_FIELD_MAX];
    if (!statement_read((struct view){(const uint8_t *) reply->str, reply->len}, &statement))
        return;
    redisReply name = {.type = REDIS_REPLY_STRING, .str = field, .len = statement_field(&statement, field)};
    take_field(session, &name, reply, clocks);
}

static void on_beat(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    if (session->stage == STAGE_TOGETHER && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        fail(session, clocks, LOST); /* it was not there: and if others have written since, the ids do not show it */
    else if (!session_say_stream(session))
        fail(session, clocks, "out of memory");
}

/* Of the keys the hash alone may have been lost, which no id shows; or a field of it. */
static void on_sample(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    if (reply->type == REDIS_REPLY_NIL && !read_again(session, clocks))
        fail(session, clocks, "out of memory");
}

static const char *const tag_words[] = {
    [TAG_AUTH] = "AUTH",    [TAG_NODES] = "HGETALL", [TAG_BEAT] = "HSET",     [TAG_TIME] = "TIME",
    [TAG_STREAM] = "XINFO", [TAG_SCAN] = "HSCAN",    [TAG_SAMPLE] = "HGET",   [TAG_PUT] = "write",
    [TAG_PRUNE] = "EVAL",   [TAG_LEASE] = "SET",     [TAG_CHANGES] = "XREAD",
};

static void on_put(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    session->putting -= session->putting > 0;
    if (reply->type == REDIS_REPLY_STRING)
        on_stands(session, reply, clocks);
    session_publish(session);
}

/* How much of Redis' words is told: not what it was given, of a command that it does not know (a password); nor the number
 * of our script. */
static size_t told_of(const char *error)
{
    static const char *const ends[] = {", with args", " script: "};
    size_t                   len    = strlen(error);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const char *end = strstr(error, ends[i]);
        len             = end && (size_t) (end - error) < len ? (size_t) (end - error) : len;
    }
    return len;
}

/* Who lacks one right, or one key, is together each time until it is refused again. */
static void wait_after_refusal(struct session *session, msec_t now)
{
    if (now - session->report.since >= WELL)
        session->refused_wait = SESSION_AGAIN;
    session->wait         = session->refused_wait;
    session->refused_wait = msec_min(2 * session->refused_wait, SESSION_AGAIN_MAX);
}

void session_on_reply(struct session *session, enum session_line line, uint64_t tag, const redisReply *reply,
                      const struct clocks *clocks)
{
    enum tag what = (enum tag)(tag & ((1 << TAG_BITS) - 1));
    (void) line;
    if (session->stage == STAGE_WAITING)
        return;
    if (reply->type == REDIS_REPLY_ERROR && what != TAG_STREAM &&
        (what != TAG_PRUNE || strncmp(reply->str, "NOPERM", 6) == 0)) {
        if (session->stage == STAGE_TOGETHER)
            wait_after_refusal(session, clocks->now);
        fail(session, clocks, "%s: Redis says: %.*s", tag_words[what], (int) told_of(reply->str), reply->str);
        return;
    }
    if (what == TAG_NODES)
        on_nodes(session, reply, clocks);
    else if (what == TAG_BEAT)
        on_beat(session, reply, clocks);
    else if (what == TAG_TIME)
        on_time_told(session, reply, clocks);
    else if (what == TAG_STREAM)
        on_stream(session, reply, clocks);
    else if (what == TAG_SCAN)
        on_scan(session, reply, clocks);
    else if (what == TAG_SAMPLE)
        on_sample(session, reply, clocks);
    else if (what == TAG_LEASE)
        session_on_lease(session, (unsigned) (tag >> TAG_BITS), reply, clocks->now);
    else if (what == TAG_CHANGES)
        on_changes(session, reply, clocks);
    else if (what == TAG_PUT)
        on_put(session, reply, clocks);
}

/* ---- time ---- */

msec_t session_next(const struct session *session)
{
    if (session->stage == STAGE_WAITING)
        return session->again;
    return session->stage == STAGE_TOGETHER ? msec_min(session->beat, session->reread) : MSEC_NEVER;
}

void session_on_time(struct session *session, const struct clocks *clocks)
{
    bool said = true;
    if (session->stage == STAGE_WAITING && session->again <= clocks->now) {
        session->stage = STAGE_OPENING;
        session->beat  = clocks->now + SESSION_BEAT;
        session->hooks.open(session->hooks.context, SESSION_ASKS);
        return;
    }
    if (session->stage != STAGE_TOGETHER)
        return;
    if (session->beat <= clocks->now) {
        session->beat = clocks->now + SESSION_BEAT;
        said          = session_say_nodes(session);
        if (said && !session->reading && peers_clock_is_right(session, clocks))
            said = session_say_sample(session); /* of one whose clock is wrong the others remove what it says */
        session_publish(session);
        if (llabs(clocks->wall_ms - clocks->now - session->calendar) > JUMP)
            session->reread = clocks->now;
    }
    if (said && session->reread <= clocks->now)
        said = read_again(session, clocks);
    if (!said)
        fail(session, clocks, "out of memory");
}
