/*
 * pin.h: the hash of a server's SubjectPublicKeyInfo as text: "sha256/BASE64".
 *
 * Thread: pure.
 */
#ifndef STREAM_PIN_H
#define STREAM_PIN_H

#include "stream/way.h"

enum {
    PIN_TEXT_MAX = sizeof("sha256/") - 1 + 44 + 1 /* bytes, the NUL among them */
};

/* False: it is none. */
bool pin_parse(const char *text, uint8_t ret[WAY_PIN]);
/* Returns `text`. */
const char *pin_format(const uint8_t pin[WAY_PIN], char text[PIN_TEXT_MAX]);

#endif
