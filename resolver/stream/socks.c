/*
 * socks.c: see socks.h.
 */
#include "stream/socks.h"

#include "base/bytes.h"

#include <string.h>

enum {
    VERSION      = 5,
    NO_METHOD    = 0,
    BY_WORD      = 2,
    NONE_FITS    = 0xff,
    WORD_VERSION = 1,
    CONNECT      = 1,
    BY_IPV4      = 1,
    BY_NAME      = 3,
    BY_IPV6      = 4,
    GRANTED      = 0,
};

size_t socks_start(struct socks *socks, const struct way *way, uint8_t out[SOCKS_OUT_MAX])
{
    *socks = (struct socks){.way = way};
    out[0] = VERSION;
    out[1] = way->proxy_user ? 2 : 1;
    out[2] = NO_METHOD;
    out[3] = BY_WORD;
    return 2 + out[1];
}

static size_t put_word(uint8_t *out, const char *word)
{
    size_t len = strlen(word);
    out[0]     = (uint8_t) len;
    memcpy(out + 1, word, len);
    return 1 + len;
}

static size_t write_user(struct socks *socks, uint8_t *out)
{
    socks->state = SOCKS_USER;
    out[0]       = WORD_VERSION;
    size_t len   = 1 + put_word(out + 1, socks->way->proxy_user);
    return len + put_word(out + len, socks->way->proxy_word);
}

static size_t write_connect(struct socks *socks, uint8_t *out)
{
    const struct address *address = &socks->way->address;
    bool                  six     = address->any.sa_family == AF_INET6;
    size_t                len     = six ? sizeof(address->in6.sin6_addr) : sizeof(address->in.sin_addr);
    const void           *from    = six ? (const void *) &address->in6.sin6_addr : (const void *) &address->in.sin_addr;
    socks->state                  = SOCKS_CONNECT;
    out[0]                        = VERSION;
    out[1]                        = CONNECT;
    out[2]                        = 0;
    out[3]                        = six ? BY_IPV6 : BY_IPV4;
    memcpy(out + 4, from, len);
    put_u16(out + 4 + len, address_port(address));
    return 4 + len + 2;
}

static size_t fail(struct socks *socks, const char *problem)
{
    socks->state   = SOCKS_FAILED;
    socks->problem = problem;
    return 0;
}

/* RFC 1928, 6. */
static const char *refusal(uint8_t reply)
{
    static const char *const words[] = {
        NULL,
        "the proxy failed",
        "the proxy's rules forbid it",
        "the proxy says: network unreachable",
        "the proxy says: host unreachable",
        "the proxy says: connection refused",
        "the proxy says: time to live exceeded",
        "the proxy does not know CONNECT",
        "the proxy does not know that kind of address",
    };
    return reply < ARRAY_LEN(words) ? words[reply] : "the proxy refused for a reason that nobody knows";
}

/* Bytes that the answer has, as far as can be said; 0: it is none. */
static size_t answer_len(const struct socks *socks)
{
    if (socks->state != SOCKS_CONNECT)
        return 2;
    if (socks->in_len < 5)
        return 5;
    switch (socks->in[3]) {
    case BY_IPV4:
        return 4 + 4 + 2;
    case BY_IPV6:
        return 4 + 16 + 2;
    case BY_NAME:
        return 4 + 1 + (size_t) socks->in[4] + 2;
    default:
        return 0;
    }
}

static size_t take_answer(struct socks *socks, uint8_t *out)
{
    const uint8_t *in = socks->in;
    switch (socks->state) {
    case SOCKS_GREETING:
        if (in[0] != VERSION)
            return fail(socks, "what answers is no SOCKS5 proxy");
        if (in[1] == NO_METHOD)
            return write_connect(socks, out);
        if (in[1] == BY_WORD && socks->way->proxy_user)
            return write_user(socks, out);
        return fail(socks, in[1] == NONE_FITS && !socks->way->proxy_user ? "the proxy wants a user and a password"
                                                                         : "the proxy wants another way to log in");
    case SOCKS_USER:
        return in[1] == GRANTED ? write_connect(socks, out) : fail(socks, "the proxy refused the user or the password");
    default:
        if (in[0] != VERSION)
            return fail(socks, "what answers is no SOCKS5 proxy");
        if (in[1] != GRANTED)
            return fail(socks, refusal(in[1]));
        socks->state = SOCKS_OPEN;
        return 0;
    }
}

size_t socks_feed(struct socks *socks, struct view *bytes, uint8_t out[SOCKS_OUT_MAX])
{
    while (socks->state < SOCKS_OPEN && bytes->len > 0) {
        socks->in[socks->in_len++] = *bytes->data++;
        bytes->len--;
        size_t wants = answer_len(socks);
        if (wants == 0)
            return fail(socks, "what answers is no SOCKS5 proxy");
        if (socks->in_len < wants)
            continue;
        size_t len    = take_answer(socks, out);
        socks->in_len = 0;
        if (len > 0)
            return len;
    }
    return 0;
}
