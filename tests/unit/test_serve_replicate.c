/* What replications say together: means by the length of each run, and intervals by Student's t, by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include "sim/serve/replicate.c"

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* Runs of one, three and four seconds, of which the means are the sums over eight. */
static void test_rates(void **state) {
    (void)state;
    rc_serve_result *runs = calloc(3, sizeof *runs), *all = calloc(1, sizeof *all);
    assert_true(runs && all);
    rc_replications r = {.count = 3, .runs = runs, .all = all};
    static const int s[] = {1, 3, 4};
    for (int i = 0; i < 3; i++) {
        runs[i].makespan = s[i] * (rc_time)RC_PS_PER_S;
        runs[i].mfu = 0.1 + 0.2 * i;
        runs[i].tokens_per_gpu_s = 100.0 * (i + 1);
        runs[i].little_l = 2.0 + i;
        runs[i].little_lw = 7.0 - i;
    }
    all->makespan = 8 * (rc_time)RC_PS_PER_S;
    all->within_slo = 24;
    all->cost = 3.0;
    all->tokens_in = 1500000, all->tokens_out = 500000;
    merge_rates(&r);
    near(all->mfu, (0.1 + 3 * 0.3 + 4 * 0.5) / 8.0);
    near(all->tokens_per_gpu_s, (100.0 + 3 * 200.0 + 4 * 300.0) / 8.0);
    near(all->little_l, (2.0 + 3 * 3.0 + 4 * 4.0) / 8.0);
    near(all->little_lw, (7.0 + 3 * 6.0 + 4 * 5.0) / 8.0);
    near(all->goodput, 3.0);
    near(all->cost_per_mtoken, 1.5);
    all->tokens_in = 1, all->tokens_out = 0; /* a millionth of a million */
    merge_rates(&r);
    near(all->cost_per_mtoken, 3e6);
    all->tokens_in = 0;
    merge_rates(&r);
    assert_true(all->cost_per_mtoken == 0.0);
    free(runs);
    free(all);
}

static double mfu(const rc_serve_result *r) {
    return r->mfu;
}

/* Of 1, 2 and 6: the mean 3, the sum of squares 4 + 1 + 9, and 4.303 standard errors of sqrt(14 / 2 / 3). */
static void test_spread(void **state) {
    (void)state;
    rc_serve_result *runs = calloc(3, sizeof *runs);
    assert_non_null(runs);
    const rc_replications r = {.count = 3, .runs = runs};
    double mean, half;
    runs[0].mfu = 1.0, runs[1].mfu = 2.0, runs[2].mfu = 6.0;
    rc_replications_spread(&r, mfu, &mean, &half);
    near(mean, 3.0);
    near(half, 4.303 * sqrt(14.0 / 2.0 / 3.0));
    const rc_replications two = {.count = 2, .runs = runs};
    rc_replications_spread(&two, mfu, &mean, &half);
    near(mean, 1.5);
    near(half, 12.706 * sqrt(0.5 / 1.0 / 2.0));
    const rc_replications one = {.count = 1, .runs = runs};
    rc_replications_spread(&one, mfu, &mean, &half);
    near(mean, 1.0);
    assert_true(isnan(half)); /* of one run nobody knows */
    free(runs);
}

/* The table against the distribution's own inverse, to its digits. */
static void test_student(void **state) {
    (void)state;
    assert_true(isnan(student(0)));
    for (int n = 1; n <= 30; n++)
        if (!(fabs(student(n) - gsl_cdf_tdist_Pinv(0.975, n)) < 0.0006))
            fail_msg("%d degrees of freedom: %g", n, student(n));
    assert_true(fabs(student(31) - 1.96) < 1e-12 && fabs(student(1000) - 1.96) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates), cmocka_unit_test(test_spread),
                                       cmocka_unit_test(test_student)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
