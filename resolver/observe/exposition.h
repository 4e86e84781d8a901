/*
 * exposition.h: numbers as text in Prometheus' exposition format, version 0.0.4. Knows no metric by name.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_EXPOSITION_H
#define OBSERVE_EXPOSITION_H

#include "base/histogram.h"
#include "observe/sheet.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

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
void exposition_metric(struct sheet *sheet, const char *name, const char *type, const char *help);

/* Of the metric that was begun last. `labels`: NULL for none. */
void exposition_count(struct sheet *sheet, const char *name, const struct labels *labels, uint64_t value);
void exposition_number(struct sheet *sheet, const char *name, const struct labels *labels, double value);
/* Buckets, sum and count, in seconds; LABELS_MAX - 1 labels at most. */
void exposition_histogram(struct sheet *sheet, const char *name, const struct labels *labels,
                          const struct histogram *histogram);

#endif
