/*
 * progress.h: a line on a terminal's standard error while something is waited for, and nothing of it elsewhere.
 *
 * Thread: main.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <jansson.h>

/* What is being done, in place of "asking"; copies. */
void progress_about(const char *words);
/* So many seconds have passed: says so, in place of what was said before. */
void progress_show(unsigned seconds);
/* Says how far explain has come, by what the daemon tells of it (docs/protocol.md). A client_each_fn. */
void progress_told(void *context, json_t *told);
/* Takes the line away. */
void progress_end(void);

#endif
