/*
 * outbox.h: what waits to be sent to one client of the control socket, in its order: lines, and series (control.h),
 * whose elements are made while they are sent. Knows nothing of requests.
 *
 * A series makes its next piece when all before it has left, and of all clients one makes one in a turn of the loop: so
 * neither memory nor the length of a turn grows with the result.
 *
 * Thread: keeper.
 */
#ifndef CONTROL_OUTBOX_H
#define CONTROL_OUTBOX_H

#include "base/list.h"
#include "control/control.h"

/* Of all clients. */
struct outboxes {
    uv_idle_t   turn;  /* runs while some are ready */
    struct list ready; /* outboxes that are to make a piece, the one that has waited longest first */
    size_t      bytes; /* that wait */
};

struct outbox {
    struct outboxes *all;
    uv_stream_t     *stream; /* borrowed */
    /* Bytes have left; or (status < 0) no more can be sent and the owner closes. */
    void (*moved)(struct outbox *outbox, int status);
    struct list items; /* not with libuv yet */
    struct list ready; /* in all->ready */
    size_t      bytes; /* that wait, here or with libuv */
    size_t      sending;
    uint64_t    handed; /* bytes given to libuv so far */
};

struct outbox_item;

/* The document as text, with room for one byte more behind `len`; the caller frees. NULL: no memory for all of it. */
char *outbox_text(const json_t *document, size_t *ret_len);

void outboxes_init(struct outboxes *all, uv_loop_t *loop);

void outbox_init(struct outbox *outbox, struct outboxes *all, uv_stream_t *stream,
                 void (*moved)(struct outbox *outbox, int status));
/* Nothing is sent any more, and no hook is called: series hear that they are over. */
void outbox_close(struct outbox *outbox);
/* Takes `text`, a whole line. False: no memory or no connection; the owner closes. */
bool outbox_add(struct outbox *outbox, char *text, size_t len);
/* The same for a line whose last value is an empty array, into which the elements of the series go; outbox_go_on() is
 * to follow. NULL: no memory, and last() is not called. */
struct outbox_item *outbox_add_series(struct outbox *outbox, char *text, size_t len,
                                      const struct control_series *series, struct control_call *call);
/* Sends what can be sent now. False: no memory or no connection; the owner closes. */
bool outbox_go_on(struct outbox *outbox);
/* Once its last() was called: sends what follows the elements, and frees it. The outbox may be closed. False: as above.
 */
bool outbox_end_series(struct outbox_item *item);
/* How many bytes the client has taken. */
uint64_t outbox_taken(const struct outbox *outbox);

#endif
