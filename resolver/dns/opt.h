/*
 * opt.h: the OPT record (RFC 6891) that byway puts into its messages; it advertises 1232 bytes. For edit.c and
 * compose.c.
 */
#ifndef DNS_OPT_H
#define DNS_OPT_H

#include "base/bytes.h"
#include "base/limits.h"
#include "dns/message.h"

#include <string.h>

enum {
    OPT_LEN        = 11,
    OPT_OPTION_LEN = 6, /* an EDE without text (RFC 8914) */
    OPT_EDE        = 15,
};

/* EXTRA-TEXT where the code alone does not say it. */
static inline struct view opt_text(int ede)
{
    static const char external[]   = "answered by an external upstream";
    static const char over_quota[] = "over the quota of questions to external upstreams";
    static const char blocklist[]  = "the blocklist answered with an error code";
    if (ede == EDE_EXTERNAL)
        return (struct view){(const uint8_t *) external, sizeof(external) - 1};
    if (ede == EDE_OVER_QUOTA)
        return (struct view){(const uint8_t *) over_quota, sizeof(over_quota) - 1};
    if (ede == EDE_BLOCKLIST)
        return (struct view){(const uint8_t *) blocklist, sizeof(blocklist) - 1};
    return (struct view){0};
}

static inline size_t opt_len(bool edns, int ede)
{
    return !edns ? 0 : OPT_LEN + (ede == EDE_NONE ? 0 : OPT_OPTION_LEN + opt_text(ede).len);
}

/* `rcode`: all 12 bits; its upper ones are written. Returns opt_len(true, ede). */
static inline size_t opt_write(bool dnssec_ok, unsigned rcode, int ede, uint8_t *out)
{
    struct view text = opt_text(ede);
    out[0]           = 0;
    put_u16(out + 1, TYPE_OPT);
    put_u16(out + 3, LIMIT_UDP_PAYLOAD);
    put_u32(out + 5, (uint32_t) (rcode >> 4) << 24 | (dnssec_ok ? 0x8000 : 0));
    put_u16(out + 9, ede == EDE_NONE ? 0 : (uint16_t) (OPT_OPTION_LEN + text.len));
    if (ede != EDE_NONE) {
        put_u16(out + OPT_LEN, OPT_EDE);
        put_u16(out + OPT_LEN + 2, (uint16_t) (2 + text.len));
        put_u16(out + OPT_LEN + 4, (uint16_t) (text.len > 0 ? EDE_OTHER : ede));
        if (text.len > 0)
            memcpy(out + OPT_LEN + OPT_OPTION_LEN, text.data, text.len);
    }
    return opt_len(true, ede);
}

#endif
