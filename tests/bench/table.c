/*
 * table.c: what a learned zone costs: bytes, the time of a lookup that finds it and of one that does not, and the
 * longest the writer was busy with one zone, for a thousand to a million of them. By hand, in a release build.
 */
#include "dns/text.h"
#include "learn/learner.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOKUPS = 2000000
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static long resident(void)
{
    long  pages = 0, all;
    FILE *file  = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    (void) context, (void) zone, (void) from, (void) why, (void) removed;
}

static struct name name_of(const char *prefix, unsigned number)
{
    char        text[80];
    struct name name;
    snprintf(text, sizeof(text), "%scustomer%u.hosting%u.example", prefix, number, number % 977);
    if (!name_parse(text, &name))
        abort();
    return name;
}

static double look(const struct table *table, const char *prefix, unsigned from, unsigned zones)
{
    struct name names[4096];
    unsigned    found = 0;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        names[i] = name_of(prefix, from + (unsigned) ((uint64_t) i * 2654435761u % zones));
    double began = seconds();
    for (unsigned i = 0; i < LOOKUPS; i++)
        found += table_find(table, name_view(&names[i % ARRAY_LEN(names)]), 15).zone != NULL;
    double took = (seconds() - began) / LOOKUPS * 1e9;
    if (found != (from ? 0 : LOOKUPS))
        abort();
    return took;
}

static void measure(unsigned zones)
{
    const struct learner_limits limits = {
        .zone = {.recheck_first = 600000, .recheck_max = 86400000, .recover_after = 2}, .max_zones = zones};
    const struct learner_hooks hooks                = {.changed = on_changed};
    const uint8_t              seed[RNG_SEED_BYTES] = {1};
    long                       before               = resident();
    struct table              *table                = table_create(zones, (struct hash_key){1, 2});
    struct learner            *learner              = learner_create(table, &limits, &hooks, seed);
    double                     longest = 0, all = seconds();
    for (unsigned i = 0; i < zones; i++) {
        struct name          zone = name_of("", i), asked = name_of("mail.", i);
        const struct zone_id id    = {.name = name_view(&zone), .scope = SCOPE_ZONE};
        double               began = seconds();
        learner_apply(learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&asked), 1, (msec_t) i * 4000);
        double took = seconds() - began;
        longest     = took > longest ? took : longest;
    }
    all = seconds() - all;
    printf(
        "%9u zones  %4ld bytes each  found in %4.0f ns, not found in %4.0f ns  learned in %4.0f ns, longest %.0f us\n",
        zones, (resident() - before) / zones, look(table, "a.mail.", 0, zones), look(table, "a.mail.", zones, zones),
        all / zones * 1e9, longest * 1e6);
    learner_destroy(learner);
    table_destroy(table);
}

int main(void)
{
    for (unsigned zones = 1000; zones <= 1000000; zones *= 10)
        measure(zones);
    return 0;
}
