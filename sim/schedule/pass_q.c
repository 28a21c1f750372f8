/* Ring pass-Q prefill (paper Algorithm 3): KV stays, queries travel, and at the end an all-to-all
 * returns the N-1 foreign partial outputs and their LSE to the ranks that own the queries, on the
 * critical path. The same ring carries decode (decode.c): only the attention call differs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static uint32_t attend(rc_builder *b, uint32_t gpu, int here, int from) {
    if (b->rq->phase == RC_DECODE)
        return rc_emit_decode(b, gpu);
    return rc_emit_attention(b, gpu, from, here); /* travelling queries, own keys */
}

void rc_attention_pass_q(rc_builder *b) {
    int64_t tokens = rc_step_tokens(b);
    rc_emit_ring(
        b, (double)tokens * b->hq * b->rq->model->head_dim * rc_dtype_bytes(b->rq->layout.act),
        attend);
    if (b->n == 1)
        return;
    rc_emit_all2all(b, tokens);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t done = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM];
        rc_emit_merge(b, gpu, rc_rank_tokens(b, rc_rank_of(b, gpu)), b->n);
        rc_emit_dep(b, b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE], done);
    }
}
