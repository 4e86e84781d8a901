/*
 * exposition.h: numbers as text in Prometheus' exposition format, version 0.0.4: one buffer that grows to a bound. Knows
 * no metric by name.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_EXPOSITION_H
#define OBSERVE_EXPOSITION_H

#include "base/histogram.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct exposition {
    char  *text; /* on the heap; NULL: nothing was written */
    size_t len, cap;
    size_t most;   /* bytes; the caller sets it */
    bool   failed; /* no memory, or more than `most`: the text is not whole */
};

struct label {
    const char *name, *value; /* borrowed; the value is any UTF-8, and is escaped */
};

enum {
    LABELS_MAX = 4 /* of a sample */
};
struct labels {
    struct label label[LABELS_MAX];
    unsigned     count;
};
#define LABELS(...)                                                                                                    \
    (&(const struct labels){{__VA_ARGS__}, sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)})

/* Begins a metric; `type`: "counter", "gauge" or "histogram". `help` has neither a backslash nor a newline. */
void exposition_metric(struct exposition *exposition, const char *name, const char *type, const char *help);

/* Of the metric that was begun last. `labels`: NULL for none. */
void exposition_count(struct exposition *exposition, const char *name, const struct labels *labels, uint64_t value);
void exposition_number(struct exposition *exposition, const char *name, const struct labels *labels, double value);
/* Buckets, sum and count, in seconds; LABELS_MAX - 1 labels at most. */
void exposition_histogram(struct exposition *exposition, const char *name, const struct labels *labels,
                          const struct histogram *histogram);

#endif
