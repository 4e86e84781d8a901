/*
 * pin.c: see pin.h.
 */
#include "stream/pin.h"

#include <openssl/evp.h>
#include <string.h>

static const char pin_prefix[] = "sha256/";

bool pin_parse(const char *text, uint8_t ret[WAY_PIN])
{
    size_t  prefix = strlen(pin_prefix);
    uint8_t bytes[WAY_PIN + 1];
    if (strncmp(text, pin_prefix, prefix) != 0 || strlen(text) != PIN_TEXT_MAX - 1 || text[PIN_TEXT_MAX - 2] != '=' ||
        text[PIN_TEXT_MAX - 3] == '=')
        return false;
    /* 44 letters are 33 bytes, the last of which is the padding's */
    if (EVP_DecodeBlock(bytes, (const unsigned char *) text + prefix, 44) != WAY_PIN + 1)
        return false;
    memcpy(ret, bytes, WAY_PIN);
    return true;
}

const char *pin_format(const uint8_t pin[WAY_PIN], char text[PIN_TEXT_MAX])
{
    memcpy(text, pin_prefix, strlen(pin_prefix));
    EVP_EncodeBlock((unsigned char *) text + strlen(pin_prefix), pin, WAY_PIN);
    return text;
}
