/*
 * blocklist.h: a blocklist's answer that is none: an A record in 127.255.255.0/24, by which it says that it does not
 * serve who asks. A mail server that looks no closer takes it for a listing and rejects all mail. The other addresses
 * in 127.0.0.0/8 are listings. Only query.c asks; the keeper tells what a code means.
 */
#ifndef QUERY_BLOCKLIST_H
#define QUERY_BLOCKLIST_H

#include "dns/message.h"

/* True if the reply has an error code among its answers; *ret_code: the last byte of the first. */
bool blocklist_error(const struct message *reply, uint8_t *ret_code);
/* What the code means, as Spamhaus uses it; NULL: it is none of theirs. */
const char *blocklist_error_words(uint8_t code);

#endif
