/*
 * redis.c: see redis.h. hiredis writes the commands and reads the replies; the socket is libuv's. hiredis 0.14
 * has an asynchronous layer of its own, which is not used: a reply that nobody asked for fails an assertion there, and
 * its want of memory ends the process.
 */
#include "cluster/redis.h"

#include "base/list.h"
#include "base/printable.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

enum {
    READ_MAX = 64 << 10 /* bytes at once */
};

#if HIREDIS_MAJOR >= 1
typedef size_t elements_t;
#else
typedef int elements_t;
#endif

struct redis {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t    tcp;
        uv_pipe_t   pipe;
    };
    uv_timer_t         timer; /* until connected: the wait for it; then the earliest end of a command's patience */
    uv_connect_t       connecting;
    int                failed;  /* what connecting came to at once; 0: it runs */
    unsigned           handles; /* that libuv still has */
    bool               ready, closing;
    struct redis_hooks hooks;

    struct list commands; /* without a reply, the oldest first */
    size_t      pending;  /* of them */
    msec_t      alarm;    /* when the timer fires */

    redisReader              *reader;
    redisReplyObjectFunctions functions; /* hiredis' own, but for arrays */
    void *(*create_array)(const redisReadTask *task, elements_t elements);
    const char *refusal; /* why an array was not made */
    size_t      unread;  /* bytes of the reply that is coming */
    bool        grown;   /* so is the reader's buffer */
    char        in[READ_MAX];
};

/* Ended when it has its reply and libuv has done with its text: either may come first. */
struct command {
    struct list link; /* in redis->commands; alone: it has its reply, or nobody waits for it */
    uv_write_t  write;
    bool        written;
    char       *text;
    uint64_t    tag;
    msec_t      patience, due;
};

static void command_settle(struct command *command)
{
    if (!command->written || !list_empty(&command->link))
        return;
    redisFreeCommand(command->text);
    free(command);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct redis *redis = handle->data;
    if (--redis->handles > 0)
        return;
    redisReaderFree(redis->reader);
    free(redis);
}

void redis_close(struct redis *redis)
{
    if (redis->closing)
        return;
    redis->closing = true;
    LIST_EACH (link, next, &redis->commands) {
        list_remove(link);
        command_settle(CONTAINER_OF(link, struct command, link)); /* or once libuv gives it back */
    }
    redis->pending = 0;
    uv_close(&redis->handle, on_closed);
    uv_close((uv_handle_t *) &redis->timer, on_closed);
}

static void fail(struct redis *redis, const char *problem)
{
    redis_close(redis);
    redis->hooks.closed(redis->hooks.context, problem);
}

/* ---- replies ---- */

static void *guarded_array(const redisReadTask *task, elements_t elements)
{
    struct redis *redis = task->privdata;
    unsigned      depth = 1;
    for (const redisReadTask *up = task->parent; up; up = up->parent)
        depth++;
    if (depth > REDIS_DEPTH_MAX)
        redis->refusal = "a reply with too many arrays in each other";
    else if (elements > REDIS_ELEMENTS_MAX)
        redis->refusal = "a reply with too many elements";
    return redis->refusal ? NULL : redis->create_array(task, elements);
}

/* Takes a new reader in place of the one it has; false: no memory, and that stays. */
static bool renew_reader(struct redis *redis)
{
    redisReader *reader = redisReaderCreate();
    if (!reader)
        return false;
    redis->functions             = *reader->fn;
    redis->create_array          = redis->functions.createArray;
    redis->functions.createArray = guarded_array;
    reader->fn                   = &redis->functions;
    reader->privdata             = redis;
    reader->maxbuf               = 0; /* it fails an assertion where it shrinks its buffer without memory */
    if (redis->reader)
        redisReaderFree(redis->reader);
    redis->reader = reader;
    redis->grown  = false;
    return true;
}

static void fail_reading(struct redis *redis)
{
    char problem[REDIS_PROBLEM_MAX];
    if (redis->refusal)
        fail(redis, redis->refusal);
    else if (redis->reader->err == REDIS_ERR_OOM)
        fail(redis, "out of memory");
    else {
        snprintf(problem, sizeof(problem), "not what Redis speaks: %s", redis->reader->errstr);
        fail(redis, problem);
    }
}

/* Redis says so before it closes, be it that it has clients enough. */
static void fail_unasked(struct redis *redis, const redisReply *reply)
{
    static const char says[] = "Redis says: ";
    char              problem[REDIS_PROBLEM_MAX];
    if (reply->type != REDIS_REPLY_ERROR) {
        fail(redis, "a reply that nobody asked for");
        return;
    }
    memcpy(problem, says, sizeof(says));
    printable_copy(reply->str, problem + sizeof(says) - 1, sizeof(problem) - sizeof(says) + 1);
    fail(redis, problem);
}

static void deliver(struct redis *redis, const redisReply *reply)
{
    if (list_empty(&redis->commands)) {
        fail_unasked(redis, reply);
        return;
    }
    struct command *command = CONTAINER_OF(redis->commands.next, struct command, link);
    uint64_t        tag     = command->tag;
    list_remove(&command->link);
    command_settle(command);
    redis->pending--;
    redis->hooks.reply(redis->hooks.context, tag, reply);
}

static void take(struct redis *redis, size_t len)
{
    void *reply = NULL;
    bool  good  = redisReaderFeed(redis->reader, redis->in, len) == REDIS_OK;
    redis->unread += len;
    while (good && (good = redisReaderGetReply(redis->reader, &reply) == REDIS_OK) && reply) {
        redis->unread = redis->reader->len - redis->reader->pos;
        deliver(redis, reply);
        freeReplyObject(reply);
        if (redis->closing)
            return;
        reply = NULL;
    }
    if (!good)
        fail_reading(redis);
    else if (redis->unread > REDIS_REPLY_MAX)
        fail(redis, "a reply of more than 16 MiB");
    else if (redis->unread > READ_MAX)
        redis->grown = true;
    else if (redis->unread == 0 && redis->grown)
        renew_reader(redis);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
    struct redis *redis = handle->data;
    (void) wanted;
    *ret = uv_buf_init(redis->in, READ_MAX);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
    struct redis *redis = stream->data;
    (void) buffer;
    if (len > 0)
        take(redis, (size_t) len);
    else if (len < 0)
        fail(redis, len == UV_EOF ? "closed by Redis" : uv_strerror((int) len));
}

/* ---- time ---- */

static void fail_connecting(struct redis *redis)
{
    char problem[REDIS_PROBLEM_MAX], text[DURATION_TEXT_MAX];
    snprintf(problem, sizeof(problem), "no connection within %s", duration_format(REDIS_CONNECT_WAIT, text));
    fail(redis, redis->failed != 0 ? uv_strerror(redis->failed) : problem);
}

static void on_timer(uv_timer_t *timer);

static void wait_until(struct redis *redis, msec_t alarm)
{
    msec_t left  = alarm - (msec_t) uv_now(redis->timer.loop);
    redis->alarm = alarm;
    uv_timer_start(&redis->timer, on_timer, (uint64_t) msec_max(left, 0), 0); /* fails only for what is closing */
}

static void on_timer(uv_timer_t *timer)
{
    struct redis   *redis = timer->data;
    struct command *first = NULL;
    if (!redis->ready) {
        fail_connecting(redis);
        return;
    }
    LIST_EACH (link, next, &redis->commands) {
        struct command *command = CONTAINER_OF(link, struct command, link);
        if (!first || command->due < first->due)
            first = command;
    }
    redis->alarm = MSEC_NEVER;
    if (first && first->due <= (msec_t) uv_now(timer->loop)) {
        char problem[REDIS_PROBLEM_MAX], text[DURATION_TEXT_MAX];
        snprintf(problem, sizeof(problem), "no reply for %s", duration_format(first->patience, text));
        fail(redis, problem);
    } else if (first)
        wait_until(redis, first->due);
}

/* ---- commands ---- */

static void on_written(uv_write_t *write, int status)
{
    struct redis   *redis   = write->handle->data;
    struct command *command = CONTAINER_OF(write, struct command, write);
    command->written        = true;
    command_settle(command);
    /* Whoever closes may have said why: that is read first. Behind any other failure words are missing, and replies
     * would be taken for those of other commands. */
    if (status < 0 && status != UV_EPIPE && status != UV_ECONNRESET && !redis->closing)
        fail(redis, uv_strerror(status));
}

/* NULL: no memory. */
static struct command *make_command(int count, const char *const *words, const size_t *lengths, size_t *ret_len)
{
    struct command *command = calloc(1, sizeof(*command));
    int             len = command ? redisFormatCommandArgv(&command->text, count, (const char **) words, lengths) : -1;
    if (len < 0) {
        free(command);
        return NULL;
    }
    list_init(&command->link);
    *ret_len = (size_t) len;
    return command;
}

bool redis_send(struct redis *redis, uint64_t tag, int count, const char *const *words, const size_t *lengths,
                msec_t patience)
{
    if (!redis->ready || redis->closing)
        return false;
    size_t unsent = uv_stream_get_write_queue_size(&redis->stream), len;
    size_t room   = unsent < REDIS_UNSENT_MAX ? REDIS_UNSENT_MAX - unsent : 0;
    for (int i = 0; i < count; i++) {
        if (lengths[i] > room)
            return false;
        room -= lengths[i];
    }
    struct command *command = make_command(count, words, lengths, &len);
    if (!command)
        return false;
    command->tag      = tag;
    command->patience = patience;
    command->due      = (msec_t) uv_now(redis->timer.loop) + patience;
    uv_buf_t text     = uv_buf_init(command->text, (unsigned) len);
    if (uv_write(&command->write, &redis->stream, &text, 1, on_written) < 0) {
        command->written = true;
        command_settle(command);
        return false;
    }
    list_append(&redis->commands, &command->link);
    redis->pending++;
    if (command->due < redis->alarm)
        wait_until(redis, command->due);
    return true;
}

size_t redis_pending(const struct redis *redis) { return redis->pending; }

/* ---- the beginning ---- */

static void on_connected(uv_connect_t *connecting, int status)
{
    struct redis *redis = connecting->handle->data;
    if (redis->closing)
        return;
    if (status == 0)
        status = uv_read_start(&redis->stream, on_room, on_read);
    if (status < 0) {
        fail(redis, uv_strerror(status));
        return;
    }
    uv_timer_stop(&redis->timer);
    redis->alarm = MSEC_NEVER;
    redis->ready = true;
    redis->hooks.ready(redis->hooks.context);
}

struct redis *redis_open(uv_loop_t *loop, const struct redis_target *target, const struct redis_hooks *hooks)
{
    struct redis *redis = calloc(1, sizeof(*redis));
    if (!redis || !renew_reader(redis)) {
        free(redis);
        return NULL;
    }
    redis->hooks = *hooks;
    list_init(&redis->commands);
    uv_timer_init(loop, &redis->timer);
    if (target->local) {
        uv_pipe_init(loop, &redis->pipe, 0);
        uv_pipe_connect(&redis->connecting, &redis->pipe, target->path, on_connected);
    } else {
        uv_tcp_init(loop, &redis->tcp);
        uv_tcp_nodelay(&redis->tcp, 1);
        redis->failed = uv_tcp_connect(&redis->connecting, &redis->tcp, &target->address.any, on_connected);
    }
    redis->handles     = 2;
    redis->handle.data = redis->timer.data = redis;
    uv_update_time(loop);
    wait_until(redis, (msec_t) uv_now(loop) + (redis->failed != 0 ? 0 : REDIS_CONNECT_WAIT));
    return redis;
}
