/* Latents under the schedules that engines ship, by hand: one layer of DeepSeek-V3 (128 heads of 128 + 64, values
 * of 128, latents of 512 + 64: 1,152 bytes a token) and of V3.2, which chooses 2,048 keys by 64 heads of 128.
 * docs/schedules.md has the formulas.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim/schedule/layer.h"
#include "sim/schedule/pass_memory.h"
#include "tests/support/programs.h"

enum { DENSE, SPARSE };
static rc_model models[2];

static int open_models(void **state) {
    static const char *const names[] = {"deepseek-v3", "deepseek-v3.2"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/models/%s.json", getenv("RC_SOURCE_DIR"), names[i]);
        if (rc_model_open(path, &models[i], NULL) != RC_OK)
            return -1;
    }
    return 0;
}

static const rc_sequence six[] = {{1, 9999}, {1, 9999}, {1, 9999}, {1, 9999}, {1, 9999}, {1, 9999}};
static const rc_sequence behind[] = {{4000, 60000}};

static rc_program build(int model, const char *variant, rc_layout l, rc_phase phase,
                        const rc_sequence *seqs, size_t count) {
    rc_program p;
    rc_error err = {0};
    rc_request rq = {.model = &models[model],
                     .schedule = rc_schedule_named(variant),
                     .layout = l,
                     .nodes_per_rank = 1,
                     .ranks_per_node = 8 / l.tp,
                     .phase = phase,
                     .seqs = seqs,
                     .seq_count = count,
                     .repeats = 1};
    if (rc_schedule_build(&rq, &p, &err) != RC_OK)
        fail_msg("%s: %s", variant, err.msg);
    return p;
}

/* Bytes of the collectives of one part on GPU 0 in layer 0, and how many. */
static void expect(const rc_program *p, rc_part part, int count, double bytes) {
    double got = 0.0;
    int n = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        if (p->tasks[i].gpu != 0 || p->tasks[i].layer != 0 || s->part != part ||
            s->kind != RC_T_COLLECTIVE)
            continue;
        got += s->bytes;
        n++;
    }
    if (n != count || got != bytes)
        fail_msg("%s: %d of %.0f bytes, expected %d of %.0f", rc_part_name(part), n, got, count,
                 bytes);
}

static const rc_shape *of_op(const rc_program *p, const char *op) {
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        if (s->op && strcmp(s->op, op) == 0 && p->tasks[i].gpu == 0 && p->tasks[i].layer == 0)
            return s;
    }
    fail_msg("no %s", op);
    return NULL;
}

/* Eight GPUs of 16 heads each, which hold 1,250 of 10,000 tokens: absorbed queries of 576 elements go to all,
 * partial outputs of 512 come back. */
static void test_decode(void **state) {
    (void)state;
    const rc_layout l = {.tp = 8, .cp = 1, .dcp = 8};
    const double queries = 8 * 6.0 * 16 * 576 * 2, partial = 6.0 * 128 * 512 * 2;
    rc_program p = build(DENSE, "dcp-ag-rs", l, RC_DECODE, six, 6);
    expect(&p, RC_P_ALL_GATHER, 2, queries + 8 * 6.0 * 128 * 4);
    expect(&p, RC_P_REDUCE_SCATTER, 1, partial);
    const rc_shape *attend = of_op(&p, "mla_decode");
    assert_true(attend->a == 6 && attend->b == 1250 && attend->hq == 128);
    rc_program_free(&p);
    p = build(DENSE, "dcp-a2a", l, RC_DECODE, six, 6);
    expect(&p, RC_P_ALL_GATHER, 1, queries);
    expect(&p, RC_P_ALL2ALL, 1, partial + 6.0 * 128 * 4);
    rc_program_free(&p);
    p = build(DENSE, "helix", l, RC_DECODE, six, 6);
    expect(&p, RC_P_ALL_GATHER, 0, 0.0);
    expect(&p, RC_P_ALL2ALL, 1, partial + 6.0 * 128 * 8);
    rc_program_free(&p);
}

/* A further chunk gathers the latents of its prefix, 60,000 x 1,152 bytes, makes keys and values of its own 16
 * heads of all of them, and merges that with what its new tokens see of themselves. No queries travel. */
static void test_prefix(void **state) {
    (void)state;
    rc_layout l = {.tp = 8, .cp = 1, .dcp = 8, .mla = RC_MLA_MATERIALISED};
    rc_program p = build(DENSE, "dcp-a2a", l, RC_PREFILL, behind, 1);
    expect(&p, RC_P_ALL_GATHER, 1, 60000.0 * 1152);
    expect(&p, RC_P_ALL2ALL, 0, 0.0);
    int launches = 0;
    int64_t keys[2] = {0, 0}, made[2] = {0, 0};
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (p.tasks[i].gpu != 0 || p.tasks[i].layer != 0 || s->kind != RC_T_ATTENTION)
            continue;
        assert_true(launches < 2 && s->hq == 16 && s->key_size == 192 && s->value_size == 128);
        keys[launches] = p.calls[s->first_call].tk;
        made[launches++] = s->a;
    }
    assert_true(launches == 2 && keys[0] == 60000 && keys[1] == 4000);
    assert_true(made[0] == 60000 && made[1] == 4000);
    rc_program_free(&p);
    static const rc_sequence mixed[] = {{4000, 60000}, {1, 9999}, {1, 9999}};
    p = build(DENSE, "dcp-a2a", l, RC_MIXED, mixed,
              3); /* steps beside it send their queries alone */
    expect(&p, RC_P_ALL_GATHER, 2, 60000.0 * 1152 + 8 * 2.0 * 16 * 576 * 2);
    expect(&p, RC_P_ALL2ALL, 1, 2.0 * 128 * (512 * 2 + 4));
    rc_program_free(&p);
}

/* Of two prompts the second has no prefix: what is found is attended to by the first alone, and what is new by both. */
static void test_prefix_of_one(void **state) {
    (void)state;
    static const rc_sequence two[] = {{4000, 60000}, {500, 0}};
    const rc_layout l = {.tp = 8, .cp = 1, .dcp = 8, .mla = RC_MLA_MATERIALISED};
    rc_program p = build(DENSE, "dcp-a2a", l, RC_PREFILL, two, 2);
    static const rc_call want[2][2] = {{{4000, 60000, 0}}, {{4000, 4000, 1}, {500, 500, 1}}};
    uint32_t launches = 0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (p.tasks[i].gpu != 0 || p.tasks[i].layer != 0 || s->kind != RC_T_ATTENTION)
            continue;
        assert_true(launches < 2 && s->calls == launches + 1);
        for (uint32_t k = 0; k < s->calls; k++) {
            const rc_call *c = &p.calls[s->first_call + k], *w = &want[launches][k];
            assert_true(c->tq == w->tq && c->tk == w->tk && c->causal == w->causal);
        }
        launches++;
    }
    assert_int_equal(launches, 2);
    rc_program_free(&p);
}

/* Ranks of one GPU. What is gathered of keys and values is 1,152 bytes a token; queries are 128 heads of 192 or
 * 576, outputs of 128 or 512. */
static void test_gathers(void **state) {
    (void)state;
    for (int absorbed = 0; absorbed < 2; absorbed++) {
        const rc_layout l = {
            .tp = 1, .cp = 4, .mla = absorbed ? RC_MLA_ABSORBED : RC_MLA_MATERIALISED};
        const double q = absorbed ? 576 : 192, v = absorbed ? 512 : 128;
        rc_program p = build(DENSE, "gather-kv", l, RC_PREFILL, behind, 1);
        expect(&p, RC_P_ALL_GATHER, 2, (60000.0 + 4000) * 1152);
        rc_program_free(&p);
        p = build(DENSE, "gather-q", l, RC_PREFILL, behind, 1);
        expect(&p, RC_P_ALL_GATHER, 3, 4000.0 * 128 * q * 2 + 4 * 4000.0 * 128 * 4 + 4000.0 * 1152);
        expect(&p, RC_P_REDUCE_SCATTER, 1, 4000.0 * 128 * v * 2);
        rc_program_free(&p);
        p = build(DENSE, "pcp", l, RC_PREFILL, behind, 1);
        expect(&p, RC_P_ALL_GATHER, 1, 4000.0 * 1152);
        rc_program_free(&p);
    }
}

static void test_no_heads(void **state) {
    (void)state;
    static const char *const variants[] = {"ulysses", "usp"};
    for (int i = 0; i < 2; i++) {
        rc_error err = {0};
        const rc_layout l = {.tp = 1, .cp = 4, .ulysses = i == 0 ? 1 : 2};
        assert_int_equal(rc_schedule_fits(rc_schedule_named(variants[i]), &models[DENSE], &l, &err),
                         RC_E_INPUT);
        assert_non_null(strstr(err.msg, "latents"));
    }
}

/* Chosen keys: every GPU scores all 10,000 and chooses the same 2,048, of which it holds 256, for the 128 heads
 * of all. A prompt's new tokens are on the d GPUs as well. */
static void test_selection(void **state) {
    (void)state;
    const rc_layout l = {.tp = 8, .cp = 1, .dcp = 8};
    rc_program p = build(SPARSE, "dcp-a2a", l, RC_DECODE, six, 6);
    expect(&p, RC_P_ALL_GATHER, 1, 8 * 6.0 * 16 * 576 * 2);
    expect(&p, RC_P_ALL2ALL, 1, 6.0 * 128 * (512 * 2 + 4));
    const rc_shape *score = of_op(&p, "dsa_index_step"), *choose = of_op(&p, "dsa_topk");
    const rc_shape *attend = of_op(&p, "dsa_attention");
    assert_true(score->b == 10000 && score->c == 64 && score->d == 6 && choose->c == 2048);
    assert_true(attend->a == 6 && attend->b == 256 && attend->c == 128);
    rc_program_free(&p);
    p = build(SPARSE, "dcp-ag-rs", l, RC_PREFILL, behind, 1);
    expect(&p, RC_P_ALL_GATHER, 2, 8 * 4000.0 * 16 * 576 * 2 + 8 * 4000.0 * 128 * 4);
    expect(&p, RC_P_REDUCE_SCATTER, 1, 4000.0 * 128 * 512 * 2);
    attend = of_op(&p, "dsa_attention");
    assert_true(attend->a == 4000 && attend->b == 256 && attend->c == 128);
    rc_program_free(&p);
}

/* Of 8,000 tokens a GPU keeps the latents of 1,000 and all keys of the indexer, 128 fp8 elements and a scale. */
static void test_memory(void **state) {
    (void)state;
    const rc_layout l = {.tp = 8, .cp = 1, .dcp = 8};
    const rc_schedule *s = rc_schedule_named("dcp-a2a");
    const rc_kv_passes passes = {.longest = 1000};
    rc_memory mem;
    rc_kv_room room;
    assert_int_equal(rc_pass_memory(s, &models[SPARSE], &l, 1000, 7000, 1, 1e12, &mem, NULL),
                     RC_OK);
    assert_true(mem.kv == 61 * (1000.0 * 1152 + 8000.0 * 132));
    assert_int_equal(rc_pass_kv_room(s, &models[SPARSE], &l, &passes, 1e12, &mem, &room, NULL),
                     RC_OK);
    assert_true(room.ranks == 8 && room.token == 61 * (1152 + 8.0 * 132));
    assert_int_equal(rc_schedule_most_dcp(&models[SPARSE], 8), 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_prefix_of_one), cmocka_unit_test(test_gathers),
        cmocka_unit_test(test_no_heads),      cmocka_unit_test(test_selection),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, open_models, NULL);
}
