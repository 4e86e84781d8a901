/*
 * judging.c: what follows from all that a replica holds of a zone: see replica.h.
 */
#include "cluster/replica_internal.h"

struct replica_judgement replica_judge(const struct replica *replica, const struct zone_id *id, unsigned recover_after)
{
    const struct subject    *subject = replica_find(replica, id->name);
    const struct statement  *failure = NULL;
    struct replica_judgement ret     = {0};
    unsigned                 good    = 0;
    if (!subject)
        return ret;
    LIST_EACH (item, next, &subject->entries) {
        const struct statement *is = &CONTAINER_OF(item, struct entry, link)->is;
        if (replica_is_about(is, STATEMENT_EVIDENCE, id) && is->good == 0 &&
            (!failure || replica_order(is, failure) > 0))
            failure = is;
    }
    LIST_EACH (item, next, &subject->entries) {
        const struct statement *is = &CONTAINER_OF(item, struct entry, link)->is;
        if (replica_is_about(is, STATEMENT_EVIDENCE, id) && is->good > 0 &&
            (!failure || replica_order(is, failure) > 0))
            good += is->good;
    }
    ret.good = good > 0;
    if (!failure)
        return ret;
    ret.blocked = good < recover_after;
    ret.failed  = failure->stamp.ms;
    ret.node    = failure->node;
    ret.failure = *failure;
    return ret;
}

static const struct statement *find_kind(const struct replica *replica, enum statement_kind kind, struct view zone)
{
    const struct subject *subject = replica_find(replica, zone);
    const struct zone_id  id      = {.scope = SCOPE_ZONE};
    if (!subject)
        return NULL;
    LIST_EACH (item, next, &subject->entries) {
        const struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (replica_is_about(&entry->is, kind, &id))
            return &entry->is;
    }
    return NULL;
}

static bool get_kind(const struct replica *replica, enum statement_kind kind, struct view zone, struct statement *ret)
{
    const struct statement *found = find_kind(replica, kind, zone);
    if (found)
        *ret = *found;
    return found;
}

bool replica_pin(const struct replica *replica, struct view zone, struct statement *ret)
{
    return get_kind(replica, STATEMENT_PIN, zone, ret);
}

bool replica_forgotten(const struct replica *replica, struct view zone, struct statement *ret)
{
    return get_kind(replica, STATEMENT_FORGET, zone, ret);
}

bool replica_knows(const struct replica *replica, struct view zone)
{
    const struct subject *subject = replica_find(replica, zone);
    if (!subject)
        return false;
    LIST_EACH (item, next, &subject->entries)
        if (CONTAINER_OF(item, struct entry, link)->is.kind == STATEMENT_EVIDENCE)
            return true;
    return false;
}

void replica_each_of(const struct replica *replica, struct view zone, replica_visit_fn visit, void *context)
{
    const struct subject *subject = replica_find(replica, zone);
    if (!subject)
        return;
    LIST_EACH (item, next, &subject->entries)
        visit(context, &CONTAINER_OF(item, struct entry, link)->is);
}
