/* Which cells of a fine grid are drawn: at most forty along an axis, each as wide as the way to the next one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/tune/tune_internal.h"
#include "sim/tune/tune_plots.h"

static int64_t place(const rc_tune_axis *a, int i) {
    return llround((double)a->from *
                   pow((double)a->to / (double)a->from, (double)i / (a->points - 1)));
}

/* Every `step`-th point is drawn, the first among them, and a tile reaches half of the way to the next. */
static void steps(int points, int step, int drawn) {
    rc_tune_cell cell = {.p = 0};
    rc_tune t = {.cells = &cell, .count = 1};
    const rc_tune_axis fine = {64, 1 << 26, points};
    int seen[2] = {0, 0};
    for (int i = 0; i < points; i++) {
        t.s.fresh = fine; /* along new tokens; the whole length lies on a point that is drawn */
        t.s.total = (rc_tune_axis){place(&fine, i), (int64_t)1 << 40, 2};
        cell.t = place(&fine, i);
        cell.p = 0;
        assert_true(rc_tune_plot_shown(&t, 0) == (i % step == 0));
        seen[0] += rc_tune_plot_shown(&t, 0);
        t.s.fresh = (rc_tune_axis){1, (int64_t)1 << 40, 2};
        t.s.total = fine; /* along the length */
        cell.t = 1;
        cell.p = place(&fine, i) - 1;
        assert_true(rc_tune_plot_shown(&t, 0) == (i % step == 0));
        seen[1] += rc_tune_plot_shown(&t, 0);
        cell.batch = 1; /* batches of more are not drawn */
        assert_false(rc_tune_plot_shown(&t, 0));
        cell.batch = 0;
    }
    assert_true(seen[0] == drawn && seen[1] == drawn);
    double whole = pow(rc_tune_plot_tile(&fine), 2.0 * (points - 1) / step);
    assert_true(fabs(whole / (double)((1 << 26) / 64) - 1.0) < 1e-9);
}

static void test_shown(void **state) {
    (void)state;
    steps(2, 1, 2);
    steps(40, 1, 40);
    steps(41, 2, 21);
    steps(80, 2, 40);
    steps(81, 3, 27);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
