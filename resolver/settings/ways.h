/*
 * ways.h: how an upstream is written: "tls://192.0.2.1:853#dns.example.net", and what may stand beside it in an object.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_WAYS_H
#define SETTINGS_WAYS_H

#include "settings/reader.h"

#define WAY_EXPECTED                                                                                                   \
    "\"192.0.2.1\", \"192.0.2.1:5353\", \"[2001:db8::1]:53\", \"tcp://192.0.2.1\", "                                   \
    "\"tls://192.0.2.1#dns.example.net\" or \"https://192.0.2.1/dns-query#dns.example.net\""

/* Reads the text's form. False: told; *ret may have been filled in part (way_fini()). */
bool way_read(struct reader *reader, const struct place *place, const char *text, struct way *ret);
/* Reads what `object` says beyond its address. Files that it names are read: a `ca` that is changed later makes another
 * way. False as above. */
bool way_read_keys(struct reader *reader, const struct place *place, const json_t *object, struct way *way);

#endif
