/* How large a program is, without building it.
 *
 * Every schedule emits for each GPU some tasks and dependencies, and some for each other rank: over
 * all GPUs their number is a quadratic polynomial in the ranks. All layers but the first are alike,
 * so it is linear in the layers from the second on; and the GPUs of a TP group do the same.
 * Programs of three to five ranks and of two and three layers therefore tell the size of all
 * others, of any schedule. prop_schedule_counts.c holds this against programs that are built.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

/* Up to FEW ranks and up to LIKE layers are not extrapolated: a program of so many is counted. */
enum { FEW = 3, LIKE = 3 };

static rc_program_size plus(rc_program_size a, int64_t times, rc_program_size b) {
    return (rc_program_size){.tasks = a.tasks + times * b.tasks,
                             .deps = a.deps + times * b.deps,
                             .messages = a.messages + times * b.messages,
                             .loose = a.loose + times * b.loose};
}

static rc_program_size counted(const rc_program *p) {
    rc_program_size s = {.tasks = (int64_t)p->task_count, .deps = (int64_t)p->dep_count};
    for (size_t i = 0; i < p->task_count; i++) {
        s.messages += p->shapes[p->tasks[i].shape].kind == RC_T_MESSAGE;
        s.loose += p->tasks[i].lane == RC_LANE_NONE;
    }
    return s;
}

/* Of `ranks` ranks and `layers` layers. What else decides which tasks there are is as in `rq`. */
static rc_status build(const rc_request *rq, int ranks, int layers, rc_program_size *out,
                       rc_error *err) {
    const rc_schedule_key key = rc_schedule_key_of(rq);
    const rc_sequence kinds[] = {{.t = FEW + 2, .p = 0}, {.t = 1, .p = 1}};
    rc_request small = *rq;
    rc_program p;
    small.layout.cp = ranks;
    small.layers = layers;
    small.unfold_tp = false;
    small.seqs = key.prefills ? kinds : kinds + 1;
    small.seq_count = (size_t)key.prefills + (size_t)key.decodes;
    RC_TRY(rc_schedule_build(&small, &p, err));
    *out = counted(&p);
    rc_program_free(&p);
    return RC_OK;
}

static rc_status of_layers(const rc_request *rq, int ranks, int layers, rc_program_size *out,
                           rc_error *err) {
    rc_program_size two, three;
    if (layers <= LIKE)
        return build(rq, ranks, layers, out, err);
    RC_TRY(build(rq, ranks, LIKE - 1, &two, err));
    RC_TRY(build(rq, ranks, LIKE, &three, err));
    *out = plus(three, layers - LIKE, plus(three, -1, two));
    return RC_OK;
}

rc_status rc_schedule_size(const rc_request *rq, rc_program_size *out, rc_error *err) {
    const rc_program_size none = {0};
    rc_program_size at[3];
    int layers = rq->layers > 0 ? rq->layers : rq->model->layers;
    int64_t n = rq->layout.cp, times = rq->unfold_tp ? rq->layout.tp : 1;
    RC_TRY(rc_schedule_check(rq, err));
    if (n <= FEW) {
        RC_TRY(of_layers(rq, (int)n, layers, &at[0], err));
        *out = plus(none, times, at[0]);
        return RC_OK;
    }
    for (int i = 0; i < 3; i++)
        RC_TRY(of_layers(rq, FEW + i, layers, &at[i], err));
    /* Newton's form of the polynomial through the three. */
    rc_program_size first = plus(at[1], -1, at[0]);
    rc_program_size second = plus(plus(at[2], -1, at[1]), -1, first);
    rc_program_size whole = plus(at[0], n - FEW, first);
    whole = plus(whole, (n - FEW) * (n - FEW - 1) / 2, second);
    *out = plus(none, times, whole);
    return RC_OK;
}
