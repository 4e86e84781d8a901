/*
 * test_forms.c: what an upstream is asked without: for one name that needed it, and for all when several did.
 */
#include "upstream/forms.h"

#include "lib/check.h"
#include "lib/names.h"

enum {
    NOW = 5000000
};

static enum form form_of(const struct forms *forms, const char *text, msec_t now)
{
    const struct name name = named(text);
    return forms_of(forms, name_view(&name), now);
}

static void need(struct forms *forms, enum form form, const char *text, msec_t now)
{
    const struct name name = named(text);
    forms_on_need(forms, form, name_view(&name), now);
}

static void open_forms(struct forms *ret)
{
    *ret = (struct forms){.any = 0};
    forms_init(ret, (struct hash_key){7, 8});
}

static void a_name_is_remembered_for_a_while(void **state)
{
    (void) state;
    for (enum form form = FORM_SMALL; form < FORM_COUNT; form++) {
        struct forms forms;
        open_forms(&forms);
        assert_int_equal(form_of(&forms, "odd.example", NOW), FORM_WHOLE);
        need(&forms, form, "odd.example", NOW);
        assert_int_equal(form_of(&forms, "odd.example", NOW), form);
        assert_int_equal(form_of(&forms, "even.example", NOW), FORM_WHOLE);
        assert_int_equal(form_of(&forms, "odd.example", NOW + FORMS_LIFE - 1000), form);
        assert_int_equal(form_of(&forms, "odd.example", NOW + FORMS_LIFE), FORM_WHOLE);
    }
}

/* The same name again and again is one odd zone. */
static void several_names_in_a_row_speak_for_the_upstream(void **state)
{
    (void) state;
    struct forms forms;
    open_forms(&forms);
    for (int i = 0; i < 10; i++)
        need(&forms, FORM_PLAIN, "odd.example", NOW);
    assert_int_equal(form_of(&forms, "even.example", NOW), FORM_WHOLE);
    need(&forms, FORM_PLAIN, "other.example", NOW);
    assert_int_equal(form_of(&forms, "even.example", NOW), FORM_WHOLE);
    need(&forms, FORM_PLAIN, "third.example", NOW);
    assert_int_equal(form_of(&forms, "even.example", NOW), FORM_PLAIN);
    assert_int_equal(form_of(&forms, "even.example", NOW + FORMS_LIFE), FORM_WHOLE);
}

static void one_that_did_without_begins_the_row_anew(void **state)
{
    (void) state;
    struct forms forms;
    open_forms(&forms);
    need(&forms, FORM_PLAIN, "one.example", NOW);
    need(&forms, FORM_PLAIN, "two.example", NOW);
    forms_on_whole(&forms, FORM_PLAIN);
    need(&forms, FORM_PLAIN, "three.example", NOW);
    need(&forms, FORM_PLAIN, "four.example", NOW);
    assert_int_equal(form_of(&forms, "five.example", NOW), FORM_WHOLE);
    assert_int_equal(form_of(&forms, "one.example", NOW), FORM_PLAIN); /* its own need stands */
    need(&forms, FORM_PLAIN, "five.example", NOW);
    assert_int_equal(form_of(&forms, "six.example", NOW), FORM_PLAIN);
    forms_on_whole(&forms, FORM_PLAIN);
    assert_int_equal(form_of(&forms, "six.example", NOW), FORM_WHOLE);
}

/* Who does without EDNS is not asked with a small one. */
static void the_lesser_form_serves_both(void **state)
{
    (void) state;
    struct forms forms;
    open_forms(&forms);
    forms_set(&forms, FORM_SMALL, NOW);
    assert_int_equal(form_of(&forms, "any.example", NOW), FORM_SMALL);
    need(&forms, FORM_PLAIN, "odd.example", NOW);
    assert_int_equal(form_of(&forms, "odd.example", NOW), FORM_PLAIN);
    forms_set(&forms, FORM_PLAIN, NOW);
    assert_int_equal(form_of(&forms, "any.example", NOW), FORM_PLAIN);
    forms_on_whole(&forms, FORM_PLAIN);
    assert_int_equal(form_of(&forms, "any.example", NOW), FORM_SMALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_remembered_for_a_while),
        cmocka_unit_test(several_names_in_a_row_speak_for_the_upstream),
        cmocka_unit_test(one_that_did_without_begins_the_row_anew),
        cmocka_unit_test(the_lesser_form_serves_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
