/*
 * test_page.c: the status page is HTML whatever is in it, says what there is to say, and never more than its bound. With
 * BYWAY_PAGE=FILE it writes the specimen there, for a picture.
 */
#include "observe/page.h"

#include "lib/heap.h"
#include "lib/markup_check.h"
#include "lib/names.h"
#include "lib/specimen.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct specimen specimen;

static int open_fixture(void **state)
{
    (void) state;
    specimen_init(&specimen);
    return 0;
}

static int close_fixture(void **state)
{
    (void) state;
    return 0;
}

/* A string, for the caller to free. */
static char *written(void)
{
    struct sheet sheet = {.most = LIMIT_WEB_PAGE};
    page_write(&sheet, &specimen.page);
    assert_false(sheet.failed);
    const char *wrong = markup_check(sheet.text, sheet.len);
    if (wrong)
        fail_msg("%s", wrong);
    sheet_put_bytes(&sheet, "", 1);
    return sheet.text;
}

static void assert_has(const char *part)
{
    char *text = written();
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, strstr(text, "<header>"));
    free(text);
}

static void assert_lacks(const char *part)
{
    char *text = written();
    assert_null(strstr(text, part));
    free(text);
}

static void the_specimen(void **state)
{
    (void) state;
    char       *text = written();
    const char *path = getenv("BYWAY_PAGE");
    FILE       *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fputs(text, file);
        fclose(file);
    }
    free(text);
    assert_has("<title>All is well – byway on mx1.example.net</title>");
    assert_has("<strong>All is well:</strong> every upstream answers, and 4 blocked zones go to external.</p>");
    assert_has("tls://198.51.100.53:853#dns.example.net</th><td role=\"cell\">external</td>");
    assert_has("162 ms</td>");
    assert_has("partner.example.</th>");
    assert_has("<small>they filter by country; asked on 12 May</small>");
    assert_has("<caption>6 entries, the last change first.</caption>");
}

static void it_says_what_is_wrong(void **state)
{
    (void) state;
    specimen.upstreams[1].health  = HEALTH_DOWN;
    specimen.upstreams[1].problem = "its certificate \"ended\" <yesterday>";
    assert_has("<title>Worth a look – byway");
    assert_has("1 of the 2 upstreams of domestic is down; the others stand in.");
    assert_has("▼ down");
    assert_has("its certificate &quot;ended&quot; &lt;yesterday&gt;");
    assert_lacks("All is well");
    specimen.standing.state_failing = true;
    assert_has("<title>Something is wrong – byway");
    assert_has("</p><ul><li>1 of the 2 upstreams");
}

/* Two minutes of the present interval are a rate as well. */
static void what_has_just_begun_is_a_rate(void **state)
{
    (void) state;
    struct history_totals totals = specimen.history.last;
    specimen.page.clocks.now     = specimen.history.end - HISTORY_EVERY + 120000;
    totals.of[HISTORY_HERE] += 9000;
    history_add(&specimen.history, &totals, specimen.page.clocks.now);
    assert_has("At the end: cache and byway itself 4500, domestic 0, external 0, stale 0, SERVFAIL 0.");
    specimen.page.clocks.now -= 119000;
    assert_has("cache and byway itself 18000");
}

static void names_are_no_markup(void **state)
{
    (void) state;
    struct name label = {.len = 27};
    memcpy(label.wire, "\x19<script>a('&\"\\.)</script>", 26);
    specimen_add_zone(&specimen, name_view(&label), ZONE_BLOCKED, REASON_TIMEOUT, 1);
    for (int byte = 0; byte < 256; byte++) {
        struct name name = {.len = 3, .wire = {1, (uint8_t) byte}};
        if (specimen.shown.count < SHOWN_ZONES)
            specimen_add_zone(&specimen, name_view(&name), ZONE_BLOCKED, REASON_TIMEOUT, 1);
    }
    specimen.page.host  = "<b>&\"'";
    specimen.page.under = "\"><script>alert(1)</script>\n\xff";
    specimen.page.wrong = "not a name: \"<i>\"";
    assert_lacks("<script>");
    assert_lacks("<b>");
    assert_has("value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\x0a\\xff\"");
    specimen.page.wrong = NULL;
    assert_has("&lt;script&gt;");
    assert_lacks("<script>");
}

static void a_search(void **state)
{
    (void) state;
    specimen.page.under = "partner.example";
    assert_has("value=\"partner.example\"");
    assert_has("<a href=\"/#zones\">Show all</a>");
    specimen.shown = (struct shown){0};
    assert_has("<p>Nothing was learned of it");
    specimen.page.wrong = "not a domain name";
    assert_has("aria-describedby=\"wrong\"");
    assert_has("<p id=\"wrong\" class=\"bad\">not a domain name</p>");
    assert_lacks("<p>Nothing was learned of it");
    specimen.page.under = specimen.page.wrong = NULL;
    assert_has("<p>No zone is blocked, broken or pinned.</p>");
}

static void more_zones_than_are_shown(void **state)
{
    (void) state;
    struct name name = named("a.example");
    while (specimen.shown.count < SHOWN_ZONES)
        specimen_add_zone(&specimen, name_view(&name), ZONE_BLOCKED, REASON_TIMEOUT, 1);
    specimen.shown.found = 100000;
    assert_has("<caption>The 200 that changed last, of 100,000; a search finds the others.</caption>");
}

static void scopes_pins_and_sources(void **state)
{
    (void) state;
    struct shown_zone *zone = &specimen.shown.zones[0];
    zone->scope             = SCOPE_NAME;
    assert_has("<small>this name alone</small>");
    zone->scope = SCOPE_TYPE;
    zone->type  = 15;
    assert_has("<small>its MX alone</small>");
    zone->source = SOURCE_IMPORTED;
    assert_has("blocked <small>imported</small>");
    zone->pin       = PIN_EXTERNAL;
    zone->pin_until = specimen.page.clocks.now + 7200000;
    assert_has("<small>pinned to external, ends <time");
}

/* Names, texts and numbers as long as there are. */
static void the_longest_page_has_room(void **state)
{
    (void) state;
    static struct standing_upstream upstreams[LIMIT_GROUPS * LIMIT_GROUP];
    static char                     problem[400], address[700];
    struct name                     name = {.len = 255};
    memset(problem, '<', sizeof(problem) - 1);
    memset(address, '\xff', sizeof(address) - 1);
    for (unsigned i = 0; i < 254; i++)
        name.wire[i] = i % 64 == 0 ? (i == 192 ? 61 : 63) : '&';
    for (unsigned i = 0; i < LIMIT_GROUPS; i++)
        specimen.standing.groups[i] = "g";
    for (unsigned i = 0; i < ARRAY_LEN(upstreams); i++)
        upstreams[i] = (struct standing_upstream){
            .name = address, .group = i / LIMIT_GROUP, .health = HEALTH_DOWN, .loops = true, .problem = problem};
    specimen.standing.upstreams = upstreams, specimen.standing.upstream_count = ARRAY_LEN(upstreams);
    specimen.standing.group_count = LIMIT_GROUPS;
    while (specimen.shown.count < SHOWN_ZONES)
        specimen_add_zone(&specimen, name_view(&name), ZONE_BLOCKED, REASON_TIMEOUT, 1);
    for (unsigned i = 0; i < SHOWN_ZONES; i++)
        memset(specimen.shown.zones[i].note, '"', LIMIT_NOTE);
    char *text = written();
    assert_true(strlen(text) > 500000);
    free(text);
}

static void it_has_a_bound(void **state)
{
    (void) state;
    char  *text = written();
    size_t len  = strlen(text);
    free(text);
    for (size_t most = 0; most < len; most += 97) {
        struct sheet sheet = {.most = most};
        page_write(&sheet, &specimen.page);
        assert_true(sheet.failed && sheet.len <= most);
        free(sheet.text);
    }
    struct sheet sheet = {.most = len};
    page_write(&sheet, &specimen.page);
    assert_false(sheet.failed);
    free(sheet.text);
}

static void it_survives_a_lack_of_memory(void **state)
{
    (void) state;
    struct sheet sheet  = {.most = LIMIT_WEB_PAGE};
    size_t       before = heap_count();
    page_write(&sheet, &specimen.page);
    size_t tried = heap_count() - before;
    free(sheet.text);
    assert_true(tried > 0);
    for (size_t nth = 0; nth < tried; nth++) {
        sheet = (struct sheet){.most = LIMIT_WEB_PAGE};
        heap_fail_at(nth);
        page_write(&sheet, &specimen.page);
        assert_true(heap_restore());
        assert_true(sheet.failed);
        free(sheet.text);
    }
}

/* Else no browser would heed the style. */
static void the_policy_knows_the_style(void **state)
{
    (void) state;
    uint8_t  digest[32];
    unsigned len;
    char     text[64] = "sha256-";
    assert_int_equal(EVP_Digest(look_style, strlen(look_style), digest, &len, EVP_sha256(), NULL), 1);
    EVP_EncodeBlock((uint8_t *) text + strlen(text), digest, (int) len);
    assert_string_equal(LOOK_HASH, text);
    assert_non_null(strstr(PAGE_POLICY, text));
    assert_null(strstr(look_style, "</"));
    assert_null(strstr(look_style, "url(h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_specimen),
        FIXTURE_TEST(it_says_what_is_wrong),
        FIXTURE_TEST(what_has_just_begun_is_a_rate),
        FIXTURE_TEST(names_are_no_markup),
        FIXTURE_TEST(a_search),
        FIXTURE_TEST(more_zones_than_are_shown),
        FIXTURE_TEST(scopes_pins_and_sources),
        FIXTURE_TEST(the_longest_page_has_room),
        FIXTURE_TEST(it_has_a_bound),
        FIXTURE_TEST(it_survives_a_lack_of_memory),
        FIXTURE_TEST(the_policy_knows_the_style),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
