/*
 * words.h: the lists that leave the process: journal, JSON, logs and help come from here.
 * Numbers are written to disk: append, never reorder.
 *
 * Thread: pure.
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

/* What an exchange of a study was about. */
#define EVIDENCE_ABOUTS(X)                                                                                             \
    X(APEX, "apex", "the zone's apex, or, in a recheck, a random name below it")                                       \
    X(QUESTION, "question", "the failed question, or its name with another type")                                      \
    X(CONTROL, "control", "another zone's name, to see whether the upstream answers at all")                           \
    X(CANARY, "canary", "the name, at forged.canary, where only a border answers")

/* Why a zone's state changed. X(symbol, text) */
#define ZONE_WHYS(X)                                                                                                   \
    X(STRIKE, "failed at domestic, answered by external")                                                              \
    X(CONFIRMED, "confirmed: fails at every domestic upstream, control question answered")                             \
    X(BELIEVED, "one failed query sufficed: its nameservers or its past speak for a block")                            \
    X(FINE, "answered by domestic")                                                                                    \
    X(BROKEN, "fails on both sides, control questions answered")                                                       \
    X(RECHECK_GOOD, "recheck answered by domestic")                                                                    \
    X(RECHECK_BAD, "recheck failed at domestic")                                                                       \
    X(POSTPONED, "recheck postponed: domestic is down")                                                                \
    X(EVICTED, "evicted: learning.max_zones")                                                                          \
    X(PROVED, "answered by domestic, below a blocked zone")                                                            \
    X(PINNED, "pinned")                                                                                                \
    X(UNPINNED, "unpinned")                                                                                            \
    X(PIN_ENDED, "the pin's time is over")                                                                             \
    X(FORGOTTEN, "forgotten by the operator")                                                                          \
    X(RESTORED, "restored")                                                                                            \
    X(OUTAGE, "domestic is down")                                                                                      \
    X(LAPSED, "neither confirmed nor renewed")                                                                         \
    X(IDLE, "not used for 30 days")                                                                                    \
    X(HEARD, "another node found it blocked")

enum zone_why {
#define X(symbol, text) WHY_##symbol,
    ZONE_WHYS(X)
#undef X
    WHY_COUNT
};
enum evidence_about {
#define X(symbol, word, help) ABOUT_##symbol,
    EVIDENCE_ABOUTS(X)
#undef X
    ABOUT_COUNT
};
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
extern const char *const zone_why_words[WHY_COUNT];
extern const char *const evidence_about_words[ABOUT_COUNT];

/* Index of `word` in a list of `count` words, -1: not there. */
int word_find(const char *const *words, int count, const char *word);

#endif
