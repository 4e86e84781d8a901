/*
 * plot.c: see plot.h. A series is one path of as few steps as it has changes.
 */
#include "observe/plot.h"

enum {
    HEIGHT = 100 /* of the drawing, whatever it is on the screen */
};

double plot_nice(double value)
{
    double power = 1;
    while (power * 10 <= value)
        power *= 10;
    for (unsigned i = 1; i <= 5; i += i == 1 ? 1 : 3)
        if (power * i >= value)
            return power * i;
    return power * 10;
}

static double value_of(const struct plot *plot, unsigned series, unsigned point)
{
    return plot->value(plot->context, series, point);
}

static bool is_known(const struct plot *plot, unsigned series, unsigned point)
{
    return value_of(plot, series, point) >= 0;
}

/* What is drawn: with what lies below it. */
static double height_of(const struct plot *plot, unsigned series, unsigned point)
{
    double sum = 0;
    for (unsigned i = plot->lines ? series : 0; i <= series; i++)
        if (is_known(plot, i, point))
            sum += value_of(plot, i, point);
    return sum;
}

static unsigned last_series(const struct plot *plot) { return plot->series_count - 1; }

/* Over all that is drawn; *ret_point: where. */
static double highest(const struct plot *plot, unsigned *ret_point)
{
    double most = 0;
    *ret_point  = 0;
    for (unsigned point = 0; point < plot->points; point++) {
        for (unsigned i = plot->lines ? 0 : last_series(plot); i < plot->series_count; i++) {
            if (height_of(plot, i, point) > most) {
                most       = height_of(plot, i, point);
                *ret_point = point;
            }
        }
    }
    return most;
}

static void put_height(struct sheet *sheet, char command, double height, double top)
{
    sheet_format(sheet, "%c%.4g", command, HEIGHT - HEIGHT * height / top);
}

/* Filled down to the ground. */
static void write_area(struct sheet *sheet, const struct plot *plot, unsigned series, double top)
{
    double drawn = 0;
    sheet_format(sheet, "<path class=\"%s\" d=\"M0 %d", plot->series[series].look, HEIGHT);
    for (unsigned point = 0; point < plot->points; point++) {
        double height = height_of(plot, series, point);
        if (height == drawn)
            continue;
        sheet_format(sheet, "H%u", point);
        put_height(sheet, 'V', height, top);
        drawn = height;
    }
    sheet_format(sheet, "H%uV%dZ\"/>", plot->points, HEIGHT);
}

static void write_line(struct sheet *sheet, const struct plot *plot, unsigned series, double top)
{
    double drawn = -1;
    sheet_format(sheet, "<path class=\"%s\" d=\"M0 %d", plot->series[series].look, HEIGHT);
    for (unsigned point = 0; point < plot->points; point++) {
        double value = value_of(plot, series, point);
        if (value >= 0 && drawn < 0)
            sheet_format(sheet, "M%u ", point);
        else if (drawn >= 0 && value != drawn)
            sheet_format(sheet, "H%u", point);
        if (value >= 0 && value != drawn)
            put_height(sheet, drawn < 0 ? ' ' : 'V', value, top);
        drawn = value;
    }
    if (drawn >= 0)
        sheet_format(sheet, "H%u", plot->points);
    sheet_put(sheet, "\"/>");
}

/* A band where no series has a value. */
static void write_gaps(struct sheet *sheet, const struct plot *plot)
{
    for (unsigned from = 0, to; from < plot->points; from = to + 1) {
        for (to = from; to < plot->points; to++) {
            bool known = false;
            for (unsigned i = 0; i < plot->series_count; i++)
                known = known || is_known(plot, i, to);
            if (known)
                break;
        }
        if (to > from)
            sheet_format(sheet, "<rect class=\"gap\" x=\"%u\" y=\"0\" width=\"%u\" height=\"%d\"/>", from, to - from,
                         HEIGHT);
    }
}

static void put_number(struct sheet *sheet, double number)
{
    sheet_format(sheet, number < 100 ? "%.3g" : "%.0f", number);
}

static void write_words(struct sheet *sheet, const struct plot *plot, double most, unsigned at)
{
    unsigned last = plot->points - 1;
    sheet_format(sheet, "<title id=\"%s-title\">%s</title><desc id=\"%s-about\">", plot->id, plot->title, plot->id);
    sheet_format(sheet, "From %s to %s. Highest: ", plot->marks[0], plot->marks[plot->mark_count - 1]);
    put_number(sheet, most);
    sheet_format(sheet, ", %.0f %% of the way. At the end:", 100.0 * at / plot->points);
    for (unsigned i = 0; i < plot->series_count; i++) {
        sheet_format(sheet, "%s %s ", i == 0 ? "" : ",", plot->series[i].word);
        if (is_known(plot, i, last))
            put_number(sheet, value_of(plot, i, last));
        else
            sheet_put(sheet, "unknown");
    }
    sheet_put(sheet, ".</desc>");
}

static void write_grid(struct sheet *sheet, const struct plot *plot)
{
    sheet_put(sheet, "<path class=\"grid\" d=\"");
    for (unsigned i = 1; i + 1 < plot->mark_count; i++)
        sheet_format(sheet, "M%u 0V%d", plot->points * i / (plot->mark_count - 1), HEIGHT);
    sheet_put(sheet, "\"/>");
}

static void write_marks(struct sheet *sheet, const struct plot *plot)
{
    sheet_put(sheet, "<div class=\"span\" aria-hidden=\"true\">");
    for (unsigned i = 0; i < plot->mark_count; i++)
        sheet_format(sheet, "<span>%s</span>", plot->marks[i]);
    sheet_put(sheet, "</div>");
}

static void write_legend(struct sheet *sheet, const struct plot *plot)
{
    if (plot->series_count == 1)
        return;
    sheet_put(sheet, "<ul class=\"legend\">");
    for (unsigned i = 0; i < plot->series_count; i++) {
        sheet_put(sheet, "<li><svg aria-hidden=\"true\" viewBox=\"0 0 24 12\" width=\"24\" height=\"12\">");
        sheet_format(sheet, "<path class=\"%s\" d=\"%s\"/>", plot->series[i].look,
                     plot->lines ? "M0 6H24" : "M0 0H24V12H0Z");
        sheet_format(sheet, "</svg> %s</li>", plot->series[i].word);
    }
    sheet_put(sheet, "</ul>");
}

void plot_write(struct sheet *sheet, const struct plot *plot)
{
    unsigned at;
    double   most = highest(plot, &at), top = plot_nice(most > plot->top ? most : plot->top);
    sheet_format(
        sheet,
        "<figure><figcaption>%s</figcaption><div class=\"plot\"><span class=\"top\" aria-hidden=\"true\">%.0f</span>",
        plot->title, top);
    sheet_format(sheet,
                 "<svg role=\"img\" aria-labelledby=\"%s-title %s-about\" viewBox=\"0 0 %u %d\" "
                 "preserveAspectRatio=\"none\">",
                 plot->id, plot->id, plot->points, HEIGHT);
    write_words(sheet, plot, most, at);
    write_gaps(sheet, plot);
    write_grid(sheet, plot);
    for (unsigned i = plot->series_count; i-- > 0;) { /* the lowest last: each covers what it is a part of */
        if (plot->lines)
            write_line(sheet, plot, i, top);
        else
            write_area(sheet, plot, i, top);
    }
    sheet_put(sheet, "</svg>");
    write_marks(sheet, plot);
    sheet_put(sheet, "</div>");
    write_legend(sheet, plot);
    sheet_put(sheet, "</figure>");
}
