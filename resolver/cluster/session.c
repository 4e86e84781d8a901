/*
 * session.c: see session.h; numbers in brackets are its steps.
 */
#include "cluster/session_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CATCH_UP  = 60 * 1000,    /* ms until what came too fast is read */
    FAR_AHEAD = 86400 * 1000, /* ms: what lies further ahead is removed, see prune_useless() */
};

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
    session->wait    = SESSION_AGAIN;
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
    if (session->stage == STAGE_WAITING)
        return;
    close_lines(session);
    va_start(list, format);
    vsnprintf(session->report.problem, sizeof(session->report.problem), format, list);
    va_end(list);
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

static const char *key(const struct session *session, const char *what, char out[128])
{
    snprintf(out, 128, "%s:%s", session->name, what);
    return out;
}

static bool say_auth(struct session *session, enum session_line line, const char *password)
{
    if (!password)
        return true;
    return session->user ? session_say(session, line, TAG_AUTH, SESSION_PATIENCE, "AUTH", session->user, password, NULL)
                         : session_say(session, line, TAG_AUTH, SESSION_PATIENCE, "AUTH", password, NULL);
}

static bool say_nodes(struct session *session)
{
    char nodes[128];
    return session_say(session, SESSION_ASKS, TAG_NODES, SESSION_PATIENCE, "HGETALL", key(session, "nodes", nodes),
                       NULL);
}

static bool say_stream(struct session *session)
{
    char changes[128];
    return session_say(session, SESSION_ASKS, TAG_STREAM, SESSION_PATIENCE, "XINFO", "STREAM",
                       key(session, "changes", changes), NULL);
}

/* ---- [2] ---- */

static bool begin_reading(struct session *session, msec_t now)
{
    session->reading     = true;
    session->reread_soon = false;
    session->reread      = now + SESSION_REREAD;
    replica_unsee(session->replica);
    return session_say_scan(session, "0");
}

/* Another read is due: now, or when the one that goes on has ended. */
static bool read_again(struct session *session, msec_t now)
{
    if (session->reading)
        session->reread_soon = true;
    return session->reading || begin_reading(session, now);
}

/* Redis' clock bears this node's out, so what lies outside all bounds does so for everybody: a node whose clock is wrong
 * would remove what is good. */
static bool clock_is_borne_out(const struct session *session, const struct clocks *clocks)
{
    int64_t redis = session->redis_wall_ms + (clocks->now - session->redis_at);
    return session->redis_at && llabs(redis - clocks->wall_ms) < REPLICA_AHEAD;
}

static bool is_useless(const struct session *session, const struct statement *statement, enum merged merged,
                       const struct clocks *clocks)
{
    if (merged == MERGED_OLD)
        return true;
    bool far = merged == MERGED_AHEAD && statement->stamp.ms - (uint64_t) clocks->wall_ms > FAR_AHEAD;
    return (far || merged == MERGED_EXPIRED) && clock_is_borne_out(session, clocks);
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
    enum merged merged = replica_merge(session->replica, &statement, true, (uint64_t) clocks->wall_ms);
    if (merged == MERGED_NEWS)
        session->hooks.heard(session->hooks.context, &statement);
    else if (is_useless(session, &statement, merged, clocks))
        session_prune(session, is, bytes);
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
    if (session->reread_soon && !begin_reading(session, clocks->now))
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
        session->hearing = true;
        said             = said && session_say_hear(session);
        join_if_ready(session, clocks->now);
    } else {
        set_stage(session, STAGE_JOINING, clocks->now);
        said = said && session_say(session, line, TAG_TIME, SESSION_PATIENCE, "TIME", NULL) && say_nodes(session);
    }
    if (!said)
        fail(session, clocks, "out of memory");
}

/* ---- the stream ---- */

static bool position_read(const redisReply *reply, struct position *ret)
{
    char *end;
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    ret->ms = strtoull(reply->str, &end, 10);
    if (end == reply->str || *end != '-')
        return false;
    char *number = end + 1;
    ret->number  = strtoull(number, &end, 10);
    return end != number && *end == '\0';
}

static bool is_before(struct position a, struct position b) { return a.ms != b.ms ? a.ms < b.ms : a.number < b.number; }

/* What an even element of XINFO's reply is called; NULL: it has none. */
static const redisReply *info_of(const redisReply *reply, const char *name)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2)
        if ((reply->element[i]->type == REDIS_REPLY_STRING || reply->element[i]->type == REDIS_REPLY_STATUS) &&
            strcmp(reply->element[i]->str, name) == 0)
            return reply->element[i + 1];
    return NULL;
}

struct stream {
    struct position first, last; /* that are in it; first: all zero in an empty one */
    bool            trimmed;     /* some are no more in it */
};

static bool stream_read(const redisReply *reply, struct stream *ret)
{
    *ret = (struct stream){0};
    if (reply->type == REDIS_REPLY_ERROR) /* no such key: nobody has written yet, or all is gone */
        return strstr(reply->str, "no such key") != NULL;
    const redisReply *last = info_of(reply, "last-generated-id"), *first = info_of(reply, "first-entry"),
                     *added = info_of(reply, "entries-added"), *length = info_of(reply, "length");
    if (!last || !position_read(last, &ret->last) || !added || !length)
        return false;
    ret->trimmed = added->integer > length->integer;
    return !first || first->type != REDIS_REPLY_ARRAY || first->elements == 0 ||
           position_read(first->element[0], &ret->first);
}

static void on_stream(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    struct stream stream;
    bool          said = true;
    if (!stream_read(reply, &stream)) {
        fail(session, clocks, "XINFO: Redis says: %.200s",
             reply->type == REDIS_REPLY_ERROR ? reply->str : "no entries-added: Redis 7 or later is needed");
        return;
    }
    if (session->stage == STAGE_JOINING) {
        session->position = stream.last;
        set_stage(session, STAGE_READING, clocks->now);
        session->hooks.open(session->hooks.context, SESSION_HEARS);
        said = session->stage != STAGE_READING || begin_reading(session, clocks->now);
    } else if (is_before(stream.last, session->position)) {
        /* another Redis, or one whose memory is gone; XREAD waits for ids that may not come for long */
        fail(session, clocks, "Redis has lost what it had");
    } else if (stream.trimmed && is_before(session->position, stream.first)) {
        session->position = stream.last; /* what the pending XREAD still brings was read, too */
        said              = read_again(session, clocks->now);
    }
    if (!said)
        fail(session, clocks, "out of memory");
}

static void take_change(struct session *session, const redisReply *entry, const struct clocks *clocks)
{
    struct statement  statement;
    struct position   position;
    const redisReply *fields = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 ? entry->element[1] : NULL;
    if (!fields || !position_read(entry->element[0], &position)) {
        session->report.garbage++;
        return;
    }
    session->position       = position;
    const redisReply *value = fields->type == REDIS_REPLY_ARRAY && fields->elements == 2 ? fields->element[1] : NULL;
    if (!value || value->type != REDIS_REPLY_STRING ||
        !statement_read((struct view){(const uint8_t *) value->str, value->len}, &statement)) {
        session->report.garbage++;
        return;
    }
    session->report.received++;
    if (!peers_admit(session, statement.node, clocks->now)) {
        session->reread = msec_min(session->reread, clocks->now + CATCH_UP);
        return;
    }
    if (replica_merge(session->replica, &statement, true, (uint64_t) clocks->wall_ms) == MERGED_NEWS)
        session->hooks.heard(session->hooks.context, &statement);
}

static void on_changes(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    const redisReply *stream = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 ? reply->element[0] : NULL;
    const redisReply *list =
        stream && stream->type == REDIS_REPLY_ARRAY && stream->elements == 2 ? stream->element[1] : NULL;
    for (size_t i = 0; list && list->type == REDIS_REPLY_ARRAY && i < list->elements; i++)
        take_change(session, list->element[i], clocks);
    if (!session_say_hear(session))
        fail(session, clocks, "out of memory");
}

/* ---- replies ---- */

static void on_nodes(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    char problem[SESSION_PROBLEM_MAX];
    if (!peers_read(session, reply, clocks, problem)) {
        session->wait = SESSION_AGAIN_MAX;
        fail(session, clocks, "%s", problem);
    } else if (!session_say_presence(session, clocks)) {
        fail(session, clocks, "out of memory");
    }
}

static void on_time_told(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING)
        return;
    session->redis_wall_ms = strtoll(reply->element[0]->str, NULL, 10) * 1000;
    session->redis_at      = clocks->now;
}

static void on_beat(struct session *session, const struct clocks *clocks)
{
    if (!say_stream(session))
        fail(session, clocks, "out of memory");
}

static const char *const tag_words[] = {
    [TAG_AUTH] = "AUTH",  [TAG_NODES] = "HGETALL", [TAG_BEAT] = "HSET",  [TAG_TIME] = "TIME", [TAG_STREAM] = "XINFO",
    [TAG_SCAN] = "HSCAN", [TAG_PUT] = "write",     [TAG_PRUNE] = "EVAL", [TAG_LEASE] = "SET", [TAG_CHANGES] = "XREAD",
};

void session_on_reply(struct session *session, enum session_line line, uint64_t tag, const redisReply *reply,
                      const struct clocks *clocks)
{
    enum tag what = (enum tag)(tag & ((1 << TAG_BITS) - 1));
    (void) line;
    if (session->stage == STAGE_WAITING || what == TAG_PRUNE)
        return;
    if (reply->type == REDIS_REPLY_ERROR && what != TAG_STREAM) {
        fail(session, clocks, "%s: Redis says: %.200s", tag_words[what], reply->str);
        return;
    }
    if (what == TAG_NODES)
        on_nodes(session, reply, clocks);
    else if (what == TAG_BEAT)
        on_beat(session, clocks);
    else if (what == TAG_TIME)
        on_time_told(session, reply, clocks);
    else if (what == TAG_STREAM)
        on_stream(session, reply, clocks);
    else if (what == TAG_SCAN)
        on_scan(session, reply, clocks);
    else if (what == TAG_LEASE)
        session_on_lease(session, (unsigned) (tag >> TAG_BITS), reply, clocks->now);
    else if (what == TAG_CHANGES)
        on_changes(session, reply, clocks);
    else if (what == TAG_PUT && session->putting-- > 0)
        session_publish(session);
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
        said          = say_nodes(session);
    }
    if (said && session->reread <= clocks->now)
        said = read_again(session, clocks->now);
    if (!said)
        fail(session, clocks, "out of memory");
}
