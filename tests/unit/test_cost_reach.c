/* Ops without rows: priced by their work and the part's rates, by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <stdio.h>

#include "sim/cost/call_plan.h"
#include "sim/cost/cost.h"

static rc_costs *costs;

static int open_costs(void **state) {
    static rc_machine m;
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    (void)state;
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/h100-sxm.yaml",
                   root != NULL ? root : ".");
    return rc_machine_load(path, &m, NULL) != RC_OK ||
           rc_costs_open(NULL, &m, &costs, NULL) != RC_OK;
}

static int close_costs(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static rc_work work_of(const char *name, rc_axes at, double element) {
    rc_work w;
    const rc_op_info *info = rc_op_info_of(rc_op_named(name));
    info->work(info, &at, element, &w);
    return w;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fabs(b);
}

/* One layer of DeepSeek-V3 by the published formulas: 640 FLOPs a head and pair materialised, 2,176
 * absorbed; 1,152 bytes of latents a key. */
static void test_latent_work(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_QUERIES] = 100,
                   [RC_AXIS_KEYS] = 1000,
                   [RC_AXIS_QUERY_HEADS] = 16,
                   [RC_AXIS_SEQUENCES] = 2,
                   [RC_AXIS_HEAD_K] = 192,
                   [RC_AXIS_HEAD_V] = 128}};
    const double pairs = 2.0 * (100.0 * 900.0 + 5050.0);
    rc_work w = work_of("mla_prefill", at, 2.0);
    assert_true(near(w.flops, 640.0 * 16.0 * pairs));
    assert_true(near(w.bytes, 2.0 * 2000.0 * 16.0 * 320.0 + 2.0 * 200.0 * 16.0 * 320.0));
    at.at[RC_AXIS_HEAD_K] = 576;
    at.at[RC_AXIS_HEAD_V] = 512;
    w = work_of("mla_absorbed", at, 2.0);
    assert_true(near(w.flops, 2176.0 * 16.0 * pairs));
    assert_true(near(w.bytes, 1152.0 * 2000.0 + 2.0 * 200.0 * 16.0 * 1088.0));
    at.at[RC_AXIS_BATCH] = 32;
    at.at[RC_AXIS_CONTEXT] = 1000;
    w = work_of("mla_decode", at, 2.0);
    assert_true(near(w.flops, 2176.0 * 16.0 * 32000.0));
    assert_true(near(w.bytes, 1152.0 * 32000.0 + 2.0 * 32.0 * 16.0 * 1088.0));
}

static void test_expert_work(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_ROWS] = 1,
                   [RC_AXIS_INPUTS] = 7168,
                   [RC_AXIS_WIDTH] = 2048,
                   [RC_AXIS_EXPERTS] = 32,
                   [RC_AXIS_TOP_K] = 8}};
    rc_work w = work_of("moe_ffn", at, 1.0);
    assert_true(near(w.flops, 6.0 * 7168.0 * 2048.0));
    assert_true(near(rc_experts_hit(1.0, 32.0), 1.0));
    assert_true(near(rc_experts_hit(1e6, 32.0), 32.0));
    assert_true(near(rc_experts_hit(5.0, 1.0), 1.0));
    /* 256 experts, 8 a token, on 8 GPUs: a token goes to 4.6 others, as published */
    assert_true(fabs(rc_expert_ranks(256.0, 8.0, 8.0) - 4.6) < 0.05);
    assert_true(near(rc_expert_ranks(8.0, 8.0, 8.0), 7.0));
    assert_true(near(rc_expert_ranks(8.0, 1.0, 1.0), 0.0));
}

static void test_selection_work(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_QUERIES] = 1,
                   [RC_AXIS_KEYS] = 4096,
                   [RC_AXIS_HEADS] = 64,
                   [RC_AXIS_SEQUENCES] = 1,
                   [RC_AXIS_HEAD_K] = 128,
                   [RC_AXIS_KEPT] = 2048,
                   [RC_AXIS_QUERY_HEADS] = 16,
                   [RC_AXIS_HEAD_V] = 512}};
    assert_true(near(work_of("dsa_index", at, 1.0).flops, 2.0 * 64 * 128 * 4096));
    assert_true(near(work_of("dsa_topk", at, 1.0).bytes, 4.0 * (4096 + 2048)));
    at.at[RC_AXIS_HEAD_K] = 576;
    assert_true(near(work_of("dsa_attention", at, 2.0).flops, 2176.0 * 16 * 2048));
}

/* A long prefill is bound by the matrix units at the stated share of the peak, a long decode by the
 * latents; nothing is below the floor, and all is said to be modelled. */
static void test_prices(void **state) {
    (void)state;
    const rc_machine *m = rc_costs_machine(costs);
    rc_axes at = {{[RC_AXIS_QUERIES] = 16384,
                   [RC_AXIS_KEYS] = 16384,
                   [RC_AXIS_QUERY_HEADS] = 16,
                   [RC_AXIS_SEQUENCES] = 1,
                   [RC_AXIS_HEAD_K] = 192,
                   [RC_AXIS_HEAD_V] = 128,
                   [RC_AXIS_BATCH] = 64,
                   [RC_AXIS_CONTEXT] = 65536,
                   [RC_AXIS_ROWS] = 0}};
    rc_cost cost;
    at.at[RC_AXIS_TOKENS] = 16384;
    at.at[RC_AXIS_TOP_K] = 8;
    at.at[RC_AXIS_EXPERTS] = 256;
    at.at[RC_AXIS_SEQUENCES] = 1;
    at.at[RC_AXIS_HEADS] = 16;
    rc_work w = work_of("linear_attention", at, 2.0);
    assert_int_equal(rc_cost_named(costs, "linear_attention", RC_BF16, &at, &cost, NULL), RC_OK);
    assert_int_equal(cost.basis, RC_MODELLED);
    assert_true(
        fabs(cost.p50 - 4e-6 -
             fmax(w.flops / (0.2 * m->base_bf16_rate), w.bytes / (0.6 * m->base_hbm_rate))) < 1e-9);
    /* rows of the kernel itself answer where there are some, and by them of near sizes */
    w = work_of("mla_prefill", at, 2.0);
    assert_int_equal(rc_cost_named(costs, "mla_prefill", RC_BF16, &at, &cost, NULL), RC_OK);
    assert_int_equal(cost.basis, RC_MEASURED);
    assert_true(fabs(cost.p50 / 1.87539e-03 - 1.0) < 0.01);
    at.at[RC_AXIS_QUERIES] = 14000;
    at.at[RC_AXIS_KEYS] = 14000;
    w = work_of("mla_prefill", at, 2.0);
    assert_int_equal(rc_cost_named(costs, "mla_prefill", RC_BF16, &at, &cost, NULL), RC_OK);
    assert_int_equal(cost.basis, RC_MEASURED);
    assert_true(w.flops / cost.p50 > 0.65e15 && w.flops / cost.p50 < 0.76e15);
    assert_true(cost.own > 0.0 && cost.own < 0.2);
    /* no rows are of such heads: their plan, with its doubt */
    at.at[RC_AXIS_HEAD_V] = 192;
    assert_int_equal(rc_cost_named(costs, "mla_prefill", RC_BF16, &at, &cost, NULL), RC_OK);
    assert_int_equal(cost.basis, RC_MODELLED);
    assert_true(cost.own >= 0.15);
    at.at[RC_AXIS_HEAD_K] = 576;
    at.at[RC_AXIS_HEAD_V] = 512;
    w = work_of("mla_decode", at, 2.0);
    assert_int_equal(rc_cost_named(costs, "mla_decode", RC_BF16, &at, &cost, NULL), RC_OK);
    assert_true(cost.p50 > w.bytes / m->base_hbm_rate);
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_BF16, &at, &cost, NULL), RC_E_INPUT);
}

/* int4 weights are multiplied in bf16 and read in fewer bytes; other types than the rows' have none. */
static void test_quantised(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_ROWS] = 64,
                   [RC_AXIS_INPUTS] = 7168,
                   [RC_AXIS_WIDTH] = 2048,
                   [RC_AXIS_EXPERTS] = 48,
                   [RC_AXIS_TOP_K] = 8}};
    rc_cost wide, narrow;
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_BF16, &at, &wide, NULL), RC_OK);
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_INT4, &at, &narrow, NULL), RC_OK);
    assert_true(narrow.p50 < 0.5 * wide.p50);
    assert_int_equal(narrow.basis, RC_MODELLED);
    /* products by blocks have rows of their own; int8 has as many bytes, but no rows */
    at.at[RC_AXIS_ENTERING] = 64;
    rc_cost rows, block, bytes;
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_FP8, &at, &rows, NULL), RC_OK);
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_FP8_BLOCK, &at, &block, NULL), RC_OK);
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_INT8, &at, &bytes, NULL), RC_OK);
    assert_true(block.p50 != rows.p50);
    assert_int_equal(block.basis, RC_MEASURED);
    assert_int_equal(bytes.basis, RC_MODELLED);
    assert_true(bytes.p50 != block.p50);
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_W4A8, &at, &bytes, NULL), RC_OK);
    assert_int_equal(bytes.basis, RC_MODELLED);
    /* published rows of experts in fp8 are of products by blocks: where there are no others near, as of MiniMax M2's */
    at.at[RC_AXIS_INPUTS] = 3072;
    at.at[RC_AXIS_WIDTH] = 1536;
    at.at[RC_AXIS_EXPERTS] = 256;
    at.at[RC_AXIS_ROWS] = 65536;
    at.at[RC_AXIS_ENTERING] = 8192;
    assert_int_equal(rc_cost_named(costs, "moe_ffn", RC_FP8_BLOCK, &at, &block, NULL), RC_OK);
    assert_int_equal(block.basis, RC_PUBLISHED);
    /* rows of other ops do not */
    at = (rc_axes){{[RC_AXIS_TOKENS] = 64,
                    [RC_AXIS_OUTPUTS] = 512,
                    [RC_AXIS_INPUTS] = 128,
                    [RC_AXIS_HEADS] = 16}};
    assert_int_equal(rc_cost_named(costs, "mla_bmm", RC_FP8, &at, &rows, NULL), RC_OK);
    assert_int_equal(rc_cost_named(costs, "mla_bmm", RC_FP8_BLOCK, &at, &block, NULL), RC_OK);
    assert_int_equal(rows.basis, RC_PUBLISHED);
    assert_int_equal(block.basis, RC_MODELLED);
}

static void test_transfers(void **state) {
    (void)state;
    rc_expert_transfer x = {.tokens = 4096,
                            .width = 7168,
                            .element = 1.0,
                            .experts = 256,
                            .top_k = 8,
                            .ranks = 8,
                            .nodes = 1,
                            .abreast = 1};
    rc_cost one, two;
    rc_error err;
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_dispatch", &x, &one, NULL), RC_OK);
    assert_int_equal(one.basis, RC_PUBLISHED);
    assert_true(fabs(one.p50 / 498.358e-6 - 1.0) < 0.01); /* as published */
    x.element = 2.0;
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_combine", &x, &two, NULL), RC_OK);
    assert_true(fabs(two.p50 / 960.612e-6 - 1.0) < 0.01);
    x.tokens = 128; /* few: the low-latency kernel */
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_combine", &x, &two, NULL), RC_OK);
    assert_true(fabs(two.p50 / 66.981e-6 - 1.0) < 0.01);
    x.ranks = 4;
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_combine", &x, &two, NULL), RC_OK);
    assert_int_equal(two.basis, RC_MODELLED);
    x.ranks = 16;
    x.nodes = 2;
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_combine", &x, &two, NULL), RC_OK);
    assert_int_equal(two.basis, RC_PUBLISHED); /* DeepEP's own rates between nodes of eight */
    x.nodes = 1;
    x.ranks = 1;
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_combine", &x, &two, NULL), RC_OK);
    assert_true(two.p50 == 0.0);
    x.top_k = 0;
    assert_int_equal(rc_cost_expert_transfer(costs, "ep_combine", &x, &two, &err), RC_E_INPUT);
}

/* What bounds a call, counted by hand. */
static void test_plans(void **state) {
    (void)state;
    rc_call_plan p = {0};
    rc_axes at = {{[RC_AXIS_QUERIES] = 256,
                   [RC_AXIS_KEYS] = 256,
                   [RC_AXIS_QUERY_HEADS] = 16,
                   [RC_AXIS_SEQUENCES] = 1,
                   [RC_AXIS_HEAD_K] = 192,
                   [RC_AXIS_HEAD_V] = 128}};
    /* two tiles of 128 queries a head see one and two blocks of 128 keys: 48 blocks on 132 SMs */
    rc_call_kind_of(rc_op_named("mla_prefill"), RC_BF16, RC_PUBLISHED)->of(&at, RC_BF16, &p);
    assert_true(near(p.average, 48.0 / 132.0) && near(p.path, 2.0) && near(p.extra, 1.0));
    assert_true(near(p.bytes, 16.0 * 256.0 * 320.0 * (2.0 + 2.0)));
    /* 128 heads of 3 sequences are 6 units, each cut in 22 pieces of 3 of its 64 blocks of keys */
    at = (rc_axes){{[RC_AXIS_BATCH] = 3,
                    [RC_AXIS_CONTEXT] = 4096,
                    [RC_AXIS_QUERY_HEADS] = 128,
                    [RC_AXIS_HEAD_K] = 576,
                    [RC_AXIS_HEAD_V] = 512}};
    p = (rc_call_plan){0};
    rc_call_kind_of(rc_op_named("mla_decode"), RC_BF16, RC_PUBLISHED)->of(&at, RC_BF16, &p);
    assert_true(near(p.path, 3.0) && near(p.average, 6.0 * 64.0 / 132.0));
    assert_true(near(p.other, 132.0) && near(p.extra, 1.0));
    assert_true(near(p.bytes, 3.0 * (1152.0 * 4096.0 + 2.0 * 128.0 * 1088.0)));
    /* 4 rows to 4 of 8 experts: 4 of their weights in fp8; 2 tokens came, 4 pairs were chosen */
    at = (rc_axes){{[RC_AXIS_ROWS] = 4,
                    [RC_AXIS_INPUTS] = 1024,
                    [RC_AXIS_WIDTH] = 512,
                    [RC_AXIS_EXPERTS] = 8,
                    [RC_AXIS_TOP_K] = 2}};
    p = (rc_call_plan){0};
    rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    assert_true(near(p.bytes, 4.0 * 3.0 * 1024.0 * 512.0 + 4.0 * 1536.0 + 8.0 * (2048.0 + 1536.0)));
    assert_true(near(p.extra, 2.048) && near(p.other, 4.0 * 1.536));
    /* of experts on two GPUs 4 tokens come to each, which has half of their 8 pairs */
    at.at[RC_AXIS_ENTERING] = 4;
    rc_call_plan both = {0};
    rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &both);
    assert_true(near(both.extra, 4.096) && near(both.other, 8.0 * 1.536));
    assert_true(both.path == p.path && both.bytes == p.bytes);
    /* tiles of 16 rows: 32 of the first product and 32 of the second, a wave each */
    assert_true(near(p.path, (1024.0 + 512.0) * 32.0 / 4096.0));
    /* each of 16 tokens goes to 7 others when 8 experts on 8 GPUs are all chosen */
    at = (rc_axes){{[RC_AXIS_TOKENS] = 16,
                    [RC_AXIS_WIDTH] = 4096,
                    [RC_AXIS_RANKS] = 8,
                    [RC_AXIS_EXPERTS] = 8,
                    [RC_AXIS_TOP_K] = 8}};
    p = (rc_call_plan){0};
    rc_call_kind_of(rc_op_named("ep_combine"), RC_BF16, RC_PUBLISHED)->of(&at, RC_BF16, &p);
    assert_true(near(p.path, 112.0) && near(p.bytes, 2.0 * 112.0 * 4096.0));
    /* 2 us and the longer of 3 and 0, 1 and 0, 2 bytes at one a microsecond: by the fourth root */
    p = (rc_call_plan){.path = 3.0, .bytes = 2.0};
    const double c[RC_CALL_CONSTANTS] = {2e-6, 1e-6, 1e-6, 1e6, 1e-6, 1e-6};
    assert_true(near(exp(rc_call_time(&p, c)), 2e-6 + 1e-6 * pow(81.0 + 16.0, 0.25)));
}

/* 2,128 rows to one expert of width 65 behind 128: tiles of 32 rows are done first, 67 of them, two of 64 columns of the first
 * product each (134 on 132 SMs are two waves of 128) and one of the second (a wave of 65). */
static void test_expert_waves(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_ROWS] = 2128,
                   [RC_AXIS_INPUTS] = 128,
                   [RC_AXIS_WIDTH] = 65,
                   [RC_AXIS_EXPERTS] = 1,
                   [RC_AXIS_TOP_K] = 1}};
    rc_call_plan p = {0};
    rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    assert_true(near(p.path, (2.0 * 128.0 + 65.0) * (32.0 + 16.0) / 4096.0));
    assert_true(near(p.average, 67.0 * 32.0 * 3.0 * 65.0 * 128.0 / 128.0 / 132.0 / 4096.0));
    const double places[RC_CALL_AXES] = {log(2128.0), log(128.0), log(65.0), 0.0, 0.0};
    for (int i = 0; i < RC_CALL_AXES; i++)
        assert_true(fabs(p.at[i] - places[i]) < 1e-12);
}

/* 300 queries of two sequences behind 700 keys in all: each sees the 400 before and half of its own on average. */
static void test_selections(void **state) {
    (void)state;
    const double pairs = 2.0 * (300.0 * 400.0 + 300.0 * 301.0 / 2.0);
    rc_axes at = {{[RC_AXIS_QUERIES] = 300,
                   [RC_AXIS_KEYS] = 700,
                   [RC_AXIS_SEQUENCES] = 2,
                   [RC_AXIS_HEADS] = 64,
                   [RC_AXIS_HEAD_K] = 128}};
    rc_call_plan p = {0};
    rc_call_kind_of(rc_op_named("dsa_index"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    assert_true(near(p.path, pairs * 2.0) && near(p.average, 600.0 * 1400.0));
    assert_true(near(p.bytes, 4.0 * pairs + 1400.0 * 132.0));
    const double places[3] = {log(600.0), log(700.0), log(2.0)};
    for (int i = 0; i < 3; i++)
        assert_true(fabs(p.at[i] - places[i]) < 1e-12);
    p = (rc_call_plan){0};
    rc_call_kind_of(rc_op_named("dsa_topk"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    assert_true(near(p.path, 600.0) && near(p.average, pairs) && near(p.bytes, 4.0 * pairs) &&
                near(p.extra, 5.0));
    at = (rc_axes){{[RC_AXIS_QUERIES] = 265,
                    [RC_AXIS_KEPT] = 1024,
                    [RC_AXIS_QUERY_HEADS] = 65,
                    [RC_AXIS_HEAD_K] = 576,
                    [RC_AXIS_HEAD_V] = 512}};
    p = (rc_call_plan){0};
    rc_call_kind_of(rc_op_named("dsa_attention"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    /* half of the keys, two times 64 heads: as much as 2,048 keys of 64 heads; three waves */
    assert_true(near(p.path, 3.0) && near(p.average, 265.0 / 132.0));
    assert_true(near(p.bytes, 265.0 * 1024.0 * 576.0 + 2.0 * 265.0 * 65.0 * 1088.0));
}

/* 8,256 rows to 48 experts of DeepSeek-V3, 172 each, by our own kernel under scales of blocks: a whole tile and a
 * half of 128 x 128 an expert and 128 outputs, 96 of each, which 132 SMs take in 24 rounds of 56 and 3 stages and
 * in 41 of 16 and 3; weights are fetched twice. */
static void test_tiles_of_blocks(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_ROWS] = 8256,
                   [RC_AXIS_INPUTS] = 7168,
                   [RC_AXIS_WIDTH] = 2048,
                   [RC_AXIS_EXPERTS] = 48,
                   [RC_AXIS_TOP_K] = 8,
                   [RC_AXIS_ENTERING] = 8256}};
    const rc_call_kind *kind = rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8_BLOCK, RC_MEASURED);
    const double weights = 48.0 * 3.0 * 7168.0 * 2048.0;
    rc_call_plan p = {0};
    kind->of(&at, RC_FP8_BLOCK, &p);
    assert_true(near(p.path, 24.0 * 59.0 + 41.0 * 19.0));
    assert_true(near(p.average, 96.0 / 132.0 * (32.0 * 59.0 + 56.0 * 19.0)));
    assert_true(near(p.bytes, 2.0 * weights + 8256.0 * (7168.0 + 2048.0) +
                                  2.0 * 8256.0 * (7168.0 + 4096.0)));
    assert_true(near(p.extra, 8256.0 * 7168.0 * 4.0 + 8256.0 * (7168.0 * 3.0 + 2048.0 * 5.0)));
    assert_true(near(p.other, 66048.0));
    /* as many rows as fill two tiles: the weights are fetched once */
    rc_call_plan whole = {0};
    at.at[RC_AXIS_ROWS] = 48 * 256;
    kind->of(&at, RC_FP8_BLOCK, &whole);
    assert_true(near(whole.path, p.path));
    assert_true(near(whole.bytes, weights + 12288.0 * 9216.0 + 2.0 * 12288.0 * 11264.0));
    /* a row to one expert: 32 and 56 halves of tiles, none of which waits for many others */
    rc_call_plan one = {0};
    at.at[RC_AXIS_ROWS] = at.at[RC_AXIS_ENTERING] = 1;
    kind->of(&at, RC_FP8_BLOCK, &one);
    assert_true(near(one.path, 0.5 * (59.0 * (1.0 + 32.0 / 132.0) + 19.0 * (1.0 + 56.0 / 132.0))));
    /* rows of others, and with scales of rows, are cut otherwise */
    assert_ptr_not_equal(kind, rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8_BLOCK, RC_PUBLISHED));
    assert_ptr_not_equal(kind, rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_MEASURED));
}

/* Between rows a surface has no steps: sizes that differ by one token differ by little. */
static void test_no_steps(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_BATCH] = 32,
                   [RC_AXIS_CONTEXT] = 20000,
                   [RC_AXIS_QUERY_HEADS] = 16,
                   [RC_AXIS_HEAD_K] = 576,
                   [RC_AXIS_HEAD_V] = 512}};
    rc_cost cost;
    double before = 0.0;
    for (; at.at[RC_AXIS_CONTEXT] < 60000; at.at[RC_AXIS_CONTEXT] += 64) {
        assert_int_equal(rc_cost_named(costs, "mla_decode", RC_BF16, &at, &cost, NULL), RC_OK);
        assert_true(before == 0.0 || fabs(cost.p50 / before - 1.0) < 0.02);
        before = cost.p50;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latent_work),    cmocka_unit_test(test_expert_work),
        cmocka_unit_test(test_selection_work), cmocka_unit_test(test_prices),
        cmocka_unit_test(test_quantised),      cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_plans),          cmocka_unit_test(test_no_steps),
        cmocka_unit_test(test_expert_waves),   cmocka_unit_test(test_selections),
        cmocka_unit_test(test_tiles_of_blocks)};
    return cmocka_run_group_tests(tests, open_costs, close_costs);
}
