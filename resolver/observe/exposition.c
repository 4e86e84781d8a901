/*
 * exposition.c: see exposition.h.
 */
#include "observe/exposition.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NUMBER_MAX = 32
};

static void put_escaped(struct sheet *sheet, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            sheet_put(sheet, "\\n");
        else if (*value == '"' || *value == '\\')
            sheet_put_bytes(sheet, (const char[]){'\\', *value}, 2);
        else
            sheet_put_bytes(sheet, value, 1);
    }
}

/* `end`: what is behind the metric's name, "_sum" say. */
static void put_sample(struct sheet *sheet, const char *name, const char *end, const struct labels *labels,
                       const char *value)
{
    sheet_put(sheet, name);
    sheet_put(sheet, end);
    for (unsigned i = 0; labels && i < labels->count; i++) {
        sheet_put(sheet, i == 0 ? "{" : ",");
        sheet_put(sheet, labels->label[i].name);
        sheet_put(sheet, "=\"");
        put_escaped(sheet, labels->label[i].value);
        sheet_put(sheet, "\"");
    }
    sheet_put(sheet, labels && labels->count > 0 ? "} " : " ");
    sheet_put(sheet, value);
    sheet_put(sheet, "\n");
}

static const char *count_text(uint64_t value, char text[NUMBER_MAX])
{
    snprintf(text, NUMBER_MAX, "%" PRIu64, value);
    return text;
}

void exposition_metric(struct sheet *sheet, const char *name, const char *type, const char *help)
{
    sheet_put(sheet, "# HELP ");
    sheet_put(sheet, name);
    sheet_put(sheet, " ");
    sheet_put(sheet, help);
    sheet_put(sheet, "\n# TYPE ");
    sheet_put(sheet, name);
    sheet_put(sheet, " ");
    sheet_put(sheet, type);
    sheet_put(sheet, "\n");
}

void exposition_count(struct sheet *sheet, const char *name, const struct labels *labels, uint64_t value)
{
    char text[NUMBER_MAX];
    put_sample(sheet, name, "", labels, count_text(value, text));
}

void exposition_number(struct sheet *sheet, const char *name, const struct labels *labels, double value)
{
    char text[NUMBER_MAX];
    snprintf(text, sizeof(text), "%.15g", value);
    put_sample(sheet, name, "", labels, text);
}

void exposition_histogram(struct sheet *sheet, const char *name, const struct labels *labels,
                          const struct histogram *histogram)
{
    char          text[NUMBER_MAX];
    struct labels with  = *labels;
    struct label *bound = &with.label[with.count++];
    uint64_t      sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed), count = 0;
    bound->name = "le";
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        bound->value = i < HISTOGRAM_BOUNDS ? histogram_bounds[i] : "+Inf";
        put_sample(sheet, name, "_bucket", &with, count_text(count, text));
    }
    snprintf(text, sizeof(text), "%" PRIu64 ".%03u", sum / 1000, (unsigned) (sum % 1000));
    put_sample(sheet, name, "_sum", labels, text);
    put_sample(sheet, name, "_count", labels, count_text(count, text)); /* the same as in +Inf, whatever is added now */
}
