/*
 * redis_model.h: as much of Redis 7 as a session speaks to, without a socket: hashes, streams, strings that end, and the
 * two scripts, which it knows by their words. Replies are RESP. Time is the caller's.
 */
#ifndef LIB_REDIS_MODEL_H
#define LIB_REDIS_MODEL_H

#include "base/types.h"

#include <stdio.h>

struct redis_model;

struct redis_model *redis_model_create(void);
void                redis_model_destroy(struct redis_model *model);
/* FLUSHALL. */
void redis_model_empty(struct redis_model *model);
/* A command; writes its reply. False: it waits (XREAD), and nothing was written. */
bool redis_model_run(struct redis_model *model, int count, const struct view *words, int64_t wall_ms, FILE *out);
/* The same for words of text up to a NULL; returns the reply. Borrowed until the next one. */
const char *redis_model_say(struct redis_model *model, int64_t wall_ms, ...) __attribute__((sentinel));
/* Fields of a hash, entries of a stream; 0: no such key. */
size_t redis_model_count(const struct redis_model *model, const char *key);
/* Commands so far whose first word this is. */
size_t redis_model_heard(const struct redis_model *model, const char *command);

#endif
