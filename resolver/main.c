/* clang-format off */
/*
 * main.c: bywayd. In the order a query travels:
 *
 *   listen   net/udp_listen, net/tcp_listen   datagrams and frames with the client's address
 *   parse    dns/message                      validate once, remember offsets
 *   policy   policy/                          may this client ask, and how often; which `via` has this name
 *   cache    cache/                           hit: copy and patch (dns/edit), done
 *   join     query/engine, query/flight       someone already asks this: wait with them
 *   route    query/route                      policy + verdict (learn/table) + health (upstream/): whom to ask, and when the next
 *   ask      query/asking, upstream/exchange  one exchange: id, case, match; sent by net/udp_ask, net/tcp_ask
 *   judge    dns/kind                         outcome: health of the upstream, observation for the keeper
 *   answer   query/query, query/answering     store, answer the asker and all who joined
 *
 * Beside it, on the keeper's thread: query/prober and query/study find out about zones, learn/ remembers them, store/
 * keeps them, control/ and server/commands show them. server/ joins logic to I/O; base/ knows nothing of DNS; settings/
 * reads the configuration; ctl/ is bywayctl.
 */
/* clang-format on */
#include "base/log.h"
#include "base/supply.h"
#include "server/daemon.h"

#include <getopt.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_USAGE  = 2,
    LARGE_BLOCK = 128 << 10, /* bytes from which on a block is the kernel's: glibc's own figure before it adapts */
};

#define DEFAULT_CONFIG "/etc/byway/byway.json"

static const char usage[] = "usage: bywayd [-c FILE] [--check]\n"
                            "       bywayd --help | --version\n"
                            "\n"
                            "  -c FILE    the configuration; " DEFAULT_CONFIG " without it\n"
                            "  --check    read the configuration, print what is wrong with it, open nothing\n";

static void print_report(void *context, const char *text)
{
    (void) context;
    fprintf(stderr, "%s\n", text);
}

static int check(const char *path, const struct settings_sources *sources)
{
    struct settings *settings = settings_read(path, sources, print_report, NULL);
    if (!settings)
        return EXIT_FAILURE;
    printf("%s: usable\n", path);
    settings_destroy(settings);
    return EXIT_SUCCESS;
}

/* A build in its source tree uses the presets that lie beside it; an installed one those of its package. */
static const char *find_presets(char *buffer, size_t cap)
{
    ssize_t len = readlink("/proc/self/exe", buffer, cap - 1);
    if (len > 0) {
        buffer[len] = '\0';
        char *slash = strrchr(buffer, '/');
        snprintf(slash, cap - (size_t) (slash - buffer), "/../config/presets");
        if (access(buffer, R_OK | X_OK) == 0)
            return buffer;
    }
    return BYWAY_DATADIR "/presets";
}

/* One heap for all threads: with one for each, as glibc has it, every one keeps what it held at its worst, and no other
 * thread can use it. A threshold that is set stays: glibc's would rise with what was freed, and the heap give back less
 * and less. */
static void share_heap(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
}

int main(int argc, char **argv)
{
    enum {
        OPTION_CHECK = 256,
        OPTION_HELP,
        OPTION_VERSION
    };
    static const struct option options[] = {
        {"check", no_argument, NULL, OPTION_CHECK},
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    const char *config = DEFAULT_CONFIG;
    bool        checks = false;
    char        presets[4096 + 32];
    int         option;
    share_heap();
    json_set_alloc_funcs(supply_take, supply_give);
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case OPTION_CHECK:
            checks = true;
            break;
        case 'h':
        case OPTION_HELP:
            return fputs(usage, stdout) < 0;
        case OPTION_VERSION:
            return printf("bywayd %s\n", BYWAY_VERSION) < 0;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "bywayd: unexpected argument: %s\n%s", argv[optind], usage);
        return EXIT_USAGE;
    }
    const struct settings_sources sources = {.resolv_conf = "/etc/resolv.conf",
                                             .presets     = find_presets(presets, sizeof(presets))};
    return checks ? check(config, &sources) : daemon_run(config, &sources);
}
