/*
 * test_dnsbl.c: the preset that ships with byway: what mail servers ask is in it, and where mail may go is not.
 */
#include "dns/text.h"
#include "lib/check.h"
#include "lib/names.h"
#include "policy/policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* The preset, found from this file's own place. */
static FILE *open_preset(void)
{
    static const char self[] = "tests/unit/test_dnsbl.c", preset[] = "config/presets/dnsbl.zones";
    size_t            root = strlen(__FILE__) - (sizeof self - 1);
    char              path[4096];
    snprintf(path, sizeof path, "%.*s%s", (int) root, __FILE__, preset);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    return file;
}

static size_t read_preset(struct rule *rules, size_t cap)
{
    FILE  *file  = open_preset();
    size_t count = 0;
    char   line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        assert_true(count < cap);
        char *entry = strstr(line, " ip=");
        if (entry != NULL)
            *entry = '\0';
        char *refusals = strchr(line, ' ');
        if (refusals != NULL)
            *refusals++ = '\0';
        rules[count] = (struct rule){.zone = named(line), .via = VIA_GROUP, .shipped = true, .is_list = true};
        rules[count].entry.is_asked = entry != NULL;
        if (refusals != NULL) {
            rules[count].refusals.count = 1;
            if (inet_pton(AF_INET, refusals, rules[count].refusals.addresses[0]) != 1)
                fail_msg("not one address behind %s: \"%s\"", line, refusals);
        }
        count++;
        if (line[strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789.-")] != '\0')
            fail_msg("not plain lower case: \"%s\"", line);
    }
    fclose(file);
    return count;
}

/* Each of them is a question to strangers about who sends mail here: few, and those that servers ask anyway. */
static void the_dnsbl_preset_marks_few_to_be_asked(void **state)
{
    (void) state;
    static struct rule rules[1000];
    size_t             count = read_preset(rules, ARRAY_LEN(rules)), asked = 0;
    for (size_t i = 0; i < count; i++)
        asked += rules[i].entry.is_asked;
    assert_in_range(asked, 12, 16);
}

static void the_dnsbl_preset_is_well_formed(void **state)
{
    (void) state;
    static struct rule rules[1000];
    size_t             count = read_preset(rules, ARRAY_LEN(rules));
    assert_true(count > 100);
    for (size_t i = 0; i < count; i++) {
        char text[NAME_TEXT_MAX];
        if (name_labels(name_view(&rules[i].zone)) < 2)
            fail_msg("a whole top-level domain: %s", name_format(name_view(&rules[i].zone), text));
        for (size_t j = 0; j < count; j++)
            if (i != j && name_is_at_or_below(name_view(&rules[i].zone), name_view(&rules[j].zone)))
                fail_msg("another line covers it: %s", name_format(name_view(&rules[i].zone), text));
    }
}

/* In the words of spamassassin and rspamd of these versions: URIBL_BLOCKED, SURBL_BLOCKED, DNSWL_BLOCKED. */
static void the_dnsbl_preset_knows_how_lists_refuse(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint8_t     address[4];
    } rows[] = {
        {"example.com.multi.uribl.com", {127, 0, 0, 1}}, {"example.com.black.uribl.com", {127, 0, 0, 1}},
        {"example.com.multi.surbl.org", {127, 0, 0, 1}}, {"2.0.0.127.list.dnswl.org", {127, 0, 0, 255}},
        {"example.com.dwl.dnswl.org", {127, 0, 0, 255}}, {"2.0.0.127.dbl.spamhaus.org", {127, 0, 1, 255}},
    };
    static struct rule rules[1000];
    struct policy     *policy = policy_create(rules, read_preset(rules, ARRAY_LEN(rules)));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct name      name     = named(rows[i].name);
        const struct refusals *refusals = &policy_find(policy, name_view(&name))->blocklist->refusals;
        if (refusals->count != 1 || memcmp(refusals->addresses[0], rows[i].address, 4) != 0)
            fail_msg("%s: another way to refuse", rows[i].name);
    }
    const struct name other = named("2.0.0.127.bl.spamcop.net");
    assert_int_equal(policy_find(policy, name_view(&other))->blocklist->refusals.count, 0);
    policy_destroy(policy);
}

static void the_dnsbl_preset_covers_what_mail_servers_ask(void **state)
{
    (void) state;
    static struct rule rules[1000];
    struct policy     *policy  = policy_create(rules, read_preset(rules, ARRAY_LEN(rules)));
    static const char *asked[] = {
        "2.0.0.127.zen.spamhaus.org",
        "example.com.dbl.spamhaus.org",
        "2.0.0.127.key.zen.dq.spamhaus.net",
        "2.0.0.127.cbl.abuseat.org",
        "2.0.0.127.bl.spamcop.net",
        "2.0.0.127.b.barracudacentral.org",
        "2.0.0.127.list.dnswl.org",
        "example.com.dwl.dnswl.org",
        "example.com.multi.uribl.com",
        "example.com.multi.surbl.org",
        "2.0.0.127.key.combined.mail.abusix.zone",
        "2.0.0.127.dnsbl-1.uceprotect.net",
        "2.0.0.127.ips.backscatterer.org",
        "2.0.0.127.dnsbl.sorbs.net",
        "2.0.0.127.psbl.surriel.com",
        "2.0.0.127.bl.mailspike.net",
        "2.0.0.127.wl.mailspike.net",
        "2.0.0.127.bl.score.senderscore.com",
        "2.0.0.127.sa-trusted.bondedsender.org",
        "2.0.0.127.sa-accredit.habeas.com",
        "2.0.0.127.iadb.isipp.com",
        "2.0.0.127.bl.0spam.org",
        "2.0.0.127.all.s5h.net",
        "2.0.0.127.truncate.gbudb.net",
        "2.0.0.127.dnsbl.justspam.org",
        "2.0.0.127.ix.dnsbl.manitu.net",
        "2.0.0.127.db.wpbl.info",
        "2.0.0.127.dnsbl.dronebl.org",
        "2.0.0.127.rbl.efnetrbl.org",
        "hash.ebl.msbl.org",
        "2.0.0.127.hostkarma.junkemailfilter.com",
        "2.0.0.127.spam.spamrats.com",
        "2.0.0.127.bl.spameatingmonkey.net",
        "2.0.0.127.ubl.unsubscore.com",
        "2.0.0.127.dnsbl.kempt.net",
        "2.0.0.127.cbl.anti-spam.org.cn",
        "2.0.0.127.bl.blocklist.de",
        "2.0.0.127.spamsources.fabel.dk",
        "2.0.0.127.dnsbl.spfbl.net",
        "2.0.0.127.bl.nordspam.com",
        "hash.uribl.rspamd.com",
        "example.com.lookup.dkimwl.org",
        "2.0.0.127.bl.rbl.scrolloutf1.com",
    };
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct name name = named(asked[i]);
        if (policy_find(policy, name_view(&name))->via != VIA_GROUP)
            fail_msg("not covered: %s", asked[i]);
    }
    static const char *others[] = {"mail.surriel.com", "example.org", "smtp.junkemailfilter.com",
                                   "rspamd.com",       "net.ua",      "vix.com",
                                   "asn.rspamd.com"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct name name = named(others[i]);
        if (policy_find(policy, name_view(&name))->via != VIA_AUTO)
            fail_msg("covered, though mail may go there: %s", others[i]);
    }
    policy_destroy(policy);
}

/* What Debian 12's packages name, whether it is asked as they are installed or stands there commented out or as an
 * example. Which versions: see the preset. */
static const char *const lists_of_packages[] = {
    /* spamassassin: rules, local.cf, *.pre, manual pages of its plugins */
    "list.dnswl.org",
    "iadb.isipp.com",
    "bl.mailspike.net",
    "wl.mailspike.net",
    "nonconfirm.mail-abuse.com",
    "activationcode.r.mail-abuse.com",
    "psbl.surriel.com",
    "bl.score.senderscore.com",
    "zen.spamhaus.org",
    "dbl.spamhaus.org",
    "sbl-xbl.spamhaus.org",
    "_vouch.dwl.spamhaus.org",
    "bl.spamcop.net",
    "sa-trusted.bondedsender.org",
    "sa-accredit.habeas.com",
    "multi.surbl.org",
    "multi.uribl.com",
    "dob.sibl.support-intelligence.net",
    "fresh.fmb.la",
    "lookup.dkimwl.org",
    "ebl.msbl.org",
    /* rspamd: modules.d/rbl.conf */
    "zen.spamhaus.org",
    "dbl.spamhaus.org",
    "rep.mailspike.net",
    "bl.score.senderscore.com",
    "bl.spameatingmonkey.net",
    "bl.ipv6.spameatingmonkey.net",
    "uribl.spameatingmonkey.net",
    "fresh15.spameatingmonkey.net",
    "list.dnswl.org",
    "dwl.dnswl.org",
    "bip.virusfree.cz",
    "ix.dnsbl.manitu.net",
    "bl.blocklist.de",
    "email.rspamd.com",
    "uribl.rspamd.com",
    "ebl.msbl.org",
    "multi.surbl.org",
    "multi.uribl.com",
    "public.sarbl.org",
    /* exim4: the specification's examples; the configuration itself names none */
    "sbl.spamhaus.org",
    "zen.spamhaus.org",
    "blackholes.mail-abuse.org",
    "dialups.mail-abuse.org",
    "rblplus.mail-abuse.org",
    "dsn.rfc-ignorant.org",
    "list.dsbl.org",
    "dnsbl.njabl.org",
    "relays.ordb.org",
    "dnsbl.sorbs.net",
    "dul.dnsbl.sorbs.net",
    "http.dnsbl.sorbs.net",
    "misc.dnsbl.sorbs.net",
    "socks.dnsbl.sorbs.net",
    /* postfix: examples of its documentation, and former defaults that its changelog names */
    "zen.spamhaus.org",
    "dbl.spamhaus.org",
    "bl.spamcop.net",
    "b.barracudacentral.org",
    "secret.zen.dq.spamhaus.net",
    "blackholes.mail-abuse.org",
    "rbl.maps.vix.com",
};

static void the_dnsbl_preset_covers_what_packages_name(void **state)
{
    (void) state;
    static struct rule rules[1000];
    struct policy     *policy = policy_create(rules, read_preset(rules, ARRAY_LEN(rules)));
    for (size_t i = 0; i < ARRAY_LEN(lists_of_packages); i++) {
        struct name name = named(lists_of_packages[i]);
        if (policy_find(policy, name_view(&name))->via != VIA_GROUP)
            fail_msg("not covered: %s", lists_of_packages[i]);
    }
    policy_destroy(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dnsbl_preset_is_well_formed),
        cmocka_unit_test(the_dnsbl_preset_marks_few_to_be_asked),
        cmocka_unit_test(the_dnsbl_preset_knows_how_lists_refuse),
        cmocka_unit_test(the_dnsbl_preset_covers_what_mail_servers_ask),
        cmocka_unit_test(the_dnsbl_preset_covers_what_packages_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
