/* Ring pass-Q prefill (paper Algorithm 3): KV stays, queries travel, and at the end an all-to-all
 * returns the N-1 foreign partial outputs and their LSE to the ranks that own the queries, on the
 * critical path. The same ring carries decode (decode.c): only the attention call differs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

void rc_attention_pass_q(rc_builder *b) {
    int64_t tokens = rc_step_tokens(b);
    double bytes =
        (double)tokens * b->hq * b->rq->model->head_dim * rc_dtype_bytes(b->rq->layout.act);
    for (int j = 0; j < b->n; j++) {
        b->step = (uint16_t)j;
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            rc_emit_ring_step(b, gpu);
        if (j < b->n - 1)
            rc_emit_ring_messages(b, bytes);
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
            int k = rc_rank_of(b, gpu), s = (k - j + b->n) % b->n;
            uint32_t id = b->rq->phase == RC_DECODE ? rc_emit_decode(b, gpu)
                                                    : rc_emit_attention(b, gpu, s, k);
            if (j > 0)
                rc_emit_dep(b, id, b->msg[rc_next_gpu(b, gpu, b->n - 1)]);
            b->att[gpu] = id;
        }
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            b->msg[gpu] = b->mark[gpu];
    }
    b->step = 0;
    if (b->n == 1)
        return;
    rc_emit_all2all(b, tokens);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t done = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM];
        rc_emit_merge(b, gpu, rc_rank_tokens(b, rc_rank_of(b, gpu)), b->n);
        rc_emit_dep(b, b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE], done);
    }
}
