/*
 * text.h: names and types as people write them, through ldns. The only file of this folder that sees it.
 *
 * Thread: pure.
 */
#ifndef DNS_TEXT_H
#define DNS_TEXT_H

#include "dns/message.h"

#define NAME_TEXT_MAX 1016 /* 255 bytes, each \DDD at worst, with dots and NUL */
#define TYPE_TEXT_MAX 16
#define RCODE_TEXT_MAX 16

/* Presentation form (RFC 1035, 5.1) with the final dot, "\DDD" for what is not printable ASCII, a
 * backslash before what a zone file would take for syntax. Returns `text`. */
const char *name_format(struct view name, char text[NAME_TEXT_MAX]);
/* Reads presentation form, with or without the final dot; *ret is in lower case. False: not a name. Not a name: an
 * empty string, raw blanks, bytes beyond ASCII. */
bool name_parse(const char *text, struct name *ret);
/* "MX", or "TYPE65280" (RFC 3597). */
const char *type_format(uint16_t type, char text[TYPE_TEXT_MAX]);
bool        type_parse(const char *text, uint16_t *ret); /* any case; "TYPEnnn" too */
/* "NOERROR", or "RCODE9" for one of which this server makes nothing. */
const char *rcode_format(unsigned rcode, char text[RCODE_TEXT_MAX]);
/* "IN", or "CLASS42". `text` holds TYPE_TEXT_MAX. */
const char *class_format(uint16_t class, char text[TYPE_TEXT_MAX]);

/* Gives the records of the answer section as zone file lines with the TTL `ttl`, s (0 where it is negative); where it
 * is empty, the SOA of the authority section. Nothing for what message_parse() refuses. A record that ldns cannot read
 * is left out. */
/* One record as such a line, with its own TTL, cut at `size` bytes; "" where ldns cannot read it. Returns `text`. */
const char *record_format(const struct message *message, const struct record *record, char *text, size_t size);

typedef void (*records_each_fn)(void *context, const char *line);
void records_format(struct view wire, int64_t ttl, records_each_fn each, void *context);

#endif
