/*
 * sheet.c: see sheet.h.
 */
#include "observe/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 16384 /* bytes: most daemons' metrics fit twice */
};

static bool make_room(struct sheet *sheet, size_t more)
{
    size_t cap = sheet->cap ? sheet->cap : FIRST;
    while (cap - sheet->len < more)
        cap *= 2;
    if (sheet->failed || sheet->len + more > sheet->most)
        return false;
    if (cap == sheet->cap)
        return true;
    char *text = realloc(sheet->text, cap);
    if (!text)
        return false;
    sheet->text = text;
    sheet->cap  = cap;
    return true;
}

void sheet_put_bytes(struct sheet *sheet, const char *bytes, size_t len)
{
    if (!make_room(sheet, len)) {
        sheet->failed = true;
        return;
    }
    memcpy(sheet->text + sheet->len, bytes, len);
    sheet->len += len;
}

void sheet_put(struct sheet *sheet, const char *text) { sheet_put_bytes(sheet, text, strlen(text)); }

void sheet_format(struct sheet *sheet, const char *format, ...)
{
    char    text[SHEET_FORMAT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len < 0 || len >= SHEET_FORMAT_MAX)
        sheet->failed = true;
    else
        sheet_put_bytes(sheet, text, (size_t) len);
}
