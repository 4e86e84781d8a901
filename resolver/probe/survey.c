/*
 * survey.c: see survey.h.
 */
#include "probe/survey.h"

#include "policy/attribution.h"

#include <stdlib.h>
#include <string.h>

struct survey {
    struct list          link;
    struct surveys      *surveys;
    struct name          zone;
    bool                 ended, alone; /* alone: nobody doubts the zone any more */
    unsigned             running;
    struct survey_result result;
    struct errand        servers;
    struct errand        hosts[2 * SURVEY_HOSTS];
};

static struct zone *entry_of(const struct survey *survey)
{
    return table_get(learner_table(survey->surveys->learner), name_view(&survey->zone), SCOPE_ZONE, 0);
}

static void drop(struct survey *survey)
{
    errand_cancel(survey->surveys->errands, &survey->servers);
    for (unsigned i = 0; i < ARRAY_LEN(survey->hosts); i++)
        errand_cancel(survey->surveys->errands, &survey->hosts[i]);
    survey->ended = true;
    survey->surveys->count--;
    list_remove(&survey->link);
    list_append(&survey->surveys->finished, &survey->link);
}

static void end(struct survey *survey)
{
    survey->ended      = true;
    struct zone *entry = entry_of(survey);
    if (entry)
        learner_place(survey->surveys->learner, entry, &survey->result);
    if (survey->alone)
        drop(survey);
}

/* ---- asking ---- */

static void add_address(struct survey *survey, const struct record *record)
{
    struct survey_result *result                 = &survey->result;
    uint8_t               address[ADDRESS_BYTES] = {[10] = 0xff, [11] = 0xff};
    bool                  v4                     = record->type == TYPE_A && record->data.len == 4;
    bool                  v6                     = record->type == TYPE_AAAA && record->data.len == ADDRESS_BYTES;
    if ((!v4 && !v6) || result->address_count >= SET_ADDRESSES)
        return;
    memcpy(v4 ? address + 12 : address, record->data.data, record->data.len);
    for (unsigned i = 0; i < result->address_count; i++)
        if (memcmp(result->addresses[i], address, ADDRESS_BYTES) == 0)
            return;
    memcpy(result->addresses[result->address_count++], address, ADDRESS_BYTES);
}

static void add_name(struct survey *survey, const struct message *reply, const struct record *record)
{
    struct survey_result *result = &survey->result;
    size_t                end_of_name;
    if (record->type == TYPE_NS && result->name_count < SURVEY_NAMES &&
        name_unpack(reply->wire, record->data_at, &result->names[result->name_count], &end_of_name))
        result->name_count++;
}

/* A nameserver below an alias has the addresses that the chain ends at (that is forbidden, and done: RFC 2181, 10.3),
 * so the owner of an address does not matter. */
static void read_reply(void *owner, struct errand *errand, const struct message *reply)
{
    struct survey *survey = owner;
    struct record  record = {0};
    while (message_next(reply, &record)) {
        if (record.section != SECTION_ANSWER || record.class != CLASS_IN)
            continue;
        if (errand == &survey->servers)
            add_name(survey, reply, &record);
        else
            add_address(survey, &record);
    }
}

static void on_done(void *owner, struct errand *errand, msec_t now);

static void ask(struct survey *survey, struct errand *errand, struct view name, uint16_t type, msec_t now)
{
    struct errands *errands  = survey->surveys->errands;
    struct setup   *setup    = errands->env->setup;
    struct group   *external = &setup->groups[SETUP_EXTERNAL];
    int             pick     = group_pick(external, 0, now);
    if (pick < 0 || !attribution_is_open(setup->policy, name) || !errand_within_quota(errands, now))
        return;
    *errand = (struct errand){
        .life    = SURVEY_LIFE,
        .resend  = SURVEY_RESEND,
        .read    = read_reply,
        .done    = on_done,
        .owner   = survey,
        .inquiry = {.type = type, .class = CLASS_IN},
    };
    name_set_lower(&errand->inquiry.name, name);
    survey->running++;
    if (!errand_start(errands, errand, external->servers[pick], now))
        survey->running--;
}

static void ask_hosts(struct survey *survey, msec_t now)
{
    for (unsigned i = 0; i < survey->result.name_count && i < SURVEY_HOSTS; i++) {
        ask(survey, &survey->hosts[2 * i], name_view(&survey->result.names[i]), TYPE_A, now);
        ask(survey, &survey->hosts[2 * i + 1], name_view(&survey->result.names[i]), TYPE_AAAA, now);
    }
}

static void on_done(void *owner, struct errand *errand, msec_t now)
{
    struct survey *survey = owner;
    if (errand == &survey->servers) {
        survey_result_sort(&survey->result);
        if (!learner_knows_set(survey->surveys->learner, &survey->result))
            ask_hosts(survey, now);
    }
    if (--survey->running == 0)
        end(survey);
}

static struct survey *find(const struct surveys *surveys, struct view zone)
{
    LIST_EACH (item, next, &surveys->list) {
        struct survey *survey = CONTAINER_OF(item, struct survey, link);
        if (name_equal(name_view(&survey->zone), zone))
            return survey;
    }
    return NULL;
}

/* ---- public ---- */

void surveys_init(struct surveys *surveys)
{
    list_init(&surveys->list);
    list_init(&surveys->finished);
}

void surveys_begin(struct surveys *surveys, struct view zone, msec_t now)
{
    if (surveys->count >= LIMIT_CONFIRMATIONS || find(surveys, zone))
        return;
    struct survey *survey = calloc(1, sizeof(*survey));
    if (!survey)
        return;
    survey->surveys = surveys;
    name_set_lower(&survey->zone, zone);
    list_append(&surveys->list, &survey->link);
    surveys->count++;
    surveys->stats->surveys++;
    survey->running++; /* it does not end while this goes on */
    ask(survey, &survey->servers, zone, TYPE_NS, now);
    if (--survey->running == 0)
        end(survey);
}

const struct survey_result *surveys_result(const struct surveys *surveys, struct view zone)
{
    const struct survey *survey = find(surveys, zone);
    return survey && survey->ended ? &survey->result : NULL;
}

void surveys_settle(struct surveys *surveys, struct view zone, struct zone *entry)
{
    struct survey *survey = find(surveys, zone);
    if (!survey)
        return;
    if (entry && survey->ended)
        learner_place(surveys->learner, entry, &survey->result);
    survey->alone = true;
    if (!entry || survey->ended)
        drop(survey);
}

void surveys_tend(struct surveys *surveys)
{
    LIST_EACH (item, next, &surveys->finished) {
        list_remove(item);
        free(CONTAINER_OF(item, struct survey, link));
    }
}

void surveys_clear(struct surveys *surveys)
{
    LIST_EACH (item, next, &surveys->list)
        drop(CONTAINER_OF(item, struct survey, link));
    surveys_tend(surveys);
}
