/*
 * try.c: see try.h.
 */
#include "methods/try.h"

#include "methods/present.h"
#include "server/interviews.h"
#include "settings/upstreams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is wrong with the form ---- */

struct reading {
    char     error[ERROR_TEXT_MAX]; /* the first; empty: none */
    unsigned errors;
    json_t  *warnings;
};

static void on_report(void *context, const char *text)
{
    static const char warning[] = "warning: ";
    struct reading   *reading   = context;
    if (strncmp(text, warning, strlen(warning)) == 0)
        json_array_append_new(reading->warnings, json_string(text + strlen(warning)));
    else if (reading->errors++ == 0)
        snprintf(reading->error, sizeof(reading->error), "%s", text);
}

/* Who may try an upstream may not, by that, send the first line of any file that bywayd can read to a proxy of his. */
static bool names_password(const json_t *upstream)
{
    return json_object_get(json_object_get(upstream, "proxy"), "password_file") != NULL;
}

static bool read_upstream(struct daemon *daemon, struct reading *reading, const json_t *upstream,
                          struct upstream_setting *ret)
{
    static const char key[] = "upstream";
    if (names_password(upstream)) {
        *ret = (struct upstream_setting){.trusted = false};
        on_report(reading, "upstream.proxy.password_file: such a file is read for the configuration alone");
        return false;
    }
    return upstreams_read_one(daemon->settings, key, upstream, on_report, reading, ret);
}

/* ---- what was found ---- */

static json_t *ms_or_null(msec_t ms) { return ms < 0 ? json_null() : json_integer((json_int_t) ms); }

static json_t *text_or_null(const char *text) { return text && *text ? json_string(text) : json_null(); }

/* Where no connection tells more. */
static const char *problem_of(const struct interview *found, const struct remote_report *report)
{
    if (interview_reached(found))
        return NULL;
    if (report->problem[0] != '\0')
        return report->problem;
    return found->errand[INTERVIEW_FIRST].exchange.outcome == OUTCOME_UNREACHABLE
               ? "the network says that nobody is there"
               : "silent: no question was answered";
}

static json_t *present_tcp(const struct interview *found, const struct remote_report *report)
{
    const struct errand *errand = &found->errand[INTERVIEW_BY_TCP];
    if (errand->exchange.state != EXCHANGE_DONE)
        return json_null();
    bool came = errand->exchange.outcome != OUTCOME_TIMEOUT && errand->exchange.outcome != OUTCOME_UNREACHABLE;
    return json_pack("{s:s, s:o, s:o}", "outcome", outcome_word(errand->exchange.outcome), "ms",
                     ms_or_null(came ? errand->ended - errand->exchange.started : -1), "problem",
                     text_or_null(came ? NULL : report->problem));
}

static void append_record(void *context, const char *line) { json_array_append_new(context, json_string(line)); }

static json_t *present_records(struct view wire)
{
    json_t        *list = json_array();
    struct message message;
    struct record  record = {0};
    if (message_parse(wire, &message) && message_next(&message, &record))
        records_format(wire, record.ttl, append_record, list);
    return list;
}

static json_t *present_answer(const struct interview *found, const struct bait *bait, unsigned i)
{
    static const char *const doubts[] = {[DOUBT_TYPE]    = "records of another type than asked",
                                         [DOUBT_KNOWN]   = "an address or name known for a censor's",
                                         [DOUBT_SEVERAL] = "several answers to one datagram",
                                         [DOUBT_NO_OPT]  = "no OPT, which its other answers have"};
    const struct hearing    *heard    = &bait->heard[i];
    return json_pack("{s:o, s:s, s:I, s:b, s:o, s:o}", "question",
                     present_question(name_view(&bait->inquiry.name), bait->inquiry.type), "outcome",
                     outcome_word(heard->outcome), "ms", (json_int_t) heard->ms, "edns", heard->edns, "records",
                     present_records(heard->wire), "doubt", text_or_null(doubts[interview_doubt(found, bait, i)]));
}

static json_t *present_answers(const struct interview *found)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < found->baits; i++) {
        const struct bait *bait = &found->bait[i];
        if (bait->exchange.state == EXCHANGE_DONE && bait->count == 0)
            json_array_append_new(list, json_pack("{s:o, s:s, s:n, s:n, s:[], s:n}", "question",
                                                  present_question(name_view(&bait->inquiry.name), bait->inquiry.type),
                                                  "outcome", outcome_word(bait->exchange.outcome), "ms", "edns",
                                                  "records", "doubt"));
        for (unsigned j = 0; j < bait->count; j++)
            json_array_append_new(list, present_answer(found, bait, j));
    }
    return list;
}

/* Null: nothing was asked that a forger answers, as far as is known. */
static json_t *present_verdict(const struct interview *found)
{
    switch (interview_worst(found)) {
    case DOUBT_TYPE:
    case DOUBT_KNOWN:
    case DOUBT_SEVERAL:
        return json_string("yes");
    case DOUBT_NO_OPT:
        return json_string("suspected");
    default:
        return found->knows_censored && interview_reached(found) ? json_string("no") : json_null();
    }
}

static json_t *present_flag(bool known, bool flag) { return known ? json_boolean(flag) : json_null(); }

static json_t *present_found(const struct interview *found, struct remote *remote, json_t *warnings)
{
    struct remote_report report;
    char                 text[WAY_TEXT_MAX];
    const struct errand *first   = &found->errand[INTERVIEW_FIRST];
    bool                 reached = interview_reached(found), usable = outcome_usable(first->exchange.outcome);
    remote_read(remote, &report);
    return json_pack("{s:s, s:b, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "upstream",
                     way_format(remote_way(remote), text), "reachable", reached, "problem",
                     text_or_null(problem_of(found, &report)), "outcome", outcome_word(first->exchange.outcome),
                     "cold_ms", ms_or_null(interview_cold(found)), "warm_ms", ms_or_null(interview_warm(found)), "tls",
                     text_or_null(report.peer.version), "certificate", present_peer(&report.peer), "edns",
                     present_flag(reached, interview_has_edns(found)), "signed", present_flag(usable, found->is_signed),
                     "authenticated", present_flag(usable, found->authentic), "tcp", present_tcp(found, &report),
                     "forged", present_verdict(found), "answers", present_answers(found), "warnings", warnings);
}

/* ---- the method ---- */

struct trying {
    struct control_call *call;
    json_t              *warnings;
};

static void on_done(void *cookie, const struct interview *found, struct remote *remote)
{
    struct trying *trying = cookie;
    if (found)
        control_reply(trying->call, present_found(found, remote, trying->warnings));
    else
        control_fail(trying->call, CONTROL_FAILED, "bywayd is stopping");
    json_decref(trying->warnings);
    free(trying);
}

static void begin(struct daemon *daemon, struct control_call *call, const struct upstream_setting *upstream,
                  const struct name *censored, json_t *warnings)
{
    char           why[INTERVIEWS_WHY_MAX] = "out of memory";
    struct trying *trying                  = malloc(sizeof(*trying));
    if (trying) {
        *trying = (struct trying){.call = call, .warnings = json_incref(warnings)};
        if (interviews_begin(daemon, upstream, censored, on_done, trying, why))
            return;
        json_decref(trying->warnings);
        free(trying);
    }
    control_fail(call, CONTROL_FAILED, "%s", why);
}

void try_upstream(struct daemon *daemon, struct control_call *call, const json_t *upstream, const struct name *censored)
{
    struct reading          reading = {.warnings = json_array()};
    struct upstream_setting setting;
    if (read_upstream(daemon, &reading, upstream, &setting))
        begin(daemon, call, &setting, censored, reading.warnings);
    else if (reading.errors > 1)
        control_fail(call, CONTROL_BAD_PARAMS, "%s (and %u more)", reading.error, reading.errors - 1);
    else
        control_fail(call, CONTROL_BAD_PARAMS, "%s", reading.errors ? reading.error : "upstream: out of memory");
    way_fini(&setting.way);
    json_decref(reading.warnings);
}
