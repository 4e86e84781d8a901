/*
 * plot.h: numbers over time as a small SVG inside a figure of HTML, which stretches to whatever width there is. What
 * tells the series apart is a pattern or a dash besides a colour; who sees nothing of it is told the highest and the
 * last value. Knows nothing of what the numbers are.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_PLOT_H
#define OBSERVE_PLOT_H

#include "observe/sheet.h"

struct plot_series {
    const char *word; /* in the legend */
    const char *look; /* a class of the page's style; in the legend it is the same */
};

/* All is borrowed, and literal: nothing is escaped. */
struct plot {
    const char               *id;         /* unique in the page, a word */
    const char               *title;      /* what is seen, with its unit */
    const char *const        *marks;      /* below, at equal distances from the first point to behind the last */
    unsigned                  mark_count; /* at least two */
    const struct plot_series *series;
    unsigned                  series_count;
    bool                      lines;  /* side by side; else one on top of the other, the first lowest */
    double                    top;    /* the height, at least */
    unsigned                  points; /* of each series */
    /* The oldest has `point` 0. Negative: not known, or there was nothing to count. */
    double (*value)(const void *context, unsigned series, unsigned point);
    const void *context;
};

/* The smallest 1, 2 or 5 times a power of ten that is at least `value`. */
double plot_nice(double value);

void plot_write(struct sheet *sheet, const struct plot *plot);

#endif
