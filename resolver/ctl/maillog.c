/*
 * maillog.c: see maillog.h.
 *
 * maillog_read  files → blocks    maillog_find, maillog_texts.def  which lines count, and what for
 * maillog_lines lines → findings  maillog_time, maillog_names, maillog_envelope  pieces of a line
 * maillog_domains findings → the result   maillog_cured, maillog_explain  what the daemon says to them
 */
#include "ctl/maillog.h"

#include "base/limits.h"
#include "ctl/maillog_cured.h"
#include "ctl/maillog_domains.h"
#include "ctl/maillog_explain.h"
#include "ctl/maillog_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE = 20 /* s for the daemon to say something */
};

static void hear(void *context, const struct maillog_said *said) { maillog_domains_add(context, said); }

static void take_block(void *context, struct view block) { maillog_lines_take(context, block); }

static bool read_file(const struct maillog_options *options, const char *path, struct maillog_lines *lines)
{
    char why[MAILLOG_WHY_MAX];
    if (maillog_read(path, take_block, lines, why))
        return true;
    options->complain("maillog: %s: %s", strcmp(path, "-") == 0 ? "standard input" : path, why);
    return false;
}

static bool read_files(const struct maillog_options *options, struct maillog_domains *domains)
{
    struct maillog_lines *lines = malloc(sizeof(*lines));
    bool                  good  = true;
    size_t                i;
    json_t               *path;
    if (!lines)
        abort();
    maillog_lines_init(lines, options->now, hear, domains);
    if (!options->files)
        good = read_file(options, "-", lines);
    json_array_foreach(options->files, i, path) good = read_file(options, json_string_value(path), lines) && good;
    free(lines);
    return good;
}

static void tell_what_is_missing(const struct maillog_options *options, const struct maillog_domains *domains)
{
    uint64_t nameless = maillog_domains_nameless(domains), left_out = maillog_domains_left_out(domains);
    if (nameless > 0)
        options->complain("maillog: lines that name no domain, and are left out: %" PRIu64, nameless);
    if (left_out > 0)
        options->complain("maillog: more than %d domains; lines of further ones, which are left out: %" PRIu64,
                          LIMIT_LOG_DOMAINS, left_out);
}

/* What the daemon knows is a help: without it the rest is worth as much. */
static void ask(const struct maillog_options *options, const struct maillog_domains *domains, json_t *list)
{
    struct client      client;
    char               why[CLIENT_WHY_MAX] = "";
    enum client_result result              = client_open(&client, options->socket, PATIENCE);
    if (result == CLIENT_DONE)
        result = maillog_cured_set(&client, list);
    if (result == CLIENT_DONE)
        maillog_explain_set(&client, domains, list, why);
    maillog_cured_add_explained(list);
    client_close(&client);
    if (result != CLIENT_DONE)
        options->complain("maillog: what is cured by now is not known: %s", client.why);
    if (*why)
        options->complain("maillog: not all causes are known: %s", why);
}

bool maillog_run(const struct maillog_options *options, json_t **ret)
{
    struct maillog_domains *domains = maillog_domains_create();
    bool                    good    = read_files(options, domains);
    *ret                            = maillog_domains_list(domains);
    tell_what_is_missing(options, domains);
    if (options->socket && json_array_size(*ret) > 0)
        ask(options, domains, *ret);
    maillog_domains_destroy(domains);
    return good && *ret;
}
