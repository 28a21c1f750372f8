/* Rates, knees and replications of runs whose outcome is known: one server that takes a second a request, of which
 * a hundred come at even distances. At r > 1 a second the i-th waits i (1 - 1/r) s.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include "sim/serve/serve_report.h"
#include "tests/support/serve.h"

#define SERVER(process, more)                                                                      \
    SERVE_HEAD                                                                                     \
    "pools: [{name: one, tp: 8}]\nkv: {tokens: 1M}\nscheduler: {policy: prefill-first, fuse: "     \
    "1" more "}\n"                                                                                 \
    "costs: {prefill_token: 1ms}\nsynthetic: {requests: 100, rate: 1, process: " process           \
    ", input: {kind: constant, mean: 1000}, output: {kind: constant, mean: 1}}\n"

static rc_serve spec[2];
static rc_curve curve[2];
static rc_error err;

static void run(const char *text, const double *rates, int count) {
    const rc_costs *costs[2] = {NULL, NULL};
    assert_int_equal(serve_parse(text, &spec[0], &err), RC_OK);
    curve[0] = (rc_curve){.serve = &spec[0]};
    if (rc_curve_run(curve, 1, rates, count, costs, 1, 2, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static void near(double got, double want, double by) {
    if (!(fabs(got / want - 1.0) <= by))
        fail_msg("%.6g, expected %.6g", got, want);
}

static double p95(int point) {
    return rc_hist_quantile(&curve[0].points[point].result->ttft, 0.945) / RC_PS_PER_S;
}

/* The 95th of a hundred waits 94 / 2 at two a second. A limit of 4 s is crossed at 2 ^ (ln 4 / ln 48). */
static void test_knee(void **state) {
    static const double rates[] = {0.5, 1.0, 2.0, 4.0};
    (void)state;
    run(SERVER("even", "") "slo: [{ttft: 4s, share: 0.95}]\n", rates, 4);
    near(p95(0), 1.0, 0.004);
    near(p95(1), 1.0, 0.004);
    near(p95(2), 48.0, 0.004);
    near(p95(3), 1.0 + 94.0 * 0.75, 0.004);
    near(curve[0].knee, pow(2.0, log(4.0) / log(48.0)), 0.005);
    assert_int_equal(curve[0].breaks, 0);
    rc_curve_free(&curve[0]);
    /* without an SLO: where p95 is twice the first */
    run(SERVER("even", ""), rates, 4);
    near(curve[0].knee, pow(2.0, log(2.0) / log(48.0)), 0.005);
    rc_curve_free(&curve[0]);
    /* of two objectives the one that gives way first */
    run(SERVER("even", "") "slo: [{ttft: 8s, share: 0.95}, {ttft: 3s, share: 0.95}]\n", rates, 4);
    near(curve[0].knee, pow(2.0, log(3.0) / log(48.0)), 0.005);
    assert_int_equal(curve[0].breaks, 1);
    rc_curve_free(&curve[0]);
}

static void test_beyond(void **state) {
    static const double low[] = {0.25, 0.5}, high[] = {2.0, 4.0};
    (void)state;
    run(SERVER("even", "") "slo: [{ttft: 4s, share: 0.95}]\n", low, 2);
    assert_true(isinf(curve[0].knee));
    rc_curve_free(&curve[0]);
    run(SERVER("even", "") "slo: [{ttft: 4s, share: 0.95}]\n", high, 2);
    assert_true(curve[0].knee == 0.0);
    rc_curve_free(&curve[0]);
}

/* Where too many are refused for a p95 there is no value, and the share that keeps the limit tells: all at one a second; at
 * four a queue of two takes those that find it short, some 28 of 100. */
static void test_knee_of_refusals(void **state) {
    static const double rates[] = {1.0, 4.0};
    (void)state;
    run(SERVER("even", ", max_waiting: 2") "slo: [{ttft: 9s, share: 0.95}]\n", rates, 2);
    const rc_serve_result *r = curve[0].points[1].result;
    assert_int_equal(curve[0].points[0].result->done, 100);
    assert_in_range(r->done, 26, 30);
    assert_int_equal(r->done + r->rejected, 100);
    const double kept = (double)r->objectives[0].kept / 100.0;
    assert_int_equal(r->objectives[0].kept, r->done); /* none waits 9 s */
    near(curve[0].knee, pow(4.0, (1.0 - 0.95) / (1.0 - kept)), 1e-9);
    rc_curve_free(&curve[0]);
}

static void test_texts(void **state) {
    static const double rates[] = {0.5, 2.0};
    char *text = NULL;
    size_t size = 0;
    (void)state;
    run(SERVER("even", "") "slo: [{ttft: 4s, share: 0.95}]\n", rates, 2);
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    assert_int_equal(rc_curve_print(curve, 1, false, f, &err), RC_OK);
    (void)fclose(f);
    const char *knee = strstr(text, "knee of test: ");
    double said = 0.0;
    assert_non_null(knee);
    assert_non_null(strstr(knee, " per second (TTFT p95 <= 4 s)\n"));
    assert_int_equal(sscanf(knee, "knee of test: %lf", &said), 1);
    near(said, 0.5 * pow(4.0, log(4.0) / log(48.0)), 0.005);
    assert_non_null(strstr(text, "in SLO"));
    free(text);
    rc_json *j = rc_json_create();
    assert_non_null(j);
    json_t *root = rc_json_root(j);
    rc_curve_json(curve, 1, j, root);
    const json_t *one = json_array_get(json_object_get(root, "curves"), 0);
    near(json_real_value(json_object_get(one, "knee")), curve[0].knee, 1e-12);
    assert_string_equal(json_string_value(json_object_get(one, "knee_is")), "within");
    assert_int_equal(json_array_size(json_object_get(one, "points")), 2);
    rc_json_destroy(j);
    rc_curve_free(&curve[0]);
}

static void test_rates(void **state) {
    double out[RC_CURVE_POINTS];
    int n = 0;
    (void)state;
    assert_int_equal(rc_curve_rates("1..4", 3, out, &n, &err), RC_OK);
    assert_int_equal(n, 3);
    near(out[0], 1.0, 1e-12);
    near(out[1], 2.0, 1e-12);
    near(out[2], 4.0, 1e-12);
    assert_int_equal(rc_curve_rates("0.5,1,2.5", 9, out, &n, &err), RC_OK);
    assert_int_equal(n, 3);
    assert_true(out[0] == 0.5 && out[1] == 1.0 && out[2] == 2.5);
    static const char *const bad[] = {"2..1", "1..1", "0..2", "1,1", "2,1",
                                      "x",    "",     "1,",   "-1",  "1e9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (rc_curve_rates(bad[i], 3, out, &n, &err) != RC_E_USAGE)
            fail_msg("'%s' is taken for rates", bad[i]);
    assert_int_equal(rc_curve_rates("1..2", 1, out, &n, &err), RC_E_USAGE);
    assert_int_equal(rc_curve_rates("1..2", RC_CURVE_POINTS + 1, out, &n, &err), RC_E_USAGE);
}

static double ttft_mean(const rc_serve_result *r) {
    return rc_hist_mean(&r->ttft) / RC_PS_PER_S;
}

/* The runs of seeds 7, 8 and 9, each as it is by itself; counts add up, rates are means by length, and the interval is
 * Student's, 4.303 for two degrees of freedom. */
static void test_replications(void **state) {
    const char *text = SERVER("poisson", "") "slo: [{ttft: 4s, share: 0.95}]\n";
    rc_replications r;
    double x[3], mean = 0.0, squares = 0.0, mfu = 0.0, time = 0.0, m, half;
    uint64_t within = 0;
    (void)state;
    assert_int_equal(serve_parse(text, &spec[0], &err), RC_OK);
    assert_int_equal(rc_replicate(&spec[0], NULL, 0.8, 3, 7, 2, false, &r, &err), RC_OK);
    for (int i = 0; i < 3; i++) {
        static rc_serve_result one;
        rc_trace *t = NULL;
        const rc_serve_options o = {.seed = 7 + (uint64_t)i, .quiet = true};
        assert_int_equal(rc_serve_workload(&spec[0], o.seed, 0.8, &t, &err), RC_OK);
        assert_int_equal(rc_serve_run(&spec[0], t, &o, &one, &err), RC_OK);
        rc_trace_free(t);
        assert_true(one.hash == r.runs[i].hash);
        assert_true(i == 0 || r.runs[i].hash != r.runs[i - 1].hash);
        x[i] = ttft_mean(&one);
        mean += x[i] / 3.0;
        mfu += one.mfu * (double)one.makespan;
        time += (double)one.makespan;
        within += one.within_slo;
    }
    for (int i = 0; i < 3; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    rc_replications_spread(&r, ttft_mean, &m, &half);
    near(m, mean, 1e-12);
    near(half, 4.303 * sqrt(squares / 2.0 / 3.0), 1e-9);
    assert_int_equal(r.all->done, 300);
    assert_int_equal(r.all->ttft.count, 300);
    assert_int_equal(r.all->within_slo, within);
    near((double)r.all->makespan, time, 1e-12);
    near(r.all->goodput, (double)within / (time / RC_PS_PER_S), 1e-12);
    assert_true(fabs(r.all->mfu * time - mfu) <= 1e-9 * mfu);
    rc_replications_free(&r);
    /* runs that are all alike */
    assert_int_equal(serve_parse(SERVER("even", ""), &spec[0], &err), RC_OK);
    assert_int_equal(rc_replicate(&spec[0], NULL, 0.5, 4, 1, 1, false, &r, &err), RC_OK);
    rc_replications_spread(&r, ttft_mean, &m, &half);
    near(m, 1.0, 1e-12);
    assert_true(half == 0.0);
    rc_replications_free(&r);
}

static double as_mfu(const rc_serve_result *r) {
    return r->mfu;
}

/* Half-widths of 2 to 40 runs of 0 and 1 in turn against Student's t of another library; beyond 31 runs the normal's. */
static void test_student(void **state) {
    enum { MOST = 40 };
    rc_serve_result *runs = calloc(MOST, sizeof *runs);
    (void)state;
    assert_non_null(runs);
    for (int i = 0; i < MOST; i++)
        runs[i].mfu = i % 2;
    for (int n = 2; n <= MOST; n++) {
        const rc_replications r = {.count = n, .runs = runs};
        const double p = (double)(n / 2) / n, squares = n * p * (1.0 - p);
        const double t = n <= 31 ? gsl_cdf_tdist_Pinv(0.975, n - 1) : 1.96;
        double mean, half;
        rc_replications_spread(&r, as_mfu, &mean, &half);
        near(mean, p, 1e-12);
        near(half / sqrt(squares / (n - 1.0) / n), t, 3e-4);
    }
    free(runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knee),
        cmocka_unit_test(test_beyond),
        cmocka_unit_test(test_knee_of_refusals),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_replications),
        cmocka_unit_test(test_student),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
