/* What schedules over a ring of ranks share: N steps of attention with the message of the next step
 * beside it, a gather of what all ranks hold, and the all-to-alls that return foreign partial
 * outputs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/schedule/builder.h"

/* The messages of step b->step: each GPU to the rank `ahead` of its own. In step 0 it sends its own; later it
 * hands on what has arrived from the rank before. Where the receiver's buffer is used again, no
 * sooner than the receiver has done with it: with the attention that read it and with sending it
 * on. The messages are left in b->mark. */
static void send_on(rc_builder *b, int ahead, rc_lane lane, rc_part part, double bytes,
                    bool used_again) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t to = rc_next_gpu(b, gpu, ahead), from = rc_next_gpu(b, gpu, b->n - ahead);
        uint32_t ready = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
        uint32_t id = rc_emit_message(b, gpu, to, lane, part, bytes);
        rc_emit_dep(b, id, b->step == 0 ? ready : b->msg[from]);
        if (used_again) {
            rc_emit_dep(b, id, b->att[to]);
            rc_emit_dep(b, id, b->msg[to]);
        }
        b->mark[gpu] = id;
    }
}

/* The messages that were just sent are those of the step before. */
static void next_step(rc_builder *b) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        b->msg[gpu] = b->mark[gpu];
}

static double message_bytes(const rc_builder *b) {
    assert(b->rq->schedule->message != NULL);
    return b->rq->schedule->message(b);
}

/* Rings of every `ahead`-th rank, step by step. */
static void steps(rc_builder *b, int ahead, rc_lane lane, double bytes, rc_attend_fn attend) {
    const int last = b->n / ahead - 1;
    for (int j = 0; j <= last; j++) {
        b->step = (uint16_t)j;
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            rc_emit_ring_step(b, gpu, RC_HOST_EACH_STEP);
        if (j < last)
            send_on(b, ahead, lane, RC_P_SENDRECV, bytes, true);
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
            int here = rc_rank_of(b, gpu), from = (here - j * ahead + b->n) % b->n;
            uint32_t first = b->at, id = attend(b, gpu, here, from);
            if (j > 0)
                rc_emit_dep(b, first, b->msg[rc_next_gpu(b, gpu, b->n - ahead)]);
            if (b->rq->messages_wait && j < last)
                rc_emit_dep(b, b->mark[gpu], id); /* decode's too, which is behind the prompts' */
            b->att[gpu] = id;
        }
        next_step(b);
    }
    b->step = 0;
}

void rc_emit_rings(rc_builder *b, int stride, rc_attend_fn attend) {
    rc_lane lane = b->rq->serial_ring ? RC_LANE_COMPUTE : RC_LANE_COMM;
    assert(stride >= 1 && b->n % stride == 0);
    steps(b, stride, lane, message_bytes(b), attend);
}

void rc_emit_ring(rc_builder *b, rc_attend_fn attend) {
    rc_lane lane = b->rq->serial_ring ? RC_LANE_COMPUTE : RC_LANE_COMM;
    assert(!(b->rq->messages_wait && b->rq->serial_ring));
    double bytes = message_bytes(b);
    if (b->rq->as_template && b->n > 1)
        rc_block_ring(b, bytes, attend);
    else
        steps(b, 1, lane, bytes, attend);
}

void rc_emit_gather(rc_builder *b) {
    double bytes = message_bytes(b);
    if (b->rq->as_template && b->n > 1) {
        rc_block_gather(b, bytes);
        return;
    }
    for (int j = 0; j < b->n - 1; j++) {
        b->step = (uint16_t)j;
        send_on(b, 1, RC_LANE_COMM, RC_P_ALL_GATHER, bytes, j == 0);
        next_step(b);
    }
    b->step = 0;
}

/* One all-to-all: every GPU opens it when it has something to send, N-1 messages leave it at once,
 * and it closes when all its messages, out and in, have arrived. */
static void exchange(rc_builder *b, double bytes_per_peer) {
    rc_program *p = b->p;
    rc_shape mark = rc_shape_of(RC_T_MARK, RC_P_ALL2ALL);
    for (uint32_t gpu = 0; gpu < p->gpus; gpu++) {
        uint32_t compute = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
        b->mark[gpu] = rc_emit(b, gpu, RC_LANE_COMM, &mark);
        rc_emit_dep(b, b->mark[gpu], compute);
    }
    if (b->rq->as_template) {
        rc_block_exchange(b, bytes_per_peer);
        return;
    }
    uint32_t first = b->at;
    for (uint32_t gpu = 0; gpu < p->gpus; gpu++) {
        for (int d = 1; d < b->n; d++) {
            uint32_t peer = rc_next_gpu(b, gpu, d);
            uint32_t id = rc_emit_message(b, gpu, peer, RC_LANE_NONE, RC_P_ALL2ALL, bytes_per_peer);
            rc_emit_dep(b, id, b->mark[gpu]);
            rc_emit_dep(b, id, b->mark[peer]);
        }
    }
    uint32_t end = b->at;
    uint32_t close0 = end;
    for (uint32_t gpu = 0; gpu < p->gpus; gpu++) /* the end of the same NCCL call: no launch */
        b->mark[gpu] = rc_emit(b, gpu, RC_LANE_NONE, &mark);
    for (uint32_t id = first; id < end && !p->failed && !b->refill; id++) {
        rc_emit_dep(b, close0 + p->tasks[id].gpu, id);
        rc_emit_dep(b, close0 + p->tasks[id].peer, id);
    }
    for (uint32_t gpu = 0; gpu < p->gpus; gpu++)
        b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM] = b->mark[gpu];
}

/* Bytes of one token's log-sum-exps, of all heads of a GPU; of its partial outputs with them. */
static double sums_bytes(const rc_builder *b) {
    return b->hq * rc_dtype_bytes(RC_FP32);
}

static double partial_bytes(const rc_builder *b) {
    return b->hq * b->value_size * rc_dtype_bytes(b->rq->layout.act) + sums_bytes(b);
}

static double sums_decoded(const rc_builder *b, int rank) {
    (void)rank;
    return b->n * (double)rc_decode_tokens(b) * sums_bytes(b);
}

static double sums_all(const rc_builder *b, int rank) {
    (void)rank;
    return b->n * (double)rc_step_tokens(b) * sums_bytes(b);
}

static double returned_decoded(const rc_builder *b, int rank) {
    (void)rank;
    return b->n * (double)rc_decode_tokens(b) * partial_bytes(b);
}

static double returned_all(const rc_builder *b, int rank) {
    return returned_decoded(b, rank) +
           b->n * (double)rc_prompt_tokens(b) * (rc_sent_output_bytes(b) + sums_bytes(b));
}

/* Inside a node outputs and log-sum-exps go in one NCCL group, which is one kernel. */
static void exchange_in_node(rc_builder *b, int64_t tokens) {
    bool all = tokens == rc_step_tokens(b);
    rc_emit_collective_of_two(b, rc_group_cp(b), RC_LANE_COMM, RC_P_ALL2ALL, "all_to_all",
                              all ? returned_all : returned_decoded, all ? sums_all : sums_decoded);
}

void rc_emit_all2all(rc_builder *b, int64_t tokens) {
    const double rows = (double)tokens * b->hq, decoded = (double)rc_decode_tokens(b);
    const double outputs = b->hq * b->value_size * rc_dtype_bytes(b->rq->layout.act);
    if (rc_one_node(b->rq)) {
        exchange_in_node(b, tokens);
        return;
    }
    exchange(b, decoded * outputs + ((double)tokens - decoded) * rc_sent_output_bytes(b));
    /* The second exchange must also wait for the first on its own GPU: the marks are off-lane. */
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        b->msg[gpu] = b->mark[gpu];
    uint32_t before = b->at;
    exchange(b, rows * rc_dtype_bytes(RC_FP32));
    for (uint32_t id = before; id < b->at && !b->p->failed && !b->refill; id++) {
        const rc_task *t = &b->p->tasks[id];
        if (t->lane == RC_LANE_COMM)
            rc_emit_dep(b, id, b->msg[t->gpu]);
    }
}

void rc_emit_return(rc_builder *b, int64_t tokens) {
    const bool packed = tokens == rc_step_tokens(b) && rc_packs(b);
    const int64_t others = packed ? (b->n - 1) * rc_prompt_tokens(b) : 0;
    const int64_t width = (int64_t)b->hq * b->value_size;
    if (packed)
        rc_emit_packing(b, b->rq->layout.ring_wire, others, width);
    rc_emit_all2all(b, tokens);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t done = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM], first = b->at;
        if (packed)
            rc_emit_unpacking(b, gpu, b->rq->layout.ring_wire, others, width);
        rc_emit_merge(b, gpu, rc_rank_tokens(b, rc_rank_of(b, gpu)), b->n);
        rc_emit_dep(b, first, done);
    }
}
