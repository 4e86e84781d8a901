/*
 * statements.h: statements for tests of cluster/, and all that a replica holds, to be compared.
 */
#ifndef LIB_STATEMENTS_H
#define LIB_STATEMENTS_H

#include "cluster/replica.h"

#include <string.h>

static inline struct view text_view(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

/* Of vantage "cn" and scope ZONE: a timeout, or a pin to external for good. Borrows. */
struct statement stated(enum statement_kind kind, const char *node, const struct name *zone, uint64_t ms);

struct holding { /* one statement of a replica */
    size_t  len;
    uint8_t bytes[];
};

struct holdings { /* in their bytes' order */
    size_t           count, room;
    struct holding **all;
};

/* In steps of `most`. */
void holdings_of(struct replica *replica, size_t most, struct holdings *ret);
void holdings_add(struct holdings *holdings, const struct statement *statement);
void holdings_sort(struct holdings *holdings);
void holdings_fini(struct holdings *holdings);
/* Whether both are the same; else says where they differ, with what `a` and `b` are. */
bool holdings_equal(const struct holdings *a, const char *a_is, const struct holdings *b, const char *b_is);

#endif
