/* A pass that is launched op by op: its calls follow each other less closely than in a graph.
 *
 * The gap goes with the call behind it and is as long at every clock. It is time of the GPU, beside
 * that of the host's launch: where the host is ahead the gap shows, where the host is behind both
 * pass at once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/engine/ticks.h"
#include "sim/forward/internal.h"

static rc_launched elementwise(const char *op) {
    if (strcmp(op, "rotary_kv") == 0)
        return RC_LAUNCHED_ROTARY;
    return strncmp(op, "swiglu", strlen("swiglu")) == 0 ? RC_LAUNCHED_SWIGLU : RC_LAUNCHED_NORM;
}

/* How many calls a task is, and of which kind; 0 for what is no work of the GPU. An op whose gap
 * nobody measured is one kernel, and has the gap of a norm. */
static int64_t calls_of(const rc_shape *s, rc_launched *kind) {
    switch (s->kind) {
    case RC_T_GEMM:
    case RC_T_OP: /* made of products and passes over elements; theirs are the longer gaps */
        *kind = RC_LAUNCHED_GEMM;
        return 1;
    case RC_T_ATTENTION:
        *kind = RC_LAUNCHED_ATTENTION;
        return 1;
    case RC_T_DECODE:
        *kind = RC_LAUNCHED_DECODE;
        return 1;
    case RC_T_MERGE:
        *kind = RC_LAUNCHED_MERGE;
        return 1;
    case RC_T_ELEMENTWISE:
        *kind = elementwise(s->op);
        return s->c > 1 ? s->c : 1;
    case RC_T_COPY:
        *kind = RC_LAUNCHED_COPY;
        return RC_PIECE_COPIES * ((s->a > 0) + (s->b > 0) + (s->c > 0));
    case RC_T_COLLECTIVE:
    case RC_T_MESSAGE:
        *kind = RC_LAUNCHED_NCCL;
        return 1;
    case RC_T_MARK:
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
    case RC_T_PORT:
        return 0;
    default:
        *kind = RC_LAUNCHED_NORM;
        return 1;
    }
}

/* Work that takes no time (the merge of one part) is not launched. */
static bool is_launched(const rc_shape *s, const rc_shape_cost *c) {
    return s->kind == RC_T_MESSAGE || c->duration > 0;
}

void rc_space_launches(const rc_spec *spec, const rc_costs *costs, const rc_program *p,
                       rc_shape_cost *prices) {
    assert(spec != NULL && p != NULL && prices != NULL);
    for (size_t i = 0; i < p->shape_count && spec->eager; i++) {
        rc_shape_cost *c = &prices[i];
        rc_launched kind = RC_LAUNCHED_NORM;
        int64_t calls = calls_of(&p->shapes[i], &kind);
        if (calls == 0 || !is_launched(&p->shapes[i], c))
            continue;
        rc_time gap = rc_ticks_round((double)calls * rc_cost_eager_gap(costs, kind) * RC_PS_PER_S);
        c->duration = rc_ticks_add(c->duration, gap);
        c->alone = rc_ticks_add(c->alone, gap);
        c->beside = rc_ticks_add(c->beside, gap);
    }
}
