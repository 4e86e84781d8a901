/*
 * exposition.c: see exposition.h.
 */
#include "observe/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST      = 16384, /* bytes: most daemons' metrics fit twice */
    NUMBER_MAX = 32
};

static bool make_room(struct exposition *exposition, size_t more)
{
    size_t cap = exposition->cap ? exposition->cap : FIRST;
    while (cap - exposition->len < more)
        cap *= 2;
    if (exposition->failed || exposition->len + more > exposition->most)
        return false;
    if (cap == exposition->cap)
        return true;
    char *text = realloc(exposition->text, cap);
    if (!text)
        return false;
    exposition->text = text;
    exposition->cap  = cap;
    return true;
}

static void put_bytes(struct exposition *exposition, const char *bytes, size_t len)
{
    if (!make_room(exposition, len)) {
        exposition->failed = true;
        return;
    }
    memcpy(exposition->text + exposition->len, bytes, len);
    exposition->len += len;
}

static void put(struct exposition *exposition, const char *text) { put_bytes(exposition, text, strlen(text)); }

static void put_escaped(struct exposition *exposition, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            put(exposition, "\\n");
        else if (*value == '"' || *value == '\\')
            put_bytes(exposition, (const char[]){'\\', *value}, 2);
        else
            put_bytes(exposition, value, 1);
    }
}

/* `end`: what is behind the metric's name, "_sum" say. */
static void put_sample(struct exposition *exposition, const char *name, const char *end, const struct labels *labels,
                       const char *value)
{
    put(exposition, name);
    put(exposition, end);
    for (unsigned i = 0; labels && i < labels->count; i++) {
        put(exposition, i == 0 ? "{" : ",");
        put(exposition, labels->label[i].name);
        put(exposition, "=\"");
        put_escaped(exposition, labels->label[i].value);
        put(exposition, "\"");
    }
    put(exposition, labels && labels->count > 0 ? "} " : " ");
    put(exposition, value);
    put(exposition, "\n");
}

static const char *count_text(uint64_t value, char text[NUMBER_MAX])
{
    snprintf(text, NUMBER_MAX, "%" PRIu64, value);
    return text;
}

void exposition_metric(struct exposition *exposition, const char *name, const char *type, const char *help)
{
    put(exposition, "# HELP ");
    put(exposition, name);
    put(exposition, " ");
    put(exposition, help);
    put(exposition, "\n# TYPE ");
    put(exposition, name);
    put(exposition, " ");
    put(exposition, type);
    put(exposition, "\n");
}

void exposition_count(struct exposition *exposition, const char *name, const struct labels *labels, uint64_t value)
{
    char text[NUMBER_MAX];
    put_sample(exposition, name, "", labels, count_text(value, text));
}

void exposition_number(struct exposition *exposition, const char *name, const struct labels *labels, double value)
{
    char text[NUMBER_MAX];
    snprintf(text, sizeof(text), "%.15g", value);
    put_sample(exposition, name, "", labels, text);
}

void exposition_histogram(struct exposition *exposition, const char *name, const struct labels *labels,
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
        put_sample(exposition, name, "_bucket", &with, count_text(count, text));
    }
    snprintf(text, sizeof(text), "%" PRIu64 ".%03u", sum / 1000, (unsigned) (sum % 1000));
    put_sample(exposition, name, "_sum", labels, text);
    put_sample(exposition, name, "_count", labels,
               count_text(count, text)); /* the same as in +Inf, whatever is added now */
}
