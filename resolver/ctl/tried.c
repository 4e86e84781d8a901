/*
 * tried.c: how upstreams fare, and what was found out about one that was tried, for people; see print.h.
 */
#include "ctl/print_internal.h"

#include <string.h>

static const char *yes_or_no(json_t *object, const char *key, const char *yes, const char *no)
{
    json_t *value = json_object_get(object, key);
    return json_is_true(value) ? yes : json_is_false(value) ? no : "-";
}

static void print_reached(FILE *to, json_t *result)
{
    json_t *warm = json_object_get(result, "warm_ms");
    say(to, "%s", text_of(result, "upstream"));
    if (!json_is_true(json_object_get(result, "reachable")))
        say(to, "%-13s no: %s", "reachable", text_of(result, "problem"));
    else if (json_is_integer(warm))
        say(to, "%-13s yes: %s, first after %lld ms, then %lld ms", "reachable", text_of(result, "outcome"),
            (long long) number_of(result, "cold_ms"), (long long) json_integer_value(warm));
    else
        say(to, "%-13s yes: %s, after %lld ms, and then silent", "reachable", text_of(result, "outcome"),
            (long long) number_of(result, "cold_ms"));
}

static void print_certificate(FILE *to, json_t *certificate, wall_t now)
{
    char when[SPAN_TEXT_MAX];
    if (!json_is_object(certificate))
        return;
    when_format(json_object_get(certificate, "not_after"), now, when);
    say(to, "%-13s %s, issued by %s, until %s (%s)", "certificate", text_of(certificate, "subject"),
        text_of(certificate, "issuer"), text_of(certificate, "not_after"), when);
    say(to, "%-13s %s", "pin", text_of(certificate, "pin"));
}

static void print_forged(FILE *to, json_t *result)
{
    const char *forged = json_string_value(json_object_get(result, "forged"));
    say(to, "%-13s %s", "forged",
        forged ? forged
        : json_is_true(json_object_get(result, "reachable"))
            ? "not seen; --censored NAME asks for a name that is forged here"
            : "-");
}

static void print_answers(FILE *to, json_t *answers)
{
    struct table table;
    size_t       i;
    json_t      *answer;
    if (json_array_size(answers) == 0)
        return;
    fputs("\n", to);
    table_init(&table, "QUESTION OUTCOME >MS OPT ~DOUBT ~RECORD");
    json_array_foreach(answers, i, answer)
    {
        static const char *const keys[] = {"question", "outcome", "ms", "edns", "doubt", NULL};
        add_keys(&table, answer, keys);
        add(&table, json_array_get(json_object_get(answer, "records"), 0));
    }
    table_print(&table, to);
    table_fini(&table);
}

void print_tried(FILE *to, json_t *result, wall_t now)
{
    json_t *tcp = json_object_get(result, "tcp"), *warning;
    size_t  i;
    print_reached(to, result);
    if (json_is_object(tcp) && json_is_integer(json_object_get(tcp, "ms")))
        say(to, "%-13s %s, %lld ms", "over TCP", text_of(tcp, "outcome"), (long long) number_of(tcp, "ms"));
    else if (json_is_object(tcp))
        say(to, "%-13s %s: %s", "over TCP", text_of(tcp, "outcome"), text_of(tcp, "problem"));
    if (json_is_string(json_object_get(result, "tls")))
        say(to, "%-13s %s", "encrypted", text_of(result, "tls"));
    print_certificate(to, json_object_get(result, "certificate"), now);
    if (json_is_true(json_object_get(result, "reachable"))) {
        say(to, "%-13s %s", "EDNS", yes_or_no(result, "edns", "yes", "no"));
        say(to, "%-13s %s, %s", "DNSSEC", yes_or_no(result, "signed", "signatures", "no signatures"),
            yes_or_no(result, "authenticated", "AD: it validates", "no AD: it does not validate"));
    }
    print_forged(to, result);
    json_array_foreach(json_object_get(result, "warnings"), i, warning)
        say(to, "%-13s %s", "warning", json_is_string(warning) ? json_string_value(warning) : "-");
    print_answers(to, json_object_get(result, "answers"));
}

/* Down is worse than outdone, and what forwards to us worse than both. */
static const char *state_of(json_t *upstream, json_t *transport)
{
    const char *state = text_of(transport, "state");
    if (json_is_true(json_object_get(upstream, "loop")))
        return "loop";
    return json_is_true(json_object_get(upstream, "outdone")) && strcmp(state, "down") != 0 ? "outdone" : state;
}

/* One row for each transport: what is asked over UDP turns to TCP for large answers, and fares differently there. */
static void add_upstream(struct table *table, json_t *upstream, json_t *transport, const char *word, wall_t now)
{
    static const char *const counts[] = {"answer",  "nxdomain",    "nodata",    "servfail", "refused",
                                         "timeout", "unreachable", "malformed", "forged",   NULL};
    static const char *const times[]  = {"srtt_ms", "rttvar_ms", "sent", NULL};
    add(table, json_object_get(upstream, "group"));
    add(table, json_object_get(upstream, "address"));
    table_add(table, word);
    table_add(table, state_of(upstream, transport));
    add_keys(table, transport, times);
    add_keys(table, json_object_get(transport, "outcomes"), counts);
    add_when(table, json_object_get(upstream, "last_answer"), now);
    add_when(table, json_object_get(upstream, "last_failure"), now);
}

/* What its connections tell: why there is none, and until when its certificate holds. */
static void print_connections(FILE *to, json_t *upstream, wall_t now)
{
    json_t *problem = json_object_get(upstream, "problem"), *certificate = json_object_get(upstream, "certificate");
    char    when[SPAN_TEXT_MAX];
    if (json_is_string(problem)) {
        when_format(json_object_get(upstream, "problem_since"), now, when);
        say(to, "%s %s: %s (since %s)", text_of(upstream, "group"), text_of(upstream, "upstream"),
            json_string_value(problem), when);
    }
    if (json_is_object(certificate)) {
        when_format(json_object_get(certificate, "not_after"), now, when);
        say(to, "%s %s: certificate of %s by %s, until %s (%s)", text_of(upstream, "group"),
            text_of(upstream, "upstream"), text_of(certificate, "subject"), text_of(certificate, "issuer"),
            text_of(certificate, "not_after"), when);
    }
}

void print_upstreams(FILE *to, json_t *result, wall_t now)
{
    struct table table;
    size_t       i;
    json_t      *upstream;
    table_init(&table, "GROUP UPSTREAM OVER !STATE >SRTT >VAR >SENT >ANSWER >NXDOMAIN >NODATA >SERVFAIL >REFUSED "
                       ">TIMEOUT >UNREACH >MALFORMED >FORGED ANSWERED FAILED");
    json_array_foreach(result, i, upstream)
    {
        const char *word = text_of(upstream, "transport");
        json_t     *tcp  = json_object_get(upstream, "tcp");

        add_upstream(&table, upstream, upstream, word, now);
        if (strcmp(word, "udp") == 0 && number_of(tcp, "sent") > 0)
            add_upstream(&table, upstream, tcp, "tcp", now);
    }
    table_print(&table, to);
    table_fini(&table);
    json_array_foreach(result, i, upstream) { print_connections(to, upstream, now); }
}
