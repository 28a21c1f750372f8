/* Layers of latents, experts, windows, selections and states: work and bytes by hand, and what must
 * hold whatever the sizes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "sim/schedule/kept.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/routing.h"
#include "sim/schedule/schedule.h"
#include "sim/schedule/totals.h"
#include "tests/support/model_file.h"

static rc_model model_of(const char *name, int kind) {
    rc_model m;
    rc_error err = {0};
    if (model_file("models", name, &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    m.kind[0] = m.kind[kind]; /* one layer of the kind */
    m.kinds = m.layers = 1;
    m.runs = 0;
    return m;
}

typedef struct pass {
    rc_counts counts;
    double expert_rows, made;    /* of the busiest GPU; latents of which keys and values are made */
    double dispatched, entering; /* tokens: sent by a GPU; on it as its experts begin */
} pass;

static pass pass_of(const rc_model *m, rc_layout layout, const char *variant, rc_phase phase,
                    rc_sequence s) {
    rc_request rq = {.model = m,
                     .schedule = rc_schedule_named(variant),
                     .layout = layout,
                     .ranks_per_node = 8 / layout.tp,
                     .phase = phase,
                     .seqs = &s,
                     .seq_count = 1};
    rc_program p;
    rc_error err = {0};
    pass out = {0};
    if (rc_schedule_build(&rq, &p, &err) != RC_OK)
        fail_msg("%s", err.msg);
    out.counts = rc_program_counts(&p, 0);
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *x = &p.shapes[p.tasks[i].shape];
        if (p.tasks[i].gpu != 0 || x->op == NULL)
            continue;
        if (strcmp(x->op, "moe_ffn") == 0)
            out.expert_rows = (double)x->a, out.entering = (double)x->d;
        if (strcmp(x->op, "mla_prefill") == 0)
            out.made += (double)x->a;
        if (strcmp(x->op, "ep_dispatch") == 0)
            out.dispatched = (double)x->a;
    }
    rc_program_free(&p);
    return out;
}

static void same(double got, double want) {
    if (!(fabs(got - want) <= 1e-9 * fabs(want)))
        fail_msg("got %.0f, expected %.0f", got, want);
}

/* A layer of DeepSeek-V3 on TP8, 4,096 new tokens behind 1,024: by the published formulas. */
static void test_deepseek_layer(void **state) {
    (void)state;
    const rc_model m = model_of("deepseek-v3", 1);
    const double t = 4096, keys = 5120, pairs = 4096.0 * 1024 + 4096.0 * 4097 / 2, h = 16;
    rc_layout l = {.tp = 8, .cp = 1, .mla = RC_MLA_MATERIALISED};
    const rc_sequence s = {4096, 1024};
    const double attention = 7168.0 * (1536 + 576) + 1536 * h * 192 + h * 128 * 7168;
    const double router = 7168.0 * 256, shared = 3.0 * 7168 * 2048 / 8;
    const double routed = 8.0 * 3 * 7168 * 2048 / 8;
    const double products = 2.0 * t * (attention + router + shared + routed);
    pass p = pass_of(&m, l, "tp", RC_PREFILL, s);
    same(p.counts.attention_flops, 640 * h * pairs);
    same(p.made, keys);
    same(p.counts.gemm_flops, products + 2.0 * keys * 512 * h * 256);
    assert_int_equal(p.expert_rows, 8 * 4096);
    l.mla = RC_MLA_ABSORBED;
    p = pass_of(&m, l, "tp", RC_PREFILL, s);
    same(p.counts.attention_flops, 2176 * h * pairs);
    same(p.counts.gemm_flops, products + 2.0 * t * 512 * h * 256);
    same(p.counts.collective_bytes, 2 * t * 7168 * 2); /* of attention and of the experts */
    p = pass_of(&m, l, "tp", RC_DECODE, (rc_sequence){1, 1023});
    same(p.counts.attention_flops, 2176 * h * 1024);
    same(rc_layer_form_of(&m.kind[0])->kv_bytes(&m.kind[0], 8, RC_BF16), 1152);
    same(rc_model_attn_params(&m),
         7168.0 * (1536 + 576) + 128.0 * (1536 * 192 + 512 * 256 + 128 * 7168));
}

/* The form with fewer FLOPs: about 171 queries are the break-even on a long cache. */
static void test_break_even(void **state) {
    (void)state;
    const rc_model m = model_of("deepseek-v3", 1);
    const rc_layout l = {.tp = 8, .cp = 1};
    assert_true(pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){160, 1000000}).made == 0.0);
    assert_true(pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){180, 1000000}).made == 1000180.0);
}

/* A layer of Qwen3-235B on TP4: 64 heads of 128 on 4, 8 of 128 experts of 1,536. */
static void test_qwen_layer(void **state) {
    (void)state;
    const rc_model m = model_of("qwen3-235b-a22b", 0);
    const rc_layout l = {.tp = 4, .cp = 1};
    const double t = 1000, h = 16, d = 4096;
    pass p = pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){1000, 0});
    same(p.counts.attention_flops, 4 * 128 * h * (t * (t + 1) / 2));
    same(p.counts.gemm_flops,
         2 * t * (d * 128 * (h + 2) + d * h * 128 + d * 128 + 8.0 * 3 * d * 1536 / 4));
    same(rc_layer_form_of(&m.kind[0])->kv_bytes(&m.kind[0], 4, RC_BF16), 2 * 128 * 2);
    same(rc_model_gemm_flops(&m, 1000),
         2 * t * (d * 128 * (2 * 64 + 2 * 4) + d * 128 + 8.0 * 3 * d * 1536));
}

static double weights_of(const rc_model *m, int tp) {
    rc_layout l = {.tp = tp, .cp = 1};
    rc_memory mem;
    rc_error err = {0};
    rc_model_dtypes(m, &l);
    if (rc_pass_memory(rc_schedule_named("tp"), m, &l, 1, 0, 1, 1e15, &mem, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return mem.weights;
}

/* Experts 2,881 wide, which two GPUs do not halve: each has up to 1,441 columns of gate, up and down, and of 128 experts two biases
 * of as many numbers and one of the model's width, in bf16. A router's bias is a number an expert. */
static void test_uneven_experts(void **state) {
    (void)state;
    rc_model m = model_of("gpt-oss-120b", 0);
    (void)memset(m.kind[0].stored, 0, sizeof m.kind[0].stored); /* all of it in bf16 */
    m.quant = (rc_quant){0};
    rc_model bare = m;
    bare.kind[0].experts.bias = false;
    m.kind[0].experts.width = bare.kind[0].experts.width = 2881;
    assert_true(weights_of(&m, 2) - weights_of(&bare, 2) == 2.0 * 128 * (2 * 1441 + 2880));
    assert_true(weights_of(&m, 1) - weights_of(&bare, 1) == 2.0 * 128 * (2 * 2881 + 2880));
    rc_model even = bare;
    even.kind[0].experts.width = 2882;
    assert_true(weights_of(&bare, 2) == weights_of(&even, 2));
    even.kind[0].experts.router_bias = false;
    assert_true(weights_of(&bare, 2) - weights_of(&even, 2) == 2.0 * 128);
}

/* A layer of gpt-oss with a window of 128: the first queries see 1, 2, ... keys, then all 128. */
static void test_window_layer(void **state) {
    (void)state;
    rc_model m = model_of("gpt-oss-120b", 0);
    const rc_layout l = {.tp = 8, .cp = 1};
    pass p = pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){1000, 0});
    same(p.counts.attention_flops, 4 * 64 * 8 * (128.0 * 129 / 2 + 872 * 128.0));
    p = pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){1000, 500});
    same(p.counts.attention_flops, 4 * 64 * 8 * (1000 * 128.0));
    p = pass_of(&m, l, "tp", RC_DECODE, (rc_sequence){1, 999});
    same(p.counts.attention_flops, 4 * 64 * 8 * 128.0);
    same(rc_layer_kept(&m.kind[0], 1, RC_BF16, 1000, 1), 128 * 2 * 8 * 64 * 2);
    same(rc_layer_kept(&m.kind[0], 1, RC_BF16, 100, 1), 100 * 2 * 8 * 64 * 2);
    /* a window that no sequence exceeds is none */
    m.kind[0].window = 1000;
    p = pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){1000, 0});
    m.kind[0].window = 0;
    pass full = pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){1000, 0});
    same(p.counts.attention_flops, full.counts.attention_flops);
    assert_int_equal(rc_call_entries_within(&(rc_call){10, 30, 0}, 5), 50);
    assert_int_equal(rc_call_entries_within(&(rc_call){4, 6, 1}, 4), 3 + 4 + 4 + 4);
}

/* One expert of which every token takes it is a dense FFN of its width. */
static void test_one_expert(void **state) {
    (void)state;
    rc_model dense = model_of("mixtral-8x7b", 0), one = dense;
    dense.kind[0].after = RC_FFN_GATED;
    dense.kind[0].ffn = 14336;
    one.kind[0].experts.count = one.kind[0].experts.top_k = 1;
    for (int tp = 1; tp <= 8; tp *= 2) {
        const rc_layout l = {.tp = tp, .cp = 1};
        const rc_sequence s = {777, 100};
        pass a = pass_of(&dense, l, "tp", RC_PREFILL, s), b = pass_of(&one, l, "tp", RC_PREFILL, s);
        same(b.counts.gemm_flops - 2.0 * 777 * 4096, a.counts.gemm_flops); /* but for the router */
        same(b.counts.collective_bytes, a.counts.collective_bytes);
        same(rc_model_weight_bytes_gpu(&one, tp, RC_BF16, RC_BF16) - 2 * 4096,
             rc_model_weight_bytes_gpu(&dense, tp, RC_BF16, RC_BF16));
        same(b.expert_rows, 777);
    }
}

/* An op of experts is five kernels that the host launches, where it launches op by op. */
static void test_launches(void **state) {
    (void)state;
    const rc_model m = model_of("deepseek-v3", 1);
    const rc_sequence s = {4096, 0};
    const rc_request rq = {.model = &m,
                           .schedule = rc_schedule_named("tp"),
                           .layout = {.tp = 8, .cp = 1, .ep = 8},
                           .ranks_per_node = 1,
                           .phase = RC_PREFILL,
                           .seqs = &s,
                           .seq_count = 1,
                           .eager = true};
    rc_program p;
    rc_error err = {0};
    if (rc_schedule_build(&rq, &p, &err) != RC_OK)
        fail_msg("%s", err.msg);
    size_t launches = 0, experts = 0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *x = &p.shapes[p.tasks[i].shape];
        launches += x->kind == RC_T_LAUNCH;
        experts += x->op != NULL && strcmp(x->op, "moe_ffn") == 0;
    }
    assert_true(experts > 0);
    assert_int_equal(launches, p.task_count - launches + 4 * experts);
    rc_program_free(&p);
}

/* Experts by parts of a TP group, by the group and by several: rows and bytes. */
static void test_expert_parallel(void **state) {
    (void)state;
    const rc_model m = model_of("deepseek-v3", 1);
    const rc_sequence s = {8192, 0};
    rc_layout l = {.tp = 8, .cp = 2, .ep = 1};
    const double whole = 256.0 * 3 * 7168 * 2048, shared = 3.0 * 7168 * 2048;
    const double rest = rc_model_weight_bytes_of(&m, &l) - 2 * (whole + shared) / 8;
    for (l.ep = 1; l.ep <= 16; l.ep *= 2) {
        pass p = pass_of(&m, l, "pass-kv", RC_PREFILL, s);
        same(p.expert_rows, l.ep <= 8 ? 4096.0 * 8 / l.ep : 512.0 * 8);
        same(p.dispatched, l.ep <= 8 ? 0.0 : 512.0);
        /* inside a TP group all of a rank's tokens are on every GPU, wherever their experts are */
        same(p.entering, l.ep <= 8 ? 4096.0 : 0.0);
        same(rc_model_weight_bytes_of(&m, &l) - rest,
             l.ep <= 8 ? 2 * (whole + shared) / 8 : 2 * (whole / 16 + shared));
    }
    /* All tokens to all 16 GPUs: each gathers what the other rank has and reduces as much. */
    const rc_layout apart = {.tp = 8, .cp = 2, .ep = 8};
    const double stream = 2.0 * 8192 * 7168;
    l = (rc_layout){.tp = 8, .cp = 2, .ep = 16, .expert_transfer = RC_EXPERTS_GATHER};
    pass p = pass_of(&m, l, "pcp", RC_PREFILL, s);
    same(p.expert_rows, 8192.0 * 8 / 16);
    same(p.entering, 8192);
    same(p.dispatched, 0);
    same(p.counts.collective_bytes -
             pass_of(&m, apart, "pcp", RC_PREFILL, s).counts.collective_bytes,
         2 * stream);
    same(rc_model_weight_bytes_of(&m, &l) - rest, 2 * whole / 16 + 2 * shared / 8);
    rc_error err;
    l.ep = 3;
    assert_int_equal(rc_layout_check(&m, &l, &err), RC_E_INPUT);
    l.ep = 32;
    assert_int_equal(rc_layout_check(&m, &l, &err), RC_E_INPUT);
    rc_model odd = m;
    odd.kind[0].experts.count = 260;
    l.ep = 8;
    assert_int_equal(rc_layout_check(&odd, &l, &err), RC_E_INPUT);
    odd.kind[0].after = RC_FFN_GATED;
    assert_int_equal(rc_layout_check(&odd, &l, &err), RC_E_INPUT);
}

/* Shares add up; the busiest is never below the mean, and never takes more than every token. */
static void test_busiest(void **state) {
    (void)state;
    same(rc_busiest_share(256, 8, 64, 0.0), 1.0 / 64);
    same(rc_busiest_share(4, 1, 4, 1.0), 1.0 / (1 + 0.5 + 1.0 / 3 + 0.25));
    same(rc_busiest_share(4, 2, 4, 4.0), 0.5); /* chosen by every token */
    same(rc_busiest_share(4, 4, 2, 2.0), 0.5);
    for (double skew = 0.1; skew <= 4.0; skew += 0.1) {
        double share = rc_busiest_share(256, 8, 64, skew);
        assert_true(share >= 1.0 / 64 && share <= 0.2);
    }
}

/* What ranks send of latents: pass-KV 1,152 bytes a token, pass-Q 192 or 576 elements a head. */
static void test_latent_messages(void **state) {
    (void)state;
    const rc_model m = model_of("deepseek-v3", 1);
    rc_layout l = {.tp = 4, .cp = 2, .mla = RC_MLA_MATERIALISED};
    const rc_sequence s = {4096, 2048};
    pass p = pass_of(&m, l, "pass-kv", RC_PREFILL, s);
    same(p.counts.sent_bytes, (1024 + 2048) * 1152.0);
    same(p.made, 2 * 1024 + 4096); /* own ones, and those of the other rank that are seen */
    p = pass_of(&m, l, "pass-q", RC_PREFILL, s);
    same(p.counts.sent_bytes, 2048 * 32 * 192 * 2.0);
    same(p.made, 1024 + 2048); /* its own, once */
    l.mla = RC_MLA_ABSORBED;
    p = pass_of(&m, l, "pass-q", RC_PREFILL, s);
    same(p.counts.sent_bytes, 2048 * 32 * 576 * 2.0);
    same(p.made, 0.0);
}

/* Selected keys: scores of all pairs, attention to 2,048 of them; of short prompts all. */
static void test_selection(void **state) {
    (void)state;
    const rc_model m = model_of("deepseek-v3.2", 1);
    const rc_layout l = {.tp = 8, .cp = 1};
    const double index = 2.0 * 64 * 128, head = 2176.0 * 16;
    pass p = pass_of(&m, l, "tp", RC_PREFILL, (rc_sequence){1024, 8192});
    const double pairs = 1024.0 * 8192 + 1024.0 * 1025 / 2;
    same(p.counts.attention_flops, index * pairs + head * 1024 * 2048);
    p = pass_of(&m, l, "tp", RC_DECODE, (rc_sequence){1, 65535});
    same(p.counts.attention_flops, index * 65536 + head * 2048);
    p = pass_of(&m, l, "tp", RC_DECODE, (rc_sequence){1, 99});
    same(p.counts.attention_flops, index * 100 + head * 100);
    same(rc_layer_kept_mean(&m.kind[0], 3, 0), 2);
    same(rc_layer_growth(&m.kind[0], 8, RC_BF16), 1152 + 132);
}

/* What layers apart gather over ranks, to the byte: all latents and index keys where keys are selected; of windows the ends of
 * chunks, as far as a window reaches, and the tokens that all see; of a decode step its queries. */
static void test_gathered(void **state) {
    (void)state;
    const rc_layout two = {.tp = 1, .cp = 2}, four = {.tp = 1, .cp = 4};
    const rc_model chosen = model_of("deepseek-v3.2", 1);
    pass p = pass_of(&chosen, two, "pass-kv", RC_PREFILL, (rc_sequence){1024, 8192});
    same(p.counts.collective_bytes, (1024 + 8192) * (1152.0 + 132.0));
    p = pass_of(&chosen, four, "pass-kv", RC_PREFILL, (rc_sequence){1000, 0});
    same(p.counts.collective_bytes, 1000 * (1152.0 + 132.0));
    const rc_model windows = model_of("gpt-oss-120b", 0); /* 128 keys of 8 heads of 64 */
    assert_true(windows.kind[0].window == 128);
    const double token = 2.0 * 8 * 64 * 2;
    p = pass_of(&windows, two, "pass-kv", RC_PREFILL, (rc_sequence){4096, 500});
    same(p.counts.collective_bytes, 4 * 128 * token);
    p = pass_of(&windows, four, "pass-kv", RC_PREFILL, (rc_sequence){801, 500});
    same(p.counts.collective_bytes, 8 * 101 * token); /* chunks are shorter than the window */
    rc_model seen = windows; /* and 300 tokens that all see, of 1,301 and of 200 */
    seen.kind[0].global = 300;
    p = pass_of(&seen, four, "pass-kv", RC_PREFILL, (rc_sequence){801, 500});
    same(p.counts.collective_bytes, (8 * 101 + 300) * token);
    p = pass_of(&seen, four, "pass-kv", RC_PREFILL, (rc_sequence){200, 0});
    same(p.counts.collective_bytes, (8 * 25 + 200) * token);
}

/* States take as much whatever the length, and a cut over TP by heads. */
static void test_states(void **state) {
    (void)state;
    const rc_model m = model_of("qwen3.5-397b-a17b", 0);
    const double whole = 64.0 * 128 * 128 * 4 + 3.0 * (2 * 16 * 128 + 64 * 128) * 2;
    rc_memory mem;
    rc_layout l = {.tp = 1, .cp = 1};
    same(rc_layer_state_bytes(&m.kind[0], 1), whole);
    same(rc_layer_state_bytes(&m.kind[0], 8), whole / 8);
    same(rc_layer_growth(&m.kind[0], 1, RC_BF16), 0.0);
    assert_int_equal(
        rc_pass_memory(rc_schedule_named("tp"), &m, &l, 100, 10000, 7, 1e12, &mem, NULL), RC_OK);
    same(mem.kv, 7 * whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uneven_experts), cmocka_unit_test(test_deepseek_layer),
        cmocka_unit_test(test_launches),       cmocka_unit_test(test_break_even),
        cmocka_unit_test(test_qwen_layer),     cmocka_unit_test(test_window_layer),
        cmocka_unit_test(test_one_expert),     cmocka_unit_test(test_expert_parallel),
        cmocka_unit_test(test_busiest),        cmocka_unit_test(test_latent_messages),
        cmocka_unit_test(test_selection),      cmocka_unit_test(test_states),
        cmocka_unit_test(test_gathered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
