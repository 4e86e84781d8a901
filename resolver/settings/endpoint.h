/*
 * endpoint.h: addresses and blocks as people write them: read strictly, and what is wrong is said with the form that
 * works. Asks the system for nothing but its interfaces' names.
 *
 * Thread: main; of bywayd that is the keeper.
 */
#ifndef SETTINGS_ENDPOINT_H
#define SETTINGS_ENDPOINT_H

#include "base/address.h"

enum {
    ENDPOINT_WHY_MAX = 256, /* bytes, the NUL among them */
    DNS_PORT         = 53
};

enum endpoint_use {
    ENDPOINT_LISTEN, /* may be the address that stands for all */
    ENDPOINT_ASK
};

/* Reads an address, with `port` where none is given. False: `why` says what is wrong with `text`, and is empty where there
 * is nothing more to say than what is expected. True with a `why`: a doubt. */
bool endpoint_read(const char *text, enum endpoint_use use, uint16_t port, struct address *ret,
                   char why[ENDPOINT_WHY_MAX]);

/* Reads a block that clients may be in. False as above. */
bool block_read(const char *text, struct cidr *ret, char why[ENDPOINT_WHY_MAX]);

#endif
