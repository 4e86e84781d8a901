/*
 * opt.h: the OPT record (RFC 6891) that byway puts into its messages. For answer.c and compose.c.
 *
 * Thread: pure.
 */
#ifndef DNS_OPT_H
#define DNS_OPT_H

#include "base/bytes.h"
#include "dns/message.h"

#include <string.h>

enum {
    OPT_LEN           = 11,
    OPT_OPTION_LEN    = 6, /* an EDE without text (RFC 8914) */
    OPT_EDE           = 15,
    OPT_KEEPALIVE     = 11,
    OPT_PADDING       = 12,
    OPT_KEEPALIVE_MAX = 6,
};

struct opt {
    uint16_t         size; /* bytes of a message over UDP that its sender can take */
    bool             dnssec_ok;
    unsigned         rcode; /* all 12 bits; its upper ones are written */
    int              ede;
    struct keepalive keepalive;
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

static inline size_t opt_ede_len(int ede) { return ede == EDE_NONE ? 0 : OPT_OPTION_LEN + opt_text(ede).len; }

static inline size_t opt_keepalive_len(const struct keepalive *keepalive)
{
    return keepalive->form == KEEPALIVE_NONE ? 0 : keepalive->form == KEEPALIVE_ASKED ? 4 : OPT_KEEPALIVE_MAX;
}

static inline size_t opt_len(const struct opt *opt)
{
    return OPT_LEN + opt_ede_len(opt->ede) + opt_keepalive_len(&opt->keepalive);
}

static inline void opt_write_keepalive(const struct keepalive *keepalive, uint8_t *out)
{
    if (keepalive->form == KEEPALIVE_NONE)
        return;
    put_u16(out, OPT_KEEPALIVE);
    put_u16(out + 2, keepalive->form == KEEPALIVE_TOLD ? 2 : 0);
    if (keepalive->form == KEEPALIVE_TOLD)
        put_u16(out + 4, keepalive->idle);
}

static inline void opt_write_ede(int ede, uint8_t *out)
{
    struct view text = opt_text(ede);
    if (ede == EDE_NONE)
        return;
    put_u16(out, OPT_EDE);
    put_u16(out + 2, (uint16_t) (2 + text.len));
    put_u16(out + 4, (uint16_t) (text.len > 0 ? EDE_OTHER : ede));
    if (text.len > 0)
        memcpy(out + OPT_OPTION_LEN, text.data, text.len);
}

/* Returns opt_len(opt). */
static inline size_t opt_write(const struct opt *opt, uint8_t *out)
{
    size_t len = opt_len(opt);
    out[0]     = 0;
    put_u16(out + 1, TYPE_OPT);
    put_u16(out + 3, opt->size);
    put_u32(out + 5, (uint32_t) (opt->rcode >> 4) << 24 | (opt->dnssec_ok ? 0x8000 : 0));
    put_u16(out + 9, (uint16_t) (len - OPT_LEN));
    opt_write_keepalive(&opt->keepalive, out + OPT_LEN);
    opt_write_ede(opt->ede, out + OPT_LEN + opt_keepalive_len(&opt->keepalive));
    return len;
}

#endif
