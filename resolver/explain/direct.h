/*
 * direct.h: asking name servers from this machine itself, past all resolvers: whom, and whether it tells anything. Many
 * networks let no DNS out but their resolvers', or answer it in place of whoever is asked.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_DIRECT_H
#define EXPLAIN_DIRECT_H

#include "explain/explanation.h"

/* False: an address that no name server of a zone has that all can resolve; it is not asked. */
bool direct_may_ask(const struct address *address);
/* One of a zone's servers, number `skip`, as a party. False: none is known yet, or it is not fit. */
bool direct_party(struct explanation *explanation, struct view zone, unsigned skip, bool tcp, unsigned *ret_party);

/* It answers with authority. */
bool direct_serves(const struct fact *fact);
/* Nothing came, or that nobody is there. */
bool direct_is_silent(const struct fact *fact);

/* What this machine's own questions come to, by servers of domains that have nothing to do with the one asked about. */
enum direct {
    DIRECT_NOT,       /* none has answered */
    DIRECT_ELSEWHERE, /* somebody else answers in their place: not with authority */
    DIRECT_WORKS,
};
enum direct direct_state(struct explanation *explanation, bool tcp);

#endif
