/* Which side a place of the map is on: by more or by less than 1.5 % of the faster variant's time, a tie on that of pass-KV. Of
 * tiles that reach a miss rate of 100 %.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/tune/tune_plots_map.c"

static int side(double kv, double q) {
    double time[2 * RC_TUNE_VARIANTS];
    for (int i = 0; i < 2 * RC_TUNE_VARIANTS; i++)
        time[i] = 7.0; /* of another number of ranks */
    time[RC_TUNE_VARIANTS + RC_TUNE_KV] = kv;
    time[RC_TUNE_VARIANTS + RC_TUNE_Q] = q;
    rc_tune_cell cell = {.t = 1};
    rc_tune t = {.cells = &cell, .count = 1, .time = time};
    t.s.degrees = 2;
    return side_of(&t, 0, 1);
}

static void test_sides(void **state) {
    (void)state;
    assert_int_equal(side(1.0, 2.0), 0);
    assert_int_equal(side(2.0, 1.0), 3);
    assert_int_equal(side(1.0, 1.0151), 0);
    assert_int_equal(side(1.0, 1.0149), 1);
    assert_int_equal(side(1.0, 1.0), 1);
    assert_int_equal(side(1.0149, 1.0), 2);
    assert_int_equal(side(1.0151, 1.0), 3);
    assert_int_equal(side(INFINITY, 1.0), -1);
    assert_int_equal(side(1.0, INFINITY), -1);
    assert_int_equal(side(NAN, NAN), -1);
}

static void test_tops(void **state) {
    (void)state;
    assert_true(top_of(50.0, 1.5, true) == 100.0); /* the next tile would begin above 100 % */
    assert_true(top_of(50.0, 1.25, true) == 62.5);
    assert_true(top_of(64.0, 1.25, true) == 100.0); /* or at it */
    assert_true(top_of(50.0, 1.5, false) == 75.0);  /* lengths have no end */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_tops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
