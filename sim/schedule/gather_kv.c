/* Cached keys and values are gathered before they are attended to: one collective more than pcp.c
 * has, whose cache each rank holds whole. What is sent grows with the cache, not with the queries.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/striped.h"

static double cached(const rc_builder *b, int rank) {
    int64_t tokens = 0;
    (void)rank;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        tokens += rc_shard_cached(b->rq->seqs[i].p, b->n, 0);
    return b->n * (double)tokens * rc_kv_token_bytes(b);
}

/* The queries of this rank over all cached tokens. */
static int calls_of(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    out[0] = (rc_call){rc_shard_tokens(s->t, b->n, rank), s->p, 0};
    return s->p > 0;
}

static void gather_kv(rc_builder *b) {
    if (b->n > 1 && b->cached) {
        rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather",
                           cached);
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            (void)rc_emit_attention_of(b, gpu, b->hq, b->hkv, calls_of);
    }
    rc_striped_new(b);
}

/* New keys and values as they come and in order; cached ones of all ranks, and the rank's two partial
 * outputs. */
static double buffers(const rc_buffer_terms *t) {
    double whole = t->cp * (2.0 * t->fresh + t->cached) * t->kv_token;
    return whole + (t->cached > 0.0 ? 2.0 * t->fresh * t->partial_token : 0.0);
}

const rc_schedule rc_schedule_gather_kv = {
    .name = "gather-kv",
    .summary = "new keys and values are gathered by one collective, cached ones, which lie on all "
               "ranks, by another",
    .phases = RC_PHASE_BIT(RC_PREFILL),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .cached_apart = true,
    .attention = gather_kv,
    .buffers = buffers,
};
