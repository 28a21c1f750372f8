/* What each shape of a program asks the costs for, and what it makes of the answers: costs that write down every
 * question stand in for the room of costs, and the time of the k-th answer is k microseconds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/forward/internal.h"

enum { ANSWERS = 12 };

/* What was asked, a question a line, and what is answered. */
static struct {
    char text[2048];
    size_t length;
    int count;
    rc_cost answer[ANSWERS];
    rc_p2p message;
    rc_machine machine;
    rc_power power;
    double clock;
} heard;

__attribute__((format(printf, 1, 2))) static void hear(const char *form, ...) {
    va_list args;
    va_start(args, form);
    heard.length +=
        (size_t)vsnprintf(heard.text + heard.length, sizeof heard.text - heard.length, form, args);
    va_end(args);
    assert_true(heard.length < sizeof heard.text);
}

static rc_status answer(rc_cost *out) {
    assert_true(heard.count < ANSWERS);
    *out = heard.answer[heard.count++];
    return RC_OK;
}

static void hear_heads(rc_heads h) {
    hear(" heads %d %d %d %d\n", h.query, h.kv, h.key_size, h.value_size);
}

static rc_status hear_gemm(const rc_costs *c, rc_dtype d, int64_t m, int64_t n, int64_t k,
                           rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("gemm %s %lld %lld %lld\n", rc_dtype_name(d), (long long)m, (long long)n, (long long)k);
    return answer(out);
}

static rc_status hear_attention(const rc_costs *c, rc_dtype d, int causal, int64_t tq, int64_t tk,
                                rc_heads heads, rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("attention %s %d %lld %lld", rc_dtype_name(d), causal, (long long)tq, (long long)tk);
    hear_heads(heads);
    return answer(out);
}

static rc_status hear_within(const rc_costs *c, rc_dtype d, int64_t tq, int64_t tk, int64_t window,
                             rc_heads heads, rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("within %lld: %s %lld %lld", (long long)window, rc_dtype_name(d), (long long)tq,
         (long long)tk);
    hear_heads(heads);
    return answer(out);
}

static rc_status hear_alike(const rc_costs *c, rc_dtype d, int causal, int64_t sequences,
                            int64_t tq, int64_t tk, rc_heads heads, rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("%lld alike: %s %d %lld %lld", (long long)sequences, rc_dtype_name(d), causal,
         (long long)tq, (long long)tk);
    hear_heads(heads);
    return answer(out);
}

static rc_status hear_fused(const rc_costs *c, rc_dtype d, int64_t rows, int64_t entries,
                            const rc_cost *longest, rc_heads heads, rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("fused %s %lld %lld longest %.0f", rc_dtype_name(d), (long long)rows, (long long)entries,
         1e6 * longest->p50);
    hear_heads(heads);
    return answer(out);
}

static rc_status hear_decode(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context,
                             rc_heads heads, rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("decode %s %lld %lld", rc_dtype_name(d), (long long)batch, (long long)context);
    hear_heads(heads);
    return answer(out);
}

static rc_status hear_ragged(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context,
                             int64_t longest, rc_heads heads, rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("ragged %s %lld %lld %lld", rc_dtype_name(d), (long long)batch, (long long)context,
         (long long)longest);
    hear_heads(heads);
    return answer(out);
}

static rc_status hear_merge(const rc_costs *c, int64_t rows, int parts, int value_size,
                            rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("merge %lld %d %d\n", (long long)rows, parts, value_size);
    return answer(out);
}

static rc_status hear_named(const rc_costs *c, const char *name, rc_dtype d, const rc_axes *at,
                            rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("%s %s", name, rc_dtype_name(d));
    for (int axis = 1; axis < RC_AXIS_COUNT; axis++)
        if (at->at[axis] != 0)
            hear(", %lld %s", (long long)at->at[axis], rc_axis_name((rc_axis)axis));
    hear("\n");
    return answer(out);
}

static void hear_group(int ranks, int nodes, int abreast) {
    hear(" ranks %d nodes %d abreast %d", ranks, nodes, abreast);
}

static rc_status hear_collective(const rc_costs *c, const char *op, const rc_transfer *x,
                                 rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("%s %.0f", op, x->bytes);
    hear_group(x->ranks, x->nodes, x->abreast);
    hear(" second %.0f pieces %.0f %.0f %.0f\n", x->second, x->piece[0], x->piece[1], x->piece[2]);
    return answer(out);
}

static rc_status hear_experts(const rc_costs *c, const char *op, const rc_expert_transfer *x,
                              rc_cost *out, rc_error *err) {
    (void)c, (void)err;
    hear("%s %lld x %lld of %.1f, %d experts %d a token", op, (long long)x->tokens,
         (long long)x->width, x->element, x->experts, x->top_k);
    hear_group(x->ranks, x->nodes, x->abreast);
    hear("\n");
    return answer(out);
}

static rc_status hear_message(const rc_costs *c, const rc_transfer *x, rc_p2p *out, rc_error *err) {
    (void)c, (void)err;
    hear("message %.0f", x->bytes);
    hear_group(x->ranks, x->nodes, x->abreast);
    hear(" second %.0f pieces %.0f %.0f %.0f\n", x->second, x->piece[0], x->piece[1], x->piece[2]);
    *out = heard.message;
    return RC_OK;
}

static const rc_machine *machine_of(const rc_costs *c) {
    (void)c;
    return &heard.machine;
}

static const rc_power *power_of(const rc_costs *c) {
    (void)c;
    return heard.power.known ? &heard.power : NULL;
}

static rc_pace pace_of(const rc_costs *c) {
    return (rc_pace){heard.clock, power_of(c)};
}

#define rc_cost_gemm hear_gemm
#define rc_cost_attention hear_attention
#define rc_cost_attention_within hear_within
#define rc_cost_attention_alike hear_alike
#define rc_cost_attention_fused hear_fused
#define rc_cost_decode hear_decode
#define rc_cost_decode_ragged hear_ragged
#define rc_cost_merge hear_merge
#define rc_cost_named hear_named
#define rc_cost_collective hear_collective
#define rc_cost_expert_transfer hear_experts
#define rc_cost_p2p hear_message
#define rc_costs_machine machine_of
#define rc_costs_power power_of
#define rc_costs_pace pace_of
#include "sim/forward/call_memo.c"
#include "sim/forward/shape_price.c"

static const rc_costs *const costs = (const rc_costs *)&heard; /* never looked into */

static void quiet(void) {
    memset(heard.text, 0, sizeof heard.text);
    heard.length = 0;
    heard.count = 0;
}

/* Answers of 1, 2, ... us, measured. */
static int begin(void **state) {
    (void)state;
    memset(&heard, 0, sizeof heard);
    heard.clock = 1.0;
    for (int i = 0; i < ANSWERS; i++)
        heard.answer[i] = (rc_cost){.p50 = 1e-6 * (i + 1), .spread = 0.1};
    heard.machine = (rc_machine){.sms = 132, .attention_ratio = 1.0};
    return 0;
}

static const rc_call calls[] = {{100, 900, 1}, {100, 900, 1}, {100, 900, 1}, {100, 900, 0},
                                {100, 901, 1}, {101, 900, 1}, {7, 30, 0},    {1, 5, 0}};
enum { CALLS = sizeof calls / sizeof calls[0] };

static rc_program program(void) {
    static rc_call copy[CALLS];
    memcpy(copy, calls, sizeof copy);
    return (rc_program){.calls = copy, .call_count = CALLS};
}

static rc_shape_cost price(const rc_shape *s) {
    const rc_program p = program();
    rc_shape_cost out;
    quiet();
    assert_int_equal(rc_shape_price(costs, NULL, &p, s, &out, NULL), RC_OK);
    return out;
}

static void asks(const rc_shape *s, const char *questions, rc_time ticks) {
    const rc_shape_cost out = price(s);
    assert_string_equal(heard.text, questions);
    assert_int_equal(out.duration, ticks);
    assert_int_equal(out.alone, ticks);
    assert_int_equal(out.beside, ticks);
}

#define HEADS .hq = 4, .hkv = 2, .key_size = 6, .value_size = 5

static void test_questions(void **state) {
    (void)state;
    const struct {
        rc_shape shape;
        const char *questions;
        rc_time us;
    } t[] = {
        {{.kind = RC_T_GEMM, .dtype = RC_FP8, .a = 2, .b = 3, .c = 4}, "gemm fp8 2 3 4\n", 1},
        {{.kind = RC_T_MERGE, .a = 7, .b = 3, .value_size = 5}, "merge 7 3 5\n", 1},
        {{.kind = RC_T_DECODE, .dtype = RC_BF16, .a = 2, .b = 30, .c = 40, HEADS},
         "decode bf16 2 30 heads 4 2 6 5\n",
         1},
        {{.kind = RC_T_DECODE, .dtype = RC_FP8, .a = 2, .b = 30, .c = 40, .stand_in = true, HEADS},
         "ragged fp8 2 30 40 heads 4 2 6 5\n",
         1},
        {{.kind = RC_T_DECODE, .dtype = RC_FP8, .a = 2, .b = 30, .c = 20, .stand_in = true, HEADS},
         "ragged fp8 2 30 30 heads 4 2 6 5\n",
         1},
        {{.kind = RC_T_DECODE, .dtype = RC_BF16, .op = "mla_decode", .a = 2, .b = 30, HEADS},
         "mla_decode bf16, 4 query heads, 6 head size of keys, 5 head size of values, 2 batch, 30 "
         "context\n",
         1},
        /* in two launches of 4 tokens and of 3 */
        {{.kind = RC_T_ELEMENTWISE, .dtype = RC_BF16, .op = "rmsnorm", .a = 7, .b = 9, .c = 2},
         "rmsnorm bf16, 4 tokens, 9 width\n",
         2},
        {{.kind = RC_T_ELEMENTWISE, .dtype = RC_BF16, .op = "rotary_kv", .a = 7, .c = 1, HEADS},
         "rotary_kv bf16, 7 tokens, 4 query heads, 2 KV heads, 6 head size of keys, 5 head size of "
         "values\n",
         1},
        {{.kind = RC_T_ELEMENTWISE, .dtype = RC_BF16, .op = "copy", .bytes = 64.6},
         "copy bf16, 65 bytes\n",
         1},
        {{.kind = RC_T_OP,
          .dtype = RC_FP8,
          .op = "moe_ffn",
          .a = 2,
          .b = 3,
          .c = 4,
          .d = 5,
          .experts = 16,
          .top_k = 6},
         "moe_ffn fp8, 3 k, 16 experts, 6 experts a token, 2 rows, 4 width, 5 tokens entering\n",
         1},
        {{.kind = RC_T_OP, .dtype = RC_FP8, .op = "moe_route", .a = 2, .b = 3, .key_size = 6},
         "moe_route fp8, 2 tokens, 6 head size of keys\n",
         1},
        /* two copies of each piece that there is */
        {{.kind = RC_T_COPY, .a = 8, .c = 16}, "copy bf16, 16 bytes\ncopy bf16, 32 bytes\n", 6},
        {{.kind = RC_T_COLLECTIVE,
          .op = "all_to_all",
          .a = 11,
          .b = 12,
          .bytes = 64,
          .ranks = 4,
          .nodes = 2,
          .abreast = 3},
         "all_to_all 64 ranks 4 nodes 2 abreast 3 second 11 pieces 0 0 0\n",
         1},
        {{.kind = RC_T_COLLECTIVE,
          .op = "ep_dispatch",
          .a = 11,
          .b = 12,
          .bytes = 2,
          .experts = 16,
          .top_k = 6,
          .ranks = 4,
          .nodes = 2,
          .abreast = 3},
         "ep_dispatch 11 x 12 of 2.0, 16 experts 6 a token ranks 4 nodes 2 abreast 3\n",
         1},
        {{.kind = RC_T_MARK}, "", 0},
        {{.kind = RC_T_PORT}, "", 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        asks(&t[i].shape, t[i].questions, t[i].us * 1000000);
}

/* Calls that are alike are one question; of others each is asked for, and then all of them together, with the longest. */
static void test_attention(void **state) {
    (void)state;
    rc_shape s = {
        .kind = RC_T_ATTENTION, .dtype = RC_FP8, .hq = 4, .hkv = 2, .key_size = 6, .value_size = 5};
    s.calls = 1;
    asks(&s, "attention fp8 1 100 900 heads 4 2 6 5\n", 1000000);
    s.calls = 3;
    asks(&s, "3 alike: fp8 1 100 900 heads 4 2 6 5\n", 1000000);
    heard.machine.attention_ratio = 0.9; /* another kernel, whose plan nobody knows */
    heard.answer[0].p50 = 4e-6;
    for (uint32_t other = 3; other < 6; other++) { /* by what sees what, keys, queries */
        char both[512];
        const rc_call *x = &calls[2], *y = &calls[other];
        const int64_t entries = rc_call_entries(x) + rc_call_entries(y), rows = x->tq + y->tq;
        rc_program p = program();
        rc_shape_cost out;
        p.calls[other - 1] = calls[2];
        s.first_call = other - 1;
        s.calls = 2;
        quiet();
        assert_int_equal(rc_shape_price(costs, NULL, &p, &s, &out, NULL), RC_OK);
        (void)snprintf(both, sizeof both,
                       "attention fp8 1 100 900 heads 4 2 6 5\n"
                       "attention fp8 %d %lld %lld heads 4 2 6 5\n"
                       "fused fp8 %lld %lld longest 4 heads 4 2 6 5\n",
                       y->causal, (long long)y->tq, (long long)y->tk, (long long)rows,
                       (long long)entries);
        assert_string_equal(heard.text, both);
        assert_int_equal(out.duration, 3000000);
    }
}

/* Where the plan of the kernel is known, what several calls take over one of as many rows and entries: two calls of a tile and
 * of 128 tiles of a block each, on 129 SMs, end together, but one call whose entries are spread over as many rows ... the two
 * plans say, and their quotient is the price's. */
static void test_several_calls_by_their_plan(void **state) {
    (void)state;
    rc_tile_call each[2] = {{100, 900, true}, {7, 30, false}};
    rc_program p = program();
    p.calls[1] = calls[6];
    const int64_t entries = rc_call_entries(&p.calls[0]) + rc_call_entries(&p.calls[1]);
    rc_tile_call one = {107, (entries + 106) / 107, false};
    rc_tiles many, single;
    rc_tiles_plan(each, 2, 4, 2, 4, &many);
    rc_tiles_plan(&one, 1, 4, 2, 4, &single);
    const double ratio =
        rc_tiles_time(&many, 4, 0, 0.0, 1, NULL) / rc_tiles_time(&single, 4, 0, 0.0, 1, NULL);
    assert_true(fabs(ratio - 1.0) > 0.01);
    const rc_shape s = {.kind = RC_T_ATTENTION, .dtype = RC_BF16, .calls = 2, HEADS};
    rc_shape_cost out;
    heard.machine.sms = 4;
    quiet();
    assert_int_equal(rc_shape_price(costs, NULL, &p, &s, &out, NULL), RC_OK);
    assert_int_equal(out.duration, llround(3e6 * ratio));
    heard.machine.sms = 0; /* nobody says how many: as one */
    quiet();
    assert_int_equal(rc_shape_price(costs, NULL, &p, &s, &out, NULL), RC_OK);
    assert_int_equal(out.duration, 3000000);
}

/* Beyond so many calls no plan is made. */
static void test_very_many_calls(void **state) {
    (void)state;
    enum { MANY = RC_TILE_CALLS + 1 };
    rc_call many[MANY];
    for (int i = 0; i < MANY; i++)
        many[i] = (rc_call){1 + i, 4000 * (1 + i), 0};
    for (int left_out = 0; left_out < 2; left_out++) {
        const uint32_t n = (uint32_t)(MANY - left_out);
        const rc_program p = {.calls = many, .call_count = n};
        const rc_shape s = {.kind = RC_T_ATTENTION, .dtype = RC_BF16, .calls = n, HEADS};
        rc_shape_cost out;
        quiet();
        assert_int_equal(rc_shape_price(costs, NULL, &p, &s, &out, NULL), RC_OK);
        assert_int_equal(out.duration == (rc_time)(n + 1) * 1000000, !left_out);
    }
}

/* A window counts where a call sees more keys than it: one of as many does not. */
static void test_windows(void **state) {
    (void)state;
    rc_shape s = {.kind = RC_T_ATTENTION, .dtype = RC_BF16, .calls = 2, .window = 899, HEADS};
    asks(&s, "within 899: bf16 100 900 heads 4 2 6 5\nwithin 899: bf16 100 900 heads 4 2 6 5\n",
         3000000);
    s.window = 900;
    asks(&s, "2 alike: bf16 1 100 900 heads 4 2 6 5\n", 1000000);
    s.calls = 1;
    s.window = 1;
    asks(&s, "within 1: bf16 100 900 heads 4 2 6 5\n", 1000000);
}

/* What is packed is unpacked before, in rows of 8,192 elements of which the last need not be full. */
static void test_unpacking(void **state) {
    (void)state;
    rc_shape s = {.kind = RC_T_ATTENTION,
                  .dtype = RC_BF16,
                  .calls = 1,
                  .unpack_fp8 = 2 * 8192 + 1,
                  .unpack_int4 = 8192,
                  HEADS};
    asks(&s,
         "attention bf16 1 100 900 heads 4 2 6 5\n"
         "dequantize_fp8 bf16, 3 tokens, 8192 width\n"
         "dequantize_int4 bf16, 1 tokens, 8192 width\n",
         6000000);
    s.unpack_fp8 = 0;
    asks(&s,
         "attention bf16 1 100 900 heads 4 2 6 5\n"
         "dequantize_int4 bf16, 1 tokens, 8192 width\n",
         3000000);
}

/* Latents: the product that makes keys and values of them, then each call; one without a mask has as many pairs as a causal one
 * with half of its queries less one more. */
static void test_latents(void **state) {
    (void)state;
    rc_shape s = {.kind = RC_T_ATTENTION,
                  .dtype = RC_FP8,
                  .op = "mla_prefill",
                  .a = 30,
                  .b = 64,
                  .c = 512,
                  .first_call = 5,
                  .calls = 2,
                  HEADS};
    asks(&s,
         "gemm bf16 30 64 512\n"
         "mla_prefill fp8, 101 tq, 900 tk, 4 query heads, 6 head size of keys, 5 head size of "
         "values, 1 sequences\n"
         "mla_prefill fp8, 7 tq, 33 tk, 4 query heads, 6 head size of keys, 5 head size of values, "
         "1 sequences\n",
         6000000);
    s.a = 0;
    s.first_call = 7;
    s.calls = 1;
    asks(
        &s,
        "mla_prefill fp8, 1 tq, 5 tk, 4 query heads, 6 head size of keys, 5 head size of values, 1 "
        "sequences\n",
        1000000);
}

/* Calls that differ in one size have answers of their own, and one that has been asked for is not asked for again until the
 * memory is told to forget. */
static void test_memory_of_calls(void **state) {
    (void)state;
    const rc_latent_call one = {"mla_prefill", RC_BF16, 4, 6, 5, 100, 900};
    rc_latent_call other[7];
    for (int i = 0; i < 7; i++)
        other[i] = one;
    other[0].op = "mla_absorbed";
    other[1].dtype = RC_FP8;
    other[2].heads = 5;
    other[3].key_size = 7;
    other[4].value_size = 6;
    other[5].queries = 101;
    other[6].keys = 901;
    for (int i = 0; i < 7; i++) {
        rc_call_memo *memo = rc_call_memo_create();
        rc_cost first, again, others;
        assert_non_null(memo);
        quiet();
        assert_int_equal(rc_call_memo_cost(memo, costs, &one, &first, NULL), RC_OK);
        assert_int_equal(rc_call_memo_cost(memo, costs, &one, &again, NULL), RC_OK);
        assert_int_equal(heard.count, 1);
        assert_true(first.p50 == 1e-6 && again.p50 == 1e-6 && again.spread == 0.1);
        assert_int_equal(rc_call_memo_cost(memo, costs, &other[i], &others, NULL), RC_OK);
        assert_int_equal(heard.count, 2);
        assert_true(others.p50 == 2e-6);
        rc_call_memo_forget(memo);
        assert_int_equal(rc_call_memo_cost(memo, costs, &other[i], &others, NULL), RC_OK);
        assert_true(heard.count == 3 && fabs(others.p50 - 3e-6) < 1e-18);
        rc_call_memo_destroy(memo);
    }
}

/* Of costs one behind the other: times and efforts are added, spreads are weighed by time, the class is the longer one's, and
 * the basis the worse. */
static void test_sums(void **state) {
    (void)state;
    rc_cost sum = {0}, x = {.p50 = 3.0,
                            .spread = 0.2,
                            .own = 0.1,
                            .basis = RC_TRANSFERRED,
                            .effort = {10.0, 20.0, 0.5, RC_POWER_GEMM_FP8}};
    add_cost(&sum, &x);
    assert_true(sum.p50 == 3.0 && fabs(sum.spread - 0.2) < 1e-15 && fabs(sum.own - 0.1) < 1e-15);
    assert_true(sum.effort.flops == 10.0 && sum.effort.bytes == 20.0);
    assert_true(fabs(sum.effort.bound - 0.5) < 1e-15 && sum.effort.class == RC_POWER_GEMM_FP8);
    assert_int_equal(sum.basis, RC_TRANSFERRED);
    x = (rc_cost){.p50 = 1.0,
                  .spread = 0.4,
                  .own = 0.3,
                  .basis = RC_MEASURED,
                  .effort = {1.0, 2.0, 0.1, RC_POWER_OTHER}};
    add_cost(&sum, &x);
    assert_true(sum.p50 == 4.0 && fabs(sum.spread - 0.25) < 1e-15 && fabs(sum.own - 0.15) < 1e-15);
    assert_true(sum.effort.flops == 11.0 && sum.effort.bytes == 22.0);
    assert_true(fabs(sum.effort.bound - 0.4) < 1e-15 && sum.effort.class == RC_POWER_GEMM_FP8);
    assert_int_equal(sum.basis, RC_TRANSFERRED);
    x.p50 = 4.0;
    x.basis = RC_STATED;
    add_cost(&sum, &x);
    assert_int_equal(sum.effort.class, RC_POWER_OTHER);
    assert_int_equal(sum.basis, RC_STATED);
    sum = (rc_cost){.spread = 1.0};
    x = (rc_cost){.spread = 1.0, .own = 1.0, .effort = {.bound = 1.0}};
    add_cost(&sum, &x); /* of nothing */
    assert_true(sum.spread == 0.0 && sum.own == 0.0 && sum.effort.bound == 0.0);
}

/* Copies of several pieces: the widest spread and the worst basis. */
static void test_copies(void **state) {
    (void)state;
    const rc_shape s = {.kind = RC_T_COPY, .a = 8, .b = 9, .c = 10};
    heard.answer[0].basis = RC_MODELLED;
    heard.answer[1].spread = 0.3;
    const rc_shape_cost out = price(&s);
    assert_int_equal(out.duration, 12000000);
    assert_int_equal(out.basis, RC_MODELLED);
    assert_true(out.spread == 0.3);
}

/* What transfers read from HBM and write there, by J a byte: a ring reads and writes what a rank sends, an all-reduce twice. */
static void test_power_of_transfers(void **state) {
    (void)state;
    heard.power = (rc_power){.known = true, .byte = 1e-3};
    rc_shape s = {.kind = RC_T_COLLECTIVE, .op = "all_gather", .bytes = 1000.0, .ranks = 4};
    rc_shape_cost out = price(&s);
    assert_int_equal(out.load.memory, llround(2.0 * 750.0 * 1e6));
    assert_int_equal(out.load.class, RC_POWER_LINK);
    s.op = "all_reduce";
    assert_int_equal(price(&s).load.memory, llround(4.0 * 750.0 * 1e6));
    s = (rc_shape){.kind = RC_T_COLLECTIVE,
                   .op = "ep_combine",
                   .a = 30,
                   .b = 7,
                   .bytes = 2.0,
                   .experts = 4,
                   .top_k = 2,
                   .ranks = 2};
    out = price(&s);
    assert_int_equal(out.load.memory, llround(2.0 * 210.0 * 2.0 * 5.0 / 6.0 * 1e6));
    assert_int_equal(out.load.class, RC_POWER_LINK);
    s = (rc_shape){.kind = RC_T_MESSAGE, .part = RC_P_SENDRECV, .bytes = 1000.0};
    out = price(&s);
    assert_int_equal(out.load.memory, llround(2.0 * 1000.0 * 1e6));
    assert_int_equal(out.load.class, RC_POWER_LINK);
}

/* A message: its pieces, its latency as the time, its rates, and what it rests on; on links that are shared by a rule it is a
 * model's. */
static void test_messages(void **state) {
    (void)state;
    heard.message = (rc_p2p){.latency = 5e-6,
                             .peer_rate = 1e9,
                             .link_rate = 2e9,
                             .spread = 0.3,
                             .bound = 0.5,
                             .basis = RC_PUBLISHED};
    rc_shape s = {.kind = RC_T_MESSAGE,
                  .part = RC_P_SENDRECV,
                  .a = 8,
                  .b = 9,
                  .c = 10,
                  .bytes = 54.0,
                  .ranks = 4,
                  .nodes = 2,
                  .abreast = 3};
    asks(&s, "message 54 ranks 4 nodes 2 abreast 3 second 0 pieces 8 9 10\n", 5000000);
    rc_shape_cost out = price(&s);
    assert_true(out.peer_rate == 1e9 && out.link_rate == 2e9 && out.spread == 0.3);
    assert_int_equal(out.basis, RC_PUBLISHED);
    s.part = RC_P_ALL2ALL;
    assert_int_equal(price(&s).basis, RC_MODELLED);
    heard.message.basis = RC_STATED;
    assert_int_equal(price(&s).basis, RC_STATED);
    s = (rc_shape){.kind = RC_T_GEMM, .part = RC_P_ALL2ALL};
    assert_int_equal(price(&s).basis, RC_MEASURED);
    s.stand_in = true;
    assert_int_equal(price(&s).basis, RC_MODELLED);
}

/* Times of the host are the machine's: stated, or a model's where they were fitted and nobody has set them since. */
static void test_numbers_of_the_machine(void **state) {
    (void)state;
    rc_shape s = {.kind = RC_T_LAUNCH};
    heard.machine.launch = 3e-6;
    heard.machine.ring_step = 20e-6;
    heard.machine.ring_step_cached = 7e-6;
    asks(&s, "", 3000000);
    assert_int_equal(price(&s).basis, RC_STATED);
    s.kind = RC_T_RING_STEP;
    asks(&s, "", 20000000);
    assert_int_equal(price(&s).basis, RC_STATED);
    s.a = 1;
    asks(&s, "", 27000000);
    heard.machine.fitted_count = 2;
    strcpy(heard.machine.fitted[0].name, "ring_step_cached");
    strcpy(heard.machine.fitted[1].name, "launch");
    assert_int_equal(price(&s).basis, RC_STATED);
    strcpy(heard.machine.fitted[0].name, "ring_step");
    assert_int_equal(price(&s).basis, RC_STATED);
    s.a = 0;
    assert_int_equal(price(&s).basis, RC_MODELLED);
    s.kind = RC_T_LAUNCH;
    assert_int_equal(price(&s).basis, RC_MODELLED);
    heard.machine.fitted_count = 1;
    assert_int_equal(price(&s).basis, RC_STATED);
}

/* An op may take a quarter of the clock's range and no more. */
static void test_longest_op(void **state) {
    (void)state;
    const rc_program p = program();
    const rc_shape s = {.kind = RC_T_GEMM};
    rc_shape_cost out;
    rc_error err;
    heard.answer[0].p50 = nextafter(0x1p61 / 1e12, 0.0);
    assert_true(price(&s).duration > INT64_C(1) << 60);
    heard.answer[0].p50 = 0x1p61 / 1e12;
    quiet();
    assert_int_equal(rc_shape_price(costs, NULL, &p, &s, &out, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "one op would take 2.31e+06 s, beyond the 2.31e+06 s"));
}

/* Half of an op's time follows the clock, as its inverse: at half of the boost clock it takes one and a half times as long, which
 * is known to a fifth of what is added. */
static void test_clock(void **state) {
    (void)state;
    const rc_shape s = {.kind = RC_T_GEMM};
    heard.power = (rc_power){.known = true, .law[RC_POWER_GEMM] = {.flop = 1e-9, .slows = 1.0}};
    heard.answer[0].effort = (rc_effort){.flops = 2.0, .bound = 0.5, .class = RC_POWER_GEMM};
    rc_shape_cost out = price(&s);
    assert_int_equal(out.duration, 1000000);
    assert_true(out.spread == 0.1);
    assert_int_equal(out.basis, RC_MEASURED);
    assert_int_equal(out.load.bound, 500000);
    assert_int_equal(out.load.core, 2);
    heard.clock = 0.5;
    out = price(&s);
    assert_int_equal(out.duration, 1500000);
    assert_true(fabs(out.spread - hypot(0.1, 0.2 * 0.5)) < 1e-12);
    assert_int_equal(out.basis, RC_TRANSFERRED);
    heard.answer[0].basis = RC_PUBLISHED;
    assert_int_equal(price(&s).basis, RC_PUBLISHED);
    /* at another clock what is priced is turned, a message's rate with it */
    out.boost_rate = 3.0;
    assert_int_equal(rc_shape_at_pace((rc_pace){1.0, &heard.power}, &out, NULL), RC_OK);
    assert_true(out.duration == 1000000 && out.alone == 1000000 && out.beside == 1000000);
    assert_true(out.peer_rate == 3.0);
    assert_int_equal(rc_shape_at_pace((rc_pace){0.5, &heard.power}, &out, NULL), RC_OK);
    assert_true(out.duration == 1500000 && out.peer_rate == 2.0);
    assert_int_equal(rc_shape_at_pace((rc_pace){0.5, NULL}, &out, NULL), RC_OK);
    assert_true(out.duration == 1000000 && out.peer_rate == 3.0);
}

/* Whose errors are shared: by what bounds an op, and where it sends. */
static void test_families(void **state) {
    (void)state;
    static const struct {
        rc_shape shape;
        rc_family family;
    } t[] = {{{.kind = RC_T_GEMM}, RC_F_GEMM},
             {{.kind = RC_T_ATTENTION}, RC_F_ATTENTION},
             {{.kind = RC_T_DECODE}, RC_F_ATTENTION},
             {{.kind = RC_T_MERGE}, RC_F_ELEMENTWISE},
             {{.kind = RC_T_ELEMENTWISE, .op = "rmsnorm"}, RC_F_ELEMENTWISE},
             {{.kind = RC_T_COPY}, RC_F_ELEMENTWISE},
             {{.kind = RC_T_COLLECTIVE, .part = RC_P_ALL_REDUCE}, RC_F_ALL_REDUCE},
             {{.kind = RC_T_COLLECTIVE, .part = RC_P_ALL_GATHER}, RC_F_NETWORK},
             {{.kind = RC_T_MESSAGE, .part = RC_P_ALL_REDUCE}, RC_F_NETWORK},
             {{.kind = RC_T_LAUNCH}, RC_F_HOST},
             {{.kind = RC_T_RING_STEP}, RC_F_HOST},
             {{.kind = RC_T_OP, .op = "moe_ffn"}, RC_F_GEMM},
             {{.kind = RC_T_OP, .op = "mla_prefill"}, RC_F_ATTENTION},
             {{.kind = RC_T_OP, .op = "dsa_topk"}, RC_F_ELEMENTWISE}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_int_equal(rc_family_of(&t[i].shape), t[i].family);
}

static double drawn(const rc_shape *s, const rc_draw *z) {
    const rc_program p = program();
    rc_shape_cost out;
    quiet();
    assert_int_equal(rc_shape_draw(costs, &p, s, z, &out, NULL), RC_OK);
    return (double)out.duration / 1e6;
}

/* A draw moves costs of a family together, by the spread of its rows; what a size has for itself by a number of its own, which
 * every size of the shape decides, and is the same wherever the shape is drawn. */
static void test_draws(void **state) {
    (void)state;
    const double Z = 1.2815515655446004; /* half of p10 to p90 of a normal number */
    rc_draw z = {.family = {[RC_F_GEMM] = 1.0, [RC_F_NETWORK] = -2.0}, .own = 7};
    const rc_shape one = {.kind = RC_T_GEMM};
    heard.answer[0] = (rc_cost){.p50 = 1.0, .spread = 0.1};
    assert_true(fabs(drawn(&one, &z) / 1e6 - exp(0.1 / Z)) < 1e-9);
    heard.answer[0].own = 0.1; /* nothing is shared */
    z.family[RC_F_GEMM] = 3.0;
    const double own = drawn(&one, &z);
    z.family[RC_F_GEMM] = 1.0;
    assert_true(drawn(&one, &z) == own && own != 1e6);
    z.own = 8;
    assert_true(drawn(&one, &z) != own);
    z.own = 7;
    heard.answer[0].spread = 0.5; /* 0.49 of it, in squares, less 0.01 */
    assert_true(fabs(drawn(&one, &z) / own - exp(sqrt(0.24) / Z)) < 1e-9);
    heard.answer[0].spread = 0.05; /* not less than none */
    assert_true(drawn(&one, &z) == own);
    /* a message's rate falls as its time grows */
    const rc_program p = program();
    const rc_shape message = {.kind = RC_T_MESSAGE};
    rc_shape_cost out;
    heard.message = (rc_p2p){.latency = 1.0, .peer_rate = 6.0, .link_rate = 8.0, .spread = 0.1};
    assert_int_equal(rc_shape_draw(costs, &p, &message, &z, &out, NULL), RC_OK);
    assert_true(fabs((double)out.duration / 1e12 - exp(-0.2 / Z)) < 1e-9);
    assert_true(fabs(out.peer_rate - 6.0 * exp(0.2 / Z)) < 1e-9 && out.link_rate == 8.0);
}

static double own_of(const rc_shape *s) {
    const rc_program p = program();
    return own_normal(7, &p, s);
}

static void test_own_numbers(void **state) {
    (void)state;
    const rc_shape one = {.kind = RC_T_ATTENTION, .op = "mla_prefill", .calls = 1};
    rc_shape other[16];
    int n = 0;
    for (int i = 0; i < 16; i++)
        other[i] = one;
    other[n++].kind = RC_T_DECODE;
    other[n++].dtype = RC_FP8;
    other[n++].a = 1;
    other[n++].b = 1;
    other[n++].c = 1;
    other[n++].hq = 1;
    other[n++].hkv = 1;
    other[n++].key_size = 1;
    other[n++].value_size = 1;
    other[n++].d = 1;
    other[n++].window = 1;
    other[n++].experts = 1;
    other[n++].top_k = 1;
    other[n++].op = "mla_prefilm";
    other[n++].calls = 2;
    other[n++].first_call = 3; /* without a mask */
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            assert_true(own_of(&other[i]) != own_of(&one) &&
                        (own_of(&other[i]) != own_of(&other[k]) ||
                         (i >= 9 && i <= 12 && k >= 9 && k <= 12))); /* each alone, and as large */
    rc_shape last = one;
    last.first_call = 4; /* one key more */
    assert_true(own_of(&last) != own_of(&one));
    last.first_call = 5; /* one query more */
    assert_true(own_of(&last) != own_of(&one));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_questions, begin),
        cmocka_unit_test_setup(test_attention, begin),
        cmocka_unit_test_setup(test_several_calls_by_their_plan, begin),
        cmocka_unit_test_setup(test_very_many_calls, begin),
        cmocka_unit_test_setup(test_windows, begin),
        cmocka_unit_test_setup(test_unpacking, begin),
        cmocka_unit_test_setup(test_latents, begin),
        cmocka_unit_test_setup(test_memory_of_calls, begin),
        cmocka_unit_test_setup(test_sums, begin),
        cmocka_unit_test_setup(test_copies, begin),
        cmocka_unit_test_setup(test_power_of_transfers, begin),
        cmocka_unit_test_setup(test_messages, begin),
        cmocka_unit_test_setup(test_numbers_of_the_machine, begin),
        cmocka_unit_test_setup(test_longest_op, begin),
        cmocka_unit_test_setup(test_clock, begin),
        cmocka_unit_test_setup(test_families, begin),
        cmocka_unit_test_setup(test_draws, begin),
        cmocka_unit_test_setup(test_own_numbers, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
