/* Statistics of timings: quantiles against values worked by hand, coverage of the median's
 * interval.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/stats.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void near(double got, double want) {
    assert_true(fabs(got - want) <= 1e-12 * (1 + fabs(want)));
}

static void test_quantile(void **state) {
    (void)state;
    double x[] = {5, 1, 4, 2, 3};
    rc_stats_sort(x, 5);
    near(rc_stats_quantile(x, 5, 0), 1);
    near(rc_stats_quantile(x, 5, 1), 5);
    near(rc_stats_quantile(x, 5, 0.5), 3);
    near(rc_stats_quantile(x, 5, 0.1), 1.4); /* numpy.quantile([1..5], 0.1) */
    near(rc_stats_quantile(x, 5, 0.9), 4.6);
    near(rc_stats_quantile(x, 4, 0.5), 2.5);
    near(rc_stats_quantile(x, 1, 0.9), 1);
    assert_true(isnan(rc_stats_quantile(x, 0, 0.5)));
}

/* Ranks from published tables of the sign test's interval (95 %, two-sided). */
static void test_ci_ranks(void **state) {
    (void)state;
    static const struct {
        size_t n, k;
    } known[] = {{5, 0},  {6, 1},  {7, 1},  {8, 1},   {9, 2},   {12, 3},
                 {17, 5}, {20, 6}, {25, 8}, {50, 18}, {100, 40}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(median_rank(known[i].n), known[i].k);
}

static void test_ci_large(void **state) {
    (void)state;
    assert_int_equal(median_rank(1000), 469);
    size_t k = median_rank(1001); /* where the approximation takes over, the rank must not jump */
    assert_true(k >= 469 && k <= 470);
}

static void test_ci_values(void **state) {
    (void)state;
    double x[20], lo, hi;
    for (int i = 0; i < 20; i++)
        x[i] = i + 1;
    assert_true(rc_stats_median_ci(x, 20, &lo, &hi));
    near(lo, 6);
    near(hi, 15);
    near(rc_stats_median_spread(x, 20), 9 / 10.5);
    assert_false(rc_stats_median_ci(x, 5, &lo, &hi));
    near(lo, 1);
    near(hi, 5);
    assert_true(isinf(rc_stats_median_spread(x, 5)));
    assert_false(rc_stats_median_ci(x, 0, &lo, &hi));
}

/* Drawn from a skewed distribution, the interval covers the true median at least 95 % of the time.
 */
static void test_ci_coverage(void **state) {
    (void)state;
    uint64_t s = 42;
    int covered = 0;
    const int trials = 4000;
    for (int t = 0; t < trials; t++) {
        double x[13], lo, hi;
        for (int i = 0; i < 13; i++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            double u = ((double)(s >> 11) + 0.5) / 9007199254740992.0;
            x[i] = 1 - log(u); /* an exponential tail over a floor: median 1 + ln 2 */
        }
        rc_stats_sort(x, 13);
        assert_true(rc_stats_median_ci(x, 13, &lo, &hi));
        covered += lo <= 1 + log(2.0) && 1 + log(2.0) <= hi;
    }
    assert_true(covered > 0.95 * trials); /* rank 3 of 13 covers 97.8 % */
    assert_true(covered < 0.99 * trials);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantile),    cmocka_unit_test(test_ci_ranks),
        cmocka_unit_test(test_ci_large),    cmocka_unit_test(test_ci_values),
        cmocka_unit_test(test_ci_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
