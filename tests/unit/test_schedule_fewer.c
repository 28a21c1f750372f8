/* Fewer keys than a model's own, worked out by hand for one layer of Llama 3.1 405B under TP8 (16 query
 * heads and 1 KV head of 128 on a GPU: 512 bytes a key and value), chosen keys over ranks, and decode
 * steps that verify several tokens.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/schedule/kept.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"
#include "tests/support/programs.h"

static rc_model model_seeing(rc_fewer_keys how) {
    rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    rc_error err = {0};
    m.kind[0].mixer = RC_MIX_ATTENTION;
    assert_int_equal(rc_model_see_fewer(&m, &how, &err), RC_OK);
    return m;
}

static rc_program build(const rc_model *m, rc_layout l, const char *variant, rc_phase phase,
                        const rc_sequence *seqs, size_t count, int verified) {
    const rc_request rq = {.model = m,
                           .schedule = rc_schedule_named(variant),
                           .layout = l,
                           .nodes_per_rank = 1,
                           .phase = phase,
                           .seqs = seqs,
                           .seq_count = count,
                           .verified = verified,
                           .repeats = 1};
    rc_program p;
    rc_error err = {0};
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
    return p;
}

/* The `nth` task of GPU `gpu` of this op, or of this kind where it has none. */
static const rc_shape *task(const rc_program *p, uint32_t gpu, const char *op, rc_task_kind kind,
                            int nth) {
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        bool is = op ? s->op && strcmp(s->op, op) == 0 : s->kind == kind && !s->op;
        if (p->tasks[i].gpu == gpu && is && nth-- == 0)
            return s;
    }
    return NULL;
}

/* 64,000 tokens over CP4: chunks of 8,000. A window of 1,000 behind the first 100: ranks gather 1,000
 * of each of 8 chunks and 100, and a query sees 1,100 keys at most. */
static void test_windows_with_global_tokens(void **state) {
    (void)state;
    rc_model m = model_seeing((rc_fewer_keys){.window = 1000, .global = 100});
    const rc_layout l = {.tp = 8, .cp = 4};
    rc_program p = build(&m, l, "pass-kv", RC_PREFILL, &(rc_sequence){64000, 0}, 1, 0);
    rc_counts c = rc_program_counts(&p, 1);
    assert_int_equal(c.messages, 0); /* no ring */
    assert_true(task(&p, 1, "all_gather", RC_T_COLLECTIVE, 0)->bytes == (8 * 1000 + 100) * 512.0);
    assert_int_equal(c.entries, 2 * 8000 * 1100); /* chunks 1 and 6: none is at the beginning */
    rc_program_free(&p);
    p = build(&m, l, "pass-q", RC_DECODE, &(rc_sequence){1, 64000}, 1, 0);
    assert_int_equal(task(&p, 0, NULL, RC_T_DECODE, 0)->b, 275); /* a fourth of what is seen */
    rc_program_free(&p);
    rc_memory seen, all;
    rc_error err = {0};
    assert_int_equal(
        rc_pass_memory(rc_schedule_named("pass-kv"), &m, &l, 64000, 0, 1, 1e12, &seen, &err),
        RC_OK);
    assert_true(seen.kv == 126 * 1100 * 512.0);
    assert_true(rc_model_fixed_gpu(&m, 8, RC_BF16) == 126 * 1100 * 512.0);
    m.kind[0].keeps_all = true;
    assert_int_equal(
        rc_pass_memory(rc_schedule_named("pass-kv"), &m, &l, 64000, 0, 1, 1e12, &all, &err), RC_OK);
    assert_true(all.kv == 126 * 16000 * 512.0);
    assert_true(rc_model_growth_gpu(&m, 8, RC_BF16) == 126 * 512.0);
}

/* 8 heads of 128 score 8,000 queries of one GPU with all keys before them; weights and index keys. */
static void test_an_index_is_paid_for(void **state) {
    (void)state;
    rc_model m = model_seeing((rc_fewer_keys){.top_k = 2048, .index_heads = 8, .index_dim = 128});
    const rc_model plain = programs_model(126, 128, 8, 128, 16384, 53248);
    const rc_layout l = {.tp = 8, .cp = 1};
    rc_program p = build(&m, l, "tp", RC_PREFILL, &(rc_sequence){8000, 0}, 1, 0);
    const rc_shape *s = task(&p, 0, "dsa_index", RC_T_OP, 0);
    assert_int_equal(s->a, 8000);
    assert_int_equal(s->b, 8000); /* 8000 * 8001 / 2 pairs */
    assert_int_equal(s->c, 8);
    assert_int_equal(task(&p, 0, "dsa_topk", RC_T_OP, 0)->c, 2048);
    s = task(&p, 0, "grouped_sparse", RC_T_OP, 0);
    assert_int_equal(s->a, 8000);
    /* 2,048 queries see from 1 to 2,048 keys, the others 2,048 */
    assert_int_equal(s->b, (2048 * 2049 / 2 + 5952 * 2048 + 7999) / 8000);
    assert_int_equal(s->c, 16);
    assert_int_equal(s->d, 1);
    rc_program_free(&p);
    p = build(&m, l, "tp", RC_DECODE, &(rc_sequence){1, 99999}, 1, 0);
    assert_int_equal(task(&p, 0, "dsa_index_step", RC_T_OP, 0)->b, 100000);
    rc_program_free(&p);
    /* queries from 16,384 elements to 8 x 128, one key of 128 and 8 weights */
    assert_true(rc_model_params(&m) - rc_model_params(&plain) == 126.0 * 16384 * (1024 + 136));
    assert_true(rc_model_growth_gpu(&m, 8, RC_BF16) == 126 * (512.0 + 128 + 4));
}

/* Two chunks a rank, or tokens in turn: as many pairs, in two launches or one. Rank 1 of 2 has the
 * second and the third quarter of 4,000 tokens. */
static void test_chosen_keys_over_ranks(void **state) {
    (void)state;
    rc_model m = model_seeing((rc_fewer_keys){.top_k = 64, .index_heads = 8, .index_dim = 128});
    rc_layout l = {.tp = 8, .cp = 2};
    const rc_sequence turn = {4000, 0};
    rc_program p = build(&m, l, "pass-kv", RC_PREFILL, &turn, 1, 0);
    const rc_shape *s = task(&p, 1, "dsa_index", RC_T_OP, 0);
    assert_int_equal(s->a, 2000);
    const double even = 2000.0 * ((double)s->b - 2000) + 2000 * 2001 / 2.0;
    assert_null(task(&p, 1, "dsa_index", RC_T_OP, 1));
    rc_program_free(&p);
    l.zigzag = true;
    p = build(&m, l, "pass-kv", RC_PREFILL, &turn, 1, 0);
    const rc_shape *a = task(&p, 1, "dsa_index", RC_T_OP, 0);
    const rc_shape *b = task(&p, 1, "dsa_index", RC_T_OP, 1);
    assert_int_equal(a->a, 1000);
    assert_int_equal(a->b, 2000);
    assert_int_equal(b->b, 3000);
    const double chunks = 1000.0 * 1000 + 1000.0 * 2000 + 1000 * 1001.0;
    assert_true(even > 0.999 * chunks && even < 1.001 * chunks);
    rc_program_free(&p);
}

/* Three tokens of each of two sequences: rows of six, keys read once for all three. */
static void test_verified_tokens(void **state) {
    (void)state;
    const rc_model m = programs_model(126, 128, 8, 128, 16384, 53248);
    const rc_layout l = {.tp = 8, .cp = 1};
    const rc_sequence six[6] = {{1, 999}, {1, 999}, {1, 999}, {1, 999}, {1, 999}, {1, 999}};
    rc_program p = build(&m, l, "tp", RC_DECODE, six, 6, 3);
    const rc_shape *s = task(&p, 0, NULL, RC_T_DECODE, 0);
    assert_int_equal(s->a, 2);
    assert_int_equal(s->b, 1000);
    assert_int_equal(s->hq, 48);
    assert_int_equal(task(&p, 0, NULL, RC_T_GEMM, 0)->a, 6);
    rc_program_free(&p);
}

static void test_refusals(void **state) {
    (void)state;
    rc_model m = programs_model(2, 8, 1, 64, 512, 128);
    const rc_fewer_keys how = {.window = 100};
    rc_error err = {0};
    m.kind[0].window = 4096;
    assert_int_equal(rc_model_see_fewer(&m, &how, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "no layer of test-model has queries that see all keys"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_with_global_tokens),
        cmocka_unit_test(test_an_index_is_paid_for), cmocka_unit_test(test_chosen_keys_over_ranks),
        cmocka_unit_test(test_verified_tokens), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
