/* What a tuning run makes of its cells, eight of them whose times are stated: lines without one threshold, the worth of the third
 * schedule, points of the fits for a variant and for a degree, and the interval that draws of a fit leave.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/tune/tune_run.c"
#include "sim/tune/tuned_rule.c"

enum { CELLS = 8 };

/* Of two ranks: pass-KV, pass-Q, all-gather; of one, both take 9 s. */
static const struct {
    rc_tune_cell cell;
    double kv, q, gather;
} stated[CELLS] = {{{10, 90, 0, true}, 5, 3, 2},    {{20, 80, 0, false}, 4, 4, 4},
                   {{40, 60, 0, true}, 3, 2, 1},    {{10, 190, 0, true}, NAN, 7, 1},
                   {{50, 150, 0, true}, 2, 3, NAN}, {{50, 150, 1, true}, 2, 1, 1},
                   {{100, 100, 1, true}, 1, 2, 5},  {{400, 0, 1, true}, NAN, NAN, NAN}};
static rc_tune_cell cells[CELLS];
static double times[CELLS * 2 * RC_TUNE_VARIANTS];
static rc_tune t;

static int setup(void **state) {
    (void)state;
    t = (rc_tune){.cells = cells, .time = times, .count = CELLS};
    t.s = (rc_tune_scenario){.degrees = 2, .degree = {1, 2}, .batches = 2, .total = {50, 20000, 2}};
    for (int i = 0; i < CELLS; i++) {
        double *x = &times[2 * RC_TUNE_VARIANTS * i];
        cells[i] = stated[i].cell;
        for (int k = 0; k < RC_TUNE_VARIANTS; k++)
            x[k] = 9.0;
        x += RC_TUNE_VARIANTS;
        x[RC_TUNE_KV] = stated[i].kv;
        x[RC_TUNE_Q] = stated[i].q;
        x[RC_TUNE_GATHER] = stated[i].gather;
    }
    return 0;
}

/* Four lines: in the first the winner changes twice, at a tie to pass-KV; in the third once; two cells do not fit. */
static void test_lines(void **state) {
    (void)state;
    count_ambiguous(&t);
    assert_int_equal(t.lines, 4);
    assert_int_equal(t.ambiguous, 1);
    assert_int_equal(t.not_fitting, 2);
    setup(NULL);
    t.count = 3; /* the last line counts, too */
    count_ambiguous(&t);
    assert_true(t.lines == 1 && t.ambiguous == 1 && t.not_fitting == 0);
    setup(NULL);
    cells[2].train = false;
    t.count = 2; /* one change is a threshold */
    count_ambiguous(&t);
    assert_true(t.lines == 1 && t.ambiguous == 0);
}

/* Of five cells where all three fit, all-gather is faster in two: 2 s for 3, and 1 for 2. */
static void test_gather(void **state) {
    (void)state;
    compare_all_gather(&t);
    assert_true(fabs(t.gather_share - 0.4) < 1e-12);
    assert_true(fabs(t.gather_gain - (1.0 / 3.0 + 0.5) / 2.0) < 1e-12);
    t.count = 0;
    compare_all_gather(&t);
    assert_true(t.gather_share == 0.0 && t.gather_gain == 0.0);
}

static void points_are(const rc_fit_point *found, size_t n, const double (*want)[3], size_t count) {
    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++)
        if (found[i].t != want[i][0] || found[i].length != want[i][1] ||
            fabs(found[i].gain - want[i][2]) > 1e-12 || found[i].weight != 1.0)
            fail_msg("point %zu: %g of %g, %g", i, found[i].t, found[i].length, found[i].gain);
}

/* Cells of the training half and of the batch: by how much pass-KV is better (above 0) or worse. */
static void test_variant_points(void **state) {
    static const double first[][3] = {{10, 100, 1 - 5.0 / 3}, {40, 100, 1 - 1.5}, {50, 200, 0.5}};
    static const double second[][3] = {{50, 200, -1}, {100, 200, 1}};
    rc_fit_point out[CELLS];
    (void)state;
    points_are(out, variant_points(&t, 1, 0, out), first, 3);
    points_are(out, variant_points(&t, 1, 1, out), second, 2);
}

/* Two ranks beside one at a price of so many times the ranks: the faster schedule that fits, 9 s on one rank. */
static void test_degree_points(void **state) {
    static const double paid[][3] = {{10, 100, 9.0 / 6 - 1},
                                     {40, 100, 9.0 / 4 - 1},
                                     {10, 200, 1 - 14.0 / 9},
                                     {50, 200, 9.0 / 4 - 1}};
    static const double free_of[][3] = {
        {10, 100, 2}, {40, 100, 3.5}, {10, 200, 9.0 / 7 - 1}, {50, 200, 3.5}};
    static const double second[][3] = {{50, 200, 3.5}, {100, 200, 3.5}};
    rc_fit_point out[CELLS];
    (void)state;
    points_are(out, degree_points(&t, 0, 0, 1.0, out), paid, 4);
    points_are(out, degree_points(&t, 0, 0, 0.0, out), free_of, 4);
    points_are(out, degree_points(&t, 0, 1, 1.0, out), second, 2);
}

/* The shortest length at which pass-Q is the faster in the training half, in the middle of the axis: not below 1.1 times its
 * begin, not above the root of both ends. */
static void test_first_length(void **state) {
    (void)state;
    assert_true(first_length(&t) == 100.0);
    cells[0].train = cells[2].train = false;
    assert_true(first_length(&t) == 200.0);
    cells[5].train = false;
    assert_true(fabs(first_length(&t) - 1000.0) < 1e-9);
    setup(NULL);
    t.s.total.from = 95;
    assert_true(fabs(first_length(&t) - 104.5) < 1e-9);
}

/* Of 41 draws, the numbers from 1 to 41 in some order, nine tenths of the way lie from the 3rd to the 39th. */
static void test_interval(void **state) {
    enum { DRAWS = 41, KNOTS = 3 };
    static double t_star[DRAWS * 2 * KNOTS];
    const resampling b = {.t = &t, .t_star = t_star};
    (void)state;
    t.s.bootstrap = DRAWS;
    t.s.knots = KNOTS;
    for (int i = 0; i < DRAWS; i++)
        for (int d = 0; d < 2; d++)
            for (int k = 0; k < KNOTS; k++)
                t_star[(i * 2 + d) * KNOTS + k] = 1000 * d + 100 * k + 1 + (i * 7 + d + k) % DRAWS;
    quantiles(&t, &b);
    for (int d = 0; d < 2; d++)
        for (int k = 0; k < KNOTS; k++) {
            assert_true(t.table_low[d][k] == 1000 * d + 100 * k + 3);
            assert_true(t.table_high[d][k] == 1000 * d + 100 * k + 39);
        }
}

/* The knots of the table: the axis' begin, then evenly by logarithm from the first length to its end; the rest is the scenario's. */
static void test_axes(void **state) {
    (void)state;
    t.s.knots = 4;
    t.s.prices = 2;
    t.s.price[1] = 0.5;
    t.s.batch[0] = 2, t.s.batch[1] = 6;
    t.s.layout = (rc_layout){.tp = 4, .attn_weights = RC_FP8, .ffn_weights = RC_INT4, .kv = RC_FP8};
    t.s.fresh = (rc_tune_axis){16, 640, 3};
    (void)snprintf(t.s.name, sizeof t.s.name, "a");
    (void)snprintf(t.s.machine.name, sizeof t.s.machine.name, "b");
    (void)snprintf(t.s.model.name, sizeof t.s.model.name, "c");
    axes(&t);
    const rc_select_table *s = &t.table;
    static const double want[] = {50, 100, 1414.21, 20000};
    for (int k = 0; k < 4; k++)
        assert_true(fabs(s->length[k] / want[k] - 1.0) < 1e-3);
    assert_true(s->tp == 4 && s->attn_weights == RC_FP8 && s->ffn_weights == RC_INT4 &&
                s->kv == RC_FP8);
    assert_true(s->fresh_from == 16.0 && s->fresh_to == 640.0 && s->knots == 4);
    assert_true(s->degrees == 2 && s->degree[0] == 1 && s->degree[1] == 2);
    assert_true(s->batches == 2 && s->batch[0] == 2 && s->batch[1] == 6);
    assert_true(s->prices == 2 && s->price[0] == 0.0 && s->price[1] == 0.5);
    assert_string_equal(s->name, "a");
    assert_string_equal(s->machine, "b");
    assert_string_equal(s->model, "c");
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(test_lines),         T(test_gather),       T(test_variant_points),
        T(test_degree_points), T(test_first_length), T(test_interval),
        T(test_axes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
