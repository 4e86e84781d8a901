/*
 * frame.c: see frame.h. It knows no socket and nothing of what is inside a message.
 */
#include "dns/frame.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_BYTES = 2,
    CAP_MINIMUM  = 512, /* most questions and answers; so a busy connection rarely grows its buffer */
};

void frames_init(struct frames *frames) { *frames = (struct frames){0}; }

void frames_fini(struct frames *frames)
{
    free(frames->data);
    frames_init(frames);
}

bool frames_feed(struct frames *frames, struct view bytes)
{
    size_t need = frames->len + bytes.len;
    if (bytes.len == 0)
        return true;
    if (need > frames->cap) {
        size_t   cap = frames->cap * 2 > CAP_MINIMUM ? frames->cap * 2 : CAP_MINIMUM;
        uint8_t *data;

        if (cap < need)
            cap = need;
        data = realloc(frames->data, cap);
        if (!data)
            return false;
        frames->data = data;
        frames->cap  = cap;
    }
    memcpy(frames->data + frames->len, bytes.data, bytes.len);
    frames->len = need;
    return true;
}

bool frames_next(const struct frames *frames, size_t *offset, struct view *ret_message)
{
    size_t left = frames->len - *offset;
    size_t len;
    if (left < LENGTH_BYTES)
        return false;
    len = get_u16(frames->data + *offset);
    if (left - LENGTH_BYTES < len)
        return false;
    *ret_message = (struct view){frames->data + *offset + LENGTH_BYTES, len};
    *offset += LENGTH_BYTES + len;
    return true;
}

void frames_drop(struct frames *frames, size_t offset)
{
    if (offset == frames->len) {
        frames_fini(frames);
        return;
    }
    if (offset > 0)
        memmove(frames->data, frames->data + offset, frames->len - offset);
    frames->len -= offset;
}
