/* The plan of a matrix product: waves of tiles, traffic, and what grows with what.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "sim/cost/book.h"
#include "sim/cost/builtin.h"
#include "sim/cost/gemm_plan.h"
#include "tests/support/cost_store.h"

static const rc_product_rates H100 = {.flops = 8.1e14, .bytes = 3.0e12, .sms = 132.0};
static const rc_product_rates FP8 = {.flops = 1.52e15, .bytes = 2.84e12, .sms = 132.0};

static double us(const rc_product_rates *r, rc_dtype d, double m, double n, double k) {
    return 1e6 * exp(rc_gemm_plan(r, d, m, n, k));
}

/* 6 x 18 tiles of 128 x 128 are one wave, 8 x 18 are two: the H100 measures 45.9 and 86.5 us. */
static void test_one_tile_more_than_sms_is_another_wave(void **state) {
    (void)state;
    double one = us(&FP8, RC_FP8, 768, 2304, 16384), two = us(&FP8, RC_FP8, 1024, 2304, 16384);
    assert_true(two > 1.7 * one && two < 2.0 * one);
    assert_true(us(&FP8, RC_FP8, 1536, 2304, 16384) < 1.1 * two);
    assert_true(fabs(us(&FP8, RC_FP8, 768, 2304, 16384) / 45.9 - 1.0) < 0.1);
    assert_true(fabs(us(&FP8, RC_FP8, 1024, 2304, 16384) / 86.5 - 1.0) < 0.1);
}

/* Large products run at the best rate, few tokens at the rate of the weights. */
static void test_the_two_ends(void **state) {
    (void)state;
    double flops = 2.0 * 16384 * 16384 * 16384, weights = 2.0 * 16384 * 16384;
    assert_true(fabs(flops / us(&H100, RC_BF16, 16384, 16384, 16384) / 810e6 - 1.0) < 0.08);
    assert_true(fabs(weights / us(&H100, RC_BF16, 1, 16384, 16384) / 3.0e6 - 1.0) < 0.08);
}

static const rc_product_rates BLOCKS = {.flops = 1.35e15, .bytes = 2.42e12, .sms = 132.0};

/* With a scale for each block a wave of tiles is a wave as well, whatever they sum up: 32 x 4 tiles of 128 x 128 on
 * the H100 take 24.7 us, twice as many 48.1 (4,096 and 8,192 tokens, 512 outputs, 7,168 inputs). */
static void test_waves_of_blocks(void **state) {
    (void)state;
    const double one = us(&BLOCKS, RC_FP8_BLOCK, 4096, 512, 7168);
    const double two = us(&BLOCKS, RC_FP8_BLOCK, 8192, 512, 7168);
    assert_true(two > 1.6 * one && two < 2.1 * one);
    assert_true(fabs(two / 48.1 - 1.0) < 0.1);
    assert_true(us(&BLOCKS, RC_FP8_BLOCK, 8192, 7168, 16384) >
                1.1 * us(&FP8, RC_FP8, 8192, 7168, 16384));
    assert_int_equal(rc_product_type_of(RC_FP8_BLOCK), 2);
    assert_int_equal(rc_product_type_of(RC_INT8), RC_PRODUCT_TYPES);
}

/* Doubling N or K never costs less, nor does doubling M where the rate of reading is one (up to 64
 * tokens, and from 128 on). */
static void test_more_work_takes_no_less(void **state) {
    (void)state;
    for (double n = 1; n <= 1 << 17; n *= 1.37)
        for (double m = 1; m <= 1 << 15; m *= 3) {
            double here = us(&H100, RC_BF16, m, ceil(n), 8192);
            assert_true(us(&H100, RC_BF16, m, ceil(1.37 * n), 8192) >= here);
            assert_true(us(&H100, RC_BF16, m, ceil(n), 8192 * 2) >= here);
            if (m >= 128 || m * 3 <= 64)
                assert_true(us(&H100, RC_BF16, m * 3, ceil(n), 8192) >= here);
        }
}

/* Fewer SMs, more waves. */
static void test_other_parts(void **state) {
    (void)state;
    rc_product_rates small = FP8;
    small.sms = 108.0;
    assert_true(us(&small, RC_FP8, 1408, 1408, 16384) > 1.15 * us(&FP8, RC_FP8, 1408, 1408, 16384));
    assert_true(rc_gpu_sms("NVIDIA H100 80GB HBM3") == 132.0);
    assert_true(rc_gpu_sms("NVIDIA H200") == 132.0);
    assert_true(rc_gpu_sms("NVIDIA H20") == 78.0);
    assert_true(rc_gpu_sms("NVIDIA A100-SXM4-80GB") == 108.0);
    assert_true(rc_gpu_sms("a part that nobody knows") == 132.0);
}

/* Between shapes with rows time grows with N but for what the shapes themselves are off: at the
 * steps of waves, else hardly at all. */
static void test_a_shape_without_rows(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    rc_costs *c = NULL;
    rc_cost at, before = {0};
    (void)snprintf(m.base, sizeof m.base, "h100-sxm");
    assert_int_equal(rc_costs_open(NULL, &m, &c, NULL), RC_OK);
    for (int64_t n = 6000; n <= 9000; n += 8) {
        assert_int_equal(rc_cost_gemm(c, RC_BF16, 1, n, 8192, &at, NULL), RC_OK);
        assert_int_equal(at.basis, RC_MODELLED);
        if (before.p50 > 0.0)
            assert_true(at.p50 > 0.999 * before.p50 && at.p50 < 1.03 * before.p50);
        before = at;
    }
    rc_costs_close(c);
}

/* What the plan leaves of every measured product stands in the books that are compiled in, where their own build computed it: to
 * the bit what it leaves here. */
static void test_books_hold_what_is_left(void **state) {
    (void)state;
    static const char *const bases[] = {"h100-sxm", "h200-sxm"};
    size_t points = 0;
    for (int i = 0; i < 2; i++) {
        const rc_book *b = rc_builtin_book(bases[i], "power_limited");
        size_t n = 0;
        assert_non_null(b);
        const rc_grid *g = rc_book_grids(b, RC_COST_GEMM, &n);
        for (const rc_grid *end = g + n; g < end; g++)
            for (size_t k = 0; k < g->curves.series->n; k++) {
                const rc_knot *at = &g->curves.series->knot[k];
                const double plan = rc_gemm_plan(
                    rc_book_products(b, g->dtype), g->dtype, round(exp(at->x)),
                    (double)g->fixed.at[RC_AXIS_OUTPUTS], (double)g->fixed.at[RC_AXIS_INPUTS]);
                assert_true(at->rest == at->y - plan);
                points++;
            }
    }
    assert_true(points > 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_tile_more_than_sms_is_another_wave),
        cmocka_unit_test(test_the_two_ends),
        cmocka_unit_test(test_waves_of_blocks),
        cmocka_unit_test(test_more_work_takes_no_less),
        cmocka_unit_test(test_other_parts),
        cmocka_unit_test(test_a_shape_without_rows),
        cmocka_unit_test(test_books_hold_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
