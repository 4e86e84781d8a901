/*
 * zones.h: every zone that the domain's mail depends on, as both sides see it. Nobody sees from a domain's name that
 * its SPF record includes one of a zone that is blocked here.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_ZONES_H
#define EXPLAIN_ZONES_H

#include "explain/explanation.h"

/* The domain's own zone, which becomes the first, and whether its answers are forged. False: the domain does not exist,
 * and nothing more is to be asked of it. */
bool zones_look(struct explanation *explanation);
/* `pair` is a question that the mail needs an answer to: the zone of its name, and that of what it is an alias of, are
 * in the list from then on. */
void zones_note(struct explanation *explanation, enum role role, const struct pair *pair);
/* Asks for each of the list, and says which are blocked. */
void zones_look_behind(struct explanation *explanation);

/* The domain's own zone fails on both sides, which is said once, and not of each question in it. */
bool zones_own_fails(struct explanation *explanation);
/* Domestic fails in it what external answers. */
bool zones_divide(struct explanation *explanation, const struct reliance *reliance);
/* "domain name-servers mx"; returns `text`. */
#define ROLES_TEXT_MAX 64
const char *roles_format(unsigned roles, char text[ROLES_TEXT_MAX]);

#endif
