/*
 * page.c: see page.h. One function for each part, in the order of the page.
 */
#include "observe/page.h"

#include "base/units.h"
#include "dns/text.h"
#include "observe/markup.h"
#include "observe/plot.h"

/* ---- is all well? ---- */

static void write_headline(struct sheet *sheet, const struct concerns *concerns)
{
    if (concerns->grave > 0)
        sheet_put(sheet, "Something is wrong");
    else
        sheet_put(sheet, concerns->count > 0 ? "Worth a look" : "All is well");
}

static void write_head(struct sheet *sheet, const struct page *page, const struct concerns *concerns)
{
    sheet_put(sheet, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>");
    write_headline(sheet, concerns);
    sheet_put(sheet, " – byway on ");
    markup_text(sheet, page->host);
    sheet_put(sheet, "</title><link rel=\"icon\" href=\"data:,\"><style>");
    sheet_put(sheet, look_style);
    sheet_put(sheet, "</style></head>\n<body>");
    sheet_put(sheet, look_patterns);
    sheet_put(sheet, "<header><h1>byway on ");
    markup_text(sheet, page->host);
    sheet_put(sheet, "</h1></header>\n<main>");
}

static void write_blocked(struct sheet *sheet, const struct standing *standing)
{
    size_t diverted = standing->blocked + standing->recovering;
    if (diverted == 0) {
        sheet_put(sheet, "every upstream answers, and no zone is blocked.");
        return;
    }
    sheet_put(sheet, "every upstream answers, and ");
    markup_count(sheet, diverted);
    sheet_put(sheet, diverted == 1 ? " blocked zone goes to external." : " blocked zones go to external.");
}

static void write_verdict(struct sheet *sheet, const struct standing *standing, const struct concerns *concerns)
{
    const char *class = concerns->grave > 0 ? "bad" : concerns->count > 0 ? "warn" : "good";
    const char *mark  = concerns->grave > 0 ? "✖" : concerns->count > 0 ? "▲" : "✔";
    sheet_format(sheet, "<p class=\"verdict %s\"><span aria-hidden=\"true\">%s</span> <strong>", class, mark);
    write_headline(sheet, concerns);
    sheet_put(sheet, ":</strong> ");
    if (concerns->count == 0)
        write_blocked(sheet, standing);
    else
        markup_text(sheet, concerns->text[0]);
    sheet_put(sheet, "</p>");
    if (concerns->count > 1)
        sheet_put(sheet, "<ul>");
    for (unsigned i = 1; i < concerns->count; i++) {
        sheet_put(sheet, "<li>");
        markup_text(sheet, concerns->text[i]);
        sheet_put(sheet, "</li>");
    }
    if (concerns->count > 1)
        sheet_put(sheet, "</ul>");
}

static void write_facts(struct sheet *sheet, const struct page *page)
{
    char now[TIME_TEXT_MAX];
    time_format(clocks_wall(&page->clocks, page->clocks.now), now);
    sheet_format(sheet, "<p class=\"dim\">As of <time>%s</time>. Started ", now);
    markup_time(sheet, &page->clocks, page->started, false);
    sheet_put(sheet, ", settings read ");
    markup_time(sheet, &page->clocks, page->standing->read_at, false);
    sheet_put(sheet, ", learning ");
    sheet_put(sheet, page->learning);
    sheet_put(sheet, ".</p>\n");
}

/* ---- upstreams ---- */

static void write_health(struct sheet *sheet, const struct standing_upstream *upstream)
{
    static const struct {
        const char *class, *words;
    } looks[] = {
        [HEALTH_UP]      = {"good", "▲ up"},
        [HEALTH_SUSPECT] = {"warn", "◆ silent just now"},
        [HEALTH_DOWN]    = {"bad", "▼ down"},
    };
    sheet_format(sheet, "<td role=\"cell\" class=\"%s\">%s%s</td>", looks[upstream->health].class,
                 looks[upstream->health].words, upstream->outdone ? ", outdone by another" : "");
}

static void write_problem(struct sheet *sheet, const struct standing_upstream *upstream)
{
    sheet_put(sheet, "<td role=\"cell\">");
    markup_text(sheet, upstream->problem);
    if (upstream->loops)
        sheet_format(sheet, "%sforwards to this daemon", *upstream->problem ? "; " : "");
    if (upstream->tainted)
        sheet_format(sheet, "%sits answers over UDP are forged", *upstream->problem || upstream->loops ? "; " : "");
    sheet_put(sheet, "</td>");
}

static void write_upstream(struct sheet *sheet, const struct page *page, const struct standing_upstream *upstream)
{
    sheet_put(sheet, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
    markup_text(sheet, upstream->name);
    sheet_put(sheet, "</th><td role=\"cell\">");
    markup_text(sheet, page->standing->groups[upstream->group]);
    sheet_put(sheet, "</td>");
    write_health(sheet, upstream);
    sheet_put(sheet, "<td role=\"cell\" class=\"number\">");
    if (upstream->round_trip >= 0)
        sheet_format(sheet, "%d ms", (int) msec_min(upstream->round_trip, INT32_MAX));
    sheet_put(sheet, "</td><td role=\"cell\">");
    if (upstream->last_answer != 0)
        markup_time(sheet, &page->clocks, upstream->last_answer, false);
    else
        sheet_put(sheet, "never");
    sheet_put(sheet, "</td>");
    write_problem(sheet, upstream);
    sheet_put(sheet, "</tr>\n");
}

static void write_columns(struct sheet *sheet, const char *const *columns)
{
    sheet_put(sheet, "<thead role=\"rowgroup\"><tr role=\"row\">");
    for (; *columns; columns++)
        sheet_format(sheet, "<th scope=\"col\" role=\"columnheader\">%s</th>", *columns);
    sheet_put(sheet, "</tr></thead><tbody role=\"rowgroup\">\n");
}

static void write_upstreams(struct sheet *sheet, const struct page *page)
{
    static const char *const columns[] = {"Upstream", "Group", "State", "Round trip", "Last answer", "Problem", NULL};
    sheet_put(sheet, "<section aria-labelledby=\"upstreams\"><h2 id=\"upstreams\">Upstreams</h2>"
                     "<table class=\"cards ups\" role=\"table\" aria-labelledby=\"upstreams\">");
    write_columns(sheet, columns);
    for (unsigned i = 0; i < page->standing->upstream_count; i++)
        write_upstream(sheet, page, &page->standing->upstreams[i]);
    sheet_put(sheet, "</tbody></table></section>\n");
}

/* ---- the last day ---- */

static const struct history_interval *interval_at(const struct page *page, unsigned point)
{
    return history_interval(page->history, HISTORY_INTERVALS - 1 - point);
}

/* What the interval has had so far: the present one is not over yet. A few seconds of it would be no measure. */
static double minutes_of(const struct page *page, unsigned point)
{
    msec_t left = page->history->end - page->clocks.now;
    msec_t past =
        point == HISTORY_INTERVALS - 1 ? msec_clamp(HISTORY_EVERY - left, 30000, HISTORY_EVERY) : HISTORY_EVERY;
    return (double) past / 60000;
}

static double answers_at(const void *page, unsigned series, unsigned point)
{
    const struct history_interval *interval = interval_at(page, point);
    return interval->known ? interval->of[series] / minutes_of(page, point) : -1;
}

static double blocked_at(const void *page, unsigned series, unsigned point)
{
    (void) series;
    const struct history_interval *interval = interval_at(page, point);
    return interval->known ? (double) interval->blocked : -1;
}

/* Percent of those that were asked. */
static double unanswered(const struct history_interval *interval, unsigned series)
{
    static const enum history_series of[][2] = {{HISTORY_DOMESTIC_ASKED, HISTORY_DOMESTIC_UNANSWERED},
                                                {HISTORY_EXTERNAL_ASKED, HISTORY_EXTERNAL_UNANSWERED}};
    uint32_t                         asked   = interval->of[of[series][0]];
    return asked > 0 ? 100.0 * interval->of[of[series][1]] / asked : -1;
}

static double unanswered_at(const void *page, unsigned series, unsigned point)
{
    return unanswered(interval_at(page, point), series);
}

static const struct plot_series answers[] = {
    [HISTORY_HERE]     = {"cache and byway itself", "here"},
    [HISTORY_DOMESTIC] = {"domestic", "dom"},
    [HISTORY_EXTERNAL] = {"external", "ext"},
    [HISTORY_STALE]    = {"stale", "stale"},
    [HISTORY_SERVFAIL] = {"SERVFAIL", "fail"},
};
static const struct plot_series blocked[] = {{"blocked", "ext"}};
static const struct plot_series lines[]   = {{"domestic", "line-dom"}, {"external", "line-ext"}};
static const struct plot        plots[]   = {
             {.id           = "answers",
              .title        = "Answers a minute, by the way they took",
              .series       = answers,
              .series_count = ARRAY_LEN(answers),
              .value        = answers_at},
             {.id = "blocked", .title = "Blocked zones", .series = blocked, .series_count = 1, .value = blocked_at},
             {.id           = "unanswered",
              .title        = "Questions that no upstream answered, %",
              .series       = lines,
              .series_count = ARRAY_LEN(lines),
              .lines        = true,
              .value        = unanswered_at},
};

static void write_percent(struct sheet *sheet, double percent)
{
    if (percent >= 0)
        sheet_format(sheet, "<td class=\"number\">%.1f %%</td>", percent);
    else
        sheet_put(sheet, "<td class=\"number\">–</td>");
}

enum {
    OF_HOUR = 3600 * 1000 / HISTORY_EVERY
};

/* The hour that ended so many hours ago. False: nothing is known of it. */
static bool sum_hour(const struct history *history, unsigned ago, struct history_interval *ret)
{
    *ret = (struct history_interval){0};
    for (unsigned i = ago * OF_HOUR; i < (ago + 1) * OF_HOUR; i++) {
        const struct history_interval *interval = history_interval(history, i);
        ret->known                              = ret->known || interval->known;
        ret->blocked                            = interval->blocked > ret->blocked ? interval->blocked : ret->blocked;
        for (unsigned j = 0; j < HISTORY_SERIES; j++)
            ret->of[j] += interval->of[j];
    }
    return ret->known;
}

/* For who hears the page, and for who wants to know exactly. */
static void write_hours(struct sheet *sheet, const struct history *history)
{
    struct history_interval hour;
    sheet_put(sheet,
              "<details><summary>The last day in numbers</summary><div class=\"wide\" role=\"region\" "
              "aria-label=\"The last day in numbers\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Hour</th>");
    for (unsigned i = 0; i < ARRAY_LEN(answers); i++)
        sheet_format(sheet, "<th scope=\"col\" class=\"number\">%s</th>", answers[i].word);
    sheet_put(sheet, "<th scope=\"col\" class=\"number\">blocked zones</th>"
                     "<th scope=\"col\" class=\"number\">domestic unanswered</th>"
                     "<th scope=\"col\" class=\"number\">external unanswered</th></tr></thead><tbody>\n");
    for (unsigned ago = 0; ago < HISTORY_INTERVALS / OF_HOUR; ago++) {
        if (!sum_hour(history, ago, &hour))
            continue;
        sheet_format(sheet, "<tr><th scope=\"row\">%s", ago == 0 ? "the last" : "");
        if (ago > 0)
            sheet_format(sheet, "%u h ago", ago);
        sheet_put(sheet, "</th>");
        for (unsigned i = 0; i < HISTORY_ANSWERS; i++) {
            sheet_put(sheet, "<td class=\"number\">");
            markup_count(sheet, hour.of[i]);
            sheet_put(sheet, "</td>");
        }
        sheet_format(sheet, "<td class=\"number\">%u</td>", (unsigned) hour.blocked);
        write_percent(sheet, unanswered(&hour, 0));
        write_percent(sheet, unanswered(&hour, 1));
        sheet_put(sheet, "</tr>\n");
    }
    sheet_put(sheet, "</tbody></table></div></details>");
}

static void write_day(struct sheet *sheet, const struct page *page)
{
    static const char *const marks[] = {"24 h ago", "18 h", "12 h", "6 h", "now"};
    sheet_put(sheet, "<section aria-labelledby=\"day\"><h2 id=\"day\">The last day</h2><div class=\"plots\">\n");
    for (unsigned i = 0; i < ARRAY_LEN(plots); i++) {
        struct plot plot = plots[i];
        plot.marks       = marks;
        plot.mark_count  = ARRAY_LEN(marks);
        plot.top         = 1;
        plot.points      = HISTORY_INTERVALS;
        plot.context     = page;
        plot_write(sheet, &plot);
        sheet_put(sheet, "\n");
    }
    sheet_put(sheet,
              "</div><p class=\"dim\">A step is five minutes. All of it is in memory, and begins with the daemon; "
              "hatched in grey: nothing was counted.</p>");
    write_hours(sheet, page->history);
    sheet_put(sheet, "</section>\n");
}

/* ---- zones ---- */

static void write_counts(struct sheet *sheet, const struct standing *standing)
{
    const struct {
        size_t      count;
        const char *word;
    } counts[] = {{standing->blocked, "blocked"},
                  {standing->recovering, "recovering"},
                  {standing->broken, "broken"},
                  {standing->suspect, "suspect"},
                  {standing->pins, "pinned"}};
    sheet_put(sheet, "<p>");
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        sheet_put(sheet, i == 0 ? "" : ", ");
        markup_count(sheet, counts[i].count);
        sheet_format(sheet, " %s", counts[i].word);
    }
    sheet_put(sheet, ".</p>");
}

static void write_search(struct sheet *sheet, const struct page *page)
{
    sheet_put(sheet, "<form role=\"search\" method=\"get\" action=\"/#zones\"><label for=\"under\">Is this zone, or "
                     "one above or below it, known?</label><input id=\"under\" name=\"under\" type=\"search\" "
                     "autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\"");
    if (page->wrong)
        sheet_put(sheet, " aria-invalid=\"true\" aria-describedby=\"wrong\"");
    sheet_put(sheet, " value=\"");
    markup_text(sheet, page->under ? page->under : "");
    sheet_put(sheet, "\"><button>Search</button></form>");
    if (page->wrong) {
        sheet_put(sheet, "<p id=\"wrong\" class=\"bad\">");
        markup_text(sheet, page->wrong);
        sheet_put(sheet, "</p>");
    }
    if (page->under)
        sheet_put(sheet, "<p><a href=\"/#zones\">Show all</a></p>");
}

/* What the table has, and what not. */
static void write_caption(struct sheet *sheet, const struct shown *shown)
{
    sheet_put(sheet, "<caption>");
    if (shown->found > shown->count)
        sheet_format(sheet, "The %u that changed last, of ", shown->count);
    markup_count(sheet, shown->found);
    if (shown->found > shown->count)
        sheet_put(sheet, "; a search finds the others.</caption>");
    else
        sheet_put(sheet, shown->found == 1 ? " entry.</caption>" : " entries, the last change first.</caption>");
}

static void write_zone_name(struct sheet *sheet, const struct shown_zone *zone)
{
    char text[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];
    sheet_put(sheet, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
    markup_text(sheet, name_format(name_view(&zone->name), text));
    if (zone->scope == SCOPE_NAME)
        sheet_put(sheet, " <small>this name alone</small>");
    else if (zone->scope == SCOPE_TYPE)
        sheet_format(sheet, " <small>its %s alone</small>", type_format(zone->type, type));
    if (*zone->note) {
        sheet_put(sheet, " <small>");
        markup_text(sheet, zone->note);
        sheet_put(sheet, "</small>");
    }
    sheet_put(sheet, "</th>");
}

static void write_zone_state(struct sheet *sheet, const struct clocks *clocks, const struct shown_zone *zone)
{
    static const char *const marks[] = {
        [ZONE_CLEAR] = "✔", [ZONE_SUSPECT] = "◇", [ZONE_BLOCKED] = "■", [ZONE_BROKEN] = "✖", [ZONE_RECOVERING] = "◧"};
    sheet_format(sheet, "<td role=\"cell\"><span aria-hidden=\"true\">%s</span> %s", marks[zone->condition.state],
                 zone_state_words[zone->condition.state]);
    if (zone->pin != PIN_NONE) {
        sheet_format(sheet, " <small>pinned to %s", zone->pin == PIN_EXTERNAL ? "external" : "domestic");
        if (zone->pin_until != MSEC_NEVER) {
            sheet_put(sheet, ", ends ");
            markup_time(sheet, clocks, zone->pin_until, false);
        }
        sheet_put(sheet, "</small>");
    } else if (zone->source != SOURCE_LEARNED) {
        sheet_format(sheet, " <small>%s</small>", zone_source_words[zone->source]);
    }
    sheet_put(sheet, "</td>");
}

static void write_zone(struct sheet *sheet, const struct clocks *clocks, const struct shown_zone *zone)
{
    write_zone_name(sheet, zone);
    write_zone_state(sheet, clocks, zone);
    sheet_format(sheet, "<td role=\"cell\">%s</td><td role=\"cell\">", zone_reason_words[zone->condition.reason]);
    markup_time(sheet, clocks, zone->condition.since, true);
    sheet_put(sheet, "</td><td role=\"cell\">");
    if (zone_state_diverts(zone->condition.state))
        markup_time(sheet, clocks, msec_max(zone->condition.next, clocks->now), false);
    sheet_put(sheet, "</td><td role=\"cell\" class=\"number\">");
    markup_count(sheet, zone->answered);
    sheet_put(sheet, "</td></tr>\n");
}

static void write_zones(struct sheet *sheet, const struct page *page)
{
    static const char *const columns[] = {"Zone", "State", "Reason", "Since (UTC)", "Next recheck", "Sent to external",
                                          NULL};
    sheet_put(sheet, "<section aria-labelledby=\"zones\"><h2 id=\"zones\">Zones</h2>");
    write_counts(sheet, page->standing);
    write_search(sheet, page);
    if (page->wrong)
        return;
    if (page->shown->found == 0) {
        sheet_put(sheet,
                  page->under
                      ? "<p>Nothing was learned of it, nor is it pinned: its names go as the configuration says.</p>"
                      : "<p>No zone is blocked, broken or pinned.</p>");
        return;
    }
    sheet_put(sheet, "<table class=\"cards zones\" role=\"table\" aria-labelledby=\"zones\">");
    write_caption(sheet, page->shown);
    write_columns(sheet, columns);
    for (unsigned i = 0; i < page->shown->count; i++)
        write_zone(sheet, &page->clocks, &page->shown->zones[i]);
    sheet_put(sheet, "</tbody></table>");
}

void page_write(struct sheet *sheet, const struct page *page)
{
    struct concerns concerns;
    concerns_find(page->standing, page->history, &concerns);
    write_head(sheet, page, &concerns);
    write_verdict(sheet, page->standing, &concerns);
    write_facts(sheet, page);
    write_upstreams(sheet, page);
    write_day(sheet, page);
    write_zones(sheet, page);
    sheet_put(sheet, "</section></main>\n<footer>byway ");
    markup_text(sheet, page->version);
    sheet_put(sheet, ", <a href=\"/metrics\">metrics</a>. Nothing can be changed here: bywayctl(1) does "
                     "that.</footer></body></html>\n");
}
