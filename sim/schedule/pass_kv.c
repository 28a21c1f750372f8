/* Ring pass-KV prefill (paper Algorithm 2): queries stay, KV travels.
 *
 * In step j rank k attends to the KV of rank (k - j) mod N while it hands that KV on to rank k+1.
 * The two message buffers are used in turn, so a message may not start before the receiver has
 * finished the attention and the message that read the buffer it overwrites, which are those of the
 * step before. The merge of the N partial outputs is local.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static uint32_t attend(rc_builder *b, uint32_t gpu, int here, int from) {
    return rc_emit_attention(b, gpu, here, from); /* own queries, travelling keys */
}

/* Keys and values of all sequences, padded to those of the largest rank, and the queries of those
 * that decode, which travel as well. */
static double message(const rc_builder *b) {
    return (double)rc_kv_message_tokens(b) * rc_sent_kv_bytes(b) +
           (double)rc_decode_tokens(b) * rc_q_token_bytes(b);
}

/* Keys, then values, into one message. */
static void copy_pages(rc_builder *b) {
    const double bytes = (double)rc_kv_message_tokens(b) * rc_kv_token_bytes(b);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        for (int i = 0; i < 2; i++)
            rc_emit_copy(b, gpu, RC_P_QUANTISE, bytes / 2.0);
}

static void pass_kv(rc_builder *b) {
    if (b->rq->copies_pages && b->n > 1 && rc_prefills(b))
        copy_pages(b);
    if (rc_packs_keys(b))
        rc_emit_packing(b, b->rq->layout.ring_wire, rc_kv_message_tokens(b), rc_kv_elements(b));
    rc_emit_ring(b, attend);
    if (b->n > 1 && b->decodes > 0)
        rc_emit_return(b, rc_decode_tokens(b));
    else if (b->n > 1)
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            rc_emit_merge(b, gpu, rc_rank_tokens(b, rc_rank_of(b, gpu)), b->n);
}

/* Two messages, one arriving and one being sent, and the partial output of every step. */
static double buffers(const rc_buffer_terms *t) {
    return 2.0 * (t->cached + t->fresh) * t->kv_token + t->cp * t->fresh * t->partial_token;
}

const rc_schedule rc_schedule_pass_kv = {
    .name = "pass-kv",
    .summary = "ring: keys and values travel, queries stay",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_MIXED),
    .packs = true,
    .timed = true,
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .host = RC_HOST_EACH_STEP,
    .ring_step_seen = true,
    .attention = pass_kv,
    .message = message,
    .buffers = buffers,
};
