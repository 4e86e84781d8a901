/*
 * arguments.c: see arguments.h.
 */
#include "ctl/arguments.h"
#include "base/limits.h"
#include "base/spelling.h"
#include "base/units.h"
#include "dns/slip.h"
#include "dns/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t arguments_count(const struct arguments *arguments)
{
    size_t count = 0;
    while (count < ARGUMENTS_MAX && arguments->list[count].key)
        count++;
    return count;
}

const char *arguments_synopsis(const struct arguments *arguments, char text[SYNOPSIS_MAX])
{
    size_t len = 0;
    text[0]    = 0;
    for (size_t i = 0; i < arguments_count(arguments) && len < SYNOPSIS_MAX; i++) {
        const struct argument *argument = &arguments->list[i];
        const char            *flag     = argument->flag ? argument->flag : "";
        const char            *word     = argument->word ? argument->word : "";

        len += (size_t) snprintf(text + len, SYNOPSIS_MAX - len, "%s%s%s%s%s%s", arguments->one_of && i > 0 ? "|" : " ",
                                 argument->optional ? "[" : "", flag, *flag && *word ? " " : "", word,
                                 argument->optional ? "]" : "");
    }
    return text;
}

__attribute__((format(printf, 2, 3))) static json_t *wrong(char why[ARGUMENTS_WHY_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, ARGUMENTS_WHY_MAX, format, arguments);
    va_end(arguments);
    return NULL;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (;; choices++) {
        size_t choice = strcspn(choices, "|");
        if (choice == len && strncmp(choices, word, len) == 0)
            return true;
        choices += choice;
        if (*choices == 0)
            return false;
    }
}

/* What can match nothing goes out as it was typed, since it may be there all the same: the daemon knows. */
static json_t *name_value(const char *word, char why[ARGUMENTS_WHY_MAX])
{
    struct name name;
    char        text[NAME_TEXT_MAX];
    if (name_read(word, &name, why))
        return json_string(name_format(name_view(&name), text));
    return name_parse(word, &name) ? json_string(word) : NULL;
}

static json_t *upstream_value(const char *word, char why[ARGUMENTS_WHY_MAX])
{
    json_error_t error = {.column = 0};
    json_t      *value = word[0] == '{' ? json_loads(word, JSON_REJECT_DUPLICATES, &error) : json_string(word);
    if (!value && word[0] == '{')
        return wrong(why, "not JSON: %s at column %d", error.text, error.column);
    return value ? value : wrong(why, "UPSTREAM is not UTF-8");
}

/* Names and types go out in their one plain form, whatever was typed. */
static json_t *value_read(const struct argument *argument, const char *word, char why[ARGUMENTS_WHY_MAX])
{
    char     text[TYPE_TEXT_MAX];
    uint16_t type;
    msec_t   duration;
    json_t  *value = NULL;
    switch (argument->kind) {
    case ARGUMENT_NAME:
        return name_value(word, why);
    case ARGUMENT_TYPE:
        if (!type_parse(word, &type))
            return wrong(why, "not a record type: \"%s\"", word);
        return json_string(type_format(type, text));
    case ARGUMENT_CHOICE:
        if (!is_choice(argument->choices, word))
            return wrong(why, "\"%s\" is none of %s", word, argument->choices);
        return json_string(word);
    case ARGUMENT_DURATION:
        if (!duration_parse(word, &duration))
            return wrong(why, "not a duration: \"%s\" (\"10m\", \"1d\")", word);
        return json_string(word);
    case ARGUMENT_TEXT:
    case ARGUMENT_FILE:
    case ARGUMENT_FILES:
        value = json_string(word);
        if (!value)
            return wrong(why, "%.*s is not UTF-8", (int) strcspn(argument->word, " "), argument->word);
        if (argument->kind == ARGUMENT_TEXT && strlen(word) > LIMIT_NOTE) {
            json_decref(value);
            return wrong(why, "%s is longer than %d bytes", argument->word, LIMIT_NOTE);
        }
        return value;
    case ARGUMENT_UPSTREAM:
        return upstream_value(word, why);
    case ARGUMENT_FLAG:
        return json_true();
    }
    return NULL;
}

/* The argument that `word` opens, by being an option where it may be one; its value, if it stands in the same word ("--for=1d"), in *ret_value. */
static const struct argument *argument_find(const struct arguments *arguments, const char *word, bool option,
                                            size_t position, const char **ret_value)
{
    bool   flag = option && strncmp(word, "--", 2) == 0;
    size_t len = strcspn(word, "="), at = 0;
    for (size_t i = 0; i < arguments_count(arguments); i++) {
        const struct argument *argument = &arguments->list[i];

        if (flag && argument->flag && strlen(argument->flag) == len && strncmp(argument->flag, word, len) == 0) {
            *ret_value = word[len] == '=' ? word + len + 1 : NULL;
            return argument;
        }
        if (!flag && !argument->flag && (at++ == position || argument->kind == ARGUMENT_FILES)) {
            *ret_value = word;
            return argument;
        }
    }
    return NULL;
}

static json_t *unexpected(const struct arguments *arguments, const char *word, char why[ARGUMENTS_WHY_MAX])
{
    const char *meant = NULL;
    size_t      best  = SIZE_MAX;
    for (size_t i = 0; word[0] == '-' && i < arguments_count(arguments); i++)
        if (arguments->list[i].flag && spelling_is_nearer(word, arguments->list[i].flag, &best))
            meant = arguments->list[i].flag;
    return meant ? wrong(why, "unexpected \"%s\" (did you mean \"%s\"?)", word, meant)
                 : wrong(why, "unexpected \"%s\"", word);
}

/* False: `why` is set. */
static bool all_given(const struct arguments *arguments, const json_t *params, char why[ARGUMENTS_WHY_MAX])
{
    char synopsis[SYNOPSIS_MAX];
    arguments_synopsis(arguments, synopsis);
    if (arguments->one_of && json_object_size(params) != 1)
        return wrong(why, "exactly one is needed of%s", synopsis);
    for (size_t i = 0; !arguments->one_of && i < arguments_count(arguments); i++)
        if (!arguments->list[i].optional && !json_object_get(params, arguments->list[i].key))
            return wrong(why, "no %s given", arguments->list[i].word);
    return true;
}

/* Takes `value`. */
static void put(json_t *params, const struct argument *argument, json_t *value)
{
    json_t *list = json_object_get(params, argument->key);
    if (argument->kind != ARGUMENT_FILES)
        json_object_set_new(params, argument->key, value);
    else if (list)
        json_array_append_new(list, value);
    else
        json_object_set_new(params, argument->key, json_pack("[o]", value));
}

json_t *arguments_read(const struct arguments *arguments, int count, char *const *words, int plain,
                       char why[ARGUMENTS_WHY_MAX])
{
    json_t *params   = json_object();
    size_t  position = 0;
    for (int i = 0; i < count; i++) {
        const char            *value    = NULL;
        const struct argument *argument = argument_find(arguments, words[i], i < plain, position, &value);

        if (!argument) {
            unexpected(arguments, words[i], why);
            goto fail;
        }
        if (json_object_get(params, argument->key) && argument->kind != ARGUMENT_FILES) {
            wrong(why, "%s given twice", argument->flag);
            goto fail;
        }
        if (!argument->flag)
            position++;
        else if (argument->kind == ARGUMENT_FLAG ? value != NULL : !value && i + 1 == count) {
            wrong(why, "%s %s", argument->flag, value ? "takes no value" : "needs a value");
            goto fail;
        } else if (!value && argument->kind != ARGUMENT_FLAG)
            value = words[++i];

        json_t *json = value_read(argument, value, why);
        if (!json)
            goto fail;
        put(params, argument, json);
    }
    if (all_given(arguments, params, why))
        return params;
fail:
    json_decref(params);
    return NULL;
}
