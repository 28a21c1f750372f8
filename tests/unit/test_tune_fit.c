/* The losses of a fitted frontier and their slopes: what Newton and BFGS are given is what small steps of the loss say, and
 * what a scan of one knot sees is how the whole loss changes with that knot. Values of one sample are worked out by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/tune/frontier.c"
#include "tests/support/prop.h"

enum { KNOTS = 6, POINTS = 40 };
static const double length[KNOTS] = {1e3, 4e3, 1e4, 5e4, 2e5, 1e6};

typedef struct drawn {
    task t;
    sample s[POINTS];
    rc_frontier f;
    double times[KNOTS], y[KNOTS], c[SIZE];
} drawn;

static double within(prop_case *c, double lo, double hi) {
    return lo + (hi - lo) * prop_unit(c);
}

static void draw(prop_case *x, drawn *d) {
    rc_fit_point p[POINTS];
    size_t n = 1 + (size_t)prop_range(x, 0, (int64_t)x->size - 1);
    for (size_t i = 0; i < n; i++) {
        p[i] = (rc_fit_point){.t = exp(within(x, 3.0, 9.0)),
                              .length = exp(within(x, 6.0, 15.0)),
                              .gain = within(x, -0.4, 0.4) + 0.001,
                              .weight = within(x, 0.5, 2.0)};
    }
    *d = (drawn){.f = {.length = length, .knots = KNOTS, .lo = 10.0, .hi = 1e5, .t = NULL}};
    d->f.t = d->times;
    d->t = (task){.s = d->s, .f = &d->f, .kappa = within(x, 1.0, 8.0)};
    take_samples(&d->t, p, n);
    d->c[0] = within(x, 0.5, 2.0);
    for (int k = 0; k < KNOTS; k++) {
        d->y[k] = within(x, 4.0, 8.0);
        d->c[1 + k] = d->c[0] * d->y[k];
    }
}

/* A slope by steps to both sides; what it cannot know is of the third order. */
#define STEP 1e-4
static bool near(double slope, double up, double down) {
    double by_steps = (up - down) / (2.0 * STEP);
    return fabs(slope - by_steps) <= 1e-5 * fabs(by_steps) + 1e-9;
}

static bool slopes_of_the_regression(prop_case *x) {
    drawn d;
    draw(x, &d);
    gsl_matrix *h = gsl_matrix_alloc(KNOTS + 1, KNOTS + 1),
               *beside = gsl_matrix_alloc(KNOTS + 1, KNOTS + 1);
    gsl_vector *g = gsl_vector_alloc(KNOTS + 1), *up = gsl_vector_alloc(KNOTS + 1),
               *down = gsl_vector_alloc(KNOTS + 1);
    derivatives(&d.t, d.c, h, g);
    bool ok = true;
    for (size_t k = 0; k <= KNOTS; k++) {
        const double kept = d.c[k];
        d.c[k] = kept + STEP;
        double above = logistic_loss(&d.t, d.c);
        derivatives(&d.t, d.c, beside, up);
        d.c[k] = kept - STEP;
        double below = logistic_loss(&d.t, d.c);
        derivatives(&d.t, d.c, beside, down);
        d.c[k] = kept;
        ok = ok && near(gsl_vector_get(g, k), above, below);
        for (size_t m = 0; m <= KNOTS; m++)
            ok =
                ok && near(gsl_matrix_get(h, m, k), gsl_vector_get(up, m), gsl_vector_get(down, m));
    }
    gsl_matrix_free(h);
    gsl_matrix_free(beside);
    gsl_vector_free(g);
    gsl_vector_free(up);
    gsl_vector_free(down);
    PROP_CHECK(x, ok, "of %zu samples", d.t.count);
    return true;
}

static bool slopes_of_the_regret(prop_case *x) {
    drawn d;
    draw(x, &d);
    gsl_vector *y = gsl_vector_alloc(KNOTS), *g = gsl_vector_alloc(KNOTS);
    for (size_t k = 0; k < KNOTS; k++)
        gsl_vector_set(y, k, d.y[k]);
    bool ok = regret(y, &d.t, g) == regret_f(y, &d.t);
    for (size_t k = 0; k < KNOTS; k++) {
        gsl_vector_set(y, k, d.y[k] + STEP);
        double above = regret_f(y, &d.t);
        gsl_vector_set(y, k, d.y[k] - STEP);
        double below = regret_f(y, &d.t);
        gsl_vector_set(y, k, d.y[k]);
        ok = ok && near(gsl_vector_get(g, k), above, below);
    }
    gsl_vector_free(y);
    gsl_vector_free(g);
    PROP_CHECK(x, ok, "of %zu samples", d.t.count);
    return true;
}

/* One knot moves: the whole loss changes by what is seen of it there. */
static bool a_knot_sees_its_part(prop_case *x) {
    drawn d;
    draw(x, &d);
    gsl_vector *y = gsl_vector_alloc(KNOTS);
    bool ok = true;
    for (int k = 0; k < KNOTS; k++) {
        double moved = within(x, -0.5, 0.5), whole, part;
        for (size_t m = 0; m < KNOTS; m++)
            gsl_vector_set(y, m, d.y[m]);
        whole = regret_f(y, &d.t);
        part = local_loss(&d.t, d.y, k);
        d.y[k] += moved;
        gsl_vector_set(y, (size_t)k, d.y[k]);
        whole -= regret_f(y, &d.t);
        part -= local_loss(&d.t, d.y, k);
        ok = ok && fabs(whole - part) <= 1e-9;
    }
    gsl_vector_free(y);
    PROP_CHECK(x, ok, "of %zu samples", d.t.count);
    return true;
}

/* A scan ends no worse than it began, and no place that it tried is better. */
static bool a_scan_takes_the_best(prop_case *x) {
    drawn d;
    draw(x, &d);
    int k = (int)prop_range(x, 0, KNOTS - 1);
    double reach = within(x, 0.1, 3.0), was = d.y[k], before = local_loss(&d.t, d.y, k);
    scan_knot(&d.t, d.y, k, reach);
    double found = d.y[k], least = local_loss(&d.t, d.y, k);
    bool ok = least <= before && found >= log(d.f.lo) && found <= log(d.f.hi) &&
              fabs(found - was) <= reach + 1e-12;
    double from = fmax(log(d.f.lo), was - reach), to = fmin(log(d.f.hi), was + reach);
    for (int i = 0; i < SCAN; i++) {
        d.y[k] = from + (to - from) * i / (SCAN - 1);
        ok = ok && local_loss(&d.t, d.y, k) >= least;
    }
    PROP_CHECK(x, ok, "of %zu samples", d.t.count);
    return true;
}

static void test_slopes(void **state) {
    (void)state;
    assert_true(prop_run("slopes of the regression", slopes_of_the_regression, POINTS));
    assert_true(prop_run("slopes of the regret", slopes_of_the_regret, POINTS));
    assert_true(prop_run("a knot sees its part", a_knot_sees_its_part, POINTS));
    assert_true(prop_run("a scan takes the best", a_scan_takes_the_best, POINTS));
}

/* Half way between the first two knots, at T = e^5; both knots at e^5 too: right at the frontier, so half of the cost. */
static void test_by_hand(void **state) {
    (void)state;
    const rc_fit_point p[] = {
        {exp(5.0), 2500.0, 0.06, 2.0}, {exp(5.0), 2500.0, 0.0, 1.0}, {1.0, 1e3, 0.5, 0.0}};
    sample s[3];
    rc_frontier f = {.length = length, .knots = KNOTS, .lo = 1.0, .hi = 1e6};
    task t = {.s = s, .f = &f, .kappa = 4.0};
    take_samples(&t, p, 3);
    assert_int_equal(t.count, 1); /* no gain and no weight say nothing */
    assert_true(s[0].i == 0 && s[0].j == 1 && fabs(s[0].f - 0.5) < 1e-12 && s[0].side == 1.0);
    assert_true(fabs(s[0].cost - 0.12) < 1e-12 && t.total == 2.0);
    const double c[SIZE] = {1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0};
    assert_true(fabs(logistic_margin(&s[0], c)) < 1e-12);
    /* 0.06 ln 2, and the ridge of 1 + 6 x 25 */
    assert_true(fabs(logistic_loss(&t, c) - (0.06 * log(2.0) + RIDGE * 151.0)) < 1e-12);
    double y[KNOTS] = {5.0, 5.0, 5.0, 5.0, 5.0, 5.0};
    /* cost 0.12 counts 1 + 0.12/0.03 = 5 times; half of it is lost; a weight of 2 in all */
    assert_true(fabs(local_loss(&t, y, 0) - 0.5 * 0.12 * 5.0 / 2.0) < 1e-12);
    assert_true(fabs(local_loss(&t, y, 1) - 0.15) < 1e-12);
    assert_true(local_loss(&t, y, 2) == 0.0);
    y[2] = 6.0; /* bends of 1, -2 and 1: 1 + 4 + 1 */
    assert_true(fabs(local_loss(&t, y, 2) - 6.0 * SMOOTH_REGRET) < 1e-15);
    assert_true(fabs(roughness(y, KNOTS) - 6.0) < 1e-12);
    assert_true(fabs(sigma(log(3.0)) - 0.75) < 1e-12 && fabs(sigma(-log(3.0)) - 0.25) < 1e-12 &&
                sigma(0.0) == 0.5);
}

static void test_places(void **state) {
    (void)state;
    const rc_frontier f = {.length = length, .knots = KNOTS};
    static const struct {
        double length, share;
        int i, j;
    } at[] = {{10.0, 0.0, 0, 0}, {1e3, 0.0, 0, 0}, {2.5e3, 0.5, 0, 1}, {4e3, 0.0, 1, 1},
              {6e5, 0.5, 4, 5},  {1e6, 0.0, 5, 5}, {1e7, 0.0, 5, 5}};
    for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
        sample s = {.x = 0.0};
        locate(&f, at[k].length, &s);
        assert_true(s.i == at[k].i && s.j == at[k].j && fabs(s.f - at[k].share) < 1e-12);
    }
}

/* Three knots, of which points between the first two weigh 3 and 1, and points between the last two 1 each: what falls from 2 to 1 becomes
 * its mean by weights of 3 and 2, which is less than what comes behind it. What rises stays. */
static void test_rising(void **state) {
    (void)state;
    sample s[] = {{.i = 0, .j = 1, .f = 0.25, .cost = 4.0},
                  {.i = 1, .j = 2, .f = 0.5, .cost = 2.0}};
    rc_frontier f = {.knots = 3};
    const task t = {.f = &f, .s = s, .count = 2};
    double w[RC_SELECT_KNOTS], falls[] = {2.0, 1.0, 3.0}, all[] = {3.0, 2.0, 1.0},
                               rises[] = {1.0, 1.0, 2.0};
    weigh_knots(&t, w);
    static const double weights[] = {3.0, 2.0, 1.0};
    for (int k = 0; k < 3; k++)
        assert_true(fabs(w[k] - weights[k]) < 2e-9);
    make_rising(&t, falls);
    assert_true(fabs(falls[0] - 1.6) < 1e-8 && falls[1] == falls[0] && falls[2] == 3.0);
    make_rising(&t, all);
    for (int k = 0; k < 3; k++)
        assert_true(fabs(all[k] - 14.0 / 6.0) < 1e-8);
    make_rising(&t, rises);
    assert_true(rises[0] == 1.0 && rises[1] == 1.0 && rises[2] == 2.0);
}

/* Samples stand by their knot, then by T, then by their share of the next knot. */
static void test_order_of_samples(void **state) {
    (void)state;
    static const sample at[] = {{.i = 0, .x = 5.0, .f = 0.5},
                                {.i = 1, .x = 1.0, .f = 0.5},
                                {.i = 1, .x = 1.5, .f = 0.1},
                                {.i = 1, .x = 1.5, .f = 0.2},
                                {.i = 2, .x = 0.5, .f = 0.0}};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 5; k++) {
            const int c = by_knot(&at[i], &at[k]);
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_samples), cmocka_unit_test(test_rising),
        cmocka_unit_test(test_slopes),           cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
