/*
 * What a Redis sends, or what passes itself off as one. Two bytes: which line the next reply is on, a bit each; whether
 * there is a password, own news, and leases. Behind them replies, which hiredis' reader reads as in a connection, and
 * which are given to what was sent and has none. Whatever comes, the session goes on or is alone for a while.
 */
#include "fuzz.h"
#include "lib/statements.h"

#include "cluster/session.h"
#include "dns/text.h"

enum {
    PENDING = 4096,
    ARRAYS  = 6, /* digits of a length that are too many: a connection refuses these */
};

struct fake {
    struct session *session;
    struct replica *replica;
    uint64_t        tags[SESSION_LINES][PENDING];
    size_t          sent[SESSION_LINES], answered[SESSION_LINES];
    bool            opening[SESSION_LINES];
    unsigned        asked, leased;
};

static struct clocks clocks;

static void on_open(void *context, enum session_line line)
{
    struct fake *fake = context;
    CHECK(!fake->opening[line] && fake->sent[line] == fake->answered[line]);
    fake->opening[line] = true;
}

static void on_close(void *context, enum session_line line)
{
    struct fake *fake    = context;
    fake->opening[line]  = false;
    fake->answered[line] = fake->sent[line] = 0;
}

static bool on_send(void *context, enum session_line line, uint64_t tag, int count, const char *const *words,
                    const size_t *lengths, msec_t patience)
{
    struct fake *fake = context;
    size_t       all  = 0;
    CHECK(count > 0 && patience > 0);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < lengths[i]; k++)
            all += (size_t) words[i][k] & 1; /* every byte can be read */
    if (fake->sent[line] == PENDING || all == SIZE_MAX)
        return false;
    fake->tags[line][fake->sent[line]++] = tag;
    return true;
}

static void on_heard(void *context, const struct statement *statement)
{
    const struct fake *fake = context;
    uint8_t            bytes[STATEMENT_MAX];
    struct statement   back;
    CHECK(statement_read((struct view){bytes, statement_write(statement, bytes)}, &back));
    session_tell(fake->session, statement);
}

static void on_leased(void *context, const struct zone_id *id, bool granted)
{
    struct fake *fake = context;
    CHECK(name_check(id->name) == id->name.len);
    fake->leased++;
    if (granted)
        session_end_lease(fake->session, id);
}

static void on_changed(void *context, bool connected)
{
    struct session_report report;
    session_read(((struct fake *) context)->session, &report);
    CHECK(report.connected == connected && (report.problem[0] == '\0') == connected);
}

static void on_peer(void *context, const char *node, bool present)
{
    (void) context, (void) present;
    CHECK(statement_is_label(text_view(node)));
}

static void open_fake(struct fake *fake)
{
    struct session_options options = {
        .name    = "byway",
        .version = "1",
        .hooks   = {fake, on_open, on_close, on_send, on_heard, on_leased, on_changed, on_peer},
        .seed    = {1},
    };
    *fake         = (struct fake){0};
    clocks        = (struct clocks){.now = 1000000, .wall_ms = 1764470000000};
    fake->replica = options.replica = replica_create((struct hash_key){1, 2}, text_view("cn"), text_view("a"), 1000);
    CHECK(fake->replica != NULL && (fake->session = session_create(&options, clocks.now)) != NULL);
}

/* What connects is connected, and a second passes. */
static void live(struct fake *fake, unsigned options)
{
    clocks.now += 1000;
    clocks.wall_ms += 1000;
    if (session_next(fake->session) <= clocks.now)
        session_on_time(fake->session, &clocks);
    CHECK(session_next(fake->session) > clocks.now);
    for (int line = 0; line < SESSION_LINES; line++)
        if (fake->opening[line]) {
            fake->opening[line] = false;
            session_on_ready(fake->session, (enum session_line) line, options & 1 ? "secret" : NULL, &clocks);
        }
    struct name zone;
    CHECK(name_parse("x.example", &zone));
    struct statement news = stated(STATEMENT_EVIDENCE, "a", &zone, (uint64_t) clocks.wall_ms);
    if (options & 2 && replica_merge(fake->replica, &news, false, (uint64_t) clocks.wall_ms) == MERGED_NEWS)
        session_tell(fake->session, &news);
    if (options & 4)
        fake->asked += session_ask_lease(fake->session, &news.id, clocks.now);
}

static bool too_long(const uint8_t *data, size_t size)
{
    size_t digits = 0;
    bool   array  = false;
    for (size_t i = 0; i < size; i++) {
        array  = data[i] == '*' || (array && (data[i] == '+' || (data[i] >= '0' && data[i] <= '9')));
        digits = array ? digits + 1 : 0;
        if (digits > ARRAYS)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake fake;
    void              *reply = NULL;
    if (size < 2 || too_long(data, size))
        return 0;
    redisReader *reader = redisReaderCreate();
    CHECK(reader != NULL);
    open_fake(&fake);
    redisReaderFeed(reader, (const char *) data + 2, size - 2);
    for (unsigned turn = 0; redisReaderGetReply(reader, &reply) == REDIS_OK && reply; turn++) {
        live(&fake, data[1]);
        bool              hears = fake.answered[SESSION_HEARS] < fake.sent[SESSION_HEARS] && (data[0] >> turn % 8 & 1);
        enum session_line line  = hears ? SESSION_HEARS : SESSION_ASKS;
        if (fake.answered[line] < fake.sent[line])
            session_on_reply(fake.session, line, fake.tags[line][fake.answered[line]++], reply, &clocks);
        freeReplyObject(reply);
        reply = NULL;
    }
    redisReaderFree(reader);
    session_destroy(fake.session);
    CHECK(fake.leased == fake.asked);
    replica_destroy(fake.replica);
    return 0;
}
