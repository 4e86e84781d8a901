/*
 * client.h: one connection to the daemon, with plain blocking calls.
 *
 * Thread: main.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/types.h"
#include "control/lines.h"

#include <jansson.h>

enum {
    CLIENT_WHY_MAX = 512
};

/* Borrows `told`, an object with "event", or "lost": how many of these the daemon could not tell. */
typedef void (*client_each_fn)(void *context, json_t *told);

struct client {
    int          fd;
    unsigned     patience_s; /* how long the daemon may be silent */
    msec_t       until;      /* by clock_now(): a call ends then, whatever is told meanwhile; 0: it does not */
    json_int_t   id;         /* of the latest request */
    struct lines input;
    void (*on_second)(unsigned seconds); /* each that the daemon has been silent; NULL: nobody wants to know */
    client_each_fn on_told;              /* what it tells before the answer of a call; NULL: nobody wants to know */
    int            code;                 /* the daemon's error code; 0: the failure is on this side of the socket */
    char           why[CLIENT_WHY_MAX];  /* what failed, in words */
};

enum client_result {
    CLIENT_DONE,
    CLIENT_FAILED, /* `why` says it */
    CLIENT_ABSENT, /* nobody listens there; `why` says it */
};

/* `patience_s`: how long to wait for the daemon to say or take something. */
enum client_result client_open(struct client *client, const char *path, unsigned patience_s);
/* Asks and waits for the answer. Takes `params`. *ret_result is the caller's. */
enum client_result client_call(struct client *client, const char *method, json_t *params, json_t **ret_result);
/* Asks and hands over what the daemon tells until it ends the stream or the connection. It never ends well by itself: who
 * watches ends the program. Takes `params`. */
enum client_result client_stream(struct client *client, const char *method, json_t *params, client_each_fn each,
                                 void *context);
void               client_close(struct client *client);

#endif
