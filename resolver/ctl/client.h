/*
 * client.h: one connection to the daemon, with plain blocking calls.
 *
 * Thread: main.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "control/lines.h"

#include <jansson.h>

enum {
    CLIENT_WHY_MAX = 512
};

struct client {
    int          fd;
    unsigned     patience_s; /* how long the daemon may be silent */
    json_int_t   id;         /* of the latest request */
    struct lines input;
    void (*on_second)(unsigned seconds); /* each that an answer is waited for; NULL: nobody wants to know */
    int  code;                           /* the daemon's error code; 0: the failure is on this side of the socket */
    char why[CLIENT_WHY_MAX];            /* what failed, in words */
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
/* Asks and hands over what the daemon tells until it ends the stream or the connection; each() borrows it, an object with
 * "event", or "lost": how many of these the daemon could not tell.
 * It never ends well by itself: who watches ends the program. Takes `params`. */
typedef void (*client_each_fn)(void *context, json_t *told);
enum client_result client_stream(struct client *client, const char *method, json_t *params, client_each_fn each,
                                 void *context);
void               client_close(struct client *client);

#endif
