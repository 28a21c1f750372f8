/* The table of ops: its names, each found at its own place, and those of which a store has rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "sim/cost/ops.h"

static void near(const char *what, double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fabs(want)))
        fail_msg("%s: %.12g, by hand %.12g", what, got, want);
}

static void test_names(void **state) {
    (void)state;
    const rc_op count = rc_op_count();
    assert_true(count > 20 && count <= RC_OPS_MAX);
    for (rc_op op = 0; op < count; op++)
        assert_string_equal(rc_op_info_of(rc_op_named(rc_op_info_of(op)->name))->name,
                            rc_op_info_of(op)->name);
    assert_true(rc_op_named("no such op") == count && rc_op_named("") == count);
    assert_false(rc_op_has_rows("no such op"));
}

/* Every op of which there are rows once, and no other. */
static void test_row_names(void **state) {
    (void)state;
    const char *names[RC_OPS_MAX + 1];
    size_t n = 0;
    rc_op_row_names(names);
    for (; names[n]; n++) {
        assert_true(rc_op_has_rows(names[n]));
        for (size_t k = 0; k < n; k++)
            assert_string_not_equal(names[k], names[n]);
    }
    for (rc_op op = 0; op < rc_op_count(); op++) {
        const char *name = rc_op_info_of(op)->name;
        bool listed = false;
        for (size_t k = 0; k < n; k++)
            listed = listed || strcmp(names[k], name) == 0;
        assert_int_equal(listed, rc_op_has_rows(name));
    }
}

/* Sizes that no two of are alike, so that no one stands for another. */
#define QUERIES_KEYS [RC_AXIS_QUERIES] = 3, [RC_AXIS_KEYS] = 11
#define ATTENTION_HEADS                                                                            \
    [RC_AXIS_QUERY_HEADS] = 4, [RC_AXIS_KV_HEADS] = 2, [RC_AXIS_HEAD_K] = 6, [RC_AXIS_HEAD_V] = 5
#define PRODUCT [RC_AXIS_TOKENS] = 3, [RC_AXIS_OUTPUTS] = 5, [RC_AXIS_INPUTS] = 7
#define OF_TOKENS [RC_AXIS_TOKENS] = 3, [RC_AXIS_WIDTH] = 7
#define EXPERTS(ROUTED, CHOSEN) [RC_AXIS_EXPERTS] = (ROUTED), [RC_AXIS_TOP_K] = (CHOSEN)

/* FLOPs and bytes of one call, counted by hand from what it reads and writes. Three queries see 33 of eleven keys, 30
 * of them causally; an output of attention is bf16, whatever the keys are. */
static const struct {
    const char *name;
    rc_op op; /* of those that share their name; else 0 */
    double element;
    rc_axes at;
    double flops, bytes;
} works[] = {
    {"gemm", 0, 2.0, {{PRODUCT}}, 2.0 * 105, 2.0 * (21 + 35) + 2.0 * 15},
    {"gemm", 0, 1.0, {{PRODUCT}}, 2.0 * 105, 1.0 * (21 + 35) + 2.0 * 15},
    {"grouped_gemm", 0, 2.0, {{PRODUCT, EXPERTS(4, 0)}}, 210.0, 2.0 * (21 + 4 * 35) + 30.0},
    {"mla_bmm", 0, 1.0, {{PRODUCT, [RC_AXIS_HEADS] = 2}}, 420.0, 2.0 * (56 + 2.0 * 15)},
    {NULL,
     RC_COST_FULL,
     2.0,
     {{QUERIES_KEYS, ATTENTION_HEADS}},
     2.0 * 11 * 4 * 33,
     (2.0 * 6 + 2.0 * 5) * 3 * 4 + 2.0 * 11 * 11 * 2},
    {NULL,
     RC_COST_FULL,
     1.0,
     {{QUERIES_KEYS, ATTENTION_HEADS, [RC_AXIS_SEQUENCES] = 3}},
     3 * 2.0 * 11 * 4 * 33,
     3 * ((6 + 2.0 * 5) * 3 * 4 + 11.0 * 11 * 2)},
    {NULL,
     RC_COST_SQUARE,
     2.0,
     {{QUERIES_KEYS, ATTENTION_HEADS}},
     2.0 * 11 * 4 * 30,
     (2.0 * 6 + 2.0 * 5) * 3 * 4 + 2.0 * 11 * 11 * 2},
    {NULL,
     RC_COST_PREFIX,
     2.0,
     {{QUERIES_KEYS, ATTENTION_HEADS, [RC_AXIS_SEQUENCES] = 1}},
     2.0 * 11 * 4 * 30,
     (2.0 * 6 + 2.0 * 5) * 3 * 4 + 2.0 * 11 * 11 * 2},
    {"decode",
     0,
     2.0,
     {{[RC_AXIS_BATCH] = 3, [RC_AXIS_CONTEXT] = 11, ATTENTION_HEADS}},
     2.0 * 11 * 4 * 33,
     (2.0 * 6 + 2.0 * 5) * 3 * 4 + 2.0 * 11 * 33 * 2},
    {"moe_ffn",
     0,
     1.0,
     {{[RC_AXIS_ROWS] = 2, [RC_AXIS_INPUTS] = 3, [RC_AXIS_WIDTH] = 5, EXPERTS(1, 1)}},
     2 * 6.0 * 15,
     3.0 * 15 + 2 * 8 + 2.0 * 2 * (2 * 3 + 3 * 5)},
    /* two rows of two experts go to one and a half of them */
    {"moe_ffn",
     0,
     1.0,
     {{[RC_AXIS_ROWS] = 2, [RC_AXIS_INPUTS] = 3, [RC_AXIS_WIDTH] = 5, EXPERTS(2, 1)}},
     2 * 6.0 * 15,
     1.5 * 3.0 * 15 + 2 * 8 + 2.0 * 2 * (2 * 3 + 3 * 5)},
    {"moe_route", 0, 2.0, {{[RC_AXIS_TOKENS] = 3, EXPERTS(10, 2)}}, 0, 3 * (4 * 10 + 16 * 2)},
    {"moe_permute", 0, 1.0, {{OF_TOKENS, EXPERTS(10, 2)}}, 0, 21 * (2.0 + 2 * 1.0)},
    {"moe_unpermute", 0, 2.0, {{OF_TOKENS, EXPERTS(10, 4)}}, 0, 21 * (2.0 + 4 * 2.0)},
    {"dsa_index",
     0,
     1.0,
     {{QUERIES_KEYS, [RC_AXIS_SEQUENCES] = 2, [RC_AXIS_HEADS] = 4, [RC_AXIS_HEAD_K] = 6}},
     2 * 2.0 * 4 * 6 * 30,
     2 * (6.0 * (3 * 4 + 11) + 4.0 * 30)},
    {"dsa_index_step",
     0,
     1.0,
     {{QUERIES_KEYS, [RC_AXIS_SEQUENCES] = 2, [RC_AXIS_HEADS] = 4, [RC_AXIS_HEAD_K] = 6}},
     2 * 2.0 * 4 * 6 * 30,
     2 * (6.0 * (3 * 4 + 11) + 4.0 * 30)},
    {"dsa_topk",
     0,
     1.0,
     {{QUERIES_KEYS, [RC_AXIS_SEQUENCES] = 2, [RC_AXIS_KEPT] = 5}},
     0,
     2 * 4.0 * (30 + 3 * 5)},
    {"dsa_attention",
     0,
     2.0,
     {{QUERIES_KEYS, ATTENTION_HEADS, [RC_AXIS_KEPT] = 5}},
     2.0 * 11 * 4 * 15,
     2.0 * 15 * 6 + 2.0 * 3 * 4 * 11},
    /* four heads a group fill 4 of a tile's 64 rows, a hundred 100 of them */
    {"grouped_sparse",
     0,
     2.0,
     {{[RC_AXIS_QUERIES] = 3,
       [RC_AXIS_KEPT] = 5,
       [RC_AXIS_QUERY_HEADS] = 8,
       [RC_AXIS_KV_HEADS] = 2,
       [RC_AXIS_HEAD_K] = 6,
       [RC_AXIS_HEAD_V] = 5}},
     2.0 * 11 * 2 * 64 * 15,
     2.0 * 15 * 2 * 11 + 2.0 * 3 * 8 * 11},
    {"grouped_sparse",
     0,
     1.0,
     {{[RC_AXIS_QUERIES] = 3,
       [RC_AXIS_KEPT] = 5,
       [RC_AXIS_QUERY_HEADS] = 200,
       [RC_AXIS_KV_HEADS] = 2,
       [RC_AXIS_HEAD_K] = 6,
       [RC_AXIS_HEAD_V] = 5}},
     2.0 * 11 * 200 * 15,
     15 * 2 * 11 + 2.0 * 3 * 200 * 11},
    {"linear_attention",
     0,
     1.0,
     {{[RC_AXIS_TOKENS] = 3,
       [RC_AXIS_SEQUENCES] = 2,
       [RC_AXIS_HEADS] = 4,
       [RC_AXIS_HEAD_K] = 6,
       [RC_AXIS_HEAD_V] = 5}},
     3 * 6.0 * 4 * 30,
     2 * 8.0 * 4 * 30 + 2.0 * 3 * 4 * (2 * 6 + 2 * 5)},
    {"merge",
     0,
     2.0,
     {{[RC_AXIS_ROWS] = 3, [RC_AXIS_PARTS] = 2, [RC_AXIS_HEAD_V] = 5}},
     0,
     3 * (3 * 5 * 2.0 + 2 * 4.0)},
    {"copy", 0, 2.0, {{[RC_AXIS_BYTES] = 77}}, 0, 77},
    {"all_to_all", 0, 2.0, {{[RC_AXIS_BYTES] = 77, [RC_AXIS_RANKS] = 2}}, 0, 77},
    {"ep_dispatch", 0, 1.0, {{OF_TOKENS, [RC_AXIS_RANKS] = 2, EXPERTS(4, 1)}}, 0, 21 * 0.5},
    {"ep_combine", 0, 2.0, {{OF_TOKENS, [RC_AXIS_RANKS] = 2, EXPERTS(4, 2)}}, 0, 42 * 5.0 / 6},
    /* bf16 in and out; fp8 a byte, int4 half, and a fp32 scale for each 128 of a block */
    {"rmsnorm", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 2 + 2 + 2)},
    {"rmsnorm_fp8", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 2 + 2 + 1)},
    {"quantize_fp8", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 1)},
    {"residual_add", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 2 + 2)},
    {"swiglu", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 2 + 2)},
    {"swiglu_fp8", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 2 + 1)},
    {"quantize_fp8_blocks", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 1 + 4.0 / 128)},
    {"swiglu_fp8_blocks", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 2 + 1 + 4.0 / 128)},
    {"quantize_int4", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 0.5 + 4.0 / 128)},
    {"dequantize_int4", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 0.5 + 4.0 / 128)},
    {"dequantize_fp8", 0, 2.0, {{OF_TOKENS}}, 0, 21 * (2 + 1 + 4.0 / 128)},
    {"rotary_kv", 0, 2.0, {{OF_TOKENS, ATTENTION_HEADS}}, 0, 3 * (4 * 6 + 2 * (6 + 5)) * 4},
    {"rotary_kv_fp8", 0, 2.0, {{OF_TOKENS, ATTENTION_HEADS}}, 0, 3 * (4 * 6 + 2 * 11) * 4},
};

static void test_work(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        const rc_op_info *info =
            rc_op_info_of(works[i].name ? rc_op_named(works[i].name) : works[i].op);
        rc_work w = {-1.0, -1.0};
        info->work(info, &works[i].at, works[i].element, &w);
        near(info->name, w.flops, works[i].flops);
        near(info->name, w.bytes, works[i].bytes);
    }
}

/* The work of an op grows as the stated power of the size that its curves run along, where that size is by far the
 * largest: a curve is drawn over it. */
static void test_power_is_that_of_the_work(void **state) {
    (void)state;
    for (rc_op op = 0; op < rc_op_count(); op++) {
        const rc_op_info *info = rc_op_info_of(op);
        if (info->along == RC_AXIS_NONE) {
            assert_true(info->power == 0.0 && info->work == NULL);
            continue;
        }
        rc_axes at;
        rc_work once, twice;
        for (int axis = 0; axis < RC_AXIS_COUNT; axis++)
            at.at[axis] = 2;
        at.at[RC_AXIS_NONE] = at.at[RC_AXIS_WINDOW] = 0;
        at.at[RC_AXIS_EXPERTS] = 4;
        for (int doubled = 0; doubled < 2; doubled++) {
            at.at[info->along] = INT64_C(1) << (30 + doubled);
            if (info->takes != NULL && !info->takes(&at)) /* a square */
                at.at[RC_AXIS_KEYS] = at.at[RC_AXIS_QUERIES];
            info->work(info, &at, 2.0, doubled ? &twice : &once);
        }
        const double grown = once.flops > 0.0 ? twice.flops / once.flops : twice.bytes / once.bytes;
        if (!(fabs(log2(grown) - info->power) < 1e-6))
            fail_msg("%s: twice the size is %g times the work", info->name, grown);
    }
}

/* Chances by hand: of four experts on two GPUs a token that takes two goes to the other GPU but once in six. */
static void test_chances(void **state) {
    (void)state;
    near("one of two", rc_experts_hit(1.0, 2.0), 1.0);
    near("three of two", rc_experts_hit(3.0, 2.0), 2.0 * 7.0 / 8.0);
    near("no row", rc_experts_hit(0.0, 7.0), 0.0);
    near("one of four", rc_expert_ranks(4.0, 1.0, 2.0), 0.5);
    near("two of four", rc_expert_ranks(4.0, 2.0, 2.0), 5.0 / 6.0);
    near("three of four", rc_expert_ranks(4.0, 3.0, 2.0), 1.0);
    near("two of six on three", rc_expert_ranks(6.0, 2.0, 3.0), 2.0 * (1.0 - 12.0 / 30.0));
    assert_true(rc_expert_ranks(4.0, 4.0, 1.0) == 0.0);
}

/* A size of 0 says that there is none of these, and of no others. */
static void test_sizes_of_none(void **state) {
    (void)state;
    for (int axis = 1; axis < RC_AXIS_COUNT; axis++) {
        const char *name = rc_axis_name((rc_axis)axis);
        const bool none = strcmp(name, "window") == 0 || strcmp(name, "experts") == 0 ||
                          strcmp(name, "experts a token") == 0 ||
                          strcmp(name, "tokens entering") == 0;
        assert_int_equal(rc_axis_may_be_zero((rc_axis)axis), none);
        for (int other = 0; other < axis; other++)
            assert_string_not_equal(name, rc_axis_name((rc_axis)other));
    }
}

/* The sizes of an op are those of its columns and those that are fixed on a curve: each of a table of three ops, of
 * which attention has as many as there may be. */
static void test_axes_of_ops(void **state) {
    (void)state;
    static const struct {
        rc_op op;
        rc_axis has[8];
    } t[] = {{RC_COST_GEMM, {RC_AXIS_TOKENS, RC_AXIS_OUTPUTS, RC_AXIS_INPUTS}},
             {RC_COST_FULL,
              {RC_AXIS_QUERIES, RC_AXIS_KEYS, RC_AXIS_QUERY_HEADS, RC_AXIS_KV_HEADS, RC_AXIS_HEAD_K,
               RC_AXIS_HEAD_V, RC_AXIS_WINDOW}},
             {RC_COST_MERGE, {RC_AXIS_ROWS, RC_AXIS_PARTS, RC_AXIS_HEAD_V}}};
    for (rc_op op = 0; op < rc_op_count(); op++) /* every list has its end */
        assert_int_equal(rc_op_info_of(op)->fixed[RC_FIXED_MAX - 1], RC_AXIS_NONE);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int axis = 1; axis < RC_AXIS_COUNT; axis++) {
            bool listed = false;
            for (int k = 0; k < 8; k++)
                listed = listed || t[i].has[k] == (rc_axis)axis;
            assert_int_equal(rc_op_has_axis(rc_op_info_of(t[i].op), (rc_axis)axis), listed);
        }
}

/* Rows of these lie where no algorithm switches, so that a longer call takes no less; a product may: its tiles are
 * other ones. Behind cached keys a curve is straight, for every key costs as much. */
static void test_curves_of_ops(void **state) {
    (void)state;
    static const char *const rises[] = {"attention",
                                        "decode",
                                        "merge",
                                        "copy",
                                        "rmsnorm",
                                        "swiglu",
                                        "rmsnorm_fp8",
                                        "quantize_fp8",
                                        "residual_add",
                                        "swiglu_fp8",
                                        "rotary_kv",
                                        "rotary_kv_fp8",
                                        "quantize_int4",
                                        "dequantize_fp8",
                                        "dequantize_int4",
                                        "swiglu_fp8_blocks",
                                        "quantize_fp8_blocks"};
    for (rc_op op = 0; op < rc_op_count(); op++) {
        const rc_op_info *info = rc_op_info_of(op);
        bool listed = false;
        for (size_t i = 0; i < sizeof rises / sizeof rises[0]; i++)
            listed = listed || strcmp(info->name, rises[i]) == 0;
        if (info->rises != listed)
            fail_msg("%s: %d", info->name, info->rises);
        assert_int_equal(info->straight, op == RC_COST_PREFIX);
        assert_int_equal(info->published_blocks, strcmp(info->name, "moe_ffn") == 0);
    }
}

/* The shares of the peaks that docs/models.md states for ops without rows, and for the others of its kinds. */
static void test_shares_of_peaks(void **state) {
    (void)state;
    static const struct {
        const char *op;
        double flops, bytes;
    } t[] = {
        {"mla_prefill", 0.6, 0.8},   {"mla_absorbed", 0.6, 0.8},   {"mla_decode", 0.6, 0.8},
        {"mla_bmm", 0.6, 0.8},       {"moe_ffn", 0.5, 0.7},        {"moe_route", 1.0, 0.3},
        {"dsa_index", 0.4, 0.7},     {"dsa_index_step", 0.4, 0.7}, {"dsa_topk", 1.0, 0.4},
        {"dsa_attention", 0.6, 1.0}, {"grouped_sparse", 0.6, 1.0}, {"linear_attention", 0.2, 0.6}};
    size_t found = 0;
    for (rc_op op = 0; op < rc_op_count(); op++)
        found += rc_op_info_of(op)->rule == RC_PRICE_REACH ? 1 : 0;
    assert_int_equal(found, sizeof t / sizeof t[0]);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const rc_op_info *info = rc_op_info_of(rc_op_named(t[i].op));
        near(t[i].op, info->reach_flops, t[i].flops);
        near(t[i].op, info->reach_bytes, t[i].bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_row_names),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_power_is_that_of_the_work),
        cmocka_unit_test(test_chances),
        cmocka_unit_test(test_sizes_of_none),
        cmocka_unit_test(test_axes_of_ops),
        cmocka_unit_test(test_curves_of_ops),
        cmocka_unit_test(test_shares_of_peaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
