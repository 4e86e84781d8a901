/*
 * What other nodes state: statements, each led by its length in two bytes. What is one is written again as it was, and
 * merged in both orders: two replicas then hold the same, and judge the same; a month later only pins are left.
 */
#include "base/bytes.h"
#include "fuzz.h"
#include "lib/statements.h"

enum {
    STATEMENTS = 64,
    MAX        = 1000,
};

#define NOW ((uint64_t) 1764470000000)

static size_t read_all(struct view bytes, struct statement all[STATEMENTS])
{
    size_t count = 0;
    for (size_t at = 0; at + 2 < bytes.len && count < STATEMENTS;) {
        size_t len = get_u16(bytes.data + at), left = bytes.len - at - 2;
        len = len < left ? len : left;
        at += 2;
        count += statement_read((struct view){bytes.data + at, len}, &all[count]);
        at += len;
    }
    return count;
}

static void check_bytes(const struct statement *is)
{
    uint8_t          bytes[STATEMENT_MAX], twice[STATEMENT_MAX];
    char             field[STATEMENT_FIELD_MAX], same[STATEMENT_FIELD_MAX];
    struct statement back;
    size_t           len = statement_write(is, bytes), field_len = statement_field(is, field);
    CHECK(len < STATEMENT_MAX && field_len < STATEMENT_FIELD_MAX && strlen(field) == field_len);
    CHECK(statement_read((struct view){bytes, len}, &back) && statement_write(&back, twice) == len);
    CHECK(memcmp(bytes, twice, len) == 0 && statement_field(&back, same) == field_len && strcmp(field, same) == 0);
}

static struct replica *merged(const struct statement *all, size_t count, bool backwards)
{
    struct replica *replica = replica_create((struct hash_key){1, 2}, text_view("cn"), text_view("a"), MAX);
    CHECK(replica != NULL);
    for (size_t i = 0; i < 2 * count; i++) { /* each twice */
        const struct statement *is = &all[backwards ? count - 1 - i % count : i % count];
        enum merged             as = replica_merge(replica, is, i % 2, NOW);
        CHECK(i < count || as != MERGED_NEWS);
        replica_miss(replica, is);
    }
    return replica;
}

static void check_month(struct replica *replica)
{
    size_t           at = 0;
    struct statement is;
    struct holdings  all;
    while (replica_sweep(replica, &at, 1, NOW + 2 * REPLICA_LIFE))
        ;
    holdings_of(replica, 1, &all);
    for (size_t i = 0; i < all.count; i++)
        CHECK(statement_read((struct view){all.all[i]->bytes, all.all[i]->len}, &is) && is.kind == STATEMENT_PIN);
    holdings_fini(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct statement all[STATEMENTS + 1];
    struct holdings         here, there;
    size_t                  count = read_all((struct view){data, size}, all);
    struct replica         *one = merged(all, count, false), *other = merged(all, count, true);

    holdings_of(one, 1, &here);
    holdings_of(other, SIZE_MAX, &there);
    CHECK(holdings_equal(&here, "forwards", &there, "backwards"));
    for (size_t i = 0; i < count; i++) {
        struct replica_judgement is = replica_judge(one, &all[i].id, 2), was = replica_judge(other, &all[i].id, 2);
        CHECK(is.blocked == was.blocked && is.good == was.good && is.failed == was.failed);
        check_bytes(&all[i]);
    }
    CHECK(replica_counts(one, text_view("a")).zones == replica_counts(other, text_view("a")).zones);
    holdings_fini(&here);
    holdings_fini(&there);
    check_month(one);
    replica_destroy(one);
    replica_destroy(other);
    return 0;
}
