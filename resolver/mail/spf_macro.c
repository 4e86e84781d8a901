/*
 * spf_macro.c: see spf_macro.h. It knows nothing of mechanisms. A macro string is read as pieces: a byte that stands for
 * itself, an escape, or a macro with its transformers; the check and the expansion walk the same pieces.
 */
#include "mail/spf_macro.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    DOMAIN_TEXT_MAX = 253,  /* characters of a name without its final dot: 255 bytes on the wire */
    EXPANDED_MAX    = 1024, /* of which the last 253 count; half of it is kept when it is full */
};

static const char letters[] = "slodipvh", letters_explaining[] = "crt", delimiters[] = ".-+,/_=";

struct piece {
    enum {
        PIECE_BYTE,
        PIECE_ESCAPE,
        PIECE_MACRO
    } kind;
    char        byte;       /* PIECE_BYTE; of a PIECE_ESCAPE: what follows '%' */
    char        letter;     /* PIECE_MACRO: in lower case */
    bool        escaped;    /* its letter is upper case: URL-escaped */
    bool        reversed;   /* 'r' */
    size_t      parts;      /* how many from the right; 0: all */
    struct view delimiters; /* where it is split; empty: at dots */
};

static struct view view_of(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

static bool is_in(const char *set, uint8_t byte) { return byte != '\0' && strchr(set, byte) != NULL; }

/* ---- syntax ---- */

/* Behind "%{". NULL or what is wrong. */
static const char *macro_read(struct view text, size_t *at, struct piece *ret)
{
    size_t pos = *at;
    if (pos >= text.len || !isalpha(text.data[pos]))
        return "a macro has no letter";
    *ret        = (struct piece){.kind = PIECE_MACRO, .escaped = isupper(text.data[pos]) != 0};
    ret->letter = (char) tolower(text.data[pos++]);
    if (!is_in(letters, (uint8_t) ret->letter) && !is_in(letters_explaining, (uint8_t) ret->letter))
        return "there is no macro with this letter";
    size_t digits = pos;
    for (; pos < text.len && isdigit(text.data[pos]); pos++)
        if (ret->parts <= NAME_WIRE_MAX * 2) /* more parts than there can be are all of them */
            ret->parts = ret->parts * 10 + (size_t) (text.data[pos] - '0');
    if (pos > digits && ret->parts == 0)
        return "a macro wants none of its parts";
    ret->reversed = pos < text.len && tolower(text.data[pos]) == 'r';
    pos += ret->reversed;
    ret->delimiters.data = text.data + pos;
    while (pos < text.len && is_in(delimiters, text.data[pos]))
        pos++;
    ret->delimiters.len = (size_t) (text.data + pos - ret->delimiters.data);
    if (pos >= text.len || text.data[pos] != '}')
        return "a macro does not end";
    *at = pos + 1;
    return NULL;
}

/* The piece at *at, which is before the end. NULL or what is wrong. */
static const char *piece_next(struct view text, size_t *at, struct piece *ret)
{
    uint8_t byte = text.data[(*at)++];
    *ret         = (struct piece){.kind = PIECE_BYTE, .byte = (char) byte};
    if (byte < ' ' || byte > '~')
        return "a byte that is no visible ASCII character";
    if (byte != '%')
        return NULL;
    uint8_t next = *at < text.len ? text.data[(*at)++] : '\0';
    if (next == '{')
        return macro_read(text, at, ret);
    if (!is_in("%_-", next))
        return "a % that begins no macro";
    *ret = (struct piece){.kind = PIECE_ESCAPE, .byte = (char) next};
    return NULL;
}

const char *spf_macro_check(struct view text, bool explaining)
{
    struct piece piece;
    for (size_t at = 0; at < text.len;) {
        const char *wrong = piece_next(text, &at, &piece);
        if (wrong)
            return wrong;
        if (!explaining && piece.kind == PIECE_MACRO && is_in(letters_explaining, (uint8_t) piece.letter))
            return "a macro that only explanations may have";
    }
    return NULL;
}

/* RFC 7208, 7.1: letters, digits and dashes, no dash at either end, not of digits alone. */
static bool is_top_label(struct view label)
{
    bool digits_only = true;
    if (label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!isalnum(label.data[i]) && label.data[i] != '-')
            return false;
        digits_only &= isdigit(label.data[i]) != 0;
    }
    return !digits_only;
}

/* Where the bytes behind the last macro or escape begin. */
static size_t literal_tail(struct view text)
{
    struct piece piece;
    size_t       tail = 0;
    for (size_t at = 0; at < text.len;)
        if (piece_next(text, &at, &piece) != NULL || piece.kind != PIECE_BYTE)
            tail = at;
    return tail;
}

static bool is_address(struct view text)
{
    char    copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1;
}

const char *spf_domain_spec_check(struct view text)
{
    const char *wrong = text.len == 0 ? "a domain name is missing" : spf_macro_check(text, false);
    if (wrong)
        return wrong;
    if (is_address(text))
        return "an address where a name belongs: those are for ip4: and ip6:";
    size_t tail = literal_tail(text), end = text.len;
    if (tail == end)
        return NULL;
    end -= text.data[end - 1] == '.';
    size_t label = end;
    while (label > tail && text.data[label - 1] != '.')
        label--;
    if (label == tail) /* no dot before it */
        return "a domain name of one label";
    return is_top_label((struct view){text.data + label, end - label}) ? NULL
                                                                       : "the domain name has no top-level label";
}

bool spf_macro_uses(struct view text, char letter)
{
    struct piece piece;
    for (size_t at = 0; at < text.len;)
        if (piece_next(text, &at, &piece) == NULL && piece.kind == PIECE_MACRO && piece.letter == letter)
            return true;
    return false;
}

/* ---- names ---- */

bool spf_name_read(struct view text, struct name *ret)
{
    size_t len = text.len - (text.len > 0 && text.data[text.len - 1] == '.');
    if (len == 0 || len > DOMAIN_TEXT_MAX)
        return false;
    for (size_t at = 0; at <= len;) {
        const uint8_t *dot   = memchr(text.data + at, '.', len - at);
        size_t         label = dot ? (size_t) (dot - text.data) - at : len - at;
        if (label == 0 || label > 63)
            return false;
        ret->wire[at] = (uint8_t) label;
        memcpy(ret->wire + at + 1, text.data + at, label);
        at += label + 1;
    }
    ret->wire[len + 1] = 0;
    ret->len           = (uint8_t) (len + 2);
    return true;
}

/* The reverse. Returns the length, without a final dot. */
static size_t name_write(struct view name, char *out)
{
    size_t len = 0;
    for (size_t at = 0; at < name.len && name.data[at] != 0; at += 1u + name.data[at]) {
        if (len > 0)
            out[len++] = '.';
        memcpy(out + len, name.data + at + 1, name.data[at]);
        len += name.data[at];
    }
    return len;
}

/* ---- expansion ---- */

struct out {
    char  *data;
    size_t len, cap;
    bool   keeps_end; /* when it is full the first half goes; else what follows */
};

static void put(struct out *out, char byte)
{
    if (out->len == out->cap && out->keeps_end) {
        out->len /= 2;
        memmove(out->data, out->data + out->cap - out->len, out->len);
    }
    if (out->len < out->cap)
        out->data[out->len++] = byte;
}

/* RFC 3986, 2.3: what is not unreserved is escaped. */
static void put_escaped(struct out *out, uint8_t byte)
{
    static const char hex[] = "0123456789ABCDEF";
    if ((byte < 0x80 && isalnum(byte)) || is_in("-._~", byte)) {
        put(out, (char) byte);
        return;
    }
    put(out, '%');
    put(out, hex[byte >> 4]);
    put(out, hex[byte & 0xf]);
}

/* Dots between its bytes, or between its nibbles. */
static size_t address_write(const struct address *client, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    if (client->any.sa_family == AF_INET)
        return strlen(inet_ntop(AF_INET, &client->in.sin_addr, out, SPF_VALUE_MAX));
    size_t len = 0;
    for (unsigned i = 0; i < 32; i++) {
        uint8_t byte = client->in6.sin6_addr.s6_addr[i / 2];
        if (i > 0)
            out[len++] = '.';
        out[len++] = hex[i % 2 == 0 ? byte >> 4 : byte & 0xf];
    }
    return len;
}

/* What a letter stands for. Where it is no view of `values` it is written to `made`. */
static struct view value_of(char letter, const struct spf_values *values, char made[SPF_VALUE_MAX])
{
    size_t len = 0;
    switch (letter) {
    case 's':
        return values->sender;
    case 'l':
        return values->local;
    case 'o':
        return values->sender_domain;
    case 'h':
        return values->helo;
    case 'r':
        return values->receiver;
    case 'v':
        return view_of(values->client->any.sa_family == AF_INET ? "in-addr" : "ip6");
    case 'd':
        len = name_write(values->domain, made);
        break;
    case 'p':
        if (values->host.len == 0)
            return view_of("unknown");
        len = name_write(values->host, made);
        break;
    case 'i':
        len = address_write(values->client, made);
        break;
    case 'c':
        len = strlen(address_format_host(values->client, made));
        break;
    default: /* t */
        len = (size_t) snprintf(made, SPF_VALUE_MAX, "%lld", (long long) values->now);
    }
    return (struct view){(const uint8_t *) made, len};
}

/* RFC 7208, 7.3: split, reversed, so many parts from the right, joined by dots. */
static void put_macro(struct out *out, const struct piece *piece, struct view value)
{
    struct view split = piece->delimiters.len > 0 ? piece->delimiters : view_of(".");
    uint16_t    starts[SPF_VALUE_MAX + 2];
    size_t      count = 0;
    starts[count++]   = 0;
    for (size_t i = 0; i < value.len; i++)
        if (memchr(split.data, value.data[i], split.len) != NULL)
            starts[count++] = (uint16_t) (i + 1);
    starts[count] = (uint16_t) (value.len + 1);
    size_t wanted = piece->parts > 0 && piece->parts < count ? piece->parts : count;
    for (size_t i = count - wanted; i < count; i++) {
        size_t part = piece->reversed ? count - 1 - i : i;
        if (i > count - wanted)
            put(out, '.');
        for (size_t at = starts[part]; at + 1 < starts[part + 1]; at++) {
            if (piece->escaped)
                put_escaped(out, value.data[at]);
            else
                put(out, (char) value.data[at]);
        }
    }
}

static void expand(struct view text, const struct spf_values *values, struct out *out)
{
    struct piece piece;
    char         made[SPF_VALUE_MAX];
    for (size_t at = 0; at < text.len && piece_next(text, &at, &piece) == NULL;) {
        if (piece.kind == PIECE_BYTE)
            put(out, piece.byte);
        else if (piece.kind == PIECE_MACRO)
            put_macro(out, &piece, value_of(piece.letter, values, made));
        else if (piece.byte == '-')
            put(out, '%'), put(out, '2'), put(out, '0');
        else
            put(out, piece.byte == '_' ? ' ' : '%');
    }
}

size_t spf_macro_expand(struct view text, const struct spf_values *values, char *out, size_t cap)
{
    struct out written = {.data = out, .cap = cap};
    expand(text, values, &written);
    return written.len;
}

bool spf_name_expand(struct view spec, const struct spf_values *values, struct name *ret)
{
    char       text[EXPANDED_MAX];
    struct out out = {.data = text, .cap = sizeof(text), .keeps_end = true};
    expand(spec, values, &out);
    struct view name = {(const uint8_t *) text, out.len - (out.len > 0 && text[out.len - 1] == '.')};
    while (name.len > DOMAIN_TEXT_MAX) {
        const uint8_t *dot = memchr(name.data, '.', name.len);
        if (!dot)
            return false;
        name.len -= (size_t) (dot + 1 - name.data);
        name.data = dot + 1;
    }
    return spf_name_read(name, ret);
}

/* Where the pieces begin that follow the last macro that depends on who sends, or from where. */
static size_t fixed_tail(struct view text)
{
    struct piece piece;
    size_t       tail = 0;
    for (size_t at = 0; at < text.len;)
        if (piece_next(text, &at, &piece) != NULL ||
            (piece.kind == PIECE_MACRO && !is_in("do", (uint8_t) piece.letter)))
            tail = at;
    return tail;
}

bool spf_name_known(struct view spec, const struct spf_values *values, struct name *ret, bool *ret_whole)
{
    char       text[EXPANDED_MAX];
    struct out out  = {.data = text, .cap = sizeof(text)};
    size_t     tail = fixed_tail(spec);
    *ret_whole      = tail == 0;
    if (tail == 0)
        return spf_name_expand(spec, values, ret);
    expand((struct view){spec.data + tail, spec.len - tail}, values, &out);
    const char *dot = memchr(text, '.', out.len); /* the label that such a macro ends in depends on it */
    if (!dot)
        return false;
    return spf_name_read((struct view){(const uint8_t *) dot + 1, out.len - (size_t) (dot + 1 - text)}, ret);
}
