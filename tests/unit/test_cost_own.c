/* Costs that an engine has of its own, over the rows compiled in: its all-reduce where there are rows of
 * it, attention in a type that the base has no rows of, and transfers beyond their rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sim/base/share.h"
#include "sim/cost/cost.h"

static rc_machine machine(const char *name) {
    char path[1200];
    rc_machine m;
    rc_error err = {0};
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/%s.yaml", rc_share_folder(), name);
    if (rc_machine_load(path, &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return m;
}

static rc_costs *opened(const rc_machine *m) {
    rc_costs *c = NULL;
    rc_error err = {0};
    if (rc_costs_open(NULL, m, &c, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return c;
}

static double reduced(const rc_machine *m, double bytes, int ranks) {
    rc_costs *c = opened(m);
    rc_cost out;
    rc_error err = {0};
    const rc_transfer x = {.bytes = bytes, .ranks = ranks, .nodes = 1};
    if (rc_cost_collective(c, "all_reduce", &x, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_costs_close(c);
    return out.p50;
}

static void test_own_all_reduce(void **state) {
    (void)state;
    rc_machine m = machine("h100-sxm");
    double nccl = reduced(&m, 65536.0, 8), large = reduced(&m, 16e6, 8);
    assert_true(nccl > 18e-6);
    m.own_all_reduce = true;
    assert_true(reduced(&m, 65536.0, 8) == nccl); /* it goes no distance without a limit */
    m.own_limit[0] = m.own_limit[1] = m.own_limit[2] = 1e6;
    /* 32,768 elements among eight: the row, or a faster one of our own */
    assert_true(reduced(&m, 65536.0, 8) <= 7.8e-6 * 1.001);
    assert_true(reduced(&m, 65536.0, 2) <= 4.5e-6 * 1.001);
    assert_true(reduced(&m, 16e6, 8) == large); /* beyond the limit, and the rows */
}

static double decoded(const char *name, rc_dtype d) {
    rc_machine m = machine(name);
    rc_costs *c = opened(&m);
    rc_cost out;
    rc_error err = {0};
    const rc_heads heads = {.query = 16, .kv = 1, .key_size = 128, .value_size = 128};
    if (rc_cost_decode(c, d, 64, 65536, heads, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    if (strcmp(name, "h200-sxm") == 0 && d == RC_FP8)
        assert_int_equal(out.basis, RC_TRANSFERRED);
    rc_costs_close(c);
    return out.p50;
}

/* The H200's HBM is 4.8 over 3.35 as fast, and a call that reads a GB of keys and values waits for
 * nothing else: as in bf16, of which both parts have rows. */
static void test_stand_in(void **state) {
    (void)state;
    double fp8 = decoded("h100-sxm", RC_FP8) / decoded("h200-sxm", RC_FP8);
    double bf16 = decoded("h100-sxm", RC_BF16) / decoded("h200-sxm", RC_BF16);
    assert_true(fabs(fp8 - 4.8 / 3.35) < 0.02);
    assert_true(fabs(fp8 / bf16 - 1.0) < 0.06);
}

static rc_cost product(const rc_machine *of, rc_dtype d, int64_t m, int64_t n, int64_t k) {
    rc_costs *c = opened(of);
    rc_cost out;
    rc_error err = {0};
    if (rc_cost_gemm(c, d, m, n, k, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_costs_close(c);
    return out;
}

/* Products with a scale for each block were measured on the H100: the H200 takes as long where the matrix units bind
 * them, and less where reading the weights does; without a part that stands in they are modelled. */
static void test_blocks_stand_in(void **state) {
    (void)state;
    rc_machine h100 = machine("h100-sxm"), h200 = machine("h200-sxm"), alone = h200;
    alone.stand_in[0] = '\0';
    rc_cost here = product(&h100, RC_FP8_BLOCK, 8192, 7168, 16384);
    rc_cost there = product(&h200, RC_FP8_BLOCK, 8192, 7168, 16384);
    assert_int_equal(here.basis, RC_MEASURED);
    assert_int_equal(there.basis, RC_TRANSFERRED);
    assert_true(fabs(here.p50 / 1433.1e-6 - 1.0) < 1e-3); /* the row */
    assert_true(fabs(here.p50 / there.p50 - 1.0) < 0.01);
    rc_cost modelled = product(&alone, RC_FP8_BLOCK, 8192, 7168, 16384);
    assert_int_equal(modelled.basis, RC_MODELLED);
    rc_costs *c = opened(&alone), *carried = opened(&h200);
    assert_false(rc_cost_has_products(c, RC_FP8_BLOCK));
    assert_true(rc_cost_has_products(c, RC_FP8) && !rc_cost_has_products(c, RC_INT8));
    assert_true(rc_cost_has_products(carried, RC_FP8_BLOCK));
    rc_costs_close(c);
    rc_costs_close(carried);
    assert_true(modelled.p50 < 0.9 * here.p50); /* by rows with a scale a row, which take less */
    here = product(&h100, RC_FP8_BLOCK, 16, 36864, 7168);
    there = product(&h200, RC_FP8_BLOCK, 16, 36864, 7168);
    assert_true(here.p50 / there.p50 > 1.25 && here.p50 / there.p50 < 4.8 / 3.35);
}

static rc_cost quantised(const rc_machine *m, const char *op, int64_t tokens, int64_t width) {
    rc_costs *c = opened(m);
    rc_cost out;
    rc_error err = {0};
    const rc_axes at = {{[RC_AXIS_TOKENS] = tokens, [RC_AXIS_WIDTH] = width}};
    if (rc_cost_named(c, op, RC_BF16, &at, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_costs_close(c);
    return out;
}

/* So is what quantises by blocks: a row of its own, the other part's rows, or quantising by rows. */
static void test_quantising_stands_in(void **state) {
    (void)state;
    rc_machine h100 = machine("h100-sxm"), h200 = machine("h200-sxm"), alone = h200;
    alone.stand_in[0] = '\0';
    const rc_cost row = quantised(&h100, "quantize_fp8_blocks", 8192, 7168);
    assert_int_equal(row.basis, RC_MEASURED);
    assert_true(fabs(row.p50 / 65.536e-6 - 1.0) < 1e-3);
    const rc_cost there = quantised(&h200, "quantize_fp8_blocks", 8192, 7168);
    assert_int_equal(there.basis, RC_TRANSFERRED);
    assert_true(row.p50 / there.p50 > 1.2 && row.p50 / there.p50 < 4.8 / 3.35);
    const rc_cost without = quantised(&alone, "quantize_fp8_blocks", 8192, 8192);
    assert_int_equal(without.basis, RC_MODELLED);
    /* as many bytes of it: 3 1/32 an element for 3 */
    const rc_cost plain = quantised(&alone, "quantize_fp8", 8192, 8192);
    assert_true(without.p50 > 1.002 * plain.p50 && without.p50 < 1.012 * plain.p50);
}

/* A ring of eight moves its largest messages at no more than what such rings reach: 370 GB/s of
 * bus bandwidth (NVIDIA/nccl, issue 2140). */
static void test_beyond_the_rows(void **state) {
    (void)state;
    rc_machine m = machine("h100-sxm");
    m.nvls = false;
    double t = reduced(&m, 268435456.0, 8), bus = 268435456.0 * 1.75 / t;
    assert_true(bus > 330e9 && bus < 370e9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_all_reduce),  cmocka_unit_test(test_stand_in),
        cmocka_unit_test(test_blocks_stand_in), cmocka_unit_test(test_quantising_stands_in),
        cmocka_unit_test(test_beyond_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
