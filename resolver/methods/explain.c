/*
 * explain.c: see explain.h.
 */
#include "methods/explain.h"

#include "methods/explained.h"
#include "methods/params.h"
#include "methods/present.h"
#include "server/explanations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters ---- */

/* An IPv4 client of a socket of both families, as logs may have it. */
static void unmap(struct address *address)
{
    struct in_addr four;
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
        return;
    memcpy(&four, &address->in6.sin6_addr.s6_addr[12], sizeof(four));
    *address = (struct address){.in = {.sin_family = AF_INET, .sin_addr = four}, .len = sizeof(address->in)};
}

/* False: the call is answered. */
static bool read_ip(struct control_call *call, json_t *params, struct address *ret)
{
    const char *text;
    if (!params_text(call, params, "ip", false, &text))
        return false;
    if (!text)
        return true;
    if (address_parse(text, 0, ret) && address_port(ret) == 0) {
        unmap(ret);
        return true;
    }
    control_fail(call, CONTROL_BAD_PARAMS, "ip: expected an address such as \"192.0.2.7\", not \"%.64s\"", text);
    return false;
}

static bool read_limited(struct control_call *call, json_t *params, const char *key, char ret[EXPLANATION_TEXT_MAX])
{
    const char *text;
    if (!params_text(call, params, key, false, &text))
        return false;
    if (text && strlen(text) >= EXPLANATION_TEXT_MAX) {
        control_fail(call, CONTROL_BAD_PARAMS, "%s: longer than %d bytes", key, EXPLANATION_TEXT_MAX - 1);
        return false;
    }
    snprintf(ret, EXPLANATION_TEXT_MAX, "%s", text ? text : "");
    return true;
}

/* A HELO name may be an address literal, "[192.0.2.7]", which no lookup is for. */
static bool read_helo(struct control_call *call, json_t *params, struct explain_request *ret)
{
    if (!read_limited(call, params, "helo", ret->helo))
        return false;
    return ret->helo[0] == '\0' || ret->helo[0] == '[' || params_name(call, params, "helo", false, &ret->helo_name);
}

/* Without one, the domain's postmaster stands for all. */
static bool read_sender(struct control_call *call, json_t *params, struct explain_request *ret)
{
    static const char who[] = "postmaster@";
    char              domain[NAME_TEXT_MAX];
    if (!read_limited(call, params, "sender", ret->sender))
        return false;
    name_format(name_view(&ret->domain), domain);
    domain[strlen(domain) - 1] = '\0';
    if (ret->sender[0] == '\0' && sizeof(who) + strlen(domain) <= sizeof(ret->sender)) {
        memcpy(ret->sender, who, sizeof(who));
        strcat(ret->sender, domain);
    }
    return true;
}

static bool read_selector(struct control_call *call, json_t *params, struct explain_request *ret)
{
    const char *text;
    char        domain[NAME_TEXT_MAX], name[NAME_TEXT_MAX + 64];
    if (!params_text(call, params, "selector", false, &text))
        return false;
    if (!text)
        return true;
    snprintf(name, sizeof(name), "%.64s._domainkey.%s", text, name_format(name_view(&ret->domain), domain));
    if (*text != '\0' && strlen(text) <= 64 && name_parse(name, &ret->dkim))
        return true;
    control_fail(call, CONTROL_BAD_PARAMS, "selector: \"%.64s\" is none", text);
    return false;
}

static bool read_request(struct control_call *call, json_t *params, struct explain_request *ret)
{
    *ret = (struct explain_request){.domain = {.len = 0}};
    return ONLY_KEYS(call, params, "domain", "ip", "helo", "sender", "selector") &&
           params_name(call, params, "domain", true, &ret->domain) && read_ip(call, params, &ret->ip) &&
           read_helo(call, params, ret) && read_sender(call, params, ret) && read_selector(call, params, ret);
}

/* ---- the method ---- */

struct asked {
    struct daemon       *daemon;
    struct control_call *call;
    msec_t               began;
};

static bool on_progress(void *cookie, const struct explanation *explanation)
{
    const struct asked   *asked   = cookie;
    const struct inquest *inquest = explanation->inquest;
    const struct fact    *waiting = NULL;
    unsigned              known   = 0;
    for (unsigned i = 0; i < inquest->fact_count; i++)
        if (!fact_is_waited_for(inquest->facts[i]))
            known++;
        else if (!waiting)
            waiting = inquest->facts[i];
    control_notify(asked->call,
                   json_pack("{s:i, s:i, s:o}", "asked", (int) inquest->fact_count, "known", (int) known, "question",
                             waiting ? present_question(name_view(&waiting->name), waiting->type) : json_null()));
    return control_is_heard(asked->call);
}

static void on_done(void *cookie, const struct explanation *explanation)
{
    struct asked *asked = cookie;
    if (explanation)
        control_reply(asked->call, explained_present(explanation, asked->daemon, asked->daemon->now - asked->began));
    else
        control_fail(asked->call, CONTROL_FAILED, "bywayd is stopping");
    free(asked);
}

void explain_reply(struct daemon *daemon, struct control_call *call, json_t *params)
{
    struct explain_request request;
    if (!read_request(call, params, &request))
        return;
    struct asked *asked = malloc(sizeof(*asked));
    if (asked) {
        const struct explanations_hooks hooks = {on_progress, on_done, asked};
        *asked                                = (struct asked){.daemon = daemon, .call = call, .began = daemon->now};
        if (explanations_begin(daemon, &request, &hooks))
            return;
        free(asked);
    }
    control_fail(call, CONTROL_FAILED, "%d domains are being explained already, or no memory: try again",
                 LIMIT_EXPLANATIONS);
}
