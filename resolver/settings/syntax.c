/*
 * syntax.c: see syntax.h.
 */
#include "settings/syntax.h"

#include "settings/relax.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct syntax {
    struct reader *reader;
    const char    *path;
    const char    *text; /* as it was written: columns are counted in it */
    size_t         len;
};

/* Tells what is wrong with what ends before `end`. */
__attribute__((format(printf, 3, 4))) static void tell_at(const struct syntax *syntax, size_t end, const char *format,
                                                          ...)
{
    char     what[256];
    unsigned line = 1, column = 0;
    va_list  values;
    for (size_t i = 0; i < end; i++) {
        if (syntax->text[i] == '\n') {
            line++;
            column = 0;
        } else if ((syntax->text[i] & 0xc0) != 0x80) { /* not the tail of a character */
            column++;
        }
    }
    va_start(values, format);
    vsnprintf(what, sizeof(what), format, values);
    va_end(values);
    reader_error(syntax->reader, NULL, "%s:%u:%u: %s", syntax->path, line, column > 0 ? column : 1, what);
}

/* What an editor may have saved instead of plain text. False: told. */
static bool check_encoding(const struct syntax *syntax)
{
    const char *text = syntax->text;
    const char *nul  = memchr(text, '\0', syntax->len);
    if (syntax->len == 0)
        tell_at(syntax, 0, "the file is empty (expected one object: {\"upstreams\": …})");
    else if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        tell_at(syntax, 1, "the file begins with a byte order mark (BOM): save it as UTF-8 without one");
    else if (strncmp(text, "\xff\xfe", 2) == 0 || strncmp(text, "\xfe\xff", 2) == 0 ||
             (syntax->len > 1 && (text[0] == '\0') != (text[1] == '\0')))
        tell_at(syntax, 1, "the file is written in UTF-16 or UTF-32: save it as UTF-8");
    else if (nul)
        tell_at(syntax, (size_t) (nul - text) + 1, "a NUL byte: the file is no text");
    else
        return true;
    return false;
}

/* What may have been meant by the token that jansson quotes; "": nobody knows. */
static const char *hint_for(const char *error)
{
    static const char near[] = " near '", key[] = "string or", value[] = "invalid token", colon[] = "':' expected";
    const char       *token = strstr(error, near);
    unsigned char     byte  = token ? (unsigned char) token[strlen(near)] : '\0';
    if (byte == '=' && strncmp(error, colon, strlen(colon)) == 0)
        return " (a key and its value have ':' between them)";
    if (strncmp(error, key, strlen(key)) != 0 && strncmp(error, value, strlen(value)) != 0)
        return "";
    if (byte == '#')
        return " (a comment begins with //)";
    if (byte == '\'' || byte >= 0x80 || isalpha(byte)) /* also quotes that a word processor has turned */
        return " (strings have double quotes, \"like this\")";
    return "";
}

/* jansson's words, where they would mislead: it accepts lists at the top, and does not say that a comma lacks. */
static void tell_parser_error(const struct syntax *syntax, const json_error_t *error)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {
        {"'[' or '{' expected", "'{' expected"},
        {"'}' expected", "',' or '}' expected"},
        {"']' expected", "',' or ']' expected"},
    };
    unsigned    byte;
    size_t      at    = error->position < 0 ? 0 : (size_t) error->position;
    const char *begin = "", *rest = error->text;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strncmp(error->text, words[i].theirs, strlen(words[i].theirs)) == 0) {
            begin = words[i].ours;
            rest += strlen(words[i].theirs);
            break;
        }
    }
    if (sscanf(error->text, "unable to decode byte 0x%x", &byte) == 1) { /* the one that is not read yet */
        tell_at(syntax, at + 1, "not UTF-8: byte 0x%02x", byte);
        return;
    }
    tell_at(syntax, at < syntax->len ? at : syntax->len, "%s%s%s", begin, rest, hint_for(error->text));
}

/* The same text without what JSON does not have. False: told. */
static bool make_plain(const struct syntax *syntax, char *text)
{
    size_t at;
    if (!relax(text, syntax->len, &at)) {
        tell_at(syntax, at + 1, "this comment does not end (expected \"*/\")");
        return false;
    }
    if (text[strspn(text, " \t\r\n")] != '\0')
        return true;
    tell_at(syntax, 0, "the file has nothing but comments (expected one object: {\"upstreams\": …})");
    return false;
}

json_t *syntax_read(struct reader *reader, const char *path, char *text, size_t len)
{
    char               *written = malloc(len + 1);
    const struct syntax syntax  = {.reader = reader, .path = path, .text = written, .len = len};
    json_error_t        error;
    json_t             *root = NULL;
    if (!written) {
        reader_no_memory(reader);
        return NULL;
    }
    memcpy(written, text, len + 1);
    if (check_encoding(&syntax) && make_plain(&syntax, text) &&
        reader_parse(reader, (struct view){(const uint8_t *) text, len}, 0, &root, &error)) {
        if (!root)
            tell_parser_error(&syntax, &error);
        else if (!json_is_object(root))
            reader_error(reader, NULL, "%s: expected one object, not a list", path);
    }
    free(written);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}
