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
#include "tests/support/printed.h"
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
    for (int count = 2; count <= RC_CURVE_POINTS; count += RC_CURVE_POINTS - 2) {
        assert_int_equal(rc_curve_rates("1..2", count, out, &n, &err), RC_OK);
        assert_int_equal(n, count);
        near(out[count - 1], 2.0, 1e-12);
    }
    char many[8 * RC_CURVE_POINTS] = "1";
    for (int i = 2; i <= RC_CURVE_POINTS; i++)
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",%d", i);
    assert_int_equal(rc_curve_rates(many, 2, out, &n, &err), RC_OK);
    assert_int_equal(n, RC_CURVE_POINTS);
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), ",%d", 999);
    assert_int_equal(rc_curve_rates(many, 2, out, &n, &err), RC_E_USAGE);
    assert_non_null(strstr(err.msg, "more than"));
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

/* ---- picture ---------------------------------------------------------------------------------- */

/* 100 requests of one TTFT and one mean gap, s, of which so many are refused. */
static rc_serve_result *made_up(double ttft, double ttit, int refused) {
    rc_serve_result *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    rc_hist_init(&r->ttft);
    rc_hist_init(&r->ttit);
    r->requests = 100;
    r->rejected = (uint64_t)refused;
    r->within_slo = (uint64_t)(90 - refused);
    for (int i = refused; i < 100; i++) {
        rc_hist_add(&r->ttft, llround(ttft * RC_PS_PER_S));
        rc_hist_add(&r->ttit, llround(ttit * RC_PS_PER_S));
    }
    return r;
}

static void made_up_curves(void) {
    for (int i = 0; i < 2; i++) {
        memset(&spec[i], 0, sizeof spec[i]);
        (void)snprintf(spec[i].name, sizeof spec[i].name, "line%d", i);
        (void)snprintf(spec[i].model.name, sizeof spec[i].model.name, "tiny");
        (void)snprintf(spec[i].machine.name, sizeof spec[i].machine.name, "fast");
        curve[i] = (rc_curve){.serve = &spec[i], .count = 2, .knee = i == 0 ? 2.5 : INFINITY};
        for (int k = 0; k < 2; k++) {
            curve[i].points[k].rate = k == 0 ? 0.5 : 4.0;
            curve[i].points[k].result =
                made_up(k == 0 ? 2.0 : 6.0, k == 0 ? 0.01 : 0.03, i == 1 && k == 1 ? 10 : 0);
        }
    }
}

/* The rows of the data that stand in a series, each a rate and five columns, NAN for what is not drawn. */
static int rows_of(const char *data, int series, double row[][6]) {
    int n = 0;
    for (; series > 0; series--) {
        data = strstr(data, "\n\n\n");
        assert_non_null(data);
        data += 3;
    }
    while (*data && *data != '\n' && n < 4) {
        for (int c = 0; c < 6; c++) {
            char *end;
            const bool none = strncmp(data, c > 0 ? " -" : "-", c > 0 ? 2 : 1) == 0 &&
                              !(data[2] >= '0' && data[2] <= '9');
            row[n][c] = none ? NAN : strtod(data, &end);
            data = none ? data + 2 : end;
        }
        n++;
        assert_int_equal(*data++, '\n');
    }
    return n;
}

/* Rate, p50 and p95 of TTFT in s, of TTIT in ms, and the share within the SLO; of 100 of which ten are refused p95 is none. */
static void test_picture_data(void **state) {
    static const double want[2][2][6] = {{{0.5, 2, 2, 10, 10, NAN}, {4, 6, 6, 30, 30, NAN}},
                                         {{0.5, 2, 2, 10, 10, 90}, {4, 6, NAN, 30, NAN, 80}}};
    drawings d;
    bool drawn = false;
    (void)state;
    made_up_curves();
    spec[1].objective_count = 1;
    drawings_begin(&d);
    assert_int_equal(rc_curve_plot(curve, 2, d.dir, false, &drawn, &err), RC_OK);
    assert_true(drawn);
    char *data = drawing(&d, "rates", "dat");
    for (int i = 0; i < 2; i++) {
        double row[4][6];
        assert_int_equal(rows_of(data, i, row), 2);
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < 6; c++)
                if (isnan(want[i][k][c]) ? !isnan(row[k][c])
                                         : !(fabs(row[k][c] / want[i][k][c] - 1.0) < 0.005))
                    fail_msg("line %d, point %d, column %d: %g, expected %g", i, k, c, row[k][c],
                             want[i][k][c]);
    }
    free(data);
    drawings_end(&d);
    for (int i = 0; i < 2; i++)
        rc_curve_free(&curve[i]);
}

static char *script_of(int count) {
    drawings d;
    bool drawn = false;
    drawings_begin(&d);
    assert_int_equal(rc_curve_plot(curve, count, d.dir, false, &drawn, &err), RC_OK);
    char *body = drawing(&d, "rates", "body");
    drawings_end(&d);
    return body;
}

/* Where an axis of the script begins and ends. */
static void range_is(const char *script, const char *axis, int nth, double lo, double hi) {
    double from = 0.0, to = 0.0;
    for (; nth >= 0; nth--) {
        script = strstr(script, axis);
        assert_non_null(script);
        script += strlen(axis);
    }
    assert_int_equal(sscanf(script, "%lf:%lf", &from, &to), 2);
    near(from, lo, 0.005);
    near(to, hi, 0.005);
}

/* Two panels, and a third where one of the scenarios has an SLO; one title where both are of one model and machine; a knee where
 * there is one; axes from the least to the most of what is drawn, with some room. */
static void test_picture(void **state) {
    (void)state;
    made_up_curves();
    char *s = script_of(2);
    assert_holds(s, "set multiplot layout 2,1 ");
    assert_holds(s, "tiny on fast: latency over load");
    assert_holds(s, "set arrow from 2.5, graph 0 to 2.5, graph 1 nohead lt 1 lw 1.5 dt 3\n");
    assert_holds(
        s, "NaN with lines lt 1 title \"line0\", NaN with lines lt 1 lw 1.5 dt 3 title \"its knee, "
           "2.5/s\", NaN with lines lt 2 title \"line1\", NaN with linespoints");
    assert_holds(s, "'rates.dat' index 0 using 1:2 with linespoints lt 1 notitle, '' index 0 using "
                    "1:3 with linespoints lt 1 dt 2 "
                    "pt 6 notitle, 'rates.dat' index 1 using 1:2 with linespoints lt 2 notitle, '' "
                    "index 1 using 1:3 with "
                    "linespoints lt 2 dt 2 pt 6 notitle\n");
    assert_holds(
        s, "'rates.dat' index 0 using 1:4 with linespoints lt 1 notitle, '' index 0 using 1:5 ");
    assert_null(strstr(s, "within the SLO"));
    assert_holds(s, "set xlabel");
    range_is(s, "set xrange [", 0, 0.45, 4.4);
    range_is(s, "set yrange [", 0, 2.0 / 1.5, 6.0 * 1.5);
    range_is(s, "set yrange [", 1, 10.0 / 1.5, 30.0 * 1.5);
    free(s);
    spec[1].objective_count = 1;
    (void)snprintf(spec[1].machine.name, sizeof spec[1].machine.name, "slow");
    curve[1].knee = 0.0;
    s = script_of(2);
    assert_holds(s, "set multiplot layout 3,1 ");
    assert_null(strstr(s, "tiny"));
    assert_holds(s, "\"Latency over load\"");
    assert_null(strstr(s, "set arrow from 0"));
    assert_holds(s, "set ylabel 'requests within the SLO, %'\nset xlabel 'sessions");
    assert_true(strstr(s, "set xlabel") > strstr(s, "set ylabel 'requests within"));
    assert_holds(s, "plot 'rates.dat' index 0 using 1:6 with linespoints lt 1 notitle, 'rates.dat' "
                    "index 1 using 1:6 with "
                    "linespoints lt 2 notitle\n");
    free(s);
    (void)snprintf(spec[1].machine.name, sizeof spec[1].machine.name, "fast");
    (void)snprintf(spec[1].model.name, sizeof spec[1].model.name, "large");
    s = script_of(2);
    assert_holds(s, "\"Latency over load\"");
    free(s);
    s = script_of(1);
    assert_holds(s, "set multiplot layout 2,1 ");
    assert_holds(s, "'' index 0 using 1:3 with linespoints lt 1 dt 2 pt 6 notitle\n");
    free(s);
    for (int i = 0; i < 2; i++)
        rc_curve_free(&curve[i]);
}

static char *text_of(bool csv) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    assert_int_equal(rc_curve_print(curve, 2, csv, f, &err), RC_OK);
    (void)fclose(f);
    return text;
}

/* Where a curve's knee is said to be, as text and in JSON. */
static void knee_is(double knee, const char *said, const char *word) {
    curve[1].knee = knee;
    char *text = text_of(false);
    assert_holds(text, said);
    free(text);
    rc_json *j = rc_json_create();
    if (!j)
        abort();
    rc_curve_json(curve, 2, j, rc_json_root(j));
    const json_t *one = json_array_get(json_object_get(rc_json_root(j), "curves"), 1);
    assert_string_equal(json_string_value(json_object_get(one, "knee_is")), word);
    assert_int_equal(json_is_null(json_object_get(one, "knee")), strcmp(word, "within") != 0);
    rc_json_destroy(j);
}

/* Every column of the table, by the figures of a run: pools that work 2.5 s of 5 and 3 of 10, seven requests that have no gaps, so
 * that of 107 the 102nd is none. */
static void test_table(void **state) {
    (void)state;
    made_up_curves();
    spec[1].objective_count = 1;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            rc_serve_result *r = curve[i].points[k].result;
            rc_hist_init(&r->gap);
            rc_hist_add(&r->gap, (rc_time)(5 * RC_PS_PER_S / 1000));
            r->goodput = 1.25;
            r->kv_hit_tokens = 30;
            r->kv_miss_tokens = 90;
            r->done = 93;
            r->rejected = 4;
            r->lost = 3;
            r->pool_count = spec[i].pool_count = 1 + i;
            r->objective_count = spec[i].objective_count;
            r->makespan = (rc_time)(5 * RC_PS_PER_S);
            r->pools[0] =
                (rc_pool_result){.gpus = 2, .replicas = 2, .groups = 1, .work_s = 2.5, .up_s = 5.0};
            r->pools[1] = (rc_pool_result){
                .gpus = 4, .replicas = 2, .groups = 1, .work_s = 3.0, .up_s = 10.0};
        }
    char *text = text_of(true);
    assert_string_equal(text, "serve,rate,ttft_p50_ms,ttft_p95_ms,ttit_p50_ms,ttit_p95_ms,token_"
                              "gap_p95_ms,within_slo_pct,goodput,work_pct,"
                              "last_work_pct,kv_hit_pct,done,not_done\n"
                              "line0,0.5,2000,2000,10,,5,,1.25,50,,25,93,7\n"
                              "line0,4,6000,6000,30,,5,,1.25,50,,25,93,7\n"
                              "line1,0.5,2000,2000,10,,5,90,1.25,50,30,25,93,7\n"
                              "line1,4,6000,,30,,5,80,1.25,50,30,25,93,7\n");
    free(text);
    text = text_of(false);
    assert_holds(text, "knee of line0: 2.5 per second (p95 TTFT twice the first)\n");
    free(text);
    spec[1].objectives[0] = (rc_objective){.limit = 3.0, .share = 0.9, .to = INT64_MAX};
    knee_is(INFINITY, "knee of line1: above 4 per second\n", "above");
    knee_is(0.0, "knee of line1: below 0.5 per second (TTFT p90 <= 3 s)\n", "below");
    knee_is(0.75, "knee of line1: 0.75 per second (TTFT p90 <= 3 s)\n", "within");
    for (int i = 0; i < 2; i++)
        rc_curve_free(&curve[i]);
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
        cmocka_unit_test(test_picture_data),
        cmocka_unit_test(test_picture),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
