/* Policies of degrees scored by hand, and every table that a tuning prints of a run whose figures are made up.
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

#include "sim/base/find.h"
#include "sim/tune/tune_internal.h"
#include "tests/support/json_figures.h"
#include "tests/support/printed.h"

enum { CELLS = 5, DEGREES = 3 };

/* Seconds by cell, CP degree (1, 2, 4) and variant (pass-KV, pass-Q, all-gather). The third cell does not fit on one
 * rank, the fourth nowhere, and the last is for fitting. */
#define NO NAN
static const double times[CELLS][DEGREES][RC_TUNE_VARIANTS] = {
    {{8, 8, 8}, {4.4, 5, 4.2}, {2.4, 3, 2.2}}, {{3, 3, 3}, {2, 1.8, 2.2}, {1.5, 1.2, 1.6}},
    {{NO, NO, NO}, {NO, 4, NO}, {3, 2.5, NO}}, {{NO, NO, NO}, {NO, NO, NO}, {NO, NO, NO}},
    {{9, 9, 9}, {9, 9, 9}, {9, 9, 9}},
};
static const int64_t fresh[CELLS] = {8192, 1000, 5000, 70000, 100};

static rc_tune *run;
static rc_tune_cell cells[CELLS];
static double flat[CELLS * DEGREES * RC_TUNE_VARIANTS];

static int setup(void **state) {
    char path[1024];
    (void)state;
    run = calloc(1, sizeof *run);
    assert_non_null(run);
    rc_tune_scenario *s = &run->s;
    assert_int_equal(
        rc_share_path("scenarios/machines", "h200-sxm", ".yaml", path, sizeof path, NULL), RC_OK);
    assert_int_equal(rc_machine_load(path, &s->machine, NULL), RC_OK);
    snprintf(s->name, sizeof s->name, "made-up");
    snprintf(s->machine.name, sizeof s->machine.name, "toy");
    snprintf(s->model.name, sizeof s->model.name, "small");
    s->machine.bf16_rate = 1e15, s->machine.nic_rate = 50e9;
    s->layout.tp = 8;
    memcpy(s->degree, (int[]){1, 2, 4}, 3 * sizeof(int));
    s->degrees = DEGREES;
    s->batch[0] = 1, s->batches = 1;
    s->price[0] = 0.0, s->price[1] = 1.0, s->prices = 2;
    s->fresh = (rc_tune_axis){100, 70000, 3}, s->total = (rc_tune_axis){2000, 200000, 4};
    for (int i = 0; i < CELLS; i++)
        cells[i] = (rc_tune_cell){.t = fresh[i], .p = 0, .train = i == CELLS - 1};
    memcpy(flat, times, sizeof flat);
    run->cells = cells, run->count = CELLS, run->time = flat;
    run->variants = RC_TUNE_VARIANTS;
    rc_select_table *t = &run->table;
    t->knots = 2, t->degrees = DEGREES, t->batches = 1, t->prices = 2;
    t->length[0] = 50, t->length[1] = 200000;
    memcpy(t->degree, s->degree, 3 * sizeof(int));
    t->batch[0] = 1, t->price[1] = 1.0;
    for (int d = 0; d < DEGREES; d++)
        for (int k = 0; k < 2; k++) {
            t->variant[d][0][k] = 6000;  /* pass-KV from there on */
            t->more[0][d][0][k] = 2000;  /* more ranks from there on, were they free */
            t->more[1][d][0][k] = 90000; /* never, where each costs */
        }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(run);
    return 0;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fmax(1.0, fabs(b));
}

/* Least times 2.4, 1.2 and 2.5 s on four ranks; least time x ranks 8, 3 and 8 on one, one and two. */
static const struct worked {
    int price;
    const char *name;
    double mean, p95, worst, latency, gpu; /* the last two: products over the three cells */
} worked[] = {
    {0, "never", (700 / 3.0 + 150 + 60) / 3, 700 / 3.0, 700 / 3.0, 8 / 2.4 * 3 / 1.2 * 4 / 2.5, 1},
    {0, "always, pass-kv", 15, 25, 25, 1.25 * 1.2, 1.2 * 2 * 1.5},
    {0, "always, faster variant", 0, 0, 0, 1, 1.2 * 1.6 * 1.25},
    {0, "from T = 4096, pass-kv", 170 / 3.0, 150, 150, 2.5 * 1.2, 1.2 * 1.5},
    {0, "tuned", 50, 150, 150, 2.5, 1.2 * 1.25},
    {0, "oracle", 0, 0, 0, 1, 1.2 * 1.6 * 1.25},
    {0, "oracle, all-gather too", -25 / 9.0, 0, 0, 2.2 / 2.4, 1.1 * 1.6 * 1.25},
    {1, "never", 0, 0, 0, 8 / 2.4 * 3 / 1.2 * 4 / 2.5, 1},
    {1, "always, pass-kv", 170 / 3.0, 100, 100, 1.25 * 1.2, 1.2 * 2 * 1.5},
    {1, "always, faster variant", 35, 60, 60, 1, 1.2 * 1.6 * 1.25},
    {1, "from T = 4096, pass-kv", 70 / 3.0, 50, 50, 2.5 * 1.2, 1.2 * 1.5},
    {1, "tuned", 0, 0, 0, 8 / 2.4 * 3 / 1.2 * 4 / 2.5, 1},
    {1, "oracle", 0, 0, 0, 8 / 2.4 * 3 / 1.2 * 4 / 2.5, 1},
    {1, "oracle, all-gather too", 0, 0, 0, 8 / 2.4 * 3 / 1.2 * 4 / 2.5, 1},
};

static void test_policies(void **state) {
    (void)state;
    assert_int_equal(rc_tune_policies(run, NULL), RC_OK);
    assert_int_equal(run->policies, 7);
    for (size_t i = 0; i < sizeof worked / sizeof worked[0]; i++) {
        const struct worked *w = &worked[i];
        const rc_tune_policy *p = &run->policy[w->price][i % 7];
        assert_string_equal(p->name, w->name);
        assert_int_equal(p->points, 3);
        if (!near(p->regret_pct, w->mean) || !near(p->p95_pct, w->p95) ||
            !near(p->worst_pct, w->worst) || !near(p->latency, cbrt(w->latency)) ||
            !near(p->gpu_seconds, cbrt(w->gpu)))
            fail_msg("price %d, %s: regret %g, p95 %g, worst %g, latency %g, GPU %g", w->price,
                     w->name, p->regret_pct, p->p95_pct, p->worst_pct, p->latency, p->gpu_seconds);
    }
}

/* The first four cells as requests, of which the last fits nowhere. GPU seconds: times x ranks x 8. */
static const struct served {
    const char *policy;
    double price, gpu_seconds, mean, p50, p95, cp, q;
} served[] = {
    {"never", NO, 8 * (8 + 3 + 2 * 4), 5, 4, 8, 1 / 3.0, 1 / 3.0},
    {"always, pass-kv", NO, 8 * 4 * (2.4 + 1.5 + 3), 2.3, 2.4, 3, 1, 0},
    {"always, faster variant", NO, 8 * 4 * (2.4 + 1.2 + 2.5), 6.1 / 3, 2.4, 2.5, 1, 2 / 3.0},
    {"from T = 4096, pass-kv", NO, 8 * (4 * 2.4 + 3 + 4 * 3), 2.8, 3, 3, 2 / 3.0, 0},
    {"tuned", 0, 8 * (4 * 2.4 + 3 + 4 * 2.5), 7.9 / 3, 2.5, 3, 2 / 3.0, 1 / 3.0},
    {"tuned", 1, 8 * (8 + 3 + 2 * 4), 5, 4, 8, 1 / 3.0, 1 / 3.0},
    {"oracle", 0, 8 * 4 * (2.4 + 1.2 + 2.5), 6.1 / 3, 2.4, 2.5, 1, 2 / 3.0},
    {"oracle", 1, 8 * (8 + 3 + 2 * 4), 5, 4, 8, 1 / 3.0, 1 / 3.0},
    {"oracle, all-gather too", 0, 8 * 4 * (2.2 + 1.2 + 2.5), 5.9 / 3, 2.2, 2.5, 1, 2 / 3.0},
    {"oracle, all-gather too", 1, 8 * (8 + 3 + 2 * 4), 5, 4, 8, 1 / 3.0, 1 / 3.0},
};
enum { SERVED = sizeof served / sizeof served[0] };

static void serve(rc_tune_requests *r) {
    run->count = CELLS - 1;
    assert_int_equal(rc_tune_serve(run, r, NULL), RC_OK);
    run->count = CELLS;
}

static void test_requests(void **state) {
    (void)state;
    rc_tune_requests *r = &run->requests[0];
    serve(r);
    assert_true(r->requests == 4 && r->dropped == 1 && r->q_share == 0.5);
    assert_int_equal(r->rows, SERVED);
    for (int i = 0; i < SERVED; i++) {
        const struct served *w = &served[i];
        const rc_tune_served *s = &r->row[i];
        assert_string_equal(s->policy, w->policy);
        assert_true(isnan(w->price) ? isnan(s->price) : s->price == w->price);
        if (!near(s->gpu_seconds, w->gpu_seconds) || !near(s->mean, w->mean) ||
            !near(s->p50, w->p50) || !near(s->p95, w->p95) || !near(s->cp_share, w->cp) ||
            !near(s->q_share, w->q))
            fail_msg("%s: %g GPU-s, mean %g, p50 %g, p95 %g, CP %g, Q %g", s->policy,
                     s->gpu_seconds, s->mean, s->p50, s->p95, s->cp_share, s->q_share);
    }
    memset(r, 0, sizeof *r);
    run->variants = 2; /* without all-gather there is no oracle of it */
    serve(r);
    assert_int_equal(r->rows, SERVED - 2);
}

/* ---- what is printed ------------------------------------------------------------------------- */

static void make_up(void) {
    run->passes = 45, run->rests[RC_MEASURED] = 0.75, run->rests[RC_MODELLED] = 0.25;
    rc_choose_rates *r = &run->rates[run->s.degrees - 1];
    r->c = run->s.machine.bf16_rate, r->bw = run->s.machine.nic_rate;
    r->achieved_c = 512.5e12, r->achieved_bw = 26.25e9;
    run->not_fitting = 3, run->lines = 8, run->ambiguous = 2;
    run->gather_share = 0.125, run->gather_gain = 0.031;
    run->rules = 3;
    run->rule[0] = (rc_tune_rule){.name = "algorithm-1:refit",
                                  .origin = RC_TUNE_REFIT,
                                  .c = 1e15,
                                  .bw = 24.5e9,
                                  .low = {20e9},
                                  .high = {30.25e9},
                                  .score = {{7, 0.75, 1.25, 3.5, 4.75, 12.5, 20, 60.25},
                                            {6, 0.5, 2.25, 4.5, 5.75, 13.5, 21, 61.25}},
                                  .expected = {1.5, 2.5, 7},
                                  .table_hits = 12,
                                  .table_rows = 14,
                                  .table_mean = 2.125,
                                  .table_worst = 9.5};
    run->rule[1] = run->rule[0];
    snprintf(run->rule[1].name, sizeof run->rule[1].name, "empirical:refit");
    run->rule[1].rule =
        (rc_rule){.kind = RC_RULE_EMPIRICAL, .alpha = -1.5, .beta = 0.25, .gamma = -0.125};
    run->rule[2] = run->rule[0];
    snprintf(run->rule[2].name, sizeof run->rule[2].name, "tuned");
    run->rule[2].origin = RC_TUNE_TABLE;
    run->s.draws = 16, run->s.bootstrap = 10;
    run->measured_count = 14;
    for (int d = 0; d < DEGREES; d++)
        for (int i = 0; i < RC_TUNE_CROSSINGS; i++)
            run->crossing[d][i] = (rc_tune_crossing){i < 20 ? 100 : 1000 * i, NAN, 0};
    run->crossing[1][20].t = 3210.4, run->crossing[2][20].side = 1, run->crossing[2][21].side = -1;
    run->s.sensitivity_cp = 4, run->s.sensitivity_total = 128000;
    run->variations = 2;
    run->variation[0] = (rc_tune_variation){"bandwidth", "x 2", 2, 1500.4, 1600.4, 0};
    run->variation[1] = (rc_tune_variation){"ranks", "8", 8, NAN, NAN, -1};
    run->request_files = 1;
    snprintf(run->requests[0].name, sizeof run->requests[0].name, "trace");
    run->requests[0].outside = 6;
}

static void print(void) {
    assert_int_equal(rc_tune_print(run, stdout, NULL), RC_OK);
}
static void print_csv(void) {
    assert_int_equal(rc_tune_csv(run, stdout, NULL), RC_OK);
}
static void print_json(void) {
    rc_json *j = rc_tune_document(run);
    assert_int_equal(rc_json_write(j, stdout, NULL), RC_OK);
    rc_json_destroy(j);
}

static void made_up(void) {
    assert_int_equal(rc_tune_policies(run, NULL), RC_OK);
    serve(&run->requests[0]);
    make_up();
}

static void holds(void (*what)(void), const char *part) {
    char *text = printed_by(what);
    assert_holds(text, part);
    free(text);
}

static void test_text(void **state) {
    (void)state;
    made_up();
    holds(print,
          "tuned rule: the faster ring in 75.00 % of 7 comparisons that it was not fitted on, mean "
          "regret "
          "1.2500 %, worst "
          "4.75 %\n# tune made-up: small on toy, TP8, CP 1,2,4\n"
          "# cells 5 (T 100..70000, T+P 2000..200000, batch 1), 1 for fitting; 45 forward passes\n"
          "# costs of these passes: measured 75.0 %, modelled 25.0 %\n"
          "# achieved: C 512.5 TFLOP/s of 1000, BW 26.25 GB/s of 50.0, a GPU\n"
          "# does not fit into memory: 3 of cells x degrees; winner changes more than once along "
          "T: 2 of 8 "
          "lines\n"
          "# all-gather pass-KV is faster than both in 12.5 % of cells x degrees, there by 3.1 % "
          "on average;");
    holds(print, "over 16 draws of the costs, on 7 of the comparisons\n");
    holds(print, "  algorithm-1:refit     1000  24.50       7  75.00     1.2500  3.500   4.75     "
                 "12.500   60.2    "
                 "1.5000      2.5000  BW 20.00..30.25\n"
                 "  empirical:refit          -      -       7  75.00     1.2500  3.500   4.75     "
                 "12.500   60.2    "
                 "1.5000      2.5000  -1.500 ln T +0.250 ln miss -0.125\n"
                 "  tuned                    -      -       7  75.00     1.2500  3.500   4.75     "
                 "12.500   60.2    "
                 "1.5000      2.5000  -\n");
    holds(print, "  algorithm-1:refit     1000  24.50     12    14        2.125   9.50\n"
                 "  empirical:refit          -      -     12    14        2.125   9.50\n"
                 "  tuned                    -      -     12    14        2.125   9.50\n");
    holds(print, "   20000    3210    6000  always KV    6000\n"
                 "   21000  no fit    6000   always Q    6000\n"
                 "   22000  no fit    6000     no fit    6000\n"
                 "   23000  no fit    6000     no fit    6000\n");
    holds(print, "# what moves T*, the number of new tokens from which on pass-KV is the faster "
                 "ring: CP4, T + P = 128000, one thing changed at a time\n");
    holds(print,
          "  bandwidth  x 2        1500         1600\n  ranks      8      always Q            -\n");
    holds(print_csv,
          "\nalgorithm-1:refit,1000,24.5,7,75,1.25,3.5,4.75,12.5,60.25,1.5,2.5,BW 20.00..30.25\n");
}

static void test_text_of_policies(void **state) {
    (void)state;
    made_up();
    holds(print, "# with CP at all, and of what degree: least time x nodes^0, the unseen half\n");
    holds(print, "  never                        3      147.778  233.33  233.33         2.371      "
                 "    1.000\n"
                 "  always, pass-kv              3       15.000   25.00   25.00         1.145      "
                 "    1.533\n");
    holds(print, "# trace: 4 requests, each alone (no queueing), 6 more left out, which the tuned "
                 "rule does not "
                 "cover, 1 fit nowhere; pass-Q the faster for 50.0 % of them on CP4\n");
    /* 152 and 180.8 GPU-s */
    run->requests[0].row[0].gpu_seconds = 152 * 3600,
    run->requests[0].row[4].gpu_seconds = 180.8 * 3600;
    holds(print, "  never                       -    152.00     5000.0  4000.0  8000.0     33.3    "
                 "   33.3\n");
    holds(print, "  tuned                     0.0    180.80     2633.3  2500.0  3000.0     66.7    "
                 "   33.3\n");
}

/* What is left out where nobody asked for it. */
static void test_less(void **state) {
    (void)state;
    made_up();
    run->s.bootstrap = 0, run->s.draws = 0, run->measured_count = 0, run->variations = 0;
    for (int d = 0; d < DEGREES; d++)
        run->crossing[d][20].length = 101; /* longer than the fewest new tokens, by one */
    for (int k = 0; k < 2; k++)
        run->table.variant[2][0][k] = 100; /* of which pass-KV is always the faster */
    char *text = printed_by(print);
    assert_null(strstr(text, "BW 20.00"));
    assert_null(strstr(text, "draws of the costs"));
    assert_null(strstr(text, "the same rules on measured times"));
    assert_null(strstr(text, "# what moves T*"));
    assert_null(strstr(text, "\n    100  "));
    assert_holds(text, "     101    3210    6000  always KV  always KV\n");
    free(text);
}

static const json_figure figures[] = {
    {"tp", 8},
    {"cells", 5},
    {"forward_passes", 45},
    {"does_not_fit", 3},
    {"lines", 8},
    {"lines_with_two_changes", 2},
    {"cost_sources/measured", 0.75},
    {"all_gather_fastest_share", 0.125},
    {"all_gather_mean_gain", 0.031},
    {"achieved_C", 512.5e12},
    {"achieved_BW", 26.25e9},
    {"rules/0/C", 1e15},
    {"rules/0/BW", 24.5e9},
    {"rules/0/points", 7},
    {"rules/0/hit_rate", 0.75},
    {"rules/0/fit_error_mean_pct", 1.25},
    {"rules/0/fit_error_p95_pct", 3.5},
    {"rules/0/fit_error_worst_pct", 4.75},
    {"rules/0/fit_error_mean_ms", 12.5},
    {"rules/0/fit_error_p95_ms", 20},
    {"rules/0/fit_error_worst_ms", 60.25},
    {"rules/0/expected_regret_pct", 1.5},
    {"rules/0/expected_regret_p95_pct", 2.5},
    {"rules/3/points", 6},
    {"refit/0/value", 24.5e9},
    {"refit/0/low", 20e9},
    {"refit/0/high", 30.25e9},
    {"refit/1/value", -1.5},
    {"refit/2/value", 0.25},
    {"refit/3/value", -0.125},
    {"measured/0/hits", 12},
    {"measured/0/rows", 14},
    {"measured/0/mean_regret_pct", 2.125},
    {"measured/0/worst_regret_pct", 9.5},
    {"dynamic_cp/1/price", 0},
    {"dynamic_cp/1/points", 3},
    {"dynamic_cp/1/mean_regret_pct", 15},
    {"dynamic_cp/1/p95_regret_pct", 25},
    {"dynamic_cp/4/p95_regret_pct", 150},
    {"dynamic_cp/1/worst_regret_pct", 25},
    {"dynamic_cp/2/ttft_over_least", 1},
    {"dynamic_cp/0/gpu_seconds_over_least", 1},
    {"dynamic_cp/8/price", 1},
    {"requests/0/requests", 4},
    {"requests/0/fit_nowhere", 1},
    {"requests/0/left_out", 6},
    {"requests/0/pass_q_faster_share", 0.5},
    {"requests/0/policies/4/price", 0},
    {"requests/0/policies/0/gpu_seconds", 152},
    {"requests/0/policies/1/ttft_mean_ms", 2300},
    {"requests/0/policies/1/ttft_p50_ms", 2400},
    {"requests/0/policies/1/ttft_p95_ms", 3000},
    {"requests/0/policies/1/cp_share", 1},
    {"requests/0/policies/1/pass_q_share", 0},
    {"crossovers/20/cp", 2},
    {"crossovers/20/length", 20000},
    {"crossovers/20/t_star", 3210.4},
    {"crossovers/44/cp", 4},
    {"thresholds/0/cp", 2},
    {"thresholds/0/length", 50},
    {"thresholds/1/length", 200000},
    {"thresholds/0/t_star", 6000},
    {"thresholds/0/low", 5000},
    {"thresholds/0/high", 7000},
    {"sensitivity/0/x", 2},
    {"sensitivity/0/t_star", 1500.4},
    {"sensitivity/0/algorithm_1", 1600.4},
};

static void test_json(void **state) {
    (void)state;
    made_up();
    run->s.knots = 2;
    run->table_low[1][0] = 5000, run->table_high[1][0] = 7000;
    char *text = printed_by(print_json);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        assert_json_number(root, figures[i].path, figures[i].value);
    static const struct {
        const char *list;
        size_t count;
    } lists[] = {{"rules", 6},
                 {"refit", 4},
                 {"measured", 3},
                 {"dynamic_cp", 14},
                 {"requests", 1},
                 {"requests/0/policies", SERVED},
                 {"crossovers", 2 * RC_TUNE_CROSSINGS},
                 {"thresholds", 4},
                 {"sensitivity", 2}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_int_equal(json_array_size(json_at(root, lists[i].list)), lists[i].count);
    static const struct {
        const char *path, *is;
    } words[] = {{"tune", "made-up"},
                 {"machine", "toy"},
                 {"model", "small"},
                 {"rules/0/name", "algorithm-1:refit"},
                 {"rules/0/split", "test"},
                 {"rules/3/split", "train"},
                 {"refit/0/rule", "algorithm-1:refit"},
                 {"refit/0/coefficient", "BW"},
                 {"refit/1/coefficient", "alpha"},
                 {"refit/2/coefficient", "beta"},
                 {"refit/3/coefficient", "gamma"},
                 {"measured/2/name", "tuned"},
                 {"dynamic_cp/0/policy", "never"},
                 {"requests/0/file", "trace"},
                 {"requests/0/policies/0/policy", "never"},
                 {"crossovers/44/always", "pass-kv"},
                 {"crossovers/45/always", "pass-q"},
                 {"sensitivity/0/what", "bandwidth"},
                 {"sensitivity/0/label", "x 2"},
                 {"sensitivity/1/always", "pass-q"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_json_text(root, words[i].path, words[i].is);
    assert_true(json_is_null(json_at(root, "rules/1/C")) &&
                json_is_null(json_at(root, "rules/2/BW")));
    assert_null(json_object_get(json_at(root, "rules/3"), "expected_regret_pct"));
    assert_null(json_object_get(json_at(root, "crossovers/20"), "always"));
    json_decref(root);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_of_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_less, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
