/*
 * params.c: see params.h.
 */
#include "methods/params.h"

#include "dns/slip.h"
#include "dns/text.h"

#include <string.h>

bool params_only(struct control_call *call, json_t *params, const char *const *keys)
{
    const char *key;
    json_t     *value;
    json_object_foreach(params, key, value)
    {
        const char *const *known = keys;
        while (*known && strcmp(*known, key) != 0)
            known++;
        if (!*known) {
            control_fail(call, CONTROL_BAD_PARAMS, "unknown parameter: %s", key);
            return false;
        }
    }
    return true;
}

bool params_text(struct control_call *call, json_t *params, const char *key, bool required, const char **ret)
{
    json_t *value = json_object_get(params, key);
    *ret          = json_string_value(value);
    if (*ret || (!value && !required))
        return true;
    control_fail(call, CONTROL_BAD_PARAMS, value ? "%s: expected a string" : "%s: missing", key);
    return false;
}

bool params_flag(struct control_call *call, json_t *params, const char *key, bool *ret)
{
    const json_t *value = json_object_get(params, key);
    *ret                = json_is_true(value);
    if (!value || json_is_boolean(value))
        return true;
    control_fail(call, CONTROL_BAD_PARAMS, "%s: expected true or false", key);
    return false;
}

bool params_name(struct control_call *call, json_t *params, const char *key, bool required, struct name *ret)
{
    const char *text;
    char        why[SLIP_WHY_MAX];
    ret->len = 0;
    if (!params_text(call, params, key, required, &text))
        return false;
    if (!text || name_parse(text, ret) || name_read(text, ret, why))
        return true;
    control_fail(call, CONTROL_BAD_PARAMS, "%s: %s", key, why);
    return false;
}

bool params_zone(struct control_call *call, json_t *params, const char *key, bool required, struct name *ret)
{
    char why[SLIP_WHY_MAX];
    if (!params_name(call, params, key, required, ret))
        return false;
    if (ret->len == 0 || name_read(json_string_value(json_object_get(params, key)), ret, why))
        return true;
    control_fail(call, CONTROL_BAD_PARAMS, "%s: %s", key, why);
    return false;
}
