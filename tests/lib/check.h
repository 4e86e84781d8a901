/*
 * check.h: cmocka, and the four headers that it wants before it; what every test of C begins with. It knows nothing of
 * byway, so that a test of any library may include it: names are in lib/names.h, the logic as a whole in lib/world.h.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H

/* cmocka 1.1 declares with their types and does not include them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A row for main(): the test gets what the file's open_fixture() has put into *state, and close_fixture() ends it. */
#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

#endif
