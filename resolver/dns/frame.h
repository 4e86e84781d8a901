/*
 * frame.h: messages on a byte stream, each behind two bytes of length (RFC 1035, 4.2.2; RFC 7766, 8).
 * Bytes go in as they come, whole messages come out.
 *
 * Thread: owner.
 */
#ifndef DNS_FRAME_H
#define DNS_FRAME_H

#include "base/types.h"

struct frames {
    uint8_t *data; /* owned; grows with what a peer really sent, up to one frame */
    size_t   len, cap;
};

void frames_init(struct frames *frames);
void frames_fini(struct frames *frames);

/* Appends what was read. False: no memory; the connection is to be closed. */
bool frames_feed(struct frames *frames, struct view bytes);
/* The first whole message, borrowed until frames_feed() or frames_drop(); false: none yet. A frame of length 0 is a
 * message of length 0. */
bool frames_next(const struct frames *frames, size_t *offset, struct view *ret_message);
/* Forgets the first `offset` bytes: those of the messages that were taken. Gives memory back when empty. */
void frames_drop(struct frames *frames, size_t offset);

#endif
