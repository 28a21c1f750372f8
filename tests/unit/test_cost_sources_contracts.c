/* What rows of several sources assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cost/sources.h"
#include "tests/support/cost_store.h"

static const rc_rows *volatile no_rows = NULL;

static void test_sources(void **state) {
    (void)state;
    rc_error err = {0};
    rc_machine m = syn_machine();
    rc_rows *out;
    trips("rows != NULL && m != NULL && out != NULL",
          (void)rc_rows_by_source(no_rows, &m, &out, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
