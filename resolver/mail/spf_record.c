/*
 * spf_record.c: see spf_record.h. It knows nothing of lookups. Whatever an operator may have meant, only what the
 * grammar has is a term; what is told of the rest says what it may have been.
 */
#include "mail/spf_record.h"

#include "mail/spf_macro.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    VERSION = 6 /* "v=spf1" */
};

static const struct {
    const char   *word;
    enum spf_kind kind;
} mechanisms[] = {{"all", SPF_ALL}, {"include", SPF_INCLUDE}, {"a", SPF_A},     {"mx", SPF_MX},
                  {"ptr", SPF_PTR}, {"ip4", SPF_IP4},         {"ip6", SPF_IP6}, {"exists", SPF_EXISTS}};

bool spf_record_is(struct view text)
{
    return text.len >= VERSION && strncasecmp((const char *) text.data, "v=spf1", VERSION) == 0 &&
           (text.len == VERSION || text.data[VERSION] == ' ');
}

bool spf_term_is_counted(enum spf_kind kind)
{
    return kind == SPF_INCLUDE || kind == SPF_A || kind == SPF_MX || kind == SPF_PTR || kind == SPF_EXISTS ||
           kind == SPF_REDIRECT;
}

static struct view behind(struct view text, size_t skip) { return (struct view){text.data + skip, text.len - skip}; }

static bool is_in(const char *set, uint8_t byte) { return byte != '\0' && strchr(set, byte) != NULL; }

static bool word_is(struct view word, const char *known)
{
    return word.len == strlen(known) && strncasecmp((const char *) word.data, known, word.len) == 0;
}

/* A prefix length: no leading zeros. */
static bool length_read(struct view digits, unsigned max, uint8_t *ret)
{
    unsigned value = 0;
    if (digits.len == 0 || digits.len > 3 || (digits.len > 1 && digits.data[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (!isdigit(digits.data[i]))
            return false;
        value = value * 10 + (unsigned) (digits.data[i] - '0');
    }
    *ret = (uint8_t) value;
    return value <= max;
}

/* ip4-network [ "/" length ], or the same for IPv6. */
static const char *network_read(struct view text, bool v6, struct spf_term *term)
{
    static const struct cidr mapped = {.bytes = {[10] = 0xff, [11] = 0xff}};
    char                     copy[INET6_ADDRSTRLEN];
    const uint8_t           *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    size_t                   len   = slash ? (size_t) (slash - text.data) : text.len;
    uint8_t                  bits  = v6 ? 128 : 32;
    if (text.len == 0)
        return "an address is missing";
    term->network = mapped;
    if (len >= sizeof(copy))
        len = 0; /* none is as long */
    memcpy(copy, text.data, len);
    copy[len] = '\0';
    if (strlen(copy) != len || inet_pton(v6 ? AF_INET6 : AF_INET, copy, term->network.bytes + (v6 ? 0 : 12)) != 1)
        return v6 ? "no IPv6 address" : "no IPv4 address";
    if (slash && !length_read(behind(text, len + 1), bits, &bits))
        return "no prefix length";
    term->network.bits = (uint8_t) (bits + (v6 ? 0 : 96));
    return NULL;
}

/* Digits at the end of the text and the slash before them; returns the text before, or all of it where there are
 * none. */
static struct view length_cut(struct view text, struct view *ret_digits)
{
    size_t at = text.len;
    while (at > 0 && isdigit(text.data[at - 1]))
        at--;
    *ret_digits = (struct view){NULL, 0};
    if (at == 0 || at == text.len || text.data[at - 1] != '/')
        return text;
    *ret_digits = behind(text, at);
    return (struct view){text.data, at - 1};
}

/* Takes [ "/" length ] [ "//" length ] off the end of *text. A domain-spec may have slashes of its own, so that they
 * are looked for from the end. */
static const char *dual_length_read(struct view *text, struct spf_term *term)
{
    struct view digits, rest = length_cut(*text, &digits);
    term->bits4 = 32;
    term->bits6 = 128;
    if (digits.len > 0 && rest.len > 0 && rest.data[rest.len - 1] == '/') {
        if (!length_read(digits, 128, &term->bits6))
            return "no IPv6 prefix length";
        *text = (struct view){rest.data, rest.len - 1};
        rest  = length_cut(*text, &digits);
    }
    if (digits.len == 0)
        return NULL;
    *text = rest;
    return length_read(digits, 32, &term->bits4) ? NULL : "no IPv4 prefix length";
}

/* [ ":" domain-spec ] */
static const char *spec_read(struct view text, bool needed, struct spf_term *term)
{
    if (text.len == 0)
        return needed ? "a domain name is missing" : NULL;
    if (text.data[0] != ':')
        return "something else than a colon behind the mechanism";
    term->spec = behind(text, 1);
    return spf_domain_spec_check(term->spec);
}

/* `rest`: what follows the mechanism's name. */
static const char *mechanism_read(struct view rest, struct spf_term *term)
{
    const char *wrong;
    switch (term->kind) {
    case SPF_ALL:
        return rest.len == 0 ? NULL : "something behind all";
    case SPF_IP4:
    case SPF_IP6:
        if (rest.len == 0 || rest.data[0] != ':')
            return "an address is missing";
        return network_read(behind(rest, 1), term->kind == SPF_IP6, term);
    case SPF_A:
    case SPF_MX:
        wrong = dual_length_read(&rest, term);
        return wrong ? wrong : spec_read(rest, false, term);
    default:
        return spec_read(rest, term->kind != SPF_PTR, term);
    }
}

static const char *modifier_read(struct view name, struct view value, struct spf_term *term)
{
    term->spec = value;
    term->kind = word_is(name, "redirect") ? SPF_REDIRECT : word_is(name, "exp") ? SPF_EXP : SPF_UNKNOWN;
    return term->kind == SPF_UNKNOWN ? spf_macro_check(value, true) : spf_domain_spec_check(value);
}

static const char *unknown_word(struct view word)
{
    if (word_is(word, "redirect") || word_is(word, "exp"))
        return "no mechanism but a modifier, which wants = and not :";
    if (word_is(word, "ip") || word_is(word, "ipv4") || word_is(word, "ipv6"))
        return "no mechanism: ip4: and ip6: are those for addresses";
    return "no mechanism";
}

static const char *term_read(struct view text, struct spf_term *term)
{
    size_t len = 0;
    term->text = text;
    while (len < text.len && (isalnum(text.data[len]) || is_in("-_.", text.data[len])))
        len++;
    if (len > 0 && len < text.len && text.data[len] == '=' && isalpha(text.data[0]))
        return modifier_read((struct view){text.data, len}, behind(text, len + 1), term);
    bool qualified    = is_in("+-~?", text.data[0]);
    term->qualifier   = qualified ? (char) text.data[0] : '+';
    struct view whole = behind(text, qualified), name = whole;
    for (len = 0; len < name.len && name.data[len] != ':' && name.data[len] != '/';)
        len++;
    name.len = len;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (word_is(name, mechanisms[i].word)) {
            term->kind = mechanisms[i].kind;
            return mechanism_read(behind(whole, len), term);
        }
    return unknown_word(name);
}

enum spf_reading spf_term_next(struct view record, size_t *at, struct spf_term *ret, const char **ret_why)
{
    size_t pos = *at > VERSION ? *at : VERSION;
    while (pos < record.len && record.data[pos] == ' ')
        pos++;
    *ret = (struct spf_term){.at = pos};
    if (pos == record.len)
        return SPF_READ_END;
    const uint8_t *space = memchr(record.data + pos, ' ', record.len - pos);
    size_t         len   = space ? (size_t) (space - record.data) - pos : record.len - pos;
    *at                  = pos + len;
    *ret_why             = term_read((struct view){record.data + pos, len}, ret);
    return *ret_why ? SPF_READ_WRONG : SPF_READ;
}

bool spf_record_check(struct view record, struct spf_outline *ret, struct spf_term *ret_wrong, const char **ret_why)
{
    enum spf_reading reading;
    *ret = (struct spf_outline){.has_all = false};
    for (size_t at = 0; (reading = spf_term_next(record, &at, ret_wrong, ret_why)) == SPF_READ;) {
        struct spf_term *once = ret_wrong->kind == SPF_REDIRECT ? &ret->redirect
                                : ret_wrong->kind == SPF_EXP    ? &ret->exp
                                                                : NULL;
        if (once && once->kind != SPF_NO_TERM) {
            *ret_why = "a modifier that stands there already";
            return false;
        }
        if (once)
            *once = *ret_wrong;
        ret->has_all |= ret_wrong->kind == SPF_ALL;
    }
    return reading == SPF_READ_END;
}
