/*
 * maillog_domains.c: see maillog_domains.h.
 */
#include "ctl/maillog_domains.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/printable.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    SLOTS_FIRST  = 256, /* a power of two, and so are all that follow */
    REPLY_MAX    = 300, /* bytes of a reply that are kept */
    ENVELOPE_MAX = 256  /* bytes of who sent what was refused; longer ones are no names */
};

struct kept {
    char  *text; /* NULL: never anything */
    size_t len, room;
};

struct domain {
    char             *name;
    struct kept       reply;                /* the latest of the kind that it has most of, raw */
    struct kept       client, helo, sender; /* of the same line */
    enum maillog_kind kind;
    bool              timed;
    wall_t            first, last;
    uint64_t          count;
    uint64_t          kinds[MAILLOG_KINDS];
};

struct maillog_domains {
    struct hash_key key; /* senders choose their names, so that an order of them could be made */
    struct domain  *list;
    size_t          count, cap;
    uint64_t        nameless, left_out;
    uint32_t       *slots; /* 1 + a place in the list; at least half of them are free */
    size_t          slot_count;
};

static void *sure(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct maillog_domains *maillog_domains_create(void)
{
    struct maillog_domains *domains = sure(calloc(1, sizeof(*domains)));
    if (getrandom(&domains->key, sizeof(domains->key), GRND_NONBLOCK) < 0)
        domains->key = (struct hash_key){(uintptr_t) domains, 0};
    domains->slots      = sure(calloc(SLOTS_FIRST, sizeof(*domains->slots)));
    domains->slot_count = SLOTS_FIRST;
    return domains;
}

void maillog_domains_destroy(struct maillog_domains *domains)
{
    for (size_t i = 0; i < domains->count; i++) {
        free(domains->list[i].name);
        free(domains->list[i].reply.text);
        free(domains->list[i].client.text);
        free(domains->list[i].helo.text);
        free(domains->list[i].sender.text);
    }
    free(domains->list);
    free(domains->slots);
    free(domains);
}

/* Where `name` stands, or has to stand. */
static uint32_t *slot_of(struct maillog_domains *domains, const char *name)
{
    uint64_t slot = hash_bytes(domains->key, name, strlen(name)) % domains->slot_count;
    while (domains->slots[slot] && strcmp(domains->list[domains->slots[slot] - 1].name, name) != 0)
        slot = (slot + 1) % domains->slot_count;
    return &domains->slots[slot];
}

/* Twice as many slots. */
static void grow(struct maillog_domains *domains)
{
    free(domains->slots);
    domains->slot_count *= 2;
    domains->slots = sure(calloc(domains->slot_count, sizeof(*domains->slots)));
    for (size_t i = 0; i < domains->count; i++)
        *slot_of(domains, domains->list[i].name) = (uint32_t) (i + 1);
}

/* NULL: it is new, and there is no place for it. */
static struct domain *find(struct maillog_domains *domains, const char *name)
{
    uint32_t *slot = slot_of(domains, name);
    if (*slot)
        return &domains->list[*slot - 1];
    if (domains->count == LIMIT_LOG_DOMAINS)
        return NULL;
    if (domains->count == domains->cap) {
        domains->cap  = domains->cap ? 2 * domains->cap : 64;
        domains->list = sure(realloc(domains->list, domains->cap * sizeof(*domains->list)));
    }
    domains->list[domains->count] = (struct domain){.name = sure(strdup(name))};
    *slot                         = (uint32_t) ++domains->count;
    if (2 * domains->count > domains->slot_count)
        grow(domains);
    return &domains->list[domains->count - 1];
}

/* Mostly over one that is as long: a log has the same replies again and again. */
static void keep(struct kept *kept, struct view raw, size_t max)
{
    kept->len = raw.len < max ? raw.len : max;
    if (kept->len == 0 && !kept->text) /* of most lines there is nothing of it */
        return;
    if (kept->len >= kept->room) {
        kept->room = kept->len + 1;
        free(kept->text);
        kept->text = sure(malloc(kept->room));
    }
    if (kept->len > 0)
        memcpy(kept->text, raw.data, kept->len);
    kept->text[kept->len] = 0;
}

static void keep_line(struct domain *domain, const struct maillog_said *said)
{
    keep(&domain->reply, said->reply, REPLY_MAX);
    keep(&domain->client, said->envelope.client, ENVELOPE_MAX);
    keep(&domain->helo, said->envelope.helo, ENVELOPE_MAX);
    keep(&domain->sender, said->envelope.sender, ENVELOPE_MAX);
    for (char *nul = domain->reply.text, *end = nul + domain->reply.len;
         nul && (nul = memchr(nul, 0, (size_t) (end - nul)));)
        *nul = '?';
}

void maillog_domains_add(struct maillog_domains *domains, const struct maillog_said *said)
{
    struct domain *domain = said->domain ? find(domains, said->domain) : NULL;
    if (!domain) {
        domains->nameless += !said->domain;
        domains->left_out += said->domain != NULL;
        return;
    }
    domain->count++;
    if (++domain->kinds[said->kind] >= domain->kinds[domain->kind]) {
        keep_line(domain, said);
        domain->kind = said->kind;
    }
    if (!said->timed)
        return;
    if (!domain->timed || said->when < domain->first)
        domain->first = said->when;
    if (!domain->timed || said->when > domain->last)
        domain->last = said->when;
    domain->timed = true;
}

uint64_t maillog_domains_nameless(const struct maillog_domains *domains) { return domains->nameless; }
uint64_t maillog_domains_left_out(const struct maillog_domains *domains) { return domains->left_out; }

/* For qsort(): the worst first. */
static int compare(const void *left, const void *right)
{
    const struct domain *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    if (a->last != b->last)
        return a->last > b->last ? -1 : 1;
    return strcmp(a->name, b->name);
}

static json_t *entry_of(const struct domain *domain)
{
    char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX], reply[4 * REPLY_MAX + 1];
    return json_pack("{s:s, s:I, s:s?, s:s?, s:s, s:s, s:n, s:n}", "domain", domain->name, "count",
                     (json_int_t) domain->count, "first", domain->timed ? time_format(domain->first, first) : NULL,
                     "last", domain->timed ? time_format(domain->last, last) : NULL, "reply",
                     printable_copy(domain->reply.text ? domain->reply.text : "", reply, sizeof(reply)), "kind",
                     maillog_find_word(domain->kind), "cured", "explain");
}

json_t *maillog_domains_list(struct maillog_domains *domains)
{
    json_t *list = json_array();
    if (domains->count > 0)
        qsort(domains->list, domains->count, sizeof(*domains->list), compare);
    for (size_t i = 0; i < domains->count; i++)
        if (json_array_append_new(list, entry_of(&domains->list[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static struct view view_of(const struct kept *kept) { return (struct view){(const uint8_t *) kept->text, kept->len}; }

struct maillog_envelope maillog_domains_envelope(const struct maillog_domains *domains, size_t at)
{
    const struct domain *domain = &domains->list[at];
    return (struct maillog_envelope){view_of(&domain->client), view_of(&domain->helo), view_of(&domain->sender)};
}
