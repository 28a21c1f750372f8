/* Ring pass-Q prefill (paper Algorithm 3): KV stays, queries travel, and at the end an all-to-all
 * returns the N-1 foreign partial outputs and their LSE to the ranks that own the queries, on the
 * critical path. The same ring carries decode (decode.c): only the attention call differs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static uint32_t attend(rc_builder *b, uint32_t gpu, int here, int from) {
    return rc_emit_attention(b, gpu, from, here); /* travelling queries, own keys */
}

void rc_attention_pass_q(rc_builder *b) {
    int64_t tokens = rc_step_tokens(b);
    rc_emit_ring(b, (double)tokens * rc_q_token_bytes(b), attend);
    if (b->n > 1)
        rc_emit_return(b, tokens);
}
