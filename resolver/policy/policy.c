/*
 * policy.c: the operator's word as a tree of labels, read from the root downwards. Knows nothing of upstreams or
 * of what is learned. Workers call policy_find() for every query.
 *
 * A node is a zone or a step on the way to one. All edges (node, label) -> child stand in one hash table, so a lookup
 * costs one probe a label and ends at the first label that no rule has. The chains' length is up to the operator's
 * zones alone, whatever strangers ask for; the hash therefore needs no secret.
 */
#include "policy/policy.h"

#include "dns/message.h"
#include "policy/local.h"

#include <stdlib.h>
#include <string.h>

#define NODE_ROOT 0u
#define NODE_NONE UINT32_MAX

enum {
    COMPLAIN_EVERY = 3600000 /* ms: who reads the log needs to know of it once */
};

struct node {
    const uint8_t    *label;     /* with its length byte; borrows the wire of a rule */
    struct rule      *rule;      /* NULL: only a step */
    struct blocklist *blocklist; /* the list that stands here; later, at or above */
    uint32_t          parent;
    uint32_t          next; /* in the same bucket */
};

struct policy {
    struct rule       fallback;
    struct rule      *rules;
    struct blocklist *blocklists;
    struct node      *nodes;
    uint32_t         *buckets;
    size_t            rule_count, blocklist_count;
    uint32_t          node_count;
    uint32_t          mask; /* buckets - 1 */
};

/* Where each label of a name begins, the one next to the root first. */
struct labels {
    size_t  count;
    uint8_t at[NAME_LABELS_MAX];
};

static void labels_of(const struct name *name, struct labels *ret)
{
    uint8_t at[NAME_LABELS_MAX];
    size_t  count = 0;
    for (size_t i = 0; name->wire[i] != 0; i += 1u + name->wire[i])
        at[count++] = (uint8_t) i;
    ret->count = count;
    for (size_t i = 0; i < count; i++)
        ret->at[i] = at[count - 1 - i];
}

/* FNV-1a over the label and where it hangs. */
static uint32_t edge_hash(uint32_t parent, const uint8_t *label)
{
    uint32_t hash = 2166136261u ^ (parent * 2654435761u);
    for (size_t i = 0; i <= label[0]; i++)
        hash = (hash ^ label[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t node_child(const struct policy *policy, uint32_t parent, const uint8_t *label)
{
    uint32_t at = policy->buckets[edge_hash(parent, label) & policy->mask];
    while (at != NODE_NONE) {
        const struct node *node = &policy->nodes[at];
        if (node->parent == parent && memcmp(node->label, label, 1u + label[0]) == 0)
            break;
        at = node->next;
    }
    return at;
}

static uint32_t node_add(struct policy *policy, uint32_t parent, const uint8_t *label)
{
    uint32_t *bucket  = &policy->buckets[edge_hash(parent, label) & policy->mask];
    uint32_t  at      = policy->node_count++;
    policy->nodes[at] = (struct node){.label = label, .parent = parent, .next = *bucket};
    *bucket           = at;
    return at;
}

static void policy_add(struct policy *policy, struct rule *rule)
{
    struct labels labels;
    labels_of(&rule->zone, &labels);

    uint32_t at = NODE_ROOT;
    for (size_t i = 0; i < labels.count; i++) {
        const uint8_t *label = &rule->zone.wire[labels.at[i]];
        uint32_t       child = node_child(policy, at, label);
        at                   = child != NODE_NONE ? child : node_add(policy, at, label);
    }
    struct node *node = &policy->nodes[at];
    if (!node->rule || (node->rule->shipped && !rule->shipped))
        node->rule = rule;
    if (rule->is_list && !node->blocklist) {
        node->blocklist           = &policy->blocklists[policy->blocklist_count++];
        node->blocklist->zone     = rule->zone;
        node->blocklist->refusals = rule->refusals;
        node->blocklist->entry    = rule->entry;
    }
}

/* A node is always added after its parent, which is marked first. The closest rule to a name is never above the closest
 * list, since a rule stands there too; so what is marked at the rule holds for the name. */
static void policy_mark_blocklists(struct policy *policy)
{
    for (uint32_t at = 0; at < policy->node_count; at++) {
        struct node *node = &policy->nodes[at];
        if (!node->blocklist)
            node->blocklist = policy->nodes[node->parent].blocklist;
        if (node->rule)
            node->rule->blocklist = node->blocklist;
    }
}

struct policy *policy_create(const struct rule *rules, size_t count)
{
    size_t nodes = 1, lists = 0;
    for (size_t i = 0; i < count; i++) {
        nodes += name_labels(name_view(&rules[i].zone));
        lists += rules[i].is_list;
    }
    size_t buckets = 1;
    while (buckets < nodes)
        buckets *= 2;

    struct policy *policy = calloc(1, sizeof *policy);
    if (!policy)
        return NULL;
    policy->rules      = calloc(count + 1, sizeof *policy->rules);
    policy->blocklists = calloc(lists + 1, sizeof *policy->blocklists);
    policy->nodes      = calloc(nodes, sizeof *policy->nodes);
    policy->buckets    = malloc(buckets * sizeof *policy->buckets);
    if (!policy->rules || !policy->blocklists || !policy->nodes || !policy->buckets) {
        policy_destroy(policy);
        return NULL;
    }

    policy->fallback = (struct rule){.zone = {.len = 1}, .via = VIA_AUTO};
    policy->mask     = (uint32_t) (buckets - 1);
    memset(policy->buckets, 0xff, buckets * sizeof *policy->buckets); /* NODE_NONE */
    policy->nodes[NODE_ROOT] = (struct node){.parent = NODE_ROOT, .next = NODE_NONE};
    policy->node_count       = 1;
    policy->rule_count       = count;
    for (size_t i = 0; i < count; i++) {
        policy->rules[i] = rules[i];
        policy_add(policy, &policy->rules[i]);
    }
    policy_mark_blocklists(policy);
    return policy;
}

const struct blocklist *policy_asked_list(const struct policy *policy, size_t i)
{
    for (size_t at = 0; at < policy->blocklist_count; at++)
        if (policy->blocklists[at].entry.is_asked && i-- == 0)
            return &policy->blocklists[at];
    return NULL;
}

void policy_destroy(struct policy *policy)
{
    if (!policy)
        return;
    free(policy->buckets);
    free(policy->nodes);
    free(policy->blocklists);
    free(policy->rules);
    free(policy);
}

/* The node of `name`, or NODE_NONE if no rule stands at or below it. *ret_rule: the closest rule at or above `name`. */
static uint32_t policy_walk(const struct policy *policy, struct view name, const struct rule **ret_rule)
{
    struct name   lower;
    struct labels labels;
    name_set_lower(&lower, name);
    labels_of(&lower, &labels);

    const struct rule *root = policy->nodes[NODE_ROOT].rule;
    uint32_t           at   = NODE_ROOT;
    *ret_rule               = root ? root : &policy->fallback;
    for (size_t i = 0; i < labels.count && at != NODE_NONE; i++) {
        at = node_child(policy, at, &lower.wire[labels.at[i]]);
        if (at != NODE_NONE && policy->nodes[at].rule)
            *ret_rule = policy->nodes[at].rule;
    }
    return at;
}

const struct rule *policy_find(const struct policy *policy, struct view name)
{
    const struct rule *rule;
    policy_walk(policy, name, &rule);
    return rule;
}

static bool is_parents(const struct rule *rule, struct view name, uint16_t type)
{
    return type == TYPE_DS && rule->zone.len == name.len;
}

const struct rule *policy_find_for(const struct policy *policy, struct view name, uint16_t type)
{
    const struct rule *rule = policy_find(policy, name);
    if (rule->via == VIA_LOCAL && rule->group == LOCAL_EMPTY && is_parents(rule, name, type))
        rule = policy_find(policy, name_parent(name));
    return rule;
}

bool rule_stands_in(const struct rule *rule, struct view name, uint16_t type)
{
    return rule->or_empty && !is_parents(rule, name, type);
}

bool policy_at_or_below(const struct policy *policy, struct view name)
{
    const struct rule *rule;
    return policy_walk(policy, name, &rule) != NODE_NONE;
}

static bool leads_to(const struct rule *rule, uint8_t group, bool automatic)
{
    return rule->via == VIA_AUTO ? automatic : rule->via == VIA_GROUP && rule->group == group;
}

const struct name *policy_zone_of(const struct policy *policy, uint8_t group, bool automatic)
{
    const struct name *root = &policy->fallback.zone;
    if (leads_to(policy_find(policy, name_view(root)), group, automatic))
        return root;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct name *zone = &policy->rules[i].zone;
        if (leads_to(policy_find(policy, name_view(zone)), group, automatic))
            return zone;
    }
    return NULL;
}

bool blocklist_complain(struct blocklist *list, msec_t now)
{
    msec_t until = atomic_load_explicit(&list->quiet_until, memory_order_relaxed);
    return now >= until && atomic_compare_exchange_strong_explicit(&list->quiet_until, &until, now + COMPLAIN_EVERY,
                                                                   memory_order_relaxed, memory_order_relaxed);
}
