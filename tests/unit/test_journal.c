/* test_journal.c: whatever happens to the bytes of a state file, what is read is what was written before the harm. */
#include "store/journal.h"

#include "lib/check.h"
#include "lib/heap.h"

#include <stdlib.h>
#include <string.h>

static const char *const records[] = {"one", "the second record", "3", "\0\0\0\0\0\0\0\0", "fifth.example."};

enum {
    COUNT      = ARRAY_LEN(records),
    GENERATION = 7,
};

static struct view record_view(size_t i)
{
    return (struct view){(const uint8_t *) records[i], i == 3 ? 8 : strlen(records[i])};
}

/* A whole file; ends[i] is where record i ends. */
static struct buffer file_make(enum journal_kind kind, size_t ends[COUNT])
{
    struct buffer file = {0};

    assert_true(journal_add_header(&file, kind, GENERATION));
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(journal_add_record(&file, record_view(i)));
        ends[i] = file.len;
    }
    if (kind == JOURNAL_KIND_SNAPSHOT)
        assert_true(journal_add_end(&file));
    journal_seal(file.data + JOURNAL_HEADER_BYTES, file.len - JOURNAL_HEADER_BYTES, kind, GENERATION);
    return file;
}

/* Reads a copy that ends where its allocation ends; checks that it is the first `ret_count` records. */
static enum journal_verdict read_back(const uint8_t *bytes, size_t len, enum journal_kind kind, size_t *ret_count)
{
    uint8_t              *copy = malloc(len + 1);
    struct journal_reader reader;
    struct view           record;
    enum journal_verdict  verdict;

    memcpy(copy + 1, bytes, len);
    *ret_count = 0;
    if (journal_open(&reader, (struct view){copy + 1, len}, kind)) {
        assert_int_equal(reader.generation, GENERATION);
        while (journal_next(&reader, &record)) {
            assert_true(*ret_count < COUNT);
            assert_int_equal(record.len, record_view(*ret_count).len);
            assert_memory_equal(record.data, record_view(*ret_count).data, record.len);
            ++*ret_count;
        }
        assert_false(journal_next(&reader, &record));
        assert_true(reader.good <= len);
    }
    verdict = reader.verdict;
    free(copy);
    return verdict;
}

/* The same where the records are others. */
static enum journal_verdict read_unknown(const uint8_t *bytes, size_t len, size_t *ret_count)
{
    struct journal_reader reader;
    struct view           record;

    *ret_count = 0;
    if (journal_open(&reader, (struct view){bytes, len}, JOURNAL_KIND_JOURNAL))
        while (journal_next(&reader, &record))
            ++*ret_count;
    return reader.verdict;
}

static size_t whole_records(const size_t ends[COUNT], size_t len)
{
    size_t count = 0;

    while (count < COUNT && ends[count] <= len)
        count++;
    return count;
}

static void test_cut_at_every_byte(void **state)
{
    static const enum journal_kind kinds[] = {JOURNAL_KIND_JOURNAL, JOURNAL_KIND_SNAPSHOT};

    (void) state;
    for (size_t k = 0; k < 2; k++) {
        size_t        ends[COUNT], count;
        struct buffer file = file_make(kinds[k], ends);

        for (size_t len = 0; len <= file.len; len++) {
            enum journal_verdict verdict = read_back(file.data, len, kinds[k], &count);
            size_t               whole   = whole_records(ends, len);

            assert_int_equal(count, whole);
            if (len < JOURNAL_HEADER_BYTES)
                assert_int_equal(verdict, JOURNAL_SHORT);
            else if (len == file.len)
                assert_int_equal(verdict, JOURNAL_COMPLETE);
            else if (kinds[k] == JOURNAL_KIND_SNAPSHOT)
                assert_int_equal(verdict, JOURNAL_DAMAGED);
            else if (len == (whole > 0 ? ends[whole - 1] : (size_t) JOURNAL_HEADER_BYTES))
                assert_int_equal(verdict, JOURNAL_COMPLETE);
            else
                assert_int_equal(verdict, JOURNAL_TORN);
        }
        buffer_fini(&file);
    }
}

static void test_every_bit_counts(void **state)
{
    static const enum journal_kind kinds[] = {JOURNAL_KIND_JOURNAL, JOURNAL_KIND_SNAPSHOT};

    (void) state;
    for (size_t k = 0; k < 2; k++) {
        size_t        ends[COUNT], count;
        struct buffer file = file_make(kinds[k], ends);

        for (size_t bit = 0; bit < 8 * file.len; bit++) {
            enum journal_verdict verdict;
            size_t               at = bit / 8;

            file.data[at] ^= (uint8_t) (1 << bit % 8);
            verdict = read_back(file.data, file.len, kinds[k], &count);
            file.data[at] ^= (uint8_t) (1 << bit % 8);
            assert_int_equal(count, at < JOURNAL_HEADER_BYTES ? 0 : whole_records(ends, at));
            if (kinds[k] == JOURNAL_KIND_JOURNAL && at >= ends[COUNT - 2]) /* looks like a crash */
                assert_int_equal(verdict, JOURNAL_TORN);
            else if (at >= JOURNAL_HEADER_BYTES)
                assert_int_equal(verdict, JOURNAL_DAMAGED);
            else
                assert_true(verdict == JOURNAL_DAMAGED || verdict == JOURNAL_FOREIGN || verdict == JOURNAL_NEWER);
        }
        buffer_fini(&file);
    }
}

/* What file systems leave of blocks that were never written. */
static void test_a_tail_of_zeros_is_torn(void **state)
{
    size_t        ends[COUNT], count;
    struct buffer file  = file_make(JOURNAL_KIND_JOURNAL, ends);
    uint8_t      *bytes = calloc(1, file.len + 5000);

    (void) state;
    memcpy(bytes, file.data, file.len);
    assert_int_equal(read_back(bytes, file.len + 5000, JOURNAL_KIND_JOURNAL, &count), JOURNAL_TORN);
    assert_int_equal(count, COUNT);
    free(bytes);
    buffer_fini(&file);
}

static void test_nothing_may_follow_the_end_of_a_snapshot(void **state)
{
    size_t        ends[COUNT], count;
    struct buffer file = file_make(JOURNAL_KIND_SNAPSHOT, ends);
    uint8_t       bytes[512];

    (void) state;
    memcpy(bytes, file.data, file.len);
    for (size_t more = 1; more < 2 * JOURNAL_FRAME_BYTES; more++) { /* zeros, or half of it again */
        memset(bytes + file.len, 0, more);
        assert_int_equal(read_back(bytes, file.len + more, JOURNAL_KIND_SNAPSHOT, &count), JOURNAL_DAMAGED);
        memcpy(bytes + file.len, file.data + file.len - JOURNAL_FRAME_BYTES, JOURNAL_FRAME_BYTES);
        assert_int_equal(read_back(bytes, file.len + more, JOURNAL_KIND_SNAPSHOT, &count), JOURNAL_DAMAGED);
        assert_int_equal(count, COUNT);
    }
    buffer_fini(&file);
}

static void test_the_longest_record(void **state)
{
    struct buffer file  = {0};
    uint8_t      *bytes = calloc(1, JOURNAL_RECORD_MAX);
    size_t        count;

    (void) state;
    bytes[JOURNAL_RECORD_MAX - 1] = 1;
    assert_true(journal_add_header(&file, JOURNAL_KIND_JOURNAL, GENERATION));
    assert_true(journal_add_record(&file, (struct view){bytes, JOURNAL_RECORD_MAX}));
    journal_seal(file.data + JOURNAL_HEADER_BYTES, file.len - JOURNAL_HEADER_BYTES, JOURNAL_KIND_JOURNAL, GENERATION);
    assert_int_equal(read_unknown(file.data, file.len, &count), JOURNAL_COMPLETE);
    assert_int_equal(count, 1);
    buffer_fini(&file);
    free(bytes);
}

static void test_records_of_another_generation_are_not_ours(void **state)
{
    size_t        ends[COUNT], count;
    struct buffer file = file_make(JOURNAL_KIND_JOURNAL, ends);

    (void) state;
    journal_seal(file.data + ends[1], file.len - ends[1], JOURNAL_KIND_JOURNAL, GENERATION - 1);
    assert_int_equal(read_back(file.data, file.len, JOURNAL_KIND_JOURNAL, &count), JOURNAL_TORN);
    assert_int_equal(count, 2);
    buffer_fini(&file);
}

/* A damaged length hides where the next record begins: it is looked for at each byte, and wherever it is, a crash did
 * not cut what lies before. */
static void test_a_record_behind_damage_is_found_at_any_byte(void **state)
{
    (void) state;
    for (size_t between = 1; between < 40; between++)
        for (size_t len = 1; len < 4; len++) {
            struct buffer file = {0};
            uint8_t       bytes[256];
            size_t        good, count;
            assert_true(journal_add_header(&file, JOURNAL_KIND_JOURNAL, GENERATION));
            assert_true(journal_add_record(&file, record_view(0)));
            good = file.len;
            assert_true(journal_add_record(&file, (struct view){(const uint8_t *) "end", len}));
            journal_seal(file.data + JOURNAL_HEADER_BYTES, file.len - JOURNAL_HEADER_BYTES, JOURNAL_KIND_JOURNAL,
                         GENERATION);
            memcpy(bytes, file.data, good);
            memset(bytes + good, 0xee, between);
            memcpy(bytes + good + between, file.data + good, file.len - good);
            assert_int_equal(read_back(bytes, file.len + between, JOURNAL_KIND_JOURNAL, &count), JOURNAL_DAMAGED);
            assert_int_equal(count, 1);
            /* and without its last byte it is none */
            assert_int_equal(read_back(bytes, file.len + between - 1, JOURNAL_KIND_JOURNAL, &count), JOURNAL_TORN);
            assert_int_equal(count, 1);
            buffer_fini(&file);
        }
}

/* What looks like a record, and begins in the last bytes of a good one, was never written. */
static void test_a_good_record_is_not_read_twice(void **state)
{
    (void) state;
    for (size_t overlap = 1; overlap <= 3; overlap++) {
        struct buffer inner = {0}, file = {0};
        uint8_t       last[8], bytes[256];
        size_t        good, count, begins;
        assert_true(journal_add_header(&inner, JOURNAL_KIND_JOURNAL, GENERATION));
        assert_true(journal_add_record(&inner, record_view(4)));
        journal_seal(inner.data + JOURNAL_HEADER_BYTES, inner.len - JOURNAL_HEADER_BYTES, JOURNAL_KIND_JOURNAL,
                     GENERATION);
        memcpy(last, "one\0\0\0", 6); /* it ends as the other's length begins */
        assert_true(journal_add_header(&file, JOURNAL_KIND_JOURNAL, GENERATION));
        assert_true(journal_add_record(&file, (struct view){last, 3 + overlap}));
        journal_seal(file.data + JOURNAL_HEADER_BYTES, file.len - JOURNAL_HEADER_BYTES, JOURNAL_KIND_JOURNAL,
                     GENERATION);
        good   = file.len;
        begins = JOURNAL_HEADER_BYTES + overlap;
        memcpy(bytes, file.data, good);
        memcpy(bytes + good, inner.data + begins, inner.len - begins);
        assert_int_equal(read_unknown(bytes, good + inner.len - begins, &count), JOURNAL_TORN);
        assert_int_equal(count, 1);
        buffer_fini(&inner);
        buffer_fini(&file);
    }
}

static void test_what_is_not_ours(void **state)
{
    static const struct {
        const char          *bytes;
        size_t               len;
        enum journal_verdict verdict;
    } rows[] = {
        {"", 0, JOURNAL_SHORT},
        {"byway", 5, JOURNAL_SHORT},
        {"bywayJ\0\1", 8, JOURNAL_SHORT},
        {"bywayJ\0\2", 8, JOURNAL_NEWER},
        {"bywayJ\xff\xff and anything else", 26, JOURNAL_NEWER},
        {"bywayJ\0\0________________", 24, JOURNAL_DAMAGED},
        {"bywayS\0\1________________", 24, JOURNAL_FOREIGN},
        {"{\"zones\": [\"example.\"]}\n", 24, JOURNAL_FOREIGN},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, JOURNAL_FOREIGN},
    };
    size_t count;

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(read_back((const uint8_t *) rows[i].bytes, rows[i].len, JOURNAL_KIND_JOURNAL, &count),
                         rows[i].verdict);
    for (int verdict = JOURNAL_COMPLETE; verdict <= JOURNAL_DAMAGED; verdict++)
        assert_true(strlen(journal_verdict_text((enum journal_verdict) verdict)) > 3);
}

static void test_no_memory_adds_nothing(void **state)
{
    struct buffer buffer      = {0};
    uint8_t       large[4096] = {0};
    size_t        len;

    (void) state;
    heap_fail_all();
    assert_false(journal_add_header(&buffer, JOURNAL_KIND_JOURNAL, 1));
    assert_false(journal_add_record(&buffer, record_view(0)));
    assert_int_equal(buffer.len, 0);
    heap_restore();
    assert_true(journal_add_header(&buffer, JOURNAL_KIND_JOURNAL, GENERATION));
    assert_true(journal_add_record(&buffer, record_view(0)));
    len = buffer.len;
    heap_fail_all();
    assert_false(journal_add_record(&buffer, (struct view){large, sizeof(large)}));
    heap_restore();
    assert_int_equal(buffer.len, len);
    buffer_fini(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_a_tail_of_zeros_is_torn),
        cmocka_unit_test(test_nothing_may_follow_the_end_of_a_snapshot),
        cmocka_unit_test(test_the_longest_record),
        cmocka_unit_test(test_records_of_another_generation_are_not_ours),
        cmocka_unit_test(test_a_record_behind_damage_is_found_at_any_byte),
        cmocka_unit_test(test_a_good_record_is_not_read_twice),
        cmocka_unit_test(test_what_is_not_ours),
        cmocka_unit_test(test_no_memory_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
