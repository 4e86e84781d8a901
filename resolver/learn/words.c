/*
 * words.c: see words.h.
 */
#include "learn/words.h"

#include <string.h>

#define X(symbol, word, help) word,
const char *const zone_state_words[ZONE_STATE_COUNT] = {ZONE_STATES(X)};
const char *const zone_scope_words[SCOPE_COUNT]      = {ZONE_SCOPES(X)};
const char *const zone_reason_words[REASON_COUNT]    = {ZONE_REASONS(X)};
const char *const zone_source_words[SOURCE_COUNT]    = {ZONE_SOURCES(X)};
const char *const evidence_about_words[ABOUT_COUNT]  = {EVIDENCE_ABOUTS(X)};
#undef X

#define X(symbol, text) text,
const char *const zone_why_words[WHY_COUNT] = {ZONE_WHYS(X)};
#undef X

int word_find(const char *const *words, int count, const char *word)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}
