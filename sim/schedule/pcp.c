/* Prefill context parallelism as engines ship it (vLLM's prefill context parallelism, SGLang's
 * zigzag strategy): every rank keeps the whole KV cache, so nothing that is cached travels and no
 * memory is saved.
 *
 * A rank has chunks i and 2N-1-i of the new tokens. In each layer one all-gather, which nothing runs
 * beside, gives every rank the new keys and values of all; they come rank by rank and are put in the
 * order of the sequence, then into the cache. Each of the two chunks is an attention launch over
 * everything before its end. No merge.
 *
 * Sequences that decode do so on every rank, each for itself, as without other ranks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/pcp.h"

/* New keys and values of all ranks. */
static double gathered(const rc_builder *b, int rank) {
    (void)rank;
    return b->n * (double)rc_prompt_tokens(b) * rc_kv_token_bytes(b);
}

/* One chunk over everything before its end. */
static int call_of(const rc_builder *b, int chunk, const rc_sequence *s, rc_call out[RC_CALLS]) {
    return rc_chunk_call(b, chunk, s, b->rq->schedule->cached_apart ? 0 : s->p, out);
}

static int first_chunk(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    return call_of(b, rank, s, out);
}

static int second_chunk(const rc_builder *b, int rank, const rc_sequence *s,
                        rc_call out[RC_CALLS]) {
    return call_of(b, 2 * b->n - 1 - rank, s, out);
}

void rc_pcp_new(rc_builder *b) {
    bool striped = b->rq->schedule->kv_ranks == NULL; /* a rank keeps its part, else all */
    const double all = gathered(b, 0);
    rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather", gathered);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        rc_emit_copy(b, gpu, RC_P_ALL_GATHER, all); /* in order */
        rc_emit_copy(b, gpu, RC_P_ALL_GATHER, striped ? all / b->n : all);
        (void)rc_emit_attention_of(b, gpu, b->hq, b->hkv, first_chunk);
        (void)rc_emit_attention_of(b, gpu, b->hq, b->hkv, second_chunk);
    }
}

static void pcp(rc_builder *b) {
    if (b->n > 1 && rc_prefills(b))
        rc_pcp_new(b);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        if (b->n == 1)
            (void)rc_emit_attention(b, gpu, 0, 0);
        else if (b->decodes > 0)
            (void)rc_emit_decode_of(b, gpu, b->hq, b->hkv, rc_decode_tokens(b), 1);
}

/* What was gathered, and the same in order. */
static double buffers(const rc_buffer_terms *t) {
    return 2.0 * t->cp * t->fresh * t->kv_token;
}

static int kv_ranks(int kv_heads, const rc_layout *l) {
    (void)kv_heads, (void)l;
    return 1;
}

const rc_schedule rc_schedule_pcp = {
    .name = "pcp",
    .summary = "prefill as engines ship it: one all-gather of new keys and values, the whole cache "
               "on every rank",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE) | RC_PHASE_BIT(RC_MIXED),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .decodes_everywhere = true,
    .ships = RC_SHIPS_VLLM | RC_SHIPS_SGLANG,
    .attention = pcp,
    .buffers = buffers,
    .kv_ranks = kv_ranks,
};
