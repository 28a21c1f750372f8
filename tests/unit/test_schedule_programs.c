/* Programs of every model by every schedule: what holds of each task of them, whatever the layers are made of. All GPUs do the
 * same where all have as many tokens, whether one stands for a TP group or each is there.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/schedule/schedule.h"
#include "tests/support/model_file.h"

static const char *const models[] = {"llama-3.1-8b",
                                     "llama-3.1-70b-fp8",
                                     "gpt-oss-120b",
                                     "deepseek-v3",
                                     "deepseek-v3",
                                     "deepseek-v3.2",
                                     "deepseek-v3.2",
                                     "deepseek-v4-flash",
                                     "minimax-m2.7",
                                     "nemotron-3-nano-30b-a3b",
                                     "kimi-k3",
                                     "nemotron-super-49b",
                                     "qwen3.5-397b-a17b",
                                     "llama-4-scout-17b-16e-instruct",
                                     "hy3",
                                     "gemma-4-26b-a4b",
                                     "qwen3-30b-a3b-fp8",
                                     "mimo-v2-flash"};

static const struct {
    int tp, cp, dcp, ulysses, ep;
} layouts[] = {{1, 1, 0, 0, 0}, {8, 1, 0, 0, 0}, {8, 1, 2, 0, 8},  {2, 4, 0, 0, 8},
               {1, 8, 0, 2, 0}, {4, 2, 0, 0, 0}, {16, 1, 4, 0, 16}};

/* What a program is of, for messages. */
static char what[160];
static int templates; /* that have been counted */

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: %s", what, #condition);                                                  \
    } while (0)

static const rc_shape *shape_of(const rc_program *p, size_t task) {
    return &p->shapes[p->tasks[task].shape];
}

static void check_task(const rc_program *p, size_t i) {
    const rc_task *t = &p->tasks[i];
    HOLDS(t->shape < p->shape_count);
    const rc_shape *s = &p->shapes[t->shape];
    HOLDS(t->gpu < p->gpus);
    HOLDS(t->lane <= RC_LANE_COUNT && t->layer <= p->layers);
    HOLDS(s->part < RC_P_COUNT && s->first_call + s->calls <= p->call_count);
    HOLDS(s->a >= 0 && s->b >= 0 && s->c >= 0 && s->d >= 0 && s->bytes >= 0.0);
    if (s->kind == RC_T_MESSAGE)
        HOLDS(t->peer < p->gpus && t->peer != t->gpu && s->ranks >= 2 && s->nodes >= 1);
    if (s->kind == RC_T_COLLECTIVE)
        HOLDS(t->group < p->groups && s->members >= 1 && s->ranks >= s->members);
    if (s->kind == RC_T_ATTENTION)
        HOLDS(s->calls >= 1 && s->hq >= s->hkv && s->hkv >= 1 && s->key_size >= 1);
    if (s->kind == RC_T_DECODE)
        HOLDS(s->a >= 1 && s->b >= 0 && s->hq >= s->hkv && s->hkv >= 1);
    if (s->kind == RC_T_GEMM)
        HOLDS(s->a >= 1 && s->b >= 1 && s->c >= 1);
}

/* Members of a collective are all there, once each, with one shape. */
static void check_groups(const rc_program *p) {
    uint32_t *members = calloc((size_t)p->groups + 1, sizeof *members);
    uint32_t *shape = calloc((size_t)p->groups + 1, sizeof *shape);
    assert_true(members && shape);
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (shape_of(p, i)->kind != RC_T_COLLECTIVE)
            continue;
        HOLDS(members[t->group] == 0 || shape[t->group] == t->shape);
        shape[t->group] = t->shape;
        members[t->group]++;
    }
    for (uint32_t g = 0; g < p->groups; g++)
        HOLDS(members[g] == (uint32_t)p->shapes[shape[g]].members);
    free(members);
    free(shape);
}

static void check_sound(const rc_request *rq, const rc_program *p) {
    bool *used = calloc(p->shape_count + 1, sizeof *used);
    rc_program_size z;
    int64_t messages = 0;
    assert_non_null(used);
    HOLDS(p->task_count > 0 && p->gpus > 0);
    for (size_t i = 0; i < p->task_count; i++) {
        check_task(p, i);
        used[p->tasks[i].shape] = true;
        messages += shape_of(p, i)->kind == RC_T_MESSAGE;
    }
    for (size_t i = 0; i < p->shape_count; i++)
        HOLDS(used[i]);
    for (size_t i = 0; i < p->dep_count; i++)
        HOLDS(p->deps[i].task < p->task_count && p->deps[i].before < p->task_count &&
              p->deps[i].task != p->deps[i].before);
    check_groups(p);
    HOLDS(rc_schedule_size(rq, &z, NULL) == RC_OK);
    HOLDS(z.tasks == (int64_t)p->task_count && z.deps == (int64_t)p->dep_count);
    HOLDS(z.messages == messages);
    free(used);
}

/* The tasks of a GPU in their order; the caller frees. */
static uint32_t *tasks_of(const rc_program *p, uint32_t gpu, size_t *n) {
    uint32_t *out = calloc(p->task_count + 1, sizeof *out);
    assert_non_null(out);
    *n = 0;
    for (size_t i = 0; i < p->task_count; i++)
        if (p->tasks[i].gpu == gpu)
            out[(*n)++] = (uint32_t)i;
    return out;
}

/* Whether two GPUs do the same; `sizes`: with as much work in each task. */
static void check_alike(const rc_program *p, uint32_t a, const rc_program *q, uint32_t b,
                        bool sizes) {
    size_t n, m;
    uint32_t *x = tasks_of(p, a, &n), *y = tasks_of(q, b, &m);
    HOLDS(n == m && n > 0);
    for (size_t i = 0; i < n; i++) {
        const rc_task *t = &p->tasks[x[i]], *u = &q->tasks[y[i]];
        const rc_shape *s = shape_of(p, x[i]), *r = shape_of(q, y[i]);
        HOLDS(s->kind == r->kind && s->part == r->part && s->dtype == r->dtype);
        HOLDS(t->lane == u->lane && t->layer == u->layer && t->step == u->step);
        HOLDS((s->op == NULL) == (r->op == NULL) && (!s->op || strcmp(s->op, r->op) == 0));
        HOLDS(!sizes || (s->a == r->a && s->b == r->b && s->c == r->c && s->d == r->d));
        HOLDS(!sizes || (s->bytes == r->bytes && s->calls == r->calls && s->hq == r->hq));
    }
    free(x);
    free(y);
}

static const rc_sequence prompts[] = {{4096, 8192}, {2048, 1024}};
static rc_sequence steps[32], both[34];

static rc_request request_of(const rc_model *m, const rc_schedule *s, rc_phase phase, size_t i) {
    rc_request rq = {.model = m,
                     .schedule = s,
                     .phase = phase,
                     .ranks_per_node = layouts[i].tp < 8 ? 8 / layouts[i].tp : 1,
                     .nodes_per_rank = layouts[i].tp > 8 ? layouts[i].tp / 8 : 1,
                     .repeats = 1,
                     .head = true,
                     .layout = {.tp = layouts[i].tp,
                                .cp = layouts[i].cp,
                                .dcp = layouts[i].dcp,
                                .ulysses = layouts[i].ulysses,
                                .ep = m->kind[0].experts.count > 0 ? layouts[i].ep : 0,
                                .attn_weights = RC_BF16,
                                .ffn_weights = RC_BF16,
                                .act = RC_BF16,
                                .kv = RC_BF16}};
    rq.seqs = phase == RC_PREFILL ? prompts : phase == RC_DECODE ? steps : both;
    rq.seq_count = phase == RC_PREFILL ? 2 : phase == RC_DECODE ? 32 : 34;
    rc_model_dtypes(m, &rq.layout);
    return rq;
}

/* A program that is given other sequences is the one that is laid out for them. */
static void check_refilled(rc_request rq, rc_program *p) {
    static rc_sequence other[34];
    rc_program fresh;
    const rc_schedule_key key = rc_schedule_key_of(&rq);
    for (size_t i = 0; i < rq.seq_count; i++)
        other[i] = (rc_sequence){rq.seqs[i].t == 1 ? 1 : 2 * rq.seqs[i].t, 3 * rq.seqs[i].p + 5};
    rq.seqs = other;
    const rc_schedule_key now = rc_schedule_key_of(&rq);
    HOLDS(rc_schedule_key_equal(&key, &now));
    HOLDS(rc_schedule_build(&rq, &fresh, NULL) == RC_OK);
    HOLDS(rc_schedule_refill(&rq, p, NULL) == RC_OK);
    HOLDS(p->task_count == fresh.task_count && p->dep_count == fresh.dep_count);
    for (uint32_t gpu = 0; gpu < p->gpus; gpu++)
        check_alike(p, gpu, &fresh, gpu, true);
    rc_program_free(&fresh);
}

static void same_counts(const rc_counts *x, const rc_counts *y) {
    HOLDS(x->gemm_flops == y->gemm_flops && x->attention_flops == y->attention_flops);
    HOLDS(x->sent_bytes == y->sent_bytes && x->collective_bytes == y->collective_bytes);
    HOLDS(x->entries == y->entries && x->messages == y->messages);
    HOLDS(x->attention_launches == y->attention_launches && x->collectives == y->collectives);
}

/* A template counts as the program that it stands for, whose layers are one of each kind. */
static void check_template(rc_request rq, const rc_program *p) {
    rc_program t;
    rc_counts sum = {0};
    int64_t tasks = 0;
    rq.as_template = true;
    if (rc_schedule_build(&rq, &t, NULL) != RC_OK)
        return;
    for (size_t i = 0; i < t.layers_of->section_count && !t.layers_of->overflown; i++) {
        const rc_counts one = rc_template_counts(&t, i);
        sum.gemm_flops += one.gemm_flops;
        sum.attention_flops += one.attention_flops;
        sum.sent_bytes += one.sent_bytes;
        sum.collective_bytes += one.collective_bytes;
        sum.entries += one.entries;
        sum.messages += one.messages;
        sum.attention_launches += one.attention_launches;
        sum.collectives += one.collectives;
        tasks += rc_template_tasks(&t, i);
    }
    if (!t.layers_of->overflown) {
        const rc_counts all = rc_program_counts(p, 0);
        same_counts(&sum, &all);
        HOLDS(tasks == (int64_t)p->task_count);
        templates++;
    }
    rc_program_free(&t);
}

/* Where it is laid out at all; the number of GPUs, else 0. */
static uint32_t check(const rc_model *m, const rc_schedule *s, rc_phase phase, size_t i) {
    rc_request rq = request_of(m, s, phase, i);
    rc_program p, all;
    if (!rc_schedule_takes(s, phase, rq.layout.cp) || rc_schedule_build(&rq, &p, NULL) != RC_OK)
        return 0;
    check_sound(&rq, &p);
    check_template(rq, &p);
    const uint32_t gpus = p.gpus;
    HOLDS(gpus == (uint32_t)rq.layout.cp);
    for (uint32_t gpu = 1; gpu < gpus; gpu++)
        check_alike(&p, 0, &p, gpu, phase == RC_DECODE);
    rq.unfold_tp = true;
    rq.eager = true;
    HOLDS(rc_schedule_build(&rq, &all, NULL) == RC_OK);
    check_sound(&rq, &all);
    HOLDS(all.gpus == gpus * (uint32_t)rq.layout.tp);
    rc_program_free(&p);
    rq.unfold_tp = false;
    HOLDS(rc_schedule_build(&rq, &p, NULL) == RC_OK);
    check_template(rq, &p);
    for (uint32_t gpu = 0; gpu < all.gpus; gpu++)
        check_alike(&p, gpu / (uint32_t)rq.layout.tp, &all, gpu, true);
    check_refilled(rq, &p);
    rc_program_free(&p);
    rc_program_free(&all);
    return gpus;
}

static void test_programs(void **state) {
    (void)state;
    static const char *const names[] = {"prefill", "decode", "mixed"};
    int laid_out = 0;
    uint8_t each[RC_KINDS];
    for (int k = 0; k < RC_KINDS; k++)
        each[k] = (uint8_t)k;
    for (size_t i = 0; i < 32; i++)
        both[i] = steps[i] = (rc_sequence){1, 4095};
    both[32] = prompts[0];
    both[33] = prompts[1];
    for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
        rc_model m;
        rc_error err = {0};
        if (model_file("models", models[k], &m, &err) != RC_OK)
            fail_msg("%s", err.msg);
        assert_true(rc_model_set_order(&m, each, m.kinds));
        for (int i = 0; i < m.kinds && k % 2 == 1;
             i++) /* every other one without low-rank queries */
            m.kind[i].latent.q_rank = 0;
        for (int s = 0; rc_schedule_at(s) != NULL; s++)
            for (int phase = 0; phase < 3; phase++)
                for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
                    (void)snprintf(what, sizeof what, "%s %s %s TP%d CP%d", models[k],
                                   rc_schedule_at(s)->name, names[phase], layouts[i].tp,
                                   layouts[i].cp);
                    laid_out += check(&m, rc_schedule_at(s), (rc_phase)phase, i) > 0;
                }
    }
    print_message("%d programs, %d templates\n", laid_out, templates);
    assert_true(laid_out > 1000 && templates > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
