/* All-gather pass-KV: gather every rank's KV first (a ring of N-1 messages with no attention beside
 * it), then one attention over the whole sequence. Each of a rank's two chunks sees the cached
 * tokens and all new tokens up to its own end: two bottom-right causal calls a sequence. No merge.
 * The gathered KV is kept for one layer: the next one's messages wait until the receiver has
 * attended to it and handed it on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static double message(const rc_builder *b) {
    return (double)rc_kv_message_tokens(b) * rc_kv_token_bytes(b);
}

/* Both chunks of the rank over everything before their ends. */
static int calls_of(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    const int chunks[2] = {rank, 2 * b->n - 1 - rank};
    int count = 0;
    for (int c = 0; c < 2; c++) {
        int64_t tq = rc_shard_chunk(s->t, b->n, chunks[c]);
        if (tq > 0)
            out[count++] =
                (rc_call){tq, s->p + rc_shard_chunk_start(s->t, b->n, chunks[c]) + tq, 1};
    }
    return count;
}

static void all_gather_kv(rc_builder *b) {
    rc_emit_gather(b);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t id = rc_emit_attention_of(b, gpu, b->hq, b->hkv, calls_of);
        b->att[gpu] = id;
        if (b->n > 1)
            rc_emit_dep(b, id, b->msg[rc_next_gpu(b, gpu, b->n - 1)]);
    }
}

/* The keys and values of all ranks. */
static double buffers(const rc_buffer_terms *t) {
    return t->cp * (t->cached + t->fresh) * t->kv_token;
}

const rc_schedule rc_schedule_all_gather_kv = {
    .name = "all-gather-kv",
    .summary = "every rank gathers all keys and values, then attends to them at once",
    .phases = RC_PHASE_BIT(RC_PREFILL),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .host = RC_HOST_ONCE,
    .attention = all_gather_kv,
    .message = message,
    .buffers = buffers,
};
