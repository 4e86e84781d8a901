/*
 * What comes over a connection to an upstream, in each form: the first byte says which, the second how large the pieces
 * are. Behind a proxy, through TLS, in HTTP/2: whatever comes ends in a state that says what is wrong, and no question
 * of HTTP ends twice.
 */
#include "base/bytes.h"
#include "fuzz.h"
#include "stream/channel.h"

#include <string.h>

enum {
    QUESTIONS = 3
};

enum form { /* of the input */
    BY_TCP,
    BY_TLS,
    BY_PROXY,
    BY_PROXY_WITH_USER,
    BY_HTTP, /* without TLS below it, which no input could get through */
    FORMS
};

struct heard {
    bool https;
    bool over[QUESTIONS]; /* HTTP: by id */
};

static void on_send(void *context, struct view bytes)
{
    (void) context;
    CHECK(bytes.len > 0 && bytes.data != NULL);
}

static void end(struct heard *heard, uint16_t id)
{
    if (!heard->https)
        return;
    CHECK(id < QUESTIONS && !heard->over[id]);
    heard->over[id] = true;
}

static void on_received(void *context, struct view message)
{
    CHECK(message.len <= UINT16_MAX);
    if (message.len >= 2)
        end(context, get_u16(message.data));
}

static void on_replied(void *context, uint16_t id, struct view message)
{
    CHECK(message.len >= 2 && get_u16(message.data) == id);
    end(context, id);
}

static void on_failed(void *context, uint16_t id, enum http_failure failure)
{
    CHECK(failure == HTTP_REFUSED || failure == HTTP_FAILED);
    end(context, id);
}

static void on_paused(void *context, msec_t pause)
{
    (void) context;
    CHECK(pause > 0 && pause <= HTTP_PAUSE_MAX);
}

static struct view question(uint16_t id)
{
    static uint8_t wire[20];
    put_u16(wire, id);
    return (struct view){wire, sizeof(wire)};
}

static void feed_http(const struct way *way, struct view bytes, size_t piece)
{
    struct heard            heard = {.https = true};
    const struct http_hooks hooks = {&heard, on_send, on_replied, on_failed, on_paused};
    struct http            *http  = http_create(way, &hooks);
    CHECK(http != NULL);
    for (uint16_t id = 0; id < QUESTIONS; id++)
        CHECK(http_send(http, question(id)));
    for (size_t at = 0; at < bytes.len; at += piece)
        if (!http_feed(http, (struct view){bytes.data + at, piece < bytes.len - at ? piece : bytes.len - at}))
            break;
    CHECK(strlen(http_problem(http)) < HTTP_PROBLEM_MAX);
    http_destroy(http);
}

static void feed_channel(const struct way *way, struct credentials *credentials, struct view bytes, size_t piece)
{
    struct heard               heard   = {.https = false};
    const struct channel_hooks hooks   = {&heard, on_send, on_received, on_failed, on_paused};
    struct channel            *channel = channel_create(way, credentials, NULL, &hooks, 1800000000);
    CHECK(channel != NULL);
    CHECK(channel_send(channel, question(0)));
    enum channel_state state = channel_start(channel);
    for (size_t at = 0; at < bytes.len && (state == CHANNEL_OPENING || state == CHANNEL_OPEN); at += piece)
        state = channel_feed(channel, (struct view){bytes.data + at, piece < bytes.len - at ? piece : bytes.len - at});
    CHECK(credentials == NULL || state != CHANNEL_OPEN); /* nobody can have proved who it is */
    state = channel_end(channel, false);
    CHECK(state == CHANNEL_ENDED || state == CHANNEL_FAILED);
    CHECK((state == CHANNEL_FAILED) == (channel_problem(channel)[0] != '\0'));
    channel_destroy(channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char                name[] = "dns.example.net", path[] = "/dns-query", user[] = "me", word[] = "secret";
    static struct credentials *credentials;
    struct way                 way = {.form = WAY_TCP, .name = name, .path = path};
    char                       why[CREDENTIALS_WHY_MAX];
    if (size < 2)
        return 0;
    CHECK(address_parse("192.0.2.53", 853, &way.address));
    enum form   form  = (enum form)(data[0] % FORMS);
    size_t      piece = data[1] > 0 ? data[1] : size;
    struct view bytes = {data + 2, size - 2};
    if (form == BY_PROXY || form == BY_PROXY_WITH_USER)
        CHECK(address_parse("192.0.2.9", 1080, &way.proxy));
    if (form == BY_PROXY_WITH_USER) {
        way.proxy_user = user;
        way.proxy_word = word;
    }
    if (form == BY_TLS) {
        way.form = WAY_TLS;
        if (!credentials)
            credentials = credentials_create(&way, NULL, why);
        CHECK(credentials != NULL);
    }
    if (form == BY_HTTP)
        feed_http(&way, bytes, piece);
    else
        feed_channel(&way, form == BY_TLS ? credentials : NULL, bytes, piece);
    return 0;
}
