/*
 * forms.c: see forms.h.
 */
#include "upstream/forms.h"

#include "dns/name.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

enum {
    SLOT_SECONDS = 28, /* bits: 8 years */
    SLOT_FORM    = 3,  /* mask of the form, above these */
};

void forms_init(struct forms *forms, struct hash_key key) { forms->key = key; }

static uint64_t seconds(msec_t now) { return (uint64_t) (now / 1000) & ((UINT64_C(1) << SLOT_SECONDS) - 1); }

static uint64_t slot_value(uint64_t hash, enum form form, msec_t now)
{
    return (hash & 0xffffffff00000000u) | (uint64_t) form << SLOT_SECONDS | seconds(now);
}

static enum form form_of_name(const struct forms *forms, struct view name, msec_t now)
{
    uint64_t hash = name_hash(forms->key, name);
    uint64_t slot = GET(forms->names[hash % FORMS_SLOTS]);
    uint64_t age  = seconds(now) - (slot & ((UINT64_C(1) << SLOT_SECONDS) - 1));
    return slot != 0 && slot >> 32 == hash >> 32 && age < FORMS_LIFE / 1000
               ? (enum form)(slot >> SLOT_SECONDS & SLOT_FORM)
               : FORM_WHOLE;
}

static bool holds(msec_t since, msec_t now) { return since != 0 && now - since < FORMS_LIFE; }

enum form forms_of(const struct forms *forms, struct view name, msec_t now)
{
    enum form form = FORM_WHOLE;
    for (unsigned i = 0; i < FORM_COUNT; i++)
        if (holds(GET(forms->doubts[i].since), now))
            form = (enum form) i;
    if (form != FORM_PLAIN && holds(GET(forms->any), now)) {
        enum form own = form_of_name(forms, name, now);
        return own > form ? own : form;
    }
    return form;
}

void forms_on_need(struct forms *forms, enum form form, struct view name, msec_t now)
{
    uint64_t           hash  = name_hash(forms->key, name);
    struct form_doubt *doubt = &forms->doubts[form];
    SET(forms->names[hash % FORMS_SLOTS], slot_value(hash, form, now));
    SET(forms->any, now);
    if (GET(doubt->last) == hash && GET(doubt->names) > 0)
        return;
    SET(doubt->last, hash);
    SET(doubt->names, GET(doubt->names) + 1);
    if (GET(doubt->names) >= FORMS_NAMES)
        SET(doubt->since, now);
}

void forms_on_whole(struct forms *forms, enum form form)
{
    /* every reply says so: the line is shared, and written only if it changes */
    if (GET(forms->doubts[form].names) == 0)
        return;
    SET(forms->doubts[form].names, 0);
    SET(forms->doubts[form].since, 0);
}

void forms_set(struct forms *forms, enum form form, msec_t now)
{
    SET(forms->doubts[form].names, FORMS_NAMES);
    SET(forms->doubts[form].since, now);
}
