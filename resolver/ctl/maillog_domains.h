/*
 * maillog_domains.h: what the logs say, domain by domain. Knows nothing of lines.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_DOMAINS_H
#define CTL_MAILLOG_DOMAINS_H

#include "ctl/maillog_lines.h"

#include <jansson.h>

struct maillog_domains;

struct maillog_domains *maillog_domains_create(void); /* never NULL: ends the program without memory */
void                    maillog_domains_destroy(struct maillog_domains *domains);

void maillog_domains_add(struct maillog_domains *domains, const struct maillog_said *said);
/* Lines that are in no domain: they named none, or there were LIMIT_LOG_DOMAINS without theirs. */
uint64_t maillog_domains_nameless(const struct maillog_domains *domains);
uint64_t maillog_domains_left_out(const struct maillog_domains *domains);

/* An array as docs/man/bywayctl.1 says, worst first: what was said most often, then what was said last. `cured` and
 * `explain` are null. The caller's; NULL: no memory. The last call: nothing may be added after it. */
json_t *maillog_domains_list(struct maillog_domains *domains);
/* Of the entry's `reply`, raw; borrowed. `at`: its place in the list. */
struct maillog_envelope maillog_domains_envelope(const struct maillog_domains *domains, size_t at);

#endif
