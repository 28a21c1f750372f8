/* Regret under costs that are off, where the answer is known: two rings whose times err by lognormal
 * factors.
 *
 * A rule that always picks pass-KV loses max(KV/Q, 1) - 1. With KV/Q lognormal, median m and deviation s of the
 * logarithm, that is in the mean (Black and Scholes' call at a strike of 1, without interest)
 *     m exp(s^2/2) Phi((ln m + s^2)/s) - Phi(ln m / s)
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim/engine/engine.h"
#include "sim/tune/tune_internal.h"

enum { DRAWS = 20000, POINTS = 3 };
static double sum[DRAWS];
static rc_tune t;
static rc_model model;

/* ---- the closed form ---- */

static double phi(double x) {
    return 0.5 * erfc(-x / sqrt(2.0));
}

static double expected_pct(double median, double s) {
    double d = log(median);
    return 100.0 * (median * exp(0.5 * s * s) * phi((d + s * s) / s) - phi(d / s));
}

/* ---- drawn times: of each ring a factor of its own and one that both share ---- */

static double own_spread, shared_spread;

static rc_status lognormal(const rc_tune *of, rc_forward_ctx *ctx, const rc_tune_comparison *d,
                           double *const out[2], rc_error *err) {
    rc_rng rng;
    (void)ctx;
    (void)err;
    rc_rng_seed(&rng, 7); /* the same draws for every point */
    for (int i = 0; i < of->s.draws; i++) {
        double both = shared_spread * rc_rng_normal(&rng);
        out[RC_TUNE_KV][i] = d->kv * exp(both + own_spread * rc_rng_normal(&rng));
        out[RC_TUNE_Q][i] = d->q * exp(both + own_spread * rc_rng_normal(&rng));
    }
    return RC_OK;
}

/* Rules that always pick pass-KV and pass-Q. */
static rc_tune_comparison at[2 * POINTS];

static void set_up(const double *kv, const double *q, int threads) {
    t = (rc_tune){.rules = 2, .threads = threads};
    t.s.draws = DRAWS;
    t.s.model = model;
    t.s.layout.tp = 8;
    for (int i = 0; i < 2; i++) {
        t.rule[i].rule = (rc_rule){.kind = RC_RULE_EMPIRICAL, .gamma = i == 0 ? 1.0 : -1.0};
        t.rule[i].c = t.rule[i].bw = 1.0;
    }
    for (int i = 0; i < POINTS; i++) {
        at[2 * i] = (rc_tune_comparison){100.0, 900.0, kv[i], q[i], 2, 1, 1, false};
        at[2 * i + 1] = (rc_tune_comparison){100.0, 900.0, 1.0, 100.0, 2, 1, 1, true};
    }
}

static void expect(double own, double shared) {
    own_spread = own;
    shared_spread = shared;
    assert_int_equal(rc_tune_score_rules(&t, at, (size_t)2 * POINTS, NULL), RC_OK);
    assert_int_equal(rc_tune_expect(&t, at, (size_t)2 * POINTS, lognormal, NULL), RC_OK);
    assert_int_equal(t.rule[0].expected.points, POINTS); /* none of the fitted half */
}

static const double equal[] = {1.0, 1.0, 1.0}, apart[] = {1.02, 1.02, 1.02};

/* Within four standard errors of the mean of the draws. */
static void near_closed_form(const double *kv, double own, double median) {
    double s = sqrt(2.0) * own, error = 100.0 * s / sqrt((double)DRAWS);
    set_up(kv, equal, 2);
    expect(own, 0.1);
    assert_true(fabs(t.rule[0].expected.mean_pct - expected_pct(median, s)) < 4.0 * error);
    assert_true(fabs(t.rule[1].expected.mean_pct - expected_pct(1.0 / median, s)) < 4.0 * error);
}

static void test_closed_form(void **state) {
    (void)state;
    near_closed_form(equal, 0.03, 1.0);
    near_closed_form(apart, 0.03, 1.02);
    near_closed_form(apart, 0.01, 1.02);
}

/* Every point moves alike here, so a draw's mean is that of one point: its 95th percentile is known, too. */
static void test_percentile(void **state) {
    (void)state;
    set_up(equal, equal, 2);
    expect(0.03, 0.0);
    double s = sqrt(2.0) * 0.03, known = 100.0 * (exp(1.6448536 * s) - 1.0);
    assert_true(fabs(t.rule[0].expected.p95_pct / known - 1.0) < 0.03);
}

/* What both share does no harm, and without errors it is the fit error, to the digit. */
static void test_no_spread(void **state) {
    (void)state;
    static const double kv[] = {1.0, 1.1, 3.0}, q[] = {1.25, 1.0, 2.0};
    set_up(kv, q, 1);
    expect(0.0, 0.0);
    for (int i = 0; i < 2; i++) {
        double fit = t.rule[i].score[RC_TUNE_TEST].mean_pct;
        assert_true(fit > 0.0);
        assert_true(fabs(t.rule[i].expected.mean_pct - fit) < 1e-9 * fit);
        assert_true(fabs(t.rule[i].expected.p95_pct - fit) < 1e-9 * fit);
    }
    double fit = t.rule[0].score[RC_TUNE_TEST].mean_pct;
    expect(0.0, 0.2);
    assert_true(fabs(t.rule[0].expected.mean_pct - fit) < 1e-9 * fit);
}

/* A rule that picks what is faster in the mean loses more the less is known. */
static void test_more_spread(void **state) {
    (void)state;
    double last = -1.0;
    set_up(equal, apart, 2);
    for (int i = 0; i <= 10; i++) {
        expect(0.005 * i, 0.05);
        assert_true(t.rule[0].expected.mean_pct >= last);
        last = t.rule[0].expected.mean_pct;
    }
    assert_true(last > 1.0);
}

static void test_threads_and_seeds(void **state) {
    (void)state;
    static const double kv[] = {1.0, 1.1, 3.0};
    set_up(kv, apart, 1);
    expect(0.02, 0.02);
    const rc_tune_expectation one = t.rule[0].expected;
    set_up(kv, apart, 3);
    expect(0.02, 0.02);
    assert_memory_equal(&one, &t.rule[0].expected, sizeof one);
    t.s.draws = 0;
    assert_int_equal(rc_tune_expect(&t, at, (size_t)2 * POINTS, lognormal, NULL), RC_OK);
    assert_true(isnan(t.rule[0].expected.mean_pct));
}

/* By hand: 10 % in one of two draws, nothing in the other. */
static void test_by_hand(void **state) {
    (void)state;
    static const double kv[] = {1.1, 1.0}, q[] = {1.0, 1.2};
    rc_tune_add_regret(kv, q, 2, RC_CHOOSE_PASS_KV, sum);
    const rc_tune_expectation e = rc_tune_expectation_of(sum, 2, 1, 0.0);
    assert_true(fabs(e.mean_pct - 5.0) < 1e-9 && fabs(e.p95_pct - 10.0) < 1e-9);
}

static int setup(void **state) {
    const char *source = getenv("RC_SOURCE_DIR");
    char path[1024];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/models/llama-3.1-405b.json", source ? source : ".");
    return rc_model_load(path, &model, NULL) == RC_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_form),       cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_no_spread),         cmocka_unit_test(test_more_spread),
        cmocka_unit_test(test_threads_and_seeds), cmocka_unit_test(test_by_hand),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
