/*
 * SPF with a DNS that says whatever it likes. The first line is CLIENT HELO SENDER; each line behind it answers the next
 * lookup: "!" it fails, "-" the name does not exist, "" there is nothing; else TXT records parted by tabs, names parted
 * by blanks, addresses of which "=" is the client's. Where the lines end nothing exists. An evaluation ends within the
 * bounds of RFC 7208, 4.6.4, and says why; what a record depends on is listed, and ends too.
 */
#include "mail/spf_walk.h"

#include "fuzz.h"
#include "lib/packet.h"

enum {
    /* 11 records; 10 terms of 11 lookups each, no record among them; the client's names, and an explanation */
    LOOKUPS_MAX = SPF_VISITS_MAX + SPF_TERMS_MAX * (1 + SPF_HOSTS_MAX) + 1 + SPF_HOSTS_MAX + 1,
};

static struct packet packet;

/* The bytes before the next `end`, which is passed. */
static struct view cut(struct view *text, uint8_t end)
{
    const uint8_t *at   = text->len > 0 ? memchr(text->data, end, text->len) : NULL;
    size_t         len  = at ? (size_t) (at - text->data) : text->len;
    struct view    head = {text->data, len};
    text->data += len + (at != NULL);
    text->len -= len + (at != NULL);
    return head;
}

static void put_text(struct view text)
{
    while (text.len > 0) {
        uint8_t len = (uint8_t) (text.len < 255 ? text.len : 255);
        packet_bytes(&packet, &len, 1);
        packet_bytes(&packet, text.data, len);
        text.data += len;
        text.len -= len;
    }
}

static void put_record(const struct spf_lookup *lookup, struct view data, const struct address *client)
{
    static const uint8_t zeros[16];
    struct name          name;
    if ((lookup->type == TYPE_MX || lookup->type == TYPE_PTR) && !spf_name_read(data, &name))
        name = (struct name){.len = 1};
    packet_u16(&packet, AT_QUESTION);
    size_t at = packet_fixed(&packet, 0, lookup->type, 300);
    switch (lookup->type) {
    case TYPE_TXT:
        put_text(data);
        break;
    case TYPE_A:
        packet_bytes(&packet, data.len > 0 && data.data[0] == '=' ? (const void *) &client->in.sin_addr : zeros, 4);
        break;
    case TYPE_AAAA:
        packet_bytes(&packet, data.len > 0 && data.data[0] == '=' ? (const void *) &client->in6.sin6_addr : zeros, 16);
        break;
    case TYPE_MX:
        packet_u16(&packet, 10);
        /* fallthrough */
    default:
        packet_bytes(&packet, name.wire, name.len);
    }
    packet_end(&packet, at);
}

/* False: it fails. */
static bool reply(const struct spf_lookup *lookup, struct view *lines, const struct address *client,
                  struct message *ret)
{
    bool        nothing = lines->len == 0;
    struct view line    = cut(lines, '\n');
    CHECK(name_check(name_view(&lookup->name)) == lookup->name.len);
    if (line.len == 1 && line.data[0] == '!')
        return false;
    packet_begin(&packet, PACKET_REPLY, "", lookup->type);
    packet.len = MESSAGE_HEADER; /* the name may have dots in its labels */
    packet_bytes(&packet, lookup->name.wire, lookup->name.len);
    packet_u16(&packet, lookup->type);
    packet_u16(&packet, CLASS_IN);
    if (nothing || (line.len == 1 && line.data[0] == '-'))
        packet.data[3] |= RCODE_NXDOMAIN;
    else
        while (line.len > 0 && packet.len < 30000)
            put_record(lookup, cut(&line, lookup->type == TYPE_TXT ? '\t' : ' '), client);
    return message_parse(packet_view(&packet), ret);
}

static void check_problem(const struct spf_problem *problem)
{
    CHECK((problem->trouble == SPF_SYNTAX) == (problem->why != NULL));
    CHECK(memchr(problem->term, '\0', sizeof(problem->term)) != NULL);
    CHECK(problem->name.len == 0 || name_check(name_view(&problem->name)) == problem->name.len);
}

static void check_result(const struct spf *spf)
{
    bool is_trouble = spf->result == SPF_NONE || spf->result == SPF_TEMPERROR || spf->result == SPF_PERMERROR;
    CHECK(is_trouble == (spf->problem.trouble != SPF_FINE));
    CHECK(!is_trouble || spf->match.domain.len == 0);
    CHECK((spf->problem.trouble == SPF_TERMS) == (spf->lookups > SPF_TERMS_MAX));
    CHECK((spf->problem.trouble == SPF_VOIDS) == (spf->void_count > SPF_VOIDS_MAX));
    CHECK(spf->match.domain.len > 0 || spf->inner.domain.len == 0);
    CHECK(spf->result == SPF_FAIL || spf->explanation[0] == '\0');
    CHECK(spf->visit_count == 0 || spf->visits[0].lookups == spf->lookups);
    for (unsigned i = 1; i < spf->visit_count; i++)
        CHECK(spf->visits[i].parent < i && spf->visits[i].lookups > 0);
    check_problem(&spf->problem);
}

static void evaluate(const struct spf_request *request, struct view lines)
{
    static struct spf        spf;
    const struct spf_lookup *lookup;
    struct message           message;
    unsigned                 count = 0;
    if (!spf_begin(&spf, request))
        return;
    for (; (lookup = spf_lookup(&spf)) != NULL; count++) {
        CHECK(count < LOOKUPS_MAX);
        if (reply(lookup, &lines, &spf.client, &message))
            spf_on_reply(&spf, &message);
        else
            spf_on_failure(&spf, OUTCOME_TIMEOUT, "somebody");
    }
    check_result(&spf);
}

static void walk(const struct name *domain, const struct address *client, struct view lines)
{
    static struct spf_walk   walk;
    const struct spf_lookup *lookup;
    struct message           message;
    unsigned                 count = 0;
    spf_walk_begin(&walk, domain);
    for (; (lookup = spf_walk_lookup(&walk)) != NULL; count++) {
        CHECK(count < 2 * SPF_WALK_MAX);
        if (reply(lookup, &lines, client, &message))
            spf_walk_on_reply(&walk, &message);
        else
            spf_walk_on_failure(&walk, OUTCOME_TIMEOUT, NULL);
    }
    for (unsigned i = 1; i < walk.count; i++)
        CHECK(walk.dependencies[i].parent < i && walk.dependencies[i].is_read == walk.dependencies[i].whole);
    for (unsigned i = 0; i < walk.problem_count; i++)
        check_problem(&walk.problems[i]);
    CHECK(spf_walk_voids(&walk) <= walk.count);
}

static void copy(struct view text, char out[SPF_VALUE_MAX + 1])
{
    size_t len = text.len < SPF_VALUE_MAX ? text.len : SPF_VALUE_MAX;
    if (len > 0)
        memcpy(out, text.data, len);
    out[len] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char               client[SPF_VALUE_MAX + 1], helo[SPF_VALUE_MAX + 1], sender[SPF_VALUE_MAX + 1];
    struct view        lines = {data, size}, line = cut(&lines, '\n');
    struct spf_request request = {.helo = helo, .sender = sender, .now = 1234567890};
    struct name        domain;
    copy(cut(&line, ' '), client);
    copy(cut(&line, ' '), helo);
    copy(line, sender);
    if (!address_parse(client, 0, &request.client))
        return 0;
    evaluate(&request, lines);
    if (spf_name_read((struct view){(const uint8_t *) helo, strlen(helo)}, &domain))
        walk(&domain, &request.client, lines);
    return 0;
}
