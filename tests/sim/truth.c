/*
 * truth.c: see truth.h. Numbers of zones: forward ones, their delegated children, reverse zones, the providers' own, a
 * blocklist, the rest of the world.
 */
#include "sim/truth.h"

#include "dns/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MINUTE    = 60 * 1000,
    HOUR      = 60 * MINUTE,
    DAY       = 24 * HOUR,
    INTERVALS = 6, /* blocks of one provider or zone */
    EVENTS    = 64 /* outages of one sort */
};

const char *const kind_words[KINDS] = {"healthy",  "slow",     "lossy",    "broken",
                                       "filtered", "one name", "one type", "flapping"};

const char *const outage_words[OUTAGES] = {"silent-1",     "refuses-1",  "fails-1",    "silent",  "external-1",
                                           "external",     "link",       "refuses",    "limited", "fails",
                                           "rate-refuses", "rate-fails", "rate-drops", "root"};

struct interval {
    msec_t from, to;
    double severity;
};

struct blocks {
    struct interval list[INTERVALS];
    unsigned        count;
};

struct truth {
    uint64_t        seed;
    unsigned        zones, providers;
    msec_t          length;
    bool            forging;
    struct blocks  *provider; /* by provider */
    struct blocks  *own;      /* by forward zone */
    struct interval outages[OUTAGES][EVENTS];
    unsigned        outage_count[OUTAGES];
};

uint64_t sim_hash(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t x = a * 0x9e3779b97f4a7c15u ^ b * 0xc2b2ae3d27d4eb4fu ^ c * 0x165667b19e3779f9u;
    for (int i = 0; i < 2; i++) {
        x ^= x >> 32;
        x *= 0xd6e8feb86659fd93u;
    }
    return x ^ x >> 32;
}

static double unit(uint64_t hash) { return (double) (hash >> 11) / (double) ((uint64_t) 1 << 53); }

uint64_t truth_draw(const struct truth *truth, uint32_t zone, unsigned salt)
{
    return sim_hash(truth->seed, zone, salt);
}

/* ---- the numbering ---- */

static uint32_t first_child(const struct truth *truth) { return truth->zones; }
static uint32_t first_reverse(const struct truth *truth) { return 2 * truth->zones; }
static uint32_t first_provider(const struct truth *truth) { return first_reverse(truth) + truth->providers; }
uint32_t        truth_blocklist(const struct truth *truth) { return first_provider(truth) + truth->providers; }
unsigned        truth_zones(const struct truth *truth) { return truth_blocklist(truth) + 2; }

unsigned truth_provider(const struct truth *truth, uint32_t zone)
{
    if (zone >= first_provider(truth))
        return (zone - first_provider(truth)) % truth->providers;
    if (zone >= first_reverse(truth))
        return zone - first_reverse(truth);
    double u = unit(truth_draw(truth, zone, 1));
    return (unsigned) (u * u * u * truth->providers); /* a few hosts have most zones */
}

static bool provider_foreign(const struct truth *truth, unsigned provider)
{
    return sim_hash(truth->seed, provider, 2) % 100 < 70;
}

bool truth_foreign(const struct truth *truth, uint32_t zone)
{
    return zone < truth_blocklist(truth) && provider_foreign(truth, truth_provider(truth, zone));
}

enum kind_of_zone truth_kind(const struct truth *truth, uint32_t zone)
{
    if (zone >= truth->zones)
        return KIND_HEALTHY;
    unsigned draw    = truth_draw(truth, zone, 3) % 1000;
    bool     foreign = truth_foreign(truth, zone);
    return draw < 20              ? KIND_SLOW
           : draw < 30            ? KIND_LOSSY
           : draw < 40            ? KIND_BROKEN
           : draw < 50 && foreign ? KIND_FILTERED
           : draw < 55 && foreign ? KIND_ONE_NAME
           : draw < 58            ? KIND_ONE_TYPE
           : draw < 60 && foreign ? KIND_FLAPPING
                                  : KIND_HEALTHY;
}

/* ---- blocks ---- */

static void add_block(struct blocks *blocks, msec_t from, msec_t length)
{
    if (blocks->count < INTERVALS)
        blocks->list[blocks->count++] = (struct interval){from, from + length};
}

/* From two hours to twenty days, short ones likelier. */
static msec_t block_length(uint64_t hash)
{
    double u = unit(hash);
    return 2 * HOUR + (msec_t) (u * u * u * 20 * DAY);
}

static void draw_blocks(struct truth *truth)
{
    for (unsigned p = 0; p < truth->providers; p++) {
        uint64_t draw = sim_hash(truth->seed, p, 4);
        if (provider_foreign(truth, p) && draw % 1000 < 50)
            add_block(&truth->provider[p], (msec_t) (unit(sim_hash(truth->seed, p, 5)) * (double) truth->length),
                      block_length(sim_hash(truth->seed, p, 6)));
    }
    for (unsigned event = 0; event < 3; event++) { /* the border changes */
        msec_t from   = (msec_t) ((0.2 + 0.25 * event) * (double) truth->length);
        msec_t length = 3 * HOUR + (msec_t) (unit(sim_hash(truth->seed, event, 7)) * 2 * DAY);
        for (unsigned p = 0; p < truth->providers; p++)
            if (provider_foreign(truth, p) && sim_hash(truth->seed, p, 100 + event) % 1000 < 60)
                add_block(&truth->provider[p], from + (msec_t) (sim_hash(truth->seed, p, 8) % MINUTE), length);
    }
    for (uint32_t z = 0; z < truth->zones; z++) {
        enum kind_of_zone kind = truth_kind(truth, z);
        for (unsigned i = 0; (kind == KIND_FILTERED || kind == KIND_ONE_NAME) && i < 3; i++)
            add_block(&truth->own[z], (msec_t) (unit(truth_draw(truth, z, 10 + i)) * (double) truth->length),
                      block_length(truth_draw(truth, z, 20 + i)));
    }
}

static bool within(const struct blocks *blocks, msec_t now)
{
    for (unsigned i = 0; i < blocks->count; i++)
        if (now >= blocks->list[i].from && now < blocks->list[i].to)
            return true;
    return false;
}

static bool own_block(const struct truth *truth, uint32_t zone, msec_t now)
{
    return zone < truth->zones && within(&truth->own[zone], now);
}

static bool flaps(const struct truth *truth, uint32_t zone, msec_t now)
{
    return truth_kind(truth, zone) == KIND_FLAPPING &&
           (now + (msec_t) (truth_draw(truth, zone, 9) % DAY)) / (3 * HOUR) % 2;
}

/* Its delegated child is matched by the same rule. */
bool truth_censored(const struct truth *truth, uint32_t zone)
{
    if (zone >= truth->zones)
        zone -= truth->zones;
    if (!truth->forging || zone >= truth->zones || truth_kind(truth, zone) != KIND_HEALTHY)
        return false;
    return truth_draw(truth, zone, 50) % 1000 < (truth_foreign(truth, zone) ? 10 : 5);
}

bool truth_zone_blocked(const struct truth *truth, uint32_t zone, msec_t now)
{
    if (zone >= truth_blocklist(truth))
        return false;
    if (truth_censored(truth, zone) && truth_foreign(truth, zone))
        return true;
    return within(&truth->provider[truth_provider(truth, zone)], now) || flaps(truth, zone, now) ||
           (truth_kind(truth, zone) == KIND_FILTERED && own_block(truth, zone, now));
}

bool truth_blocked(const struct truth *truth, const struct subject *subject, msec_t now)
{
    enum kind_of_zone kind = truth_kind(truth, subject->zone);
    if (kind == KIND_ONE_TYPE && subject->type == 28)
        return true;
    if (kind == KIND_ONE_NAME && subject->mail && own_block(truth, subject->zone, now))
        return true;
    return truth_zone_blocked(truth, subject->zone, now);
}

static void last_end(const struct blocks *blocks, msec_t now, msec_t *end)
{
    for (unsigned i = 0; i < blocks->count; i++)
        if (blocks->list[i].from <= now && blocks->list[i].to > *end)
            *end = blocks->list[i].to;
}

msec_t truth_block_end(const struct truth *truth, uint32_t zone, msec_t now)
{
    msec_t end = 0;
    if (zone >= truth_blocklist(truth))
        return 0;
    last_end(&truth->provider[truth_provider(truth, zone)], now, &end);
    if (zone < truth->zones)
        last_end(&truth->own[zone], now, &end);
    if (truth_kind(truth, zone) == KIND_FLAPPING) {
        msec_t shift = (msec_t) (truth_draw(truth, zone, 9) % DAY), phase = (now + shift) / (3 * HOUR);
        msec_t flap = (phase % 2 ? phase + 1 : phase) * 3 * HOUR - shift;
        if (flap > end)
            end = flap;
    }
    return end;
}

/* ---- outages ---- */

static void draw_outages(struct truth *truth)
{
    static const struct {
        double a_month;
        msec_t least, most;
    } sorts[OUTAGES] = {
        [OUTAGE_DOMESTIC_1]   = {8, MINUTE, HOUR},
        [OUTAGE_DOMESTIC]     = {3, 10 * 1000, 5 * MINUTE},
        [OUTAGE_EXTERNAL_1]   = {8, MINUTE, HOUR},
        [OUTAGE_EXTERNAL]     = {3, 10 * 1000, 10 * MINUTE},
        [OUTAGE_LINK]         = {3, MINUTE, 20 * MINUTE},
        [OUTAGE_REFUSED]      = {10, 10 * 1000, MINUTE},
        [OUTAGE_LIMITED]      = {10, 10 * 1000, MINUTE},
        [OUTAGE_REFUSES_1]    = {4, MINUTE, 2 * HOUR},
        [OUTAGE_FAILS_1]      = {4, MINUTE, 2 * HOUR},
        [OUTAGE_FAILS]        = {20, 1000, MINUTE},
        [OUTAGE_RATE_REFUSES] = {4, 10 * MINUTE, 4 * HOUR},
        [OUTAGE_RATE_FAILS]   = {4, 10 * MINUTE, 4 * HOUR},
        [OUTAGE_RATE_DROPS]   = {4, 10 * MINUTE, 4 * HOUR},
        [OUTAGE_ROOT]         = {4, HOUR, 6 * HOUR},
    };
    static const double severities[] = {0.5, 1, 2, 5, 10};
    for (unsigned sort = 0; sort < OUTAGES; sort++) {
        double wanted = sorts[sort].a_month * (double) truth->length / (30.0 * DAY);
        for (unsigned i = 0; i < (unsigned) (wanted + 0.5) && i < EVENTS; i++) {
            msec_t from = (msec_t) (unit(sim_hash(truth->seed, sort, 1000 + i)) * (double) truth->length);
            double u    = unit(sim_hash(truth->seed, sort, 2000 + i));
            truth->outages[sort][truth->outage_count[sort]++] = (struct interval){
                from, from + sorts[sort].least + (msec_t) (u * (double) (sorts[sort].most - sorts[sort].least)),
                severities[i % ARRAY_LEN(severities)]};
        }
    }
}

static const struct interval *outage_at(const struct truth *truth, enum outage outage, msec_t now)
{
    for (unsigned i = 0; i < truth->outage_count[outage]; i++)
        if (now >= truth->outages[outage][i].from && now < truth->outages[outage][i].to)
            return &truth->outages[outage][i];
    return NULL;
}

bool truth_outage(const struct truth *truth, enum outage outage, msec_t now)
{
    return outage_at(truth, outage, now) != NULL;
}

double truth_rate(const struct truth *truth, enum outage outage, msec_t now)
{
    const struct interval *interval = outage_at(truth, outage, now);
    return interval ? interval->severity : 0;
}

bool truth_signed(const struct truth *truth, uint32_t zone) { return truth_draw(truth, zone, 43) % 5 == 0; }

/* ---- names ---- */

static const char *suffix_of(const struct truth *truth, uint32_t zone)
{
    static const char *const abroad[] = {"com", "net", "org", "de", "co.uk", "github.io", "com", "com"};
    static const char *const home[]   = {"cn", "com.cn", "com", "cn"};
    uint64_t                 draw     = truth_draw(truth, zone, 30);
    return truth_foreign(truth, zone) ? abroad[draw % 8] : home[draw % 4];
}

void truth_apex(const struct truth *truth, uint32_t zone, struct name *ret)
{
    char text[80];
    if (zone < truth->zones)
        snprintf(text, sizeof(text), "z%u.%s", zone, suffix_of(truth, zone));
    else if (zone < first_reverse(truth))
        snprintf(text, sizeof(text), "sub.z%u.%s", zone - first_child(truth),
                 suffix_of(truth, zone - first_child(truth)));
    else if (zone < first_provider(truth))
        snprintf(text, sizeof(text), "%u.%u.60.in-addr.arpa", (zone - first_reverse(truth)) % 256,
                 (zone - first_reverse(truth)) / 256);
    else if (zone < truth_blocklist(truth))
        snprintf(text, sizeof(text), "p%u.net", zone - first_provider(truth));
    else
        snprintf(text, sizeof(text), "%s", zone == truth_blocklist(truth) ? "zen.spamhaus.org" : ".");
    if (!name_parse(text, ret))
        abort();
}

uint32_t truth_child(const struct truth *truth, uint32_t zone)
{
    return zone < truth->zones && truth_draw(truth, zone, 31) % 200 == 0 ? first_child(truth) + zone : 0;
}

uint32_t truth_reverse(const struct truth *truth, uint32_t zone)
{
    return first_reverse(truth) + truth_provider(truth, zone);
}

static bool label_number(const uint8_t *label, char letter, uint32_t *number)
{
    unsigned len = label[0], at = 1;
    *number = 0;
    if (letter && (label[at++] | 0x20) != letter)
        return false;
    for (; at <= len; at++) {
        if (label[at] < '0' || label[at] > '9')
            return false;
        *number = *number * 10 + label[at] - '0';
    }
    return len > (letter ? 1u : 0u);
}

static bool label_is(const uint8_t *label, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (label[0] != len || (label[1 + i] | 0x20) != text[i])
            return false;
    return true;
}

/* Labels from the left; returns how many. */
static unsigned labels_of(struct view name, const uint8_t *labels[128])
{
    unsigned count = 0;
    for (size_t at = 0; name.data[at]; at += 1u + name.data[at])
        labels[count++] = name.data + at;
    return count;
}

static bool place(const struct truth *truth, const uint8_t **labels, unsigned count, struct subject *ret)
{
    uint32_t number, high;
    if (count >= 5 && label_is(labels[count - 1], "arpa") && label_number(labels[count - 4], 0, &high) &&
        label_number(labels[count - 5], 0, &number) && high * 256 + number < truth->providers) {
        ret->zone        = first_reverse(truth) + high * 256 + number;
        ret->apex_labels = 5;
        return true;
    }
    if (count >= 3 && label_is(labels[count - 2], "spamhaus")) {
        ret->zone        = truth_blocklist(truth);
        ret->apex_labels = 3;
        return true;
    }
    if (count >= 2 && label_is(labels[count - 1], "net") && label_number(labels[count - 2], 'p', &number) &&
        number < truth->providers) {
        ret->zone        = first_provider(truth) + number;
        ret->apex_labels = 2;
        return true;
    }
    for (unsigned i = 0; i < count; i++)
        if (label_number(labels[i], 'z', &number) && number < truth->zones) {
            bool child       = i > 0 && label_is(labels[i - 1], "sub") && truth_child(truth, number);
            ret->zone        = child ? first_child(truth) + number : number;
            ret->apex_labels = count - i + child;
            return true;
        }
    return false;
}

bool truth_subject(const struct truth *truth, struct view name, uint16_t type, struct subject *ret)
{
    const uint8_t *labels[128];
    unsigned       count = labels_of(name, labels);
    *ret                 = (struct subject){.zone = truth_blocklist(truth) + 1, .type = type};
    ret->name            = name_hash((struct hash_key){5, 6}, name);
    bool placed          = place(truth, labels, count, ret);
    ret->mail            = count > 0 && label_is(labels[0], "mail");
    bool     apex        = placed && ret->apex_labels == count;
    bool     random      = count > 0 && labels[0][0] > 12;
    uint64_t draw        = sim_hash(truth->seed, ret->name, type);
    ret->exists          = placed && !random;
    if (ret->zone == truth_blocklist(truth))
        ret->exists = apex || draw % 20 == 0;
    else if (type == 52)
        ret->exists = draw % 20 == 0;
    else if (type == 28)
        ret->exists = ret->exists && draw % 2;
    return placed;
}

/* ---- life ---- */

struct truth *truth_create(uint64_t seed, unsigned zones, msec_t length, const struct weather *weather, bool forging)
{
    struct truth *truth = calloc(1, sizeof(*truth));
    *truth              = (struct truth){
                     .seed = seed, .zones = zones, .providers = zones / 15 + 20, .length = length, .forging = forging};
    if (truth->providers > 65000)
        truth->providers = 65000;
    truth->provider = calloc(truth->providers, sizeof(*truth->provider));
    truth->own      = calloc(zones, sizeof(*truth->own));
    draw_blocks(truth);
    draw_outages(truth);
    if (weather->on) {
        truth->outages[weather->outage][0]   = (struct interval){length / 8, length / 8 * 7, weather->severity};
        truth->outage_count[weather->outage] = 1;
    }
    return truth;
}

void truth_destroy(struct truth *truth)
{
    free(truth->provider);
    free(truth->own);
    free(truth);
}
