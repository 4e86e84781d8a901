/*
 * test_ctl_maillog.c: what lines of logs say of mail that DNS held up: each text of the table in a line as the servers
 * write it, in each form that a log has.
 */
#include "base/limits.h"
#include "base/units.h"
#include "ctl/maillog_domains.h"
#include "lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW 1796083200 /* 2026-12-01T00:00:00Z */

enum {
    FOUND_MAX = 4
};

struct found {
    unsigned count;
    struct {
        enum maillog_kind kind;
        bool              timed;
        wall_t            when;
        char              domain[NAME_TEXT_MAX], reply[512];
    } list[FOUND_MAX];
};

static void hear(void *context, const struct maillog_said *said)
{
    struct found *found = context;
    if (found->count == FOUND_MAX)
        return;
    found->list[found->count].kind  = said->kind;
    found->list[found->count].timed = said->timed;
    found->list[found->count].when  = said->when;
    snprintf(found->list[found->count].domain, NAME_TEXT_MAX, "%s", said->domain ? said->domain : "-");
    snprintf(found->list[found->count].reply, 512, "%.*s", (int) said->reply.len, (const char *) said->reply.data);
    found->count++;
}

struct fixture {
    struct maillog_lines lines;
    struct found         found;
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    setenv("TZ", "UTC", 1);
    tzset();
    maillog_lines_init(&f->lines, NOW, hear, &f->found);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    free(*state);
    return 0;
}

/* From a block of its own size, so that a sanitizer sees who reads beyond it. */
static void take(struct fixture *f, const char *text, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    f->found.count = 0;
    maillog_lines_take(&f->lines, (struct view){copy, len});
    free(copy);
}

static void take_text(struct fixture *f, const char *text) { take(f, text, strlen(text)); }

/* ---- each text of the table ---- */

struct row {
    const char *body, *domain, *reply;
    const char *kind; /* "": nothing is said */
};

#define SMTPD "mx1 postfix/smtpd[4711]: NOQUEUE: reject: RCPT from mail.partner.example[192.0.2.7]: "
#define ENVELOPE "; from=<bob@partner.example> to=<us@our.example> proto=ESMTP helo=<mail.partner.example>"
#define SMTP "mx1 postfix/smtp[815]: 4F7q: to=<u@dom.example>, relay=none, delay=4, dsn=4.4.3, status=deferred ("
#define SAID                                                                                                           \
    "mx1 postfix/smtp[8]: 4F: to=<u@d.example>, relay=mx[192.0.2.1]:25, dsn=4.1.8, status=deferred (host mx said: "
#define EXIM "H=mail.partner.example (helo.example) [192.0.2.7] F=<bob@partner.example> "
#define DELIVERY "starting delivery 17: msg 4711 to remote u@cn.example"
#define SPF_URL ". Please see http://www.openspf.net/Why?s=mfrom;id=bob@partner.example;ip=192.0.2.7;r=us@our.example"
#define TEMPORARY "SPF Temporary Error: DNS The DNS operation timed out." SPF_URL
#define PERMANENT "SPF Permanent Error: No valid SPF record for included domain: x.example: include:x.example" SPF_URL
#define NO_DOMAIN "Sender address rejected: Domain not found"
#define NO_HELO "Helo command rejected: Host not found"
#define NO_HOSTNAME "Client host rejected: cannot find your hostname, [192.0.2.7]"
#define NO_REVERSE "Client host rejected: cannot find your reverse hostname, [192.0.2.7]"
#define NAME_SERVICE "Host or domain name not found. Name service error for name="
#define AGAIN "host.example type=MX: Host not found, try again"
#define CHKUSER(what, from)                                                                                            \
    "CHKUSER rejected " what ": from <" from "|remoteinfo/auth:|chkuser-identify:> remote <helo:h|remotehostname:r|"   \
    "remotehostip:192.0.2.7> rcpt <us@rcpt.example> : "
#define SPAMDYKE(code)                                                                                                 \
    "mx1 spamdyke[29207]: " code " from: bob@partner.example to: us@our.example origin_ip: 192.0.2.7 "

static const struct row rows[] = {
    {SMTPD "450 4.1.8 <bob@partner.example>: " NO_DOMAIN ENVELOPE, "partner.example.",
     "450 4.1.8 <bob@partner.example>: " NO_DOMAIN, "sender"},
    {"mx1 postfix/cleanup[1]: 4F: milter-reject: MAIL from x[192.0.2.7]: 450 4.1.8 <b@p.example>: " NO_DOMAIN
     "; from=<b@p.example> proto=ESMTP helo=<x>",
     "p.example.", "450 4.1.8 <b@p.example>: " NO_DOMAIN, "sender"},
    {SAID "450 4.1.8 <us@our.example>: " NO_DOMAIN " (in reply to RCPT TO command))", "our.example.",
     "host mx said: 450 4.1.8 <us@our.example>: " NO_DOMAIN " (in reply to RCPT TO command)", "remote"},
    {"1abcDE-0001AB-CD == u@d.example R=dnslookup T=remote_smtp defer (-44) H=mx.d.example [192.0.2.1]: SMTP error "
     "from "
     "remote mail server after RCPT TO:<u@d.example>: 450 4.1.8 <us@our.example>: " NO_DOMAIN,
     "our.example.", NO_DOMAIN, "remote"},
    {SMTPD "450 4.1.8 <bob@partner.example>: Sender address rejected: Malformed DNS server reply" ENVELOPE,
     "partner.example.", "450 4.1.8 <bob@partner.example>: Sender address rejected: Malformed DNS server reply",
     "sender"},
    {SMTPD "450 4.1.7 <bob@partner.example>: Sender address rejected: unverified address: " NAME_SERVICE AGAIN ENVELOPE,
     "host.example.",
     "450 4.1.7 <bob@partner.example>: Sender address rejected: unverified address: " NAME_SERVICE AGAIN, "sender"},
    {SMTPD "550 5.1.0 <b@p.example>: Sender address rejected: undeliverable address: " NAME_SERVICE
           "host.example type=A: Host not found" ENVELOPE,
     "host.example.", NULL, "sender"},
    {SMTPD "450 4.1.7 <b@p.example>: Sender address rejected: unverified address: unable to look up host mx.p.example: "
           "Temporary failure in name resolution" ENVELOPE,
     "mx.p.example.", NULL, "sender"},
    {SMTPD
     "550 5.1.0 <b@p.example>: Sender address rejected: undeliverable address: unable to look up host mx.p.example: "
     "Name or service not known" ENVELOPE,
     "mx.p.example.", NULL, "sender"},
    {SMTPD "450 4.1.2 <u@dom.example>: Recipient address rejected: Domain not found" ENVELOPE, "dom.example.",
     "450 4.1.2 <u@dom.example>: Recipient address rejected: Domain not found", "recipient"},
    {SMTPD "450 4.1.2 <u@dom.example>: Recipient address rejected: Malformed DNS server reply" ENVELOPE, "dom.example.",
     NULL, "recipient"},
    {SMTPD "450 4.4.4 <u@dom.example>: Recipient address rejected: Unable to look up mail exchanger information: "
           "Host not found, try again" ENVELOPE,
     "dom.example.", NULL, "recipient"},
    {SMTPD
     "450 4.4.4 <u@dom.example>: Recipient address rejected: Unable to look up mail exchanger host mx.dom.example: "
     "Temporary failure in name resolution" ENVELOPE,
     "mx.dom.example.", NULL, "recipient"},
    {SMTPD "450 4.4.4 <u@dom.example>: Recipient address rejected: Unable to look up host mx.dom.example as mail "
           "exchanger: Host not found, try again" ENVELOPE,
     "mx.dom.example.", NULL, "recipient"},
    {SMTPD "450 4.7.1 <helo.example>: " NO_HELO ENVELOPE, "helo.example.", "450 4.7.1 <helo.example>: " NO_HELO,
     "helo"},
    {SAID "450 4.7.1 <mx.our.example>: " NO_HELO " (in reply to RCPT TO command))", "mx.our.example.", NULL, "remote"},
    {"1abcDE-0001AB-CD ** u@d.example R=dnslookup T=remote_smtp H=mx.d.example [192.0.2.1]: SMTP error from remote "
     "mail "
     "server after RCPT TO:<u@d.example>: 550 5.7.1 <mx.our.example>: " NO_HELO,
     "mx.our.example.", NULL, "remote"},
    {SMTPD "450 4.7.1 <helo.example>: Helo command rejected: Malformed DNS server reply" ENVELOPE, "helo.example.",
     NULL, "helo"},
    {SMTPD "450 4.7.25 " NO_HOSTNAME ENVELOPE, "7.2.0.192.in-addr.arpa.", "450 4.7.25 " NO_HOSTNAME, "client"},
    {SAID "450 4.7.25 " NO_HOSTNAME " (in reply to RCPT TO command))", "7.2.0.192.in-addr.arpa.", NULL, "remote"},
    {"1abcDE-0001AB-CD == u@d.example R=dnslookup T=remote_smtp defer (-44) H=mx.d.example [192.0.2.1]: SMTP error "
     "from "
     "remote mail server after RCPT TO:<u@d.example>: 450 4.7.25 " NO_HOSTNAME,
     "7.2.0.192.in-addr.arpa.", NULL, "remote"},
    {"mx1 postfix/smtpd[1]: NOQUEUE: reject: CONNECT from unknown[2001:db8::7]: 450 4.7.25 Client host rejected: "
     "cannot "
     "find your hostname, [2001:db8::7]; proto=SMTP",
     "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
     "450 4.7.25 Client host rejected: cannot find your hostname, [2001:db8::7]", "client"},
    {SMTPD "450 4.7.1 " NO_REVERSE ENVELOPE, "7.2.0.192.in-addr.arpa.", NULL, "client"},
    {SAID "450 4.7.1 " NO_REVERSE " (in reply to RCPT TO command))", "7.2.0.192.in-addr.arpa.", NULL, "remote"},
    {SMTP NAME_SERVICE AGAIN ")", "host.example.", NAME_SERVICE AGAIN, "recipient"},
    {"mx1 postfix/error[9]: 4F7q: to=<u@dom.example>, relay=none, delay=4, dsn=4.4.3, status=deferred (delivery "
     "temporarily suspended: " NAME_SERVICE AGAIN ")",
     "host.example.", "delivery temporarily suspended: " NAME_SERVICE AGAIN, "recipient"},
    {SMTPD "450 4.1.1 <u@dom.example>: Recipient address rejected: unverified address: " NAME_SERVICE AGAIN ENVELOPE,
     "host.example.", NULL, "recipient"},
    {"mx1 postfix/smtp[702]: 7EDC: to=<t@out.example>, relay=none, delay=0.04, dsn=5.4.4, status=bounced (" NAME_SERVICE
     "out.example type=A: Host not found)",
     "out.example.", NAME_SERVICE "out.example type=A: Host not found", "recipient"},
    {"mx1 postfix/smtp[702]: 7EDC: to=<t@out.example>, relay=none, delay=0.04, dsn=5.4.4, status=bounced (unable to "
     "look "
     "up host mx.out.example: Name or service not known)",
     "mx.out.example.", NULL, "recipient"},
    {"mx1 postfix/smtp[527]: 9756: to=<b@v.example>, relay=none, dsn=4.4.3, status=undeliverable (" NAME_SERVICE
     "v.example type=MX: Host not found, try again)",
     NULL, NULL, ""},
    {SMTP "unable to look up host mx.dom.example: Temporary failure in name resolution)", "mx.dom.example.",
     "unable to look up host mx.dom.example: Temporary failure in name resolution", "recipient"},
    {SMTPD "450 4.1.1 <u@dom.example>: Recipient address rejected: unverified address: unable to look up host "
           "mx.dom.example: Temporary failure in name resolution" ENVELOPE,
     "mx.dom.example.", NULL, "recipient"},

    {"mx1 policyd-spf[7]: defer_if_permit 4.7.24 Message deferred due to: " TEMPORARY, NULL, NULL, ""},
    {"mx1 postfix/policy-spf[7]: Policy action=DEFER_IF_PERMIT SPF-Result=p.example: 'SERVFAIL' error on DNS 'TXT' "
     "lookup "
     "of 'p.example'",
     NULL, NULL, ""},
    {SMTPD "450 4.7.24 <us@our.example>: Recipient address rejected: Message deferred due to: " TEMPORARY ENVELOPE,
     "partner.example.", NULL, "spf"},
    {SMTPD
     "450 4.7.24 <us@our.example>: Recipient address rejected: Message deferred due to: SPF Temporary Error: DNS The "
     "DNS operation timed out" ENVELOPE,
     "partner.example.", NULL, "spf"},
    {"mx1 postfix/cleanup[1]: 4F: milter-reject: MAIL from x[192.0.2.7]: 450 4.7.24 Message deferred due to: " TEMPORARY
     "; from=<bob@partner.example> proto=ESMTP helo=<x>",
     "partner.example.", NULL, "spf"},
    {SMTPD "550 5.7.24 <us@our.example>: Recipient address rejected: Message rejected due to: " PERMANENT ENVELOPE,
     "partner.example.", NULL, "spf"},
    {SMTPD
     "550 5.7.24 <us@our.example>: Recipient address rejected: Message rejected due to: SPF Permanent Error: Too many "
     "DNS lookups" ENVELOPE,
     "partner.example.", NULL, "spf"},
    {SMTPD "450 4.7.1 <us@our.example>: Recipient address rejected: SPF-Result=partner.example: Time-out on DNS 'TXT' "
           "lookup of '_spf.partner.example'" ENVELOPE,
     "_spf.partner.example.", NULL, "spf"},
    {SMTPD
     "450 4.7.1 <us@our.example>: Recipient address rejected: SPF-Result=partner.example: 'SERVFAIL' error on DNS "
     "'TXT' lookup of 'partner.example'" ENVELOPE,
     "partner.example.", NULL, "spf"},

    {EXIM "temporarily rejected RCPT <us@our.example>: Could not complete sender verify callout", NULL, NULL, ""},
    {EXIM "temporarily rejected RCPT <us@our.example>: Could not complete sender verify", "partner.example.",
     "Could not complete sender verify", "sender"},
    {"H=(helo.example) [192.0.2.7]:4711 temporarily rejected MAIL <bob@partner.example>: Could not complete sender "
     "verify",
     "partner.example.", NULL, "sender"},
    {"H=mail.partner.example [192.0.2.7] sender verify defer for <bob@partner.example>: host lookup did not complete",
     NULL, NULL, ""},
    {"H=mail.partner.example [192.0.2.7] sender verify fail for <bob@partner.example>: Unrouteable address",
     "partner.example.", "Unrouteable address", "sender"},
    {"H=mail.partner.example [192.0.2.7] sender verify fail for <bob@partner.example>: all relevant MX records point "
     "to "
     "non-existent hosts",
     "partner.example.", "all relevant MX records point to non-existent hosts", "sender"},
    {"1abcDE-0001AB-CD ** u@dom.example R=dnslookup: all relevant MX records point to non-existent hosts",
     "dom.example.", "all relevant MX records point to non-existent hosts", "recipient"},
    {EXIM "rejected RCPT <u@dom.example>: all relevant MX records point to non-existent hosts", "dom.example.", NULL,
     "recipient"},
    {"H=(helo.example) [2001:db8::7] temporarily rejected connection in \"connect\" ACL: host lookup deferred for "
     "reverse "
     "lookup check",
     "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
     "host lookup deferred for reverse lookup check", "client"},
    {EXIM "rejected RCPT <us@our.example>: host lookup failed (failed to find host name from IP "
          "address)",
     "7.2.0.192.in-addr.arpa.", NULL, "client"},
    {EXIM "temporarily rejected RCPT <us@our.example>: DNS lookup of \"relay.example\" deferred", "relay.example.",
     "DNS lookup of \"relay.example\" deferred", "client"},
    {EXIM
     "temporarily rejected RCPT <us@our.example>: Temporary DNS error while checking SPF record.  Try again later.",
     "partner.example.", "Temporary DNS error while checking SPF record.  Try again later.", "spf"},
    {"1abcDE-0001AB-CD == u@dom.example R=dnslookup defer (-1): host lookup did not complete", "dom.example.",
     "host lookup did not complete", "recipient"},
    {EXIM "temporarily rejected RCPT <u@dom.example>: host lookup did not complete", "dom.example.", NULL, "recipient"},
    {"1abcDE-0001AB-CD == u@dom.example R=smarthost defer (-37): host lookup for relay.example did not complete (DNS "
     "timeout?)",
     "relay.example.", "host lookup for relay.example did not complete (DNS timeout?)", "recipient"},
    {EXIM "temporarily rejected RCPT <u@dom.example>: host lookup for relay.example did not complete (DNS timeout?)",
     "relay.example.", NULL, "recipient"},
    {"1abcDE-0001AB-CD == u@dom.example R=smarthost defer (-30): lookup of host \"relay.example\" failed in smarthost "
     "router",
     "relay.example.", "lookup of host \"relay.example\" failed in smarthost router", "recipient"},
    {"1abcDE-0001AB-CD ** u@dom.example R=smarthost: lookup of host \"relay.example\" failed in smarthost router",
     "relay.example.", NULL, "recipient"},
    {"1abcDE-0001AB-CD == u@dom.example R=smarthost defer (-1): lookup failed for all hosts in smarthost router: "
     "host_find_failed=ignore host_all_ignored=defer",
     "dom.example.", NULL, "recipient"},
    {"1abcDE-0001AB-CD == u@dom.example R=dnslookup defer (-1): missing MX, or all MXs point to missing A records, and "
     "defer requested",
     "dom.example.", NULL, "recipient"},
    {"1abcDE-0001AB-CD == u@dom.example R=dnslookup T=remote_smtp defer (-1): all host address lookups failed "
     "temporarily",
     "dom.example.", NULL, "recipient"},
    {"1abcDE-0001AB-CD ** u@dom.example R=dnslookup T=remote_smtp: all host address lookups failed permanently",
     "dom.example.", NULL, "recipient"},

    {DELIVERY, NULL, NULL, ""},
    {"delivery 17: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/", "cn.example.",
     "CNAME_lookup_failed_temporarily._(#4.4.3)/", "recipient"},
    {"delivery 17: deferral: Sorry,_I_couldn't_find_any_host_by_that_name._(#4.1.2)/", "cn.example.", NULL,
     "recipient"},
    {"delivery 18: deferral: Sorry,_I_couldn't_find_any_host_named:_gone.example._(#4.1.2)/", "gone.example.", NULL,
     "recipient"},
    {"delivery 18: failure: Sorry,_I_couldn't_find_any_host_named_gone.example._(#5.1.2)/", "gone.example.",
     "Sorry,_I_couldn't_find_any_host_named_gone.example._(#5.1.2)/", "recipient"},
    {"delivery 17: failure: Sorry,_I_couldn't_find_a_mail_exchanger_or_IP_address._(#5.4.4)/", "cn.example.", NULL,
     "recipient"},
    {"delivery 17: deferral: "
     "Connected_to_192.0.2.1_but_sender_was_rejected./Remote_host_said:_451_DNS_temporary_failure_"
     "(#4.3.0)/",
     "cn.example.", NULL, "remote"},
    {"4711 < MAIL FROM:<bob@partner.example> SIZE=1000", NULL, NULL, ""},
    {"4711 > 451 DNS temporary failure (#4.3.0)", "partner.example.", "451 DNS temporary failure (#4.3.0)", "sender"},
    {"4711 > 553 sorry, your envelope sender domain must exist (#5.7.1)", "partner.example.", NULL, "sender"},
    {"rblsmtpd: 192.0.2.7 pid 4711: 451 temporary RBL lookup error", "7.2.0.192.in-addr.arpa.",
     "451 temporary RBL lookup error", "blocklist"},
    {SPAMDYKE("DENIED_RDNS_MISSING"), "7.2.0.192.in-addr.arpa.", NULL, "client"},
    {SPAMDYKE("DENIED_RDNS_RESOLVE"), "7.2.0.192.in-addr.arpa.", NULL, "client"},
    {SPAMDYKE("DENIED_SENDER_NO_MX"), "partner.example.", NULL, "sender"},
    {CHKUSER("sender", "bob@partner.example") "invalid sender MX domain", "partner.example.", NULL, "sender"},
    {CHKUSER("sender", "bob@partner.example") "temporary DNS problem", "partner.example.", NULL, "sender"},
    {CHKUSER("rcpt", "bob@partner.example") "invalid rcpt MX domain", "rcpt.example.", NULL, "recipient"},
};

static const struct {
    const char *stamp, *when; /* NULL: no time */
} forms[] = {
    {"Nov 29 15:41:00 ", "2026-11-29T15:41:00Z"},
    {"Nov  9 05:41:00 mx1 qmail: 1796.123456 ", "2026-11-09T05:41:00Z"},
    {"2026-11-29T15:41:00.123456+01:00 ", "2026-11-29T14:41:00Z"},
    {"2026-11-29T15:41:00+0100 ", "2026-11-29T14:41:00Z"},
    {"2026-11-29T15:41:00Z ", "2026-11-29T15:41:00Z"},
    {"2026-11-29 15:41:00 ", "2026-11-29T15:41:00Z"},
    {"2026-11-29 15:41:00.123 -0330 [4711] ", "2026-11-29T19:11:00Z"},
    {"@400000006a0b0c160de0b6b3 ", "2026-05-18T12:54:36Z"},
    {"", NULL},
};

static void check_row(const struct row *row, const struct found *found, const char *when, const char *line)
{
    char text[TIME_TEXT_MAX];
    if (found->count != (row->kind[0] != 0))
        fail_msg("%u findings in: %s", found->count, line);
    if (found->count == 0)
        return;
    if (strcmp(maillog_find_word(found->list[0].kind), row->kind) != 0)
        fail_msg("%s, not %s: %s", maillog_find_word(found->list[0].kind), row->kind, line);
    if (strcmp(found->list[0].domain, row->domain) != 0)
        fail_msg("%s, not %s: %s", found->list[0].domain, row->domain, line);
    if (row->reply && strcmp(found->list[0].reply, row->reply) != 0)
        fail_msg("\"%s\", not \"%s\": %s", found->list[0].reply, row->reply, line);
    assert_int_equal(found->list[0].timed, when != NULL);
    if (when)
        assert_string_equal(time_format(found->list[0].when, text), when);
}

static void test_each_text_in_each_form(void **state)
{
    struct fixture *f = *state;
    char            line[1024];
    for (size_t form = 0; form < ARRAY_LEN(forms); form++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            snprintf(line, sizeof(line), "%s%s", forms[form].stamp, rows[i].body);
            take_text(f, line);
            check_row(&rows[i], &f->found, forms[form].when, line);
        }
}

/* Who adds a text to the table adds a line here. */
static void test_no_text_is_left_out(void **state)
{
    (void) state;
    for (unsigned i = 1; i <= maillog_find_rows(); i++) {
        const struct maillog_text *text  = maillog_find_text(i);
        bool                       shown = false;
        for (size_t at = 0; at < ARRAY_LEN(rows); at++)
            shown = shown || (strstr(rows[at].body, text->text) && strstr(rows[at].body, text->mark) &&
                              strcmp(rows[at].kind, maillog_find_word(text->kind)) == 0);
        if (!shown)
            fail_msg("no line has \"%s\" and \"%s\"", text->mark, text->text);
    }
}

/* The longer of two that begin alike comes first, or it is never seen. */
static void test_longer_texts_come_first(void **state)
{
    (void) state;
    for (unsigned i = 1; i <= maillog_find_rows(); i++)
        for (unsigned later = i + 1; later <= maillog_find_rows(); later++) {
            const struct maillog_text *a = maillog_find_text(i), *b = maillog_find_text(later);
            if (b->text_len > a->text_len && memcmp(a->text, b->text, a->text_len) == 0)
                fail_msg("\"%s\" stands behind \"%s\"", b->text, a->text);
        }
}

/* ---- the search ---- */

/* Against the plain way, at every place of a block in which texts overlap, are cut, and touch its ends. */
static void test_the_search_finds_what_memcmp_finds(void **state)
{
    static char          block[1 << 14];
    struct fixture      *f    = *state;
    size_t               len  = 0;
    uint32_t             seed = 1;
    const char          *end, *at;
    struct maillog_find *find = &f->lines.find;
    while (len + 300 < sizeof(block)) {
        seed                             = seed * 1664525 + 1013904223;
        const struct maillog_text *text  = maillog_find_text(1 + (seed >> 8) % maillog_find_rows());
        size_t                     bytes = seed >> 31 ? text->text_len : (seed >> 20) % text->text_len;
        memcpy(block + len, text->text, bytes);
        len += bytes;
        memset(block + len, " xS\0\n"[(seed >> 16) % 5], (seed >> 28) % 4);
        len += (seed >> 28) % 4;
    }
    end = block + len;
    at  = block;
    for (const char *place = block; place < end; place++) {
        unsigned expected = 0, row = 0;
        for (unsigned i = maillog_find_rows(); i > 0; i--) {
            const struct maillog_text *text = maillog_find_text(i);
            if ((size_t) (end - place) >= text->text_len && memcmp(place, text->text, text->text_len) == 0)
                expected = i;
        }
        if (!expected)
            continue;
        assert_ptr_equal(maillog_find_next(find, at, end, &row), place);
        assert_int_equal(row, expected);
        at = place + 1;
    }
    unsigned row;
    assert_null(maillog_find_next(find, at, end, &row));
    assert_null(maillog_find_next(find, end - 3, end, &row));
}

/* ---- time ---- */

static void check_when(const char *zone, wall_t now, const char *stamp, const char *when)
{
    struct maillog_time time;
    char                text[TIME_TEXT_MAX];
    wall_t              got;
    setenv("TZ", zone, 1);
    tzset();
    maillog_time_init(&time, now);
    bool timed = maillog_time_read(&time, (struct view){(const uint8_t *) stamp, strlen(stamp)}, &got);
    if (timed != (when != NULL))
        fail_msg("%s: %s", stamp, timed ? time_format(got, text) : "no time");
    if (timed && strcmp(time_format(got, text), when) != 0)
        fail_msg("%s: %s, not %s", stamp, text, when);
}

static void test_the_year_is_the_latest_that_is_not_ahead(void **state)
{
    const wall_t new_year = 1798761600; /* 2027-01-01T00:00:00Z */
    (void) state;
    check_when("UTC", new_year + 60, "Dec 31 23:59:59 mx1", "2026-12-31T23:59:59Z");
    check_when("UTC", new_year + 60, "Jan  1 00:00:30 mx1", "2027-01-01T00:00:30Z");
    check_when("UTC", new_year - 60, "Jan  1 00:00:30 mx1", "2027-01-01T00:00:30Z"); /* a clock that is ahead */
    check_when("UTC", new_year - 60, "Jan  3 00:00:30 mx1", "2026-01-03T00:00:30Z");
    check_when("UTC", NOW, "Nov 30 10:00:00 mx1", "2026-11-30T10:00:00Z");
    check_when("UTC", NOW, "Dec  3 10:00:00 mx1", "2025-12-03T10:00:00Z");
    check_when("UTC", NOW, "Feb 29 10:00:00 mx1", "2024-02-29T10:00:00Z");
    check_when("UTC", NOW, "Feb 30 10:00:00 mx1", NULL);
    check_when("UTC", NOW, "Nov 09 10:00:00 mx1", "2026-11-09T10:00:00Z");
}

static void test_times_without_a_zone_are_local(void **state)
{
    (void) state;
    check_when("CET-1CEST,M3.5.0,M10.5.0/3", NOW, "Nov 29 15:41:00 mx1", "2026-11-29T14:41:00Z");
    check_when("CET-1CEST,M3.5.0,M10.5.0/3", NOW, "Jul 29 15:41:00 mx1", "2026-07-29T13:41:00Z");
    check_when("CET-1CEST,M3.5.0,M10.5.0/3", NOW, "2026-07-29 15:41:00 H=x", "2026-07-29T13:41:00Z");
    check_when("CET-1CEST,M3.5.0,M10.5.0/3", NOW, "2026-07-29 15:41:00 +0000 H=x", "2026-07-29T15:41:00Z");
    check_when("CET-1CEST,M3.5.0,M10.5.0/3", NOW, "2026-07-29 15:41:00.5 +17 H=x", "2026-07-29T13:41:00Z");
}

static void test_what_is_no_time(void **state)
{
    static const char *const stamps[] = {"",
                                         "Nov",
                                         "Nov 29",
                                         "Nov 29 15:41:0",
                                         "Nov 29 24:41:00 x",
                                         "Nox 29 15:41:00 x",
                                         "Nov-29",
                                         "2026-11-2",
                                         "2026-13-01T00:00:00Z",
                                         "2026-02-29T00:00:00Z",
                                         "2026-11-29x15:41:00",
                                         "1796083200.5 x",
                                         "@40000000",
                                         "@gggggggggggggggg ",
                                         "@ffffffffffffffff00000000 ",
                                         "@0000000000000000 ",
                                         "@40000000\0",
                                         "Nov 00 10:00:00 x",
                                         "\xff\xfe",
                                         "0000-00-00 00:00:00"};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(stamps); i++)
        check_when("UTC", NOW, stamps[i], NULL);
}

/* ---- names ---- */

static void test_names(void **state)
{
    static const struct {
        const char *piece, *name; /* NULL: none */
    } cases[] = {
        {"Mail.Example.", "mail.example."},
        {"mail.example: Host not found", "mail.example."},
        {"<\"a b\"@mail.example> x", "mail.example."},
        {"<a@b@mail.example>", "mail.example."},
        {"a%40mail.example;ip=1", "mail.example."},
        {"<a@[192.0.2.7]>", "7.2.0.192.in-addr.arpa."},
        {"<a@[IPv6:2001:db8::1]>", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."},
        {"192.0.2.7: x", "7.2.0.192.in-addr.arpa."},
        {"2001:db8::1 pid 7: x", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."},
        {"WIN-4711", "win-4711."},
        {"_spf.mail.example'", "_spf.mail.example."},
        {"<>", NULL},
        {"", NULL},
        {"<a@>", NULL},
        {".", NULL},
        {"a..example", NULL},
        {"<a@b\xc3\xbc.example>", NULL},
        {"[", NULL},
        {"@@@", NULL},
    };
    char name[NAME_TEXT_MAX], longest[700];
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool is = maillog_names_read((struct view){(const uint8_t *) cases[i].piece, strlen(cases[i].piece)}, name);
        if (is != (cases[i].name != NULL) || (is && strcmp(name, cases[i].name) != 0))
            fail_msg("%s: %s", cases[i].piece, is ? name : "no name");
    }
    memset(longest, 'a', sizeof(longest));
    assert_false(maillog_names_read((struct view){(const uint8_t *) longest, sizeof(longest)}, name));
}

/* ---- what is no line of a log ---- */

static void test_who_is_to_blame_may_be_missing(void **state)
{
    static const char *const lines[] = {
        SMTPD "450 4.1.8 <bob>: ",
        SMTPD "450 4.1.8 <bob@..>: " NO_DOMAIN ENVELOPE,
        SMTPD "450 4.7.25 Client host rejected: cannot find your hostname, [unknown]",
        "delivery 99: deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/",
        "deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/",
        " > 451 DNS temporary failure (#4.3.0)",
    };
    struct fixture *f = *state;
    take_text(f, lines[0]);
    assert_int_equal(f->found.count, 0);
    for (size_t i = 1; i < ARRAY_LEN(lines); i++) {
        take_text(f, lines[i]);
        assert_int_equal(f->found.count, 1);
        assert_string_equal(f->found.list[0].domain, "-");
    }
}

static void test_warnings_and_would_be_refusals_count_for_nothing(void **state)
{
    struct fixture *f = *state;
    take_text(f,
              "Nov 29 15:41:00 mx1 postfix/smtpd[1]: NOQUEUE: reject_warning: RCPT from x[192.0.2.7]: 450 4.1.8 "
              "<b@p.example>: " NO_DOMAIN ENVELOPE "\n"
              "Nov 29 15:41:00 mx1 postfix/smtpd[1]: warning: 7.2.0.192.zen.example: RBL lookup error: " NAME_SERVICE
              "7.2.0.192.zen.example type=A: Host not found, try again\n"
              "Nov 29 15:41:00 mx1 postfix/dnsblog[1]: warning: dnsblog_query: lookup error for DNS query "
              "7.2.0.192.zen.example: " NAME_SERVICE "7.2.0.192.zen.example type=A: Host not found, try again\n"
              "Nov 29 15:41:00 mx1 postfix/smtpd[1]: warning: Unable to look up MX host for p.example: Host not found\n"
              "2026-11-29 15:41:00 DNS list lookup defer (probably timeout) for 7.2.0.192.zen.example: assumed not in "
              "list\n");
    assert_int_equal(f->found.count, 0);
}

static void test_lines_are_apart(void **state)
{
    struct fixture *f = *state;
    take_text(f, "Nov 29 15:41:00 " DELIVERY "\r\n" NO_DOMAIN "\nNov 29 15:41:01 delivery 17: deferral: "
                 "CNAME_lookup_failed_temporarily._(#4.4.3)/\r\n\n");
    assert_int_equal(f->found.count, 1);
    assert_string_equal(f->found.list[0].domain, "cn.example.");
    assert_string_equal(f->found.list[0].reply, "CNAME_lookup_failed_temporarily._(#4.4.3)/");
    take_text(f, SMTPD "450 <a@x.example>: " NO_DOMAIN "\n" SMTPD "450 <a@y.example>: " NO_DOMAIN "\n");
    assert_int_equal(f->found.count, 2);
    assert_string_equal(f->found.list[1].domain, "y.example.");
}

/* Each line cut at each place, and with each of its bytes changed: nothing is read beyond what there is. */
static void test_cut_and_changed_lines(void **state)
{
    struct fixture *f = *state;
    char            line[1024];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = (size_t) snprintf(line, sizeof(line), "Nov 29 15:41:00 %s", rows[i].body);
        for (size_t at = 0; at < len; at++) {
            char kept = line[at];
            take(f, line, at);
            take(f, line + at, len - at);
            line[at] = (char) (kept ^ 0x80);
            take(f, line, len);
            line[at] = 0;
            take(f, line, len);
            line[at] = '\n';
            take(f, line, len);
            line[at] = kept;
        }
    }
}

/* A megabyte of texts that mean nothing takes no longer than a megabyte. */
static void test_a_long_line_is_given_up(void **state)
{
    static const char text[] = "Name service error for name=";
    struct fixture   *f      = *state;
    size_t            len    = 1 << 20;
    char             *line   = malloc(len);
    assert_non_null(line);
    for (size_t at = 0; at < len; at++)
        line[at] = text[at % (sizeof(text) - 1)];
    clock_t began = clock();
    take(f, line, len);
    assert_true(clock() - began < CLOCKS_PER_SEC);
    assert_int_equal(f->found.count, 0);
    free(line);
}

/* ---- domains ---- */

static void say(struct maillog_domains *domains, const char *domain, enum maillog_kind kind, wall_t when)
{
    maillog_domains_add(domains, &(struct maillog_said){.kind   = kind,
                                                        .domain = domain,
                                                        .reply  = {(const uint8_t *) "450 no\0\x1b[2J\xff", 12},
                                                        .timed  = when != 0,
                                                        .when   = when});
}

static void check_list(struct maillog_domains *domains, const char *expected)
{
    json_t *list = maillog_domains_list(domains);
    char   *text = json_dumps(list, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(list);
}

#define SAFE "\"reply\":\"450 no?\\\\x1b[2J\\\\xff\""
#define REST "\"cured\":null,\"explain\":null}"

static void test_worst_first(void **state)
{
    struct maillog_domains *domains = maillog_domains_create();
    (void) state;
    say(domains, "once.example.", MAILLOG_SENDER, NOW);
    say(domains, "twice.example.", MAILLOG_SENDER, NOW - 60);
    say(domains, "twice.example.", MAILLOG_SENDER, NOW - 120);
    say(domains, "twice.example.", MAILLOG_HELO, NOW - 90);
    say(domains, "never.example.", MAILLOG_SPF, 0);
    say(domains, "later.example.", MAILLOG_HELO, NOW + 1);
    say(domains, NULL, MAILLOG_HELO, NOW);
    assert_int_equal(maillog_domains_nameless(domains), 1);
    check_list(domains, "[{\"domain\":\"twice.example.\",\"count\":3,\"first\":\"2026-11-30T23:58:00Z\",\"last\":"
                        "\"2026-11-30T23:59:00Z\"," SAFE ",\"kind\":\"sender\"," REST
                        ",{\"domain\":\"later.example.\",\"count\":1,\"first\":\"2026-12-01T00:00:01Z\",\"last\":"
                        "\"2026-12-01T00:00:01Z\"," SAFE ",\"kind\":\"helo\"," REST
                        ",{\"domain\":\"once.example.\",\"count\":1,\"first\":\"2026-12-01T00:00:00Z\",\"last\":"
                        "\"2026-12-01T00:00:00Z\"," SAFE ",\"kind\":\"sender\"," REST
                        ",{\"domain\":\"never.example.\",\"count\":1,\"first\":null,\"last\":null," SAFE
                        ",\"kind\":\"spf\"," REST "]");
    maillog_domains_destroy(domains);
}

static void test_domains_are_bounded(void **state)
{
    struct maillog_domains *domains = maillog_domains_create();
    char                    name[32];
    (void) state;
    json_t *list = maillog_domains_list(domains);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    for (unsigned i = 0; i < LIMIT_LOG_DOMAINS + 10; i++) {
        snprintf(name, sizeof(name), "d%u.example.", i);
        say(domains, name, MAILLOG_SENDER, NOW);
    }
    say(domains, "d0.example.", MAILLOG_SENDER, NOW);
    assert_int_equal(maillog_domains_left_out(domains), 10);
    list = maillog_domains_list(domains);
    assert_int_equal(json_array_size(list), LIMIT_LOG_DOMAINS);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "domain")), "d0.example.");
    json_decref(list);
    maillog_domains_destroy(domains);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_each_text_in_each_form),
        FIXTURE_TEST(test_the_search_finds_what_memcmp_finds),
        FIXTURE_TEST(test_who_is_to_blame_may_be_missing),
        FIXTURE_TEST(test_warnings_and_would_be_refusals_count_for_nothing),
        FIXTURE_TEST(test_lines_are_apart),
        FIXTURE_TEST(test_cut_and_changed_lines),
        FIXTURE_TEST(test_a_long_line_is_given_up),
        cmocka_unit_test(test_no_text_is_left_out),
        cmocka_unit_test(test_longer_texts_come_first),
        cmocka_unit_test(test_the_year_is_the_latest_that_is_not_ahead),
        cmocka_unit_test(test_times_without_a_zone_are_local),
        cmocka_unit_test(test_what_is_no_time),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_worst_first),
        cmocka_unit_test(test_domains_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
