/*
 * spf_zone.h: a little DNS for tests of mail/: a table of records, and replies made of it.
 */
#ifndef UNIT_SPF_ZONE_H
#define UNIT_SPF_ZONE_H

#include "dns/message.h"
#include "lib/check.h"
#include "lib/names.h"
#include "lib/packet.h"

#include <arpa/inet.h>

#define FAILS ((const char *) 1) /* for data: who is asked fails */

struct spf_entry {
    const char *name; /* NULL: the end of the table */
    uint16_t    type;
    const char *data; /* a text, an address or a name; NULL: the name is there, and nothing of the type */
};

static inline void entry_put(struct packet *packet, const struct spf_entry *entry)
{
    uint8_t address[16];
    size_t  at;
    packet_name(packet, entry->name);
    at = packet_fixed(packet, 0, entry->type, 300);
    switch (entry->type) {
    case TYPE_TXT:
        for (size_t left = strlen(entry->data), from = 0; left > 0;) {
            uint8_t len = (uint8_t) (left < 100 ? left : 100);
            packet_bytes(packet, &len, 1);
            packet_bytes(packet, entry->data + from, len);
            from += len;
            left -= len;
        }
        break;
    case TYPE_A:
    case TYPE_AAAA:
        assert_int_equal(inet_pton(entry->type == TYPE_A ? AF_INET : AF_INET6, entry->data, address), 1);
        packet_bytes(packet, address, entry->type == TYPE_A ? 4 : 16);
        break;
    case TYPE_MX:
        packet_u16(packet, 10);
        packet_name(packet, entry->data);
        break;
    default:
        packet_name(packet, entry->data);
    }
    packet_end(packet, at);
}

/* The reply to a question; false: there is none. A name that no row has does not exist. */
static inline bool zone_reply(const struct spf_entry *zone, const struct name *name, uint16_t type, struct message *ret)
{
    static struct packet packet;
    char                 text[NAME_TEXT_MAX];
    bool                 exists = false;
    name_format(name_view(name), text);
    text[strlen(text) - 1] = '\0';
    packet_begin(&packet, PACKET_REPLY, text, type);
    for (; zone->name; zone++) {
        const struct name owner = named(zone->name);
        if (!name_equal(name_view(&owner), name_view(name)))
            continue;
        exists = true;
        if (zone->type == type && zone->data == FAILS)
            return false;
        if (zone->type == type && zone->data)
            entry_put(&packet, zone);
    }
    if (!exists)
        packet.data[3] |= RCODE_NXDOMAIN;
    assert_true(message_parse(packet_view(&packet), ret));
    return true;
}

static inline void assert_name(const struct name *name, const char *text)
{
    char formatted[NAME_TEXT_MAX] = "";
    if (name->len > 1) {
        name_format(name_view(name), formatted);
        formatted[strlen(formatted) - 1] = '\0';
    }
    assert_string_equal(formatted, text);
}

#endif
