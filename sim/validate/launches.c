/* What the host needs to launch the ops of a layer one by one.
 *
 * The simulator has one host cost for every launch. Rings are launched by kernels of several kinds,
 * of which the host suite has a row each: a product through cuBLASLt, attention with its tensor
 * maps, a group of NCCL calls, events between the streams. What counts for a pass is their sum, so
 * the cost of a launch is their mean over the ops of the pass.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/validate/launches.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The row of a host cost, or `otherwise`. `count` 0: any. */
static double row_of(const rc_rows *rows, const char *machine, const char *op, const char *variant,
                     int64_t count, double otherwise) {
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (strcmp(r->machine, machine) == 0 && strcmp(r->op, op) == 0 &&
            strcmp(r->variant, variant) == 0 && (count == 0 || r->a == count))
            return r->p50;
    }
    return otherwise;
}

/* A group of `calls` sends and receives, and the events that order its stream with the other: one
 * recorded and one waited for before it and behind it. */
static double group(const rc_rows *rows, const char *machine, double plain, double calls) {
    double two = row_of(rows, machine, "nccl_group", "", 2, plain);
    double eight = row_of(rows, machine, "nccl_group", "", 8, two);
    double event = row_of(rows, machine, "event", "", 0, 0.0);
    double wait = row_of(rows, machine, "event", "wait", 0, event);
    return two + (calls - 2.0) * (eight - two) / 6.0 + 2.0 * (event + wait);
}

static double launch_of(const rc_rows *rows, const char *machine, const rc_shape *s, double plain) {
    switch (s->kind) {
    case RC_T_GEMM:
        return row_of(rows, machine, "launch", "gemm", 0, plain);
    case RC_T_ATTENTION:
        return row_of(rows, machine, "launch", "attention", 0, plain);
    case RC_T_DECODE:
        return row_of(rows, machine, "launch", "decode", 0, plain);
    case RC_T_MERGE:
        return row_of(rows, machine, "launch", "merge", 0, plain);
    case RC_T_MESSAGE:
        return group(rows, machine, plain, 2.0);
    case RC_T_COLLECTIVE: /* an all-to-all sends and receives outputs and sums */
        return s->part == RC_P_ALL_REDUCE
                   ? row_of(rows, machine, "nccl_group", "all_reduce", 0, plain)
                   : group(rows, machine, plain, 4.0 * (s->ranks - 1));
    default:
        return plain;
    }
}

double rc_mean_launch(const rc_rows *rows, const char *machine, const rc_program *p, double plain) {
    assert(rows != NULL && p->layers_of == NULL); /* a template has no tasks of its own */
    double sum = 0.0;
    int launches = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        const rc_shape *s = &p->shapes[t->shape];
        if (t->gpu != 0 || t->layer >= p->layers || t->lane == RC_LANE_NONE)
            continue;
        if (s->kind == RC_T_LAUNCH)
            launches++;
        else if (s->kind != RC_T_RING_STEP && s->kind != RC_T_MARK)
            sum += launch_of(rows, machine, s, plain);
    }
    return launches > 0 ? sum / launches : plain;
}
