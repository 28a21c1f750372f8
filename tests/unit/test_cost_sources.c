/* Rows of several sources in one book: whose rows answer for which op, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "sim/cost/asks.h"
#include "sim/cost/points.h"
#include "sim/cost/sources.h"
#include "tests/support/cost_store.h"

static rc_error err;
static char path[512];

/* A store with the usual rows of h200-sxm and some of "engine-x": products and square attention that
 * take twice as long; and products of h200-sxm under a condition, which take twice as long, too. */
static int setup(void **state) {
    (void)state;
    rc_rows *usual, *others, *sets[2];
    (void)syn_path(path, sizeof path, "sources");
    if (!syn_write(path, 0.0) || rc_store_rows(path, NULL, &usual, &err) != RC_OK ||
        rc_rows_create(&others, &err) != RC_OK)
        return -1;
    for (size_t i = 0; i < rc_rows_count(usual); i++) {
        rc_row r = *rc_rows_at(usual, i);
        if (strcmp(r.op, "gemm") != 0 && strcmp(r.op, "attention") != 0)
            continue;
        r.machine = "engine-x";
        r.source = "published: engine X";
        r.p10 *= 2.0;
        r.p50 *= 2.0;
        r.p90 *= 2.0;
        if (rc_rows_add(others, &r, &err) != RC_OK)
            return -1;
        r.machine = "h200-sxm";
        r.variant = "@sms66";
        if (strcmp(r.op, "gemm") == 0 && rc_rows_add(others, &r, &err) != RC_OK)
            return -1;
    }
    (void)remove(path);
    sets[0] = usual;
    sets[1] = others;
    rc_status st = rc_store_write(path, sets, 2, &err);
    rc_rows_free(usual);
    rc_rows_free(others);
    return st == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    (void)remove(path);
    return 0;
}

static rc_cost gemm(const rc_costs *c) {
    rc_cost cost;
    assert_int_equal(rc_cost_gemm(c, RC_BF16, 128, 16384, 6656, &cost, &err), RC_OK);
    return cost;
}

static rc_cost attention(const rc_costs *c) {
    rc_cost cost;
    assert_int_equal(rc_cost_attention(c, RC_BF16, 1, 4096, 4096, SYN_HEADS(16, 1), &cost, &err),
                     RC_OK);
    return cost;
}

static rc_cost norm(const rc_costs *c) {
    rc_cost cost;
    rc_axes at = {{[RC_AXIS_TOKENS] = 64, [RC_AXIS_WIDTH] = 16384}};
    assert_int_equal(rc_cost_named(c, "rmsnorm", RC_BF16, &at, &cost, &err), RC_OK);
    return cost;
}

static bool twice(double x, double y) {
    return fabs(x / (2.0 * y) - 1.0) < 1e-9;
}

static void test_by_op(void **state) {
    (void)state;
    rc_machine m = syn_machine(), mixed = m;
    rc_costs *plain, *c;
    (void)snprintf(mixed.costs[RC_SOURCE_GEMM], sizeof mixed.costs[0], "engine-x");
    assert_int_equal(rc_costs_open(path, &m, &plain, &err), RC_OK);
    assert_int_equal(rc_costs_open(path, &mixed, &c, &err), RC_OK);
    assert_true(twice(gemm(c).p50, gemm(plain).p50));
    assert_true(attention(c).p50 == attention(plain).p50 && norm(c).p50 == norm(plain).p50);
    assert_int_equal(gemm(plain).basis, RC_MEASURED);
    assert_int_equal(gemm(c).basis, RC_PUBLISHED); /* by whoever measured the rows */
    assert_int_equal(norm(c).basis, RC_MEASURED);

    rc_costs *view; /* of other rows: refused, not mispriced */
    assert_int_equal(rc_costs_view(c, &m, &view, &err), RC_E_INPUT);
    assert_int_equal(rc_costs_view(plain, &mixed, &view, &err), RC_E_INPUT);
    assert_int_equal(rc_costs_view(c, &mixed, &view, &err), RC_OK);
    assert_true(gemm(view).p50 == gemm(c).p50);
    rc_costs_close(view);
    rc_costs_close(c);

    (void)snprintf(mixed.costs[RC_SOURCE_ATTENTION], sizeof mixed.costs[0], "engine-x");
    assert_int_equal(rc_costs_open(path, &mixed, &c, &err), RC_OK);
    assert_true(twice(gemm(c).p50, gemm(plain).p50));
    assert_true(twice(attention(c).p50, attention(plain).p50));
    rc_costs_close(c);
    rc_costs_close(plain);
}

/* Rows under a condition are of no use but to who names it. */
static void test_condition(void **state) {
    (void)state;
    rc_machine m = syn_machine(), mixed = m;
    rc_costs *plain, *c;
    (void)snprintf(mixed.costs[RC_SOURCE_GEMM], sizeof mixed.costs[0], "h200-sxm@sms66");
    assert_int_equal(rc_costs_open(path, &m, &plain, &err), RC_OK);
    assert_int_equal(rc_costs_open(path, &mixed, &c, &err), RC_OK);
    assert_true(twice(gemm(c).p50, gemm(plain).p50));
    assert_true(attention(c).p50 == attention(plain).p50);
    rc_costs_close(c);
    rc_costs_close(plain);
}

/* Rows with scales of blocks are curves of their own, of products and of what moves rows to experts; of no other
 * op's, least of all of bf16's, where the type of a row makes no difference. */
static void test_blocks(void **state) {
    (void)state;
    static const char *const products[] = {"gemm",      "grouped_gemm",  "mla_bmm",
                                           "moe_ffn",   "moe_permute",   "moe_unpermute",
                                           "dsa_index", "dsa_index_step"};
    for (rc_op op = 0; op < rc_op_count(); op++) {
        rc_row r = {.op = rc_op_info_of(op)->name, .dtype = "fp8-block"};
        rc_dtype d = RC_FP32;
        bool product = false;
        for (size_t i = 0; i < sizeof products / sizeof products[0]; i++)
            product = product || strcmp(r.op, products[i]) == 0;
        assert_int_equal(rc_row_type(&r, op, &d), product);
        assert_true(!product || d == RC_FP8_BLOCK);
        r.dtype = "bf16";
        assert_true(rc_row_type(&r, op, &d));
        assert_int_equal(d, RC_BF16);
    }
}

/* Quantising by blocks is an op of its own whose rows are those of quantising under a condition. */
static void test_rows_under_a_condition(void **state) {
    (void)state;
    rc_row r = {.op = "quantize_fp8", .variant = "@blocks", .dtype = "bf16", .a = 64, .b = 7168};
    rc_axes at;
    assert_int_equal(rc_row_op(&r, &at), rc_op_named("quantize_fp8_blocks"));
    assert_int_equal(at.at[RC_AXIS_TOKENS], 64);
    assert_int_equal(at.at[RC_AXIS_WIDTH], 7168);
    r.variant = "";
    assert_int_equal(rc_row_op(&r, &at), rc_op_named("quantize_fp8"));
    r.variant = "@sms124";
    assert_int_equal(rc_row_op(&r, &at), rc_op_count());
    r.op = "rmsnorm_fp8"; /* no op norms and quantises by blocks at once */
    r.variant = "@blocks";
    assert_int_equal(rc_row_op(&r, &at), rc_op_count());
    assert_false(rc_op_has_rows("quantize_fp8_blocks"));
    assert_true(rc_op_has_rows("quantize_fp8"));
    rc_ask ask = {.op = rc_op_named("swiglu_fp8_blocks"),
                  .at = {{[RC_AXIS_TOKENS] = 8, [RC_AXIS_WIDTH] = 2048}}};
    rc_ask_row(&ask, &r);
    assert_string_equal(r.op, "swiglu_fp8");
    assert_string_equal(r.variant, "@blocks");
    ask = (rc_ask){.op = RC_COST_GEMM, .dtype = RC_FP8_BLOCK};
    rc_ask_row(&ask, &r);
    assert_string_equal(r.dtype, "fp8-block");
}

static void refused(rc_source source, const char *name, const char *words) {
    rc_machine m = syn_machine();
    rc_costs *c;
    (void)snprintf(m.costs[source], sizeof m.costs[0], "%s", name);
    assert_int_equal(rc_costs_open(path, &m, &c, &err), RC_E_INPUT);
    if (strstr(err.msg, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, err.msg);
}

static void test_refused(void **state) {
    (void)state;
    refused(RC_SOURCE_GEMM, "engine-y", "it has some of 'engine-x'");
    refused(RC_SOURCE_DECODE, "engine-x",
            "no rows of decode for 'engine-x'; it has some of 'h200-sxm'");
    refused(RC_SOURCE_GEMM, "h200-sxm@sms67", "no rows of gemm for 'h200-sxm@sms67'");
    refused(RC_SOURCE_GEMM, "h200@sms66", "no rows of gemm for 'h200@sms66'");
    refused(RC_SOURCE_ATTENTION, "h200-sxm@sms66", "no rows of attention");
    refused(RC_SOURCE_MERGE, "pigeon", "calibration.costs.merge");
}

/* Each op with curves of its own has one source, and each source some op. */
static void test_sources_of_ops(void **state) {
    (void)state;
    bool seen[RC_SOURCES + 1] = {false};
    for (rc_op op = 0; op < rc_op_count(); op++)
        seen[rc_op_source(op)] = true;
    for (int s = 0; s <= RC_SOURCES; s++)
        assert_true(seen[s]);
    assert_int_equal(rc_op_source(RC_COST_PREFIX), RC_SOURCE_ATTENTION);
    assert_int_equal(rc_op_source(RC_COST_ALL_REDUCE), RC_SOURCES);
    assert_int_equal(rc_op_source(rc_op_named("swiglu_fp8")), RC_SOURCE_ELEMENTWISE);
    assert_int_equal(rc_op_source(rc_op_named("grouped_gemm")), RC_SOURCE_GEMM);
    assert_int_equal(rc_op_source(rc_op_named("launch")), RC_SOURCES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_op),
        cmocka_unit_test(test_condition),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rows_under_a_condition),
        cmocka_unit_test(test_sources_of_ops),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
