/*
 * replica.c: see replica.h. A hash table of zones' names; each has a list of what is stated of it, of all scopes and
 * kinds, which is short: a few nodes' evidence, a pin, a forget.
 */
#include "cluster/replica_internal.h"

#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_FIRST = 1024, /* a power of two */
    STEP_CHAINS   = 64,   /* empty chains that a walk passes in the time of one statement */
};

static struct view node_view(const struct node *node) { return (struct view){(const uint8_t *) node->name, node->len}; }

static bool same_text(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

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

/* A place for one more: that of a node of which nothing is left, if all are taken. NULL: there are too many. */
static struct node *free_node(struct replica *replica)
{
    if (replica->node_count < REPLICA_NODES)
        return &replica->nodes[replica->node_count++];
    for (unsigned i = 1; i < REPLICA_NODES; i++)
        if (replica->nodes[i].entries == 0)
            return &replica->nodes[i];
    return NULL;
}

/* NULL: there are too many. */
static struct node *get_node(struct replica *replica, struct view name)
{
    struct node *node = find_node(replica, name);
    if (node || !(node = free_node(replica)))
        return node;
    *node = (struct node){.len = (uint8_t) name.len};
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
    replica->nodes[entry->node].entries--;
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

const struct subject *replica_find(const struct replica *replica, struct view zone)
{
    return find_subject(replica, zone);
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
    subject->restamped = false;
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
    uint64_t since = wall_ms - REPLICA_LIFE;
    if (is->kind == STATEMENT_PIN && is->vantage.len > 0)
        return false; /* a pin of all vantages may stand behind it, taken back or not */
    if (is->kind == STATEMENT_PIN && is->pin != PIN_NONE)
        return is->until < (wall_t) (since / 1000);
    return is->stamp.ms < since;
}

int replica_order(const struct statement *a, const struct statement *b)
{
    uint8_t a_bytes[STATEMENT_MAX], b_bytes[STATEMENT_MAX];
    int     order = statement_compare(a->stamp, a->node, b->stamp, b->node);
    if (order != 0)
        return order;
    size_t a_len = statement_write(a, a_bytes), b_len = statement_write(b, b_bytes);
    order = memcmp(a_bytes, b_bytes, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* The one whose place a statement would take. */
static struct entry *find_entry(const struct subject *subject, const struct statement *statement)
{
    LIST_EACH (item, next, &subject->entries) {
        struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (replica_is_about(&entry->is, statement->kind, &statement->id) &&
            (statement->kind != STATEMENT_EVIDENCE || same_text(entry->is.node, statement->node)))
            return entry;
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
    replica->nodes[entry->node].entries++;
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
        if (entry->is.kind == STATEMENT_EVIDENCE && replica_order(&entry->is, &forget->is) < 0)
            drop_entry(replica, entry);
    }
}

/* A forget that lies ahead, since the calendar was set back, does not count. */
static bool is_forgotten(const struct replica *replica, const struct statement *evidence, uint64_t wall_ms)
{
    const struct statement forget  = {.kind = STATEMENT_FORGET};
    const struct subject  *subject = find_subject(replica, evidence->id.name);
    const struct entry    *entry   = subject ? find_entry(subject, &forget) : NULL;
    return entry && !is_ahead(entry->is.stamp, wall_ms) && replica_order(evidence, &entry->is) < 0;
}

static enum merged refusal(const struct replica *replica, const struct statement *statement, uint64_t wall_ms)
{
    if (statement->vantage.len > 0 && !same_text(statement->vantage, replica_vantage(replica)))
        return MERGED_FOREIGN;
    if (is_ahead(statement->stamp, wall_ms))
        return MERGED_AHEAD;
    if (is_expired(statement, wall_ms))
        return MERGED_EXPIRED;
    if (statement->kind == STATEMENT_EVIDENCE && is_forgotten(replica, statement, wall_ms))
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

static bool has_room(const struct replica *replica, const struct node *node, enum statement_kind kind)
{
    bool own = node == &replica->nodes[0];
    if (kind == STATEMENT_EVIDENCE)
        return node->counts.zones < (own ? replica->max * REPLICA_OWN : replica->max / 2);
    return own || node->entries - node->counts.zones < replica->max;
}

static enum merged add(struct replica *replica, struct node *node, const struct statement *statement, bool seen,
                       uint64_t wall_ms)
{
    struct subject *subject = get_subject(replica, statement->id.name);
    if (!subject)
        return MERGED_FULL;
    struct entry *there = find_entry(subject, statement);
    int           later = there && !is_ahead(there->is.stamp, wall_ms) ? replica_order(statement, &there->is) : 1;
    if (later <= 0) {
        if (later == 0)
            mark(replica, there, seen || list_empty(&there->unseen));
        return later == 0 ? MERGED_KNOWN : MERGED_OLD;
    }
    struct entry *entry = NULL;
    if (there || has_room(replica, node, statement->kind))
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
    node->counts.ahead = 0; /* its clock is right again */
    return add(replica, node, statement, seen, wall_ms);
}

static struct stamp after(struct stamp stamp)
{
    return stamp.count < UINT32_MAX ? (struct stamp){stamp.ms, stamp.count + 1} : (struct stamp){stamp.ms + 1, 0};
}

static struct stamp stamp_of(const struct subject *subject, uint64_t wall_ms)
{
    struct stamp ret = {.ms = wall_ms};
    LIST_EACH (item, next, &subject->entries) {
        struct stamp is = CONTAINER_OF(item, struct entry, link)->is.stamp;
        if (!is_ahead(is, wall_ms) && (is.ms > ret.ms || (is.ms == ret.ms && is.count >= ret.count)))
            ret = after(is);
    }
    return ret;
}

struct stamp replica_stamp(const struct replica *replica, struct view zone, uint64_t wall_ms)
{
    const struct subject *subject = find_subject(replica, zone);
    return subject ? stamp_of(subject, wall_ms) : (struct stamp){.ms = wall_ms};
}

/* ---- all of it ---- */

/* A forget that was given a later stamp discards more, here as elsewhere. */
static void settle(struct replica *replica, struct subject *subject)
{
    const struct statement forget = {.kind = STATEMENT_FORGET};
    if (subject->restamped)
        forget_older(replica, find_entry(subject, &forget));
    subject->restamped = false;
    drop_if_empty(replica, subject);
}

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
            settle(replica, subject);
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
    for (unsigned i = 0; i < replica->node_count; i++)
        replica->nodes[i].counts.ahead = replica->nodes[i].counts.full = 0;
}

bool replica_unseen(const struct replica *replica, struct statement *ret)
{
    if (list_empty(&replica->unseen))
        return false;
    *ret = CONTAINER_OF(replica->unseen.next, struct entry, unseen)->is;
    return true;
}

void replica_miss(struct replica *replica, const struct statement *stale)
{
    const struct subject *subject = find_subject(replica, stale->id.name);
    struct entry         *entry   = subject ? find_entry(subject, stale) : NULL;
    if (entry && same_text(entry->is.node, stale->node) && same_text(entry->is.vantage, stale->vantage))
        mark(replica, entry, false);
}

void replica_saw(struct replica *replica, const struct statement *statement)
{
    const struct subject *subject = find_subject(replica, statement->id.name);
    struct entry         *entry   = subject ? find_entry(subject, statement) : NULL;
    if (entry && replica_order(statement, &entry->is) == 0)
        mark(replica, entry, true);
}

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
        entry->is.stamp           = stamp_of(entry->subject, sweep->wall_ms);
        entry->subject->restamped = entry->subject->restamped || entry->is.kind == STATEMENT_FORGET;
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
