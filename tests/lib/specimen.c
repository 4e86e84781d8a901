/*
 * specimen.c: see specimen.h.
 */
#include "lib/specimen.h"

#include "dns/text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#define NOW ((msec_t) 90 * 3600 * 1000)
#define WALL_MS 1795969260000

/* A working day of a mail server: few at night, most in the morning, and an hour in which domestic was slow. */
static void live_through_a_day(struct history *history)
{
    struct history_totals totals = {0};
    history_init(history, &totals, NOW - (msec_t) HISTORY_INTERVALS * HISTORY_EVERY);
    for (unsigned i = 1; i < HISTORY_INTERVALS; i++) {
        double   hour = 24.0 * i / HISTORY_INTERVALS + 16.3;
        uint64_t all  = (uint64_t) (2600 + 1900 * sin((hour - 9) / 24 * 6.283) + 90 * sin(i * 1.7));
        bool     slow = i > 190 && i < 203;
        totals.of[HISTORY_HERE] += all * 6 / 10;
        totals.of[HISTORY_DOMESTIC] += all * (slow ? 10 : 31) / 100;
        totals.of[HISTORY_EXTERNAL] += all * (slow ? 22 : 5) / 100;
        totals.of[HISTORY_STALE] += slow ? all / 25 : 0;
        totals.of[HISTORY_SERVFAIL] += slow ? all / 20 : all / 150;
        totals.of[HISTORY_DOMESTIC_ASKED] += all / 2;
        totals.of[HISTORY_DOMESTIC_UNANSWERED] += slow ? all / 4 : all / 50;
        totals.of[HISTORY_EXTERNAL_ASKED] += all / 12;
        totals.of[HISTORY_EXTERNAL_UNANSWERED] += all / 800;
        totals.blocked = i < 100 ? 1 : i < 200 ? 2 : 4;
        history_add(history, &totals, NOW - (msec_t) (HISTORY_INTERVALS - i) * HISTORY_EVERY);
    }
}

void specimen_add_zone(struct specimen *specimen, struct view name, enum zone_state state, enum zone_reason reason,
                       unsigned minutes)
{
    struct shown      *shown = &specimen->shown;
    struct shown_zone *zone  = &shown->zones[shown->count++];
    shown->found++;
    *zone = (struct shown_zone){.condition = {.state  = state,
                                              .reason = reason,
                                              .since  = NOW - (msec_t) minutes * 60000,
                                              .next   = NOW + (msec_t) 7 * 60000 + minutes * 977},
                                .pin_until = MSEC_NEVER,
                                .answered  = minutes * 7 + 12};
    name_set(&zone->name, name);
}

static void add(struct specimen *specimen, const char *text, enum zone_state state, enum zone_reason reason,
                unsigned minutes)
{
    struct name name;
    bool        good = name_parse(text, &name);
    assert(good);
    (void) good;
    specimen_add_zone(specimen, name_view(&name), state, reason, minutes);
}

static void add_zones(struct specimen *specimen)
{
    add(specimen, "partner.example", ZONE_BLOCKED, REASON_TIMEOUT, 38);
    add(specimen, "mail.example.org", ZONE_RECOVERING, REASON_SERVFAIL, 52);
    add(specimen, "news.example.net", ZONE_BLOCKED, REASON_FORGED, 480);
    add(specimen, "shop.example", ZONE_BROKEN, REASON_SERVFAIL, 610);
    add(specimen, "example.com", ZONE_BLOCKED, REASON_REFUSED, 4800);
    add(specimen, "bank.example", ZONE_CLEAR, REASON_NONE, 11000);
    struct shown_zone *last = &specimen->shown.zones[specimen->shown.count - 1];
    last->pin               = PIN_DOMESTIC;
    snprintf(last->note, sizeof(last->note), "they filter by country; asked on 12 May");
}

void specimen_init(struct specimen *specimen)
{
    static const struct standing_upstream upstreams[] = {
        {.name = "192.0.2.1:53", .group = STANDING_DOMESTIC, .round_trip = 3, .last_answer = NOW - 400, .problem = ""},
        {.name = "192.0.2.2:53", .group = STANDING_DOMESTIC, .round_trip = 4, .last_answer = NOW - 2100, .problem = ""},
        {.name        = "tls://198.51.100.53:853#dns.example.net",
         .group       = STANDING_EXTERNAL,
         .round_trip  = 162,
         .last_answer = NOW - 9000,
         .problem     = ""},
    };
    *specimen = (struct specimen){.standing = {.groups         = {"domestic", "external"},
                                               .group_count    = 2,
                                               .upstream_count = ARRAY_LEN(upstreams),
                                               .blocked        = 3,
                                               .recovering     = 1,
                                               .broken         = 1,
                                               .suspect        = 2,
                                               .pins           = 1,
                                               .read_at        = NOW - (msec_t) 26 * 3600 * 1000}};
    for (unsigned i = 0; i < ARRAY_LEN(upstreams); i++)
        specimen->upstreams[i] = upstreams[i];
    specimen->standing.upstreams = specimen->upstreams;
    live_through_a_day(&specimen->history);
    add_zones(specimen);
    specimen->page = (struct page){.host     = "mx1.example.net",
                                   .version  = BYWAY_VERSION,
                                   .learning = "on",
                                   .clocks   = {.now = NOW, .wall_ms = WALL_MS},
                                   .started  = NOW - (msec_t) 75 * 3600 * 1000,
                                   .standing = &specimen->standing,
                                   .history  = &specimen->history,
                                   .shown    = &specimen->shown};
}
