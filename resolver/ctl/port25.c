/*
 * port25.c: see port25.h.
 */
#include "ctl/port25.h"

#include "base/printable.h"
#include "ctl/knock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 1024 /* bytes of a finding's text; hosts that find no place are in "connect" */
};

struct target {
    const char *host;
    json_t     *addresses;
    size_t      count; /* of its addresses are tried */
};

static const char *host_of(json_t *object)
{
    const char *host = json_string_value(json_object_get(object, "host"));
    return host ? host : "-";
}

/* The n-th address that can be tried; NULL: there are fewer. */
static const char *address_at(json_t *addresses, size_t n)
{
    size_t  i;
    json_t *address;
    json_array_foreach(addresses, i, address)
    {
        const char *text = json_string_value(address);
        if (text && knock_knows(text) && n-- == 0)
            return text;
    }
    return NULL;
}

static bool is_known(const struct target *targets, size_t count, const char *host)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(targets[i].host, host) == 0)
            return true;
    return false;
}

/* The hosts that come first, and of the addresses a first one of each before a second one of any. */
static size_t choose(json_t *hosts, struct target targets[PORT25_HOSTS_MAX])
{
    size_t  count = 0, left = KNOCKS_MAX, before, i;
    json_t *host;
    json_array_foreach(hosts, i, host)
    {
        json_t *addresses = json_object_get(host, "addresses");
        if (count < PORT25_HOSTS_MAX && address_at(addresses, 0) && !is_known(targets, count, host_of(host)))
            targets[count++] = (struct target){.host = host_of(host), .addresses = addresses};
    }
    do {
        before = left;
        for (i = 0; i < count && left > 0; i++)
            if (address_at(targets[i].addresses, targets[i].count)) {
                targets[i].count++;
                left--;
            }
    } while (left < before && left > 0);
    return count;
}

static json_t *told_of(const char *host, const struct knock *knock)
{
    char text[4 * GREETING_LINE_MAX + 1];
    bool said = knock->greeting.first[0];
    return json_pack("{s:s, s:s, s:s, s:s?, s:I}", "host", host, "address", knock->address, "outcome",
                     greeting_word(knock->outcome), "greeting",
                     said ? printable_copy(knock->greeting.first, text, sizeof(text)) : NULL, "ms",
                     (json_int_t) knock->ms);
}

json_t *port25_try(json_t *result, void (*on_second)(unsigned seconds))
{
    struct target targets[PORT25_HOSTS_MAX];
    size_t        count = choose(json_object_get(result, "hosts"), targets), tried = 0, at = 0;
    struct knock *knocks = calloc(KNOCKS_MAX, sizeof(*knocks));
    json_t       *list   = json_array();
    if (!knocks || !list)
        abort();
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < targets[i].count; j++)
            knocks[tried++].address = address_at(targets[i].addresses, j);
    knock_all(knocks, tried, on_second);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < targets[i].count; j++, at++)
            json_array_append_new(list, told_of(targets[i].host, &knocks[at]));
    free(knocks);
    return list;
}

static bool is_greeted(json_t *row)
{
    const char *outcome = json_string_value(json_object_get(row, "outcome"));
    return outcome && strcmp(outcome, greeting_word(GREETING_GREETED)) == 0;
}

/* Whether some address of the host greeted. */
static bool answers(json_t *connect, const char *host)
{
    size_t  i;
    json_t *row;
    json_array_foreach(connect, i, row)
    {
        if (strcmp(host_of(row), host) == 0 && is_greeted(row))
            return true;
    }
    return false;
}

/* "mx.example. (timeout), mx2.example. (refused: 554 no)": one more of these. */
static void append(char text[TEXT_MAX], json_t *row)
{
    const char *outcome  = json_string_value(json_object_get(row, "outcome"));
    const char *greeting = json_string_value(json_object_get(row, "greeting"));
    size_t      len      = strlen(text);
    snprintf(text + len, TEXT_MAX - len, "%s%s (%s%s%.200s)", len > 0 ? ", " : "", host_of(row),
             outcome ? outcome : "-", greeting ? ": " : "", greeting ? greeting : "");
}

struct count {
    size_t hosts, silent;
    char   text[TEXT_MAX]; /* of those that do not answer */
};

static void count_hosts(json_t *connect, struct count *ret)
{
    const char *last = NULL;
    size_t      i;
    json_t     *row;
    *ret = (struct count){0};
    json_array_foreach(connect, i, row)
    {
        if (last && strcmp(last, host_of(row)) == 0) /* its next address */
            continue;
        last = host_of(row);
        ret->hosts++;
        if (answers(connect, last))
            continue;
        ret->silent++;
        append(ret->text, row);
    }
}

static json_t *finding_of(const struct count *count, bool cause)
{
    char text[TEXT_MAX + 80], whole[TEXT_MAX + 80]; /* the first may end within a character */
    if (count->hosts == 1)
        snprintf(text, sizeof(text), "its MX host does not answer from here at port 25: %s", count->text);
    else if (count->silent == count->hosts)
        snprintf(text, sizeof(text), "none of its %zu MX hosts answers from here at port 25: %s", count->hosts,
                 count->text);
    else
        snprintf(text, sizeof(text), "%zu of %zu MX hosts do not answer from here at port 25: %s", count->silent,
                 count->hosts, count->text);
    return json_pack("{s:s, s:s, s:s, s:n, s:n, s:n, s:n, s:n}", "tag", "port25-unreachable", "grade",
                     cause ? "cause" : "problem", "text", printable_copy(text, whole, sizeof(whole)), "zone", "name",
                     "type", "record", "side");
}

static void set_cause(json_t *result, json_t *finding)
{
    const char *verdict = json_string_value(json_object_get(result, "verdict"));
    json_object_set(result, "cause", finding);
    if (!verdict || strcmp(verdict, "fine") == 0)
        json_object_set_new(result, "verdict", json_string("unknown"));
    json_object_set_new(result, "cure",
                        json_string("see whether this network lets port 25 out, which many do not; if it does, ask the "
                                    "postmaster of the domain"));
}

void port25_add(json_t *result, json_t *connect)
{
    struct count count;
    count_hosts(connect, &count);
    if (count.silent > 0) {
        bool    cause    = count.silent == count.hosts && !json_is_object(json_object_get(result, "cause"));
        json_t *finding  = finding_of(&count, cause);
        json_t *findings = json_object_get(result, "findings");
        if (!finding)
            abort();
        if (!json_is_array(findings)) {
            findings = json_array();
            json_object_set_new(result, "findings", findings);
        }
        json_array_append(findings, finding);
        if (cause)
            set_cause(result, finding);
        json_decref(finding);
    }
    json_object_set_new(result, "connect", connect);
}
