/*
 * params.h: parameters of a request. Each of these has answered the call when it returns false.
 *
 * Thread: keeper.
 */
#ifndef METHODS_PARAMS_H
#define METHODS_PARAMS_H

#include "control/control.h"
#include "dns/name.h"

/* There are no others than those of `keys`, which ends with NULL. */
bool params_only(struct control_call *call, json_t *params, const char *const *keys);
#define ONLY_KEYS(call, params, ...) params_only(call, params, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* *ret is NULL where an optional one is absent. */
bool params_text(struct control_call *call, json_t *params, const char *key, bool required, const char **ret);
/* Absent: false. */
bool params_flag(struct control_call *call, json_t *params, const char *key, bool *ret);
/* A name that stands for itself: one that can match nothing may be there all the same, as what somebody asked for. Absent:
 * len 0. */
bool params_name(struct control_call *call, json_t *params, const char *key, bool required, struct name *ret);
/* A name that stands for all below it too: it must be able to. */
bool params_zone(struct control_call *call, json_t *params, const char *key, bool required, struct name *ret);

#endif
