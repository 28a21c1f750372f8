/* All-gather pass-KV: gather every rank's KV first (a copy of its own to its place, then a ring of
 * N-1 messages with no attention beside it), then one attention over the whole sequence. Each of a
 * rank's two chunks sees the cached tokens and all new tokens up to its own end: two bottom-right
 * causal calls a sequence. No merge.
 * The gathered KV is kept for one layer: the next one's messages wait until the receiver has
 * attended to it and handed it on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static double message(const rc_builder *b) {
    return (double)rc_kv_message_tokens(b) * rc_kv_token_bytes(b);
}

/* The keys and values of a rank lie where it made them: cached ones and those of both chunks apart,
 * and keys apart from values. Each piece is sent from where it belongs in the whole. */
static void pieces(const rc_builder *b, rc_shape *s) {
    const double row = rc_kv_token_bytes(b) / 2.0; /* of keys, and as much of values */
    double cached = 0.0, first = 0.0, second = 0.0;
    for (size_t i = 0; i < b->rq->seq_count; i++) {
        cached += (double)rc_shard_cached(b->rq->seqs[i].p, b->n, 0);
        first += (double)rc_shard_first(b->rq->seqs[i].t, b->n, 0);
        second += (double)rc_shard_second(b->rq->seqs[i].t, b->n, 0);
    }
    s->a = (int64_t)(cached * row);
    s->b = (int64_t)(first * row);
    s->c = (int64_t)(second * row);
}

/* Each GPU copies its own to their places in the whole. */
static void place_own(rc_builder *b) {
    rc_shape s = rc_shape_of(RC_T_COPY, RC_P_ALL_GATHER);
    pieces(b, &s);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t ready = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
        rc_emit_dep(b, rc_emit(b, gpu, RC_LANE_COMM, &s), ready);
    }
}

static void all_gather_kv(rc_builder *b) {
    if (b->n > 1)
        place_own(b);
    rc_emit_gather(b);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        uint32_t id = rc_emit_attention_of(b, gpu, b->hq, b->hkv, rc_both_chunks);
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
    .timed = true,
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .host = RC_HOST_ONCE,
    .attention = all_gather_kv,
    .message = message,
    .pieces = pieces,
    .buffers = buffers,
};
