/* A model of two kinds of layers, three and then five, every number by hand: bytes, FLOPs,
 * messages.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "sim/schedule/layer.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"

/* D 4096. Three layers of 32 heads on 8 KV heads of 128 and an FFN of 11008; five of 16 heads on 4
 * KV heads, keys of 192 and values of 128, and an FFN of 8192. 1,000 words. */
static rc_model two_kinds(void) {
    const rc_model m = {
        .name = "two",
        .hidden = 4096,
        .vocab = 1000,
        .layers = 8,
        .kinds = 2,
        .kind = {{.form = "dense",
                  .heads = 32,
                  .kv_heads = 8,
                  .head_dim = 128,
                  .value_dim = 128,
                  .ffn = 11008},
                 {.form = "dense",
                  .heads = 16,
                  .kv_heads = 4,
                  .head_dim = 192,
                  .value_dim = 128,
                  .ffn = 8192}},
        .runs = 2,
        .run = {{.length = 1, .times = 3, .kind = {0}}, {.length = 1, .times = 5, .kind = {1}}}};
    return m;
}

static const rc_layout tp4 = {.tp = 4,
                              .cp = 2,
                              .attn_weights = RC_BF16,
                              .ffn_weights = RC_BF16,
                              .act = RC_BF16,
                              .kv = RC_BF16};

/* Elements: Q, K and V, then O, of a layer of each kind. */
static const double attention[] = {4096.0 * (4096 + 1024 + 1024) + 4096.0 * 4096,
                                   4096.0 * (3072 + 768 + 512) + 2048.0 * 4096};
static const double ffn[] = {3.0 * 4096 * 11008, 3.0 * 4096 * 8192};
static const double ends = 2.0 * 1000 * 4096 + 4096; /* embedding, LM head, the last norm */

static void test_parameters(void **state) {
    (void)state;
    rc_model m = two_kinds();
    assert_true(rc_model_attn_params(&m) == 3 * attention[0] + 5 * attention[1]);
    assert_true(rc_model_ffn_params(&m) == 3 * ffn[0] + 5 * ffn[1]);
    double all = 3 * (attention[0] + ffn[0]) + 5 * (attention[1] + ffn[1]) + 8 * 2 * 4096 + ends;
    assert_true(rc_model_params(&m) == all);
    assert_true(rc_model_weight_bytes(&m, RC_BF16, RC_BF16) == 2.0 * all);
    m.tied_embeddings = true;
    assert_true(rc_model_params(&m) == all - 1000 * 4096);
}

static void test_flops(void **state) {
    (void)state;
    const rc_model m = two_kinds();
    double each = 3 * (attention[0] + ffn[0]) + 5 * (attention[1] + ffn[1]);
    assert_true(rc_model_gemm_flops(&m, 100) == 200 * each);
    /* 10 new tokens behind 90: 900 + 55 score entries a head */
    double entry = 3 * 2.0 * 32 * (128 + 128) + 5 * 2.0 * 16 * (192 + 128);
    assert_true(rc_model_attention_flops(&m, 10, 90) == entry * 955);
    assert_true(rc_model_entry_flops(&m, 7) == entry * 7);
}

static void test_kv(void **state) {
    (void)state;
    const rc_model m = two_kinds();
    assert_true(rc_model_kv_bytes(&m, RC_BF16) == 3 * 8 * 256 * 2.0 + 5 * 4 * 320 * 2.0);
    assert_true(rc_model_kv_bytes(&m, RC_FP8) == 3 * 8 * 256 + 5 * 4 * 320);
    /* eight GPUs share four KV heads: each still holds one */
    assert_true(rc_model_kv_bytes_gpu(&m, 8, RC_BF16) == 3 * 1 * 256 * 2.0 + 5 * 1 * 320 * 2.0);
}

/* 1,001 new and 2,000 cached tokens over two ranks of TP4: 501, 1,000 and together 1,501 on one. */
static void test_memory(void **state) {
    (void)state;
    const rc_model m = two_kinds();
    rc_memory mem;
    rc_kv_room room;
    const rc_kv_passes passes = {.longest = 2000, .chunk = 1001};
    assert_int_equal(
        rc_pass_kv_room(rc_schedule_named("pass-kv"), &m, &tp4, &passes, 80e9, &mem, &room, NULL),
        RC_OK);
    double layers = 3 * (attention[0] + ffn[0]) + 5 * (attention[1] + ffn[1]);
    assert_true(mem.weights == 2.0 * (layers / 4 + 8 * 2 * 4096 + 2 * 250 * 4096 + 4096));
    double token = 3 * 2 * 256 * 2.0 + 5 * 1 * 320 * 2.0;
    assert_true(room.token == token && mem.kv == 1501 * token);
    /* the widest set is that of the wide FFN: the residual stream, its norm, gate and up */
    assert_true(mem.activations == 501.0 * (2 * 4096 + 2 * 4096 + 2 * 2752 * 2));
    /* ring buffers are those of the first kind, with 2 KV heads of 8 query heads a GPU: two
     * messages of 1,501 tokens, and two partial outputs with their log-sum-exps */
    double buffers = 2 * 1501.0 * 2 * 256 * 2 + 2 * 501.0 * 8 * (128 * 2 + 4);
    assert_true(mem.buffers == buffers);
    assert_true(room.bytes == 80e9 - (mem.total - mem.kv));
    assert_true(room.ranks == 2 && room.tokens == 2 * floor(room.bytes / token));
}

/* Whole prompts, chunks of them, and steps that only decode. */
static void test_largest_pass(void **state) {
    (void)state;
    static const struct {
        rc_kv_passes passes;
        int64_t largest;
    } t[] = {{{.longest = 2000}, 2000},
             {{.longest = 2000, .chunk = 512}, 512},
             {{.longest = 2000, .chunk = 8192}, 2000},
             {{.longest = 2000, .chunk = 512, .decodes = 64}, 64}};
    const rc_model m = two_kinds();
    rc_memory mem, same;
    rc_kv_room room;
    const rc_schedule *s = rc_schedule_named("pass-q");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_int_equal(rc_pass_kv_room(s, &m, &tp4, &t[i].passes, 80e9, &mem, &room, NULL),
                         RC_OK);
        assert_int_equal(room.largest, t[i].largest);
        assert_int_equal(rc_pass_memory(s, &m, &tp4, t[i].largest, 2000, 1, 80e9, &same, NULL),
                         RC_OK);
        assert_true(mem.total == same.total);
    }
    assert_int_equal(rc_pass_kv_room(s, &m, &tp4, &t[0].passes, 1e6, &mem, &room, NULL), RC_OK);
    assert_true(room.bytes < 0.0 && room.tokens == 0.0);
}

/* The kinds of fp8 weights and of a checkpoint that quantises but one kind. */
static void test_quantised_kind(void **state) {
    (void)state;
    rc_model m = two_kinds();
    double plain = rc_model_weight_bytes(&m, RC_BF16, RC_BF16);
    strcpy(m.quant.method, "fp8");
    m.quant.ffn = RC_FP8; /* of most of the FFNs: those of the second kind */
    for (int p = RC_GATE; p <= RC_DOWN; p++) {
        m.kind[1].stored[p].dtype = RC_FP8;
        m.kind[1].stored[p].layers = 5;
    }
    assert_true(plain - rc_model_weight_bytes(&m, RC_BF16, RC_FP8) == 5 * ffn[1]);
}

static rc_program build(const rc_model *m, const char *schedule, const rc_sequence *seq) {
    rc_program p;
    rc_request rq = {.model = m,
                     .schedule = rc_schedule_named(schedule),
                     .layout = tp4,
                     .nodes_per_rank = 1,
                     .phase = RC_PREFILL,
                     .seqs = seq,
                     .seq_count = 1};
    assert_int_equal(rc_schedule_build(&rq, &p, NULL), RC_OK);
    return p;
}

/* What one of the two ranks of four GPUs does for 1,000 tokens. */
static void test_program(void **state) {
    (void)state;
    const rc_model m = two_kinds();
    const rc_sequence seq = {1000, 0};
    rc_program p = build(&m, "pass-kv", &seq);
    rc_counts n = rc_program_counts(&p, 0);
    double layers = 3 * (attention[0] + ffn[0]) + 5 * (attention[1] + ffn[1]);
    assert_int_equal(p.layers, 8);
    assert_true(n.gemm_flops == 2.0 * 500 * layers / 4);
    /* rank 0 owns the first and the last quarter: 250 x 251 / 2, and 750 x 250 + 250 x 251 / 2 */
    double entries = 250 * 251 / 2 + 750 * 250 + 250 * 251 / 2;
    assert_true(n.attention_flops ==
                entries * (3 * 2.0 * 8 * (128 + 128) + 5 * 2.0 * 4 * (192 + 128)));
    assert_int_equal(n.messages, 8);
    assert_true(n.sent_bytes == 500.0 * (3 * 2 * 256 * 2 + 5 * 1 * 320 * 2));
    assert_int_equal(n.collectives, 16);
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_task *t = &p.tasks[i];
        const rc_shape *s = &p.shapes[t->shape];
        if (t->layer < 8 && s->part == RC_P_ATTENTION)
            assert_true(s->hq == (t->layer < 3 ? 8 : 4) &&
                        s->key_size == (t->layer < 3 ? 128 : 192));
    }
    for (int l = 0; l < p.layers; l++)
        assert_int_equal(rc_model_kind_of(&m, l), l < 3 ? 0 : 1);
    rc_program_free(&p);
    p = build(&m, "pass-q", &seq);
    n = rc_program_counts(&p, 0);
    /* queries out, and one partial output with its log-sum-exps back */
    double first = 8 * (128 * 2 + 128 * 2 + 4.0), second = 4 * (192 * 2 + 128 * 2 + 4.0);
    assert_true(n.sent_bytes == 500.0 * (3 * first + 5 * second));
    rc_program_free(&p);
}

static void test_typical(void **state) {
    (void)state;
    rc_model m = two_kinds();
    assert_ptr_equal(rc_model_typical(&m), &m.kind[1]);
    m.run[0].times = 6;
    m.layers = 11;
    assert_ptr_equal(rc_model_typical(&m), &m.kind[0]);
}

static void test_refusals(void **state) {
    (void)state;
    rc_model m = two_kinds();
    rc_error err = {0};
    rc_layout l = tp4;
    l.tp = 32; /* divides the first kind's heads, not the second's */
    assert_int_equal(rc_layout_check(&m, &l, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "tp is 32, which does not divide the 16 query heads of two");
    strcpy(m.kind[1].form, "dens");
    assert_int_equal(rc_layout_check(&m, &tp4, &err), RC_E_UNMODELLED);
    assert_string_equal(err.msg, "model two has layers of the form 'dens', which is not modelled; "
                                 "did you mean 'dense'?");
    assert_int_equal(rc_layers_check(&m, &err), RC_E_UNMODELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),   cmocka_unit_test(test_flops),
        cmocka_unit_test(test_kv),           cmocka_unit_test(test_memory),
        cmocka_unit_test(test_largest_pass), cmocka_unit_test(test_quantised_kind),
        cmocka_unit_test(test_program),      cmocka_unit_test(test_typical),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
