/*
 * main.c: runs the strategies through the same month, one after the other, and reports.
 */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct strategy *const strategies[] = {&strategy_byway, &strategy_race, &strategy_fixed, &strategy_names};

/* ---- events ---- */

struct event {
    event_fn fn;
    void    *context;
    uint64_t number;
};

void sim_at(struct sim *sim, msec_t at, event_fn fn, void *context, uint64_t number)
{
    struct event *event = malloc(sizeof(*event));
    *event              = (struct event){fn, context, number};
    if (sim->agenda.count == sim->agenda_cap) {
        sim->agenda_cap   = sim->agenda_cap ? 2 * sim->agenda_cap : 1024;
        sim->agenda.items = realloc(sim->agenda.items, sim->agenda_cap * sizeof(*sim->agenda.items));
    }
    agenda_add(&sim->agenda, at, event);
}

static struct event take(struct sim *sim)
{
    struct event *event = agenda_take(&sim->agenda), copy = *event;
    free(event);
    return copy;
}

double sim_chance(struct sim *sim)
{
    return (double) (sim_hash(sim->options.seed, sim->draws++, 99) >> 11) / (double) ((uint64_t) 1 << 53);
}

void sim_answered(struct sim *sim, struct lookup *lookup, bool usable)
{
    lookup->answered = sim->now;
    lookup->usable   = usable;
    if (!sim->over)
        score_answered(sim, lookup);
    traffic_answered(sim, lookup);
}

static void run(struct sim *sim)
{
    for (;;) {
        msec_t wake  = sim->strategy->next(sim->self);
        bool   event = sim->agenda.count > 0 && agenda_next(&sim->agenda) <= wake;
        msec_t due   = event ? agenda_next(&sim->agenda) : wake;
        if (due > sim->end)
            return;
        sim->now = msec_max(sim->now, due);
        if (event) {
            struct event first = take(sim);
            first.fn(sim, first.context, first.number);
        } else {
            sim->strategy->on_time(sim->self, sim->now);
        }
    }
}

static void play(struct sim *sim, const struct strategy *strategy)
{
    struct score *score = &sim->score;
    sim->strategy       = strategy;
    sim->now            = SIM_BEGIN;
    sim->end            = SIM_BEGIN + (msec_t) (sim->options.days * 86400 * 1000);
    sim->draws = sim->agenda.order = 0;
    *score                         = (struct score){0};
    sim->seen                      = calloc(truth_zones(sim->truth), 1);
    sim->first_failed              = calloc(truth_zones(sim->truth), sizeof(*sim->first_failed));
    for (unsigned i = 0; i < 4; i++)
        sim->oracle[i / 2][i % 2] = resolver_create(sim->truth, i >= 2, i % 2, sim->options.seed + 1);
    sim->self = strategy->open(sim);
    traffic_begin(sim);
    sim->over = false;
    run(sim);
    sim->over = true;
    strategy->close(sim, sim->self);
    traffic_end();
    while (sim->agenda.count > 0)
        take(sim);
    for (unsigned i = 0; i < 4; i++)
        resolver_destroy(sim->oracle[i / 2][i % 2]);
    free(sim->seen);
    free(sim->first_failed);
}

static void free_samples(struct score *score)
{
    free(score->added);
    free(score->learn);
    free(score->recover);
}

/* ---- arguments ---- */

static const char usage[] =
    "usage: sim [--days N] [--zones N] [--lookups N] [--seed N] [--strategies all|WORD]\n"
    "           [--json FILE] [--check] [--trace] [--forging] [--weather WORD[=TIMES]]\n"
    "strategies: byway, race, fixed, names. --check: exit 1 if byway misses a target.\n"
    "--weather: this all the while, beside the usual; TIMES: how often a rate limit is asked too much.\n"
    "--forging: the border forges for some zones, abroad and at home; byway has a canary. 1 % of all packets is lost.\n"
    "--trace: each lookup and zone that counts against byway, on standard error.\n";

static bool read_weather(const char *value, struct weather *ret)
{
    const char *times = strchr(value, '=');
    size_t      len   = times ? (size_t) (times - value) : strlen(value);
    for (unsigned i = 0; i < OUTAGES; i++)
        if (strlen(outage_words[i]) == len && strncmp(outage_words[i], value, len) == 0)
            *ret = (struct weather){.on = true, .outage = (enum outage) i, .severity = times ? atof(times + 1) : 0};
    return ret->on;
}

static bool read_argument(struct options *options, const char *key, const char *value)
{
    if (!strcmp(key, "--days"))
        options->days = atof(value);
    else if (!strcmp(key, "--zones"))
        options->zones = (unsigned) atoi(value);
    else if (!strcmp(key, "--lookups"))
        options->lookups = (uint64_t) atoll(value);
    else if (!strcmp(key, "--seed"))
        options->seed = (uint64_t) atoll(value);
    else if (!strcmp(key, "--strategies"))
        options->strategies = value;
    else if (!strcmp(key, "--weather"))
        return read_weather(value, &options->weather);
    else if (!strcmp(key, "--json"))
        options->json = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static struct sim sim = {
        .options = {.seed = 1, .zones = 100000, .days = 30, .lookups = 5000000, .strategies = "all"}};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--check")) {
            sim.options.check = true;
        } else if (!strcmp(argv[i], "--trace")) {
            sim.options.trace = true;
        } else if (!strcmp(argv[i], "--forging")) {
            sim.options.forging = true;
        } else if (i + 1 >= argc || !read_argument(&sim.options, argv[i], argv[i + 1])) {
            fputs(usage, stderr);
            return 2;
        } else {
            i++;
        }
    }
    if (sim.options.zones < 100 || sim.options.days <= 0 || sim.options.lookups == 0) {
        fputs("sim: at least 100 zones, some time and some lookups\n", stderr);
        return 2;
    }
    printf("seed %llu, %u zones, %g days, %llu lookups\n", (unsigned long long) sim.options.seed, sim.options.zones,
           sim.options.days, (unsigned long long) sim.options.lookups);
    sim.truth  = truth_create(sim.options.seed, sim.options.zones, (msec_t) (sim.options.days * 86400 * 1000),
                              &sim.options.weather, sim.options.forging);
    FILE *json = sim.options.json ? fopen(sim.options.json, "w") : NULL;
    bool  met  = true;
    if (json)
        fprintf(json, "{");
    for (size_t i = 0, played = 0; i < ARRAY_LEN(strategies); i++) {
        if (strcmp(sim.options.strategies, "all") != 0 && strcmp(sim.options.strategies, strategies[i]->word) != 0)
            continue;
        clock_t began = clock();
        play(&sim, strategies[i]);
        score_print(&sim, stdout);
        printf("%12.1f  s of CPU\n", (double) (clock() - began) / CLOCKS_PER_SEC);
        if (json)
            fprintf(json, "%s", played++ ? ",\n" : "\n"), score_json(&sim, json);
        if (sim.options.check && strategies[i] == &strategy_byway)
            met = score_check(&sim);
        free_samples(&sim.score);
    }
    if (json) {
        fprintf(json, "\n}\n");
        fclose(json);
    }
    truth_destroy(sim.truth);
    free(sim.agenda.items);
    return met ? 0 : 1;
}
