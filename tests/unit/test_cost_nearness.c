/* Where a size lies among rows: how far between two, beyond the last, and between two curves, in doublings.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/cost/nearness.c"

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-9))
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* Rows at 1, 2, 8 and 128: half way between 2 and 8, two doublings apart, the squared distance is 2 x 4 x 1/2 x 1/2. */
static void test_along(void **state) {
    (void)state;
    static rc_knot knots[4];
    rc_series s = {.n = 4, .knot = knots};
    static const double at[] = {1.0, 2.0, 8.0, 128.0};
    for (int i = 0; i < 4; i++)
        knots[i].x = log(at[i]);
    static const struct {
        double x, between, beyond;
    } t[] = {{1.0, 0.0, 0.0},
             {2.0, 0.0, 0.0},
             {8.0, 0.0, 0.0},
             {128.0, 0.0, 0.0},
             {4.0, 2.0, 0.0},
             {32.0, 4.0, 0.0},
             {1.5, 4.0 * 0.5849625007211562 * 0.4150374992788438, 0.0},
             {16.0, 3.0, 0.0},
             {0.25, 0.0, 2.0},
             {256.0, 0.0, 1.0},
             {512.0, 0.0, 2.0},
             {64.0, 3.0, 0.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_nearness n = {0};
        along(&s, log(t[i].x), &n);
        near(n.reach[RC_HOW_BETWEEN], t[i].between);
        near(n.reach[RC_HOW_BEYOND], t[i].beyond);
    }
    rc_nearness n = {0};
    along(&s, log(2.0) + 5e-10, &n); /* the same size but for rounding */
    assert_true(n.reach[RC_HOW_BETWEEN] == 0.0);
    along(&s, log(128.0) + 5e-10, &n);
    along(&s, -5e-10, &n);
    assert_true(n.reach[RC_HOW_BEYOND] == 0.0 && n.reach[RC_HOW_BETWEEN] == 0.0);
    s.n = 1; /* a single row */
    along(&s, 0.0, &n);
    assert_true(n.reach[RC_HOW_BEYOND] == 0.0 && n.reach[RC_HOW_BETWEEN] == 0.0);
    along(&s, log(4.0), &n);
    near(n.reach[RC_HOW_BEYOND], 2.0);
}

/* Curves at 1, 4 and 16: the nearer of two answers; half way between them rounding decides. */
static void test_across(void **state) {
    (void)state;
    static rc_series s[3];
    const rc_curves c = {.series = s, .n = 3}, one = {.series = s, .n = 1};
    for (int i = 0; i < 3; i++)
        s[i].across = log(pow(4.0, i));
    static const struct {
        double u, reach;
        int of;
    } t[] = {{1.0, 0.0, 0},
             {4.0, 0.0, 1},
             {16.0, 0.0, 2},
             {0.5, 1.0, 0},
             {64.0, 2.0, 2},
             {2.0, 2.0, -1},
             {8.0, 2.0, -1},
             {1.9, 8.0 * 0.46299970930646 * 0.53700029069354, 0},
             {2.1, 8.0 * 0.53519468893665 * 0.46480531106335, 1}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_nearness n = {0};
        const rc_series *got = across(&c, log(t[i].u), &n);
        if (t[i].of >= 0 && got != &s[t[i].of])
            fail_msg("curve %d of %g", (int)(got - s), t[i].u);
        if (!(fabs(n.reach[RC_HOW_ACROSS] - t[i].reach) < 1e-6))
            fail_msg("%g across %g, by hand %g", n.reach[RC_HOW_ACROSS], t[i].u, t[i].reach);
    }
    rc_nearness n = {0};
    assert_ptr_equal(across(&one, log(8.0), &n), &s[0]);
    near(n.reach[RC_HOW_ACROSS], 3.0);
    assert_ptr_equal(across(&c, log(4.0) + 5e-10, &n), &s[1]);
}

/* Squares of the spreads, each as often as it is far, of the class. */
static void test_spread(void **state) {
    (void)state;
    static rc_class_errors e;
    rc_nearness n = {.reach = {2.0, 0.0, 3.0, 1.0, 0.5}};
    for (int how = 0; how < RC_HOW_COUNT; how++) {
        e.spread[5][RC_ERRORS_BF16][how] = 0.1 * (how + 1);
        e.spread[5][RC_ERRORS_FP8][how] = 0.2 * (how + 1);
        e.spread[5][RC_ERRORS_HEADS][how] = 0.3 * (how + 1);
    }
    const double sum = 2.0 * 1 + 3.0 * 9 + 1.0 * 16 + 0.5 * 25;
    near(rc_class_spread(&e, 5, RC_BF16, &n), 0.1 * sqrt(sum));
    near(rc_class_spread(&e, 5, RC_FP8, &n), 0.2 * sqrt(sum));
    n.other_heads = true;
    near(rc_class_spread(&e, 5, RC_FP8, &n), 0.3 * sqrt(sum));
}

/* Of a book by hand: products of 512 x 64 in bf16 of 1 and 4 tokens; causal attention of 16 queries behind keys, of 2 and 8 times
 * as many; full attention of 4 and of 16 queries over 64 keys. */
static void test_places(void **state) {
    (void)state;
    static rc_knot knots[8];
    static rc_series series[5];
    static rc_grid grids[3];
    static rc_book b;
    const double at[] = {1.0, 4.0, 2.0, 8.0, 64.0, 64.0};
    const int of_series[] = {0, 0, 1, 1, 2, 3};
    for (int i = 0; i < 6; i++)
        knots[i].x = log(at[i]);
    for (int i = 5; i >= 0; i--)
        series[of_series[i]].knot = &knots[i], series[of_series[i]].n++;
    series[1].across = log(16.0);
    series[2].across = log(4.0);
    series[3].across = log(16.0);
    const rc_axes heads = {{[RC_AXIS_QUERY_HEADS] = 8,
                            [RC_AXIS_KV_HEADS] = 1,
                            [RC_AXIS_HEAD_K] = 128,
                            [RC_AXIS_HEAD_V] = 128}};
    grids[0] = (rc_grid){.op = RC_COST_GEMM,
                         .fixed = {{[RC_AXIS_OUTPUTS] = 512, [RC_AXIS_INPUTS] = 64}},
                         .curves = {.series = &series[0], .n = 1}};
    grids[1] =
        (rc_grid){.op = RC_COST_FULL, .fixed = heads, .curves = {.series = &series[2], .n = 2}};
    grids[2] =
        (rc_grid){.op = RC_COST_PREFIX, .fixed = heads, .curves = {.series = &series[1], .n = 1}};
    b = (rc_book){.grids = grids, .count = 3};
    for (rc_op op = 0; op <= RC_OPS_MAX; op++)
        b.first[op] = op <= RC_COST_GEMM     ? 0
                      : op <= RC_COST_FULL   ? 1
                      : op <= RC_COST_PREFIX ? 2
                                             : 3;
    rc_axes x = {{[RC_AXIS_TOKENS] = 2, [RC_AXIS_OUTPUTS] = 512, [RC_AXIS_INPUTS] = 64}};
    rc_nearness n;
    rc_nearness_of(&b, RC_COST_GEMM, RC_BF16, &x, RC_MEASURED, &n);
    near(n.reach[RC_HOW_BETWEEN], 2.0);
    assert_true(n.reach[RC_HOW_OTHER] == 0.0 && n.reach[RC_HOW_STATE] == 0.0 && !n.other_heads);
    rc_nearness_of(&b, RC_COST_GEMM, RC_BF16, &x, RC_TRANSFERRED, &n);
    assert_true(n.reach[RC_HOW_STATE] == 1.0);
    rc_nearness_of(&b, RC_COST_GEMM, RC_BF16, &x, RC_PUBLISHED, &n);
    assert_true(n.reach[RC_HOW_STATE] == 0.0);
    x.at[RC_AXIS_INPUTS] = 65; /* of another shape, wherever it lies */
    rc_nearness_of(&b, RC_COST_GEMM, RC_BF16, &x, RC_MEASURED, &n);
    assert_true(n.reach[RC_HOW_OTHER] == 1.0 && n.reach[RC_HOW_BETWEEN] == 0.0);
    /* 4 keys a query, half way between 2 and 8 */
    x = heads;
    x.at[RC_AXIS_QUERIES] = 16;
    x.at[RC_AXIS_KEYS] = 64;
    rc_nearness_of(&b, RC_COST_PREFIX, RC_BF16, &x, RC_MEASURED, &n);
    near(n.reach[RC_HOW_BETWEEN], 2.0);
    assert_true(n.reach[RC_HOW_ACROSS] == 0.0 && !n.other_heads);
    /* 8 queries over 128 keys: between two curves, a doubling beyond the nearer one's only row */
    x.at[RC_AXIS_QUERIES] = 8;
    x.at[RC_AXIS_KEYS] = 128;
    rc_nearness_of(&b, RC_COST_FULL, RC_BF16, &x, RC_MEASURED, &n);
    near(n.reach[RC_HOW_ACROSS], 2.0);
    near(n.reach[RC_HOW_BEYOND], 1.0);
    x.at[RC_AXIS_HEAD_K] = 64;
    rc_nearness_of(&b, RC_COST_FULL, RC_BF16, &x, RC_MEASURED, &n);
    assert_true(n.other_heads && n.reach[RC_HOW_OTHER] == 1.0);
    assert_int_equal(rc_error_class_of(RC_FP8_BLOCK, false), RC_ERRORS_BLOCKS);
    assert_int_equal(rc_error_class_of(RC_FP8, false), RC_ERRORS_FP8);
    assert_int_equal(rc_error_class_of(RC_FP8_BLOCK, true), RC_ERRORS_HEADS);
    assert_int_equal(rc_error_class_of(RC_BF16, false), RC_ERRORS_BF16);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_along), cmocka_unit_test(test_across),
                                       cmocka_unit_test(test_spread),
                                       cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
