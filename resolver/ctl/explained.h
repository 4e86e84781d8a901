/*
 * explained.h: what of a result of explain is said in more than one place. Missing keys show as "-" or as nothing.
 *
 * Thread: main.
 */
#ifndef CTL_EXPLAINED_H
#define CTL_EXPLAINED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* "x.example. is blocked here: none of its 4 name servers answers this machine": a line. */
void explained_sentence(FILE *to, json_t *result);
/* "cure: ...": a line; none where there is nothing to be done. */
void explained_cure(FILE *to, json_t *result, const char *indent);
/* Whether a zone's server has answered this machine. */
bool explained_answers(json_t *server);

#endif
