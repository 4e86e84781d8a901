/*
 * text.c: see text.h. ldns gives the types' names and reads names; only text and names already checked reach it.
 */
#include "dns/text.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Written out here because ldns would allocate, and a name must always have a text. */
const char *name_format(struct view name, char text[NAME_TEXT_MAX])
{
    char *out = text;
    if (name_is_root(name))
        return strcpy(text, ".");
    for (size_t pos = 0; name.data[pos] != 0; pos += 1u + name.data[pos]) {
        for (size_t i = 1; i <= name.data[pos]; i++) {
            unsigned char c = name.data[pos + i];
            if (c <= ' ' || c >= 0x7f)
                out += sprintf(out, "\\%03u", c);
            else if (strchr(".;()\\\"@$", c))
                out += sprintf(out, "\\%c", c);
            else
                *out++ = (char) c;
        }
        *out++ = '.';
    }
    *out = '\0';
    return text;
}

bool name_parse(const char *text, struct name *ret)
{
    ldns_rdf *dname = NULL;
    bool      ok;

    /* A blank or a raw byte beyond ASCII is a slip (an IDN not in its A-label form), not a name somebody owns. */
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || c - text >= NAME_TEXT_MAX)
            return false;
    if (text[0] == '\0')
        return false;
    /* without memory for it ldns calls no name at all a success */
    ok = ldns_str2rdf_dname(&dname, text) == LDNS_STATUS_OK && dname != NULL && ldns_rdf_size(dname) <= NAME_WIRE_MAX;
    if (ok) {
        struct view wire = {ldns_rdf_data(dname), ldns_rdf_size(dname)};
        ok               = name_check(wire) == wire.len;
        if (ok)
            name_set_lower(ret, wire);
    }
    ldns_rdf_deep_free(dname);
    return ok;
}

const char *type_format(uint16_t type, char text[TYPE_TEXT_MAX])
{
    char *known = ldns_rr_type2str(type);
    if (known && strlen(known) < TYPE_TEXT_MAX)
        strcpy(text, known);
    else
        snprintf(text, TYPE_TEXT_MAX, "TYPE%u", type);
    free(known);
    return text;
}

static bool is_decimal(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0';
}

bool type_parse(const char *text, uint16_t *ret)
{
    unsigned long value;
    if (strncasecmp(text, "TYPE", 4) == 0) {
        value = is_decimal(text + 4) ? strtoul(text + 4, NULL, 10) : UINT16_MAX + 1ul;
    } else {
        value = ldns_get_rr_type_by_name(text);
        if (value == 0)
            return false;
    }
    if (value > UINT16_MAX)
        return false;
    *ret = (uint16_t) value;
    return true;
}

const char *rcode_format(unsigned rcode, char text[RCODE_TEXT_MAX])
{
    static const char *const words[] = {
        [RCODE_NOERROR] = "NOERROR",   [RCODE_FORMERR] = "FORMERR", [RCODE_SERVFAIL] = "SERVFAIL",
        [RCODE_NXDOMAIN] = "NXDOMAIN", [RCODE_NOTIMP] = "NOTIMP",   [RCODE_REFUSED] = "REFUSED",
        [RCODE_BADVERS] = "BADVERS"};
    if (rcode < ARRAY_LEN(words) && words[rcode])
        snprintf(text, RCODE_TEXT_MAX, "%s", words[rcode]);
    else
        snprintf(text, RCODE_TEXT_MAX, "RCODE%u", rcode);
    return text;
}

const char *class_format(uint16_t class, char text[TYPE_TEXT_MAX])
{
    char *known = ldns_rr_class2str(class);
    if (known && strlen(known) < TYPE_TEXT_MAX)
        strcpy(text, known);
    else
        snprintf(text, TYPE_TEXT_MAX, "CLASS%u", class);
    free(known);
    return text;
}

/* ldns reads one record at a time: it refuses a whole message for one rdata that it does not like. A few types it reads
 * on from elsewhere than their end, so the end is compared. The record is made here, and not by ldns_wire2rr(), which
 * takes for granted that there is memory for it. NULL: not read. */
static ldns_rr *read_record(struct view wire, const struct record *record)
{
    ldns_rr  *rr    = ldns_rr_new();
    ldns_rdf *owner = NULL;
    size_t    pos = record->owner, length = record->data_at - 2;

    if (rr && ldns_wire2dname(&owner, wire.data, wire.len, &pos) == LDNS_STATUS_OK) {
        ldns_rr_set_owner(rr, owner);
        ldns_rr_set_type(rr, (ldns_rr_type) record->type);
        ldns_rr_set_class(rr, (ldns_rr_class) record->class);
        if (ldns_wire2rdf(rr, wire.data, wire.len, &length) == LDNS_STATUS_OK && length == record->end)
            return rr;
    }
    ldns_rr_free(rr);
    return NULL;
}

/* The caller's to free; NULL: not read. */
static char *make_line(struct view wire, const struct record *record, uint32_t ttl)
{
    ldns_rr *rr = read_record(wire, record);
    char    *line;

    if (!rr)
        return NULL;
    ldns_rr_set_ttl(rr, ttl);
    line = ldns_rr2str(rr);
    ldns_rr_free(rr);
    if (!line)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    for (char *tab = line; (tab = strchr(tab, '\t')) != NULL;)
        *tab = ' ';
    return line;
}

const char *record_format(const struct message *message, const struct record *record, char *text, size_t size)
{
    char *line = make_line(message->wire, record, record->ttl);
    snprintf(text, size, "%s", line ? line : "");
    free(line);
    return text;
}

static void give_record(struct view wire, const struct record *record, int64_t ttl, records_each_fn each, void *context)
{
    char *line = make_line(wire, record, ttl < 0 ? 0 : (uint32_t) ttl);
    if (line)
        each(context, line);
    free(line);
}

void records_format(struct view wire, int64_t ttl, records_each_fn each, void *context)
{
    struct message message;
    struct record  record = {0};
    if (!message_parse(wire, &message))
        return;
    while (message_next(&message, &record) && record.section != SECTION_ADDITIONAL)
        if (record.section == SECTION_ANSWER || (message.count[SECTION_ANSWER] == 0 && record.type == TYPE_SOA))
            give_record(wire, &record, ttl, each, context);
}
