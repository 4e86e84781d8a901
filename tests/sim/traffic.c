/*
 * traffic.c: mail. A message brings a bundle of lookups in the order in which a mail server asks them, each after the
 * answer to the one before; senders are Zipf-distributed, and there is a day and a night.
 */
#include "dns/text.h"
#include "sim/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAILS = 4096, /* under way at once; more are not accepted */
    DAY   = 86400 * 1000
};

struct mail {
    bool          open;
    uint32_t      zone, sender; /* the domain, and a number of its own */
    unsigned      step;
    bool          outbound;
    struct lookup lookup;
};

static struct mail mails[MAILS];
static double     *zipf; /* cumulated */
static unsigned    zipf_count;
static unsigned    hint; /* where an unused mail may be */

static uint32_t draw_zone(struct sim *sim)
{
    double   u   = sim_chance(sim) * zipf[zipf_count - 1];
    unsigned low = 0, high = zipf_count - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (zipf[middle] < u)
            low = middle + 1;
        else
            high = middle;
    }
    /* ranks are spread over the numbers, so that great zones are of every kind */
    return (uint32_t) (((uint64_t) low * 2654435761u + sim->options.seed) % zipf_count);
}

static bool put(struct lookup *lookup, const char *labels, const struct name *apex, uint16_t type)
{
    struct name prefix;
    lookup->subject.type = type;
    lookup->name         = *apex;
    if (!*labels)
        return true;
    if (!name_parse(labels, &prefix) || prefix.len - 1u + apex->len > NAME_WIRE_MAX)
        return false;
    memcpy(lookup->name.wire, prefix.wire, prefix.len - 1u);
    memcpy(lookup->name.wire + prefix.len - 1, apex->wire, apex->len);
    lookup->name.len = (uint8_t) (prefix.len - 1 + apex->len);
    return true;
}

/* The lookups of a message, in order. False: that was the last one. */
static bool next_question(struct sim *sim, struct mail *mail)
{
    struct lookup *lookup = &mail->lookup;
    struct name    apex, other;
    char           text[64];
    uint32_t       child = truth_child(sim->truth, mail->zone);
    truth_apex(sim->truth, child && mail->sender % 3 == 0 ? child : mail->zone, &apex);
    switch (mail->step + (mail->outbound ? 100 : 0)) {
    case 0:
        truth_apex(sim->truth, truth_reverse(sim->truth, mail->zone), &other);
        snprintf(text, sizeof(text), "%u", mail->sender % 250);
        return put(lookup, text, &other, TYPE_PTR);
    case 1:
        return put(lookup, "mail", &apex, TYPE_A);
    case 2:
        truth_apex(sim->truth, truth_blocklist(sim->truth), &other);
        snprintf(text, sizeof(text), "%u.%u.60", mail->sender % 250, mail->zone % 256);
        return put(lookup, text, &other, TYPE_A);
    case 3:
        return put(lookup, "", &apex, TYPE_MX);
    case 4:
        return put(lookup, "", &apex, TYPE_TXT);
    case 5:
        snprintf(text, sizeof(text), "s%u._domainkey", mail->sender % 2);
        return put(lookup, text, &apex, TYPE_TXT);
    case 6:
        return put(lookup, "_dmarc", &apex, TYPE_TXT);
    case 7: /* a name made up by a spammer, now and then */
        if (mail->sender % 50)
            return false;
        snprintf(text, sizeof(text), "r%015llx", (unsigned long long) sim_hash(sim->draws, 1, 2) >> 4);
        return put(lookup, text, &apex, TYPE_A);
    case 100:
        return put(lookup, "", &apex, TYPE_MX);
    case 101:
        return put(lookup, "mail", &apex, TYPE_A);
    case 102:
        return put(lookup, "mail", &apex, TYPE_AAAA);
    case 103:
        return put(lookup, "_25._tcp.mail", &apex, 52);
    default:
        return false;
    }
}

static void ask_next(struct sim *sim, void *context, uint64_t number)
{
    struct mail   *mail   = context;
    struct lookup *lookup = &mail->lookup;
    (void) number;
    if (!next_question(sim, mail)) {
        mail->open = false;
        hint       = (unsigned) (mail - mails);
        return;
    }
    uint16_t    type = lookup->subject.type;
    struct name name = lookup->name;
    *lookup = (struct lookup){.name = name, .mail = mail, .asked = sim->now, .domestic_took = -1, .open = true};
    truth_subject(sim->truth, name_view(&name), type, &lookup->subject);
    lookup->fenced = lookup->subject.zone == truth_blocklist(sim->truth);
    score_asked(sim, lookup);
    sim->strategy->ask(sim, sim->self, lookup);
}

void traffic_answered(struct sim *sim, struct lookup *lookup)
{
    lookup->open = false;
    lookup->mail->step++;
    sim_at(sim, sim->now + 5, ask_next, lookup->mail, 0);
}

struct lookup *traffic_find(const struct name *name, uint16_t type)
{
    for (unsigned i = 0; i < MAILS; i++) {
        struct lookup *lookup = &mails[i].lookup;
        if (mails[i].open && lookup->open && lookup->subject.type == type &&
            name_equal(name_view(&lookup->name), name_view(name)))
            return lookup;
    }
    return NULL;
}

static void arrive(struct sim *sim, void *context, uint64_t number)
{
    (void) context, (void) number;
    double rate = (double) sim->options.lookups / 6.6 / (double) (sim->end - SIM_BEGIN); /* messages a ms */
    double hour = 1 + 0.8 * sin((double) (sim->now % DAY) / DAY * 2 * 3.14159265);
    sim_at(sim, sim->now + (msec_t) (-log(1 - sim_chance(sim)) / (rate * hour)), arrive, NULL, 0);
    for (unsigned i = 0; i < MAILS; i++) {
        struct mail *mail = &mails[(hint + i) % MAILS];
        if (mail->open)
            continue;
        *mail        = (struct mail){.open = true, .zone = draw_zone(sim), .outbound = sim_chance(sim) < 0.15};
        mail->sender = (uint32_t) (sim_chance(sim) * 6);
        hint         = (unsigned) (mail - mails) + 1;
        ask_next(sim, mail, 0);
        return;
    }
}

void traffic_begin(struct sim *sim)
{
    memset(mails, 0, sizeof(mails));
    zipf_count = sim->options.zones;
    zipf       = calloc(zipf_count, sizeof(*zipf));
    for (unsigned i = 0; i < zipf_count; i++)
        zipf[i] = (i ? zipf[i - 1] : 0) + 1 / pow(i + 1, 0.9);
    sim_at(sim, sim->now, arrive, NULL, 0);
}

void traffic_end(void) { free(zipf); }
