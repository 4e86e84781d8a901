/*
 * explained.h: what the tests of an explanation share: a hearing between parties that follow a script, the part of the
 * world that is the same in each story, and how what is found is looked at.
 */
#ifndef UNIT_EXPLAINED_H
#define UNIT_EXPLAINED_H

#include "lib/names.h"
#include "lib/script.h"

#include <stdlib.h>
#include <string.h>

#define NOTHING (-1) /* no cause */
#define EXPLAIN(fixture, ...) explain(fixture, (const char *const[]){__VA_ARGS__, NULL})
/* x.example fails on both sides. */
#define FAILS_EVERYWHERE "de *x.example * !servfail"
#define SERVERS_SILENT "203.0.113.1 * * !silent", "203.0.113.2 * * !silent"
#define NOTHING_DIRECT "198.51.100.10 * * !silent", "198.51.100.11 * * !silent"

/* A good domain, x.example, below a parent, and the domains that have nothing to do with it. */
static const char *const usual_world[] = {
    "de . SOA a.example. h.example. 1 2 3 4 5",
    "de example.com SOA ns.example.com. h.example. 1 2 3 4 5",
    "de example.com NS ns.example.com.",
    "de ns.example.com A 198.51.100.10",
    "de iana.org SOA ns.iana.org. h.example. 1 2 3 4 5",
    "de iana.org NS ns.iana.org.",
    "de ns.iana.org A 198.51.100.11",
    "198.51.100.10 *example.com * !serves example.com",
    "198.51.100.11 *iana.org * !serves iana.org",
    "de example SOA ns.example. h.example. 1 2 3 4 5",
    "de example NS ns.example.",
    "de ns.example A 198.51.100.20",
    "203.0.113.1 * * !serves x.example",
    "203.0.113.2 * * !serves x.example",
    "de x.example SOA ns1.x.example. h.example. 7 2 3 4 5",
    "de x.example NS ns1.x.example.",
    "de x.example NS ns2.x.example.",
    "de ns1.x.example A 203.0.113.1",
    "de ns2.x.example A 203.0.113.2",
    "de x.example A 203.0.113.80",
    "de x.example MX 10 mail.x.example.",
    "de x.example TXT \"v=spf1 mx -all\"",
    "de _dmarc.x.example TXT \"v=DMARC1; p=reject\"",
    "de mail.x.example A 203.0.113.25",
    NULL,
};

struct fixture {
    struct hearing hearing;
    struct script  script;
};

static inline int open_fixture(void **state)
{
    static const struct rule rules[] = {
        {.zone = {.len = 14, .wire = "\4kept\7example"}, .via = VIA_GROUP, .group = SETUP_DOMESTIC},
        {.zone = {.len = 14, .wire = "\4sent\7example"}, .via = VIA_GROUP, .group = SETUP_EXTERNAL},
        {.zone = {.len = 16, .wire = "\6office\7example"}, .via = VIA_GROUP, .group = HEARD_OFFICE},
        {.zone = {.len = 15, .wire = "\5never\7example"}, .via = VIA_REFUSE},
    };
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    table_reader_register();
    hearing_open(&fixture->hearing, rules, ARRAY_LEN(rules), script_play, &fixture->script);
    *state = fixture;
    return 0;
}

static inline int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    hearing_close(&fixture->hearing);
    table_reader_unregister();
    free(fixture);
    return 0;
}

static inline const struct explanation *explain_request(struct fixture *fixture, const char *const *lines,
                                                        const struct explain_request *request)
{
    fixture->script = (struct script){{lines, usual_world}};
    assert_true(hearing_explain(&fixture->hearing, request));
    return fixture->hearing.explanation;
}

static inline const struct explanation *explain(struct fixture *fixture, const char *const *lines)
{
    const struct explain_request request = {.domain = named("x.example"), .sender = "a@x.example"};
    return explain_request(fixture, lines, &request);
}

static inline const struct finding *find(const struct explanation *explanation, enum finding_tag tag)
{
    for (unsigned i = 0; i < explanation->finding_count; i++)
        if (explanation->findings[i].tag == tag)
            return &explanation->findings[i];
    return NULL;
}

/* With `cause`, a tag or NOTHING; where it is not that, all that was found is shown. */
static inline void assert_concluded(const struct explanation *explanation, enum verdict_word verdict, int cause)
{
    int is = explanation->cause < 0 ? NOTHING : (int) explanation->findings[explanation->cause].tag;
    if (is == cause && explanation->verdict == verdict)
        return;
    for (unsigned i = 0; i < explanation->finding_count; i++)
        print_error("%s %s: %s\n", finding_grade_word(explanation->findings[i].grade),
                    finding_word(explanation->findings[i].tag), explanation->findings[i].text);
    fail_msg("verdict %s, cause %s", explanation_verdict_word(explanation->verdict),
             is == NOTHING ? "none" : finding_word((enum finding_tag) is));
}

static inline void assert_found(const struct explanation *explanation, enum finding_tag tag, enum finding_grade grade,
                                const char *words)
{
    const struct finding *finding = find(explanation, tag);
    if (!finding)
        fail_msg("no %s", finding_word(tag));
    if (finding->grade != grade || !strstr(finding->text, words))
        fail_msg("%s %s: %s", finding_grade_word(finding->grade), finding_word(tag), finding->text);
}

static inline void assert_not_found(const struct explanation *explanation, enum finding_tag tag)
{
    const struct finding *finding = find(explanation, tag);
    if (finding)
        fail_msg("%s: %s", finding_word(tag), finding->text);
}

#endif
