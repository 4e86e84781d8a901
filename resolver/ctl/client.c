/*
 * client.c: see client.h. The protocol is docs/protocol.md.
 */
#include "ctl/client.h"

#include "ctl/clock.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    READ_CHUNK    = 256 << 10,
    USER_TEXT_MAX = 64
};

__attribute__((format(printf, 2, 3))) static enum client_result failed(struct client *client, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(client->why, sizeof(client->why), format, arguments);
    va_end(arguments);
    return CLIENT_FAILED;
}

static enum client_result absent(struct client *client, const char *path, const char *why)
{
    failed(client, "no daemon listens at %s: %s", path, why);
    return CLIENT_ABSENT;
}

static const char *user_name(uid_t uid, char text[USER_TEXT_MAX])
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(text, USER_TEXT_MAX, "%s", user->pw_name);
    else
        snprintf(text, USER_TEXT_MAX, "%u", (unsigned) uid);
    return text;
}

/* Who asks, and who might: the socket's mode is 0660. */
static enum client_result denied(struct client *client, const char *path)
{
    struct stat facts;
    char        name[USER_TEXT_MAX], owner[USER_TEXT_MAX];
    user_name(geteuid(), name);
    if (stat(path, &facts) != 0)
        return failed(client, "cannot connect to %s: a directory above it is closed to the user %s", path, name);
    const struct group *group = getgrgid(facts.st_gid);
    bool                root  = geteuid() == 0; /* in a container that has dropped its capabilities */
    return failed(client, "cannot connect to %s: %s%s may not, only %sthe user %s and the group %s may", path,
                  root ? "root without CAP_DAC_OVERRIDE" : "the user ", root ? "" : name, root ? "" : "root, ",
                  user_name(facts.st_uid, owner), group ? group->gr_name : "that it has");
}

static enum client_result explain(struct client *client, const char *path, int error)
{
    struct stat facts;
    if (error == EAGAIN)
        return failed(client, "the daemon at %s takes no connection within %u s: is it stopped?", path,
                      client->patience_s);
    if (error == EACCES || error == EPERM)
        return denied(client, path);
    if (error == ENOENT || error == ENOTDIR)
        return absent(client, path, "there is no such socket");
    if (error == ECONNREFUSED && stat(path, &facts) == 0)
        return absent(client, path,
                      S_ISSOCK(facts.st_mode)  ? "nobody has the socket open"
                      : S_ISDIR(facts.st_mode) ? "it is a directory"
                                               : "it is no socket");
    if (error == ECONNREFUSED || error == EPROTOTYPE || error == ELOOP)
        return absent(client, path, strerror(error));
    return failed(client, "cannot connect to %s: %s", path, strerror(error));
}

enum client_result client_open(struct client *client, const char *path, unsigned patience_s)
{
    struct sockaddr_un address  = {.sun_family = AF_UNIX};
    struct timeval     patience = {.tv_sec = patience_s};
    *client                     = (struct client){.fd = -1, .patience_s = patience_s};
    if (strlen(path) >= sizeof(address.sun_path))
        return failed(client, "%s: too long for a socket's path", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return failed(client, "no socket: %s", strerror(errno));
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(client->fd, (const struct sockaddr *) &address, sizeof(address)) == 0)
        return CLIENT_DONE;
    return explain(client, path, errno);
}

/* What cannot be sent is no error yet: the daemon may have said why it hung up. */
static void client_send(struct client *client, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(client->fd, text, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t) sent;
    }
}

/* How long poll() may wait: until the second is over, or the call has to be. */
static int wait_ms(const struct client *client)
{
    msec_t left = client->until ? client->until - clock_now() : 1000;
    return (int) (left < 0 ? 0 : left < 1000 ? left : 1000);
}

/* Waits for something to read, second by second while somebody wants to know of them. False: patience is at its end. */
static bool client_wait(const struct client *client)
{
    struct pollfd input = {.fd = client->fd, .events = POLLIN};
    for (unsigned second = 1; client->on_second || client->until; second++) {
        int ms = wait_ms(client);
        if (ms == 0)
            return false;
        if (poll(&input, 1, ms) != 0) /* what went wrong, recv() says */
            return true;
        if (second == client->patience_s)
            return false;
        if (client->on_second)
            client->on_second(second);
    }
    return true;
}

/* Who tells something again and again has a call wait for ever. */
static enum client_result too_late(struct client *client)
{
    return failed(client, "the daemon has not come to an end in the time that there is");
}

/* Borrowed until the next call. */
static enum client_result client_read_line(struct client *client, struct view *ret)
{
    while (!lines_next(&client->input, false, ret)) {
        lines_trim(&client->input);
        uint8_t *room = lines_room(&client->input, READ_CHUNK);
        if (client->until && wait_ms(client) == 0)
            return too_late(client);
        if (!room)
            return failed(client, "no memory for the answer");
        ssize_t count = recv(client->fd, room, READ_CHUNK, client_wait(client) ? 0 : MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN && client->until && wait_ms(client) == 0)
            return too_late(client);
        if (count < 0 && errno == EAGAIN)
            return failed(client, "the daemon does not answer within %u s: is it stopped, or busy?",
                          client->patience_s);
        if (count < 0)
            return failed(client, "lost the daemon: %s", strerror(errno));
        if (count == 0)
            return failed(client, "the daemon closed the connection without an answer");
        lines_add(&client->input, (size_t) count);
    }
    return CLIENT_DONE;
}

static json_t *read_object(struct client *client, enum client_result *ret)
{
    struct view line;
    *ret = client_read_line(client, &line);
    if (*ret != CLIENT_DONE)
        return NULL;
    json_t *object = json_loadb((const char *) line.data, line.len, 0, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    *ret = failed(client, "the answer is not JSON-RPC");
    return NULL;
}

static bool is_ours(const struct client *client, const json_t *id)
{
    return json_is_integer(id) && json_integer_value(id) == client->id;
}

/* The reply to the latest request. Others are not for us; one without an id is a complaint about the connection itself.
 * Notifications of the request are handed to `each`, or dropped. */
static enum client_result client_read_reply(struct client *client, client_each_fn each, void *context, json_t **ret)
{
    enum client_result result;
    json_t            *object;
    while ((object = read_object(client, &result))) {
        json_t *id = json_object_get(object, "id"), *told = json_object_get(object, "params");
        if (is_ours(client, id) || json_is_null(id)) {
            *ret = object;
            return CLIENT_DONE;
        }
        if (each && is_ours(client, json_object_get(told, "id")))
            each(context, told);
        json_decref(object);
    }
    return result;
}

static enum client_result client_ask(struct client *client, const char *method, json_t *params)
{
    json_t *request =
        json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", ++client->id, "method", method, "params", params);
    char *text   = request ? json_dumps(request, JSON_COMPACT) : NULL;
    client->code = 0;
    json_decref(request);
    if (!text)
        return failed(client, "no memory for the request");
    client_send(client, text, strlen(text));
    client_send(client, "\n", 1);
    free(text);
    return CLIENT_DONE;
}

/* Takes `reply`. */
static enum client_result client_take(struct client *client, json_t *reply, json_t **ret_result)
{
    enum client_result result  = CLIENT_DONE;
    json_t            *error   = json_object_get(reply, "error");
    const char        *message = json_string_value(json_object_get(error, "message"));
    *ret_result                = error ? NULL : json_incref(json_object_get(reply, "result"));
    if (error) {
        client->code = (int) json_integer_value(json_object_get(error, "code"));
        result       = failed(client, "%s", message ? message : "refused without a reason");
    } else if (!*ret_result) {
        result = failed(client, "the answer is not JSON-RPC");
    }
    json_decref(reply);
    return result;
}

enum client_result client_call(struct client *client, const char *method, json_t *params, json_t **ret_result)
{
    json_t            *reply  = NULL;
    enum client_result result = client_ask(client, method, params);
    if (result == CLIENT_DONE)
        result = client_read_reply(client, client->on_told, NULL, &reply);
    return result == CLIENT_DONE ? client_take(client, reply, ret_result) : result;
}

enum client_result client_stream(struct client *client, const char *method, json_t *params, client_each_fn each,
                                 void *context)
{
    json_t            *reply = NULL, *last = NULL;
    enum client_result result = client_ask(client, method, params);
    /* there may be nothing to tell for days */
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof(struct timeval));
    if (result == CLIENT_DONE)
        result = client_read_reply(client, each, context, &reply);
    if (result == CLIENT_DONE)
        result = client_take(client, reply, &last);
    json_decref(last);
    return result;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    lines_clear(&client->input);
}
