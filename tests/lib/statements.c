/*
 * statements.c: see statements.h.
 */
#include "lib/statements.h"

#include "dns/message.h"
#include "dns/name.h"

#include <stdio.h>
#include <stdlib.h>

struct statement stated(enum statement_kind kind, const char *node, const struct name *zone, uint64_t ms)
{
    return (struct statement){
        .kind       = kind,
        .vantage    = text_view("cn"),
        .node       = text_view(node),
        .stamp      = {.ms = ms},
        .id         = {.name = name_view(zone), .scope = SCOPE_ZONE},
        .reason     = REASON_TIMEOUT,
        .interval   = 600000,
        .asked      = name_view(zone),
        .asked_type = TYPE_MX,
        .pin        = PIN_EXTERNAL,
        .until      = WALL_NEVER,
    };
}

void holdings_add(struct holdings *holdings, const struct statement *statement)
{
    uint8_t         bytes[STATEMENT_MAX];
    size_t          len     = statement_write(statement, bytes);
    struct holding *holding = malloc(sizeof(*holding) + len);
    if (holdings->count == holdings->room) {
        holdings->room = 2 * holdings->room + 64;
        holdings->all  = realloc(holdings->all, holdings->room * sizeof(struct holding *));
    }
    if (!holding || !holdings->all)
        abort();
    holding->len = len;
    memcpy(holding->bytes, bytes, len);
    holdings->all[holdings->count++] = holding;
}

static int compare(const void *a, const void *b)
{
    const struct holding *one = *(struct holding *const *) a, *other = *(struct holding *const *) b;
    int                   order = memcmp(one->bytes, other->bytes, one->len < other->len ? one->len : other->len);
    return order ? order : (one->len > other->len) - (one->len < other->len);
}

void holdings_sort(struct holdings *holdings)
{
    if (holdings->count > 0)
        qsort(holdings->all, holdings->count, sizeof(struct holding *), compare);
}

static void visit(void *context, const struct statement *statement) { holdings_add(context, statement); }

void holdings_of(struct replica *replica, size_t most, struct holdings *ret)
{
    size_t at = 0;
    *ret      = (struct holdings){0};
    while (replica_walk(replica, &at, most, visit, ret))
        ;
    holdings_sort(ret);
}

void holdings_fini(struct holdings *holdings)
{
    for (size_t i = 0; i < holdings->count; i++)
        free(holdings->all[i]);
    free(holdings->all);
    *holdings = (struct holdings){0};
}

static void say(const struct holding *holding, const char *whose)
{
    struct statement statement;
    char             field[STATEMENT_FIELD_MAX];
    if (!statement_read((struct view){holding->bytes, holding->len}, &statement))
        abort();
    statement_field(&statement, field);
    printf("only %s: %s, %llu.%u\n", whose, field, (unsigned long long) statement.stamp.ms, statement.stamp.count);
}

bool holdings_equal(const struct holdings *a, const char *a_is, const struct holdings *b, const char *b_is)
{
    bool equal = true;
    for (size_t i = 0, k = 0; i < a->count || k < b->count;) {
        int order = i == a->count ? 1 : k == b->count ? -1 : compare(&a->all[i], &b->all[k]);
        if (order < 0)
            say(a->all[i], a_is);
        if (order > 0)
            say(b->all[k], b_is);
        equal = equal && order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    return equal;
}
