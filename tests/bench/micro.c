/*
 * micro.c: what the pieces of a query's path cost, without sockets.
 *
 * usage: bench-micro time            ns for each piece, one thread
 *        bench-micro run PIECE N     N times that piece and nothing else: for callgrind
 *        bench-micro threads         cache and verdict lookups a second: by core 0 alone, by core 1 alone, by both
 *        bench-micro memory ANSWERS  bytes that so many answers take in the cache, and the longest wait for one
 */
#include "dns/judge.h"
#include "dns/text.h"
#include "lib/packet.h"
#include "query/engine.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES   = 4096,   /* a mail server's working set; a power of two */
    ZONES   = 100000, /* learned ones */
    RULES   = 200,
    RECORDS = 4,
    SHARDS  = 64,
    MEMORY  = 64 << 20,
    ROUNDS  = 2000000,
    NOW     = 1000000,
};

struct query {
    uint8_t len;
    uint8_t wire[120];
};

static struct {
    struct query        queries[NAMES];
    struct client_query asked[NAMES];
    struct packet       reply;
    uint8_t             stored_bytes[STORED_MAX];
    struct stored       stored;
    struct name         blocked[NAMES];
    struct setup        setup;
    struct shared       shared;
    struct engine      *engine;
    struct path         path;
} bench;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static const struct hash_key key = {1, 2};

static void *need(void *block)
{
    if (!block)
        abort();
    return block;
}

static void need_true(bool is) { need(is ? &bench : NULL); }

/* ---- the world ---- */

static void name_text(char text[64], unsigned number)
{
    snprintf(text, 64, "mail%u.customer%u.example", number, number % 977);
}

static struct name name_of(const char *text)
{
    struct name name;
    need_true(name_parse(text, &name));
    return name;
}

/* An answer as a mail server gets it: RECORDS of 16 bytes. */
static void make_reply(struct packet *packet, const char *name)
{
    packet_begin(packet, PACKET_REPLY, name, TYPE_A);
    for (unsigned i = 0; i < RECORDS; i++)
        packet_record_here(packet, SECTION_ANSWER, TYPE_A, 300, "\xc0\0\2\1", 4);
    packet_opt(packet, LIMIT_UDP_PAYLOAD, 0, NULL, 0);
}

static struct stored pack(const struct packet *packet, uint8_t *out)
{
    const struct store_rules rules = {.max_ttl = 86400};
    struct message           reply;
    size_t                   message_len;
    uint32_t                 ttl;
    need_true(message_parse(packet_view(packet), &reply));
    size_t len = answer_pack(&reply, &rules, out, STORED_MAX, &message_len, &ttl);
    need_true(len > 0);
    return (struct stored){.message = {out, message_len}, .ttls = {out + message_len, len - message_len}};
}

static void put_answer(struct cache *cache, const char *text)
{
    make_reply(&bench.reply, text);
    const struct name        name  = name_of(text);
    const struct cache_key   at    = {.name = name_view(&name), .type = TYPE_A, .class = CLASS_IN};
    const struct cache_entry entry = {.stored = pack(&bench.reply, bench.stored_bytes), .ttl = 300};
    need_true(cache_put(cache, &at, &entry, NOW));
}

static void make_queries(void)
{
    static struct packet packet;
    for (unsigned i = 0; i < NAMES; i++) {
        char           text[64];
        struct message message;
        name_text(text, i);
        packet_begin(&packet, PACKET_QUERY, text, TYPE_A);
        packet_opt(&packet, LIMIT_UDP_PAYLOAD, 0, NULL, 0);
        need_true(packet.len <= sizeof(bench.queries[i].wire));
        bench.queries[i].len = (uint8_t) packet.len;
        memcpy(bench.queries[i].wire, packet.data, packet.len);
        need_true(message_receive((struct view){bench.queries[i].wire, packet.len}, &message) == RECEPTION_QUERY);
        client_query_from(&message, LIMIT_UDP_PAYLOAD, &bench.asked[i]);
        put_answer(bench.shared.cache, text);
    }
}

static void make_zones(void)
{
    for (unsigned i = 0; i < ZONES; i++) {
        char text[64];
        snprintf(text, sizeof(text), "blocked%u.example", i);
        const struct name zone = name_of(text);
        struct zone      *created =
            need(table_add(bench.shared.table, name_view(&zone), SCOPE_ZONE, 0, name_view(&zone), TYPE_SOA));
        created->condition.state = ZONE_BLOCKED;
        table_publish(created);
        if (i < NAMES)
            need_true(name_prepend(&bench.blocked[i], "mail", 4, name_view(&zone)));
    }
}

static void make_policy(void)
{
    static struct rule rules[RULES];
    for (unsigned i = 0; i < RULES; i++) {
        char text[64];
        snprintf(text, sizeof(text), "list%u.example", i);
        rules[i] = (struct rule){
            .zone = name_of(text), .via = VIA_GROUP, .group = SETUP_DOMESTIC, .shipped = true, .is_list = true};
    }
    bench.setup.policy = need(policy_create(rules, RULES));
}

static void make_world(void)
{
    static struct cidr clients;
    need_true(cidr_parse("127.0.0.0/8", &clients));
    bench.setup.references = 1;
    bench.setup.clients    = (struct clients){.blocks = &clients, .count = 1};
    bench.shared.cache     = need(cache_create(&(struct cache_limits){.memory = MEMORY}, key, SHARDS));
    bench.shared.table     = need(table_create(ZONES, key));
    bench.shared.good      = need(recent_create(key, NAMES, RECENT_LIFE));
    bench.shared.suffix    = need(suffix_open());
    need_true(address_parse("127.0.0.1", 53, &bench.path.peer));
    make_policy();
    make_queries();
    make_zones();
    bench.stored              = pack(&bench.reply, bench.stored_bytes);
    struct engine_options all = {.shared = bench.shared, .setup = &bench.setup, .seed = {1}};
    bench.engine              = need(engine_create(&all));
}

/* ---- the pieces; each returns what must not be zero ---- */

static struct view wire_of(unsigned i)
{
    const struct query *query = &bench.queries[i % NAMES];
    return (struct view){query->wire, query->len};
}

static size_t piece_parse(unsigned i)
{
    struct message message;
    return message_receive(wire_of(i), &message) == RECEPTION_QUERY;
}

static size_t piece_policy(unsigned i)
{
    return policy_find(bench.setup.policy, name_view(&bench.asked[i % NAMES].name)) != NULL;
}

static size_t piece_suffix(unsigned i)
{
    return suffix_registrable(bench.shared.suffix, name_view(&bench.asked[i % NAMES].name)).len;
}

static size_t look_up(unsigned i, unsigned reader)
{
    const struct cache_read read = {
        .now = NOW, .reader = reader, .external_origin = SETUP_EXTERNAL, .external_ede = EDE_NONE};
    struct cache_hit hit;
    uint8_t          out[LIMIT_UDP_PAYLOAD];
    return cache_get(bench.shared.cache, &bench.asked[i % NAMES], &read, out, sizeof(out), &hit) == CACHE_FRESH;
}

static size_t piece_lookup(unsigned i) { return look_up(i, 0); }

static size_t piece_patch(unsigned i)
{
    uint8_t out[LIMIT_UDP_PAYLOAD];
    return answer_write(&bench.asked[NAMES - 1], &bench.stored, i & 63, false, EDE_NONE, out, sizeof(out));
}

static size_t piece_verdict(unsigned i)
{
    return table_find(bench.shared.table, name_view(&bench.blocked[i % NAMES]), TYPE_MX).zone != NULL;
}

static size_t piece_no_verdict(unsigned i)
{
    return table_find(bench.shared.table, name_view(&bench.asked[i % NAMES].name), TYPE_MX).zone == NULL;
}

static size_t piece_hit(unsigned i)
{
    uint8_t out[LIMIT_UDP_PAYLOAD];
    return engine_receive(bench.engine, wire_of(i), &bench.path, false, NOW, out, sizeof(out));
}

static size_t piece_judge(unsigned i)
{
    (void) i;
    struct message   reply;
    struct judgement judgement;
    if (!message_parse(packet_view(&bench.reply), &reply))
        return 0;
    judge_reply(&reply, &judgement);
    return judgement.outcome == OUTCOME_ANSWER;
}

static size_t piece_store(unsigned i)
{
    const struct cache_key   at = {.name = name_view(&bench.asked[NAMES - 1].name), .type = TYPE_A, .class = CLASS_IN};
    const struct cache_entry entry = {.stored = bench.stored, .ttl = 300};
    (void) i;
    return cache_put(bench.shared.cache, &at, &entry, NOW);
}

static const struct piece {
    const char *name;
    size_t (*run)(unsigned i);
} pieces[] = {
    {"parse", piece_parse}, {"suffix", piece_suffix},   {"policy", piece_policy},         {"lookup", piece_lookup},
    {"patch", piece_patch}, {"verdict", piece_verdict}, {"no-verdict", piece_no_verdict}, {"judge", piece_judge},
    {"store", piece_store}, {"hit", piece_hit},
};

/* What callgrind counts. */
__attribute__((noinline)) static void repeat(const struct piece *piece, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        need_true(piece->run(i) != 0);
}

static int run_one(const char *name, unsigned times)
{
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        if (strcmp(pieces[i].name, name) != 0)
            continue;
        repeat(&pieces[i], times);
        return 0;
    }
    return 2;
}

static void time_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        repeat(&pieces[i], NAMES);
        double began = seconds();
        repeat(&pieces[i], ROUNDS);
        printf("%s %.1f\n", pieces[i].name, (seconds() - began) / ROUNDS * 1e9);
    }
}

/* ---- two threads ---- */

static _Atomic bool go, halt;

struct looker {
    _Alignas(64) int core;
    uint64_t  done;
    pthread_t thread;
};

static void *look(void *argument)
{
    struct looker *looker = argument;
    cpu_set_t      cores;
    CPU_ZERO(&cores);
    CPU_SET(looker->core, &cores);
    sched_setaffinity(0, sizeof(cores), &cores);
    table_reader_register();
    while (!go)
        ;
    for (unsigned i = (unsigned) looker->core * NAMES / 2; !halt; i += 64) {
        for (unsigned k = 0; k < 64; k++)
            need_true(look_up(i + k, (unsigned) looker->core) && piece_verdict(i + k));
        looker->done += 64;
    }
    table_reader_unregister();
    return NULL;
}

/* Lookups a second of one thread on each core of the mask `cores`. */
static double rate_of(unsigned cores)
{
    struct looker lookers[2] = {{.core = 0}, {.core = 1}};
    uint64_t      done       = 0;
    go = halt = false;
    for (unsigned i = 0; i < 2; i++)
        if (cores & 1U << i)
            need_true(pthread_create(&lookers[i].thread, NULL, look, &lookers[i]) == 0);
    usleep(50000);
    double began = seconds();
    go           = true;
    usleep(500000);
    halt        = true;
    double took = seconds() - began;
    for (unsigned i = 0; i < 2; i++)
        if (cores & 1U << i) {
            pthread_join(lookers[i].thread, NULL);
            done += lookers[i].done;
        }
    return (double) done / took;
}

/* ---- memory ---- */

static long resident(void)
{
    long  pages = 0, all;
    FILE *file  = need(fopen("/proc/self/statm", "r"));
    need_true(fscanf(file, "%ld %ld", &all, &pages) == 2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void measure_memory(unsigned answers)
{
    struct cache_limits limits = {.memory = (uint64_t) answers * 1024};
    struct cache_stats  stats;
    double              longest = 0, wire = 0;
    long                before = resident();
    struct cache       *cache  = need(cache_create(&limits, key, SHARDS));
    for (unsigned i = 0; i < answers; i++) {
        char text[64];
        name_text(text, i);
        double began = seconds();
        put_answer(cache, text);
        double took = seconds() - began;
        longest     = took > longest ? took : longest;
        wire += (double) bench.reply.len;
    }
    cache_read_stats(cache, &stats);
    need_true(stats.entries == answers);
    printf("%.1f %.1f %.1f %.3f\n", wire / answers, (double) (resident() - before) / answers,
           (double) stats.bytes / answers, longest * 1e3);
    cache_destroy(cache);
}

int main(int argc, char **argv)
{
    make_world();
    if (argc == 2 && strcmp(argv[1], "threads") == 0) {
        printf("%.0f %.0f %.0f\n", rate_of(1), rate_of(2), rate_of(3));
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "memory") == 0) {
        measure_memory((unsigned) atoi(argv[2]));
        return 0;
    }
    table_reader_register();
    if (argc == 4 && strcmp(argv[1], "run") == 0 && run_one(argv[2], (unsigned) atoi(argv[3])) == 0)
        return 0;
    if (argc == 2 && strcmp(argv[1], "time") == 0) {
        time_all();
        return 0;
    }
    fprintf(stderr, "usage: bench-micro time | run PIECE N | threads | memory ANSWERS\n");
    return 2;
}
