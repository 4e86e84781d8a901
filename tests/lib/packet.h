/*
 * packet.h: DNS messages for tests, built byte by byte, so that a test can build wrong ones too. It shares no code with
 * what it tests.
 */
#ifndef TESTS_PACKET_H
#define TESTS_PACKET_H

#include "base/bytes.h"

#include <string.h>

enum {
    PACKET_QUERY = 0x0100, /* RD */
    PACKET_REPLY = 0x8180, /* QR, RD, RA */
    AT_QUESTION  = 0xc00c, /* a pointer to the question's name */
};

struct packet {
    size_t  len;
    uint8_t data[65535];
};

static inline struct view packet_view(const struct packet *packet) { return (struct view){packet->data, packet->len}; }

static inline void packet_bytes(struct packet *packet, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(packet->data + packet->len, bytes, len);
    packet->len += len;
}

static inline void packet_u16(struct packet *packet, unsigned value)
{
    put_u16(packet->data + packet->len, (uint16_t) value);
    packet->len += 2;
}

static inline void packet_u32(struct packet *packet, uint32_t value)
{
    packet_u16(packet, value >> 16);
    packet_u16(packet, value & 0xffff);
}

/* "mail.example": dots part the labels, nothing is escaped; "" is the root. */
static inline void packet_name(struct packet *packet, const char *text)
{
    while (*text != '\0') {
        size_t label                = strcspn(text, ".");
        packet->data[packet->len++] = (uint8_t) label;
        packet_bytes(packet, text, label);
        text += label + (text[label] == '.');
    }
    packet->data[packet->len++] = 0;
}

/* Header, and the question unless `name` is NULL; id 0x1234, class IN. */
static inline void packet_begin(struct packet *packet, unsigned flags, const char *name, unsigned type)
{
    packet->len = 0;
    packet_u16(packet, 0x1234);
    packet_u16(packet, flags);
    packet_u16(packet, name != NULL);
    packet_u32(packet, 0);
    packet_u16(packet, 0);
    if (name == NULL)
        return;
    packet_name(packet, name);
    packet_u16(packet, type);
    packet_u16(packet, 1);
}

/* The fixed part of a record behind its owner, counted in `section` (0 answer, 1 authority, 2 additional). Returns
 * where the rdata begins; packet_end() sets its length. */
static inline size_t packet_fixed(struct packet *packet, unsigned section, unsigned type, uint32_t ttl)
{
    uint8_t *count = packet->data + 6 + 2 * section;

    put_u16(count, (uint16_t) (get_u16(count) + 1));
    packet_u16(packet, type);
    packet_u16(packet, 1);
    packet_u32(packet, ttl);
    packet_u16(packet, 0);
    return packet->len;
}

static inline void packet_end(struct packet *packet, size_t data_at)
{
    put_u16(packet->data + data_at - 2, (uint16_t) (packet->len - data_at));
}

/* A record with an owner name in full. */
static inline void packet_record(struct packet *packet, unsigned section, const char *owner, unsigned type,
                                 uint32_t ttl, const void *data, size_t len)
{
    size_t at;

    packet_name(packet, owner);
    at = packet_fixed(packet, section, type, ttl);
    packet_bytes(packet, data, len);
    packet_end(packet, at);
}

/* A record whose owner is a pointer to the question's name. */
static inline void packet_record_here(struct packet *packet, unsigned section, unsigned type, uint32_t ttl,
                                      const void *data, size_t len)
{
    size_t at;

    packet_u16(packet, AT_QUESTION);
    at = packet_fixed(packet, section, type, ttl);
    packet_bytes(packet, data, len);
    packet_end(packet, at);
}

/* A record whose rdata is `before` bytes of zero and a name in full: NS, CNAME, DNAME 0; MX 2; SRV 6. */
static inline void packet_name_record(struct packet *packet, unsigned section, const char *owner, unsigned type,
                                      uint32_t ttl, size_t before, const char *target)
{
    size_t at;

    packet_name(packet, owner);
    at = packet_fixed(packet, section, type, ttl);
    memset(packet->data + packet->len, 0, before);
    packet->len += before;
    packet_name(packet, target);
    packet_end(packet, at);
}

static inline void packet_soa(struct packet *packet, unsigned section, const char *owner, uint32_t ttl,
                              uint32_t minimum)
{
    size_t at;

    packet_name(packet, owner);
    at = packet_fixed(packet, section, 6, ttl);
    packet_name(packet, "ns.example");
    packet_name(packet, "hostmaster.example");
    for (unsigned i = 0; i < 4; i++)
        packet_u32(packet, 3600);
    packet_u32(packet, minimum);
    packet_end(packet, at);
}

/* An OPT: size, the 32 bits where others have a TTL (DO is 0x8000), options. */
static inline void packet_opt(struct packet *packet, unsigned size, uint32_t bits, const void *options, size_t len)
{
    size_t at;

    packet_name(packet, "");
    at = packet_fixed(packet, 2, 41, bits);
    put_u16(packet->data + at - 8, (uint16_t) size);
    packet_bytes(packet, options, len);
    packet_end(packet, at);
}

#endif
