/* Attention data parallelism, by hand: DeepSeek-V3, whose first three layers have an FFN of 18432 and whose
 * other 58 have 256 experts, 8 of them for a token, all over 7168 elements. 42 sequences that decode.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "sim/forward/forward.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/pass_memory.h"
#include "tests/support/programs.h"

enum { HIDDEN = 7168, ALL = 42 };

static rc_model model;
static rc_sequence seqs[ALL];

static int open_model(void **state) {
    char path[512];
    rc_error err = {0};
    (void)state;
    (void)snprintf(path, sizeof path, "%s/models/deepseek-v3.json", getenv("RC_SOURCE_DIR"));
    for (int i = 0; i < ALL; i++)
        seqs[i] = (rc_sequence){1, 999};
    return rc_model_open(path, &model, &err) == RC_OK ? 0 : -1;
}

static rc_layout cut(int tp, int dp, int ep) {
    rc_layout l = {.tp = tp, .cp = 1, .dp = dp, .ep = ep};
    rc_model_dtypes(&model, &l);
    return l;
}

/* One layer of each kind and the head, by nodes of eight GPUs. */
static rc_program build_as(const char *variant, rc_layout l, int own) {
    rc_program p;
    rc_error err = {0};
    rc_request rq = {.model = &model,
                     .schedule = rc_schedule_named(variant),
                     .layout = l,
                     .nodes_per_rank = 1,
                     .ranks_per_node = 8 / l.tp,
                     .phase = RC_DECODE,
                     .seqs = seqs,
                     .seq_count = (size_t)own,
                     .elsewhere = {.tokens = ALL - own, .sequences = ALL - own},
                     .repeats = 1,
                     .head = true};
    if (rc_schedule_build(&rq, &p, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return p;
}

static rc_program build(rc_layout l, int own) {
    return build_as("tp", l, own);
}

static const rc_shape *of_op(const rc_program *p, const char *op, int layer) {
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        if (s->op && strcmp(s->op, op) == 0 && p->tasks[i].layer == layer)
            return s;
    }
    return NULL;
}

static const rc_shape *needed(const rc_program *p, const char *op, int layer) {
    const rc_shape *s = of_op(p, op, layer);
    if (!s)
        fail_msg("no %s in layer %d", op, layer);
    return s;
}

/* Eight GPUs with six sequences or less each: the busiest sends its six tokens, and the 32 experts of a
 * GPU get an eighth of the 42 x 8 pairs. Nothing is reduced. */
static void test_each_gpu_a_group(void **state) {
    (void)state;
    rc_program p = build(cut(1, 8, 8), 6);
    assert_int_equal(p.gpus, 1);
    const rc_shape *out = needed(&p, "ep_dispatch", 1), *back = needed(&p, "ep_combine", 1);
    assert_true(out->a == 6 && out->b == HIDDEN && out->bytes == 1.0);
    assert_true(out->ranks == 8 && out->members == 1 && out->nodes == 1);
    assert_true(back->a == 6 && back->bytes == 2.0);
    const rc_shape *work = needed(&p, "moe_ffn", 1);
    assert_true(work->a == 42 && work->experts == 32 && work->c == 2048);
    assert_null(of_op(&p, "all_reduce", 0));
    assert_null(of_op(&p, "all_gather", 1));
    rc_program_free(&p);
    p = build(cut(1, 16, 16), 3);
    assert_int_equal(needed(&p, "ep_dispatch", 1)->nodes, 2);
    rc_program_free(&p);
}

/* Four groups of two GPUs: eleven sequences, of which a GPU routes six; their results are gathered. With
 * experts over four GPUs two groups share them, the busiest and one with a third of the other 31. */
static void test_groups_of_two(void **state) {
    (void)state;
    rc_program p = build(cut(2, 4, 8), 11);
    assert_int_equal(needed(&p, "ep_dispatch", 1)->a, 6);
    assert_int_equal(needed(&p, "moe_ffn", 1)->a, 42);
    const rc_shape *end = needed(&p, "all_gather", 1);
    assert_true(end->bytes == 11.0 * HIDDEN * 2 && end->ranks == 2);
    rc_program_free(&p);
    p = build(cut(2, 4, 4), 11);
    assert_int_equal(needed(&p, "ep_dispatch", 1)->ranks, 4);
    assert_int_equal(needed(&p, "moe_ffn", 1)->a, (int)ceil((11 + 31.0 / 3) * 8 / 4));
    rc_program_free(&p);
}

/* Where tokens are gathered in place of dispatched, all rows go to every rank of every group. */
static void test_gathered(void **state) {
    (void)state;
    rc_layout l = cut(2, 4, 8);
    l.expert_transfer = RC_EXPERTS_GATHER;
    rc_program p = build(l, 11);
    const rc_shape *all = needed(&p, "all_gather", 1), *parts = needed(&p, "reduce_scatter", 1);
    assert_true(all->bytes == 42.0 * HIDDEN * 2 && all->ranks == 4 && all->members == 1);
    assert_true(parts->bytes == all->bytes && parts->ranks == 4);
    const rc_shape *work = needed(&p, "moe_ffn", 1);
    assert_true(work->a == 42 && work->d == 42);
    rc_program_free(&p);
}

/* As the parts of one TP group of eight: the FFN of the first layers sees all rows, gathered and scattered,
 * over an eighth of its width, and so does the LM head. */
static void test_parts_of_a_group(void **state) {
    (void)state;
    rc_layout l = cut(1, 8, 8);
    l.ffn_over_cp = true;
    rc_program p = build(l, 6);
    const rc_shape *all = needed(&p, "all_gather", 0), *parts = needed(&p, "reduce_scatter", 0);
    assert_true(all->bytes == 42.0 * HIDDEN * 2 && all->ranks == 8 && all->members == 1);
    assert_true(parts->bytes == all->bytes);
    assert_true(needed(&p, "all_gather", 2)->bytes == 42.0 * HIDDEN * 2);
    double ffn = 0.0, head = 0.0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (s->kind == RC_T_GEMM && p.tasks[i].layer == 0 &&
            (s->part == RC_P_GATE_UP || s->part == RC_P_DOWN))
            ffn += 2.0 * (double)s->a * (double)s->b * (double)s->c;
        if (s->part == RC_P_LM_HEAD && s->kind == RC_T_GEMM)
            head += 2.0 * (double)s->a * (double)s->b * (double)s->c;
    }
    assert_true(ffn == 2.0 * 42 * 3 * HIDDEN * 2304);
    assert_true(head == 2.0 * 42 * HIDDEN * 16160);
    rc_program_free(&p);
}

/* Where a group has one rank, prefill context parallelism, under which all ranks decode alike, has nothing to do. */
static void test_one_rank(void **state) {
    (void)state;
    for (int parts = 0; parts < 2; parts++) {
        rc_layout l = cut(1, 8, 8);
        l.ffn_over_cp = parts == 1;
        rc_program p = build_as("pcp", l, 6), tp = build(l, 6);
        assert_true(p.task_count == tp.task_count && p.task_count > 20);
        for (size_t i = 0; i < p.task_count; i++) {
            const rc_shape *x = programs_shape(&p, i), *y = programs_shape(&tp, i);
            assert_true(x->kind == y->kind && x->part == y->part && x->bytes == y->bytes &&
                        x->a == y->a && x->b == y->b && x->c == y->c && x->ranks == y->ranks);
        }
        rc_program_free(&p);
        rc_program_free(&tp);
    }
}

static rc_memory memory_of(const rc_layout *l) {
    rc_memory mem;
    assert_int_equal(
        rc_pass_memory(rc_schedule_named("tp"), &model, l, 6, 5994, 6, 1e12, &mem, NULL), RC_OK);
    return mem;
}

/* A group keeps the KV of its own six sequences: 70,272 bytes a token. Parts of a TP group have an eighth
 * of the dense FFNs, with a scale for each 128 x 128, and of the LM head. */
static void test_memory(void **state) {
    (void)state;
    rc_layout l = cut(1, 8, 8);
    const rc_memory groups = memory_of(&l);
    l.ffn_over_cp = true;
    const rc_memory parts = memory_of(&l);
    assert_true(groups.kv == 6000.0 * 70272 && parts.kv == groups.kv);
    const double dense = 3.0 * 3 * (18432.0 * HIDDEN + 144 * 56 * 4.0);
    const double head = 129280.0 * HIDDEN * 2;
    assert_true(groups.weights - parts.weights == (dense + head) * 7 / 8);
    assert_true(parts.buffers == 2.0 * 8 * 6 * HIDDEN * 2);
}

static void refused(rc_layout l, const char *why) {
    rc_error err = {0};
    assert_int_not_equal(rc_layout_check(&model, &l, &err), RC_OK);
    if (!strstr(err.msg, why))
        fail_msg("%s", err.msg);
}

static void test_refused(void **state) {
    (void)state;
    refused(cut(1, 8, 3), "divides tp x cp x dp_attention (8)");
    rc_layout l = cut(1, 8, 4);
    l.ffn_over_cp = true;
    refused(l, "ep is 4, expected 8");
    l = cut(1, 4, 8);
    l.cp = 2;
    l.ffn_over_cp = true;
    refused(l, "one of the two is 1");
}

/* Longest first to the group with least: 9, then 8, then 7 beside 8, 6 beside 9. FLOPs rise with tokens. */
static void test_spread(void **state) {
    (void)state;
    rc_sequence s[] = {{600, 0}, {900, 0}, {700, 0}, {800, 0}};
    rc_elsewhere e;
    size_t own;
    double flops;
    assert_int_equal(rc_spread_sequences(&model, 2, s, 4, &own, &e, &flops, NULL), RC_OK);
    assert_int_equal(own, 2);
    assert_true(s[0].t + s[1].t == 1500 && e.tokens == 1500 && e.sequences == 2);
    rc_sequence long_one[] = {{1, 10}, {1, 900000}, {1, 10}, {1, 10}};
    assert_int_equal(rc_spread_sequences(&model, 2, long_one, 4, &own, &e, &flops, NULL), RC_OK);
    assert_true(own == 1 && long_one[0].p == 900000 && e.sequences == 3 && e.tokens == 3);
    rc_sequence few[] = {{5, 0}, {5, 0}};
    assert_int_equal(rc_spread_sequences(&model, 8, few, 2, &own, &e, &flops, NULL), RC_OK);
    assert_true(own == 1 && e.sequences == 1 && e.tokens == 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_gpu_a_group), cmocka_unit_test(test_groups_of_two),
        cmocka_unit_test(test_gathered),         cmocka_unit_test(test_parts_of_a_group),
        cmocka_unit_test(test_one_rank),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, open_model, NULL);
}
