/* What the steps of a sweep's picture assume of one another (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/sweep_plot.c"
#include "tests/support/trips.h"

static void test_picture(void **state) {
    (void)state;
    static picture p;
    rc_error err = {0};
    trips("p->line_count > 0", (void)add_point(&p, 1.0, 2.0, &err));
    trips("i >= 0 && i < p->line_count", (void)line_type(&p, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
