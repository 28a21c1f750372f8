/* The ends of the histogram and of the series.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include "sim/stat/stat.h"

static rc_hist h;
static rc_timeline s;

/* Time-weighted, over all time so far. */
static double mean_of(const rc_timeline *t) {
    double sum = 0.0;
    for (int i = 0; i < RC_TIMELINE_MAX; i++)
        sum += t->area[i];
    return sum / (double)t->now;
}

static void nothing_in_it(void **state) {
    (void)state;
    rc_hist_init(&h);
    rc_hist_add_many(&h, 7, 0);
    assert_true(isnan(rc_hist_mean(&h)) && isnan(rc_hist_quantile(&h, 0.5)) &&
                isnan(rc_hist_share(&h, 7)));
    rc_timeline_init(&s, 10);
    assert_int_equal(rc_timeline_count(&s), 0);
    assert_true(isnan(rc_timeline_at(&s, 0)));
}

static void small_values_are_exact(void **state) {
    (void)state;
    for (uint64_t v = 0; v < 256; v++) {
        uint64_t low, high;
        rc_hist_bounds(rc_hist_part(v), &low, &high);
        assert_true(low == v && high == v);
    }
}

static void ends_of_the_range(void **state) {
    (void)state;
    rc_hist_init(&h);
    rc_hist_add(&h, -5); /* counts as zero */
    rc_hist_add(&h, INT64_MAX);
    assert_int_equal(rc_hist_part(INT64_MAX), RC_HIST_BUCKETS - 1);
    assert_int_equal(rc_hist_part(UINT64_MAX), RC_HIST_BUCKETS - 1);
    assert_true(h.min == 0 && h.max == INT64_MAX);
    assert_true(rc_hist_quantile(&h, 1.0) == (double)INT64_MAX);
    assert_true(rc_hist_mean(&h) == 0x1p62);            /* to the rounding of a double */
    rc_hist_add_many(&h, INT64_MAX, UINT64_C(1) << 62); /* the sum is over 2^124 */
    assert_true(fabs(rc_hist_mean(&h) / 0x1p63 - 1.0) < 1e-15);
    assert_true(rc_hist_share(&h, 0) < 1e-18 && rc_hist_share(&h, INT64_MAX) == 1.0);
    assert_true(rc_hist_share(&h, -1) == 0.0);
}

/* 1 for 5 ps, 3 for 10, then nothing: intervals of 10. */
static void series(void **state) {
    (void)state;
    rc_timeline_init(&s, 10);
    rc_timeline_set(&s, 0, 1.0);
    rc_timeline_set(&s, 5, 3.0);
    rc_timeline_set(&s, 15, 0.0);
    rc_timeline_end(&s, 40);
    assert_int_equal(rc_timeline_count(&s), 4);
    assert_true(rc_timeline_at(&s, 0) == 2.0 && rc_timeline_at(&s, 1) == 1.5 &&
                rc_timeline_at(&s, 3) == 0.0);
    assert_true(mean_of(&s) == 35.0 / 40.0);
    rc_timeline_end(&s, (int64_t)1 << 60); /* intervals double, the area stays */
    assert_true(rc_timeline_count(&s) <= RC_TIMELINE_MAX);
    assert_true(fabs(mean_of(&s) * 0x1p60 - 35.0) < 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_it), cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(ends_of_the_range), cmocka_unit_test(series)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
