/*
 * request.c: see request.h.
 */
#include "control/request.h"

#include "base/supply.h"

#include <stdio.h>
#include <string.h>

static int invalid(char why[REQUEST_WHY_MAX], const char *text)
{
    snprintf(why, REQUEST_WHY_MAX, "%s", text);
    return CONTROL_INVALID_REQUEST;
}

struct parsing {
    struct view  line;
    json_t      *document;
    json_error_t error;
};

static void parse(void *context)
{
    struct parsing *parsing = context;
    parsing->document       = json_loadb((const char *) parsing->line.data, parsing->line.len,
                                         JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &parsing->error);
}

int request_read(struct view line, struct request *ret, char why[REQUEST_WHY_MAX])
{
    struct parsing parsing = {.line = line};
    *ret                   = (struct request){0};
    if (!supply_attempt(parse, &parsing)) {
        snprintf(why, REQUEST_WHY_MAX, "no memory for the request");
        return CONTROL_INTERNAL;
    }
    ret->document = parsing.document;
    if (!ret->document) {
        snprintf(why, REQUEST_WHY_MAX, "not JSON: %s (byte %d)", parsing.error.text, parsing.error.position);
        return CONTROL_PARSE;
    }
    if (json_is_array(ret->document))
        return invalid(why, "batches are not supported: send one request a line");
    if (!json_is_object(ret->document))
        return invalid(why, "a request is an object");

    json_t *id = json_object_get(ret->document, "id");
    if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
        return invalid(why, "\"id\" must be a string, a number or null");
    ret->id = id;

    const char *version = json_string_value(json_object_get(ret->document, "jsonrpc"));
    if (!version || strcmp(version, "2.0") != 0)
        return invalid(why, "\"jsonrpc\" must be \"2.0\"");
    ret->method = json_string_value(json_object_get(ret->document, "method"));
    if (!ret->method)
        return invalid(why, "\"method\" must be a string");
    ret->params = json_object_get(ret->document, "params");
    return 0;
}

void request_done(struct request *request)
{
    json_decref(request->document);
    *request = (struct request){0};
}
