/*
 * markup_check.c: see markup_check.h.
 */
#include "lib/markup_check.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum {
    DEPTH = 32
};

struct reader {
    const char *at, *end;
    char        open[DEPTH][16];
    unsigned    depth;
};

static bool take(struct reader *reader, const char *text)
{
    size_t len = strlen(text);
    if ((size_t) (reader->end - reader->at) < len || memcmp(reader->at, text, len) != 0)
        return false;
    reader->at += len;
    return true;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static bool take_entity(struct reader *reader)
{
    return take(reader, "&amp;") || take(reader, "&lt;") || take(reader, "&gt;") || take(reader, "&quot;") ||
           take(reader, "&#39;");
}

/* "table", "aria-label", "viewBox". */
static bool take_word(struct reader *reader, char word[16])
{
    size_t len = 0;
    for (; reader->at < reader->end && (isalnum((unsigned char) *reader->at) || *reader->at == '-'); reader->at++)
        if (len < 15)
            word[len++] = *reader->at;
    word[len] = '\0';
    return len > 0;
}

static const char *read_attributes(struct reader *reader)
{
    char word[16];
    while (take(reader, " ")) {
        if (!take_word(reader, word) || (word[0] == 'o' && word[1] == 'n') || !take(reader, "=\""))
            return "an attribute that is none";
        while (reader->at < reader->end && *reader->at != '"') {
            if (*reader->at == '<' || *reader->at == '>' || (*reader->at == '&' && !take_entity(reader)))
                return "a value that is not escaped";
            reader->at += *reader->at != '"';
        }
        if (!take(reader, "\""))
            return "a value that does not end";
    }
    return NULL;
}

static const char *read_tag(struct reader *reader)
{
    static const char *const known[] = {
        "html",    "head",  "meta",  "title",  "link",   "style",      "body",   "svg",     "defs",
        "pattern", "path",  "rect",  "header", "h1",     "h2",         "main",   "p",       "span",
        "strong",  "ul",    "li",    "time",   "small",  "section",    "table",  "thead",   "tbody",
        "tr",      "th",    "td",    "div",    "figure", "figcaption", "desc",   "details", "summary",
        "form",    "label", "input", "button", "a",      "caption",    "footer", NULL};
    static const char *const empty[] = {"meta", "link", "input", NULL};
    char                     word[16];
    if (take(reader, "</")) {
        if (!take_word(reader, word) || !take(reader, ">"))
            return "an end that is none";
        return reader->depth > 0 && strcmp(reader->open[--reader->depth], word) == 0 ? NULL : "ends cross";
    }
    reader->at++;
    if (!take_word(reader, word) || !is_one_of(word, known))
        return "an element that is none of ours";
    const char *wrong = read_attributes(reader);
    if (wrong || take(reader, "/>"))
        return wrong;
    if (!take(reader, ">"))
        return "a tag that does not end";
    if (is_one_of(word, empty))
        return NULL;
    if (reader->depth == DEPTH)
        return "too deep";
    memcpy(reader->open[reader->depth++], word, sizeof(word));
    return NULL;
}

const char *markup_check(const char *text, size_t len)
{
    struct reader reader = {.at = text, .end = text + len};
    const char   *wrong  = take(&reader, "<!DOCTYPE html>") ? NULL : "not HTML";
    while (!wrong && reader.at < reader.end) {
        if (reader.depth > 0 && strcmp(reader.open[reader.depth - 1], "style") == 0 && *reader.at != '<')
            reader.at++;
        else if (*reader.at == '<')
            wrong = read_tag(&reader);
        else if (*reader.at == '&')
            wrong = take_entity(&reader) ? NULL : "a bare &";
        else if (*reader.at == '>' || *reader.at == '"' || (unsigned char) *reader.at == 0x7f ||
                 ((unsigned char) *reader.at < ' ' && *reader.at != '\n'))
            wrong = "text that is not escaped";
        else
            reader.at++;
    }
    return wrong ? wrong : reader.depth > 0 ? "it does not end" : NULL;
}
