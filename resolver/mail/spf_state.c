/*
 * spf_state.c: see spf_state.h.
 */
#include "mail/spf_state.h"

#include "mail/spf_reply.h"

#include <string.h>

struct spf_told spf_told_of(const struct message *reply, uint16_t type)
{
    if (reply->rcode == RCODE_NXDOMAIN)
        return (struct spf_told){.reply = reply, .outcome = OUTCOME_NXDOMAIN};
    if (reply->rcode != RCODE_NOERROR)
        return (struct spf_told){.outcome = OUTCOME_SERVFAIL};
    return (struct spf_told){.reply   = reply,
                             .outcome = spf_reply_count(reply, type) > 0 ? OUTCOME_ANSWER : OUTCOME_NODATA};
}

void spf_term_copy(struct view text, char out[SPF_TERM_TEXT_MAX])
{
    size_t len = text.len < SPF_TERM_TEXT_MAX ? text.len : SPF_TERM_TEXT_MAX - 1;
    if (len > 0)
        memcpy(out, text.data, len);
    out[len] = '\0';
}

void spf_problem_told(struct spf_problem *problem, const struct spf_lookup *lookup, const struct spf_told *told)
{
    problem->name    = lookup->name;
    problem->type    = lookup->type;
    problem->outcome = told->outcome;
    if (told->who)
        strncat(strcpy(problem->who, ""), told->who, SPF_WHO_MAX - 1);
}

void spf_ask(struct spf *spf, enum spf_stage stage, const struct name *name, uint16_t type)
{
    spf->stage  = stage;
    spf->lookup = (struct spf_lookup){*name, type};
}

uint16_t spf_address_type(const struct spf *spf) { return spf->client.any.sa_family == AF_INET6 ? TYPE_AAAA : TYPE_A; }

void spf_note(struct spf *spf, enum spf_trouble trouble, const struct spf_told *told)
{
    spf->problem = (struct spf_problem){.trouble = trouble};
    if (told)
        spf_problem_told(&spf->problem, &spf->lookup, told);
    if (spf->depth == 0)
        return;
    const struct spf_frame *top = spf_top(spf);
    spf->problem.domain         = spf->visits[top->visit].domain;
    spf->problem.at             = top->term.at;
    spf_term_copy(top->term.text, spf->problem.term);
}

/* RFC 7208, 7.3: a name that is the domain, else one below it, else any. */
static struct view host_of(const struct spf *spf, struct view domain)
{
    struct view best  = {NULL, 0};
    bool        below = false;
    for (unsigned i = 0; i < spf->validated_count; i++) {
        struct view name = name_view(&spf->validated[i]);
        if (name_equal(name, domain))
            return name;
        if (best.len == 0 || (!below && name_is_at_or_below(name, domain)))
            best = name;
        below |= name_is_at_or_below(name, domain);
    }
    return best;
}

struct spf_values spf_values_of(const struct spf *spf)
{
    struct view domain = name_view(&spf->visits[spf->frames[spf->depth - 1].visit].domain);
    return (struct spf_values){
        .sender        = {(const uint8_t *) spf->sender, strlen(spf->sender)},
        .local         = spf->local,
        .sender_domain = spf->sender_domain,
        .helo          = {(const uint8_t *) spf->helo, strlen(spf->helo)},
        .receiver      = {(const uint8_t *) spf->receiver, strlen(spf->receiver)},
        .domain        = domain,
        .host          = host_of(spf, domain),
        .client        = &spf->client,
        .now           = spf->now,
    };
}
