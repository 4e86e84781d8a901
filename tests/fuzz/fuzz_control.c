/*
 * What a client of the control socket sends, through the real methods, with the disk, the clock and the reload played.
 * The first byte: bit 0 the disk is slow; bit 1 the client leaves without reading; the rest how large the pieces are.
 * Every request with an id is answered once, with that id.
 */
#include "fuzz.h"
#include "methods/methods.h"
#include "server/clock.h"
#include "server/cluster.h"
#include "server/durable.h"
#include "server/events.h"
#include "server/explanations.h"
#include "server/interviews.h"
#include "server/keeper.h"
#include "server/lookups.h"
#include "server/reload.h"
#include "server/traces.h"
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    TURNS       = 200,  /* without a byte from byway, before the target gives up */
    TURN        = 1000, /* ms that pass when nothing else happens */
    LAST_TURNS  = 10,
    OUTPUT_ROOM = 1 << 16,
};

static char               directory[] = "/tmp/fuzz_control.XXXXXX", path[64];
static struct stage      *stage;
static struct daemon      daemon_;
static struct store_stats disk;

/* ---- what the methods find ---- */

msec_t        clock_now(void) { return stage->now; }
wall_t        clock_wall(void) { return 1700000000 + stage->now / 1000; }
struct clocks clock_both(void) { return (struct clocks){.now = clock_now(), .wall_ms = (int64_t) clock_wall() * 1000}; }

void keeper_begin(struct daemon *daemon) { daemon->now = stage->now; }

void store_read_stats(const struct store *store, struct store_stats *ret)
{
    (void) store;
    *ret = disk;
}

void store_append(struct store *store, struct view record) { (void) store, (void) record; }
void store_snapshot_add(struct store *store, struct view record) { (void) store, (void) record; }

void events_on_cluster(struct daemon *daemon, bool connected, const char *problem)
{
    (void) daemon, (void) connected, (void) problem;
}

void events_on_peer(struct daemon *daemon, const char *node, bool present)
{
    (void) daemon, (void) node, (void) present;
}

const struct counters *worker_counters(struct worker *worker)
{
    (void) worker;
    return NULL;
}

const struct responses *worker_responses(struct worker *worker)
{
    static const struct responses responses;
    (void) worker;
    return &responses;
}

uint64_t worker_kernel_drops(struct worker *worker)
{
    (void) worker;
    return 0;
}

bool reload_configuration(struct daemon *daemon, json_t *warnings, char ret_error[ERROR_TEXT_MAX])
{
    bool good = daemon->now % 2 == 0;

    if (good)
        json_array_append_new(warnings, json_string("upstreams.office: no zone goes via this group"));
    else
        snprintf(ret_error, ERROR_TEXT_MAX, "listen[0]: in use");
    return good;
}

static bool send_nothing(void *network, struct exchange *exchange, struct view query)
{
    (void) network;
    (void) exchange;
    (void) query;
    return false;
}

/* The network is down: it is over at once. */
void events_watch(struct daemon *daemon, struct control_call *call)
{
    (void) daemon;
    control_fail(call, CONTROL_FAILED, "nothing happens here");
}

void traces_watch(struct daemon *daemon, struct control_call *call, const struct traces_filter *filter)
{
    (void) daemon;
    (void) filter;
    control_fail(call, CONTROL_FAILED, "nobody asks here");
}

bool lookups_begin(struct daemon *daemon, const struct name *name, uint16_t type, lookups_done_fn done, void *cookie)
{
    struct lookup_found found = {.traced = {.name = *name, .type = type, .way = TRACE_BY_NONE}};
    if (daemon->now % 3 == 0)
        return false;
    done(cookie, daemon->now % 3 == 1 ? &found : NULL);
    return true;
}

json_t *traces_present(const struct daemon *daemon, const struct traced *traced)
{
    (void) daemon;
    (void) traced;
    return json_object();
}

bool explanations_begin(struct daemon *daemon, const struct explain_request *request,
                        const struct explanations_hooks *hooks)
{
    struct explanation *explanation = explanation_create(&(struct explanation_options){
        .inquest = {.effects = {.send = send_nothing}, .shared = daemon->shared, .setup = daemon->setup},
        .request = *request,
        .wall    = clock_wall()});
    if (!explanation)
        return false;
    inquest_begin(explanation->inquest, daemon->now);
    CHECK(explanation->inquest->ended);
    (void) hooks->progress(hooks->cookie, explanation);
    explanation_conclude(explanation);
    hooks->done(hooks->cookie, daemon->now % 3 == 1 ? explanation : NULL);
    explanation_destroy(explanation);
    return true;
}

bool interviews_begin(struct daemon *daemon, const struct upstream_setting *upstream, const struct name *censored,
                      interviews_done_fn done, void *cookie, char why[INTERVIEWS_WHY_MAX])
{
    struct remote    *remote    = remote_create(&upstream->way);
    struct server    *server    = server_create(&(struct server_options){
              .address = upstream->way.address, .tcp_only = upstream->way.form != WAY_UDP, .remote = remote});
    struct interview *interview = interview_create(&(struct interview_options){
        .effects = {.send = send_nothing}, .setup = daemon->setup, .server = server, .censored = censored});
    (void) why;
    CHECK(remote && server && interview);
    interview_begin(interview, daemon->now);
    CHECK(interview->ended);
    done(cookie, interview, remote);
    interview_destroy(interview);
    server_destroy(server);
    remote_drop(remote);
    return true;
}

/* ---- life ---- */

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

static void open_socket(void)
{
    signal(SIGPIPE, SIG_IGN);
    CHECK(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    snprintf(path, sizeof(path), "%s/socket", directory);
    CHECK(uv_loop_init(&daemon_.loop) == 0);
    int given;
    int fd = control_bind(path, (gid_t) -1, &given);
    CHECK(fd >= 0);
    daemon_.control = control_start(
        &daemon_.loop, fd, &(struct control_options){.methods = methods, .group = (gid_t) -1, .context = &daemon_});
    CHECK(daemon_.control != NULL);
}

/* A blocked zone, and an answer in the cache. */
static void furnish(void)
{
    static struct heard  heard;
    const struct view    shut    = {(const uint8_t *) "\4shut\7example", 14};
    const struct learned learned = {
        .id         = {.name = shut, .scope = SCOPE_ZONE},
        .condition  = {.state = ZONE_BLOCKED, .reason = REASON_TIMEOUT, .failures = 1, .since = stage->now},
        .asked      = shut,
        .asked_type = TYPE_A,
        .last_used  = stage->now};
    struct query_form form = {.name = shut, .type = TYPE_A, .class = CLASS_IN};
    uint8_t           wire[QUERY_MAX];

    CHECK(learner_restore(stage->learner, &learned, stage->now) != NULL);
    stage_receive(stage, (struct view){wire, query_write(&form, wire)}, false, &heard);
    stage_reply_plainly(stage, stage_fresh(stage), RCODE_NOERROR, true);
}

static void begin(bool slow_disk)
{
    static struct settings settings = {.max_zones = 3, .recheck_first = 600000, .recheck_max = 86400000};

    if (daemon_.control == NULL)
        open_socket();
    stage = stage_begin(&(struct prober_hooks){.context = &daemon_});
    furnish();
    daemon_.config_path = "byway.json";
    daemon_.settings    = &settings;
    daemon_.setup       = &stage->setup;
    daemon_.shared      = stage->shared;
    daemon_.learner     = stage->learner;
    daemon_.prober      = stage->prober;
    disk                = (struct store_stats){.appended = slow_disk};
    list_init(&daemon_.kept);
    CHECK(cluster_open(&daemon_));
}

/* Something that waited for the disk or the network goes on. */
static void turn(void)
{
    stage_run(stage, TURN);
    keeper_begin(&daemon_);
    disk.synced = disk.appended;
    durable_on_time(&daemon_);
    uv_run(&daemon_.loop, UV_RUN_NOWAIT);
}

static void end(void)
{
    for (unsigned i = 0; i < LAST_TURNS; i++)
        turn();
    CHECK(list_empty(&daemon_.kept));
    cluster_close(&daemon_);
    stage_end(stage);
}

/* ---- the client ---- */

struct client {
    int    fd;
    bool   ended; /* by byway */
    size_t len, cap;
    char  *data;
};

static void client_open(struct client *client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, path);
    *client = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    CHECK(client->fd >= 0 && connect(client->fd, (struct sockaddr *) &address, sizeof(address)) == 0);
}

/* True if byway said something, or closed. */
static bool client_hears(struct client *client)
{
    uv_run(&daemon_.loop, UV_RUN_NOWAIT);
    if (client->cap - client->len < OUTPUT_ROOM) {
        client->cap  = 2 * client->cap + OUTPUT_ROOM;
        client->data = realloc(client->data, client->cap);
        CHECK(client->data != NULL);
    }
    ssize_t got = read(client->fd, client->data + client->len, client->cap - client->len);
    if (got > 0)
        client->len += (size_t) got;
    client->ended = got == 0;
    CHECK(got >= 0 || errno == EAGAIN);
    return got >= 0;
}

static void client_says(struct client *client, struct view bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;
        CHECK(write(client->fd, bytes.data + at, len) == (ssize_t) len);
        client_hears(client);
    }
}

static void client_waits(struct client *client)
{
    CHECK(shutdown(client->fd, SHUT_WR) == 0);
    for (unsigned idle = 0; !client->ended; idle++) {
        CHECK(idle < TURNS);
        if (client_hears(client)) {
            idle = 0;
            continue;
        }
        turn();
    }
}

/* ---- what it must hear ---- */

/* The id to which this line is answered, NULL: to none; a new reference. */
static json_t *expected_id(const char *line, size_t len)
{
    json_error_t error;
    json_t      *document = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    json_t      *id       = json_object_get(document, "id");
    const char  *version  = json_string_value(json_object_get(document, "jsonrpc"));
    bool request = version && strcmp(version, "2.0") == 0 && json_is_string(json_object_get(document, "method"));

    if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
        request = false, id = NULL;
    if (!id && !request)
        id = json_null();
    json_incref(id);
    json_decref(document);
    return id;
}

static json_t *expected_ids(const char *text, size_t len)
{
    json_t *ids = json_array();

    for (size_t at = 0; at < len;) {
        const char *end  = memchr(text + at, '\n', len - at);
        size_t      line = end ? (size_t) (end - text) - at : len - at, blanks = 0;

        while (blanks < line && memchr(" \t\r", text[at + blanks], 3))
            blanks++;
        if (blanks < line)
            json_array_append_new(ids, expected_id(text + at, line)); /* NULL is not appended */
        at += line + 1;
    }
    return ids;
}

static void check_reply(json_t *ids, const char *line, size_t len)
{
    json_error_t error;
    json_t      *reply  = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    json_t      *failed = json_object_get(reply, "error");
    size_t       i      = 0;

    CHECK(json_is_object(reply) && json_object_size(reply) == 3);
    CHECK((failed != NULL) != (json_object_get(reply, "result") != NULL));
    CHECK(!failed ||
          (json_is_integer(json_object_get(failed, "code")) && json_is_string(json_object_get(failed, "message"))));
    while (i < json_array_size(ids) && !json_equal(json_array_get(ids, i), json_object_get(reply, "id")))
        i++;
    CHECK(i < json_array_size(ids));
    json_array_remove(ids, i);
    json_decref(reply);
}

static void check_replies(const struct client *client, struct view said)
{
    json_t *ids = expected_ids((const char *) said.data, said.len);

    for (size_t at = 0; at < client->len;) {
        const char *end = memchr(client->data + at, '\n', client->len - at);
        CHECK(end != NULL);
        check_reply(ids, client->data + at, (size_t) (end - client->data) - at);
        at = (size_t) (end - client->data) + 1;
    }
    CHECK(json_array_size(ids) == 0);
    json_decref(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client client;

    if (size < 2)
        return 0;
    const struct view said = {data + 1, size - 1};
    begin(data[0] & 1);
    client_open(&client);
    client_says(&client, said, 1 + 8 * (data[0] >> 2));
    if ((data[0] & 2) == 0) {
        client_waits(&client);
        check_replies(&client, said);
    }
    close(client.fd);
    free(client.data);
    end();
    return 0;
}
