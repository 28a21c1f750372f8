/* Ring pass-Q prefill (paper Algorithm 3): KV stays, queries travel, and at the end an all-to-all
 * returns the N-1 foreign partial outputs and their LSE to the ranks that own the queries, on the
 * critical path. The same ring carries decode (split_kv.c): only the attention call differs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static uint32_t attend(rc_builder *b, uint32_t gpu, int here, int from) {
    return rc_emit_attention(b, gpu, from, here); /* travelling queries, own keys */
}

/* Queries of all sequences, padded to those of the largest rank. */
static double message(const rc_builder *b) {
    return (double)rc_prompt_tokens(b) * rc_sent_q_bytes(b) +
           (double)rc_decode_tokens(b) * rc_q_token_bytes(b);
}

static void pass_q(rc_builder *b) {
    if (rc_packs_queries(b))
        rc_emit_packing(b, b->rq->layout.ring_wire, rc_prompt_tokens(b),
                        (int64_t)b->hq * b->key_size);
    rc_emit_ring(b, attend);
    if (b->n > 1)
        rc_emit_return(b, rc_step_tokens(b));
}

/* Two messages, one arriving and one being sent; the partial outputs that were computed for others,
 * and those that come back from them. */
static double buffers(const rc_buffer_terms *t) {
    return 2.0 * t->fresh * t->q_token + 2.0 * t->cp * t->fresh * t->partial_token;
}

const rc_schedule rc_schedule_pass_q = {
    .name = "pass-q",
    .summary = "ring: queries travel, keys and values stay",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE) | RC_PHASE_BIT(RC_MIXED),
    .packs = true,
    .timed = true,
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .host = RC_HOST_EACH_STEP,
    .returns = true,
    .ring_step_seen = true,
    .attention = pass_q,
    .message = message,
    .buffers = buffers,
};
