/*
 * workers.h: how many workers there are.
 *
 * Thread: keeper.
 */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include "server/daemon.h"

/* Starts some until there are `count`. False: no memory, descriptors or threads; those that were started stay. */
bool workers_add(struct daemon *daemon, unsigned count);
/* All beyond `keep` end on their own; keeper_reap_workers() frees them. More at once than there may be workers are waited
 * for. */
void workers_dismiss(struct daemon *daemon, unsigned keep);
/* All end, those too that are leaving already, and are waited for; what lies in the queues of stored sockets is left to
 * the next process. */
void workers_end(struct daemon *daemon);

/* What the process may open bounds how many workers there are, and what each may take: sets settings->workers and
 * daemon->share. False: it does not do for one. */
bool workers_share(struct daemon *daemon, struct settings *settings, char ret_error[ERROR_TEXT_MAX]);

#endif
