/*
 * maillog_explain.c: see maillog_explain.h.
 */
#include "ctl/maillog_explain.h"

#include "base/limits.h"
#include "control/errors.h"
#include "ctl/clock.h"
#include "ctl/progress.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
    EACH = 20000, /* ms: explain itself has 15 s */
    ALL  = 60000
};

/* False: it is longer, or has what is no printable ASCII. */
static bool read_plain(struct view piece, char text[LIMIT_NOTE + 1])
{
    if (piece.len == 0 || piece.len > LIMIT_NOTE)
        return false;
    for (size_t i = 0; i < piece.len; i++)
        if (piece.data[i] <= ' ' || piece.data[i] > '~')
            return false;
    memcpy(text, piece.data, piece.len);
    text[piece.len] = 0;
    return true;
}

static bool is_name(const char *text)
{
    struct name name;
    return name_parse(text, &name);
}

json_t *maillog_explain_params(const char *domain, const struct maillog_envelope *envelope)
{
    json_t *params = json_pack("{s:s}", "domain", domain);
    char    text[LIMIT_NOTE + 1];
    uint8_t ignored[16];
    if (read_plain(envelope->client, text) &&
        (inet_pton(AF_INET, text, ignored) == 1 || inet_pton(AF_INET6, text, ignored) == 1))
        json_object_set_new(params, "ip", json_string(text));
    if (read_plain(envelope->helo, text) && text[0] != '[' && is_name(text))
        json_object_set_new(params, "helo", json_string(text));
    const char *at = read_plain(envelope->sender, text) ? strrchr(text, '@') : NULL;
    if (at && at > text && is_name(at + 1))
        json_object_set_new(params, "sender", json_string(text));
    return params;
}

static bool is_wanted(json_t *entry) { return !json_is_true(json_object_get(entry, "cured")); }

static size_t count_wanted(json_t *list)
{
    size_t  count = 0, i;
    json_t *entry;
    json_array_foreach(list, i, entry) { count += is_wanted(entry); }
    return count < MAILLOG_EXPLAIN_MAX ? count : MAILLOG_EXPLAIN_MAX;
}

/* Whether what hindered one will hinder the next: the daemon is silent or gone, or knows no explain. */
static bool is_hopeless(const struct client *client)
{
    return client->code == CONTROL_UNKNOWN_METHOD || (client->code == 0 && clock_now() < client->until);
}

static void tell_why(const struct client *client, const char *domain, char why[CLIENT_WHY_MAX])
{
    if (*why)
        return;
    if (client->code == CONTROL_UNKNOWN_METHOD)
        snprintf(why, CLIENT_WHY_MAX, "this daemon is older, and has no explain");
    else
        snprintf(why, CLIENT_WHY_MAX, "%.100s: %.380s", domain, client->why);
}

void maillog_explain_set(struct client *client, const struct maillog_domains *domains, json_t *list,
                         char why[CLIENT_WHY_MAX])
{
    size_t  wanted = count_wanted(list), at = 0, i;
    msec_t  end = clock_now() + ALL;
    json_t *entry;
    why[0]            = 0;
    client->on_second = progress_show;
    client->on_told   = progress_told;
    json_array_foreach(list, i, entry)
    {
        struct maillog_envelope envelope = maillog_domains_envelope(domains, i);
        const char             *domain   = json_string_value(json_object_get(entry, "domain"));
        char                    about[256];
        msec_t                  each = clock_now() + EACH;
        if (at == wanted)
            break;
        if (!is_wanted(entry))
            continue;
        snprintf(about, sizeof(about), "explain %.180s (%zu of %zu)", domain, ++at, wanted);
        progress_about(about);
        client->until  = each < end ? each : end;
        json_t *answer = NULL;
        if (client_call(client, "explain", maillog_explain_params(domain, &envelope), &answer) == CLIENT_DONE)
            json_object_set_new(entry, "explain", answer);
        else
            tell_why(client, domain, why);
        if (!answer && is_hopeless(client))
            break;
    }
    progress_end();
}
