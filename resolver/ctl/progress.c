/*
 * progress.c: see progress.h. Blanks take a line away on any terminal, which escape sequences do not.
 */
#include "ctl/progress.h"

#include "ctl/look.h"

#include <stdio.h>
#include <unistd.h>

enum {
    LINE_MAX_COLUMNS = 24 /* "asking ... 4294967295 s" */
};

static bool shown;

void progress_show(unsigned seconds)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\rasking %s %u s", look_ellipsis(), seconds);
    fflush(stderr);
    shown = true;
}

void progress_end(void)
{
    if (!shown)
        return;
    fprintf(stderr, "\r%*s\r", LINE_MAX_COLUMNS, "");
    fflush(stderr);
    shown = false;
}
