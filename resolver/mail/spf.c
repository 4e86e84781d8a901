/*
 * spf.c: see spf.h. The records that are being evaluated are a stack of frames: the first, and on it whatever it
 * includes or redirects to, each with the place of its next term. A lookup interrupts a term; what came of it goes on
 * there. A result ends the frame: to one below it is a match or none (include), or its own result (redirect).
 */
#include "mail/spf.h"

#include "mail/spf_match.h"
#include "mail/spf_reply.h"
#include "mail/spf_state.h"

#include <assert.h>
#include <string.h>

const char *spf_result_word(enum spf_result result)
{
    static const char *const words[] = {
        [SPF_NONE] = "none",         [SPF_NEUTRAL] = "neutral",     [SPF_PASS] = "pass",           [SPF_FAIL] = "fail",
        [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror",
    };
    return words[result];
}

static enum spf_result result_of(char qualifier)
{
    return qualifier == '-' ? SPF_FAIL : qualifier == '~' ? SPF_SOFTFAIL : qualifier == '?' ? SPF_NEUTRAL : SPF_PASS;
}

/* ---- frames ---- */

static size_t records_used(const struct spf *spf)
{
    for (unsigned i = spf->depth; i-- > 0;)
        if (spf->frames[i].text.len > 0)
            return (size_t) (spf->frames[i].text.data + spf->frames[i].text.len - spf->records);
    return 0;
}

/* `by` leads to the record of `domain`. */
static void push(struct spf *spf, enum spf_kind by, const struct name *domain)
{
    struct spf_visit *visit = &spf->visits[spf->visit_count];
    uint8_t           above = spf->depth > 0 ? spf_top(spf)->visit : 0;
    assert(spf->visit_count < SPF_VISITS_MAX);
    *visit                    = (struct spf_visit){.domain = *domain, .by = by, .parent = above};
    spf->frames[spf->depth++] = (struct spf_frame){.visit = (uint8_t) spf->visit_count++, .by = by};
    visit->lookups            = by != SPF_NO_TERM;
    spf_ask(spf, SPF_STAGE_RECORD, domain, TYPE_TXT);
}

/* A counted term in the record at work is one in each that led to it. */
static void count_term(struct spf *spf)
{
    uint8_t visit = spf_top(spf)->visit;
    spf->lookups++;
    for (; spf->visits[visit].by != SPF_NO_TERM; visit = spf->visits[visit].parent)
        spf->visits[visit].lookups++;
    spf->visits[visit].lookups++;
}

static void set_match(struct spf *spf, struct spf_match *match)
{
    match->domain = spf->visits[spf_top(spf)->visit].domain;
    spf_term_copy(spf_top(spf)->term.text, match->term);
}

/* The result is final. */
static void finish(struct spf *spf, enum spf_result result)
{
    spf->result = result;
    spf->stage  = SPF_STAGE_DONE;
    if (result == SPF_TEMPERROR || result == SPF_PERMERROR || result == SPF_NONE)
        spf->match = spf->inner = (struct spf_match){.term = ""};
    else
        spf->problem = (struct spf_problem){.trouble = SPF_FINE};
    if (result == SPF_FAIL && spf_top(spf)->outline.exp.kind == SPF_EXP)
        spf->phase = SPF_NAMING;
}

/* The frame at work has the term that led to the one that ended: what it included passed. */
static enum spf_result pass_included(struct spf *spf)
{
    if (spf->inner.domain.len == 0)
        spf->inner = spf->match;
    set_match(spf, &spf->match);
    return result_of(spf_top(spf)->term.qualifier);
}

/* The frame at work has come to a result. The frames of a chain of redirects stay where they are until the result of all
 * is known: the last of them has the explanation. */
static void settle(struct spf *spf, enum spf_result result)
{
    spf->stage = SPF_STAGE_TERM;
    for (unsigned i = spf->depth - 1; i > 0; i--) {
        if (result == SPF_NONE) /* RFC 7208, 5.2 and 6.1 */
            result = SPF_PERMERROR;
        if (spf->frames[i].by == SPF_REDIRECT)
            continue;
        spf->depth = i;
        if (result == SPF_PASS)
            result = pass_included(spf);
        else if (result != SPF_TEMPERROR && result != SPF_PERMERROR) {
            spf->match = spf->inner = (struct spf_match){.term = ""};
            return;
        }
    }
    finish(spf, result);
}

/* ---- terms ---- */

static void follow(struct spf *spf)
{
    struct spf_term  *term   = &spf_top(spf)->term;
    struct spf_values values = spf_values_of(spf);
    struct name       target;
    bool              is_name = spf_name_expand(term->spec, &values, &target);
    for (unsigned i = 0; is_name && i < spf->depth; i++)
        if (name_equal(name_view(&spf->visits[spf->frames[i].visit].domain), name_view(&target))) {
            spf_note(spf, SPF_LOOP, NULL);
            spf->problem.name = target;
            spf->problem.type = TYPE_TXT;
            settle(spf, SPF_PERMERROR);
            return;
        }
    if (is_name) {
        push(spf, term->kind, &target);
        return;
    }
    spf_note(spf, SPF_NO_DOMAIN, NULL);
    settle(spf, SPF_PERMERROR);
}

static void conclude(struct spf *spf, enum spf_verdict verdict)
{
    if (verdict == SPF_MATCHES) {
        set_match(spf, &spf->match);
        settle(spf, result_of(spf_top(spf)->term.qualifier));
    } else if (verdict == SPF_FAILS_NOW || verdict == SPF_FAILS_FOR_GOOD) {
        settle(spf, verdict == SPF_FAILS_NOW ? SPF_TEMPERROR : SPF_PERMERROR);
    }
}

static bool network_covers(const struct spf *spf, const struct spf_term *term)
{
    bool v6 = spf->client.any.sa_family == AF_INET6; /* ::/0 has no IPv4 address (RFC 7208, 5) */
    return v6 == (term->kind == SPF_IP6) && cidr_contains(&term->network, &spf->client);
}

/* Evaluates the term at work; what it needs of the client's names is there. */
static void evaluate(struct spf *spf)
{
    const struct spf_term *term = &spf_top(spf)->term;
    switch (term->kind) {
    case SPF_INCLUDE:
    case SPF_REDIRECT:
        follow(spf);
        return;
    case SPF_ALL:
        conclude(spf, SPF_MATCHES);
        return;
    case SPF_IP4:
    case SPF_IP6:
        conclude(spf, network_covers(spf, term) ? SPF_MATCHES : SPF_MATCHES_NOT);
        return;
    default:
        conclude(spf, spf_match_begin(spf, term));
    }
}

/* The next term of the frame at work; behind the last one its redirect. False: there is none. */
static bool next_term(struct spf_frame *frame)
{
    const char *why;
    bool        at_redirect = frame->term.kind == SPF_REDIRECT;
    while (!at_redirect && spf_term_next(frame->text, &frame->at, &frame->term, &why) == SPF_READ)
        if (frame->term.kind < SPF_REDIRECT)
            return true;
    frame->term = frame->outline.redirect;
    return !at_redirect && frame->term.kind == SPF_REDIRECT && !frame->outline.has_all;
}

static void step(struct spf *spf)
{
    struct spf_frame *top = spf_top(spf);
    if (!next_term(top)) {
        settle(spf, SPF_NEUTRAL);
        return;
    }
    if (spf_term_is_counted(top->term.kind)) {
        count_term(spf);
        if (spf->lookups > SPF_TERMS_MAX) {
            spf_note(spf, SPF_TERMS, NULL);
            settle(spf, SPF_PERMERROR);
            return;
        }
    }
    if (!spf->validation_done && (top->term.kind == SPF_PTR || spf_macro_uses(top->term.spec, 'p')))
        spf_validate_begin(spf);
    else
        evaluate(spf);
}

/* There is no good record for the frame at work: the term that led to it is to blame, if one has. */
static void note_missing(struct spf *spf, enum spf_trouble trouble, const struct spf_told *told)
{
    bool is_led = spf->depth > 1;
    spf->depth -= is_led;
    spf_note(spf, trouble, told);
    spf->depth += is_led;
}

static void on_record(struct spf *spf, const struct spf_told *told)
{
    size_t            used = records_used(spf), len, count;
    struct spf_frame *top  = spf_top(spf);
    const char       *why;
    struct spf_term   wrong;
    if (!told->reply) {
        note_missing(spf, SPF_UNRESOLVED, told);
        settle(spf, SPF_TEMPERROR);
        return;
    }
    count = spf_reply_text(told->reply, false, spf->records + used, SPF_RECORDS_SIZE - used, &len);
    if (count != 1 || len > SPF_RECORDS_SIZE - used) {
        note_missing(spf, count == 0 ? SPF_NO_RECORD : count > 1 ? SPF_SEVERAL : SPF_LONG, told);
        settle(spf, count == 0 ? SPF_NONE : SPF_PERMERROR);
        return;
    }
    top->text  = (struct view){spf->records + used, len};
    spf->stage = SPF_STAGE_TERM;
    if (spf_record_check(top->text, &top->outline, &wrong, &why))
        return;
    top->term = wrong;
    spf_note(spf, SPF_SYNTAX, told);
    spf->problem.why = why;
    settle(spf, SPF_PERMERROR);
}

/* ---- the explanation (RFC 7208, 6.2): whatever is wrong with it, there is none ---- */

static void explain(struct spf *spf)
{
    struct view       text   = spf->phase == SPF_NAMING ? spf_top(spf)->outline.exp.spec : spf->explanation_text;
    struct spf_values values = spf_values_of(spf);
    struct name       target;
    if (!spf->validation_done && spf_macro_uses(text, 'p')) {
        spf_validate_begin(spf);
    } else if (spf->phase == SPF_NAMING) {
        if (spf_name_expand(text, &values, &target))
            spf_ask(spf, SPF_STAGE_EXPLANATION, &target, TYPE_TXT);
        else
            spf->phase = SPF_DECIDING;
    } else {
        size_t len            = spf_macro_expand(text, &values, spf->explanation, SPF_EXPLANATION_MAX - 1);
        spf->explanation[len] = '\0';
        spf->phase            = SPF_DECIDING;
    }
}

static void on_explanation(struct spf *spf, const struct spf_told *told)
{
    size_t used = records_used(spf), len;
    spf->stage  = SPF_STAGE_DONE;
    spf->phase  = SPF_DECIDING;
    if (!told->reply || spf_reply_text(told->reply, true, spf->records + used, SPF_RECORDS_SIZE - used, &len) != 1 ||
        len > SPF_RECORDS_SIZE - used)
        return;
    spf->explanation_text = (struct view){spf->records + used, len};
    if (!spf_macro_check(spf->explanation_text, true))
        spf->phase = SPF_EXPLAINING;
}

/* ---- public ---- */

/* Goes on until something is to be looked up, or nothing is left to be done. */
static void run(struct spf *spf)
{
    while (spf->stage == SPF_STAGE_TERM || (spf->stage == SPF_STAGE_DONE && spf->phase != SPF_DECIDING)) {
        if (spf->stage == SPF_STAGE_TERM)
            step(spf);
        else
            explain(spf);
    }
}

static void on_told(struct spf *spf, const struct spf_told *told)
{
    switch (spf->stage) {
    case SPF_STAGE_RECORD:
        on_record(spf, told);
        break;
    case SPF_STAGE_EXPLANATION:
        on_explanation(spf, told);
        break;
    case SPF_STAGE_PTR:
    case SPF_STAGE_PTR_HOST: {
        enum spf_verdict verdict = spf_validate_told(spf, told);
        if (verdict == SPF_ASKING)
            break;
        if (spf->phase != SPF_DECIDING)
            spf->stage = SPF_STAGE_DONE;
        else if (verdict == SPF_FAILS_FOR_GOOD)
            conclude(spf, verdict);
        else
            evaluate(spf);
        break;
    }
    case SPF_STAGE_TERM:
    case SPF_STAGE_DONE:
        return;
    default:
        conclude(spf, spf_match_told(spf, told));
    }
    run(spf);
}

const struct spf_lookup *spf_lookup(const struct spf *spf)
{
    return spf->stage == SPF_STAGE_DONE ? NULL : &spf->lookup;
}

void spf_on_reply(struct spf *spf, const struct message *reply)
{
    struct spf_told told = spf_told_of(reply, spf->lookup.type);
    on_told(spf, &told);
}

void spf_on_failure(struct spf *spf, enum outcome outcome, const char *who)
{
    on_told(spf, &(struct spf_told){.outcome = outcome, .who = who});
}

/* An IPv4 address by whatever name; no scope, which is nobody's but this machine's. */
static struct address plain(const struct address *client)
{
    const struct in6_addr *v6    = &client->in6.sin6_addr;
    struct address         plain = *client;
    plain.len                    = sizeof(plain.in);
    if (client->any.sa_family != AF_INET6)
        return plain;
    if (IN6_IS_ADDR_V4MAPPED(v6)) {
        plain.in = (struct sockaddr_in){.sin_family = AF_INET};
        memcpy(&plain.in.sin_addr, v6->s6_addr + 12, 4);
        return plain;
    }
    plain.len               = sizeof(plain.in6);
    plain.in6.sin6_scope_id = 0;
    return plain;
}

/* RFC 7208, 2.4 and 4.3: HELO for an empty sender, and "postmaster" for an empty local part. */
static bool set_sender(struct spf *spf, const char *sender)
{
    const char *at    = strrchr(sender, '@');
    const char *local = at && at != sender ? "" : sender[0] == '\0' || !at ? "postmaster@" : "postmaster";
    const char *rest  = sender[0] != '\0' ? sender : spf->helo;
    if (strlen(local) + strlen(rest) >= sizeof(spf->sender))
        return false;
    strcat(strcpy(spf->sender, local), rest);
    at                 = strrchr(spf->sender, '@');
    spf->local         = (struct view){(const uint8_t *) spf->sender, (size_t) (at - spf->sender)};
    spf->sender_domain = (struct view){(const uint8_t *) at + 1, strlen(at + 1)};
    return true;
}

bool spf_begin(struct spf *spf, const struct spf_request *request)
{
    struct name domain;
    const char *receiver = request->receiver ? request->receiver : "unknown";
    memset(spf, 0, sizeof(*spf));
    spf->client = plain(&request->client);
    spf->now    = request->now;
    if (strlen(request->helo) >= sizeof(spf->helo) || strlen(receiver) >= sizeof(spf->receiver))
        return false;
    strcpy(spf->helo, request->helo);
    strcpy(spf->receiver, receiver);
    if (!set_sender(spf, request->sender))
        return false;
    bool is_literal = spf->sender_domain.len > 0 && spf->sender_domain.data[0] == '[';
    if (!is_literal && spf_name_read(spf->sender_domain, &domain) && name_labels(name_view(&domain)) > 1) {
        push(spf, SPF_NO_TERM, &domain);
        return true;
    }
    spf_note(spf, SPF_NO_DOMAIN, NULL);
    spf->result = SPF_NONE;
    spf->stage  = SPF_STAGE_DONE;
    return true;
}
