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

/* An interval counts from its first tick on. */
static void intervals_begun(void **state) {
    static const struct {
        int64_t end;
        int count;
    } t[] = {{1, 1}, {9, 1}, {10, 1}, {11, 2}, {20, 2}, {21, 3}};
    (void)state;
    rc_timeline_init(&s, 10);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_timeline_end(&s, t[i].end);
        assert_int_equal(rc_timeline_count(&s), t[i].count);
    }
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

/* Zeros are samples as others are: of 0, 0, 5 and 9, two are at most 0. */
static void shares_by_hand(void **state) {
    (void)state;
    static const struct {
        int64_t at;
        double share;
    } want[] = {{INT64_MIN, 0.0}, {-1, 0.0}, {0, 0.5}, {1, 0.5},  {4, 0.5},
                {5, 0.75},        {8, 0.75}, {9, 1.0}, {10, 1.0}, {INT64_MAX, 1.0}};
    rc_hist_init(&h);
    rc_hist_add_many(&h, 0, 2);
    rc_hist_add(&h, 5);
    rc_hist_add(&h, 9);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_true(rc_hist_share(&h, want[i].at) == want[i].share);
}

/* The kth smallest of four: its ranks are 0 to 1/4, to 2/4, to 3/4 and to 1. */
static void quantiles_by_hand(void **state) {
    (void)state;
    static const struct {
        double q, value;
    } want[] = {{0.0, 3.0},   {0.25, 3.0}, {0.251, 4.0},  {0.5, 4.0},
                {0.501, 7.0}, {0.75, 7.0}, {0.751, 90.0}, {1.0, 90.0}};
    rc_hist_init(&h);
    for (int i = 0; i < 4; i++)
        rc_hist_add(&h, (const int64_t[]){7, 90, 3, 4}[i]);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_true(rc_hist_quantile(&h, want[i].q) == want[i].value);
    assert_true(rc_hist_mean(&h) == 26.0);
    rc_hist other; /* both ends of the other are further out */
    rc_hist_init(&other);
    rc_hist_add_many(&other, 2, 3);
    rc_hist_add(&other, 100);
    rc_hist_merge(&h, &other);
    assert_true(h.count == 8 && h.min == 2 && h.max == 100 && rc_hist_mean(&h) == 26.25);
    assert_true(rc_hist_quantile(&h, 0.375) == 2.0 && rc_hist_quantile(&h, 0.376) == 3.0);
}

/* Parts from 256 on are 1/128 wide of their first value; a quantile is the middle of its part, as far as there are samples. */
static void wide_parts(void **state) {
    (void)state;
    uint64_t low, high;
    rc_hist_bounds(rc_hist_part(1003), &low, &high);
    assert_true(low == 1000 && high == 1003);
    rc_hist_bounds(rc_hist_part(1004), &low, &high);
    assert_true(low == 1004 && high == 1007);
    rc_hist_init(&h);
    rc_hist_add(&h, 10);
    rc_hist_add(&h, 1001);
    rc_hist_add(&h, 5000);
    assert_true(rc_hist_quantile(&h, 0.5) == 1001.5);
    rc_hist_init(&h); /* cut to what was seen: 1001 and 1002 */
    for (int64_t v = 1001; v <= 1002; v++)
        rc_hist_add_many(&h, v, 2);
    assert_true(rc_hist_quantile(&h, 0.5) == 1001.5);
    rc_hist_init(&h);
    rc_hist_add_many(&h, 1001, 3);
    assert_true(rc_hist_quantile(&h, 0.5) == 1001.0);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_in_it),
                                       cmocka_unit_test(intervals_begun),
                                       cmocka_unit_test(small_values_are_exact),
                                       cmocka_unit_test(ends_of_the_range),
                                       cmocka_unit_test(shares_by_hand),
                                       cmocka_unit_test(quantiles_by_hand),
                                       cmocka_unit_test(wide_parts),
                                       cmocka_unit_test(series)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
