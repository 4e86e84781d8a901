/*
 * test_ctl_client.c: bywayctl's end of the socket, against a server that plays lines from a script in a thread.
 */
#include "control/errors.h"
#include "ctl/client.h"
#include "ctl/clock.h"
#include "ctl/import.h"
#include "lib/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATIENCE_S = 1
};

/* Accepts once; says the next line of the script for every line it hears, and hangs up after the last one. */
struct server {
    char               directory[64];
    char               path[100];
    int                fd;
    pthread_t          thread;
    const char *const *script; /* ends with NULL; "" is silence until the client goes */
    size_t             heard_zones;
};

static void hear(struct server *server, const char *line)
{
    json_t *request = json_loads(line, 0, NULL);

    server->heard_zones += json_array_size(json_object_get(json_object_get(request, "params"), "zones"));
    json_decref(request);
}

static void *serve(void *context)
{
    struct server *server = context;
    int            fd     = accept(server->fd, NULL, NULL);
    FILE          *from   = fdopen(fd, "r");
    char          *line   = NULL;
    size_t         cap    = 0;

    for (const char *const *reply = server->script; *reply; reply++) {
        if (getline(&line, &cap, from) < 0)
            break;
        hear(server, line);
        for (const char *rest = *reply; *rest;) {
            ssize_t sent = send(fd, rest, strlen(rest), MSG_NOSIGNAL);
            if (sent <= 0)
                break;
            rest += sent;
        }
    }
    if (server->script[0] && !*server->script[0])
        getline(&line, &cap, from);
    free(line);
    fclose(from);
    return NULL;
}

static void server_start(struct server *server, const char *const *script)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *server = (struct server){.directory = "/tmp/test_ctl.XXXXXX", .script = script};
    assert_non_null(mkdtemp(server->directory));
    snprintf(server->path, sizeof(server->path), "%s/sock", server->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    server->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(0, bind(server->fd, (struct sockaddr *) &address, sizeof(address)));
    assert_int_equal(0, listen(server->fd, 1));
    assert_int_equal(0, pthread_create(&server->thread, NULL, serve, server));
}

static void server_stop(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->fd);
    unlink(server->path);
    assert_int_equal(0, rmdir(server->directory));
}

#define RESULT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" result "}\n"

static void test_replies(void **state)
{
    static const struct {
        const char        *reply; /* NULL: hangs up */
        enum client_result result;
        int                code;
        const char        *expected; /* the result, or what `why` holds */
    } rows[] = {
        {RESULT(1, "{\"a\":1}"), CLIENT_DONE, 0, "{\"a\":1}"},
        {RESULT(1, "null"), CLIENT_DONE, 0, "null"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"trace\",\"params\":{\"id\":1}}\n" RESULT(7, "2") RESULT(1, "3"),
         CLIENT_DONE, 0, "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"no a.\"}}\n", CLIENT_FAILED,
         CONTROL_NOT_FOUND, "no a."},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"too many\"}}\n", CLIENT_FAILED,
         CONTROL_FAILED, "too many"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7,\"result\":1}\n", CLIENT_FAILED, 0, "without a reason"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}\n", CLIENT_FAILED, 0, "not JSON-RPC"},
        {"HTTP/1.1 400 Bad Request\n", CLIENT_FAILED, 0, "not JSON-RPC"},
        {"[1]\n", CLIENT_FAILED, 0, "not JSON-RPC"},
        {"\xff\n", CLIENT_FAILED, 0, "not JSON-RPC"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"resu", CLIENT_FAILED, 0, "closed the connection"},
        {NULL, CLIENT_FAILED, 0, ""}, /* which words depends on who is first */
        {"", CLIENT_FAILED, 0, "does not answer"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const script[] = {rows[i].reply, NULL};
        struct server     server;
        struct client     client;
        json_t           *result = NULL;

        server_start(&server, script);
        assert_int_equal(CLIENT_DONE, client_open(&client, server.path, PATIENCE_S));
        assert_int_equal(rows[i].result, client_call(&client, "status", json_object(), &result));
        assert_int_equal(rows[i].code, client.code);
        if (rows[i].result == CLIENT_DONE) {
            char *text = json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY);
            assert_string_equal(rows[i].expected, text);
            free(text);
        } else {
            assert_null(result);
            assert_non_null(strstr(client.why, rows[i].expected));
        }
        json_decref(result);
        client_close(&client);
        server_stop(&server);
    }
}

static int told_count;

static void count_told(void *context, json_t *told)
{
    (void) context;
    told_count += (int) json_integer_value(json_object_get(json_object_get(told, "event"), "known"));
}

static void test_what_is_told_before_the_answer(void **state)
{
#define TOLD(id, known)                                                                                                \
    "{\"jsonrpc\":\"2.0\",\"method\":\"explain\",\"params\":{\"id\":" #id ",\"event\":{\"known\":" #known "}}}\n"
    static const char *const script[] = {
        TOLD(1, 1) TOLD(7, 10) "{\"method\":\"explain\",\"params\":[]}\n" TOLD(1, 100) RESULT(1, "5"), NULL};
    struct server server;
    struct client client;
    json_t       *result = NULL;

    (void) state;
    told_count = 0;
    server_start(&server, script);
    assert_int_equal(CLIENT_DONE, client_open(&client, server.path, PATIENCE_S));
    client.on_told = count_told;
    assert_int_equal(CLIENT_DONE, client_call(&client, "explain", json_object(), &result));
    assert_int_equal(5, json_integer_value(result));
    assert_int_equal(101, told_count);
    json_decref(result);
    client_close(&client);
    server_stop(&server);
}

static void test_a_call_that_has_to_end(void **state)
{
    static const char *const script[] = {"", NULL};
    struct server            server;
    struct client            client;
    json_t                  *result = NULL;
    msec_t                   begun  = clock_now();

    (void) state;
    server_start(&server, script);
    assert_int_equal(CLIENT_DONE, client_open(&client, server.path, 30));
    client.until = begun + 200;
    assert_int_equal(CLIENT_FAILED, client_call(&client, "explain", json_object(), &result));
    assert_non_null(strstr(client.why, "the time that there is"));
    assert_true(clock_now() - begun >= 200 && clock_now() - begun < 5000);
    client_close(&client);
    server_stop(&server);
}

static void test_a_huge_line(void **state)
{
    size_t            size     = 30 << 20;
    char             *reply    = malloc(size + 64);
    const char *const script[] = {reply, NULL};
    struct server     server;
    struct client     client;
    json_t           *result = NULL;

    (void) state;
    int len = sprintf(reply, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"");
    memset(reply + len, 'x', size);
    memcpy(reply + len + size, "\"}\n", 4);
    server_start(&server, script);
    assert_int_equal(CLIENT_DONE, client_open(&client, server.path, PATIENCE_S));
    assert_int_equal(CLIENT_DONE, client_call(&client, "zones.list", json_object(), &result));
    assert_int_equal(size, json_string_length(result));
    json_decref(result);
    client_close(&client);
    server_stop(&server);
    free(reply);
}

static void test_absent(void **state)
{
    static const char *const none[] = {NULL};
    struct server            server;
    struct client            client;
    char                     longer[200];

    (void) state;
    assert_int_equal(CLIENT_ABSENT, client_open(&client, "/nonexistent/sock", PATIENCE_S));
    assert_non_null(strstr(client.why, "/nonexistent/sock"));
    client_close(&client);
    assert_int_equal(CLIENT_ABSENT, client_open(&client, "/dev/null/sock", PATIENCE_S));
    client_close(&client);

    server_start(&server, none);
    assert_int_equal(CLIENT_DONE, client_open(&client, server.path, PATIENCE_S));
    client_close(&client);
    pthread_join(server.thread, NULL);
    close(server.fd); /* its file stays behind, as a crash leaves it */
    assert_int_equal(CLIENT_ABSENT, client_open(&client, server.path, PATIENCE_S));
    client_close(&client);
    unlink(server.path);
    rmdir(server.directory);

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    assert_int_equal(CLIENT_FAILED, client_open(&client, longer, PATIENCE_S));
    client_close(&client);
}

/* Writes a file of `count` zones between `before` and `after` into the server's directory. */
static void write_zones(const char *path, const char *before, int count, const char *after)
{
    FILE *file = fopen(path, "w");

    fputs(before, file);
    for (int i = 0; i < count; i++)
        fprintf(file, "%s{\"zone\":\"z%d.example.\",\"state\":\"blocked\"}", i ? "," : "", i);
    fputs(after, file);
    fclose(file);
}

static void test_import_in_pieces(void **state)
{
#define PART "{\"imported\":2,\"skipped\":1,\"refused\":1,\"refusals\":[{\"zone\":\"z.\",\"why\":\"x\"}]}"
    static const char *const script[]   = {RESULT(1, PART), RESULT(2, PART), RESULT(3, PART), NULL};
    static const char *const forms[][2] = {{"{\"version\":1,\"zones\":[", "]}"}, {"[", "]"}};
    struct server            server;
    struct client            client;
    char                     file[120];
    json_t                  *result = NULL;

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        server_start(&server, script);
        snprintf(file, sizeof(file), "%s/zones", server.directory);
        write_zones(file, forms[i][0], 2500, forms[i][1]);
        assert_int_equal(CLIENT_DONE, client_open(&client, server.path, PATIENCE_S));
        assert_int_equal(CLIENT_DONE, import_run(&client, file, &result));
        assert_int_equal(6, json_integer_value(json_object_get(result, "imported")));
        assert_int_equal(3, json_integer_value(json_object_get(result, "skipped")));
        assert_int_equal(3, json_integer_value(json_object_get(result, "refused")));
        assert_int_equal(3, json_array_size(json_object_get(result, "refusals")));
        json_decref(result);
        client_close(&client);
        unlink(file);
        server_stop(&server);
        assert_int_equal(2500, server.heard_zones);
    }
}

static void test_import_of_bad_files(void **state)
{
    static const struct {
        const char *text; /* NULL: no file */
        const char *why;
    } rows[] = {
        {NULL, "No such file or directory"},
        {"", "empty, where an export is expected"},
        {"{", "1:1: string or '}' expected near end of file"},
        {"{\n\"a\" 1}", "2:5: ':' expected near '1'"},
        {"{}", "no export: it has neither \"version\" nor \"zones\""},
        {"{\"zones\":[]}", "no export: \"version\" is missing"},
        {"{\"version\":2,\"zones\":[]}", "no export that this version knows: \"version\" must be 1"},
        {"{\"version\":\"1\",\"zones\":[]}", "no export that this version knows: \"version\" must be 1"},
        {"{\"version\":1}", "no export: \"zones\" is missing"},
        {"{\"version\":1,\"zones\":{}}", "no export: \"zones\" must be an array"},
    };
    char directory[] = "/tmp/test_ctl.XXXXXX", file[64], said[160];

    (void) state;
    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/zones", directory);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client client = {.fd = -1}; /* nothing is sent for these */
        json_t       *result = NULL;

        if (rows[i].text)
            write_zones(file, rows[i].text, 0, "");
        assert_int_equal(CLIENT_FAILED, import_run(&client, file, &result));
        assert_null(result);
        snprintf(said, sizeof(said), "%s:%s%s", file, strchr("12", rows[i].why[0]) ? "" : " ", rows[i].why);
        assert_string_equal(client.why, said);
    }
    struct client client = {.fd = -1};
    json_t       *result = NULL;
    assert_int_equal(CLIENT_FAILED, import_run(&client, directory, &result));
    snprintf(said, sizeof(said), "%s: a directory, where a file is expected", directory);
    assert_string_equal(client.why, said);
    unlink(file);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_what_is_told_before_the_answer),
        cmocka_unit_test(test_a_call_that_has_to_end),
        cmocka_unit_test(test_a_huge_line),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_import_in_pieces),
        cmocka_unit_test(test_import_of_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
