/*
 * complete.h: what may stand next on the command line, for the shell's completion: read from the table of commands, so
 * that the shell's part (config/bash-completion/bywayctl) knows none of them.
 *
 * Thread: main.
 */
#ifndef CTL_COMPLETE_H
#define CTL_COMPLETE_H

#include <stdio.h>

/* Candidates for the last of `words`, of which there is one at least, a line each. The first line says what follows:
 * "words"; or "files", which the shell finds itself. Zones are those of the daemon at `socket`, if the words name no
 * other; where it does not answer within a second the program ends without a word. */
void complete_print(FILE *to, const char *socket, int count, char *const *words);

#endif
