/* Collectives over groups of GPUs.
 *
 * The GPUs of a pass are numbered rank by rank, and inside a rank by their place in its TP group. A
 * group is `size` of them, `stride` apart: the TP group of a rank is tp of them side by side, the
 * same places of all ranks are cp of them tp apart, a part of a TP group or several whole ranks are
 * fewer or more of them side by side. Groups of one size and stride are disjoint and hold every GPU
 * once, so one call emits the collectives of them all.
 *
 * Where one simulated GPU stands for a TP group, it stands for the group's part in every
 * collective: all of its GPUs do the same at the same time. Where one of several groups with sequences
 * of their own is simulated (rc_layout.dp), the busiest, collectives that reach over the others wait for
 * no one there: all others have come.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/schedule/builder.h"

rc_group rc_group_tp(const rc_builder *b) {
    return (rc_group){.size = b->rq->layout.tp, .stride = 1};
}

rc_group rc_group_cp(const rc_builder *b) {
    return (rc_group){.size = b->n, .stride = b->rq->layout.tp};
}

rc_group rc_group_all_ranks(const rc_builder *b) {
    return (rc_group){.size = b->n * rc_layout_dp(&b->rq->layout), .stride = b->rq->layout.tp};
}

rc_group rc_group_dcp(const rc_builder *b) {
    return (rc_group){.size = rc_layout_dcp(&b->rq->layout), .stride = 1};
}

/* The group in simulated GPUs: fewer where one stands for a TP group. */
static rc_group simulated(const rc_builder *b, rc_group g) {
    int folds = b->rq->layout.tp / (int)b->g, gpus = (int)b->p->gpus;
    rc_group s = g;
    if (folds > 1 && g.stride % folds == 0) {
        s.stride = g.stride / folds;
    } else if (folds > 1) {
        int ranks = g.size * g.stride / folds; /* side by side, that the group reaches over */
        s = (rc_group){.size = ranks > 1 ? ranks : 1, .stride = 1};
    }
    if (s.size * s.stride > gpus) /* and over groups of sequences that are not simulated */
        s.size = gpus > s.stride ? gpus / s.stride : 1;
    return s;
}

/* The group to which `place` belongs. Each has its own number, from 0. */
static int number_of(rc_group g, int place) {
    return place / (g.size * g.stride) * g.stride + place % g.stride;
}

int rc_group_nodes(const rc_builder *b, rc_group g, int place) {
    int span = g.size * g.stride, first = place / span * span + place % g.stride;
    int last = first + (g.size - 1) * g.stride, second = g.size > 1 ? first + g.stride : last;
    int from = rc_place_node(b->rq, first), to = rc_place_node(b->rq, last);
    /* Nodes in between are skipped where each member is on a node of its own only. */
    return rc_place_node(b->rq, second) - from > 1 ? g.size : to - from + 1;
}

/* The most that any group of the GPUs `gpu` stands for is spread over. Where one does for a TP group,
 * groups that are parts of it may lie differently; the next all-reduce waits for the slowest. */
static int most_nodes(const rc_builder *b, rc_group g, int place, int folds) {
    int most = rc_group_nodes(b, g, place);
    for (int k = 1; k < folds && g.size < folds && g.size * g.stride <= folds; k++) {
        int nodes = rc_group_nodes(b, g, place + k);
        most = nodes > most ? nodes : most;
    }
    return most;
}

/* `like`: all of the shape but what follows from the group; bytes NULL: they are in it; `second`:
 * of the bytes those of a second message to each peer, NULL: none. */
static void meet(rc_builder *b, rc_group g, rc_lane lane, const rc_shape *like, rc_bytes_fn bytes,
                 rc_bytes_fn second) {
    const int folds = b->rq->layout.tp / (int)b->g;
    const rc_group s = simulated(b, g);
    assert(g.size >= 1 && g.stride >= 1 &&
           rc_layout_gpus(&b->rq->layout) % (g.size * g.stride) == 0);
    assert(g.size * g.stride <= b->rq->layout.tp || rc_layout_dp(&b->rq->layout) > 1 ||
           (b->rq->schedule->groups & RC_OVER_CP) != 0);
    assert(lane == RC_LANE_COMPUTE || lane == RC_LANE_COMM);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        rc_shape shape = *like;
        uint32_t ready = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
        if (bytes)
            shape.bytes = bytes(b, rc_rank_of(b, gpu));
        if (second)
            shape.a = (int64_t)second(b, rc_rank_of(b, gpu));
        shape.ranks = g.size;
        shape.members = s.size;
        shape.nodes = most_nodes(b, g, (int)gpu * folds, folds);
        shape.abreast = shape.nodes == 1 ? rc_groups_abreast(b, g.size) : 1;
        assert(shape.bytes >= 0.0);
        uint32_t id = rc_emit(b, gpu, lane, &shape);
        if (id != RC_TASK_NONE)
            b->p->tasks[id].group = b->p->groups + (uint32_t)number_of(s, (int)gpu);
        if (lane != RC_LANE_COMPUTE)
            rc_emit_dep(b, id, ready);
        b->mark[gpu] = id;
    }
    b->p->groups += b->p->gpus / (uint32_t)s.size;
}

void rc_emit_collective(rc_builder *b, rc_group g, rc_lane lane, rc_part part, const char *op,
                        rc_bytes_fn bytes) {
    rc_emit_collective_of_two(b, g, lane, part, op, bytes, NULL);
}

void rc_emit_collective_of_two(rc_builder *b, rc_group g, rc_lane lane, rc_part part,
                               const char *op, rc_bytes_fn bytes, rc_bytes_fn second) {
    rc_shape shape = rc_shape_of(RC_T_COLLECTIVE, part);
    shape.op = op;
    meet(b, g, lane, &shape, bytes, second);
}

void rc_emit_expert_transfer(rc_builder *b, rc_group g, const char *op, const rc_op_sizes *at) {
    rc_shape shape = rc_shape_of(RC_T_COLLECTIVE, RC_P_DISPATCH);
    shape.op = op;
    shape.a = at->a;
    shape.b = at->b;
    shape.experts = at->experts;
    shape.top_k = at->top_k;
    shape.bytes = at->element;
    meet(b, g, RC_LANE_COMPUTE, &shape, NULL, NULL);
}
