/* What is said of runs beside their forecasts, from runs whose few figures are made up: each printed number is worked out here.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/beside/server_runs.h"

#define MS ((rc_time)1000000000)
static rc_error err;

static rc_beside_times times(size_t n, const double *s) {
    rc_beside_times t = {calloc(n + 1, sizeof *t.at), n};
    assert_non_null(t.at);
    for (size_t i = 0; i < n; i++)
        t.at[i] = s[i];
    return t;
}
#define TIMES(...) times(sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

/* Times on the GPU and the model's: 10 and 11 ms, 4 and 3, 2 and 2.5, 4 and 3.6; the last pass was the host's alone. */
static const rc_played_row rows[] = {
    {.start = 0, .took = 11 * MS, .host = MS, .prompts = 1, .prompt_tokens = 128},
    {.start = 11 * MS,
     .took = 5 * MS,
     .host = MS,
     .prompts = 1,
     .prompt_tokens = 7,
     .decodes = 4,
     .context = 90},
    {.start = 16 * MS, .took = 3 * MS, .host = MS, .decodes = 1, .context = 40},
    {.start = 1019 * MS, .took = 5 * MS, .host = MS, .decodes = 1, .context = 41},
    {.start = 1024 * MS, .took = 2 * MS, .host = 2 * MS, .decodes = 2, .context = 83},
};
enum { PASSES = sizeof rows / sizeof rows[0] };
static const double model_ms[PASSES] = {11.0, 3.0, 2.5, 3.6, 1.0};

static void add_passes(rc_beside_run *r) {
    r->costs = calloc(PASSES, sizeof *r->costs);
    assert_non_null(r->costs);
    for (size_t i = 0; i < PASSES; i++) {
        assert_int_equal(rc_played_log_add(&r->log, &rows[i], &err), RC_OK);
        r->costs[i].gpu = llround(model_ms[i] * (double)MS);
    }
}

/* Half of 0.1, 0.2 and 0.4 s is at most 0.2; the 95th of a hundred lies nine tenths of the way from 0.2 to 0.4. */
static rc_beside_run one(const char *name, rc_run_set set) {
    rc_beside_run r = {.set = set, .host_mean = 1.25e-3, .host_stated = 1e-3};
    (void)snprintf(r.name, sizeof r.name, "%s", name);
    (void)snprintf(r.scenario, sizeof r.scenario, "served");
    (void)snprintf(r.machine, sizeof r.machine, "h100-sxm");
    for (int way = 0; way < RC_BESIDE_WAYS; way++) {
        r.play[way].ttft = TIMES(0.1, 0.2, 0.4);
        r.play[way].gap = TIMES(0.010, 0.030);
        r.play[way].tokens_per_s = 100.0;
        r.play[way].requests = 4;
        r.play[way].done = 3;
        r.play[way].hit_tokens = 64;
    }
    r.play[RC_BESIDE_FORECAST].ttft.at[1] = 0.22;
    r.play[RC_BESIDE_FORECAST].ttft.at[2] = 0.36;
    r.play[RC_BESIDE_FORECAST].gap.at[1] = 0.027;
    r.play[RC_BESIDE_FORECAST].tokens_per_s = 110.0;
    r.play[RC_BESIDE_FORECAST].done = 2;
    r.play[RC_BESIDE_HOST_MEAN].tokens_per_s = 98.0;
    r.play[RC_BESIDE_GPU_MEAN].tokens_per_s = 101.0;
    r.play[RC_BESIDE_TAUGHT].tokens_per_s = 103.0;
    add_passes(&r);
    return r;
}

static bool near(double got, double want) {
    return fabs(got - want) <= 1e-9 * fabs(want);
}

static void test_values(void **state) {
    (void)state;
    static const double want[RC_BESIDE_METRICS][2] = {
        {200.0, 220.0}, {380.0, 346.0}, {20.0, 18.5}, {29.0, 26.15}, {100.0, 110.0}};
    rc_beside_run r = one("a", RC_SET_SEEN);
    for (int m = 0; m < RC_BESIDE_METRICS; m++) {
        assert_true(near(rc_beside_value(&r, RC_BESIDE_MEASURED, (rc_beside_metric)m), want[m][0]));
        assert_true(near(rc_beside_value(&r, RC_BESIDE_FORECAST, (rc_beside_metric)m), want[m][1]));
        assert_true(near(rc_beside_error(&r, RC_BESIDE_FORECAST, (rc_beside_metric)m),
                         100.0 * (want[m][1] / want[m][0] - 1.0)));
    }
    r.play[RC_BESIDE_MEASURED].gap.count = 0; /* replies of one token */
    r.play[RC_BESIDE_MEASURED].tokens_per_s = 0.0;
    assert_true(isnan(rc_beside_value(&r, RC_BESIDE_MEASURED, RC_BESIDE_GAP_P95)));
    assert_true(isnan(rc_beside_error(&r, RC_BESIDE_FORECAST, RC_BESIDE_GAP_P50)));
    assert_true(isnan(rc_beside_error(&r, RC_BESIDE_FORECAST, RC_BESIDE_THROUGHPUT)));
    rc_beside_free(&r);
}

static void spread(const rc_beside_spread *s, size_t passes, const double want[5]) {
    assert_int_equal(s->passes, passes);
    assert_true(near(s->measured_s, want[0]) && near(s->model_s, want[1]));
    assert_true(near(s->bias, want[2]) && near(s->median, want[3]) && near(s->p95, want[4]));
}

/* Errors of 10, 25, 25 and 10 %; the median of 10 and 25 is 17.5, and 95 of a hundred lie below 10 + 0.95 x 15. */
static void test_spreads(void **state) {
    (void)state;
    rc_beside_run r = one("a", RC_SET_SEEN);
    rc_beside_spread s;
    assert_int_equal(rc_beside_kind_spread(&r, RC_BESIDE_PROMPTS, &s, &err), RC_OK);
    spread(&s, 1, (double[]){0.010, 0.011, 10.0, 10.0, 10.0});
    assert_int_equal(rc_beside_kind_spread(&r, RC_BESIDE_MIXED, &s, &err), RC_OK);
    spread(&s, 1, (double[]){0.004, 0.003, -25.0, 25.0, 25.0});
    assert_int_equal(rc_beside_kind_spread(&r, RC_BESIDE_DECODES, &s, &err), RC_OK);
    spread(&s, 2, (double[]){0.006, 0.0061, 100.0 / 60.0, 17.5, 24.25});
    assert_int_equal(rc_beside_spread_of(&r, NULL, NULL, &s, &err), RC_OK);
    spread(&s, 4, (double[]){0.020, 0.0201, 0.5, 17.5, 25.0});
    r.log.count = 0;
    assert_int_equal(rc_beside_spread_of(&r, NULL, NULL, &s, &err), RC_OK);
    assert_true(s.passes == 0 && isnan(s.bias) && isnan(s.median) && isnan(s.p95));
    rc_beside_free(&r);
}

/* Of three runs that err by 10, 30 and 20 %: those of a set, and all. */
static void test_summaries(void **state) {
    (void)state;
    rc_beside_run r[] = {one("a", RC_SET_SEEN), one("b", RC_SET_SEEN), one("c", RC_SET_UNSEEN)};
    r[1].play[RC_BESIDE_FORECAST].tokens_per_s = 130.0;
    r[2].play[RC_BESIDE_FORECAST].tokens_per_s = 80.0;
    static const struct {
        int set;
        size_t runs;
        double mean, most;
    } want[] = {{RC_SET_SEEN, 2, 20.0, 30.0}, {RC_SET_UNSEEN, 1, 20.0, 20.0}, {-1, 3, 20.0, 30.0}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        rc_beside_summary s =
            rc_beside_summarise(r, 3, want[i].set, RC_BESIDE_FORECAST, RC_BESIDE_THROUGHPUT);
        assert_int_equal(s.runs, want[i].runs);
        assert_true(near(s.mean, want[i].mean) && near(s.most, want[i].most));
    }
    r[1].play[RC_BESIDE_FORECAST].tokens_per_s = (double)NAN; /* one that has none is left out */
    rc_beside_summary s =
        rc_beside_summarise(r, 3, RC_SET_SEEN, RC_BESIDE_FORECAST, RC_BESIDE_THROUGHPUT);
    assert_true(s.runs == 1 && near(s.mean, 10.0) && near(s.most, 10.0));
    for (int i = 0; i < 3; i++)
        rc_beside_free(&r[i]);
}

/* ---- as text ---------------------------------------------------------------------------- */

static void says(char *text, size_t size, const char *want) {
    if (strlen(want) != size || strcmp(text, want) != 0)
        fail_msg("%s", text);
    free(text);
}

static void printed(const rc_beside_run *r, size_t n, const char *want) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(rc_beside_print(r, n, f, &err), RC_OK);
    (void)fclose(f);
    says(text, size, want);
}

static void test_print(void **state) {
    (void)state;
    rc_beside_run r[] = {one("a", RC_SET_SEEN), one("b", RC_SET_UNSEEN)};
    r[1].play[RC_BESIDE_FORECAST].hit_tokens = 48;
    r[1].play[RC_BESIDE_MEASURED].gap.count = 0;
    free(r[1].play[RC_BESIDE_TAUGHT].ttft.at);
    free(r[1].play[RC_BESIDE_TAUGHT].gap.at);
    r[1].play[RC_BESIDE_TAUGHT] = (rc_beside_play){.tokens_per_s = (double)NAN};
    r[1].log.count = 2;
    printed(
        r, 2,
        "TTFT p95 is forecast within 8.9 %, throughput is forecast within 10.0 %, over 1 unseen "
        "run\n"
        "# a: 5 of 5 passes are composed alike; 3 of 4 requests served, forecast 2\n"
        "# prompt tokens found cached: 64 measured, 64 forecast, equal\n"
        "# the host for a pass: 1250.0 us measured, 1000.0 us as the scenario states\n"
        "# run  set   metric        unit      measured  forecast  error  host as measured  and GPU "
        " taught\n"
        "# -    -     -             -                -         -      %                 %        % "
        "      %\n"
        "  a    seen  TTFT p50      ms          200.00    220.00   10.0               0.0      0.0 "
        "    0.0\n"
        "  a    seen  TTFT p95      ms          380.00    346.00   -8.9               0.0      0.0 "
        "    0.0\n"
        "  a    seen  mean gap p50  ms           20.00     18.50   -7.5               0.0      0.0 "
        "    0.0\n"
        "  a    seen  mean gap p95  ms           29.00     26.15   -9.8               0.0      0.0 "
        "    0.0\n"
        "  a    seen  throughput    tokens/s    100.00    110.00   10.0              -2.0      1.0 "
        "    3.0\n"
        "\n"
        "# b: 2 of 2 passes are composed alike; 3 of 4 requests served, forecast 2\n"
        "# prompt tokens found cached: 64 measured, 48 forecast, not equal\n"
        "# the host for a pass: 1250.0 us measured, 1000.0 us as the scenario states\n"
        "# run  set     metric        unit      measured  forecast  error  host as measured  and "
        "GPU  taught\n"
        "# -    -       -             -                -         -      %                 %        "
        "%       %\n"
        "  b    unseen  TTFT p50      ms          200.00    220.00   10.0               0.0      "
        "0.0       -\n"
        "  b    unseen  TTFT p95      ms          380.00    346.00   -8.9               0.0      "
        "0.0       -\n"
        "  b    unseen  mean gap p50  ms               -     18.50      -                 -        "
        "-       -\n"
        "  b    unseen  mean gap p95  ms               -     26.15      -                 -        "
        "-       -\n"
        "  b    unseen  throughput    tokens/s    100.00    110.00   10.0              -2.0      "
        "1.0       -\n"
        "\n"
        "# time of passes on the GPU: the model's of each pass that was measured, and its error\n"
        "# run  passes of  passes  measured  model  of the sum  median  95th\n"
        "# -    -               -         s      s           %       %     %\n"
        "  a    prompt          1     0.010  0.011        10.0    10.0  10.0\n"
        "  a    mixed           1     0.004  0.003       -25.0    25.0  25.0\n"
        "  a    decode          2     0.006  0.006         1.7    17.5  24.2\n"
        "  a    all             4     0.020  0.020         0.5    17.5  25.0\n"
        "  b    prompt          1     0.010  0.011        10.0    10.0  10.0\n"
        "  b    mixed           1     0.004  0.003       -25.0    25.0  25.0\n"
        "  b    decode          0     0.000  0.000           -       -     -\n"
        "  b    all             2     0.014  0.014         0.0    17.5  24.2\n"
        "\n"
        "# absolute errors of the forecast over the runs of a set; then their means with measured "
        "means of the host, and of the GPU by kind of pass; taught: by the means of the other seen "
        "runs on such a machine\n"
        "# set     metric        runs  mean  worst  host as measured  and GPU  taught  worst\n"
        "# -       -                -     %      %                 %        %       %      %\n"
        "  seen    TTFT p50         1  10.0   10.0               0.0      0.0     0.0    0.0\n"
        "  seen    TTFT p95         1   8.9    8.9               0.0      0.0     0.0    0.0\n"
        "  seen    mean gap p50     1   7.5    7.5               0.0      0.0     0.0    0.0\n"
        "  seen    mean gap p95     1   9.8    9.8               0.0      0.0     0.0    0.0\n"
        "  seen    throughput       1  10.0   10.0               2.0      1.0     3.0    3.0\n"
        "  unseen  TTFT p50         1  10.0   10.0               0.0      0.0       -      -\n"
        "  unseen  TTFT p95         1   8.9    8.9               0.0      0.0       -      -\n"
        "  unseen  throughput       1  10.0   10.0               2.0      1.0       -      -\n");
    for (int i = 0; i < 2; i++)
        rc_beside_free(&r[i]);
}

static void explained(const rc_beside_run *r, const char *want) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(rc_beside_explain(r, f, &err), RC_OK);
    (void)fclose(f);
    says(text, size, want);
}

static void test_explain(void **state) {
    (void)state;
    rc_beside_run r = one("a", RC_SET_SEEN);
    explained(
        &r,
        "# a: error of the model's time on the GPU, by kind, new tokens of prompts and sequences "
        "that decode\n"
        "# passes of  tokens of prompts  sequences  passes  measured  of the sum  median  95th\n"
        "# -          -                  -               -         s           %       %     %\n"
        "  prompt     128..255           -               1     0.010        10.0    10.0  10.0\n"
        "  mixed      4..7               4..7            1     0.004       -25.0    25.0  25.0\n"
        "  decode     -                  1               2     0.006         1.7    17.5  24.2\n"
        "\n"
        "# the passes whose time on the GPU is furthest off, the worst first\n"
        "# pass     at  kind    prompts  their tokens  sequences  their keys   host  measured   "
        "model\n"
        "#    -      s  -             -             -          -           -     ms        ms      "
        "ms\n"
        "     1  0.000  prompt        1           128          0           0  1.000    10.000  "
        "11.000\n"
        "     2  0.011  mixed         1             7          4          90  1.000     4.000   "
        "3.000\n"
        "     5  1.024  decode        0             0          2          83  2.000     0.000   "
        "1.000\n"
        "     3  0.016  decode        0             0          1          40  1.000     2.000   "
        "2.500\n"
        "     4  1.019  decode        0             0          1          41  1.000     4.000   "
        "3.600\n");
    rc_beside_free(&r);
}

/* Thirteen passes, off by 1 to 12 ms either way, two by 4: the ten worst in their order. Of those that are off
 * by as much the earlier one comes first. Classes end at powers of two, the last ones that there are included. */
static void test_worst(void **state) {
    (void)state;
    static const int off[] = {5, -12, 1, 11, 9, -2, 8, -3, 7, 4, 10, -6, 4};
    rc_beside_run r = one("a", RC_SET_SEEN);
    r.log.count = 0;
    r.costs = realloc(r.costs, sizeof off / sizeof off[0] * sizeof *r.costs);
    assert_non_null(r.costs);
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        const rc_played_row row = {.start = (rc_time)i * 100 * MS,
                                   .took = 52 * MS,
                                   .host = 2 * MS,
                                   .decodes = i == 0 ? INT64_MAX : (int64_t)i,
                                   .context = (int64_t)i * 10};
        r.costs[i].gpu = (50 + off[i]) * MS;
        assert_int_equal(rc_played_log_add(&r.log, &row, &err), RC_OK);
    }
    explained(&r, "# a: error of the model's time on the GPU, by kind, new tokens of prompts and "
                  "sequences that decode\n"
                  "# passes of  tokens of prompts  sequences                                 "
                  "passes  measured  of the sum  median  95th\n"
                  "# -          -                  -                                              "
                  "-         s           %       %     %\n"
                  "  decode     -                  1                                              "
                  "1     0.050       -24.0    24.0  24.0\n"
                  "  decode     -                  2..3                                           "
                  "2     0.100        12.0    12.0  21.0\n"
                  "  decode     -                  4..7                                           "
                  "4     0.200         6.0    11.0  17.7\n"
                  "  decode     -                  8..15                                          "
                  "5     0.250         7.6    12.0  18.8\n"
                  "  decode     -                  4611686018427387904..9223372036854775807       "
                  "1     0.050        10.0    10.0  10.0\n"
                  "\n"
                  "# the passes whose time on the GPU is furthest off, the worst first\n"
                  "# pass     at  kind    prompts  their tokens            sequences  their keys   "
                  "host  measured   model\n"
                  "#    -      s  -             -             -                    -           -   "
                  "  ms        ms      ms\n"
                  "     2  0.100  decode        0             0                    1          10  "
                  "2.000    50.000  38.000\n"
                  "     4  0.300  decode        0             0                    3          30  "
                  "2.000    50.000  61.000\n"
                  "    11  1.000  decode        0             0                   10         100  "
                  "2.000    50.000  60.000\n"
                  "     5  0.400  decode        0             0                    4          40  "
                  "2.000    50.000  59.000\n"
                  "     7  0.600  decode        0             0                    6          60  "
                  "2.000    50.000  58.000\n"
                  "     9  0.800  decode        0             0                    8          80  "
                  "2.000    50.000  57.000\n"
                  "    12  1.100  decode        0             0                   11         110  "
                  "2.000    50.000  44.000\n"
                  "     1  0.000  decode        0             0  9223372036854775807           0  "
                  "2.000    50.000  55.000\n"
                  "    10  0.900  decode        0             0                    9          90  "
                  "2.000    50.000  54.000\n"
                  "    13  1.200  decode        0             0                   12         120  "
                  "2.000    50.000  54.000\n");
    rc_beside_free(&r);
}

/* ---- as a picture ------------------------------------------------------------------------ */

static bool skipped;

/* Replies of one token have no gaps, and a run that served nobody no times at all: an axis without values is one all the same. */
static void test_plot(void **state) {
    (void)state;
    char dir[] = "/tmp/rc_beside_plot_XXXXXX", path[96];
    static const char *const kinds[] = {"png", "svg"};
    assert_non_null(mkdtemp(dir));
    for (int with = 2; with >= 0; with--) {
        rc_beside_run r = one("a", RC_SET_SEEN);
        bool drawn = false;
        for (int way = 0; way < RC_BESIDE_WAYS; way++) {
            r.play[way].gap.count = with > 1 ? 2 : 0;
            r.play[way].ttft.count = with > 0 ? 3 : 0;
            r.play[way].ttft.at[0] = 0.0; /* has no place on such an axis */
        }
        assert_int_equal(rc_beside_plot(&r, dir, false, &drawn, &err), RC_OK);
        for (int k = 0; k < 2 && drawn; k++) {
            (void)snprintf(path, sizeof path, "%s/serving-a.%s", dir, kinds[k]);
            assert_int_equal(unlink(path), 0);
        }
        rc_beside_free(&r);
        skipped = !drawn;
    }
    assert_int_equal(rmdir(dir), 0);
    if (skipped)
        print_message("SKIPPED: no gnuplot (Debian: gnuplot-nox)\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plot),    cmocka_unit_test(test_values),
        cmocka_unit_test(test_spreads), cmocka_unit_test(test_summaries),
        cmocka_unit_test(test_print),   cmocka_unit_test(test_explain),
        cmocka_unit_test(test_worst),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed > 0 ? 1 : skipped ? 77 : 0;
}
