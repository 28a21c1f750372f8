/* What the steps from a file to its points, and from a point to its values, assume of one another
 * (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/cursor.c"
#include "sim/sweep/sweep_file.c"
#include "sim/sweep/worker.c"
#include "tests/support/trips.h"

static void test_draws(void **state) {
    (void)state;
    const sweep_axis range = {.from = 0.0, .to = 1.0};
    sweep_cursor c = {0};
    trips("x->count > 0", (void)value_index(&range, 0.5));
    trips("u >= 0.0 && u < 1.0", (void)drawn_value(&range, 1.0));
    trips("c->q != NULL", draw(&c, 0));
}

static void test_rates(void **state) {
    (void)state;
    const sweep_cursor c = {0};
    rc_sweep_row row = {.time = 0.0};
    trips("out->time > 0.0", put_rates(&c, &row));
}

static void test_counts(void **state) {
    (void)state;
    static rc_sweep s;
    rc_error err = {0};
    char text[SWEEP_AXES][SWEEP_CHANGE];
    const char *sets[SWEEP_AXES];
    s.axis_count = 1; /* without values */
    trips("s->sobol || x->count > 0", (void)count_points(&s, 0, &err));
    trips("c < s->combos", (void)changes_of(&s, 1, text, sets));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
