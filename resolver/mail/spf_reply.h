/*
 * spf_reply.h: what an SPF evaluation reads of a reply: TXT records joined, addresses, names. Of the answer section every
 * record of the type counts, whosever it is: an alias has been followed by who answered.
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_REPLY_H
#define MAIL_SPF_REPLY_H

#include "base/address.h"
#include "dns/message.h"

/* Records of `type` in the answer section. */
size_t spf_reply_count(const struct message *reply, uint16_t type);

/* Joins the strings of the first TXT record that is an SPF record, or with `any` of the first (RFC 7208, 3.3), into
 * `out`. *ret_len is its whole length, of which `cap` were written. Returns how many such records there are. */
size_t spf_reply_text(const struct message *reply, bool any, uint8_t *out, size_t cap, size_t *ret_len);

/* Whether one of its addresses shares the first `bits4`, or `bits6`, bits with `client`. */
bool spf_reply_covers(const struct message *reply, const struct address *client, uint8_t bits4, uint8_t bits6);

/* Copies the names of its records of `type`, MX or PTR, up to `max` of them. Returns how many records there are. */
size_t spf_reply_names(const struct message *reply, uint16_t type, struct name *out, size_t max);

#endif
