/*
 * replies.c: see replies.h.
 */
#include "explain/replies.h"

#include "dns/name.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What is said to who sends for another domain is not about this one. */
static bool is_senders(const struct explanation *explanation)
{
    const char *at = strrchr(explanation->request.sender, '@');
    struct name domain;
    return !at ||
           (name_parse(at + 1, &domain) && name_equal(name_view(&domain), name_view(&explanation->request.domain)));
}

__attribute__((format(printf, 5, 6))) static void add(struct explanation *explanation, const char *server,
                                                      const char *check, const char *code, const char *format, ...)
{
    va_list arguments;
    if ((strcmp(check, "sender") == 0 || strcmp(check, "spf") == 0) && !is_senders(explanation))
        return;
    for (unsigned i = 0; i < explanation->reply_count; i++)
        if (strcmp(explanation->replies[i].server, server) == 0 && strcmp(explanation->replies[i].check, check) == 0)
            return; /* it says one thing */
    if (explanation->reply_count == EXPLANATION_REPLIES)
        return;
    struct mail_reply *reply = &explanation->replies[explanation->reply_count++];
    *reply                   = (struct mail_reply){.server = server, .check = check};
    snprintf(reply->code, sizeof(reply->code), "%s", code);
    va_start(arguments, format);
    vsnprintf(reply->text, sizeof(reply->text), format, arguments);
    va_end(arguments);
}

/* What Exim says by Debian's configuration of it; its log has more (ctl/maillog_texts.def). */
#define EXIM_LATER "Temporary local problem - please try later"

/* The sender's domain cannot be looked up. */
static void on_failing_sender(struct explanation *explanation)
{
    add(explanation, "postfix", "sender", "450 4.1.8", "<%s>: Sender address rejected: Domain not found",
        explanation->request.sender);
    add(explanation, "exim", "sender", "451", EXIM_LATER);
    add(explanation, "qmail", "sender", "451", "DNS temporary failure (#4.3.0)");
}

/* It is not there, or mail cannot go there. */
static void on_missing_sender(struct explanation *explanation)
{
    add(explanation, "postfix", "sender", "450 4.1.8", "<%s>: Sender address rejected: Domain not found",
        explanation->request.sender);
    add(explanation, "exim", "sender", "550", "Verification failed for <%s>", explanation->request.sender);
    add(explanation, "qmail", "sender", "553", "sorry, your envelope sender domain must exist (#5.7.1)");
}

/* Without its final dot. */
static const char *domain_of(const struct explanation *explanation, char text[NAME_TEXT_MAX])
{
    name_format(name_view(&explanation->request.domain), text);
    text[strlen(text) - 1] = '\0';
    return text;
}

static void on_null_mx(struct explanation *explanation)
{
    char domain[NAME_TEXT_MAX];
    add(explanation, "postfix", "sender", "550 5.7.27",
        "<%s>: Sender address rejected: Domain %s does not accept mail (nullMX)", explanation->request.sender,
        domain_of(explanation, domain));
    add(explanation, "exim", "sender", "550", "Sender verification failed");
}

/* What Postfix says before the words of a policy service, policyd-spf here; who the mail is for is not known. */
#define POLICY "<recipient>: Recipient address rejected: "

static void on_failing_spf(struct explanation *explanation)
{
    add(explanation, "postfix", "spf", "450 4.7.24", POLICY "Message deferred due to: SPF Temporary Error: DNS");
    add(explanation, "exim", "spf", "451", "Temporary DNS error while checking SPF record.  Try again later.");
}

/* Where policyd-spf is told to reject for it (PermError_reject). */
static void on_wrong_spf(struct explanation *explanation, const char *words)
{
    add(explanation, "postfix", "spf", "550 5.7.24", POLICY "Message rejected due to: SPF Permanent Error%s", words);
}

static void on_spf_fail(struct explanation *explanation)
{
    char ip[ADDRESS_TEXT_MAX], domain[NAME_TEXT_MAX];
    add(explanation, "postfix", "spf", "550 5.7.23", POLICY "Message rejected due to: SPF fail - not authorized");
    add(explanation, "exim", "spf", "550", "[SPF] %s is not allowed to send mail from %s.",
        address_format_host(&explanation->request.ip, ip), domain_of(explanation, domain));
}

static void on_client(struct explanation *explanation, bool fails)
{
    char ip[ADDRESS_TEXT_MAX];
    if (explanation->request.ip.len == 0)
        return;
    add(explanation, "postfix", "client", "450 4.7.25", "Client host rejected: cannot find your hostname, [%s]",
        address_format_host(&explanation->request.ip, ip));
    add(explanation, "exim", "client", fails ? "451" : "550", fails ? EXIM_LATER : "Administrative prohibition");
}

static void on_helo(struct explanation *explanation)
{
    add(explanation, "postfix", "helo", "450 4.7.1", "<%s>: Helo command rejected: Host not found",
        explanation->request.helo);
}

static const struct reliance *reliance_of(const struct explanation *explanation, const struct finding *finding)
{
    for (unsigned i = 0; i < explanation->zone_count; i++)
        if (name_equal(name_view(&explanation->zones[i].zone), name_view(&finding->zone)))
            return &explanation->zones[i];
    return NULL;
}

/* A zone that it depends on fails. */
static void on_failing_zone(struct explanation *explanation, const struct finding *finding)
{
    const struct reliance *reliance = finding->zone.len > 0 ? reliance_of(explanation, finding) : NULL;
    unsigned               roles    = reliance ? reliance->roles : ROLE_DOMAIN;
    if (roles & (ROLE_DOMAIN | ROLE_SERVERS))
        on_failing_sender(explanation);
    if (roles & (ROLE_DOMAIN | ROLE_SERVERS | ROLE_SPF))
        on_failing_spf(explanation);
    if (roles & ROLE_CLIENT)
        on_client(explanation, true);
    if (roles & ROLE_HELO)
        on_helo(explanation);
}

/* Servers that are silent to this machine alone make no mail server say anything, nor does a rule that lets it pass. */
static bool is_harmless(const struct finding *finding)
{
    bool is_cause = finding->grade == GRADE_CAUSE;
    return (finding->tag == FINDING_SERVERS_UNREACHABLE && !is_cause) ||
           (finding->tag == FINDING_FENCED && !is_cause) || pair_is_minor(name_view(&finding->name), finding->type);
}

static void on_finding(struct explanation *explanation, const struct finding *finding)
{
    if (is_harmless(finding))
        return;
    switch (finding->tag) {
    case FINDING_BLOCKED:
    case FINDING_DEPENDS_ON_BLOCKED:
    case FINDING_DNSSEC_BOGUS:
    case FINDING_NOT_DELEGATED:
    case FINDING_UNRESOLVABLE:
    case FINDING_DOMESTIC_DOWN:
    case FINDING_FENCED:
        on_failing_zone(explanation, finding);
        return;
    case FINDING_FORGED:
        if (finding->outcome == OUTCOME_NXDOMAIN)
            on_missing_sender(explanation);
        return;
    case FINDING_LAME:
    case FINDING_SERVERS_UNREACHABLE:
        if (finding->grade == GRADE_CAUSE) /* else others of its servers serve it */
            on_failing_zone(explanation, finding);
        return;
    case FINDING_NO_DOMAIN:
    case FINDING_MX_NONE:
        on_missing_sender(explanation);
        return;
    case FINDING_MX_NULL:
        on_null_mx(explanation);
        return;
    case FINDING_SPF_UNRESOLVABLE:
        on_failing_spf(explanation);
        return;
    case FINDING_SPF_SEVERAL:
        on_wrong_spf(explanation, ": Two or more type TXT spf records found.");
        return;
    case FINDING_SPF_LOOKUPS:
        on_wrong_spf(explanation, ": Too many DNS lookups");
        return;
    case FINDING_SPF_VOID:
        on_wrong_spf(explanation, ": Void lookup limit of 2 exceeded");
        return;
    case FINDING_SPF_SYNTAX:
    case FINDING_SPF_LOOP:
        on_wrong_spf(explanation, "");
        return;
    case FINDING_SPF_FAIL:
        on_spf_fail(explanation);
        return;
    case FINDING_PTR_NONE:
    case FINDING_PTR_UNCONFIRMED:
        on_client(explanation, false);
        return;
    case FINDING_PTR_UNRESOLVABLE:
        on_client(explanation, true);
        return;
    case FINDING_HELO_MISSING:
    case FINDING_HELO_NO_ADDRESS:
    case FINDING_HELO_UNRESOLVABLE:
        on_helo(explanation);
        return;
    default:
        return;
    }
}

void replies_write(struct explanation *explanation)
{
    if (explanation->cause >= 0)
        on_finding(explanation, &explanation->findings[explanation->cause]);
    for (unsigned i = 0; i < explanation->finding_count; i++)
        if (explanation->findings[i].grade >= GRADE_PROBLEM)
            on_finding(explanation, &explanation->findings[i]);
}
