/*
 * request.h: one line from a client, read as a JSON-RPC 2.0 request. Pure; knows no socket and no method.
 *
 * Thread: keeper.
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include "control/control.h"

struct request {
    json_t     *document; /* owns all below */
    json_t     *id;       /* NULL: a notification, or unknown because the line is no request */
    const char *method;
    json_t     *params; /* NULL: none sent; of any type, what runs it judges */
};

#define REQUEST_WHY_MAX 256

/* 0, or CONTROL_PARSE, CONTROL_INVALID_REQUEST or CONTROL_INTERNAL (no memory) with the reason in `why` and what could
 * be read of the id in *ret. Call request_done() in either case. */
int  request_read(struct view line, struct request *ret, char why[REQUEST_WHY_MAX]);
void request_done(struct request *request);

#endif
