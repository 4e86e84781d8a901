/*
 * spf_match.c: see spf_match.h. It knows nothing of qualifiers and results: a mechanism matches or it does not.
 */
#include "mail/spf_match.h"

#include "mail/spf_reply.h"

static bool is_void(const struct spf_told *told, uint16_t type) { return spf_reply_count(told->reply, type) == 0; }

/* RFC 7208, 4.6.4. False: there are too many. */
static bool count_void(struct spf *spf, const struct spf_told *told)
{
    spf->voids[spf->void_count++] = spf->lookup;
    if (spf->void_count <= SPF_VOIDS_MAX)
        return true;
    spf_note(spf, SPF_VOIDS, told);
    return false;
}

/* Asks for the addresses of the next host that has a name. False: there is none. */
static bool ask_host(struct spf *spf, enum spf_stage stage)
{
    while (spf->host_at < spf->host_count) {
        const struct name *host = &spf->hosts[spf->host_at++];
        if (name_is_root(name_view(host))) /* a null MX (RFC 7505) */
            continue;
        spf_ask(spf, stage, host, spf_address_type(spf));
        return true;
    }
    spf->stage = SPF_STAGE_TERM;
    return false;
}

/* ---- the client's names ---- */

static void reverse_name(const struct address *client, struct name *ret)
{
    struct spf_values values = {.client = client};
    (void) spf_name_expand((struct view){(const uint8_t *) "%{ir}.%{v}.arpa", 15}, &values, ret);
}

void spf_validate_begin(struct spf *spf)
{
    struct name name;
    reverse_name(&spf->client, &name);
    spf_ask(spf, SPF_STAGE_PTR, &name, TYPE_PTR);
}

static enum spf_verdict validate_on_names(struct spf *spf, const struct spf_told *told)
{
    if (!told->reply)
        return SPF_MATCHES_NOT;
    size_t count    = spf_reply_names(told->reply, TYPE_PTR, spf->hosts, SPF_HOSTS_MAX);
    spf->host_count = (unsigned) (count < SPF_HOSTS_MAX ? count : SPF_HOSTS_MAX); /* the rest is ignored */
    spf->host_at    = 0;
    bool counts     = spf->phase == SPF_DECIDING && spf_top(spf)->term.kind == SPF_PTR;
    if (count == 0 && counts && !count_void(spf, told))
        return SPF_FAILS_FOR_GOOD;
    return ask_host(spf, SPF_STAGE_PTR_HOST) ? SPF_ASKING : SPF_MATCHES_NOT;
}

static enum spf_verdict validate_on_host(struct spf *spf, const struct spf_told *told)
{
    if (told->reply && spf_reply_covers(told->reply, &spf->client, 32, 128))
        spf->validated[spf->validated_count++] = spf->lookup.name;
    return ask_host(spf, SPF_STAGE_PTR_HOST) ? SPF_ASKING : SPF_MATCHES_NOT;
}

enum spf_verdict spf_validate_told(struct spf *spf, const struct spf_told *told)
{
    enum spf_verdict verdict = spf->stage == SPF_STAGE_PTR ? validate_on_names(spf, told) : validate_on_host(spf, told);
    if (verdict != SPF_ASKING) {
        spf->stage           = SPF_STAGE_TERM;
        spf->validation_done = true;
    }
    return verdict;
}

static enum spf_verdict match_ptr(const struct spf *spf, const struct name *target)
{
    for (unsigned i = 0; i < spf->validated_count; i++)
        if (name_is_at_or_below(name_view(&spf->validated[i]), name_view(target)))
            return SPF_MATCHES;
    return SPF_MATCHES_NOT;
}

/* ---- a, exists, mx ---- */

enum spf_verdict spf_match_begin(struct spf *spf, const struct spf_term *term)
{
    struct spf_values values = spf_values_of(spf);
    struct name       target;
    if (term->spec.len == 0)
        name_set(&target, values.domain);
    else if (!spf_name_expand(term->spec, &values, &target))
        return SPF_MATCHES_NOT; /* no such name can exist (RFC 7208, 4.8, leaves it open) */
    switch (term->kind) {
    case SPF_PTR:
        return match_ptr(spf, &target);
    case SPF_MX:
        spf_ask(spf, SPF_STAGE_MX, &target, TYPE_MX);
        return SPF_ASKING;
    case SPF_EXISTS: /* of IPv4, whatever the client has (RFC 7208, 5.7) */
        spf_ask(spf, SPF_STAGE_EXISTS, &target, TYPE_A);
        return SPF_ASKING;
    default:
        spf_ask(spf, SPF_STAGE_ADDRESS, &target, spf_address_type(spf));
        return SPF_ASKING;
    }
}

static bool is_covered(const struct spf *spf, const struct spf_told *told)
{
    const struct spf_term *term = &spf->frames[spf->depth - 1].term;
    return spf_reply_covers(told->reply, &spf->client, term->bits4, term->bits6);
}

static enum spf_verdict on_exchangers(struct spf *spf, const struct spf_told *told)
{
    size_t count = spf_reply_names(told->reply, TYPE_MX, spf->hosts, SPF_HOSTS_MAX);
    if (count > SPF_HOSTS_MAX) {
        spf_note(spf, SPF_HOSTS, told);
        return SPF_FAILS_FOR_GOOD;
    }
    spf->host_count = (unsigned) count;
    spf->host_at    = 0;
    return ask_host(spf, SPF_STAGE_MX_HOST) ? SPF_ASKING : SPF_MATCHES_NOT;
}

enum spf_verdict spf_match_told(struct spf *spf, const struct spf_told *told)
{
    enum spf_stage stage = spf->stage;
    spf->stage           = SPF_STAGE_TERM;
    if (!told->reply) {
        spf_note(spf, SPF_UNRESOLVED, told);
        return SPF_FAILS_NOW;
    }
    if (is_void(told, spf->lookup.type) && !count_void(spf, told))
        return SPF_FAILS_FOR_GOOD;
    switch (stage) {
    case SPF_STAGE_EXISTS:
        return is_void(told, TYPE_A) ? SPF_MATCHES_NOT : SPF_MATCHES;
    case SPF_STAGE_MX:
        return on_exchangers(spf, told);
    case SPF_STAGE_MX_HOST:
        if (is_covered(spf, told))
            return SPF_MATCHES;
        return ask_host(spf, SPF_STAGE_MX_HOST) ? SPF_ASKING : SPF_MATCHES_NOT;
    default: /* SPF_STAGE_ADDRESS */
        return is_covered(spf, told) ? SPF_MATCHES : SPF_MATCHES_NOT;
    }
}
