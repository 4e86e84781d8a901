/*
 * words.h: the lists that leave the process: journal, JSON, logs and help come from here.
 * Numbers are written to disk: append, never reorder.
 */
#ifndef LEARN_WORDS_H
#define LEARN_WORDS_H

/* X(symbol, word, help) */
#define ZONE_STATES(X)                                                                                                 \
    X(CLEAR, "clear", "nothing is wrong; listed only if pinned, or proved fine below a blocked zone")                  \
    X(SUSPECT, "suspect", "failed domestically, answered externally; being confirmed")                                 \
    X(BLOCKED, "blocked", "confirmed: fails at domestic while external answers")                                       \
    X(BROKEN, "broken", "fails on both sides: the zone's own fault")                                                   \
    X(RECOVERING, "recovering", "was blocked, the last recheck succeeded")

#define ZONE_SCOPES(X)                                                                                                 \
    X(ZONE, "zone", "the zone and all names below it")                                                                 \
    X(NAME, "name", "that one name, all types")                                                                        \
    X(TYPE, "type", "that one name and type")

#define ZONE_REASONS(X)                                                                                                \
    X(NONE, "", "no failure")                                                                                          \
    X(TIMEOUT, "timeout", "domestic was silent or not reachable")                                                      \
    X(SERVFAIL, "servfail", "domestic answered SERVFAIL")                                                              \
    X(REFUSED, "refused", "domestic answered REFUSED or another failing rcode")                                        \
    X(FORGED, "forged", "domestic's answer was proved false")

#define ZONE_SOURCES(X)                                                                                                \
    X(LEARNED, "learned", "from this node's own evidence")                                                             \
    X(PINNED, "pinned", "the operator's word")                                                                         \
    X(IMPORTED, "imported", "from a file")                                                                             \
    X(CLUSTER, "cluster", "from another node")

enum zone_state {
#define X(symbol, word, help) ZONE_##symbol,
    ZONE_STATES(X)
#undef X
    ZONE_STATE_COUNT
};
enum zone_scope {
#define X(symbol, word, help) SCOPE_##symbol,
    ZONE_SCOPES(X)
#undef X
    SCOPE_COUNT
};
enum zone_reason {
#define X(symbol, word, help) REASON_##symbol,
    ZONE_REASONS(X)
#undef X
    REASON_COUNT
};
enum zone_source {
#define X(symbol, word, help) SOURCE_##symbol,
    ZONE_SOURCES(X)
#undef X
    SOURCE_COUNT
};

extern const char *const zone_state_words[ZONE_STATE_COUNT];
extern const char *const zone_scope_words[SCOPE_COUNT];
extern const char *const zone_reason_words[REASON_COUNT];
extern const char *const zone_source_words[SOURCE_COUNT];

/* Index of `word` in a list of `count` words, -1: not there. */
int word_find(const char *const *words, int count, const char *word);

#endif
