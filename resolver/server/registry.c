/*
 * registry.c: see registry.h.
 */
#include "server/registry.h"

#include "base/list.h"
#include "policy/local.h"
#include "stream/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct entry { /* one upstream and how many setups use it */
    struct list      link;
    struct server   *server;
    struct remote   *remote;
    _Atomic unsigned uses;
};

struct registry {
    struct list     entries;
    uint32_t        setups; /* made so far */
    struct name     echo;
    struct hash_key key; /* for what upstreams remember of names */
};

struct owned_setup {
    struct setup   setup;
    struct entry **uses; /* one for each server of each group */
    size_t         use_count;
    char         **names; /* of the groups */
};

/* Without entropy there is nothing: the keeper does not start then either. */
static void draw(struct registry *registry)
{
    uint8_t    seed[RNG_SEED_BYTES];
    struct rng rng;
    if (getentropy(seed, sizeof(seed)) != 0)
        return;
    rng_init(&rng, seed);
    echo_draw(&registry->echo, &rng);
    registry->key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
}

struct registry *registry_create(void)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    if (!registry)
        return NULL;
    list_init(&registry->entries);
    draw(registry);
    return registry;
}

static void entry_destroy(struct entry *entry)
{
    list_remove(&entry->link);
    server_destroy(entry->server);
    remote_drop(entry->remote);
    free(entry);
}

void registry_destroy(struct registry *registry)
{
    if (!registry)
        return;
    LIST_EACH (item, next, &registry->entries)
        entry_destroy(CONTAINER_OF(item, struct entry, link));
    free(registry);
}

static void drop_unused(struct registry *registry)
{
    LIST_EACH (item, next, &registry->entries) {
        struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (atomic_load(&entry->uses) == 0)
            entry_destroy(entry);
    }
}

static struct entry *entry_for(struct registry *registry, const struct upstream_setting *upstream, bool beyond)
{
    const struct way *way = &upstream->way;
    LIST_EACH (item, next, &registry->entries) {
        struct entry *entry = CONTAINER_OF(item, struct entry, link);
        if (way_equal(remote_way(entry->remote), way) && entry->server->beyond == beyond &&
            entry->server->trusted == upstream->trusted && entry->server->mix_case == upstream->mix_case)
            return entry;
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->remote                       = remote_create(way);
    const struct server_options options = {.address   = way->address,
                                           .tcp_only  = way->form != WAY_UDP,
                                           .encrypted = way_is_encrypted(way),
                                           .beyond    = beyond,
                                           .trusted   = upstream->trusted,
                                           .mix_case  = upstream->mix_case,
                                           .key       = registry->key,
                                           .remote    = entry->remote};
    entry->server                       = entry->remote ? server_create(&options) : NULL;
    if (!entry->server) {
        remote_drop(entry->remote);
        free(entry);
        return NULL;
    }
    list_append(&registry->entries, &entry->link);
    return entry;
}

static bool relies_on_system(const struct way *way) { return way_is_encrypted(way) && !way->ca && way->pin_count == 0; }

bool registry_doubt(const struct settings *settings, char ret_text[REGISTRY_DOUBT_MAX])
{
    const struct way *way = NULL;
    for (size_t i = 0; i < settings->group_count; i++)
        for (size_t j = 0; j < settings->groups[i].count && !way; j++)
            if (relies_on_system(&settings->groups[i].upstreams[j].way))
                way = &settings->groups[i].upstreams[j].way;
    struct trust *trust = way ? trust_open() : NULL;
    bool          doubt = way && !trust;
    trust_close(trust);
    if (doubt) {
        char text[WAY_TEXT_MAX];
        way_format(way, text);
        snprintf(ret_text, REGISTRY_DOUBT_MAX,
                 "upstreams: this system's certificate authorities cannot be read, so %s will not be believed: install "
                 "ca-certificates, or set its \"ca\" or \"pins\"",
                 text);
    }
    return doubt;
}

/* For the connections from now on: who issues certificates today may have been added, or thrown out, since the last
 * reading. `trust` is read once, and only where somebody needs it. */
static bool renew_credentials(struct remote *remote, struct trust **trust)
{
    const struct way *way = remote_way(remote);
    char              why[CREDENTIALS_WHY_MAX];
    if (!way_is_encrypted(way))
        return true;
    if (!*trust && relies_on_system(way))
        *trust = trust_open();
    struct credentials *credentials = credentials_create(way, *trust, why);
    if (credentials)
        remote_set_credentials(remote, credentials);
    credentials_drop(credentials);
    return credentials != NULL;
}

static void destroy_setup(struct setup *setup)
{
    struct owned_setup *owned = CONTAINER_OF(setup, struct owned_setup, setup);
    for (size_t i = 0; i < owned->use_count; i++)
        atomic_fetch_sub(&owned->uses[i]->uses, 1);
    for (unsigned i = 0; owned->names && i < setup->group_count; i++)
        free(owned->names[i]);
    free(owned->names);
    free(owned->uses);
    free(setup->groups);
    free(setup->clients.blocks);
    free(setup->exempt.blocks);
    free(setup->forgery.blocks);
    free(setup->forgery.names);
    policy_destroy(setup->policy);
    free(owned);
}

static bool fill_group(struct registry *registry, struct owned_setup *owned, const struct group_setting *from,
                       struct group *to, struct trust **trust)
{
    bool beyond = strcmp(from->name, "external") == 0;
    for (size_t i = 0; i < from->count; i++) {
        struct entry *entry = entry_for(registry, &from->upstreams[i], beyond);
        if (!entry || !renew_credentials(entry->remote, trust))
            return false;
        atomic_fetch_add(&entry->uses, 1);
        owned->uses[owned->use_count++] = entry;
        to->servers[to->count++]        = entry->server;
    }
    return true;
}

static bool fill_groups(struct registry *registry, struct owned_setup *owned, const struct settings *settings)
{
    struct setup *setup = &owned->setup;
    setup->group_count  = (unsigned) settings->group_count;
    setup->groups       = calloc(settings->group_count, sizeof(*setup->groups));
    owned->names        = calloc(settings->group_count, sizeof(*owned->names));
    owned->uses         = calloc(settings->group_count * LIMIT_GROUP + 1, sizeof(struct entry *));
    if (!setup->groups || !owned->names || !owned->uses)
        return false;
    struct trust *trust = NULL;
    bool          good  = true;
    for (unsigned i = 0; good && i < setup->group_count; i++) {
        good                  = (owned->names[i] = strdup(settings->groups[i].name)) != NULL;
        setup->groups[i].name = owned->names[i];
        good                  = good && fill_group(registry, owned, &settings->groups[i], &setup->groups[i], &trust);
    }
    trust_close(trust);
    return good;
}

/* What the operator and the presets say, and what holds for names of nobody's where they say nothing. */
static struct policy *make_policy(const struct settings *settings, const struct name *echo)
{
    struct policy *policy = NULL;
    struct rule   *rules  = calloc(settings->rule_count + LOCAL_RULES + 1, sizeof(*rules));
    if (rules) {
        for (size_t i = 0; i < settings->rule_count; i++)
            rules[i] = settings->rules[i];
        size_t count = settings->rule_count;
        count += local_rules(settings->rules, settings->rule_count, SETUP_DOMESTIC, rules + count);
        if (echo->len > 0)
            rules[count++] = echo_rule(echo);
        policy = policy_create(rules, count);
    }
    free(rules);
    return policy;
}

static bool copy_clients(struct clients *to, const struct clients *from)
{
    to->count  = from->count;
    to->blocks = calloc(from->count + 1, sizeof(struct cidr));
    if (!to->blocks)
        return false;
    if (from->count > 0)
        memcpy(to->blocks, from->blocks, from->count * sizeof(struct cidr));
    return true;
}

static bool copy_forgery(struct forgery *to, const struct forgery *from)
{
    to->blocks = calloc(from->block_count + 1, sizeof(*to->blocks));
    to->names  = calloc(from->name_count + 1, sizeof(*to->names));
    if (!to->blocks || !to->names)
        return false;
    to->block_count = from->block_count;
    to->name_count  = from->name_count;
    if (from->block_count > 0)
        memcpy(to->blocks, from->blocks, from->block_count * sizeof(*to->blocks));
    if (from->name_count > 0)
        memcpy(to->names, from->names, from->name_count * sizeof(*to->names));
    return true;
}

/* Nobody is there: health, round-trip times and the rest of what is known of a server mean nothing. */
static bool fill_canary(struct registry *registry, struct owned_setup *owned, const struct settings *settings)
{
    const struct upstream_setting canary = {.way = {.form = WAY_UDP, .address = settings->canary}};
    owned->setup.wait                    = settings->wait;
    if (settings->canary.len == 0)
        return true;
    struct entry *entry = entry_for(registry, &canary, false);
    if (!entry)
        return false;
    atomic_fetch_add(&entry->uses, 1);
    owned->uses[owned->use_count++] = entry;
    owned->setup.canary             = entry->server;
    return true;
}

static bool fill_policy(struct setup *setup, const struct settings *settings)
{
    setup->policy = make_policy(settings, &setup->echo);
    return setup->policy && copy_forgery(&setup->forgery, &settings->forged) &&
           copy_clients(&setup->clients, &settings->allow) && copy_clients(&setup->exempt, &settings->client_exempt);
}

struct setup *registry_setup(struct registry *registry, const struct settings *settings)
{
    struct owned_setup *owned = calloc(1, sizeof(*owned));
    if (!owned)
        return NULL;
    drop_unused(registry);
    struct setup *setup     = &owned->setup;
    setup->references       = 1;
    setup->destroy          = destroy_setup;
    setup->serial           = ++registry->setups;
    setup->echo             = registry->echo;
    setup->fall_on_timeout  = settings->fall_on_timeout;
    setup->fall_on_servfail = settings->fall_on_servfail;
    setup->fall_on_refused  = settings->fall_on_refused;
    setup->fall_on_forged   = settings->fall_on_forged;
    setup->fall_on_nxdomain = settings->fall_on_nxdomain;
    setup->patience         = settings->patience;
    setup->deadline         = settings->deadline;
    setup->learning         = settings->learning == LEARNING_ON        ? SETUP_LEARN
                              : settings->learning == LEARNING_OBSERVE ? SETUP_OBSERVE
                                                                       : SETUP_LEARN_NOTHING;
    setup->min_ttl          = settings->min_ttl;
    setup->max_ttl          = settings->max_ttl;
    setup->negative_max_ttl =
        settings->negative_max_ttl < settings->max_ttl ? settings->negative_max_ttl : settings->max_ttl;
    setup->recheck_share    = settings->recheck_share;
    setup->pass_list_errors = settings->pass_list_errors;
    setup->client_qps       = settings->client_qps;
    if (fill_groups(registry, owned, settings) && fill_canary(registry, owned, settings) &&
        fill_policy(setup, settings))
        return setup;
    destroy_setup(setup);
    return NULL;
}
