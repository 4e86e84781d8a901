/*
 * status_page.c: see status_page.h.
 */
#include "server/status_page.h"

#include "dns/slip.h"
#include "observe/page.h"
#include "server/clock.h"
#include "server/day.h"
#include "server/keeper.h"
#include "stream/remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEP      = 500,  /* zones in one turn of the loop: 0.1 ms */
    UNDER_MAX = 1024, /* bytes of what is searched for: a name in its longest form fits */
    HOST_MAX  = 256
};

/* A page that somebody waits for. */
struct gathering {
    struct list      link;
    struct daemon   *daemon;
    struct web_call *call;
    size_t           at;               /* in the table */
    bool             searches;         /* for what `under` says */
    char             under[UNDER_MAX]; /* as it was typed */
    char             wrong[SLIP_WHY_MAX];
    struct name      name;
    struct shown     shown;
};

/* ---- zones ---- */

/* What was searched for, what is below it, and what it is below. Without a search all that an operator may have to do
 * with: suspicions come and go by themselves, and who is proved fine is so. */
static bool is_wanted(const struct gathering *gathering, const struct zone *zone)
{
    struct view name = zone_name(zone), wanted = name_view(&gathering->name);
    if (gathering->searches)
        return name_is_at_or_below(name, wanted) || name_is_at_or_below(wanted, name);
    return zone->pin != PIN_NONE || zone_diverts(zone) || zone->condition.state == ZONE_BROKEN;
}

static void take_zone(void *context, struct zone *zone)
{
    struct gathering *gathering = context;
    if (is_wanted(gathering, zone))
        shown_take(&gathering->shown, zone);
}

/* ---- the rest ---- */

static struct standing_upstream upstream_of(const struct daemon *daemon, const struct server *server, unsigned group)
{
    const struct rtt *rtt = &server->rtt[server->tcp_only ? TRANSPORT_TCP : TRANSPORT_UDP];
    return (struct standing_upstream){.group       = group,
                                      .health      = server_health(server),
                                      .outdone     = server_is_outdone(server),
                                      .loops       = server->loops,
                                      .tainted     = server_is_tainted(server, daemon->now),
                                      .round_trip  = rtt_known(rtt) ? rtt_smoothed(rtt) : -1,
                                      .last_answer = atomic_load(&server->last_answer)};
}

struct texts { /* of an upstream */
    char                 name[WAY_TEXT_MAX];
    struct remote_report report;
};

static void add_upstreams(const struct daemon *daemon, struct standing *standing, struct texts *texts)
{
    const struct setup *setup = daemon->setup;
    for (unsigned i = 0; i < setup->group_count; i++) {
        standing->groups[i] = setup->groups[i].name;
        for (unsigned j = 0; j < setup->groups[i].count; j++, texts++) {
            const struct server      *server   = setup->groups[i].servers[j];
            struct standing_upstream *upstream = &standing->upstreams[standing->upstream_count++];
            *upstream                          = upstream_of(daemon, server, i);
            upstream->name                     = way_format(remote_way(server->remote), texts->name);
            remote_read(server->remote, &texts->report);
            upstream->problem = texts->report.problem;
        }
    }
    standing->group_count = setup->group_count;
}

static void add_state(const struct daemon *daemon, const struct clocks *clocks, struct standing *standing)
{
    struct learner_counts zones = learner_count(daemon->learner);
    struct store_stats    store;
    store_read_stats(daemon->store, &store);
    standing->blocked       = zones.states[ZONE_BLOCKED];
    standing->recovering    = zones.states[ZONE_RECOVERING];
    standing->broken        = zones.states[ZONE_BROKEN];
    standing->suspect       = zones.states[ZONE_SUSPECT];
    standing->pins          = zones.pins;
    standing->state_failing = store.failing;
    standing->control_lost  = daemon->control_lost;
    standing->canary_blind  = daemon->setup->canary && forging_is_blind(daemon->shared.forging);
    standing->reload_failed = daemon->reload_failed;
    standing->read_at       = clocks_msec(clocks, daemon->read_at);
}

/* What there is room for is at hand for one page at a time. */
struct board {
    struct standing          standing;
    struct standing_upstream upstreams[LIMIT_GROUPS * LIMIT_GROUP];
    struct texts             texts[LIMIT_GROUPS * LIMIT_GROUP];
};

static void write_page(struct gathering *gathering, struct board *board, struct sheet *sheet)
{
    static const char *const learning[] = {
        [LEARNING_ON] = "on", [LEARNING_OBSERVE] = "observe", [LEARNING_OFF] = "off"};
    struct daemon *daemon         = gathering->daemon;
    char           host[HOST_MAX] = "";
    struct page    page           = {.host     = host,
                                     .version  = BYWAY_VERSION,
                                     .learning = learning[daemon->settings->learning],
                                     .clocks   = clock_both(),
                                     .started  = daemon->started,
                                     .standing = &board->standing,
                                     .history  = &daemon->history,
                                     .under    = gathering->under[0] ? gathering->under : NULL,
                                     .wrong    = gathering->wrong[0] ? gathering->wrong : NULL,
                                     .shown    = &gathering->shown};
    gethostname(host, sizeof(host) - 1);
    board->standing.upstreams = board->upstreams;
    add_upstreams(daemon, &board->standing, board->texts);
    add_state(daemon, &page.clocks, &board->standing);
    day_bring_up(daemon);
    page_write(sheet, &page);
}

static const struct web_header headers[] = {{"Content-Type", PAGE_TYPE},
                                            {"Content-Security-Policy", PAGE_POLICY},
                                            {"X-Content-Type-Options", "nosniff"},
                                            {"Referrer-Policy", "no-referrer"},
                                            {"Cross-Origin-Resource-Policy", "same-origin"},
                                            {"Cache-Control", "no-store"},
                                            {0}};

static void finish(struct gathering *gathering)
{
    struct sheet  sheet = {.most = LIMIT_WEB_PAGE};
    struct board *board = calloc(1, sizeof(*board));
    shown_sort(&gathering->shown);
    if (board)
        write_page(gathering, board, &sheet);
    else
        sheet.failed = true;
    free(board);
    web_reply_sheet(gathering->call, &sheet, headers);
}

/* ---- turns ---- */

static void leave(struct gathering *gathering)
{
    struct daemon *daemon = gathering->daemon;
    list_remove(&gathering->link);
    free(gathering);
    if (list_empty(&daemon->gatherings))
        uv_idle_stop(&daemon->gather_turn);
}

static void on_gone(void *cookie) { leave(cookie); }

/* One step for the one who has waited longest since his last. */
static void on_turn(uv_idle_t *turn)
{
    struct daemon    *daemon    = turn->data;
    struct gathering *gathering = CONTAINER_OF(daemon->gatherings.next, struct gathering, link);
    keeper_begin(daemon);
    if (table_walk(daemon->shared.table, &gathering->at, STEP, take_zone, gathering)) {
        list_remove(&gathering->link);
        list_append(&daemon->gatherings, &gathering->link);
        return;
    }
    finish(gathering);
    leave(gathering);
}

/* Without the blanks round it, which come with what is pasted. What is no text is no name either; the page shows it up
 * to there. */
static void read_under(struct gathering *gathering, struct view under)
{
    while (under.len > 0 && under.data[0] == ' ')
        under = (struct view){under.data + 1, under.len - 1};
    while (under.len > 0 && under.data[under.len - 1] == ' ')
        under.len--;
    size_t len = under.len < UNDER_MAX ? under.len : UNDER_MAX - 1;
    if (under.data)
        memcpy(gathering->under, under.data, len);
    if (under.len == 0)
        return;
    if (strlen(gathering->under) != under.len)
        snprintf(gathering->wrong, sizeof(gathering->wrong), "longer than a name can be, or with a zero byte");
    else
        gathering->searches = name_read(gathering->under, &gathering->name, gathering->wrong);
}

void status_page_reply(struct daemon *daemon, struct web_call *call, struct view under)
{
    struct gathering *gathering = calloc(1, sizeof(*gathering));
    if (!gathering) {
        web_reply_sheet(call, &(struct sheet){.failed = true}, NULL);
        return;
    }
    gathering->daemon = daemon;
    gathering->call   = call;
    read_under(gathering, under);
    if (list_empty(&daemon->gatherings))
        uv_idle_start(&daemon->gather_turn, on_turn);
    list_append(&daemon->gatherings, &gathering->link);
    web_keep(call, on_gone, gathering);
}

void status_page_open(struct daemon *daemon)
{
    uv_idle_init(&daemon->loop, &daemon->gather_turn);
    daemon->gather_turn.data = daemon;
    list_init(&daemon->gatherings);
}
