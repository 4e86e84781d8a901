/*
 * explained.c: why mail from or to a domain fails, for the administrator: in one sentence, and then what it rests on. See
 * print.h.
 */
#include "ctl/explained.h"

#include "ctl/print_internal.h"

#include <string.h>

static const char *grade_of(json_t *finding) { return text_of(finding, "grade"); }

static bool is_grade(json_t *finding, const char *grade) { return strcmp(grade_of(finding), grade) == 0; }

/* Where it is so. */
static const char *reach_of(const char *verdict)
{
    if (strcmp(verdict, "blocked") == 0 || strcmp(verdict, "forged") == 0)
        return " here";
    return strcmp(verdict, "broken") == 0 ? ", not only here" : "";
}

/* "y.example. is blocked here: domestic is silent" has the verdict in it: it is said once. */
static bool has_verdict(const char *cause, const char *verdict)
{
    const char *at = *verdict ? strstr(cause, verdict) : NULL;
    return at && strncmp(at + strlen(verdict), " here", 5) == 0;
}

static void say_cause(FILE *to, const char *domain, const char *cause)
{
    if (strncmp(cause, domain, strlen(domain)) == 0)
        say(to, "%s", cause);
    else
        say(to, "%s: %s", domain, cause);
}

void explained_sentence(FILE *to, json_t *result)
{
    const char *domain = text_of(result, "domain"), *verdict = text_of(result, "verdict");
    const char *cause = json_string_value(json_object_get(json_object_get(result, "cause"), "text"));
    bool        fine  = strcmp(verdict, "fine") == 0;
    if (strcmp(verdict, "unknown") == 0) {
        say_cause(to, domain, cause ? cause : "no cause was found");
        return;
    }
    if (cause && has_verdict(cause, verdict)) {
        say_cause(to, domain, cause);
        return;
    }
    say_part(to, "%s is ", domain);
    say_word(to, verdict);
    say(to, "%s%s%s", reach_of(verdict), cause || fine ? ": " : "",
        cause  ? cause
        : fine ? "seen from here its DNS has what mail needs"
               : "");
}

void explained_cure(FILE *to, json_t *result, const char *indent)
{
    const char *cure = json_string_value(json_object_get(result, "cure"));
    if (cure && *cure)
        say(to, "%scure: %s", indent, cure);
}

/* As a zone file has it. */
static void print_record(FILE *to, json_t *finding, const char *indent)
{
    const char *record = json_string_value(json_object_get(finding, "record"));
    const char *type   = json_string_value(json_object_get(finding, "type"));
    if (record)
        say(to, "%s%s%s%s: %s", indent, text_of(finding, "name"), type ? " " : "", type ? type : "", record);
}

static void print_replies(FILE *to, json_t *replies)
{
    static const char *const keys[] = {"server", "check", "code", "text", NULL};
    struct table             table;
    size_t                   i;
    json_t                  *reply;
    if (json_array_size(replies) == 0)
        return;
    fputs("\na mail server that asks here replies\n", to);
    table_init(&table, "SERVER CHECK CODE ~REPLY");
    json_array_foreach(replies, i, reply) add_keys(&table, reply, keys);
    table_print(&table, to);
    table_fini(&table);
}

static void print_finding(FILE *to, json_t *finding)
{
    const char *grade = grade_of(finding);
    int         pad   = 7 - (int) strlen(grade);
    say_word(to, grade);
    say(to, "%*s  %s: %s", pad > 0 ? pad : 0, "", text_of(finding, "tag"), text_of(finding, "text"));
    print_record(to, finding, "         ");
}

/* What is well needs no more than a line. */
static void print_well(FILE *to, json_t *findings)
{
    const char *before = "";
    size_t      i;
    json_t     *finding;
    json_array_foreach(findings, i, finding)
    {
        if (!is_grade(finding, "ok"))
            continue;
        if (!*before)
            say_word(to, "ok");
        say_part(to, "%s%s", *before ? before : "       ", text_of(finding, "text"));
        before = "; ";
    }
    fputs(*before ? "\n" : "", to);
}

static void print_findings(FILE *to, json_t *findings, json_t *cause)
{
    static const char *const order[] = {"cause", "problem", "note"};
    size_t                   i;
    json_t                  *finding;
    fputs(json_array_size(findings) > 0 ? "\n" : "", to);
    for (size_t at = 0; at < ARRAY_LEN(order); at++)
        json_array_foreach(findings, i, finding)
        {
            if (is_grade(finding, order[at]) && !json_equal(finding, cause)) /* the sentence is that one */
                print_finding(to, finding);
        }
    print_well(to, findings);
}

bool explained_answers(json_t *server) { return strcmp(text_of(server, "outcome"), "answer") == 0; }

/* "0 of 4 answer directly": each by whatever address and transport; "" where none was asked. */
static void count_servers(json_t *servers, char text[64])
{
    json_t     *names = json_object(), *server;
    size_t      i, answer = 0;
    const char *name;
    json_array_foreach(servers, i, server)
    {
        name       = json_string_value(json_object_get(server, "name"));
        name       = name ? name : text_of(server, "address");
        bool known = json_is_true(json_object_get(names, name));
        json_object_set_new(names, name, json_boolean(known || explained_answers(server)));
    }
    json_object_foreach(names, name, server) { answer += json_is_true(server); }
    text[0] = 0;
    if (json_object_size(names) > 0)
        snprintf(text, 64, "%zu of %zu %s directly", answer, json_object_size(names),
                 json_object_size(names) == 1 ? "answers" : "answer");
    json_decref(names);
}

static void print_depended(FILE *to, json_t *zones)
{
    static const char *const keys[] = {"zone", "role", "state", "via", "domestic", "external", NULL};
    struct table             table;
    char                     servers[64];
    size_t                   i;
    json_t                  *zone;
    if (json_array_size(zones) == 0)
        return;
    fputs("\nzones that its mail depends on\n", to);
    table_init(&table, "ZONE ~ROLE !STATE VIA DOMESTIC EXTERNAL ~SERVERS");
    json_array_foreach(zones, i, zone)
    {
        count_servers(json_object_get(zone, "servers"), servers);
        add_keys(&table, zone, keys);
        table_add(&table, servers);
    }
    table_print(&table, to);
    table_fini(&table);
}

/* What bywayctl has found out itself. */
static void print_connected(FILE *to, json_t *connect)
{
    static const char *const keys[] = {"host", "address", "outcome", "ms", "greeting", NULL};
    struct table             table;
    size_t                   i;
    json_t                  *row;
    if (!json_is_array(connect))
        return;
    if (json_array_size(connect) == 0) {
        fputs("\nport 25: no MX host with an address\n", to);
        return;
    }
    fputs("\nport 25, from this machine\n", to);
    table_init(&table, "HOST ADDRESS OUTCOME >MS ~GREETING");
    json_array_foreach(connect, i, row) add_keys(&table, row, keys);
    table_print(&table, to);
    table_fini(&table);
}

void print_explained(FILE *to, json_t *result, wall_t now)
{
    json_t    *cause = json_object_get(result, "cause"), *took = json_object_get(result, "took_ms");
    json_int_t ms = json_integer_value(took);
    (void) now;
    explained_sentence(to, result);
    print_record(to, cause, "  ");
    explained_cure(to, result, "");
    print_replies(to, json_object_get(result, "replies"));
    print_findings(to, json_object_get(result, "findings"), cause);
    print_depended(to, json_object_get(result, "zones"));
    print_connected(to, json_object_get(result, "connect"));
    if (json_is_integer(took)) {
        fputc('\n', to);
        say(to, "took %.1f s%s", (double) ms / 1000,
            json_is_true(json_object_get(result, "bounded")) ? ", and then a bound left something unasked" : "");
    }
}
