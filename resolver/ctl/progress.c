/*
 * progress.c: see progress.h. Blanks take a line away on any terminal, which escape sequences do not.
 */
#include "ctl/progress.h"

#include "ctl/look.h"
#include "ctl/safe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PART_MAX   = 512,
    WIDTH_ELSE = 80 /* of a terminal that does not say it */
};

static char   about[PART_MAX] = "asking", far[PART_MAX];
static size_t shown; /* columns */

/* One that wraps could not be written over, so what finds no place is left out. */
static void show(const char *text)
{
    if (!isatty(STDERR_FILENO))
        return;
    size_t room = look_of(stderr).width, columns;
    char  *safe = safe_text(text);
    size_t len  = safe_fit(safe, (room > 0 ? room : WIDTH_ELSE) - 1, &columns);
    fprintf(stderr, "\r%.*s%*s", (int) len, safe, (int) (columns < shown ? shown - columns : 0), "");
    fflush(stderr);
    free(safe);
    shown = columns;
}

void progress_about(const char *words)
{
    snprintf(about, sizeof(about), "%s", words);
    far[0] = 0;
}

void progress_show(unsigned seconds)
{
    char text[2 * PART_MAX + 32];
    snprintf(text, sizeof(text), "%s%s %s %u s", about, far, look_ellipsis(), seconds);
    show(text);
}

void progress_told(void *context, json_t *told)
{
    json_t     *event    = json_object_get(told, "event");
    const char *question = json_string_value(json_object_get(event, "question"));
    char        text[2 * PART_MAX];
    (void) context;
    if (!event)
        return;
    snprintf(far, sizeof(far), ": %lld of %lld answers%s%s",
             (long long) json_integer_value(json_object_get(event, "known")),
             (long long) json_integer_value(json_object_get(event, "asked")), question ? ", " : "",
             question ? question : "");
    snprintf(text, sizeof(text), "%s%s", about, far);
    show(text);
}

void progress_end(void)
{
    if (shown == 0)
        return;
    fprintf(stderr, "\r%*s\r", (int) shown, "");
    fflush(stderr);
    shown = 0;
}
