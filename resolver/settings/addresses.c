/*
 * addresses.c: the keys that are addresses: "listen" and "metrics.listen", and the blocks of "allow" and
 * "limits.client_exempt".
 */
#include "settings/endpoint.h"
#include "settings/keys.h"

#include <stdlib.h>

enum {
    QUOTE_MAX    = 80,
    METRICS_PORT = 9153 /* what Prometheus' list of default ports has for a DNS server's exporter */
};

void read_listen(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char expected[] = "an address like \"127.0.0.1:53\" or \"[::1]:53\"";
    struct settings  *settings   = reader->settings;
    if (!value_list(reader, place, value, "a list of addresses"))
        return;
    size_t count = json_array_size(value);
    if (count == 0) {
        reader_error(reader, place, "expected one address at least");
        return;
    }
    settings->listen = calloc(count, sizeof(*settings->listen));
    if (!settings->listen) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place here     = {.up = place, .index = i};
        const char        *text     = value_text(reader, &here, json_array_get(value, i), expected);
        struct address     address  = {.len = 0};
        bool               repeated = false;
        if (!text)
            continue;
        char why[ENDPOINT_WHY_MAX];
        bool good = endpoint_read(text, ENDPOINT_LISTEN, DNS_PORT, &address, why);
        for (size_t j = 0; good && j < settings->listen_count; j++)
            repeated = repeated || address_equal(&settings->listen[j], &address);
        if (!good && why[0] != '\0')
            reader_error(reader, &here, "%s", why);
        else if (!good)
            reader_error(reader, &here, "not an address: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
        else if (repeated)
            reader_error(reader, &here, "\"%.*s\" is listed already", QUOTE_MAX, text);
        else
            settings->listen[settings->listen_count++] = address;
        if (good && why[0] != '\0')
            reader_warning(reader, &here, "%s", why);
    }
}

static void read_blocks(struct reader *reader, const struct place *place, const json_t *value, struct clients *ret)
{
    static const char expected[] = "a block like \"192.0.2.0/24\" or \"2001:db8::/32\"";
    size_t            count      = json_array_size(value);
    ret->blocks                  = calloc(count + 1, sizeof(*ret->blocks));
    if (!ret->blocks) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.up = place, .index = i};
        const char        *text = value_text(reader, &here, json_array_get(value, i), expected);
        if (!text)
            continue;
        char why[ENDPOINT_WHY_MAX];
        if (block_read(text, &ret->blocks[ret->count], why))
            ret->count++;
        else if (why[0] != '\0')
            reader_error(reader, &here, "%s", why);
        else
            reader_error(reader, &here, "not a CIDR block: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
    }
}

void read_allow(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_list(reader, place, value, "a list of CIDR blocks"))
        return;
    if (json_array_size(value) == 0)
        reader_error(reader, place, "expected one block at least, or nobody may ask");
    else
        read_blocks(reader, place, value, &reader->settings->allow);
}

void read_limits_client_exempt(struct reader *reader, const struct place *place, const json_t *value)
{
    if (value_list(reader, place, value, "a list of CIDR blocks"))
        read_blocks(reader, place, value, &reader->settings->client_exempt);
}

void read_metrics_listen(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char expected[] = "an address like \"127.0.0.1:9153\" or \"[::1]:9153\"";
    struct settings  *settings   = reader->settings;
    const char       *text       = value ? value_text(reader, place, value, expected) : NULL;
    char              why[ENDPOINT_WHY_MAX];
    if (!text)
        return;
    if (!endpoint_read(text, ENDPOINT_LISTEN, METRICS_PORT, &settings->metrics, why)) {
        if (why[0] != '\0')
            reader_error(reader, place, "%s", why);
        else
            reader_error(reader, place, "not an address: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
        return;
    }
    for (size_t i = 0; i < settings->listen_count; i++)
        if (address_equal(&settings->listen[i], &settings->metrics))
            reader_error(reader, place, "\"%.*s\" is in listen already, which answers DNS there", QUOTE_MAX, text);
    if (why[0] != '\0')
        reader_warning(reader, place, "%s", why);
}
