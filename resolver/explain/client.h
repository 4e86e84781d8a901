/*
 * client.h: who sends: the name of its address, and whether that name is the address's; blocklists; the HELO name. Lists
 * are asked of domestic alone: public resolvers get false answers from them.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_CLIENT_H
#define EXPLAIN_CLIENT_H

#include "explain/explanation.h"

void client_look(struct explanation *explanation);

#endif
