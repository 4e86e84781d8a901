/*
 * outbox.c: see outbox.h.
 */
#include "control/outbox.h"

#include "base/supply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_FIRST = 512 /* bytes: most replies */
};

enum item_state {
    ITEM_LINE,
    ITEM_SERIES, /* has more elements */
    ITEM_OVER,   /* last() was called */
    ITEM_ENDED,  /* its end may go out */
};

struct outbox_item {
    struct list           link;
    struct outbox        *outbox; /* NULL: closed */
    enum item_state       state;
    char                 *text; /* a line, or what precedes the elements; NULL: handed over */
    size_t                len;
    char                 *end;  /* what follows the elements */
    bool                  some; /* elements went out */
    struct control_series series;
    struct control_call  *call;
};

struct sending {
    uv_write_t     request;
    struct outbox *outbox;
    char          *text;
    size_t         len;
};

struct text {
    char  *bytes;
    size_t len, cap;
    bool   short_of; /* some of it is missing, for want of memory */
};

static int add_text(const char *bytes, size_t len, void *context)
{
    struct text *text = context;
    if (text->cap - text->len <= len) {
        size_t cap  = 2 * text->cap + len + TEXT_FIRST;
        char  *more = text->short_of ? NULL : realloc(text->bytes, cap);
        if (!more) {
            text->short_of = true;
            return -1;
        }
        text->bytes = more;
        text->cap   = cap;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    return 0;
}

/* jansson does not heed all failures of add_text(). */
char *outbox_text(const json_t *document, size_t *ret_len)
{
    struct text text = {0};
    if (json_dump_callback(document, add_text, &text, JSON_COMPACT) != 0 || text.short_of) {
        free(text.bytes);
        return NULL;
    }
    *ret_len = text.len;
    return text.bytes;
}

static void count(struct outbox *outbox, size_t bytes)
{
    outbox->bytes += bytes;
    outbox->all->bytes += bytes;
}

static void uncount(struct outbox *outbox, size_t bytes)
{
    outbox->bytes -= bytes;
    outbox->all->bytes -= bytes;
}

static void item_free(struct outbox_item *item)
{
    free(item->text);
    free(item->end);
    free(item);
}

static void on_written(uv_write_t *request, int status)
{
    struct sending *sending = request->data;
    struct outbox  *outbox  = sending->outbox;
    uncount(outbox, sending->len);
    outbox->sending--;
    free(sending->text);
    free(sending);
    if (status == 0 && !outbox_go_on(outbox))
        status = UV_ECANCELED;
    outbox->moved(outbox, status);
}

/* Takes `text`; sends `len` bytes of it, already counted, behind the first `skip`. */
static bool hand_over(struct outbox *outbox, char *text, size_t skip, size_t len)
{
    struct sending *sending = malloc(sizeof(*sending));
    uv_buf_t        buffer  = uv_buf_init(text + skip, (unsigned) len);
    if (sending) {
        *sending              = (struct sending){.outbox = outbox, .text = text, .len = len};
        sending->request.data = sending;
        if (uv_write(&sending->request, outbox->stream, &buffer, 1, on_written) == 0) {
            outbox->sending++;
            outbox->handed += len;
            return true;
        }
    }
    uncount(outbox, len);
    free(text);
    free(sending);
    return false;
}

static void get_ready(struct outbox *outbox);

bool outbox_go_on(struct outbox *outbox)
{
    while (!list_empty(&outbox->items)) {
        struct outbox_item *item = CONTAINER_OF(outbox->items.next, struct outbox_item, link);
        char               *text = item->text;

        item->text = NULL;
        if (text && !hand_over(outbox, text, 0, item->len))
            return false;
        if (item->state == ITEM_SERIES && outbox->sending == 0)
            get_ready(outbox);
        if (item->state == ITEM_SERIES || item->state == ITEM_OVER)
            return true;
        list_remove(&item->link);
        char *end = item->end;
        item->end = NULL;
        item_free(item);
        if (end) {
            size_t len = strlen(end);
            count(outbox, len);
            if (!hand_over(outbox, end, 0, len))
                return false;
        }
    }
    return true;
}

/* One more piece of the series that stands first. */
static bool make_piece(struct outbox *outbox)
{
    struct outbox_item *item     = CONTAINER_OF(outbox->items.next, struct outbox_item, link);
    uint64_t            refusals = supply_refusals();
    json_t             *elements = json_array();
    bool                more     = elements && item->series.more(item->series.context, elements);
    bool                some     = json_array_size(elements) > 0;
    size_t              all;
    char               *text = some ? outbox_text(elements, &all) : NULL;
    json_decref(elements);
    if (supply_refusals() != refusals || (some && !text)) {
        free(text);
        return false;
    }
    if (some) { /* "[a,b]" goes out as "a,b", and as ",a,b" behind others */
        size_t skip = item->some ? 0 : 1, len = all - 1 - skip;
        text[0]    = ',';
        item->some = true;
        count(outbox, len);
        if (!hand_over(outbox, text, skip, len))
            return false;
    }
    if (more)
        return outbox_go_on(outbox);
    item->state = ITEM_OVER;
    item->series.last(item->series.context, item->call); /* the item may be gone now, and the client closed */
    return true;
}

static void on_turn(uv_idle_t *idle)
{
    struct outboxes *all    = CONTAINER_OF(idle, struct outboxes, turn);
    struct outbox   *outbox = CONTAINER_OF(all->ready.next, struct outbox, ready);
    list_remove(&outbox->ready);
    if (list_empty(&all->ready))
        uv_idle_stop(idle);
    if (!make_piece(outbox))
        outbox->moved(outbox, UV_ENOMEM);
}

static void get_ready(struct outbox *outbox)
{
    struct outboxes *all = outbox->all;
    if (!list_empty(&outbox->ready) || uv_is_closing((uv_handle_t *) &all->turn))
        return;
    list_append(&all->ready, &outbox->ready);
    uv_idle_start(&all->turn, on_turn);
}

void outboxes_init(struct outboxes *all, uv_loop_t *loop)
{
    *all = (struct outboxes){0};
    list_init(&all->ready);
    uv_idle_init(loop, &all->turn);
}

void outbox_init(struct outbox *outbox, struct outboxes *all, uv_stream_t *stream,
                 void (*moved)(struct outbox *outbox, int status))
{
    *outbox = (struct outbox){.all = all, .stream = stream, .moved = moved};
    list_init(&outbox->items);
    list_init(&outbox->ready);
}

void outbox_close(struct outbox *outbox)
{
    list_remove(&outbox->ready);
    if (list_empty(&outbox->all->ready))
        uv_idle_stop(&outbox->all->turn);
    LIST_EACH (link, next, &outbox->items) {
        struct outbox_item *item = CONTAINER_OF(link, struct outbox_item, link);
        list_remove(link);
        if (item->text)
            uncount(outbox, item->len);
        item->outbox = NULL;
        if (item->state == ITEM_LINE) {
            item_free(item);
        } else if (item->state == ITEM_SERIES) {
            item->state = ITEM_OVER;
            item->series.last(item->series.context, item->call);
        }
    }
}

static struct outbox_item *add(struct outbox *outbox, char *text, size_t len)
{
    struct outbox_item *item = calloc(1, sizeof(*item));
    if (!item) {
        free(text);
        return NULL;
    }
    *item = (struct outbox_item){.outbox = outbox, .text = text, .len = len};
    list_append(&outbox->items, &item->link);
    count(outbox, len);
    return item;
}

bool outbox_add(struct outbox *outbox, char *text, size_t len)
{
    return add(outbox, text, len) && outbox_go_on(outbox);
}

struct outbox_item *outbox_add_series(struct outbox *outbox, char *text, size_t len,
                                      const struct control_series *series, struct control_call *call)
{
    const char *array = memrchr(text, '[', len);
    size_t      head  = array ? (size_t) (array - text) + 1 : 0;
    char       *end   = array ? strndup(text + head, len - head) : NULL;
    assert(array && text[head] == ']');
    struct outbox_item *item = end ? add(outbox, text, head) : NULL;
    if (!item) {
        if (!end)
            free(text);
        free(end);
        return NULL;
    }
    item->state  = ITEM_SERIES;
    item->end    = end;
    item->series = *series;
    item->call   = call;
    return item;
}

bool outbox_end_series(struct outbox_item *item)
{
    struct outbox *outbox = item->outbox;
    item->state           = ITEM_ENDED;
    if (outbox)
        return outbox_go_on(outbox);
    item_free(item);
    return true;
}

uint64_t outbox_taken(const struct outbox *outbox)
{
    return outbox->handed - uv_stream_get_write_queue_size(outbox->stream);
}
