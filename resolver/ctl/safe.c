/*
 * safe.c: see safe.h.
 */
#include "ctl/safe.h"

#include "base/printable.h"
#include "ctl/look.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* Bytes of the character that shows as itself at `text`, and its columns; 0: none. */
static size_t character(const char *text, size_t *ret_columns)
{
    unsigned char first = (unsigned char) *text;
    mbstate_t     state = {0};
    wchar_t       wide;
    *ret_columns = 1;
    if (first < 0x80 || !look_now()->utf8)
        return first >= 0x20 && first < 0x7f;
    size_t len = printable_length(text);
    if (len == 0 || mbrtowc(&wide, text, len, &state) != len || wcwidth(wide) < 0)
        return 0;
    *ret_columns = (size_t) wcwidth(wide);
    return len;
}

char *safe_text(const char *text)
{
    char  *safe = malloc(4 * strlen(text) + 1);
    char  *to   = safe;
    size_t columns;
    if (!safe)
        abort();
    while (*text) {
        size_t len = character(text, &columns);
        if (len > 0)
            to = mempcpy(to, text, len);
        else
            to += sprintf(to, "\\x%02x", (unsigned char) *text);
        text += len > 0 ? len : 1;
    }
    *to = 0;
    return safe;
}

size_t safe_fit(const char *safe, size_t room, size_t *ret_columns)
{
    size_t at    = 0, columns;
    *ret_columns = 0;
    while (safe[at]) {
        size_t len = character(safe + at, &columns);
        if (*ret_columns + columns > room)
            break;
        *ret_columns += columns;
        at += len > 0 ? len : 1;
    }
    return at;
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
