/* What is printed, written and drawn of forecasts beside runs, cell by cell: runs whose errors are made up.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "sim/validate/validate.h"
#include "tests/support/json_figures.h"
#include "tests/support/printed.h"

/* Of a context of 8,192 tokens, over two ranks; times in ms. Errors of the forecast: +2, -5, 0, +2, +4 and -10 %. */
static const struct made_up {
    const char *name, *schedule, *transport;
    int64_t t;
    double measured, time[RC_METHODS], p5, p95;
    bool decode;
    rc_run_set set;
} made_up[] = {
    {"a-kv", "pass-kv", "shm", 1024, 100, {102, 50, 80}, 95, 101, false, RC_SET_SEEN},
    {"a-q", "pass-q", "shm", 1024, 120, {114, 60, 108}, 115, 119, false, RC_SET_SEEN},
    {"b-kv", "pass-kv", "shm", 2048, 300, {300, 150, 240}, 300, 310, false, RC_SET_SEEN},
    {"b-q", "pass-q", "shm", 2048, 250, {255, 125, 200}, 240, 250, false, RC_SET_SEEN},
    {"c-tp", "tp", "nvlink", 64, 10, {10.4, 5, 8}, NAN, NAN, false, RC_SET_SEEN},
    {"d-tp", "tp", "nvlink", 1, 4, {3.6, 2, 3}, 3.5, 4.5, true, RC_SET_UNSEEN},
    {"e-tp", "tp", "nvlink", 64, 7, {NAN, NAN, NAN}, NAN, NAN, false, RC_SET_UNSEEN},
};
enum { RUNS = sizeof made_up / sizeof made_up[0] };

static rc_measured_run runs[RUNS];
static rc_runs all;

static int setup(void **state) {
    (void)state;
    memset(runs, 0, sizeof runs);
    for (int i = 0; i < RUNS; i++) {
        const struct made_up *m = &made_up[i];
        const bool tp = strcmp(m->schedule, "tp") == 0;
        rc_measured_run *x = &runs[i];
        *x = (rc_measured_run){.schedule = rc_schedule_named(m->schedule),
                               .decode = m->decode,
                               .cp = tp ? 1 : 2,
                               .tp = tp ? 2 : 1,
                               .hq = 16,
                               .hkv = 1,
                               .layers = 3,
                               .t = m->t,
                               .p = 8192 - m->t,
                               .batch = 1,
                               .graph = !tp,
                               .sms = 124,
                               .ctas = 8,
                               .measured = 1e-3 * m->measured,
                               .p5 = 1e-3 * m->p5,
                               .p95 = 1e-3 * m->p95,
                               .set = m->set};
        for (int k = 0; k < RC_METHODS; k++)
            x->time[k] = 1e-3 * m->time[k];
        snprintf(x->name, sizeof x->name, "%s", m->name);
        snprintf(x->transport, sizeof x->transport, "%s", m->transport);
        snprintf(x->machine, sizeof x->machine, "h200-sxm");
    }
    snprintf(runs[6].why, sizeof runs[6].why, "no rows");
    runs[4].transferred = 0.25;
    all = (rc_runs){.v = runs, .n = RUNS, .room = RUNS, .folders = 1, .folder = {"host-a"}};
    all.scale[RC_BY_ROOFLINE] = 2.0, all.scale[RC_BY_ALPHA_BETA] = 1.25;
    return 0;
}

static void print(void) {
    assert_int_equal(rc_runs_print(&all, stdout, NULL), RC_OK);
}
static void print_csv(void) {
    assert_int_equal(rc_runs_csv(&all, stdout, NULL), RC_OK);
}
static void print_json(void) {
    assert_int_equal(rc_runs_json(&all, "-", false, NULL), RC_OK);
}

static void holds(void (*what)(void), const char *part) {
    char *text = printed_by(what);
    assert_holds(text, part);
    free(text);
}

static void test_cases(void **state) {
    (void)state;
    holds(print, "1 unseen runs: median error 10.00 %, 95th percentile 10.00 %\n");
    holds(print, "  a-kv  host-a  h200-sxm  shm        seen     100.000    102.000   95.000  "
                 "101.000    2.0     "
                 "-50.0       -20.0  \n"
                 "  a-q   host-a  h200-sxm  shm        seen     120.000    114.000  115.000  "
                 "119.000   -5.0     "
                 "-50.0       -10.0  \n"
                 "  b-kv  host-a  h200-sxm  shm        seen     300.000    300.000  300.000  "
                 "310.000    0.0     "
                 "-50.0       -20.0  \n"
                 "  b-q   host-a  h200-sxm  shm        seen     250.000    255.000  240.000  "
                 "250.000    2.0     "
                 "-50.0       -20.0  \n"
                 "  c-tp  host-a  h200-sxm  nvlink     seen      10.000     10.400        -        "
                 "-    4.0     "
                 "-50.0       -20.0  another part's rows\n"
                 "  d-tp  host-a  h200-sxm  nvlink     unseen     4.000      3.600    3.500    "
                 "4.500  -10.0     "
                 "-50.0       -25.0  \n"
                 "  e-tp  host-a  h200-sxm  nvlink     unseen     7.000          -        -        "
                 "-      -     "
                 "    -           -  no rows\n");
    holds(print_csv, "\na-q,host-a,h200-sxm,shm,seen,120,114,115,119,-5,-50,-10,\n");
    holds(print_csv, "\ne-tp,host-a,h200-sxm,nvlink,unseen,7,,,,,,,no rows\n");
    for (int i = 0; i < RUNS;
         i++) /* none is unseen: the answer is of all, of which one has no forecast */
        runs[i].set = RC_SET_SEEN;
    /* 0, 2, 2, 4, 5 and 10 */
    holds(print, "6 runs: median error 3.00 %, 95th percentile 8.75 %\n");
}

/* Seen: 0, 2, 2, 4 and 5 %, of which the prefills over rings lack the 4; both of the faster ones are told; of four
 * intervals one ends before the run. */
static void test_accuracy(void **state) {
    (void)state;
    holds(print, "# roofline times 2.000, alpha-beta times 1.250, as is best for the seen runs\n");
    holds(print, "  seen    all        all      simulation      5    2.00   4.80    0.60  2 of 2   "
                 "         3 of 4\n"
                 "  seen    all        all      roofline        5   50.00  50.00  -50.00  2 of 2   "
                 "         -\n"
                 "  seen    all        all      alpha_beta      5   20.00  20.00  -18.00  2 of 2   "
                 "         -\n"
                 "  seen    all        prefill  simulation      4    2.00   4.55   -0.25  2 of 2   "
                 "         3 of 4\n"
                 "  seen    all        prefill  roofline        4   50.00  50.00  -50.00  2 of 2   "
                 "         -\n"
                 "  seen    all        prefill  alpha_beta      4   20.00  20.00  -17.50  2 of 2   "
                 "         -\n"
                 "  seen    all        tp       simulation      1    4.00   4.00    4.00  -        "
                 "         -\n");
    holds(print, "  seen    nvlink     tp       simulation      1    4.00   4.00    4.00  -        "
                 "         -\n");
    holds(print, "  unseen  all        all      simulation      1   10.00  10.00  -10.00  -        "
                 "         1 of 1\n");
    holds(print, "  unseen  nvlink     decode   alpha_beta      1   25.00  25.00  -25.00  -        "
                 "         -\n");
    all.scale[RC_BY_ROOFLINE] = 0.0; /* no constant was fitted */
    all.n = 4;                       /* one transport alone is all of them */
    char *text = printed_by(print);
    assert_null(strstr(text, "as is best for"));
    assert_null(strstr(text, "seen    shm "));
    free(text);
}

/* log(KV / Q) goes from -0.1823 to 0.1823 between 1,024 and 2,048 tokens, in the forecast from -0.1112 to 0.1625; the
 * medians leave 1.4 % of it open, which is 2.7 % of T. */
static void test_crossing(void **state) {
    (void)state;
    holds(print, "1 of 1 within 10 %\n");
    holds(print, "  host-a  shm          8192  16 on 1       3  graph   124     8      1448        "
                 " 3       1357  "
                 "yes\n");
    runs[2].time[0] = 0.26; /* the forecast crosses late: at 2 to the 0.8514 times 1,024 */
    holds(print, ": 0 of 1 within 10 %\n");
    holds(print, "    8      1448         3       1848  no\n");
    runs[2].measured = 0.2515,
    runs[2].time[0] = 0.3; /* where the runs cross is not known to 10 % */
    runs[0].measured = 0.1195;
    holds(print, ": 0 of 0 within 10 %\n");
    all.n = 2; /* one T is no series */
    char *text = printed_by(print);
    assert_null(strstr(text, "new tokens at which"));
    free(text);
}

static const json_figure figures[] = {
    {"sets/seen/n", 5},
    {"sets/seen/median_abs_error_pct", 2},
    {"sets/seen/p95_abs_error_pct", 4.8},
    {"sets/seen/mean_error_pct", 0.6},
    {"sets/seen/winners_right", 2},
    {"sets/seen/winners_total", 2},
    {"sets/seen/inside", 3},
    {"sets/seen/drawn", 4},
    {"sets/seen/transports/shm/n", 4},
    {"sets/seen/transports/nvlink/mean_error_pct", 4},
    {"sets/seen/regimes/prefill/p95_abs_error_pct", 4.55},
    {"sets/seen/regimes/tp/n", 1},
    {"sets/unseen/regimes/decode/mean_error_pct", -10},
    {"baselines/roofline/seen/mean_error_pct", -50},
    {"baselines/alpha_beta/seen/mean_error_pct", -18},
    {"baselines/alpha_beta/unseen/transports/nvlink/n", 1},
    {"crossovers/0/total_tokens", 8192},
    {"crossovers/0/heads", 16},
    {"crossovers/0/kv_heads", 1},
    {"crossovers/0/sms", 124},
    {"crossovers/0/ctas", 8},
    {"cases/1/measured_s", 0.12},
    {"cases/1/simulation", 0.114},
    {"cases/1/roofline", 0.06},
    {"cases/1/alpha_beta", 0.108},
    {"cases/1/p5", 0.115},
    {"cases/1/p95", 0.119},
};

static void test_json(void **state) {
    (void)state;
    char *text = printed_by(print_json);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        assert_json_number(root, figures[i].path, figures[i].value);
    /* The middle of an axis of logarithms, and of the forecast as the table has it. */
    assert_json_number(root, "crossovers/0/measured_t", 1024.0 * sqrt(2.0));
    assert_true(fabs(json_number_value(json_at(root, "crossovers/0/predicted_t")) - 1357.1) < 0.1);
    assert_true(fabs(json_number_value(json_at(root, "crossovers/0/known")) - 0.02697) < 1e-5);
    assert_true(json_is_true(json_at(root, "crossovers/0/resolved")));
    assert_int_equal(json_array_size(json_at(root, "crossovers")), 1);
    assert_int_equal(json_array_size(json_at(root, "cases")), RUNS);
    assert_int_equal(json_object_size(json_at(root, "sets/seen/transports")), 2);
    assert_int_equal(json_object_size(json_at(root, "sets/unseen/regimes")), 1);
    assert_json_text(root, "schema", "validate-1");
    assert_json_text(root, "cases/0/case", "a-kv");
    assert_json_text(root, "cases/0/host", "host-a");
    assert_json_text(root, "cases/0/machine", "h200-sxm");
    assert_json_text(root, "cases/0/transport", "shm");
    assert_json_text(root, "cases/0/set", "seen");
    assert_json_text(root, "cases/6/why_not", "no rows");
    assert_json_text(root, "crossovers/0/transport", "shm");
    assert_null(json_object_get(json_at(root, "cases/0"), "why_not"));
    assert_true(json_is_null(json_at(root, "cases/6/simulation")));
    json_decref(root);
    free(text);
}

static void draws(const char *end, const char *part) {
    drawings d;
    bool drawn = false;
    drawings_begin(&d);
    assert_int_equal(rc_runs_plot(&all, d.dir, false, &drawn, NULL), RC_OK);
    char *text = drawing(&d, "validation", end);
    assert_holds(text, part);
    free(text);
    drawings_end(&d);
}

/* Measured and forecast in ms, residuals in %: seen and unseen runs, and both baselines of all. */
static void test_plot(void **state) {
    (void)state;
    draws("dat",
          "1 - -\n100 102 2\n120 114 -5\n300 300 0\n250 255 2\n10 10.4 4\n\n\n"
          "1 - -\n4 3.6 -10\n\n\n"
          "1 - -\n100 50 -50\n120 60 -50\n300 150 -50\n250 125 -50\n10 5 -50\n4 2 -50\n\n\n"
          "1 - -\n100 80 -20\n120 108 -10\n300 240 -20\n250 200 -20\n10 8 -20\n4 3 -25\n\n\n");
    /* 2 / 1.5 to 300 * 1.5 ms; 10 % are less than the least range of residuals. */
    draws("body", "set logscale x\nset xrange [1.33333:450]\n");
    draws("body", "set logscale y\nset yrange [1.33333:450]\n");
    draws("body", "set yrange [-15:15]\n");
    draws("body", "plot 5 with filledcurves y1=-5 ");
    runs[5].time[0] = 0.0048; /* 20 % more */
    draws("body", "set yrange [-21:21]\n");
    all.n = 0; /* nothing to draw has axes, too */
    draws("body", "set xrange [0.0666667:15]\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cases, setup),    cmocka_unit_test_setup(test_accuracy, setup),
        cmocka_unit_test_setup(test_crossing, setup), cmocka_unit_test_setup(test_json, setup),
        cmocka_unit_test_setup(test_plot, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
