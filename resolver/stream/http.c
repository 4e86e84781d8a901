/*
 * http.c: see http.h. nghttp2 does the frames; here is what DNS makes of them.
 */
#include "stream/http.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/list.h"
#include "dns/message.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    OK          = 200,
    TOO_MANY    = 429,
    SERVER      = 500,
    UNAVAILABLE = 503,
    PIECE       = 4 << 10 /* bytes */
};

static const char dns_message[] = "application/dns-message";

struct asked { /* one question */
    struct list link;
    uint16_t    id;
    unsigned    status;
    bool        is_dns, whole;
    uint32_t    age;   /* s */
    uint32_t    retry; /* s; 0: it does not say */
    size_t      header_bytes;
    uint8_t    *answer; /* owned */
    size_t      answer_len;
    size_t      sent, len;
    uint8_t     question[];
};

struct http {
    nghttp2_session  *session;
    const struct way *way; /* borrowed */
    struct http_hooks hooks;
    struct list       asked; /* owned */
    unsigned          open;
    bool              leaving, broken;
    bool              busy; /* the library runs, and calls back */
    char              authority[WAY_TEXT_MAX];
    char              problem[HTTP_PROBLEM_MAX];
};

/* ---- one question ---- */

static struct asked *asked_of(struct http *http, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(http->session, stream);
}

static void take_off(struct http *http, struct asked *asked)
{
    list_remove(&asked->link);
    http->open--;
}

static void drop(struct asked *asked)
{
    free(asked->answer);
    free(asked);
}

/* An answer from an HTTP cache is older than its TTLs say. */
static void take_age(struct asked *asked)
{
    struct message message;
    struct record  record = {0};
    if (asked->age == 0 || !message_parse((struct view){asked->answer, asked->answer_len}, &message))
        return;
    while (message_next(&message, &record))
        if (record.type != TYPE_OPT)
            put_u32(asked->answer + record.ttl_at, record.ttl > asked->age ? record.ttl - asked->age : 0);
}

static void pause_for(struct http *http, const struct asked *asked)
{
    bool busy = asked->status == TOO_MANY || asked->status == UNAVAILABLE;
    if (!busy && (asked->status < SERVER || asked->retry == 0))
        return;
    msec_t pause = asked->retry > 0 ? (msec_t) asked->retry * 1000 : HTTP_PAUSE;
    http->hooks.paused(http->hooks.context, msec_min(pause, HTTP_PAUSE_MAX));
}

static void finish(struct http *http, struct asked *asked, uint32_t error)
{
    bool good = error == NGHTTP2_NO_ERROR && asked->whole && asked->status == OK && asked->is_dns;
    if (good && asked->answer_len >= MESSAGE_HEADER) {
        take_age(asked);
        put_u16(asked->answer, asked->id);
        http->problem[0] = '\0';
        http->hooks.replied(http->hooks.context, asked->id, (struct view){asked->answer, asked->answer_len});
        return;
    }
    bool refused = error == NGHTTP2_REFUSED_STREAM;
    if (!refused && asked->whole && asked->status != 0 && asked->status != OK)
        snprintf(http->problem, sizeof(http->problem), "it answers with HTTP status %u", asked->status);
    else if (!refused && asked->whole && !asked->is_dns)
        snprintf(http->problem, sizeof(http->problem), "what it answers is not of the type %s", dns_message);
    else if (!refused)
        snprintf(http->problem, sizeof(http->problem), "it gives a question up (%s)",
                 error == NGHTTP2_NO_ERROR ? "an answer without end" : nghttp2_http2_strerror(error));
    pause_for(http, asked);
    http->hooks.failed(http->hooks.context, asked->id, refused ? HTTP_REFUSED : HTTP_FAILED);
}

/* ---- what the library tells ---- */

static bool is_called(const uint8_t *name, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(name, word, len) == 0;
}

/* Digits and nothing else; what is too large for it is as large as it can be. */
static bool read_number(const uint8_t *value, size_t len, uint32_t *ret)
{
    uint64_t number = 0;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        number = number * 10 + (uint64_t) (value[i] - '0');
        number = number < INT32_MAX ? number : INT32_MAX;
    }
    *ret = (uint32_t) number;
    return len > 0;
}

static bool is_dns_message(const uint8_t *value, size_t len)
{
    size_t word = strlen(dns_message);
    return len >= word && strncasecmp((const char *) value, dns_message, word) == 0 &&
           (len == word || value[word] == ';' || value[word] == ' ');
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
    struct asked *asked = asked_of(context, frame->hd.stream_id);
    (void) session;
    (void) flags;
    if (!asked)
        return 0;
    asked->header_bytes += name_len + value_len;
    if (asked->header_bytes > HTTP_HEADERS_MAX)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
    if (is_called(name, name_len, ":status"))
        read_number(value, value_len, &asked->status);
    else if (is_called(name, name_len, "content-type"))
        asked->is_dns = is_dns_message(value, value_len);
    else if (is_called(name, name_len, "age"))
        read_number(value, value_len, &asked->age);
    else if (is_called(name, name_len, "retry-after"))
        read_number(value, value_len, &asked->retry);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
                   void *context)
{
    struct asked *asked = asked_of(context, stream);
    (void) flags;
    if (!asked)
        return 0;
    uint8_t *answer =
        asked->answer_len + len > LIMIT_TCP_MESSAGE ? NULL : realloc(asked->answer, asked->answer_len + len);
    if (!answer) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
        return 0;
    }
    memcpy(answer + asked->answer_len, data, len);
    asked->answer = answer;
    asked->answer_len += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct http *http = context;
    (void) session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        http->leaving = true;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        struct asked *asked = asked_of(http, frame->hd.stream_id);
        if (asked)
            asked->whole = true;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
    struct http  *http  = context;
    struct asked *asked = nghttp2_session_get_stream_user_data(session, stream);
    if (asked) {
        take_off(http, asked); /* first: who is told may ask the next one here */
        finish(http, asked, error);
        drop(asked);
    }
    return 0;
}

/* A request that could not be sent any more: the server went before. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *context)
{
    struct http  *http  = context;
    struct asked *asked = frame->hd.type == NGHTTP2_HEADERS ? asked_of(http, frame->hd.stream_id) : NULL;
    (void) session;
    (void) error;
    if (asked) {
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
        take_off(http, asked);
        http->hooks.failed(http->hooks.context, asked->id, HTTP_REFUSED);
        drop(asked);
    }
    return 0;
}

static ssize_t read_question(nghttp2_session *session, int32_t stream, uint8_t *out, size_t cap, uint32_t *flags,
                             nghttp2_data_source *source, void *context)
{
    struct asked *asked = source->ptr;
    size_t        len   = asked->len - asked->sent < cap ? asked->len - asked->sent : cap;
    (void) session;
    (void) stream;
    (void) context;
    memcpy(out, asked->question + asked->sent, len);
    asked->sent += len;
    if (asked->sent == asked->len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t) len;
}

/* ---- public ---- */

/* What there is in pieces as large as a TLS record may well be. Not from within the library: who has called that sends
 * it behind. */
static bool send_pending(struct http *http)
{
    uint8_t        piece[PIECE];
    const uint8_t *bytes;
    size_t         len = 0;
    ssize_t        more;
    if (http->busy)
        return true;
    http->busy = true;
    while ((more = nghttp2_session_mem_send(http->session, &bytes)) > 0) {
        for (size_t done = 0, part; done < (size_t) more; done += part) {
            part = (size_t) more - done < PIECE - len ? (size_t) more - done : PIECE - len;
            memcpy(piece + len, bytes + done, part);
            len += part;
            if (len == PIECE) {
                http->hooks.send(http->hooks.context, (struct view){piece, len});
                len = 0;
            }
        }
    }
    http->busy = false;
    if (len > 0)
        http->hooks.send(http->hooks.context, (struct view){piece, len});
    return more == 0;
}

static nghttp2_session *new_session(struct http *http)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option            *option    = NULL;
    nghttp2_session           *session   = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
        nghttp2_option_set_peer_max_concurrent_streams(option, HTTP_STREAMS);
        nghttp2_option_set_no_closed_streams(option, 1);
        if (nghttp2_session_client_new2(&session, callbacks, http, option) != 0)
            session = NULL;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static void write_authority(struct http *http)
{
    const struct way *way = http->way;
    char              host[ADDRESS_TEXT_MAX], port[8] = "";
    bool              six = way->name ? strchr(way->name, ':') != NULL : way->address.any.sa_family == AF_INET6;
    address_format_host(&way->address, host);
    host[strcspn(host, "%")] = '\0'; /* a scope is ours alone */
    if (address_port(&way->address) != way_port(WAY_HTTPS))
        snprintf(port, sizeof(port), ":%u", address_port(&way->address));
    snprintf(http->authority, sizeof(http->authority), "%s%s%s%s", six ? "[" : "", way->name ? way->name : host,
             six ? "]" : "", port);
}

struct http *http_create(const struct way *way, const struct http_hooks *hooks)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADERS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_TCP_MESSAGE},
    };
    struct http *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    http->way   = way;
    http->hooks = *hooks;
    list_init(&http->asked);
    write_authority(http);
    http->session = new_session(http);
    if (http->session &&
        nghttp2_submit_settings(http->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0 &&
        send_pending(http))
        return http;
    http_destroy(http);
    return NULL;
}

void http_destroy(struct http *http)
{
    if (!http)
        return;
    LIST_EACH (item, next, &http->asked)
        drop(CONTAINER_OF(item, struct asked, link));
    nghttp2_session_del(http->session);
    free(http);
}

bool http_feed(struct http *http, struct view bytes)
{
    http->busy    = true;
    ssize_t taken = nghttp2_session_mem_recv(http->session, bytes.data, bytes.len);
    http->busy    = false;
    if (taken < 0) {
        http->broken = true;
        snprintf(http->problem, sizeof(http->problem), "it broke HTTP/2: %s", nghttp2_strerror((int) taken));
        return false;
    }
    if (!send_pending(http))
        return false;
    if (nghttp2_session_want_read(http->session) || nghttp2_session_want_write(http->session))
        return true;
    http->broken = !http->leaving;
    if (http->broken)
        snprintf(http->problem, sizeof(http->problem), "it broke HTTP/2");
    return false;
}

unsigned http_room(const struct http *http)
{
    uint32_t most = nghttp2_session_get_remote_settings(http->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return http_is_leaving(http) ? 0 : most < HTTP_STREAMS ? most : HTTP_STREAMS;
}

bool http_is_leaving(const struct http *http)
{
    return http->leaving || !nghttp2_session_check_request_allowed(http->session);
}

#define HEADER(name, value, value_len)                                                                                 \
    {                                                                                                                  \
        (uint8_t *) (name), (uint8_t *) (value), sizeof(name) - 1, value_len, NGHTTP2_NV_FLAG_NO_COPY_NAME             \
    }

bool http_send(struct http *http, struct view question)
{
    char                  length[8];
    nghttp2_data_provider body  = {.read_callback = read_question};
    struct asked         *asked = http->open < http_room(http) ? calloc(1, sizeof(*asked) + question.len) : NULL;
    if (!asked)
        return false;
    memcpy(asked->question, question.data, question.len);
    asked->len                 = question.len;
    asked->id                  = get_u16(question.data);
    body.source.ptr            = asked;
    int              n         = snprintf(length, sizeof(length), "%zu", question.len);
    const nghttp2_nv headers[] = {
        HEADER(":method", "POST", 4),
        HEADER(":scheme", "https", 5),
        HEADER(":authority", http->authority, strlen(http->authority)),
        HEADER(":path", http->way->path, strlen(http->way->path)),
        HEADER("content-type", dns_message, sizeof(dns_message) - 1),
        HEADER("accept", dns_message, sizeof(dns_message) - 1),
        HEADER("content-length", length, (size_t) n),
    };
    put_u16(asked->question, 0);
    list_append(&http->asked, &asked->link);
    http->open++;
    if (nghttp2_submit_request(http->session, NULL, headers, ARRAY_LEN(headers), &body, asked) < 0) {
        take_off(http, asked);
        drop(asked);
        return false;
    }
    return send_pending(http);
}

bool http_is_broken(const struct http *http) { return http->broken; }

const char *http_problem(const struct http *http) { return http->problem; }
