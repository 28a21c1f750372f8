/* What costs were asked for: each look-up once, the row that it is, and one of them slowed down.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "sim/cost/asks.h"
#include "sim/cost/points.h"
#include "tests/support/cost_store.h"

static rc_costs *costs, *heard;
static rc_asks *asks;
static rc_error err;

static int setup(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    (void)snprintf(m.state, sizeof m.state, "sustained");
    asks = rc_asks_create();
    if (rc_costs_open(NULL, &m, &costs, &err) != RC_OK || asks == NULL)
        return -1;
    return rc_costs_listen(costs, asks, &heard, &err) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(heard);
    rc_costs_close(costs);
    rc_asks_destroy(asks);
    return 0;
}

static double gemm(const rc_costs *c, int64_t m) {
    rc_cost cost;
    assert_int_equal(rc_cost_gemm(c, RC_BF16, m, 2560, 8192, &cost, &err), RC_OK);
    return cost.p50;
}

static void test_one_slowed(void **state) {
    (void)state;
    double first = gemm(costs, 100), second = gemm(costs, 200);
    rc_p2p slow, usual;
    assert_true(gemm(heard, 100) == first && gemm(heard, 200) == second);
    assert_true(gemm(heard, 100) == first);
    assert_int_equal(rc_asks_count(asks), 2);
    rc_asks_slow(asks, 1, 1.5);
    assert_true(gemm(heard, 100) == first && gemm(heard, 200) == 1.5 * second);
    assert_true(gemm(costs, 200) == second); /* who does not listen hears nothing */
    assert_true(rc_asks_at(asks, 1)->cost.p50 == second);
    rc_asks_slow(asks, RC_ASKS_NONE, 1.0);
    rc_asks_begin(asks);
    assert_true(gemm(heard, 200) == second);
    assert_false(rc_asks_at(asks, 0)->heard);
    assert_true(rc_asks_at(asks, 1)->heard);

    assert_int_equal(
        rc_cost_p2p(heard, &(rc_transfer){.bytes = 1e6, .ranks = 2, .nodes = 1}, &usual, &err),
        RC_OK);
    rc_asks_slow(asks, 2, 2.0);
    assert_int_equal(
        rc_cost_p2p(heard, &(rc_transfer){.bytes = 1e6, .ranks = 2, .nodes = 1}, &slow, &err),
        RC_OK);
    double before = usual.latency + 1e6 / usual.peer_rate,
           after = slow.latency + 1e6 / slow.peer_rate;
    assert_true(fabs(after / before - 2.0) < 1e-12);
}

/* Many: each is found again, in the order in which it came first. */
static void test_many(void **state) {
    (void)state;
    size_t before = rc_asks_count(asks);
    for (int turn = 0; turn < 2; turn++)
        for (int64_t m = 1; m <= 1000; m++)
            (void)gemm(heard, 10000 + m);
    assert_int_equal(rc_asks_count(asks), before + 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(rc_asks_at(asks, before + i)->at.at[RC_AXIS_TOKENS], 10001 + (int64_t)i);
}

static const rc_ask *last(void) {
    return rc_asks_at(asks, rc_asks_count(asks) - 1);
}

static void is_row(const char *op, const char *variant, const char *dtype, int64_t a, int64_t b,
                   int64_t c, int64_t d, int64_t head) {
    rc_row r;
    rc_axes at;
    rc_ask_row(last(), &r);
    assert_string_equal(r.op, op);
    assert_string_equal(r.variant, variant);
    assert_string_equal(r.dtype, dtype);
    assert_true(r.a == a && r.b == b && r.c == c && r.d == d);
    assert_int_equal(r.head_v, head);
    assert_int_equal(rc_row_op(&r, &at), last()->op); /* a store's row of it is read as that op */
}

static void test_rows(void **state) {
    (void)state;
    rc_cost c;
    const rc_heads h = {16, 2, 128, 128};
    rc_axes wide = {{[RC_AXIS_TOKENS] = 77,
                     [RC_AXIS_WIDTH] = 8192,
                     [RC_AXIS_QUERY_HEADS] = 16,
                     [RC_AXIS_KV_HEADS] = 2,
                     [RC_AXIS_HEAD_K] = 128,
                     [RC_AXIS_HEAD_V] = 128}};
    rc_axes bytes = {{[RC_AXIS_BYTES] = 12345678}};
    assert_int_equal(rc_cost_gemm(heard, RC_FP8, 7, 2560, 8192, &c, &err), RC_OK);
    is_row("gemm", "", "fp8", 7, 2560, 8192, 0, 0);
    assert_int_equal(rc_cost_gemm(heard, RC_INT4, 8192, 2561, 8192, &c, &err), RC_OK);
    is_row("gemm", "", "bf16", 8192, 2561, 8192, 0, 0); /* what int4 weights are reckoned from */
    assert_int_equal(rc_cost_attention(heard, RC_BF16, 0, 100, 3000, h, &c, &err), RC_OK);
    is_row("attention", "full", "bf16", 100, 3000, 16, 2, 128);
    assert_int_equal(rc_cost_attention(heard, RC_BF16, 1, 100, 3000, h, &c, &err), RC_OK);
    is_row("attention", "causal", "bf16", 100, 3000, 16, 2, 128);
    assert_int_equal(rc_cost_decode(heard, RC_BF16, 3, 8001, h, &c, &err), RC_OK);
    is_row("decode", "", "bf16", 3, 8001, 16, 2, 128);
    assert_int_equal(rc_cost_merge(heard, 999, 4, 128, &c, &err), RC_OK);
    is_row("merge", "", "bf16", 999, 4, 0, 0, 128);
    assert_int_equal(rc_cost_named(heard, "rmsnorm", RC_BF16, &wide, &c, &err), RC_OK);
    is_row("rmsnorm", "", "bf16", 77, 8192, 0, 0, 0);
    assert_int_equal(rc_cost_named(heard, "rotary_kv_fp8", RC_BF16, &wide, &c, &err), RC_OK);
    is_row("rotary_kv", "", "bf16", 77, 0, 16, 2, 128); /* whose rows stand for it */
    assert_int_equal(rc_cost_op(heard, RC_COST_COPY, RC_BF16, &bytes, &c, &err), RC_OK);
    is_row("copy", "", "", 12345678, 0, 0, 0, 0);
    assert_int_equal(rc_cost_collective(heard, "all_reduce",
                                        &(rc_transfer){.bytes = 1e6, .ranks = 4, .nodes = 1}, &c,
                                        &err),
                     RC_OK);
    is_row("all_reduce", "nvlink", "bf16", 1000000, 4, 1, 0, 0);
}

static void test_measured_spread(void **state) {
    (void)state;
    rc_cost c;
    rc_costs *view;
    rc_machine m = *rc_costs_machine(costs);
    assert_int_equal(rc_cost_gemm(heard, RC_BF16, 7, 2560, 8192, &c, &err), RC_OK);
    double base = rc_ask_measured_spread(heard, last());
    assert_true(base > 0.0 && base < 0.1);
    m.hbm_ratio = 0.8;
    m.ratio_spread = 0.3;
    assert_int_equal(rc_costs_view(costs, &m, &view, &err), RC_OK);
    assert_true(fabs(rc_ask_measured_spread(view, last()) - hypot(base, 0.3)) < 1e-12);
    rc_costs_close(view);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_slowed),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_measured_spread),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
