/* The regression that the empirical rule's coefficients start from: derivatives against differences, the ridge alone by hand, and
 * a minimum at its end, even where all samples are on one side.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gsl/gsl_errno.h>

#include "sim/tune/refit.c"

enum { SAMPLES = 40 };
static rc_tune_comparison d[SAMPLES];
static double weight[SAMPLES];
static const task of = {.comparisons = d, .weight = weight, .count = SAMPLES};

/* Prompts and caches of many sizes; pass-Q is faster where few tokens are new, more or less. */
static void samples(bool one_side) {
    for (int i = 0; i < SAMPLES; i++) {
        const double t = 100.0 * pow(1.3, i % 20), p = 1000.0 * pow(1.9, i % 11);
        const double gain =
            0.02 * (i % 7 + 1) * (!one_side && (t / p > 0.1) == (i % 5 > 0) ? 1 : -1);
        d[i] = (rc_tune_comparison){.t = t, .p = p, .kv = 1.0, .q = 1.0 + gain, .n = 4, .batch = 1};
        weight[i] = i % 9 ? 1.0 + i % 3 : 0.0; /* some are of the other half */
    }
}

static void check_derivatives(const double *c) {
    const double h = 1e-5;
    double a[9] = {0}, g[3] = {0};
    const double here = likelihood(&of, c, a, g);
    assert_true(likelihood(&of, c, NULL, NULL) == here);
    for (int r = 0; r < 3; r++) {
        double up[3] = {c[0], c[1], c[2]}, down[3] = {c[0], c[1], c[2]};
        double g_up[3] = {0}, g_down[3] = {0}, ignored[9] = {0};
        up[r] += h;
        down[r] -= h;
        const double slope =
            (likelihood(&of, up, ignored, g_up) - likelihood(&of, down, ignored, g_down)) /
            (2.0 * h);
        if (fabs(slope - g[r]) > 1e-6 * (1.0 + fabs(g[r])))
            fail_msg("derivative %d: %.9g, by differences %.9g", r, g[r], slope);
        for (int s = 0; s < 3; s++) {
            const double bend = (g_up[s] - g_down[s]) / (2.0 * h);
            if (fabs(bend - a[3 * r + s]) > 1e-6 * (1.0 + fabs(bend)))
                fail_msg("%d, %d: %.9g, by differences %.9g", r, s, a[3 * r + s], bend);
        }
    }
}

static void test_derivatives(void **state) {
    static const double at[][3] = {
        {0, 0, 0}, {0.3, -0.2, 0.1}, {-1.0, 0.7, 2.0}, {0.05, 0.9, -3.0}};
    (void)state;
    samples(false);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        check_derivatives(at[i]);
    samples(true);
    check_derivatives(at[1]);
}

/* Far on the right side of all samples nothing is left but the ridge, a share of the weights and costs. */
static void test_ridge(void **state) {
    const double c[3] = {0.0, 0.0, -1e4};
    double a[9] = {0}, g[3] = {0}, total = 0.0;
    (void)state;
    samples(true); /* pass-Q everywhere */
    for (int i = 0; i < SAMPLES; i++)
        total += weight[i] * (d[i].kv / d[i].q - 1.0);
    const double sum = likelihood(&of, c, a, g);
    assert_true(fabs(sum / (total * 1e-8 * 1e8) - 1.0) < 1e-9);
    assert_true(g[0] == 0.0 && g[1] == 0.0);
    assert_true(fabs(g[2] / (2.0 * total * 1e-8 * -1e4) - 1.0) < 1e-9);
    for (int i = 0; i < 9; i++)
        assert_true(i % 4 ? a[i] == 0.0 : fabs(a[i] / (2.0 * total * 1e-8) - 1.0) < 1e-9);
}

/* At the end no step to any side is better than by what ends the search. */
static void check_end(void) {
    double c[3];
    logistic(&of, c);
    c[2] += c[0] * CENTRE_T + c[1] * CENTRE_MISS; /* about the centres again */
    const double here = likelihood(&of, c, NULL, NULL);
    for (int r = 0; r < 3; r++)
        for (int side = -1; side <= 1; side += 2) {
            double next[3] = {c[0], c[1], c[2]};
            next[r] += side * 0.01 * (1.0 + fabs(c[r]));
            assert_true(likelihood(&of, next, NULL, NULL) >= here * (1.0 - 1e-3));
        }
}

static void test_end(void **state) {
    (void)state;
    samples(false);
    check_end();
    samples(true);
    check_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_ridge),
        cmocka_unit_test(test_end),
    };
    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
