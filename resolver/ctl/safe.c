/*
 * safe.c: see safe.h.
 */
#include "ctl/safe.h"

#include <stdlib.h>
#include <string.h>

char *safe_text(const char *text)
{
    char *safe = malloc(4 * strlen(text) + 1);
    char *to   = safe;
    if (!safe)
        abort();
    for (const unsigned char *byte = (const unsigned char *) text; *byte; byte++) {
        if (*byte >= 0x20 && *byte < 0x7f)
            *to++ = (char) *byte;
        else
            to += sprintf(to, "\\x%02x", *byte);
    }
    *to = 0;
    return safe;
}

void safe_print(FILE *to, const char *text)
{
    char *safe = safe_text(text);
    fputs(safe, to);
    free(safe);
}

void safe_print_json(FILE *to, const json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    if (!text)
        abort();
    /* DEL is the one control character that jansson leaves as it is. */
    for (const char *from = text;; from++) {
        size_t len = strcspn(from, "\x7f");
        fwrite(from, 1, len, to);
        from += len;
        if (*from == 0)
            break;
        fputs("\\u007f", to);
    }
    fputc('\n', to);
    free(text);
}
