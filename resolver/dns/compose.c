/*
 * compose.c: see compose.h.
 */
#include "dns/compose.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "dns/opt.h"

#include <assert.h>
#include <string.h>

static size_t question_write(struct view name, uint16_t type, uint16_t class, uint8_t *out)
{
    memcpy(out, name.data, name.len);
    put_u16(out + name.len, type);
    put_u16(out + name.len + 2, class);
    return name.len + 4;
}

static void header_write(uint16_t id, unsigned flags, bool question, bool edns, uint8_t *out)
{
    memset(out, 0, MESSAGE_HEADER);
    put_u16(out, id);
    put_u16(out + 2, (uint16_t) flags);
    put_u16(out + 4, question);
    put_u16(out + 10, edns);
}

/* Fills the block with one more option of the OPT at `at`, which ends the message. Returns the new length. */
static size_t query_pad(size_t at, size_t len, uint8_t *out)
{
    size_t whole = (len + 4 + QUERY_BLOCK - 1) / QUERY_BLOCK * QUERY_BLOCK;
    put_u16(out + len, OPT_PADDING);
    put_u16(out + len + 2, (uint16_t) (whole - len - 4));
    memset(out + len + 4, 0, whole - len - 4);
    put_u16(out + at + 9, (uint16_t) (whole - at - OPT_LEN));
    return whole;
}

size_t query_write(const struct query_form *form, uint8_t *out)
{
    size_t len = MESSAGE_HEADER;
    header_write(form->id, FLAG_RD | FLAG_AD | (form->checking_disabled ? FLAG_CD : 0), true, form->edns, out);
    len += question_write(form->name, form->type, form->class, out + len);
    const struct opt opt = {.size      = form->size,
                            .dnssec_ok = form->dnssec_ok,
                            .ede       = EDE_NONE,
                            .keepalive = {form->keepalive ? KEEPALIVE_ASKED : KEEPALIVE_NONE, 0}};
    if (!form->edns)
        return len;
    size_t at = len;
    len += opt_write(&opt, out + len);
    return form->padded ? query_pad(at, len, out) : len;
}

static size_t client_opt_write(const struct client_query *query, unsigned rcode, int ede, uint8_t *out)
{
    return opt_write(&(struct opt){.size      = LIMIT_UDP_PAYLOAD,
                                   .dnssec_ok = query->dnssec_ok,
                                   .rcode     = rcode,
                                   .ede       = ede,
                                   .keepalive = query->keepalive},
                     out);
}

size_t failure_write(const struct client_query *query, unsigned rcode, int ede, uint8_t *out)
{
    size_t len = MESSAGE_HEADER;
    assert(rcode <= FLAG_RCODE || query->edns);
    header_write(query->id, FLAG_QR | FLAG_RA | (query->flags & (FLAG_RD | FLAG_CD)) | (rcode & FLAG_RCODE), true,
                 query->edns, out);
    len += question_write(name_view(&query->name), query->type, query->class, out + len);
    if (query->edns)
        len += client_opt_write(query, rcode, ede, out + len);
    return len;
}

size_t own_answer_write(const struct client_query *query, unsigned rcode, const struct own_record *record, int ede,
                        uint8_t *out)
{
    size_t len = MESSAGE_HEADER;
    header_write(query->id, FLAG_QR | FLAG_AA | FLAG_RA | (query->flags & (FLAG_RD | FLAG_CD)) | rcode, true,
                 query->edns, out);
    put_u16(out + 6 + 2 * record->section, 1);
    len += question_write(name_view(&query->name), query->type, query->class, out + len);
    put_u16(out + len, name_pointer(record->owner_at));
    put_u16(out + len + 2, record->type);
    put_u16(out + len + 4, CLASS_IN);
    put_u32(out + len + 6, record->ttl);
    put_u16(out + len + 10, (uint16_t) record->data.len);
    memcpy(out + len + 12, record->data.data, record->data.len);
    len += 12 + record->data.len;
    if (query->edns)
        len += client_opt_write(query, rcode, ede, out + len);
    return len;
}

size_t any_declined_write(const struct client_query *query, uint8_t *out)
{
    static const uint8_t    data[] = "\7RFC8482"; /* CPU; the NUL that ends it is the empty OS */
    const struct own_record record = {SECTION_ANSWER, MESSAGE_HEADER, TYPE_HINFO, ANY_TTL, {data, sizeof(data)}};
    size_t                  len    = own_answer_write(query, RCODE_NOERROR, &record, EDE_NONE, out);
    put_u16(out + 2, (uint16_t) (get_u16(out + 2) & ~FLAG_AA));
    return len;
}

size_t rejection_write(const struct message *query, unsigned rcode, uint8_t *out)
{
    const struct question *question = &query->question;
    unsigned               echoed   = query->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD);
    size_t                 len      = MESSAGE_HEADER;
    assert(rcode <= FLAG_RCODE || query->edns.present);
    header_write(query->id, FLAG_QR | FLAG_RA | echoed | (rcode & FLAG_RCODE), query->has_question, query->edns.present,
                 out);
    if (query->has_question)
        len += question_write(question->name, question->type, question->class, out + len);
    if (query->edns.present)
        len += opt_write(
            &(struct opt){
                .size = LIMIT_UDP_PAYLOAD, .dnssec_ok = query->edns.dnssec_ok, .rcode = rcode, .ede = EDE_NONE},
            out + len);
    return len;
}

size_t truncation_write(const struct message *query, uint8_t *out)
{
    size_t len = rejection_write(query, RCODE_NOERROR, out);
    put_u16(out + 2, get_u16(out + 2) | FLAG_TC);
    return len;
}

void name_mix_case(uint8_t *wire, size_t len, uint64_t random)
{
    unsigned letter = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t lower = wire[i] | 0x20;
        if ((uint8_t) (lower - 'a') >= 26)
            continue;
        wire[i] = random >> letter++ % 64 & 1 ? (uint8_t) (lower & ~0x20) : lower;
    }
}
