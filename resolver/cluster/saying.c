/*
 * saying.c: the commands that a session sends: see session_internal.h.
 */
#include "cluster/session_internal.h"

#include "dns/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    WORDS_MAX    = 12,
    PUTTING_MAX  = 256,
    HEARING      = 10 * 1000, /* ms that XREAD waits */
    KEY_MAX      = 128,
    LEASE_MAX    = 1280,
    PRESENCE_MAX = 256,
};

#define BATCH "250"           /* of HSCAN and XREAD: a few ms of work */
#define CHANGES_KEPT "100000" /* of the stream: minutes of the worst flood, an hour of what is common */
#define COMPARE_AND_DELETE                                                                                             \
    "if redis.call('HGET',KEYS[1],ARGV[1])==ARGV[2] then return redis.call('HDEL',KEYS[1],ARGV[1]) end return 0"
/* The hash and the stream get it both or not at all: a connection may end between two commands. The stream first: what it
 * may not be given is not found in the hash, and is tried again. Returns what stands there, if it is another node's field
 * in which something does. */
#define PUT                                                                                                            \
    "local is=ARGV[1]~='own' and redis.call('HGET',KEYS[1],ARGV[2]) if is then return is end "                         \
    "redis.call('XADD',KEYS[2],'MAXLEN','~',ARGV[4],'*','s',ARGV[3]) "                                                 \
    "redis.call('HSET',KEYS[1],ARGV[2],ARGV[3]) return 1"
#define COMPARE_AND_END "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end return 0"

struct words {
    int         count;
    const char *words[WORDS_MAX];
    size_t      lengths[WORDS_MAX];
};

bool session_is_self(const struct session *session, struct view node)
{
    struct view own = replica_node(session->replica);
    return node.len == own.len && memcmp(node.data, own.data, own.len) == 0;
}

static void add(struct words *words, const void *bytes, size_t len)
{
    words->words[words->count]     = bytes;
    words->lengths[words->count++] = len;
}

static void add_text(struct words *words, const char *text) { add(words, text, strlen(text)); }

static bool send(struct session *session, enum session_line line, uint64_t tag, const struct words *words,
                 msec_t patience)
{
    return session->hooks.send(session->hooks.context, line, tag, words->count, words->words, words->lengths, patience);
}

bool session_say(struct session *session, enum session_line line, uint64_t tag, msec_t patience, ...)
{
    struct words words = {0};
    va_list      list;
    va_start(list, patience);
    for (const char *word; (word = va_arg(list, const char *));)
        add_text(&words, word);
    va_end(list);
    return send(session, line, tag, &words, patience);
}

static const char *key(const struct session *session, const char *what, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s:%s", session->name, what);
    return out;
}

bool session_say_nodes(struct session *session)
{
    char nodes[KEY_MAX];
    return session_say(session, SESSION_ASKS, TAG_TIME, SESSION_PATIENCE, "TIME", NULL) &&
           session_say(session, SESSION_ASKS, TAG_NODES, SESSION_PATIENCE, "HGETALL", key(session, "nodes", nodes),
                       NULL);
}

bool session_say_stream(struct session *session)
{
    char changes[KEY_MAX];
    session->looked = session->position;
    return session_say(session, SESSION_ASKS, TAG_STREAM, SESSION_PATIENCE, "XINFO", "STREAM",
                       key(session, "changes", changes), NULL);
}

bool session_say_scan(struct session *session, const char *cursor)
{
    char zones[KEY_MAX];
    return session_say(session, SESSION_ASKS, TAG_SCAN, SESSION_PATIENCE, "HSCAN", key(session, "zones", zones), cursor,
                       "COUNT", BATCH, NULL);
}

static void keep_last(void *context, const struct statement *statement) { *(struct statement *) context = *statement; }

bool session_say_sample(struct session *session)
{
    char             zones[KEY_MAX], field[STATEMENT_FIELD_MAX];
    struct statement sample = {0}, waits;
    struct words     words  = {0};
    bool             more   = true;
    if (replica_unseen(session->replica, &waits))
        return true;
    while (more && sample.node.len == 0)
        more = replica_walk(session->replica, &session->sampled, 1, keep_last, &sample);
    if (!more)
        session->sampled = 0;
    if (sample.node.len == 0)
        return true;
    add_text(&words, "HGET");
    add_text(&words, key(session, "zones", zones));
    add(&words, field, statement_field(&sample, field));
    return send(session, SESSION_ASKS, TAG_SAMPLE, &words, SESSION_PATIENCE);
}

/* "cn 00112233aabbccdd 1764470000000 1.0": vantage, instance, calendar, version. */
static void write_presence(const struct session *session, const struct clocks *clocks, char *out, size_t size)
{
    struct view vantage = replica_vantage(session->replica);
    snprintf(out, size, "%.*s %016" PRIx64 " %" PRId64 " %s", (int) vantage.len, (const char *) vantage.data,
             session->instance, clocks->wall_ms, session->version);
}

bool session_say_presence(struct session *session, const struct clocks *clocks)
{
    char         nodes[KEY_MAX], presence[PRESENCE_MAX];
    struct view  node  = replica_node(session->replica);
    struct words words = {0};
    write_presence(session, clocks, presence, sizeof(presence));
    add_text(&words, "HSET");
    add_text(&words, key(session, "nodes", nodes));
    add(&words, node.data, node.len);
    add_text(&words, presence);
    return send(session, SESSION_ASKS, TAG_BEAT, &words, SESSION_PATIENCE);
}

bool session_say_hear(struct session *session)
{
    char changes[KEY_MAX], id[48], block[16];
    snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, session->position.ms, session->position.number);
    snprintf(block, sizeof(block), "%d", HEARING);
    return session_say(session, SESSION_HEARS, TAG_CHANGES, HEARING + SESSION_PATIENCE, "XREAD", "COUNT", BATCH,
                       "BLOCK", block, "STREAMS", key(session, "changes", changes), id, NULL);
}

void session_prune(struct session *session, const char *hash, struct view field, struct view value)
{
    char         text[KEY_MAX];
    struct words words = {0};
    add_text(&words, "EVAL");
    add_text(&words, COMPARE_AND_DELETE);
    add_text(&words, "1");
    add_text(&words, key(session, hash, text));
    add(&words, field.data, field.len);
    add(&words, value.data, value.len);
    send(session, SESSION_ASKS, TAG_PRUNE, &words, SESSION_PATIENCE);
}

/* ---- statements ---- */

/* Another node's statement is put back only where nothing stands: what it has written since is later. */
static bool put(struct session *session, const struct statement *statement)
{
    char         zones[KEY_MAX], changes[KEY_MAX], field[STATEMENT_FIELD_MAX];
    uint8_t      bytes[STATEMENT_MAX];
    struct words words = {0};
    add_text(&words, "EVAL");
    add_text(&words, PUT);
    add_text(&words, "2");
    add_text(&words, key(session, "zones", zones));
    add_text(&words, key(session, "changes", changes));
    add_text(&words, session_is_self(session, statement->node) ? "own" : "another's");
    add(&words, field, statement_field(statement, field));
    add(&words, bytes, statement_write(statement, bytes));
    add_text(&words, CHANGES_KEPT);
    if (!send(session, SESSION_ASKS, TAG_PUT, &words, SESSION_PATIENCE))
        return false;
    session->putting++;
    return true;
}

static bool say(struct session *session, const struct statement *statement)
{
    if (!put(session, statement))
        return false;
    replica_saw(session->replica, statement);
    session->report.sent++;
    return true;
}

void session_publish(struct session *session)
{
    struct statement statement;
    while (session->stage == STAGE_TOGETHER && !session->reading && session->putting < PUTTING_MAX &&
           replica_unseen(session->replica, &statement)) {
        if (!say(session, &statement))
            return; /* too much waits already: its reply will lead here again */
    }
}

void session_tell(struct session *session, const struct statement *statement)
{
    if (session->stage == STAGE_TOGETHER && session->reading && session->putting < PUTTING_MAX)
        say(session, statement); /* all the rest waits until it is known what stands there */
    else
        session_publish(session);
}

/* ---- leases ---- */

static const char *lease_key(const struct session *session, const struct lease *lease, char out[LEASE_MAX])
{
    char        name[NAME_TEXT_MAX];
    struct view vantage = replica_vantage(session->replica);
    snprintf(out, LEASE_MAX, "%s:lease:%.*s:%s:%u:%s", session->name, (int) vantage.len, (const char *) vantage.data,
             zone_scope_words[lease->scope], lease->type, name_format(name_view(&lease->name), name));
    return out;
}

static bool is_of(const struct lease *lease, const struct zone_id *id)
{
    return lease->state != LEASE_NONE && lease->scope == id->scope && lease->type == id->type &&
           name_equal(name_view(&lease->name), id->name);
}

/* Held ones that have ended make room. */
static struct lease *free_lease(struct session *session, msec_t now)
{
    for (unsigned i = 0; i < ARRAY_LEN(session->leases); i++) {
        struct lease *lease = &session->leases[i];
        if (lease->state == LEASE_NONE || (lease->state == LEASE_HELD && lease->until <= now))
            return lease;
    }
    return NULL;
}

static void write_instance(const struct session *session, char out[24])
{
    snprintf(out, 24, "%016" PRIx64, session->instance);
}

bool session_ask_lease(struct session *session, const struct zone_id *id, msec_t now)
{
    struct lease *lease = session->stage == STAGE_TOGETHER ? free_lease(session, now) : NULL;
    char          name[LEASE_MAX], instance[24], lasts[16];
    if (!lease)
        return false;
    name_set_lower(&lease->name, id->name);
    lease->scope = id->scope;
    lease->type  = id->type;
    write_instance(session, instance);
    snprintf(lasts, sizeof(lasts), "%d", SESSION_LEASE);
    uint64_t tag = TAG_LEASE | (uint64_t) (lease - session->leases) << TAG_BITS;
    if (!session_say(session, SESSION_ASKS, tag, SESSION_PATIENCE, "SET", lease_key(session, lease, name), instance,
                     "NX", "PX", lasts, NULL))
        return false;
    lease->state = LEASE_ASKED;
    return true;
}

static void say_leased(struct session *session, const struct lease *lease, bool granted)
{
    struct lease         was = *lease;
    const struct zone_id id  = {.name = name_view(&was.name), .scope = was.scope, .type = was.type};
    session->hooks.leased(session->hooks.context, &id, granted);
}

void session_on_lease(struct session *session, unsigned place, const redisReply *reply, msec_t now)
{
    struct lease *lease = place < ARRAY_LEN(session->leases) ? &session->leases[place] : NULL;
    if (!lease || lease->state != LEASE_ASKED)
        return;
    bool granted = reply->type == REDIS_REPLY_STATUS;
    lease->state = granted ? LEASE_HELD : LEASE_NONE;
    lease->until = now + SESSION_LEASE;
    say_leased(session, lease, granted);
}

void session_grant_all(struct session *session)
{
    for (unsigned i = 0; i < ARRAY_LEN(session->leases); i++) {
        bool asked               = session->leases[i].state == LEASE_ASKED;
        session->leases[i].state = LEASE_NONE;
        if (asked)
            say_leased(session, &session->leases[i], true);
    }
}

void session_end_lease(struct session *session, const struct zone_id *id)
{
    for (unsigned i = 0; i < ARRAY_LEN(session->leases); i++) {
        struct lease *lease = &session->leases[i];
        char          name[LEASE_MAX], instance[24];
        if (lease->state != LEASE_HELD || !is_of(lease, id))
            continue;
        lease->state = LEASE_NONE;
        write_instance(session, instance);
        session_say(session, SESSION_ASKS, TAG_PRUNE, SESSION_PATIENCE, "EVAL", COMPARE_AND_END, "1",
                    lease_key(session, lease, name), instance, NULL);
    }
}
