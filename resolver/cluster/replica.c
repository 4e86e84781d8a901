/*
 * replica.c: see replica.h. A hash table of zones' names; each has a list of what is stated of it, of all scopes and
 * kinds, which is short: a few nodes' evidence, a pin, a forget.
 */
#include "cluster/replica.h"

#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_FIRST = 1024, /* a power of two */
    STEP_CHAINS   = 64,   /* empty chains that a walk passes in the time of one statement */
};

struct subject { /* a zone's name, and what is stated of it */
    struct subject *chain;
    uint64_t        hash;
    struct list     entries;
    uint8_t         name_len;
    uint8_t         name[];
};

struct entry {
    struct list      link;   /* in its subject's */
    struct list      unseen; /* in the replica's, or in itself */
    struct subject  *subject;
    struct statement is; /* its views point here below, its id's name at the subject's, its node at the replica's */
    unsigned         node;
    uint8_t          bytes[];
};

struct node {
    struct replica_node_counts counts;
    uint8_t                    len;
    char                       name[STATEMENT_NODE_MAX];
};

struct replica {
    struct hash_key  key;
    struct subject **buckets;
    size_t           mask, subjects, max;
    struct stamp     last; /* of all that was merged, and of its own */
    struct list      unseen;
    unsigned         node_count;
    struct node      nodes[REPLICA_NODES]; /* the first is this one */
    uint8_t          vantage_len;
    char             vantage[STATEMENT_NODE_MAX];
};

static struct view node_view(const struct node *node) { return (struct view){(const uint8_t *) node->name, node->len}; }

static bool same_text(struct view a, struct view b) { return a.len == b.len && memcmp(a.data, b.data, a.len) == 0; }

struct view replica_vantage(const struct replica *replica)
{
    return (struct view){(const uint8_t *) replica->vantage, replica->vantage_len};
}

struct view replica_node(const struct replica *replica) { return node_view(&replica->nodes[0]); }

/* NULL: it is not known. */
static struct node *find_node(const struct replica *replica, struct view name)
{
    for (unsigned i = 0; i < replica->node_count; i++)
        if (same_text(node_view(&replica->nodes[i]), name))
            return (struct node *) &replica->nodes[i];
    return NULL;
}

/* NULL: there are too many. */
static struct node *get_node(struct replica *replica, struct view name)
{
    struct node *node = find_node(replica, name);
    if (node || replica->node_count == REPLICA_NODES)
        return node;
    node      = &replica->nodes[replica->node_count++];
    node->len = (uint8_t) name.len;
    memcpy(node->name, name.data, name.len);
    return node;
}

struct replica_node_counts replica_counts(const struct replica *replica, struct view node)
{
    const struct node *found = find_node(replica, node);
    return found ? found->counts : (struct replica_node_counts){0};
}

struct replica *replica_create(struct hash_key key, struct view vantage, struct view node, size_t max)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    if (!replica)
        return NULL;
    list_init(&replica->unseen);
    replica->key         = key;
    replica->max         = max;
    replica->mask        = BUCKETS_FIRST - 1;
    replica->vantage_len = (uint8_t) vantage.len;
    memcpy(replica->vantage, vantage.data, vantage.len);
    replica->buckets = calloc(BUCKETS_FIRST, sizeof(replica->buckets[0]));
    if (!replica->buckets) {
        free(replica);
        return NULL;
    }
    get_node(replica, node);
    return replica;
}

static void drop_entry(struct replica *replica, struct entry *entry)
{
    if (entry->is.kind == STATEMENT_EVIDENCE)
        replica->nodes[entry->node].counts.zones--;
    list_remove(&entry->link);
    list_remove(&entry->unseen);
    free(entry);
}

void replica_destroy(struct replica *replica)
{
    if (!replica)
        return;
    for (size_t i = 0; i <= replica->mask; i++)
        for (struct subject *subject = replica->buckets[i], *next; subject; subject = next) {
            next = subject->chain;
            LIST_EACH (item, after, &subject->entries)
                free(CONTAINER_OF(item, struct entry, link));
            free(subject);
        }
    free(replica->buckets);
    free(replica);
}

/* ---- subjects ---- */

static struct subject *find_subject(const struct replica *replica, struct view zone)
{
    uint64_t        hash    = name_hash(replica->key, zone);
    struct subject *subject = replica->buckets[hash & replica->mask];
    while (subject && (subject->hash != hash || !name_equal((struct view){subject->name, subject->name_len}, zone)))
        subject = subject->chain;
    return subject;
}

/* Without memory the chains only get longer. */
static void grow(struct replica *replica)
{
    size_t           size    = (replica->mask + 1) * 2;
    struct subject **buckets = calloc(size, sizeof(buckets[0]));
    if (!buckets)
        return;
    for (size_t i = 0; i <= replica->mask; i++)
        for (struct subject *subject = replica->buckets[i], *next; subject; subject = next) {
            next                                = subject->chain;
            subject->chain                      = buckets[subject->hash & (size - 1)];
            buckets[subject->hash & (size - 1)] = subject;
        }
    free(replica->buckets);
    replica->buckets = buckets;
    replica->mask    = size - 1;
}

static struct subject *get_subject(struct replica *replica, struct view zone)
{
    struct subject *subject = find_subject(replica, zone);
    if (subject)
        return subject;
    if (replica->subjects > replica->mask)
        grow(replica);
    subject = malloc(sizeof(*subject) + zone.len);
    if (!subject)
        return NULL;
    subject->hash     = name_hash(replica->key, zone);
    subject->name_len = (uint8_t) zone.len;
    memcpy(subject->name, zone.data, zone.len);
    list_init(&subject->entries);
    subject->chain                                  = replica->buckets[subject->hash & replica->mask];
    replica->buckets[subject->hash & replica->mask] = subject;
    replica->subjects++;
    return subject;
}

static void drop_if_empty(struct replica *replica, struct subject *subject)
{
    if (!list_empty(&subject->entries))
        return;
    struct subject **at = &replica->buckets[subject->hash & replica->mask];
    while (*at != subject)
        at = &(*at)->chain;
    *at = subject->chain;
    replica->subjects--;
    free(subject);
}

/* ---- merging ---- */

static bool is_ahead(struct stamp stamp, uint64_t wall_ms)
{
    return stamp.ms > wall_ms && stamp.ms - wall_ms > REPLICA_AHEAD;
}

static bool is_expired(const struct statement *is, uint64_t wall_ms)
{
    if (wall_ms < REPLICA_LIFE)
        return false;
    uint64_t since = is->stamp.ms;
    if (is->kind == STATEMENT_PIN && is->pin != PIN_NONE) {
        if (is->until == WALL_NEVER)
            return false;
        since = is->until <= 0 ? 0 : (uint64_t) is->until * 1000;
    }
    return since < wall_ms - REPLICA_LIFE;
}

static int order(const struct statement *a, const struct statement *b)
{
    return statement_compare(a->stamp, a->node, b->stamp, b->node);
}

static bool is_about(const struct statement *is, enum statement_kind kind, const struct zone_id *id)
{
    return is->kind == kind && is->id.scope == id->scope && is->id.type == id->type;
}

/* The one whose place a statement would take. */
static struct entry *find_entry(const struct subject *subject, const struct statement *statement)
{
    LIST_EACH (item, next, &subject->entries) {
        struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (is_about(&entry->is, statement->kind, &statement->id) &&
            (statement->kind != STATEMENT_EVIDENCE || same_text(entry->is.node, statement->node)))
            return entry;
    }
    return NULL;
}

static const struct statement *find_kind(const struct replica *replica, enum statement_kind kind, struct view zone)
{
    const struct subject *subject = find_subject(replica, zone);
    const struct zone_id  id      = {.scope = SCOPE_ZONE};
    if (!subject)
        return NULL;
    LIST_EACH (item, next, &subject->entries) {
        const struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (is_about(&entry->is, kind, &id))
            return &entry->is;
    }
    return NULL;
}

static struct view copy(uint8_t **at, struct view bytes)
{
    struct view ret = {*at, bytes.len};
    if (bytes.len > 0)
        memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return ret;
}

static struct entry *make_entry(struct replica *replica, struct subject *subject, const struct node *node,
                                const struct statement *statement)
{
    struct entry *entry = malloc(sizeof(*entry) + statement->asked.len + statement->note.len);
    if (!entry)
        return NULL;
    uint8_t *at       = entry->bytes;
    entry->is         = *statement;
    entry->is.asked   = copy(&at, statement->asked);
    entry->is.note    = copy(&at, statement->note);
    entry->is.id.name = (struct view){subject->name, subject->name_len};
    entry->is.node    = node_view(node);
    entry->is.vantage = statement->vantage.len > 0 ? replica_vantage(replica) : (struct view){0};
    entry->node       = (unsigned) (node - replica->nodes);
    entry->subject    = subject;
    list_init(&entry->unseen);
    list_append(&subject->entries, &entry->link);
    return entry;
}

static void mark(struct replica *replica, struct entry *entry, bool seen)
{
    list_remove(&entry->unseen);
    if (!seen)
        list_append(&replica->unseen, &entry->unseen);
}

/* What was stated before it counts no more. */
static void forget_older(struct replica *replica, const struct entry *forget)
{
    LIST_EACH (item, next, &forget->subject->entries) {
        struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (entry->is.kind == STATEMENT_EVIDENCE && order(&entry->is, &forget->is) < 0)
            drop_entry(replica, entry);
    }
}

static enum merged refusal(const struct replica *replica, const struct statement *statement, uint64_t wall_ms)
{
    if (statement->vantage.len > 0 && !same_text(statement->vantage, replica_vantage(replica)))
        return MERGED_FOREIGN;
    if (is_ahead(statement->stamp, wall_ms))
        return MERGED_AHEAD;
    if (is_expired(statement, wall_ms))
        return MERGED_EXPIRED;
    const struct statement *forget = find_kind(replica, STATEMENT_FORGET, statement->id.name);
    if (statement->kind == STATEMENT_EVIDENCE && forget && order(statement, forget) < 0)
        return MERGED_OLD;
    return MERGED_NEWS;
}

static enum merged refuse(struct replica *replica, const struct statement *statement, enum merged why, uint64_t wall_ms)
{
    struct node *node = why == MERGED_AHEAD ? get_node(replica, statement->node) : NULL;
    if (node) {
        node->counts.ahead++;
        node->counts.ahead_ms = statement->stamp.ms - wall_ms;
    }
    return why;
}

/* Its own is bounded by what it learns. */
static size_t room_of(const struct replica *replica, const struct node *node)
{
    return node == &replica->nodes[0] ? SIZE_MAX : replica->max / 2;
}

static enum merged add(struct replica *replica, struct node *node, const struct statement *statement, bool seen)
{
    struct subject *subject = get_subject(replica, statement->id.name);
    if (!subject)
        return MERGED_FULL;
    struct entry *there = find_entry(subject, statement);
    int           later = there ? order(statement, &there->is) : 1;
    if (later <= 0) {
        if (later == 0)
            mark(replica, there, seen || list_empty(&there->unseen));
        return later == 0 ? MERGED_KNOWN : MERGED_OLD;
    }
    struct entry *entry = NULL;
    if (statement->kind != STATEMENT_EVIDENCE || there || node->counts.zones < room_of(replica, node))
        entry = make_entry(replica, subject, node, statement);
    if (!entry) {
        node->counts.full++;
        drop_if_empty(replica, subject);
        return MERGED_FULL;
    }
    if (statement->kind == STATEMENT_EVIDENCE)
        node->counts.zones++;
    if (there)
        drop_entry(replica, there);
    mark(replica, entry, seen);
    if (statement->kind == STATEMENT_FORGET)
        forget_older(replica, entry);
    return MERGED_NEWS;
}

enum merged replica_merge(struct replica *replica, const struct statement *statement, bool seen, uint64_t wall_ms)
{
    enum merged why = refusal(replica, statement, wall_ms);
    if (why != MERGED_NEWS)
        return refuse(replica, statement, why, wall_ms);
    struct node *node = get_node(replica, statement->node);
    if (!node)
        return MERGED_FULL;
    if (statement->stamp.ms > replica->last.ms ||
        (statement->stamp.ms == replica->last.ms && statement->stamp.count > replica->last.count))
        replica->last = statement->stamp;
    return add(replica, node, statement, seen);
}

struct stamp replica_stamp(struct replica *replica, uint64_t wall_ms)
{
    if (wall_ms > replica->last.ms || is_ahead(replica->last, wall_ms))
        replica->last = (struct stamp){.ms = wall_ms};
    else if (replica->last.count == UINT32_MAX)
        replica->last = (struct stamp){.ms = replica->last.ms + 1};
    else
        replica->last.count++;
    return replica->last;
}

/* ---- what follows ---- */

struct replica_judgement replica_judge(const struct replica *replica, const struct zone_id *id, unsigned recover_after)
{
    const struct subject    *subject = find_subject(replica, id->name);
    const struct statement  *failure = NULL;
    struct replica_judgement ret     = {0};
    unsigned                 good    = 0;
    if (!subject)
        return ret;
    LIST_EACH (item, next, &subject->entries) {
        const struct statement *is = &CONTAINER_OF(item, struct entry, link)->is;
        if (is_about(is, STATEMENT_EVIDENCE, id) && is->good == 0 && (!failure || order(is, failure) > 0))
            failure = is;
    }
    LIST_EACH (item, next, &subject->entries) {
        const struct statement *is = &CONTAINER_OF(item, struct entry, link)->is;
        if (is_about(is, STATEMENT_EVIDENCE, id) && is->good > 0 && (!failure || order(is, failure) > 0))
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
    const struct subject *subject = find_subject(replica, zone);
    if (!subject)
        return false;
    LIST_EACH (item, next, &subject->entries)
        if (CONTAINER_OF(item, struct entry, link)->is.kind == STATEMENT_EVIDENCE)
            return true;
    return false;
}

/* ---- all of it ---- */

/* Calls `each` for the entries of the next chains; it may drop the one that it is given. */
static bool step(struct replica *replica, size_t *at, size_t most, void (*each)(void *context, struct entry *entry),
                 void *context)
{
    size_t done = 0, empty = 0;
    while (*at <= replica->mask && done + empty / STEP_CHAINS < most) {
        struct subject *subject = replica->buckets[(*at)++];
        empty += subject == NULL;
        for (struct subject *next; subject; subject = next) {
            next = subject->chain;
            LIST_EACH (item, after, &subject->entries) {
                each(context, CONTAINER_OF(item, struct entry, link));
                done++;
            }
            drop_if_empty(replica, subject);
        }
    }
    return *at <= replica->mask;
}

struct visit {
    replica_visit_fn visit;
    void            *context;
};

static void visit_entry(void *context, struct entry *entry)
{
    const struct visit *visit = context;
    visit->visit(visit->context, &entry->is);
}

bool replica_walk(struct replica *replica, size_t *at, size_t most, replica_visit_fn visit, void *context)
{
    struct visit with = {.visit = visit, .context = context};
    return step(replica, at, most, visit_entry, &with);
}

static void unsee_entry(void *context, struct entry *entry) { mark(context, entry, false); }

void replica_unsee(struct replica *replica)
{
    size_t at = 0;
    while (step(replica, &at, SIZE_MAX, unsee_entry, replica))
        ;
}

bool replica_unseen(const struct replica *replica, struct statement *ret)
{
    if (list_empty(&replica->unseen))
        return false;
    *ret = CONTAINER_OF(replica->unseen.next, struct entry, unseen)->is;
    return true;
}

void replica_saw(struct replica *replica) { list_remove(replica->unseen.next); }

struct sweep {
    struct replica *replica;
    uint64_t        wall_ms;
};

static void sweep_entry(void *context, struct entry *entry)
{
    const struct sweep *sweep   = context;
    struct replica     *replica = sweep->replica;
    bool                ahead   = is_ahead(entry->is.stamp, sweep->wall_ms);
    if (ahead && entry->node == 0) {
        entry->is.stamp = replica_stamp(replica, sweep->wall_ms);
        mark(replica, entry, false);
    } else if (ahead || is_expired(&entry->is, sweep->wall_ms)) {
        drop_entry(replica, entry);
    }
}

bool replica_sweep(struct replica *replica, size_t *at, size_t most, uint64_t wall_ms)
{
    struct sweep sweep = {.replica = replica, .wall_ms = wall_ms};
    return step(replica, at, most, sweep_entry, &sweep);
}
