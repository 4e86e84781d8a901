/*
 * authentication.c: see authentication.h.
 */
#include "explain/authentication.h"

#include "explain/zones.h"

#include <stdio.h>
#include <string.h>

enum {
    TXT_MAX = 4096 /* bytes of one record's text */
};

/* ---- text ---- */

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; }

static struct view trimmed(struct view text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* The value of `tag` in a list "v=DMARC1; p=none" (RFC 6376, 3.2), blanks around it taken off. False: it has none. */
static bool find_tag(struct view list, const char *tag, struct view *ret_value)
{
    while (list.len > 0) {
        const uint8_t *end  = memchr(list.data, ';', list.len);
        size_t         len  = end ? (size_t) (end - list.data) : list.len;
        struct view    item = {list.data, len}, name;
        const uint8_t *is   = len > 0 ? memchr(item.data, '=', item.len) : NULL;
        list                = (struct view){list.data + len + (end != NULL), list.len - len - (end != NULL)};
        if (!is)
            continue;
        name = trimmed((struct view){item.data, (size_t) (is - item.data)});
        if (name.len != strlen(tag) || memcmp(name.data, tag, name.len) != 0)
            continue;
        *ret_value = trimmed((struct view){is + 1, (size_t) (item.data + item.len - is - 1)});
        return true;
    }
    return false;
}

static bool is_word(struct view text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *) text.data, word, text.len) == 0;
}

/* The strings of a TXT record, put together (RFC 7208, 3.3). */
static struct view join(const struct record *record, uint8_t text[TXT_MAX])
{
    size_t len = 0;
    for (size_t at = 0; at < record->data.len; at += 1u + record->data.data[at]) {
        size_t part = record->data.data[at];
        if (part > record->data.len - at - 1 || part > TXT_MAX - len)
            break;
        memcpy(text + len, record->data.data + at + 1, part);
        len += part;
    }
    return (struct view){text, len};
}

/* The first record that begins with "v=" and `version`. *ret_count: how many do. */
static int find_version(const struct fact *fact, const char *version, uint8_t text[TXT_MAX], struct view *ret,
                        unsigned *ret_count)
{
    struct message message;
    struct record  record = {0};
    int            found  = -1;
    static uint8_t other[TXT_MAX];
    *ret_count = 0;
    for (int i = 0; fact_next(fact, TYPE_TXT, &message, &record); i++) {
        struct view value, joined = join(&record, found < 0 ? text : other);
        if (!find_tag(joined, "v", &value) || !is_word(value, version))
            continue;
        if (found < 0) {
            found = i;
            *ret  = joined;
        }
        ++*ret_count;
    }
    return found;
}

/* `at`: of the record; -1: there is none to be shown. */
static void about(struct explanation *explanation, struct finding *finding, const struct pair *pair, int at)
{
    const struct fact *best = pair_best(explanation, pair);
    finding_about(finding, name_view(&pair->name), TYPE_TXT);
    if (best && at >= 0)
        finding_quote(finding, best, (unsigned) at);
}

/* ---- DMARC ---- */

static void judge_dmarc(struct explanation *explanation, const struct pair *pair, struct view record, int at)
{
    char        name[NAME_TEXT_MAX];
    struct view policy;
    name_format(name_view(&pair->name), name);
    if (!find_tag(record, "p", &policy)) {
        about(explanation,
              finding_add(explanation, FINDING_DMARC_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN,
                          "the DMARC record at %s has no policy (p=)", name),
              pair, at);
    } else if (!is_word(policy, "none") && !is_word(policy, "quarantine") && !is_word(policy, "reject")) {
        about(explanation,
              finding_add(explanation, FINDING_DMARC_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN,
                          "the DMARC record at %s has an unknown policy: p=%.*s", name,
                          (int) (policy.len < 32 ? policy.len : 32), (const char *) policy.data),
              pair, at);
    } else {
        about(explanation,
              finding_add(explanation, FINDING_DMARC, GRADE_OK, SIDE_DOMAIN, "DMARC at %s: p=%.*s", name,
                          (int) policy.len, (const char *) policy.data),
              pair, at);
    }
}

/* True if that is where the search ends. */
static bool look_for_dmarc(struct explanation *explanation, struct view domain, bool last)
{
    uint8_t     text[TXT_MAX];
    struct view record;
    struct name name;
    unsigned    count;
    char        failure[PAIR_TEXT_MAX];
    if (!name_prepend(&name, "_dmarc", 6, domain))
        return true;
    struct pair        pair = pair_ask(explanation, name_view(&name), TYPE_TXT);
    const struct fact *best = pair_best(explanation, &pair);
    zones_note(explanation, ROLE_DOMAIN, &pair);
    if (pair_fails(&pair) && zones_own_fails(explanation))
        return true;
    if (pair_fails(&pair)) {
        about(explanation,
              finding_add(explanation, FINDING_DMARC_UNRESOLVABLE, GRADE_PROBLEM, SIDE_DOMAIN,
                          "its DMARC record cannot be had: %s", pair_failure(&pair, failure)),
              &pair, -1);
        return true;
    }
    if (!best)
        return true;
    int at = find_version(best, "DMARC1", text, &record, &count);
    if (count > 1)
        about(explanation,
              finding_add(explanation, FINDING_DMARC_SEVERAL, GRADE_PROBLEM, SIDE_DOMAIN,
                          "it has more than one DMARC record, so none counts"),
              &pair, at);
    else if (count == 1)
        judge_dmarc(explanation, &pair, record, at);
    else if (last)
        about(explanation,
              finding_add(explanation, FINDING_DMARC_NONE, GRADE_NOTE, SIDE_DOMAIN, "it has no DMARC record"), &pair,
              -1);
    return count > 0;
}

static void look_at_dmarc(struct explanation *explanation)
{
    struct view domain = name_view(&explanation->request.domain);
    struct view above  = suffix_registrable(explanation->inquest->env->shared.suffix, domain);
    bool        alone  = above.len == 0 || above.len == domain.len;
    if (!look_for_dmarc(explanation, domain, alone) && !alone)
        look_for_dmarc(explanation, above, true);
}

/* ---- DKIM ---- */

static bool is_base64(struct view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (!(byte >= 'A' && byte <= 'Z') && !(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') &&
            byte != '+' && byte != '/' && byte != '=' && !is_blank(byte))
            return false;
    }
    return true;
}

/* "v=DKIM1" may be left out: then it is what has a key (RFC 6376, 3.6.1). */
static int find_key(const struct fact *fact, uint8_t text[TXT_MAX], struct view *ret_key)
{
    struct message message;
    struct record  record = {0};
    for (int i = 0; fact_next(fact, TYPE_TXT, &message, &record); i++) {
        struct view joined = join(&record, text), version;
        if (find_tag(joined, "v", &version) && !is_word(version, "DKIM1"))
            continue;
        if (find_tag(joined, "p", ret_key))
            return i;
    }
    return -1;
}

static void look_at_dkim(struct explanation *explanation)
{
    struct pair        pair = pair_ask(explanation, name_view(&explanation->request.dkim), TYPE_TXT);
    const struct fact *best = pair_best(explanation, &pair);
    uint8_t            text[TXT_MAX];
    struct view        key;
    char               failure[PAIR_TEXT_MAX];
    zones_note(explanation, ROLE_DKIM, &pair);
    if (pair_fails(&pair)) {
        about(explanation,
              finding_add(explanation, FINDING_DKIM_UNRESOLVABLE, GRADE_CAUSE, SIDE_DOMAIN,
                          "its DKIM key cannot be had: %s", pair_failure(&pair, failure)),
              &pair, -1);
    }
    if (!best)
        return;
    int at = find_key(best, text, &key);
    if (!fact_is_present(best))
        about(explanation,
              finding_add(explanation, FINDING_DKIM_NONE, GRADE_PROBLEM, SIDE_DOMAIN,
                          "there is no DKIM key of that selector"),
              &pair, -1);
    else if (at < 0)
        about(explanation,
              finding_add(explanation, FINDING_DKIM_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN,
                          "what stands there is no DKIM key (it has no p=)"),
              &pair, 0);
    else if (key.len == 0)
        about(explanation,
              finding_add(explanation, FINDING_DKIM_REVOKED, GRADE_PROBLEM, SIDE_DOMAIN,
                          "the DKIM key was revoked (p= is empty)"),
              &pair, at);
    else if (!is_base64(key))
        about(
            explanation,
            finding_add(explanation, FINDING_DKIM_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN, "the DKIM key is not in base64"),
            &pair, at);
    else
        about(explanation, finding_add(explanation, FINDING_DKIM, GRADE_OK, SIDE_DOMAIN, "its DKIM key is there"),
              &pair, at);
}

void authentication_look(struct explanation *explanation)
{
    look_at_dmarc(explanation);
    if (explanation->request.dkim.len > 0)
        look_at_dkim(explanation);
}
