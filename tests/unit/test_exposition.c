/*
 * test_exposition.c: the text is what Prometheus' format says, whatever a label holds, and never more than its bound.
 */
#include "observe/exposition.h"

#include "lib/check.h"
#include "lib/heap.h"

#include <stdlib.h>
#include <string.h>

static void assert_text(struct sheet *page, const char *expected)
{
    assert_false(page->failed);
    assert_int_equal(page->len, strlen(expected));
    assert_memory_equal(page->text, expected, page->len);
    free(page->text);
    *page = (struct sheet){.most = page->most};
}

static void numbers_and_labels(void **state)
{
    (void) state;
    struct sheet page = {.most = 4096};
    exposition_metric(&page, "a_total", "counter", "What it is.");
    exposition_count(&page, "a_total", NULL, UINT64_MAX);
    exposition_count(&page, "a_total", LABELS({"x", "1"}, {"y", "2"}), 0);
    assert_text(&page, "# HELP a_total What it is.\n# TYPE a_total counter\na_total 18446744073709551615\n"
                       "a_total{x=\"1\",y=\"2\"} 0\n");
    exposition_number(&page, "b", NULL, 1795969260);
    exposition_number(&page, "b", NULL, 0.25);
    assert_text(&page, "b 1795969260\nb 0.25\n");
}

static void labels_are_escaped(void **state)
{
    (void) state;
    struct sheet page = {.most = 4096};
    exposition_count(&page, "a", LABELS({"x", "\"\\\n}\xc3\xbc"}), 1);
    assert_text(&page, "a{x=\"\\\"\\\\\\n}\xc3\xbc\"} 1\n");
}

static void a_histogram_adds_up(void **state)
{
    (void) state;
    struct sheet     page      = {.most = 4096};
    struct histogram histogram = {.buckets = {[HISTOGRAM_AT_ONCE] = 3}};
    histogram_add(&histogram, 4);
    histogram_add(&histogram, 10001);
    exposition_histogram(&page, "h", LABELS({"x", "y"}), &histogram);
    assert_text(&page, "h_bucket{x=\"y\",le=\"0.00025\"} 3\nh_bucket{x=\"y\",le=\"0.001\"} 3\n"
                       "h_bucket{x=\"y\",le=\"0.004\"} 4\nh_bucket{x=\"y\",le=\"0.016\"} 4\n"
                       "h_bucket{x=\"y\",le=\"0.05\"} 4\nh_bucket{x=\"y\",le=\"0.1\"} 4\n"
                       "h_bucket{x=\"y\",le=\"0.25\"} 4\nh_bucket{x=\"y\",le=\"0.4\"} 4\n"
                       "h_bucket{x=\"y\",le=\"0.6\"} 4\nh_bucket{x=\"y\",le=\"0.9\"} 4\n"
                       "h_bucket{x=\"y\",le=\"1\"} 4\nh_bucket{x=\"y\",le=\"1.5\"} 4\n"
                       "h_bucket{x=\"y\",le=\"2.5\"} 4\nh_bucket{x=\"y\",le=\"4.5\"} 4\n"
                       "h_bucket{x=\"y\",le=\"10\"} 4\nh_bucket{x=\"y\",le=\"+Inf\"} 5\n"
                       "h_sum{x=\"y\"} 10.005\nh_count{x=\"y\"} 5\n");
}

static void it_grows_to_its_bound(void **state)
{
    (void) state;
    for (size_t most = 100000; most < 100020; most++) {
        struct sheet page = {.most = most};
        unsigned     rows = 0;
        while (!page.failed && rows < 100000) {
            exposition_count(&page, "a", NULL, 1);
            rows++;
        }
        assert_true(page.failed && page.len <= most && rows > 100000 / 5);
        free(page.text);
    }
}

static void it_survives_a_lack_of_memory(void **state)
{
    (void) state;
    for (size_t nth = 0; nth < 4; nth++) {
        struct sheet page = {.most = 1 << 20};
        heap_fail_at(nth);
        for (unsigned i = 0; i < 20000; i++)
            exposition_count(&page, "a", NULL, i);
        assert_true(heap_restore());
        assert_true(page.failed);
        free(page.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_labels),           cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(a_histogram_adds_up),          cmocka_unit_test(it_grows_to_its_bound),
        cmocka_unit_test(it_survives_a_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
