/* What a schedule multiplies and sends, worked out by hand for one layer of Llama 3.1 405B (128
 * heads of 128, 8 KV heads, D = 16384, FFN 53248) under TP8: one GPU has 16 query heads and 1 KV
 * head.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/programs.h"

static const rc_layout cp4 = {.tp = 8,
                              .cp = 4,
                              .attn_weights = RC_BF16,
                              .ffn_weights = RC_FP8,
                              .act = RC_BF16,
                              .kv = RC_BF16};

static rc_program build(const char *variant, rc_layout l, rc_phase phase, const rc_sequence *seqs,
                        size_t count) {
    rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    m.vocab = 128256;
    rc_request rq = {.model = &m,
                     .schedule = rc_schedule_named(variant),
                     .layout = l,
                     .nodes_per_rank = l.tp / 8,
                     .phase = phase,
                     .seqs = seqs,
                     .seq_count = count,
                     .repeats = 1};
    rc_program p;
    rc_error err = {0};
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
    return p;
}

static size_t count_part(const rc_program *p, uint32_t gpu, rc_part part) {
    size_t n = 0;
    for (size_t i = 0; i < p->task_count; i++)
        n += p->tasks[i].gpu == gpu && programs_shape(p, i)->part == part;
    return n;
}

/* 2 * 32000 tokens * (QKV 16384 x 2304 + O 2048 x 16384 + FFN 3 x 16384 x 6656) */
static const double gemms_of_32000 = 2.0 * 32000 * 16384 * (2304 + 2048 + 3 * 6656);
static const double all_reduce_of_32000 = 2.0 * 32000 * 16384 * 2; /* two, of t * D * 2 bytes */

/* 128,000 tokens over CP4: messages of 32,000 tokens * 256 * 2 bytes = 16.4 MB (paper, Table 5). */
static void test_pass_kv(void **state) {
    (void)state;
    rc_program p = build("pass-kv", cp4, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    assert_int_equal(p.gpus, 4);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts c = rc_program_counts(&p, g);
        assert_true(c.gemm_flops == gemms_of_32000);
        assert_true(c.collective_bytes == all_reduce_of_32000);
        assert_true(c.sent_bytes == 3 * 16384000.0);
        assert_int_equal(c.messages, 3);
        assert_int_equal(c.attention_launches, 4);
        assert_int_equal(c.collectives, 2);
        assert_int_equal(c.entries, 16000LL * 32001 + 3 * 512000000LL);
        assert_true(c.attention_flops == 4.0 * 128 * 16 * (double)c.entries);
        assert_int_equal(count_part(&p, g, RC_P_MERGE), 1);
    }
    rc_program_free(&p);
}

/* Q is 32,000 * 16 heads * 128 * 2 = 131 MB; then 3 foreign outputs of as many bytes and their LSE.
 */
static void test_pass_q(void **state) {
    (void)state;
    rc_program p = build("pass-q", cp4, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts c = rc_program_counts(&p, g);
        assert_true(c.gemm_flops == gemms_of_32000);
        assert_true(c.sent_bytes == 3 * 131072000.0 + 3 * 131072000.0 + 3 * 2048000.0);
        assert_int_equal(c.messages, 3 + 3 + 3);
        assert_int_equal(c.attention_launches, 4);
        assert_int_equal(c.entries, 16000LL * 32001 + 3 * 512000000LL);
        assert_int_equal(count_part(&p, g, RC_P_MERGE), 1);
    }
    rc_program_free(&p);
}

/* One attention over everything before the end of each chunk; no merge. */
static void test_all_gather(void **state) {
    (void)state;
    rc_program p = build("all-gather-kv", cp4, RC_PREFILL, &(rc_sequence){128000, 0}, 1);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts c = rc_program_counts(&p, g);
        assert_true(c.gemm_flops == gemms_of_32000);
        assert_true(c.sent_bytes == 3 * 16384000.0);
        assert_int_equal(c.messages, 3);
        assert_int_equal(c.attention_launches, 1);
        assert_int_equal(c.entries, 16000LL * 32001 + 3 * 512000000LL);
        assert_int_equal(count_part(&p, g, RC_P_MERGE), 0);
    }
    rc_program_free(&p);
}

/* TP8 on one node, 10 tokens after 5: 2 * 10 * D * (...) FLOPs, 10 * 5 + 55 entries, nothing sent.
 */
static void test_tensor_on_one_node(void **state) {
    (void)state;
    rc_layout l = cp4;
    l.cp = 1;
    rc_program p = build("tp", l, RC_PREFILL, &(rc_sequence){10, 5}, 1);
    rc_counts c = rc_program_counts(&p, 0);
    assert_int_equal(p.gpus, 1);
    assert_true(c.gemm_flops == gemms_of_32000 / 3200);
    assert_true(c.collective_bytes == 2.0 * 10 * 16384 * 2);
    assert_true(c.sent_bytes == 0.0);
    assert_int_equal(c.messages, 0);
    assert_int_equal(c.entries, 10 * 5 + 55);
    assert_int_equal(c.attention_launches, 1);
    rc_program_free(&p);
}

/* TP16 over two nodes: 8 query heads, the one KV head held twice, FFN 3328, all-reduces over 2
 * nodes. */
static void test_tensor_on_two_nodes(void **state) {
    (void)state;
    rc_layout l = cp4;
    l.cp = 1;
    l.tp = 16;
    rc_program p = build("tp", l, RC_PREFILL, &(rc_sequence){100, 0}, 1);
    rc_counts c = rc_program_counts(&p, 0);
    assert_true(c.gemm_flops == 2.0 * 100 * 16384 * ((8 + 2) * 128 + 8 * 128 + 3 * 3328));
    assert_true(c.collective_bytes == 2.0 * 100 * 16384 * 2);
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (s->kind == RC_T_COLLECTIVE)
            assert_true(s->ranks == 16 && s->nodes == 2 && s->bytes == 100.0 * 16384 * 2);
        if (s->kind == RC_T_ATTENTION)
            assert_true(s->hq == 8 && s->hkv == 1);
    }
    rc_program_free(&p);
}

/* Two sequences of (T, P) = (8, 3) and (6, 0) in one launch, N = 2. Message: (2 + 4 + 0 + 3)
 * tokens. */
static void test_fused_sequences(void **state) {
    (void)state;
    static const rc_sequence seqs[] = {{8, 3}, {6, 0}};
    rc_layout l = cp4;
    l.cp = 2;
    rc_program p = build("pass-kv", l, RC_PREFILL, seqs, 2);
    rc_counts c0 = rc_program_counts(&p, 0), c1 = rc_program_counts(&p, 1);
    assert_true(c0.sent_bytes == 9 * 512.0 && c1.sent_bytes == 9 * 512.0);
    /* chunks of 6 over 4: 2 2 1 1, so each rank has 3 of it and 4 of the other */
    assert_true(c0.collective_bytes == 2.0 * 7 * 16384 * 2 &&
                c1.collective_bytes == 2.0 * 7 * 16384 * 2);
    assert_int_equal(c0.attention_launches, 2);
    /* rank 0: 4 queries x 3 cached, positions 0 1 6 7 see 1 2 7 8; 0 1 5 see 1 2 6 */
    assert_int_equal(c0.entries, 12 + 18 + 9);
    /* rank 1: 4 x 3, positions 2 3 4 5 see 3 4 5 6; 2 3 4 see 3 4 5 */
    assert_int_equal(c1.entries, 12 + 18 + 12);
    rc_program_free(&p);
}

/* Five sequences over four ranks: two tokens a rank. Contexts 10, 10, 10, 10 and 11, one rank's
 * share 3 each. */
static void test_pass_q_decode(void **state) {
    (void)state;
    static const rc_sequence seqs[] = {{1, 9}, {1, 9}, {1, 9}, {1, 9}, {1, 10}};
    rc_program p = build("pass-q", cp4, RC_DECODE, seqs, 5);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts c = rc_program_counts(&p, g);
        assert_true(c.gemm_flops == gemms_of_32000 / 16000);
        assert_true(c.sent_bytes ==
                    3 * (2.0 * 16 * 128 * 2) + 3 * (2.0 * 16 * 128 * 2) + 3 * (2.0 * 16 * 4));
        assert_int_equal(c.attention_launches, 4);
        assert_int_equal(c.entries, 4 * 2 * 3);
        assert_true(c.collective_bytes == 2.0 * 2 * 16384 * 2);
    }
    rc_program_free(&p);
}

/* The keys that the longest sequence of a step has. */
static int64_t longest_of(const char *variant, int cp, const rc_sequence *seqs, size_t count) {
    rc_layout l = cp4;
    l.cp = cp;
    rc_program p = build(variant, l, RC_DECODE, seqs, count);
    int64_t longest = -1;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        assert_true(s->kind != RC_T_DECODE || longest < 0 || s->c == longest);
        longest = s->kind == RC_T_DECODE ? s->c : longest;
    }
    rc_program_free(&p);
    return longest;
}

/* Contexts of 100, 10, 20 and 30. Two ranks are dealt {100, 20} and {10, 30}: a rank's halves of them are {50, 10} and
 * {5, 15}, the longest 50 in one step and 15 in the other. Four ranks see one each, {25}, {3}, {5} and {8}. Where ranks
 * have nobody, they are padded with the mean, here of {25} and {3}. On one rank, the longest is the longest. */
static void test_long_contexts_are_dealt(void **state) {
    (void)state;
    static const rc_sequence seqs[] = {{1, 99}, {1, 9}, {1, 19}, {1, 29}};
    assert_int_equal(longest_of("tp", 1, seqs, 4), 100);
    assert_int_equal(longest_of("pass-q", 2, seqs, 4), 33);
    assert_int_equal(longest_of("pass-q", 4, seqs, 4), 11);
    assert_int_equal(longest_of("pass-q", 4, seqs, 2), 14);
    assert_int_equal(longest_of("pass-q", 2, seqs, 3), 28); /* {100, 20} and {10} */
}

/* A chunk of 64 behind 40 and five decode steps over four ranks: 16 and 2 tokens a rank. */
static void test_mixed(void **state) {
    (void)state;
    static const rc_sequence seqs[] = {{1, 9}, {64, 40}, {1, 9}, {1, 9}, {1, 9}, {1, 10}};
    const char *const variants[] = {"pass-kv", "pass-q"};
    const double q = 16.0 * 128 * 2, lse = 16.0 * 4, kv = 2.0 * 128 * 2;
    const double sent[] = {3 * ((10 + 16) * kv + 2 * q) + 3 * 2 * (q + lse),
                           3 * (18 * q) + 3 * 18 * (q + lse)};
    for (int v = 0; v < 2; v++) {
        rc_program p = build(variants[v], cp4, RC_MIXED, seqs, 6);
        rc_program chunk = build(variants[v], cp4, RC_PREFILL, &seqs[1], 1);
        for (uint32_t g = 0; g < 4; g++) {
            rc_counts c = rc_program_counts(&p, g), alone = rc_program_counts(&chunk, g);
            assert_true(c.gemm_flops == 18 * (gemms_of_32000 / 32000));
            assert_true(c.sent_bytes == sent[v]);
            assert_int_equal(c.attention_launches, 4 + 4);
            assert_int_equal(c.entries, alone.entries + 4 * 2 * 3);
            assert_true(c.collective_bytes == 2.0 * 18 * 16384 * 2);
        }
        rc_program_free(&p);
        rc_program_free(&chunk);
    }
}

static void assert_same_counts(const rc_counts *a, const rc_counts *b) {
    assert_true(a->gemm_flops == b->gemm_flops && a->attention_flops == b->attention_flops);
    assert_true(a->sent_bytes == b->sent_bytes && a->collective_bytes == b->collective_bytes);
    assert_int_equal(a->entries, b->entries);
    assert_int_equal(a->messages, b->messages);
    assert_int_equal(a->attention_launches, b->attention_launches);
    assert_int_equal(a->collectives, b->collectives);
}

/* A mixed pass without decode steps is a prefill, one without chunks a decode. */
static void test_mixed_ends(void **state) {
    (void)state;
    static const rc_sequence chunk = {64, 40}, steps[] = {{1, 9}, {1, 19}};
    rc_program a = build("pass-q", cp4, RC_MIXED, &chunk, 1);
    rc_program b = build("pass-q", cp4, RC_PREFILL, &chunk, 1);
    rc_program c = build("pass-q", cp4, RC_MIXED, steps, 2);
    rc_program d = build("pass-q", cp4, RC_DECODE, steps, 2);
    assert_int_equal(a.task_count, b.task_count);
    assert_int_equal(c.task_count, d.task_count);
    for (uint32_t g = 0; g < 4; g++) {
        rc_counts x = rc_program_counts(&a, g), y = rc_program_counts(&b, g);
        assert_same_counts(&x, &y);
        x = rc_program_counts(&c, g), y = rc_program_counts(&d, g);
        assert_same_counts(&x, &y);
    }
    rc_program_free(&a);
    rc_program_free(&b);
    rc_program_free(&c);
    rc_program_free(&d);
}

static void test_tensor_decode(void **state) {
    (void)state;
    static const rc_sequence seqs[] = {{1, 9}, {1, 19}, {1, 29}};
    rc_layout l = cp4;
    l.cp = 1;
    rc_program p = build("tp", l, RC_DECODE, seqs, 3);
    rc_counts c = rc_program_counts(&p, 0);
    assert_true(c.gemm_flops == 3.0 * gemms_of_32000 / 32000);
    assert_int_equal(c.entries, 10 + 20 + 30);
    assert_int_equal(c.messages, 0);
    assert_int_equal(c.attention_launches, 1);
    rc_program_free(&p);
}

/* fp8 FFN weights: the norm before gate/up and the SwiGLU quantise; the attention side stays bf16.
 */
static void test_ops_follow_the_dtype(void **state) {
    (void)state;
    rc_program p = build("pass-kv", cp4, RC_PREFILL, &(rc_sequence){64, 0}, 1);
    int norms = 0, fp8_norms = 0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (p.tasks[i].gpu != 0)
            continue;
        norms += s->part == RC_P_NORM;
        fp8_norms += s->part == RC_P_NORM && strcmp(s->op, "rmsnorm_fp8") == 0;
        if (s->part == RC_P_SWIGLU)
            assert_string_equal(s->op, "swiglu_fp8");
        if (s->kind == RC_T_GEMM)
            assert_int_equal(s->dtype,
                             s->part == RC_P_GATE_UP || s->part == RC_P_DOWN ? RC_FP8 : RC_BF16);
    }
    assert_int_equal(norms, 2);
    assert_int_equal(fp8_norms, 1);
    rc_program_free(&p);
}

/* Under scales of blocks, which no norm makes, a kernel of its own quantises in front of QKV, of O and of gate and
 * up; SwiGLU does in front of down. */
static void test_blocks_are_quantised_apart(void **state) {
    (void)state;
    rc_layout l = cp4;
    l.attn_weights = l.ffn_weights = RC_FP8_BLOCK;
    rc_program p = build("pass-kv", l, RC_PREFILL, &(rc_sequence){64, 0}, 1);
    int norms = 0, quantised = 0, products = 0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (p.tasks[i].gpu != 0)
            continue;
        if (s->kind == RC_T_GEMM) {
            assert_int_equal(s->dtype, RC_FP8_BLOCK);
            products++;
        } else if (s->part == RC_P_SWIGLU) {
            assert_string_equal(s->op, "swiglu_fp8_blocks");
        } else if (s->part == RC_P_NORM && strcmp(s->op, "rmsnorm") == 0) {
            norms++;
        } else if (s->part == RC_P_NORM || s->part == RC_P_OUT) {
            assert_string_equal(s->op, "quantize_fp8_blocks");
            quantised++;
        }
    }
    assert_int_equal(products, 4);
    assert_int_equal(norms, 2);
    assert_int_equal(quantised, 3);
    rc_program_free(&p);
}

/* CP8 of TP2 on nodes of 8 GPUs: four ranks a node, so ring messages of ranks 3 and 7 leave theirs.
 */
static void test_messages_that_leave_the_node(void **state) {
    (void)state;
    rc_model m = programs_model(2, 32, 8, 128, 4096, 14336);
    rc_sequence seq = {4096, 0};
    rc_request rq = {.model = &m,
                     .schedule = rc_schedule_named("pass-q"),
                     .layout = {.tp = 2, .cp = 8},
                     .nodes_per_rank = 1,
                     .ranks_per_node = 4,
                     .phase = RC_PREFILL,
                     .seqs = &seq,
                     .seq_count = 1};
    rc_program p;
    rc_error err = {0};
    int outside = 0, ring = 0, exchanged = 0, exchanged_outside = 0;
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_task *t = &p.tasks[i];
        const rc_shape *s = programs_shape(&p, i);
        if (s->kind != RC_T_MESSAGE)
            continue;
        assert_int_equal(s->nodes, t->gpu / 4 == t->peer / 4 ? 1 : 2);
        ring += s->part == RC_P_SENDRECV;
        outside += s->part == RC_P_SENDRECV && s->nodes == 2;
        exchanged += s->part == RC_P_ALL2ALL;
        exchanged_outside += s->part == RC_P_ALL2ALL && s->nodes == 2;
    }
    assert_int_equal(ring, 2 * 7 * 8); /* layers, steps, ranks */
    assert_int_equal(outside, 2 * 7 * 2);
    assert_int_equal(exchanged, 2 * 2 * 8 * 7); /* layers, outputs and LSE, ranks, peers */
    assert_int_equal(exchanged_outside, 2 * 2 * 8 * 4);
    rc_program_free(&p);
}

/* Four ranks of one node, 1,024 tokens each of 16 heads of a GPU: outputs and sums in one NCCL call, of
 * which the sums are a second message to each peer. */
static void test_sums_are_a_second_message(void **state) {
    (void)state;
    rc_model m = programs_model(1, 32, 8, 128, 4096, 14336);
    rc_sequence seq = {4096, 0};
    rc_request rq = {.model = &m,
                     .schedule = rc_schedule_named("pass-q"),
                     .layout = {.tp = 2, .cp = 4},
                     .nodes_per_rank = 1,
                     .ranks_per_node = 4,
                     .phase = RC_PREFILL,
                     .seqs = &seq,
                     .seq_count = 1};
    rc_program p;
    int calls = 0;
    assert_int_equal(rc_schedule_build(&rq, &p, NULL), RC_OK);
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (s->part != RC_P_ALL2ALL)
            continue;
        assert_int_equal(s->kind, RC_T_COLLECTIVE);
        assert_int_equal(s->a, 4 * 1024 * 16 * 4);
        assert_true(s->bytes == 4.0 * 1024 * 16 * (128 * 2 + 4));
        calls++;
    }
    assert_int_equal(calls, 4);
    rc_program_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass_kv),
        cmocka_unit_test(test_pass_q),
        cmocka_unit_test(test_all_gather),
        cmocka_unit_test(test_tensor_on_one_node),
        cmocka_unit_test(test_tensor_on_two_nodes),
        cmocka_unit_test(test_fused_sequences),
        cmocka_unit_test(test_pass_q_decode),
        cmocka_unit_test(test_long_contexts_are_dealt),
        cmocka_unit_test(test_tensor_decode),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_mixed_ends),
        cmocka_unit_test(test_blocks_are_quantised_apart),
        cmocka_unit_test(test_ops_follow_the_dtype),
        cmocka_unit_test(test_messages_that_leave_the_node),
        cmocka_unit_test(test_sums_are_a_second_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
