/*
 * mail_hosts.h: where mail to the domain goes, and so whether its senders are believed: MX (RFC 5321, 5.1; RFC 7505),
 * the hosts' addresses, TLSA (RFC 7672).
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_MAIL_HOSTS_H
#define EXPLAIN_MAIL_HOSTS_H

#include "explain/explanation.h"

/* Fills explanation->hosts. */
void mail_hosts_look(struct explanation *explanation);

#endif
