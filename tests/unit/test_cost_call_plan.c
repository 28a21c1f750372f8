/* How calls are cut into tiles, waves and splits, and their places among others, counted by hand. More of them, and how
 * they become times: test_cost_reach.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "sim/cost/call_plan.h"

/* DeepSeek-V3's heads: materialised, and absorbed into its latents. */
#define MATERIALISED [RC_AXIS_HEAD_K] = 192, [RC_AXIS_HEAD_V] = 128
#define ABSORBED [RC_AXIS_HEAD_K] = 576, [RC_AXIS_HEAD_V] = 512
#define CALL(Q, K, H, N)                                                                           \
    [RC_AXIS_QUERIES] = (Q), [RC_AXIS_KEYS] = (K), [RC_AXIS_QUERY_HEADS] = (H),                    \
    [RC_AXIS_SEQUENCES] = (N)
#define STEP(B, K, H)                                                                              \
    [RC_AXIS_BATCH] = (B), [RC_AXIS_CONTEXT] = (K), [RC_AXIS_QUERY_HEADS] = (H), ABSORBED

static void same(const char *what, double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fmax(1.0, fabs(want))))
        fail_msg("%s: %.12g, by hand %.12g", what, got, want);
}

/* `places` are sizes, whose logs the plan has. */
static void holds(const char *op, rc_dtype type, rc_basis basis, const rc_axes *at,
                  const rc_call_plan *want, const double places[RC_CALL_AXES]) {
    rc_call_plan p = {0};
    rc_call_kind_of(rc_op_named(op), type, basis)->of(at, type, &p);
    same("path", p.path, want->path);
    same("average", p.average, want->average);
    same("bytes", p.bytes, want->bytes);
    same("extra", p.extra, want->extra);
    same("other", p.other, want->other);
    for (int i = 0; i < RC_CALL_AXES; i++)
        same("place", p.at[i], places[i] > 0.0 ? log(places[i]) : 0.0);
}

/* 256 queries behind 768 cached keys, of 128 heads in two sequences: 512 tiles on 132 SMs are four waves. The first tile of a head
 * sees 896 keys, 7 blocks, the second all 8. */
static void test_waves_of_prefill(void **state) {
    (void)state;
    rc_axes at = {{CALL(256, 1024, 128, 2), MATERIALISED}};
    const double blocks = 256.0 * 15.0, places[RC_CALL_AXES] = {256.0 * 128 * 2, 1024, 128, 2};
    rc_call_plan want = {.path = 4.0 * blocks / 512.0,
                         .average = blocks / 132.0,
                         .bytes = 256.0 * (2.0 * 1024 * 320 + 2.0 * 256 * 320),
                         .extra = 4.0};
    holds("mla_prefill", RC_BF16, RC_PUBLISHED, &at, &want, places);
    want.bytes = 256.0 * (1024.0 * 320 + 2.0 * 256 * 320);
    holds("mla_prefill", RC_FP8, RC_PUBLISHED, &at, &want, places);
    /* heads of twice the size: a block is as much as two */
    at.at[RC_AXIS_HEAD_K] = 384, at.at[RC_AXIS_HEAD_V] = 256;
    want = (rc_call_plan){.path = 2.0 * want.path,
                          .average = 2.0 * want.average,
                          .bytes = 2.0 * want.bytes,
                          .extra = 4.0};
    holds("mla_prefill", RC_FP8, RC_PUBLISHED, &at, &want, places);
    /* 132 tiles of one block each fill a wave, of which none is longer than its one block; a tile more is a second */
    at = (rc_axes){{CALL(128, 128, 132, 1), MATERIALISED}};
    want =
        (rc_call_plan){.path = 1.0, .average = 1.0, .bytes = 132.0 * 128 * 320 * 4.0, .extra = 1.0};
    holds("mla_prefill", RC_BF16, RC_PUBLISHED, &at, &want,
          (double[]){128.0 * 132, 128, 132, 0, 0});
    at.at[RC_AXIS_QUERY_HEADS] = 133;
    want = (rc_call_plan){
        .path = 2.0, .average = 133.0 / 132.0, .bytes = 133.0 * 128 * 320 * 4.0, .extra = 2.0};
    holds("mla_prefill", RC_BF16, RC_PUBLISHED, &at, &want,
          (double[]){128.0 * 133, 128, 133, 0, 0});
}

/* Two queries of 128 heads are two tiles of one query each; of 129 keys the first sees two blocks of 64, the second three. */
static void test_absorbed(void **state) {
    (void)state;
    const rc_axes at = {{CALL(2, 129, 128, 3), ABSORBED}};
    const rc_call_plan want = {.path = 3.0,
                               .average = 3.0 * 5.0 / 132.0,
                               .bytes = 3.0 * (1152.0 * 129 + 2.0 * 2 * 128 * 1088),
                               .extra = 1.0};
    holds("mla_absorbed", RC_BF16, RC_PUBLISHED, &at, &want,
          (double[]){2.0 * 128 * 3, 129, 128, 3, 0});
    /* heads of half the size are half the blocks */
    const rc_axes half = {{CALL(2, 129, 128, 3), [RC_AXIS_HEAD_K] = 288, [RC_AXIS_HEAD_V] = 256}};
    const rc_call_plan less = {.path = 1.5,
                               .average = 1.5 * 5.0 / 132.0,
                               .bytes = 3.0 * (288.0 * 129 + 2.0 * 2 * 128 * 544),
                               .extra = 1.0};
    holds("mla_absorbed", RC_FP8, RC_PUBLISHED, &half, &less,
          (double[]){2.0 * 128 * 3, 129, 128, 3, 0});
}

/* Our own kernel of prompts. One tile of 16 blocks is cut in as many pieces, which a second kernel puts together: a block more
 * saved than the 0.02 that a piece costs. 131 tiles, nearly all SMs, are not cut, and 132 are dealt out evenly. */
static void test_own_prefill(void **state) {
    (void)state;
    rc_axes at = {{CALL(128, 2048, 1, 1), MATERIALISED}};
    rc_call_plan want = {.path = 1.0,
                         .average = 16.0 / 132.0,
                         .bytes = 640.0 * (2048 + 128),
                         .extra = 1.0,
                         .other = 16.0};
    holds("mla_prefill", RC_BF16, RC_MEASURED, &at, &want, (double[]){128, 2048, 0, 0, 0});
    at = (rc_axes){{CALL(131 * 128, 131 * 128, 1, 1), MATERIALISED}};
    want = (rc_call_plan){
        .path = 131.0, .average = 131.0 * 66.0 / 132.0, .bytes = 640.0 * 2 * 131 * 128};
    holds("mla_prefill", RC_BF16, RC_MEASURED, &at, &want,
          (double[]){131 * 128, 131 * 128, 0, 0, 0});
    at = (rc_axes){{CALL(66 * 128, 66 * 128, 2, 1), MATERIALISED}};
    want = (rc_call_plan){.path = 33.5, .average = 33.5, .bytes = 2 * 640.0 * 2 * 66 * 128};
    holds("mla_prefill", RC_BF16, RC_MEASURED, &at, &want,
          (double[]){66 * 128 * 2, 66 * 128, 2, 0, 0});
}

/* Decode steps: 65 heads are two units of a sequence. */
static void test_steps(void **state) {
    (void)state;
    /* 200 units are two rounds of all 16 blocks of 64 keys, and none is cut */
    rc_axes at = {{STEP(100, 1024, 65)}};
    rc_call_plan want = {.path = 2.0 * 16.0,
                         .average = 200.0 * 16.0 / 132.0,
                         .bytes = 100.0 * (1152.0 * 1024 + 2.0 * 65 * 1088),
                         .extra = 2.0};
    holds("mla_decode", RC_BF16, RC_PUBLISHED, &at, &want, (double[]){100, 1024, 65, 102400, 6500});
    /* 44 units leave three SMs to each, which take 6 of 17 blocks */
    at = (rc_axes){{STEP(44, 1088, 64)}};
    want = (rc_call_plan){.path = 6.0,
                          .average = 44.0 * 17.0 / 132.0,
                          .bytes = 44.0 * (576.0 * 1088 + 2.0 * 64 * 1088),
                          .extra = 1.0,
                          .other = 132.0};
    holds("mla_decode", RC_FP8, RC_PUBLISHED, &at, &want,
          (double[]){44, 1088, 64, 44.0 * 1088, 44.0 * 64});
    /* no more pieces than blocks */
    at = (rc_axes){{STEP(1, 128, 64)}};
    want = (rc_call_plan){.path = 1.0,
                          .average = 2.0 / 132.0,
                          .bytes = 1152.0 * 128 + 2.0 * 64 * 1088,
                          .extra = 1.0,
                          .other = 2.0};
    holds("mla_decode", RC_BF16, RC_PUBLISHED, &at, &want, (double[]){0, 128, 64, 128, 64});
    /* our own: 34 pieces of 3 of 100 blocks of 32 keys; 50 of 2 would win less than 2 % */
    at = (rc_axes){{STEP(1, 3200, 64)}};
    want = (rc_call_plan){.path = 3.0,
                          .average = 100.0 / 132.0,
                          .bytes = 1152.0 * 3200 + 2.0 * 64 * 1088,
                          .extra = 1.0,
                          .other = 34.0 * 64};
    holds("mla_decode", RC_BF16, RC_MEASURED, &at, &want, (double[]){0, 3200, 64, 3200, 64});
    at = (rc_axes){{STEP(67, 32, 65)}};
    want = (rc_call_plan){
        .path = 2.0, .average = 134.0 / 132.0, .bytes = 67.0 * (1152.0 * 32 + 2.0 * 65 * 1088)};
    holds("mla_decode", RC_BF16, RC_MEASURED, &at, &want,
          (double[]){67, 32, 65, 67.0 * 32, 67.0 * 65});
}

/* 240 tiles of 128 x 128 are two waves of two steps. In bf16 bytes that lie in L2 cost 0.3 of others; those written count for a
 * quarter more where it is asked how many lie there: 34 MB do, of 52 MB none. */
static void test_products_of_heads(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_TOKENS] = 200,
                   [RC_AXIS_OUTPUTS] = 300,
                   [RC_AXIS_INPUTS] = 128,
                   [RC_AXIS_HEADS] = 40}};
    rc_call_plan want = {
        .path = 4.0, .average = 480.0 / 132.0, .bytes = 40.0 * 128 * 500 + 2.0 * 40 * 60000};
    holds("mla_bmm", RC_FP8, RC_PUBLISHED, &at, &want, (double[]){200, 40, 300, 8000, 0});
    want.bytes = 0.3 * (2.0 * 40 * 128 * 500 + 2.0 * 40 * 60000);
    holds("mla_bmm", RC_BF16, RC_PUBLISHED, &at, &want, (double[]){200, 40, 300, 8000, 0});
    /* 33.87 MB, of which 24.58 written: 6.01 of the 18 MB between are beyond */
    at = (rc_axes){{[RC_AXIS_TOKENS] = 1000,
                    [RC_AXIS_OUTPUTS] = 512,
                    [RC_AXIS_INPUTS] = 128,
                    [RC_AXIS_HEADS] = 24}};
    const double bytes = 33865728.0, written = 24576000.0;
    want = (rc_call_plan){.path = 6.0 * 2.0,
                          .average = 768.0 / 132.0 * 2.0,
                          .bytes = bytes * (0.3 + 0.7 * (bytes + 0.25 * written - 34e6) / 18e6)};
    holds("mla_bmm", RC_BF16, RC_PUBLISHED, &at, &want, (double[]){1000, 24, 512, 24000, 0});
    at.at[RC_AXIS_HEADS] = 48;
    want =
        (rc_call_plan){.path = 12.0 * 2.0, .average = 1536.0 / 132.0 * 2.0, .bytes = 2.0 * bytes};
    holds("mla_bmm", RC_BF16, RC_PUBLISHED, &at, &want, (double[]){1000, 48, 512, 48000, 0});
}

/* Places of what test_cost_reach.c counts, and a transfer that goes nowhere. */
static void test_places(void **state) {
    (void)state;
    rc_call_plan p = {0};
    rc_axes at = {{[RC_AXIS_ROWS] = 4,
                   [RC_AXIS_INPUTS] = 1024,
                   [RC_AXIS_WIDTH] = 512,
                   [RC_AXIS_EXPERTS] = 8,
                   [RC_AXIS_TOP_K] = 2,
                   [RC_AXIS_ENTERING] = 4}};
    const double experts[RC_CALL_AXES] = {4, 1024, 512, 8, 2};
    rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    for (int i = 0; i < RC_CALL_AXES; i++)
        same("experts", p.at[i], log(experts[i]));
    at = (rc_axes){{[RC_AXIS_TOKENS] = 16,
                    [RC_AXIS_WIDTH] = 4096,
                    [RC_AXIS_RANKS] = 8,
                    [RC_AXIS_EXPERTS] = 8,
                    [RC_AXIS_TOP_K] = 8}};
    const rc_call_plan all = {.path = 112.0, .average = 16.0, .bytes = 112.0 * 4096, .extra = 8.0};
    holds("ep_dispatch", RC_FP8, RC_PUBLISHED, &at, &all, (double[]){16, 4096, 7, 8, 8});
    at.at[RC_AXIS_RANKS] = 1;
    const rc_call_plan none = {.average = 16.0, .extra = 8.0};
    holds("ep_dispatch", RC_FP8, RC_PUBLISHED, &at, &none, (double[]){16, 4096, 1e-3, 8, 8});
    /* 133 queries are a wave and one more */
    at = (rc_axes){
        {[RC_AXIS_QUERIES] = 133, [RC_AXIS_KEPT] = 2048, [RC_AXIS_QUERY_HEADS] = 64, ABSORBED}};
    const rc_call_plan chosen = {.path = 2.0,
                                 .average = 133.0 / 132.0,
                                 .bytes = 133.0 * (2048.0 * 576 * 2 + 2.0 * 64 * 1088)};
    holds("dsa_attention", RC_BF16, RC_PUBLISHED, &at, &chosen, (double[]){133, 2048, 64, 0, 0});
}

/* What fills its tiles and is one more begins another of each: a query or a key of attention, a head, a token or an output of
 * products, a column of an expert. */
static void test_one_more(void **state) {
    (void)state;
    /* two tiles of queries a head, 132 in all; the first tiles see 299 of 300 keys, so all of them see three blocks */
    rc_axes at = {{CALL(129, 300, 66, 1), MATERIALISED}};
    rc_call_plan want = {
        .path = 3.0, .average = 3.0, .bytes = 66.0 * 640.0 * (300.0 + 129.0), .extra = 1.0};
    holds("mla_prefill", RC_BF16, RC_PUBLISHED, &at, &want, (double[]){129.0 * 66, 300, 66, 0, 0});
    /* our own: 132 tiles fill the SMs and are dealt out evenly; one tile of 16 blocks and a key is cut in 17 */
    at = (rc_axes){{CALL(129, 129, 66, 1), MATERIALISED}};
    want = (rc_call_plan){.path = 1.5, .average = 1.5, .bytes = 66.0 * 640.0 * 2.0 * 129.0};
    holds("mla_prefill", RC_BF16, RC_MEASURED, &at, &want, (double[]){129.0 * 66, 129, 66, 0, 0});
    at = (rc_axes){{CALL(128, 2049, 1, 1), MATERIALISED}};
    want = (rc_call_plan){.path = 1.0,
                          .average = 17.0 / 132.0,
                          .bytes = 640.0 * (2049.0 + 128.0),
                          .extra = 1.0,
                          .other = 17.0};
    holds("mla_prefill", RC_BF16, RC_MEASURED, &at, &want, (double[]){128, 2049, 0, 0, 0});
    /* 66 sequences of two blocks of keys are cut in two */
    at = (rc_axes){{STEP(66, 65, 64)}};
    want = (rc_call_plan){.path = 1.0,
                          .average = 1.0,
                          .bytes = 66.0 * (1152.0 * 65 + 2.0 * 64 * 1088),
                          .extra = 1.0,
                          .other = 132.0};
    holds("mla_decode", RC_BF16, RC_PUBLISHED, &at, &want,
          (double[]){66, 65, 64, 66.0 * 65, 66.0 * 64});
    at = (rc_axes){{STEP(132, 33, 64)}};
    want = (rc_call_plan){
        .path = 2.0, .average = 2.0, .bytes = 132.0 * (1152.0 * 33 + 2.0 * 64 * 1088)};
    holds("mla_decode", RC_BF16, RC_MEASURED, &at, &want,
          (double[]){132, 33, 64, 132.0 * 33, 132.0 * 64});
    /* four tiles a head, of a step and a half */
    at = (rc_axes){{[RC_AXIS_TOKENS] = 129,
                    [RC_AXIS_OUTPUTS] = 129,
                    [RC_AXIS_INPUTS] = 96,
                    [RC_AXIS_HEADS] = 33}};
    want = (rc_call_plan){
        .path = 1.5, .average = 1.5, .bytes = 33.0 * 129 * 192 + 2.0 * 33 * 129 * 129};
    holds("mla_bmm", RC_FP8, RC_PUBLISHED, &at, &want, (double[]){129, 33, 129, 129.0 * 33, 0});
    /* a row to each of 132 experts: two tiles of 16 rows for 65 columns within, two for 129 outputs, so two waves of each */
    rc_call_plan p = {0};
    at = (rc_axes){{[RC_AXIS_ROWS] = 132,
                    [RC_AXIS_INPUTS] = 129,
                    [RC_AXIS_WIDTH] = 65,
                    [RC_AXIS_EXPERTS] = 132,
                    [RC_AXIS_TOP_K] = 1}};
    rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    same("waves of experts", p.path, (2.0 * 129 + 2.0 * 65) * 32.0 / 4096.0);
    /* 17 rows to one expert are two tiles of 16 */
    at = (rc_axes){{[RC_AXIS_ROWS] = 17,
                    [RC_AXIS_INPUTS] = 128,
                    [RC_AXIS_WIDTH] = 64,
                    [RC_AXIS_EXPERTS] = 1,
                    [RC_AXIS_TOP_K] = 1}};
    rc_call_kind_of(rc_op_named("moe_ffn"), RC_FP8, RC_PUBLISHED)->of(&at, RC_FP8, &p);
    same("rows of an expert", p.average, 32.0 * 3.0 * 64 * 128 / 128.0 / 132.0 / 4096.0);
}

/* Each place is over its own scale, and what an op does not place has none. */
static void test_scales(void **state) {
    (void)state;
    static const rc_dtype types[] = {RC_BF16, RC_FP8_BLOCK};
    static const rc_basis bases[] = {RC_PUBLISHED, RC_MEASURED};
    rc_axes at;
    int seen = 0;
    for (int i = 0; i < RC_AXIS_COUNT; i++)
        at.at[i] = 3 + i % 5;
    for (rc_op op = 0; op < rc_op_count(); op++)
        for (int i = 0; i < 4; i++) {
            const rc_dtype type = types[i % 2];
            const rc_call_kind *kind = rc_call_kind_of(op, type, bases[i / 2]);
            rc_call_plan p = {0}, over = {.extra = 7.0};
            if (kind == NULL)
                continue;
            kind->of(&at, type, &p);
            rc_call_scaled(kind, &at, type, &over);
            same("path", over.path, p.path);
            same("extra", over.extra, p.extra);
            for (int k = 0; k < RC_CALL_AXES; k++) {
                const double scale = kind->scale[k];
                if ((scale > 0.0) != (p.at[k] != 0.0))
                    fail_msg("%s: axis %d has scale %g and place %g", kind->op, k, scale, p.at[k]);
                same(kind->op, over.at[k] * (scale > 0.0 ? scale : 1.0), p.at[k]);
            }
            seen++;
        }
    assert_int_equal(seen, 4 * 10);
}

/* Each part of the time by itself: a start, the longer of units and bytes, and what is paid for extra and other ones. */
static void test_time(void **state) {
    (void)state;
    const double c[RC_CALL_CONSTANTS] = {2e-6, 3e-6, 5e-6, 7e6, 11e-6, 13e-6};
    static const struct {
        rc_call_plan p;
        double us;
    } t[] = {{{.path = 1.0}, 5.0},
             {{.average = 1.0}, 7.0},
             {{.bytes = 14.0}, 4.0},
             {{.extra = 1.0}, 13.0},
             {{.other = 2.0}, 28.0},
             {{.path = 1e6, .average = 1.0, .extra = 1.0, .other = 1.0}, 2.0 + 3e6 + 11.0 + 13.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        same("time", 1e6 * exp(rc_call_time(&t[i].p, c)), t[i].us);
}

/* Which calls make surfaces: of our own kernels where they were measured, of experts by blocks in that type alone. */
static void test_kinds(void **state) {
    (void)state;
    static const char *const ops[] = {"mla_prefill", "mla_decode"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const rc_call_kind *own = rc_call_kind_of(rc_op_named(ops[i]), RC_BF16, RC_MEASURED);
        assert_true(own->own && own != rc_call_kind_of(rc_op_named(ops[i]), RC_BF16, RC_PUBLISHED));
        assert_ptr_equal(own, rc_call_kind_of(rc_op_named(ops[i]), RC_FP8, RC_MEASURED));
    }
    const rc_op experts = rc_op_named("moe_ffn");
    const rc_call_kind *plain = rc_call_kind_of(experts, RC_FP8, RC_PUBLISHED);
    assert_ptr_equal(plain, rc_call_kind_of(experts, RC_BF16, RC_MEASURED));
    assert_ptr_equal(plain, rc_call_kind_of(experts, RC_FP8_BLOCK, RC_PUBLISHED));
    assert_ptr_not_equal(plain, rc_call_kind_of(experts, RC_FP8_BLOCK, RC_MEASURED));
    assert_null(rc_call_kind_of(RC_COST_GEMM, RC_BF16, RC_MEASURED));
    assert_null(rc_call_kind_of(rc_op_named("moe_route"), RC_BF16, RC_PUBLISHED));
    assert_null(rc_call_kind_of(rc_op_named("dsa_index_step"), RC_BF16, RC_PUBLISHED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waves_of_prefill),
        cmocka_unit_test(test_absorbed),
        cmocka_unit_test(test_own_prefill),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_products_of_heads),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_one_more),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
