/*
 * The status page, with texts that anybody may have chosen: what was searched for, a problem, a note, an upstream, a
 * host, each up to a line's end, and behind them names of zones in wire form. What is written is HTML of byway's own
 * elements, whatever is in it; and what was searched for is a name or is told why it is none.
 */
#include "dns/slip.h"
#include "fuzz.h"
#include "lib/markup_check.h"
#include "lib/specimen.h"

#include <string.h>

enum {
    TEXT_MAX = 1024
};

/* Up to the next line's end. */
static void take_text(struct view *rest, char text[TEXT_MAX])
{
    const uint8_t *lf  = memchr(rest->data, '\n', rest->len);
    size_t         len = lf ? (size_t) (lf - rest->data) : rest->len, kept = len < TEXT_MAX ? len : TEXT_MAX - 1;
    memcpy(text, rest->data, kept);
    text[kept] = '\0';
    len += lf ? 1 : 0;
    *rest = (struct view){rest->data + len, rest->len - len};
}

static void take_zones(struct view rest, struct specimen *specimen)
{
    for (size_t len; specimen->shown.count < SHOWN_ZONES && (len = name_check(rest)) > 0;) {
        specimen_add_zone(specimen, (struct view){rest.data, len}, (enum zone_state)(len % ZONE_STATE_COUNT),
                          (enum zone_reason)(len % REASON_COUNT), (unsigned) len);
        rest = (struct view){rest.data + len, rest.len - len};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct specimen specimen;
    static char            under[TEXT_MAX], problem[TEXT_MAX], note[TEXT_MAX], upstream[TEXT_MAX], host[TEXT_MAX];
    char                   why[SLIP_WHY_MAX];
    struct name            name;
    struct view            rest  = {data, size};
    struct sheet           sheet = {.most = LIMIT_WEB_PAGE};
    specimen_init(&specimen);
    take_text(&rest, under);
    take_text(&rest, problem);
    take_text(&rest, note);
    take_text(&rest, upstream);
    take_text(&rest, host);
    take_zones(rest, &specimen);
    specimen.page.under = under[0] ? under : NULL;
    specimen.page.wrong = under[0] && !name_read(under, &name, why) ? why : NULL;
    specimen.page.host  = host;
    memcpy(specimen.shown.zones[0].note, note, LIMIT_NOTE);
    specimen.upstreams[0].name    = upstream;
    specimen.upstreams[0].problem = problem;
    page_write(&sheet, &specimen.page);
    CHECK(!sheet.failed);
    const char *wrong = markup_check(sheet.text, sheet.len);
    if (wrong)
        fprintf(stderr, "%s\n", wrong);
    CHECK(!wrong);
    free(sheet.text);
    return 0;
}
