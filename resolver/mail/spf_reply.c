/*
 * spf_reply.c: see spf_reply.h. It knows nothing of what was asked, and why.
 */
#include "mail/spf_reply.h"

#include "mail/spf_record.h"

#include <string.h>

static bool next_of(const struct message *reply, uint16_t type, struct record *record)
{
    while (message_next(reply, record))
        if (record->section == SECTION_ANSWER && record->class == CLASS_IN && record->type == type)
            return true;
    return false;
}

size_t spf_reply_count(const struct message *reply, uint16_t type)
{
    struct record record = {0};
    size_t        count  = 0;
    while (next_of(reply, type, &record))
        count++;
    return count;
}

/* Returns the whole length, of which `cap` are written. A last string that would leave the rdata ends with it. */
static size_t join(struct view data, uint8_t *out, size_t cap)
{
    size_t len = 0;
    for (size_t at = 0; at < data.len;) {
        size_t string = data.data[at++];
        if (string > data.len - at)
            string = data.len - at;
        if (len < cap)
            memcpy(out + len, data.data + at, string < cap - len ? string : cap - len);
        len += string;
        at += string;
    }
    return len;
}

static bool is_spf(struct view data)
{
    uint8_t begin[8];
    size_t  len = join(data, begin, sizeof(begin));
    return spf_record_is((struct view){begin, len < sizeof(begin) ? len : sizeof(begin)});
}

size_t spf_reply_text(const struct message *reply, bool any, uint8_t *out, size_t cap, size_t *ret_len)
{
    struct record record = {0};
    size_t        count  = 0;
    *ret_len             = 0;
    while (next_of(reply, TYPE_TXT, &record))
        if ((any || is_spf(record.data)) && count++ == 0)
            *ret_len = join(record.data, out, cap);
    return count;
}

static bool covers(struct view data, const struct address *client, uint8_t bits4, uint8_t bits6)
{
    bool        v6   = client->any.sa_family == AF_INET6;
    struct cidr cidr = {.bytes = {[10] = 0xff, [11] = 0xff}, .bits = v6 ? bits6 : (uint8_t) (96 + bits4)};
    if (data.len != (v6 ? 16 : 4))
        return false;
    memcpy(cidr.bytes + (v6 ? 0 : 12), data.data, data.len);
    return cidr_contains(&cidr, client);
}

bool spf_reply_covers(const struct message *reply, const struct address *client, uint8_t bits4, uint8_t bits6)
{
    struct record record = {0};
    while (next_of(reply, client->any.sa_family == AF_INET6 ? TYPE_AAAA : TYPE_A, &record))
        if (covers(record.data, client, bits4, bits6))
            return true;
    return false;
}

size_t spf_reply_names(const struct message *reply, uint16_t type, struct name *out, size_t max)
{
    struct record record = {0};
    size_t        count  = 0, end;
    while (next_of(reply, type, &record)) {
        if (count < max) /* message_parse() has passed the name */
            (void) name_unpack(reply->wire, record.data_at + (type == TYPE_MX ? 2 : 0), &out[count], &end);
        count++;
    }
    return count;
}
