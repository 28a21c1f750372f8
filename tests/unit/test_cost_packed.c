/* Attention over keys in int4, and passes that pack and unpack: by hand from what rows of bf16 say.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/cost/cost.h"

static rc_machine machine;
static rc_costs *costs;
static const rc_heads heads = {16, 1, 128, 128};

static int open_costs(void **state) {
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    (void)state;
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/h100-sxm.yaml",
                   root != NULL ? root : ".");
    return rc_machine_load(path, &machine, NULL) != RC_OK ||
           rc_costs_open(NULL, &machine, &costs, NULL) != RC_OK;
}

static int close_costs(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static rc_cost decode(rc_dtype d, int64_t batch, int64_t context) {
    rc_cost c;
    assert_int_equal(rc_cost_decode(costs, d, batch, context, heads, &c, NULL), RC_OK);
    return c;
}

static bool near(double a, double b, double off) {
    return fabs(a - b) <= off * fabs(b);
}

/* Keys and values of 256 elements in 17/32 byte, queries and outputs beside them. */
static void test_reading(void **state) {
    (void)state;
    const double t = decode(RC_BF16, 1, 131072).p50, half = decode(RC_BF16, 1, 65536).p50;
    const double queries = 16 * (2.0 * 128 + 2.0 * 128), narrow = 16 * (17.0 / 32 * 128 + 256);
    const double ratio = (131072 * 256 * 17.0 / 32 + narrow) / (131072 * 512.0 + queries);
    const double fixed = 2.0 * half - t;
    const rc_cost c = decode(RC_INT4, 1, 131072);
    assert_true(fixed > 4e-6 && fixed < 12e-6);
    assert_true(near(c.p50, fixed + (t - fixed) * ratio, 1e-9));
    assert_int_equal(c.basis, RC_MODELLED);
    assert_true(c.spread >= 0.25);
}

/* Sequences of which one is longer: half the keys are half of the mean and half of the longest. */
static void test_reading_a_longer_one(void **state) {
    (void)state;
    rc_cost all, half, packed;
    const int64_t batch = 4, mean = 32768, longest = 98304;
    assert_int_equal(rc_cost_decode_ragged(costs, RC_BF16, batch, mean, longest, heads, &all, NULL),
                     RC_OK);
    assert_int_equal(
        rc_cost_decode_ragged(costs, RC_BF16, batch, mean / 2, longest / 2, heads, &half, NULL),
        RC_OK);
    assert_int_equal(
        rc_cost_decode_ragged(costs, RC_INT4, batch, mean, longest, heads, &packed, NULL), RC_OK);
    const double queries = 16 * (2.0 * 128 + 2.0 * 128), narrow = 16 * (17.0 / 32 * 128 + 256);
    const double ratio = ((double)mean * 256 * 17.0 / 32 + narrow) / ((double)mean * 512 + queries);
    const double fixed = 2.0 * half.p50 - all.p50;
    assert_true(fixed > 4e-6 && fixed < all.p50);
    assert_true(all.p50 > decode(RC_BF16, batch, mean).p50);
    if (!near(packed.p50, fixed + (all.p50 - fixed) * ratio, 1e-9))
        fail_msg("%g s, by hand %g", packed.p50, fixed + (all.p50 - fixed) * ratio);
}

/* The same line over the bytes of fp8 comes near to what was measured of fp8, which it does not see. */
static void test_line_against_rows_of_fp8(void **state) {
    (void)state;
    const int64_t batch[] = {1, 8, 32}, context[] = {32768, 131072};
    for (int i = 0; i < 6; i++) {
        const double t = decode(RC_BF16, batch[i % 3], context[i / 3]).p50;
        const double half = decode(RC_BF16, batch[i % 3], context[i / 3] / 2).p50;
        const double fixed = fmax(2.0 * half - t, 4e-6);
        assert_true(
            near(fixed + (t - fixed) / 2.0, decode(RC_FP8, batch[i % 3], context[i / 3]).p50, 0.2));
    }
}

/* Unpacking binds where lanes are slow: 1.5 instructions an element of 1/32 of the FLOPs. */
static void test_unpacking(void **state) {
    (void)state;
    rc_machine slow = machine;
    rc_costs *other;
    rc_cost c;
    slow.bf16_rate = 40e12;
    assert_int_equal(rc_costs_open(NULL, &slow, &other, NULL), RC_OK);
    const rc_heads wide = {1, 1, 128, 128};
    assert_int_equal(rc_cost_decode(other, RC_INT4, 64, 131072, wide, &c, NULL), RC_OK);
    rc_costs_close(other);
    const double elements = 64.0 * 131072 * 256;
    assert_true(near(c.p50, 1.5 * elements / (40e12 / 32.0), 1e-5)); /* and its queries */
}

/* The bytes of a pass over elements are those of more or fewer tokens of quantize_fp8's rows: 3 an
 * element there, 2 and 17/32 into or out of int4. */
static void test_passes(void **state) {
    (void)state;
    const rc_axes at = {{[RC_AXIS_TOKENS] = 96000, [RC_AXIS_WIDTH] = 8192}};
    const rc_axes as = {{[RC_AXIS_TOKENS] = 81000, [RC_AXIS_WIDTH] = 8192}};
    const rc_axes back = {{[RC_AXIS_TOKENS] = 97000, [RC_AXIS_WIDTH] = 8192}};
    rc_cost c, known;
    assert_int_equal(rc_cost_named(costs, "quantize_fp8", RC_BF16, &as, &known, NULL), RC_OK);
    assert_int_equal(rc_cost_named(costs, "quantize_int4", RC_BF16, &at, &c, NULL), RC_OK);
    assert_true(near(c.p50, known.p50, 1e-9));
    assert_int_equal(c.basis, RC_MODELLED);
    assert_int_equal(rc_cost_named(costs, "dequantize_int4", RC_BF16, &at, &c, NULL), RC_OK);
    assert_true(near(c.p50, known.p50, 1e-9));
    assert_int_equal(rc_cost_named(costs, "quantize_fp8", RC_BF16, &back, &known, NULL), RC_OK);
    assert_int_equal(rc_cost_named(costs, "dequantize_fp8", RC_BF16, &at, &c, NULL), RC_OK);
    assert_true(near(c.p50, known.p50, 1e-9));
}

/* Where many heads share a key, their products in bf16 at 60 % of the matrix units' rate take longer than what is read. */
static void test_multiplying(void **state) {
    (void)state;
    rc_machine slow = machine;
    rc_costs *other;
    rc_cost wide, packed;
    slow.bf16_rate = 700e12;
    assert_int_equal(rc_costs_open(NULL, &slow, &other, NULL), RC_OK);
    const rc_heads many = {128, 1, 128, 128};
    assert_int_equal(rc_cost_decode(other, RC_BF16, 16, 131072, many, &wide, NULL), RC_OK);
    assert_int_equal(rc_cost_decode(other, RC_INT4, 16, 131072, many, &packed, NULL), RC_OK);
    rc_costs_close(other);
    const double products = 16.0 * 131072 * 128 * 2.0 * 256 / (0.6 * 700e12);
    if (!(products < wide.p50) || !near(packed.p50, products, 1e-9))
        fail_msg("%g s, by hand %g, in bf16 %g", packed.p50, products, wide.p50);
}

/* Latents of 576 elements: one stream for all heads. Where 128 heads make the matrix units the bound,
 * int4 saves less. */
static void test_latents(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_BATCH] = 32,
                   [RC_AXIS_CONTEXT] = 32768,
                   [RC_AXIS_QUERY_HEADS] = 16,
                   [RC_AXIS_HEAD_K] = 576,
                   [RC_AXIS_HEAD_V] = 512}};
    rc_cost few[2], many[2];
    for (int i = 0; i < 2; i++) {
        at.at[RC_AXIS_QUERY_HEADS] = 16;
        assert_int_equal(
            rc_cost_named(costs, "mla_decode", i ? RC_INT4 : RC_BF16, &at, &few[i], NULL), RC_OK);
        at.at[RC_AXIS_QUERY_HEADS] = 128;
        assert_int_equal(
            rc_cost_named(costs, "mla_decode", i ? RC_INT4 : RC_BF16, &at, &many[i], NULL), RC_OK);
    }
    assert_true(few[1].p50 < 0.45 * few[0].p50);
    assert_true(many[1].p50 <= many[0].p50);
    assert_true(many[1].p50 / many[0].p50 > few[1].p50 / few[0].p50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading),
                                       cmocka_unit_test(test_reading_a_longer_one),
                                       cmocka_unit_test(test_line_against_rows_of_fp8),
                                       cmocka_unit_test(test_unpacking),
                                       cmocka_unit_test(test_multiplying),
                                       cmocka_unit_test(test_passes),
                                       cmocka_unit_test(test_latents)};
    return cmocka_run_group_tests(tests, open_costs, close_costs);
}
