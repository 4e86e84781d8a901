/* clang-format off */
/*
 * main.c: bywayd. In the order a query travels (docs/architecture.md has the same table):
 *
 *   listen  net/udp_listen, net/tcp_listen
 *           a batch of datagrams, or a TCP frame, with the client's address; knows no DNS
 *   parse   dns/message
 *           validate once, remember offsets; what is malformed ends here
 *   policy  policy/clients, policy/client_rate, policy/policy, policy/local
 *           may this client ask, and how often; which `via` has this name, or is it answered here
 *   cache   cache/cache, dns/answer
 *           hit: copied straight into the buffer that is sent, with id, case, TTLs and OPT patched
 *   join    query/engine, query/flight, query/claims
 *           somebody already asks this: wait with them, in this worker or in another
 *   route   query/route
 *           policy + verdict + health: whom to ask first, whom next, when
 *   ask     query/plan, query/asking, core/sending, upstream/exchange, upstream/forms, net/udp_ask, net/tcp_ask
 *           who is left to be asked, and when; one exchange: id, match, in which form, resend, TCP
 *   judge   dns/judge, policy/blocklist, upstream/server, query/replying, query/holding, query/observing
 *           what a reply is; facts to the upstream's health, an observation to the keeper
 *   answer  query/answering, cache/cache, dns/answer
 *           store it, answer the waiter and all who joined
 *
 * Beside it, on the keeper's thread: probe/ finds out about zones and upstreams, learn/ remembers them, store/ keeps
 * them, control/ and methods/ show them. core/ is what query/ and probe/ share; server/ joins logic to I/O; base/ knows
 * nothing of DNS; settings/ reads the configuration; ctl/ is bywayctl.
 */
/* clang-format on */
#include "base/printable.h"
#include "base/supply.h"
#include "methods/methods.h"
#include "server/daemon.h"
#include "server/privileges.h"
#include "server/registry.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
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

/* One line to standard error, whatever bytes it is made of. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char    text[1024], safe[4 * sizeof(text)];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    fprintf(stderr, "bywayd: %s\n", printable_copy(text, safe, sizeof(safe)));
}

/* A full disk or a closed pipe is found out only when the text leaves. */
static int printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    complain("cannot write: %s", strerror(errno));
    return EXIT_FAILURE;
}

static void print_report(void *context, const char *text)
{
    (void) context;
    fprintf(stderr, "%s\n", text);
}

static int check(const char *path, const struct settings_sources *sources)
{
    char             safe[4 * PATH_MAX], doubt[PRIVILEGES_DOUBT_MAX], unread[REGISTRY_DOUBT_MAX];
    struct settings *settings = settings_read(path, sources, print_report, NULL);
    if (!settings)
        return EXIT_FAILURE;
    if (privileges_doubt(settings, doubt))
        fprintf(stderr, "warning: %s\n", doubt);
    if (registry_doubt(settings, unread))
        fprintf(stderr, "warning: %s\n", unread);
    settings_destroy(settings);
    printf("%s: usable\n", printable_copy(path, safe, sizeof(safe)));
    return printed();
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

enum {
    OPTION_CHECK = 256,
    OPTION_HELP,
    OPTION_VERSION
};

struct options {
    const char *config;
    bool        check, help, version;
};

/* What getopt_long() did not understand: it would print the word as it came. */
static void complain_of(char **argv, int option)
{
    if (option == ':')
        complain("%s needs a value", argv[optind - 1]);
    else if (optopt >= OPTION_CHECK)
        complain("\"%s\" takes no value", argv[optind - 1]);
    else if (optopt != 0)
        complain("unknown option \"-%c\"", optopt);
    else
        complain("unknown option \"%s\"", argv[optind - 1]);
}

/* False: complained. */
static bool options_read(int argc, char **argv, struct options *ret)
{
    static const struct option known[] = {
        {"check", no_argument, NULL, OPTION_CHECK},
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    int option;
    *ret   = (struct options){.config = DEFAULT_CONFIG};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:h", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case OPTION_CHECK:
            ret->check = true;
            break;
        case 'h':
        case OPTION_HELP:
            ret->help = true;
            break;
        case OPTION_VERSION:
            ret->version = true;
            break;
        default:
            complain_of(argv, option);
            return false;
        }
    }
    if (optind < argc)
        complain("unexpected argument: \"%s\"", argv[optind]);
    else if (ret->config[0] == '\0')
        complain("the path of the configuration is empty");
    return optind == argc && ret->config[0] != '\0';
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
    struct options options;
    char           presets[4096 + 32];
    share_heap();
    json_set_alloc_funcs(supply_take, supply_give);
    if (!options_read(argc, argv, &options)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        fputs(options.help ? usage : "bywayd " BYWAY_VERSION "\n", stdout);
        return printed();
    }
    const struct settings_sources sources = {.resolv_conf = "/etc/resolv.conf",
                                             .presets     = find_presets(presets, sizeof(presets))};
    return options.check ? check(options.config, &sources) : daemon_run(options.config, &sources, methods);
}
