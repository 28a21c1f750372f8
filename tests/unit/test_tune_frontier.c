/* Fitting thresholds: a known frontier is found again, from noise-free and from contradictory
 * points; without points the upper side; the result rises when asked to.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <string.h>
#include "sim/tune/tune_internal.h"

enum { KNOTS = 5, SIDE = 60 };
static const double length[KNOTS] = {1e3, 1e4, 5e4, 2e5, 1e6};

/* T* = 3 sqrt(L), mistakes cost |ln(T/T*)| / 5. */
static size_t points(rc_fit_point *out, double flip) {
    size_t n = 0;
    for (int i = 0; i < SIDE; i++) {
        for (int k = 0; k < SIDE; k++) {
            double l = 1e3 * pow(1e3, (i + 0.5) / SIDE), t = 10.0 * pow(1e4, (k + 0.5) / SIDE);
            double gain = log(t / (3.0 * sqrt(l))) / 5.0;
            bool wrong = flip > 0.0 && (n * 2654435761u) % 1000 < (size_t)(1000.0 * flip);
            out[n++] = (rc_fit_point){t, l, wrong ? -gain : gain, 1.0};
        }
    }
    return n;
}

static rc_frontier frontier(double *t, bool monotone) {
    return (rc_frontier){
        .length = length, .knots = KNOTS, .lo = 1.0, .hi = 1e6, .monotone = monotone, .t = t};
}

static double at(const double *t, double l) {
    int k = 0;
    while (k < KNOTS - 2 && l >= length[k + 1])
        k++;
    return t[k] + (l - length[k]) / (length[k + 1] - length[k]) * (t[k + 1] - t[k]);
}

static double worst_cost(const double *t, const rc_fit_point *p, size_t n) {
    double worst = 0.0;
    for (size_t i = 0; i < n; i++)
        if ((p[i].t >= at(t, p[i].length)) != (p[i].gain > 0.0))
            worst = fmax(worst, fabs(p[i].gain));
    return worst;
}

static void finds_it_again(void **state) {
    (void)state;
    rc_fit_point p[SIDE * SIDE];
    double t[KNOTS];
    size_t n = points(p, 0.0);
    rc_frontier f = frontier(t, true);
    assert_int_equal(rc_frontier_fit(p, n, &f, NULL), RC_OK);
    assert_true(worst_cost(t, p, n) < 0.03); /* sqrt(L) is no broken line: some cost is left */
    for (int k = 1; k < KNOTS; k++)
        assert_true(t[k] >= t[k - 1]);
}

static void through_contradictions(void **state) {
    (void)state;
    rc_fit_point noisy[SIDE * SIDE], clean[SIDE * SIDE];
    double t[KNOTS];
    size_t n = points(noisy, 0.1);
    (void)points(clean, 0.0);
    rc_frontier f = frontier(t, true);
    assert_int_equal(rc_frontier_fit(noisy, n, &f, NULL), RC_OK);
    assert_true(worst_cost(t, clean, n) < 0.08);
}

static void without_points(void **state) {
    (void)state;
    double t[KNOTS];
    rc_frontier f = frontier(t, true);
    assert_int_equal(rc_frontier_fit(NULL, 0, &f, NULL), RC_OK);
    for (int k = 0; k < KNOTS; k++)
        assert_true(t[k] == 1.0);
}

/* The upper side is right at short lengths only: the free fit falls, the rising one may not. */
static void rises_when_asked(void **state) {
    (void)state;
    rc_fit_point p[SIDE * SIDE];
    double t[KNOTS];
    size_t n = points(p, 0.0);
    for (size_t i = 0; i < n; i++)
        p[i].gain = log(p[i].t * sqrt(p[i].length) / 1e5) / 5.0; /* T* = 1e5 / sqrt(L) */
    rc_frontier f = frontier(t, false);
    assert_int_equal(rc_frontier_fit(p, n, &f, NULL), RC_OK);
    assert_true(t[0] > 2.0 * t[KNOTS - 1]);
    f = frontier(t, true);
    assert_int_equal(rc_frontier_fit(p, n, &f, NULL), RC_OK);
    for (int k = 1; k < KNOTS; k++)
        assert_true(t[k] >= t[k - 1]);
}

static void one_side_alone(void **state) {
    (void)state;
    rc_fit_point p[SIDE * SIDE];
    double t[KNOTS];
    size_t n = points(p, 0.0);
    for (size_t i = 0; i < n; i++)
        p[i].gain = -0.1; /* the lower side always */
    rc_frontier f = frontier(t, true);
    assert_int_equal(rc_frontier_fit(p, n, &f, NULL), RC_OK);
    assert_true(worst_cost(t, p, n) == 0.0);
}

/* As many knots as there may be, and one alone: T* = 3 sqrt(L) is found at each of the many, and the one is a mean of it, where the
 * costs on both sides are alike. */
static void all_knots_and_one(void **state) {
    (void)state;
    rc_fit_point p[SIDE * SIDE];
    double many[RC_SELECT_KNOTS], t[RC_SELECT_KNOTS];
    size_t n = points(p, 0.0);
    for (int k = 0; k < RC_SELECT_KNOTS; k++)
        many[k] = 1e3 * pow(1e3, (double)k / (RC_SELECT_KNOTS - 1));
    rc_frontier f = {
        .length = many, .knots = RC_SELECT_KNOTS, .lo = 1.0, .hi = 1e6, .monotone = true, .t = t};
    assert_int_equal(rc_frontier_fit(p, n, &f, NULL), RC_OK);
    for (int k = 0; k < RC_SELECT_KNOTS; k++)
        if (fabs(log(t[k] / (3.0 * sqrt(many[k])))) > 0.25)
            fail_msg("knot %d: %g, not %g", k, t[k], 3.0 * sqrt(many[k]));
    f.knots = 1;
    assert_int_equal(rc_frontier_fit(p, n, &f, NULL), RC_OK);
    if (fabs(log(t[0] / (3.0 * sqrt(sqrt(1e3 * 1e6))))) > 0.25)
        fail_msg("one knot: %g", t[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_it_again), cmocka_unit_test(through_contradictions),
        cmocka_unit_test(without_points), cmocka_unit_test(rises_when_asked),
        cmocka_unit_test(one_side_alone), cmocka_unit_test(all_knots_and_one),
    };
    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
