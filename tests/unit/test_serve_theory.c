/* Where queueing theory knows the answer: one replica, one request a pass, costs that are a
 * constant times the prompt's length, so that service times have the prompt's distribution.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/serve.h"

#define QUEUE                                                                                      \
    SERVE_HEAD "pools: [{name: one, tp: 8}]\nscheduler: {fuse: 1, budget: 0}\nkv: {tokens: 1T}\n"  \
               "costs: {prefill_token: 1ms}\n"

static rc_serve_result result;

/* Mean wait in seconds, and the mean and mean square of the service times as drawn. */
static double wait_of(const char *text, double *mean, double *square, double *rate) {
    rc_error err = {0};
    rc_served *rows = NULL;
    const rc_serve_options o = {.seed = 7};
    if (serve_text(text, o, &result, &rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
    double n = (double)result.requests;
    *mean = *square = 0.0;
    for (uint64_t i = 0; i < result.requests; i++) {
        double s = rows[i].input * 1e-3;
        *mean += s / n;
        *square += s * s / n;
    }
    *rate = n / ((double)(rows[result.requests - 1].arrived - rows[0].arrived) / RC_PS_PER_S);
    free(rows);
    assert_int_equal(result.done, result.requests);
    return rc_hist_mean(&result.queue) / RC_PS_PER_S;
}

/* Kleinrock: W = rho / (1 - rho) x mean service. */
static void test_mm1(void **state) {
    (void)state;
    double mean, square, rate;
    double w =
        wait_of(QUEUE "synthetic: {requests: 500K, rate: 0.6, output: {kind: constant, mean: 1},"
                      " input: {kind: exponential, mean: 1000}}\n",
                &mean, &square, &rate);
    double theory = 0.6 / (1.0 - 0.6) * 1.0;
    assert_true(fabs(w / theory - 1.0) < 0.02);
}

/* Pollaczek-Khinchine, with the moments of the lengths: W = lambda E[S^2] / (2 (1 - rho)). */
static void check_mg1(const char *text, double lambda, double mean, double square) {
    double m, s, rate;
    double w = wait_of(text, &m, &s, &rate);
    double theory = lambda * square / (2.0 * (1.0 - lambda * mean));
    if (fabs(w / theory - 1.0) >= 0.02)
        fail_msg("wait %.5f s, theory %.5f s", w, theory);
    assert_true(fabs(m / mean - 1.0) < 0.01 && fabs(s / square - 1.0) < 0.02);
}

static void test_md1(void **state) {
    (void)state;
    check_mg1(QUEUE "synthetic: {requests: 400K, rate: 0.7, output: {kind: constant, mean: 1},"
                    " input: {kind: constant, mean: 1000}}\n",
              0.7, 1.0, 1.0);
}

static void test_mg1_uniform(void **state) {
    (void)state;
    check_mg1(QUEUE "synthetic: {requests: 400K, rate: 0.6, output: {kind: constant, mean: 1},"
                    " input: {kind: uniform, lo: 500, hi: 1500}}\n",
              0.6, 1.0, 1.0 + 1.0 / 12.0);
}

static void test_mg1_lognormal(void **state) {
    (void)state;
    double sigma = 0.7, mean = exp(0.5 * sigma * sigma), square = exp(2.0 * sigma * sigma);
    check_mg1(QUEUE "synthetic: {requests: 600K, rate: 0.5, output: {kind: constant, mean: 1},"
                    " input: {kind: lognormal, median: 1000, sigma: 0.7}}\n",
              0.5, mean, square);
}

/* Two replicas and a load that either could carry: still every request once, and Little's law. */
static void test_little(void **state) {
    (void)state;
    rc_error err = {0};
    const rc_serve_options o = {.seed = 3};
    const char *text = SERVE_HEAD
        "pools: [{name: one, tp: 8, replicas: 2}]\nkv: {tokens: 40K}\n"
        "scheduler: {policy: chunked, budget: 2048, max_batch: 64}\n"
        "synthetic: {requests: 5000, rate: 6, input: {kind: lognormal, median: 1000, sigma: 1, "
        "hi: 20K}, output: {kind: lognormal, median: 150, sigma: 1, hi: 2000}}\n"
        "costs: {prefill_token: 50us, decode: 5ms, decode_sequence: 100us, decode_key: 1ns}\n";
    if (serve_text(text, o, &result, NULL, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(result.little_l > 1.0);
    assert_true(fabs(result.little_l / result.little_lw - 1.0) < 1e-12);
}

static double area_of(const rc_timeline *t) {
    double sum = 0.0;
    for (int i = 0; i < rc_timeline_count(t); i++)
        sum += t->area[i];
    return sum;
}

/* The series over time tell of every request as long as it waits, and as long as it decodes: their areas are the sums of what
 * requests wait and decode, whether or not a pass begins when one of them comes. */
static void test_series(void **state) {
    (void)state;
    rc_error err = {0};
    rc_serve_series series;
    rc_served *rows = NULL;
    const rc_serve_options o = {.seed = 3, .series = &series};
    const char *text = SERVE_HEAD
        "pools: [{name: one, tp: 8, replicas: 2}]\nkv: {tokens: 1M}\n"
        "scheduler: {policy: prefill-first, fuse: 1}\n"
        "synthetic: {requests: 3000, rate: 3, input: {kind: exponential, mean: 1000}, output: "
        "{kind: constant, mean: 4}}\n"
        "costs: {prefill_token: 500us, decode: 5ms, decode_sequence: 100us}\n";
    if (serve_text(text, o, &result, &rows, &err) != RC_OK)
        fail_msg("%s", err.msg);
    double waited = 0.0, decoded = 0.0;
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(rows[i].outcome, RC_DONE);
        waited += (double)(rows[i].started - rows[i].arrived);
        decoded += (double)(rows[i].end - rows[i].first);
    }
    assert_true(waited > 1e14); /* 100 s */
    assert_true(fabs(area_of(&series.waiting) / waited - 1.0) < 1e-9);
    assert_true(fabs(area_of(&series.running) / decoded - 1.0) < 1e-9);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mm1),         cmocka_unit_test(test_md1),
        cmocka_unit_test(test_mg1_uniform), cmocka_unit_test(test_mg1_lognormal),
        cmocka_unit_test(test_little),      cmocka_unit_test(test_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
