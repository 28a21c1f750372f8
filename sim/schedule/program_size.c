/* How large a program is, without building it.
 *
 * Every schedule emits for each GPU some tasks and dependencies, and some for each other rank: over
 * all GPUs their number is a quadratic polynomial in the ranks. Within a run of layers every repeat
 * of the pattern but the first is alike, so the last of three stands for all that follow; and the
 * GPUs of a TP group do the same. Programs of three to five ranks and of at most three repeats a
 * run therefore tell the size of all others, of any schedule. prop_schedule_counts.c holds this
 * against programs that are built.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */

#include <assert.h>

#include "sim/schedule/builder.h"

/* Up to FEW ranks and up to LIKE repeats are not extrapolated: a program of so many is counted. */
enum { FEW = 3, LIKE = 3, MOST_LAYERS = LIKE * RC_PATTERN * RC_RUNS };

static rc_program_size plus(rc_program_size a, int64_t times, rc_program_size b) {
    return (rc_program_size){.tasks = a.tasks + times * b.tasks,
                             .deps = a.deps + times * b.deps,
                             .messages = a.messages + times * b.messages,
                             .loose = a.loose + times * b.loose};
}

/* How many layers of the request each layer of `p` stands for: one, and in the last repeat of a
 * run those of the repeats that were left out. */
static void weigh_layers(const rc_request *rq, const rc_program *p, int64_t *weight) {
    int at = 0;
    for (int i = 0; i < p->runs; i++) {
        const rc_layer_run *run = &p->run[i];
        int times = rc_model_run(rq->model, i).times;
        times = rq->repeats > 0 && rq->repeats < times ? rq->repeats : times;
        for (int l = 0; l < run->times * run->length; l++)
            weight[at++] = l < (run->times - 1) * run->length ? 1 : 1 + times - run->times;
    }
    assert(at == p->layers && at < MOST_LAYERS + 1);
    weight[at] = 1; /* what follows the layers */
}

static rc_program_size counted(const rc_request *rq, const rc_program *p) {
    int64_t weight[MOST_LAYERS + 1];
    rc_program_size s = {0};
    weigh_layers(rq, p, weight);
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        s.tasks += weight[t->layer];
        s.messages += p->shapes[t->shape].kind == RC_T_MESSAGE ? weight[t->layer] : 0;
        s.loose += t->lane == RC_LANE_NONE ? weight[t->layer] : 0;
    }
    for (size_t i = 0; i < p->dep_count; i++)
        s.deps += weight[p->tasks[p->deps[i].task].layer];
    return s;
}

/* Of `ranks` groups of ranks, most often of one each. What else decides which tasks there are is as in `rq`. */
static rc_status of_ranks(const rc_request *rq, int ranks, rc_program_size *out, rc_error *err) {
    const rc_schedule_key key = rc_schedule_key_of(rq);
    const rc_sequence kinds[] = {{.t = (FEW + 2) * rc_layout_ulysses(&rq->layout), .p = key.cached},
                                 {.t = 1, .p = 1}};
    rc_request small = *rq;
    rc_program p;
    small.layout.cp = ranks * rc_layout_ulysses(&rq->layout);
    if (rq->ranks_per_node > 1 && rc_layout_ring(&rq->layout) > FEW) /* one node, or several */
        small.ranks_per_node = rc_one_node(rq) ? small.layout.cp : FEW - 1;
    small.repeats = rq->repeats > 0 && rq->repeats < LIKE ? rq->repeats : LIKE;
    small.unfold_tp = false;
    if (rc_layout_ep(&rq->layout) > rq->layout.tp) /* experts are dealt over all that there are */
        small.layout.ep = rc_layout_gpus(&small.layout);
    for (int k = 0; k < rq->model->kinds; k++) /* in the form that its own sequences have it in */
        if (rq->model->kind[k].mixer == RC_MIX_LATENT)
            small.layout.mla =
                rc_absorbs(rq, &rq->model->kind[k]) ? RC_MLA_ABSORBED : RC_MLA_MATERIALISED;
    small.seqs = key.prefills ? kinds : kinds + 1;
    small.seq_count = (size_t)key.prefills + (size_t)key.decodes;
    RC_TRY(rc_schedule_lay_out(&small, &p, err)); /* `rq` was checked, not these few ranks */
    *out = counted(rq, &p);
    rc_program_free(&p);
    return RC_OK;
}

rc_status rc_schedule_size(const rc_request *rq, rc_program_size *out, rc_error *err) {
    const rc_program_size none = {0};
    rc_program_size at[3];
    int64_t n = rc_layout_ring(&rq->layout), times = rq->unfold_tp ? rq->layout.tp : 1;
    RC_TRY(rc_schedule_fits(rq->schedule, rq->model, &rq->layout, err));
    RC_TRY(rc_schedule_check(rq, err));
    if (n <= FEW) {
        RC_TRY(of_ranks(rq, (int)n, &at[0], err));
        *out = plus(none, times, at[0]);
        return RC_OK;
    }
    for (int i = 0; i < 3; i++)
        RC_TRY(of_ranks(rq, FEW + i, &at[i], err));
    /* Newton's form of the polynomial through the three. */
    rc_program_size first = plus(at[1], -1, at[0]);
    rc_program_size second = plus(plus(at[2], -1, at[1]), -1, first);
    rc_program_size whole = plus(at[0], n - FEW, first);
    whole = plus(whole, (n - FEW) * (n - FEW - 1) / 2, second);
    *out = plus(none, times, whole);
    return RC_OK;
}
