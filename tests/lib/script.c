/*
 * script.c: see script.h.
 */
#include "lib/script.h"

#include "fuzz/fuzz.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

enum {
    WORD     = 256, /* bytes */
    ALIASES  = 8,   /* that are followed */
    DEEPEST  = 2,   /* "!serves" is played by what another party was told */
    SIGNED   = 46,  /* RRSIG */
    AUTHORIT = 0x0400,
};

struct line {
    char        who[WORD], name[WORD], type[WORD];
    bool        has_ad;
    unsigned    level; /* which of the script's lists it is in */
    const char *rest;
};

static void read_line(const char *text, struct line *ret)
{
    int at = 0;
    CHECK(sscanf(text, "%255s %255s %255s %n", ret->who, ret->name, ret->type, &at) == 3 && text[at]);
    ret->has_ad = strncmp(text + at, "+ad ", 4) == 0;
    ret->rest   = text + at + (ret->has_ad ? 4 : 0);
}

/* ---- whose, and of what ---- */

static bool is_whose(const struct line *line, const struct hearing_question *question)
{
    static const char letters[] = {'d', 'e', 'o', 'c'};
    char              address[ADDRESS_TEXT_MAX];
    size_t            len = strcspn(line->who, "/");
    if (question->party != HEARD_SERVER)
        return !strpbrk(line->who, ".:") && strchr(line->who, letters[question->party]) != NULL;
    address_format_host(question->address, address);
    if (strlen(address) != len || strncmp(line->who, address, len) != 0)
        return false;
    return !line->who[len] || (strcmp(line->who + len, "/tcp") == 0) == (question->transport == TRANSPORT_TCP);
}

static struct name read_name(const char *text)
{
    struct name name;
    if (!name_parse(text, &name)) {
        fprintf(stderr, "not a name: %s\n", text);
        abort();
    }
    return name;
}

static bool is_of(const struct line *line, struct view name, uint16_t type)
{
    bool        below  = line->name[0] == '*';
    const char *text   = line->name + below;
    struct name wanted = read_name(*text ? text : ".");
    uint16_t    known  = 0;
    CHECK(strcmp(line->type, "*") == 0 || type_parse(line->type, &known));
    return (known == 0 || known == type) &&
           (below ? name_is_at_or_below(name, name_view(&wanted)) : name_equal(name, name_view(&wanted)));
}

/* The line behind *at of that one; `type` 0: of any. False: there is none. */
static bool next_line(const struct script *script, const struct hearing_question *question, struct view name,
                      uint16_t type, unsigned *at, struct line *ret)
{
    for (unsigned i = 0, n = 0; i < ARRAY_LEN(script->lines); i++)
        for (const char *const *text = script->lines[i]; text && *text; text++) {
            if (n++ < *at)
                continue;
            ++*at;
            read_line(*text, ret);
            ret->level   = i;
            uint16_t own = 0;
            if (is_whose(ret, question) && is_of(ret, name, type ? type : (type_parse(ret->type, &own), own)))
                return true;
        }
    return false;
}

static bool find_manner(const struct script *script, const struct hearing_question *question, struct line *ret)
{
    unsigned at = 0, records = 0; /* of the first list */
    while (next_line(script, question, name_view(&question->inquiry->name), question->inquiry->type, &at, ret)) {
        if (ret->rest[0] == '!')
            return ret->level == 0 || records == 0;
        records += ret->level == 0;
    }
    return false;
}

/* ---- records ---- */

static void put_record(struct packet *reply, unsigned section, struct view owner, const char *type, const char *data)
{
    static char text[4 * 4096];
    char        name[NAME_TEXT_MAX];
    ldns_rr    *rr = NULL;
    snprintf(text, sizeof(text), "%s 300 IN %s %s", name_format(owner, name), type, data);
    if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK) {
        fprintf(stderr, "not a record: %s\n", text);
        abort();
    }
    ldns_buffer *buffer = ldns_buffer_new(65535);
    CHECK(buffer && ldns_rr2buffer_wire(buffer, rr, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK);
    packet_bytes(reply, ldns_buffer_begin(buffer), ldns_buffer_position(buffer));
    uint8_t *count = reply->data + 6 + 2 * section;
    put_u16(count, (uint16_t) (get_u16(count) + 1));
    ldns_buffer_free(buffer);
    ldns_rr_free(rr);
}

/* The SOA of the zone that the name is in, by what this party was told. */
static bool put_soa(const struct script *script, const struct hearing_question *question, struct view name,
                    struct packet *reply)
{
    struct line line;
    for (struct view zone = name;; zone = name_parent(zone)) {
        for (unsigned at = 0; next_line(script, question, zone, TYPE_SOA, &at, &line);)
            if (line.rest[0] != '!') {
                put_record(reply, SECTION_AUTHORITY, zone, "SOA", line.rest);
                return true;
            }
        if (name_is_root(zone))
            return false;
    }
}

static bool exists(const struct script *script, const struct hearing_question *question, struct view name)
{
    struct line line;
    for (unsigned at = 0; next_line(script, question, name, 0, &at, &line);)
        if (line.rest[0] != '!')
            return true;
    return false;
}

/* Records of `name`. *alias is set where it is an alias. */
static unsigned put_records(const struct script *script, const struct hearing_question *question, struct view name,
                            struct packet *reply, struct name *alias)
{
    struct line line;
    unsigned    count = 0, level = 0;
    alias->len = 0;
    for (unsigned at = 0; next_line(script, question, name, question->inquiry->type, &at, &line);)
        if (line.rest[0] != '!' && (count == 0 || line.level == level)) {
            level = line.level;
            put_record(reply, SECTION_ANSWER, name, line.type, line.rest);
            reply->data[3] |= line.has_ad ? 0x20 : 0;
            count++;
        }
    for (unsigned at = 0; count == 0 && next_line(script, question, name, TYPE_CNAME, &at, &line);)
        if (line.rest[0] != '!') {
            put_record(reply, SECTION_ANSWER, name, line.type, line.rest);
            *alias = read_name(line.rest);
        }
    return count;
}

static void put_answer(const struct script *script, const struct hearing_question *question, struct packet *reply)
{
    struct name name = question->inquiry->name, alias;
    for (unsigned i = 0; i < ALIASES; i++) {
        if (put_records(script, question, name_view(&name), reply, &alias) > 0)
            return;
        if (alias.len == 0)
            break;
        name = alias;
    }
    put_soa(script, question, name_view(&name), reply);
    if (!exists(script, question, name_view(&name)))
        reply->data[3] |= RCODE_NXDOMAIN;
}

/* ---- manners ---- */

static void put_opt(struct packet *reply, int ede)
{
    const uint8_t option[] = {0, 15, 0, 2, 0, (uint8_t) ede};
    packet_opt(reply, 1232, 0, option, ede >= 0 ? sizeof(option) : 0);
}

static void fail(struct packet *reply, unsigned rcode, int ede)
{
    reply->data[3] = (uint8_t) (reply->data[3] | rcode);
    put_opt(reply, ede);
}

static void serve(const struct script *script, const struct hearing_question *question, const char *zone, bool edns,
                  bool authoritative, struct packet *reply)
{
    const struct hearing_question as   = {.party = HEARD_EXTERNAL, .inquiry = question->inquiry};
    struct name                   apex = read_name(zone);
    reply->data[3] &= 0x7f; /* RA */
    if (!name_is_at_or_below(name_view(&question->inquiry->name), name_view(&apex))) {
        fail(reply, RCODE_REFUSED, -1);
        return;
    }
    put_answer(script, &as, reply);
    reply->data[2] |= authoritative ? AUTHORIT >> 8 : 0;
    if (edns)
        put_opt(reply, -1);
}

static void refer(const struct line *line, struct packet *reply)
{
    char zone[WORD], host[WORD], address[WORD];
    CHECK(sscanf(line->rest, "!refers %255s %255s %255s", zone, host, address) == 3);
    struct name apex = read_name(zone), owner = read_name(host);
    reply->data[3] &= 0x7f;
    put_record(reply, SECTION_AUTHORITY, name_view(&apex), "NS", host);
    put_record(reply, SECTION_ADDITIONAL, name_view(&owner), strchr(address, ':') ? "AAAA" : "A", address);
    put_opt(reply, -1);
}

static void sign(const struct script *script, const struct hearing_question *question, const char *signature,
                 struct packet *reply)
{
    if (!question->inquiry->checking_disabled) {
        fail(reply, RCODE_SERVFAIL, EDE_SIGNATURE_EXPIRED);
        return;
    }
    put_answer(script, question, reply);
    put_record(reply, SECTION_ANSWER, name_view(&question->inquiry->name), "RRSIG", signature);
    put_opt(reply, -1);
}

static void put_raw(const struct hearing_question *question, const char *hex, struct packet *reply)
{
    packet_u16(reply, AT_QUESTION);
    size_t   at = packet_fixed(reply, SECTION_ANSWER, question->inquiry->type, 300);
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        reply->data[reply->len++] = (uint8_t) byte;
    packet_end(reply, at);
    reply->data[2] |= question->party == HEARD_SERVER ? AUTHORIT >> 8 : 0;
    put_opt(reply, -1);
}

static enum hearing_play play_manner(const struct script *script, const struct hearing_question *question,
                                     const struct line *line, struct packet *reply)
{
    char word[WORD], more[WORD] = "";
    CHECK(sscanf(line->rest, "!%255s %255s", word, more) >= 1);
    if (strcmp(word, "silent") == 0)
        return PLAY_SILENCE;
    if (strcmp(word, "refused") == 0)
        return PLAY_REFUSAL;
    if (strcmp(word, "noroute") == 0)
        return PLAY_NO_ROUTE;
    if (strcmp(word, "doubts") == 0 && question->inquiry->checking_disabled)
        fail(reply, (unsigned) atoi(more), -1);
    else if (strcmp(word, "doubts") == 0)
        fail(reply, RCODE_SERVFAIL, EDE_BOGUS);
    else if (strcmp(word, "servfail") == 0)
        fail(reply, RCODE_SERVFAIL, *more ? atoi(more) : -1);
    else if (strcmp(word, "rcode") == 0) {
        reply->data[2] |= strstr(line->rest, " aa") ? AUTHORIT >> 8 : 0;
        fail(reply, (unsigned) atoi(more), -1);
    } else if (strcmp(word, "nothing") == 0)
        put_opt(reply, -1);
    else if (strcmp(word, "serves") == 0)
        serve(script, question, more, !strstr(line->rest, " noedns"), !strstr(line->rest, " noaa"), reply);
    else if (strcmp(word, "raw") == 0)
        put_raw(question, more, reply);
    else if (strcmp(word, "refers") == 0)
        refer(line, reply);
    else if (strcmp(word, "signs") == 0)
        sign(script, question, line->rest + strlen("!signs "), reply);
    else {
        CHECK(strcmp(word, "nodata") == 0);
        put_soa(script, question, name_view(&question->inquiry->name), reply);
        put_opt(reply, -1);
    }
    return PLAY_REPLY;
}

enum hearing_play script_play(void *context, const struct hearing_question *question, struct packet *reply)
{
    const struct script *script = context;
    struct line          line;
    if (find_manner(script, question, &line))
        return play_manner(script, question, &line, reply);
    if (question->party >= HEARD_CANARY && !exists(script, question, name_view(&question->inquiry->name)))
        return PLAY_SILENCE;
    put_answer(script, question, reply);
    if (question->party == HEARD_SERVER)
        reply->data[2] |= AUTHORIT >> 8;
    put_opt(reply, -1);
    return PLAY_REPLY;
}
