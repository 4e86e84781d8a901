/*
 * progress.h: a line on a terminal's standard error while the daemon is waited for, and nothing of it elsewhere.
 *
 * Thread: main.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

/* So many seconds have passed: says so, in place of what was said before. */
void progress_show(unsigned seconds);
/* Takes the line away. */
void progress_end(void);

#endif
