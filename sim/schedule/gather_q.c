/* Queries are gathered for the cached tokens: each rank attends with all queries to what it holds,
 * log-sum-exps are gathered, and a reduce-scatter adds the scaled partial outputs up and leaves each
 * rank those of its own tokens. What is sent does not grow with the cache.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/striped.h"

static double queries(const rc_builder *b, int rank) {
    (void)rank;
    return b->n * (double)rc_striped_rows(b) * rc_q_token_bytes(b);
}

/* An fp32 log-sum-exp for each query and head, of every rank. */
static double sums(const rc_builder *b, int rank) {
    (void)rank;
    return (double)b->n * b->n * (double)rc_striped_rows(b) * b->hq * rc_dtype_bytes(RC_FP32);
}

static double partials(const rc_builder *b, int rank) {
    (void)rank;
    return b->n * (double)rc_striped_rows(b) * b->hq * b->value_size *
           rc_dtype_bytes(b->rq->layout.act);
}

/* All queries over the cached tokens of this rank. */
static int calls_of(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    out[0] = (rc_call){s->t, rc_shard_cached(s->p, b->n, rank), 0};
    return out[0].tk > 0;
}

static void gather_q(rc_builder *b) {
    const rc_group cp = rc_group_cp(b);
    if (b->n > 1 && b->cached) {
        rc_emit_collective(b, cp, RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather", queries);
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            (void)rc_emit_attention_of(b, gpu, b->hq, b->hkv, calls_of);
        rc_emit_collective(b, cp, RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather", sums);
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            rc_emit_copy(b, gpu, RC_P_MERGE, partials(b, 0)); /* scaled in place */
        rc_emit_collective(b, cp, RC_LANE_COMPUTE, RC_P_REDUCE_SCATTER, "reduce_scatter", partials);
    }
    rc_striped_new(b);
}

/* New keys and values as they come and in order; all queries, their partial outputs, and those of the
 * rank's own tokens twice. */
static double buffers(const rc_buffer_terms *t) {
    double all = t->cp * t->fresh;
    return 2.0 * all * t->kv_token + (t->cached > 0.0 ? all * (t->q_token + t->partial_token) +
                                                            2.0 * t->fresh * t->partial_token
                                                      : 0.0);
}

const rc_schedule rc_schedule_gather_q = {
    .name = "gather-q",
    .summary =
        "new keys and values are gathered; for cached ones, which lie on all ranks, queries are",
    .phases = RC_PHASE_BIT(RC_PREFILL),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .cached_apart = true,
    .attention = gather_q,
    .buffers = buffers,
};
