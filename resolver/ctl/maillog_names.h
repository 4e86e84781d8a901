/*
 * maillog_names.h: the name that a piece of a log's line means, be it a domain, a mail address or an IP address.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_NAMES_H
#define CTL_MAILLOG_NAMES_H

#include "dns/text.h"

/* What `piece` begins with: "mail.example", "user@example", "[192.0.2.7]". Behind it anything may stand but what a name
 * may hold. `ret` is as the daemon shows names; of an address its name in the reverse zone. False: no name, nor
 * address. */
bool maillog_names_read(struct view piece, char ret[NAME_TEXT_MAX]);

#endif
