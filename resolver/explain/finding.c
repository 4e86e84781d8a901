/*
 * finding.c: see finding.h.
 */
#include "explain/finding.h"

#include "dns/text.h"
#include "explain/explanation.h"

#include <stdarg.h>
#include <stdio.h>

const char *finding_word(enum finding_tag tag)
{
    static const char *const words[] = {
#define FINDING(symbol, word) word,
#include "explain/findings.def"
#undef FINDING
    };
    return words[tag];
}

const char *finding_grade_word(enum finding_grade grade)
{
    static const char *const words[] = {"ok", "note", "problem", "cause"};
    return words[grade];
}

const char *finding_side_word(enum finding_side side)
{
    static const char *const words[] = {NULL, "domain", "here"};
    return words[side];
}

struct finding *finding_add(struct explanation *explanation, enum finding_tag tag, enum finding_grade grade,
                            enum finding_side side, const char *format, ...)
{
    static struct finding nobody;
    struct finding       *finding = &nobody;
    va_list               arguments;
    if (explanation->final && explanation->finding_count < EXPLANATION_FINDINGS)
        finding = &explanation->findings[explanation->finding_count++];
    *finding = (struct finding){.tag = tag, .grade = grade, .side = side};
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof(finding->text), format, arguments);
    va_end(arguments);
    return finding;
}

void finding_about(struct finding *finding, struct view name, uint16_t type)
{
    if (name.len > 0)
        name_set(&finding->name, name);
    finding->type = type;
}

void finding_quote(struct finding *finding, const struct fact *fact, unsigned i)
{
    struct message message;
    struct record  record = {0};
    while (fact_next(fact, fact->type, &message, &record))
        if (i-- == 0) {
            record_format(&message, &record, finding->record, sizeof(finding->record));
            return;
        }
}
