/* Attention of sequences that prefill: one fused launch over the calls of all of them. Which calls
 * these are is the schedule's: those by which queries of one rank see keys of another, or its own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/schedule/builder.h"

static rc_shape attention_shape(const rc_builder *b, int hq, int hkv) {
    rc_shape s = rc_shape_of(RC_T_ATTENTION, RC_P_ATTENTION);
    s.dtype = b->rq->layout.kv == RC_INT4 ? RC_BF16 : b->rq->layout.kv; /* unpacked first */
    s.hq = hq;
    s.hkv = hkv;
    s.key_size = b->key_size;
    s.value_size = b->value_size;
    s.window = b->window;
    if (b->latent) {
        s.op = b->absorbed ? "mla_absorbed" : "mla_prefill";
        s.dtype = b->absorbed ? s.dtype : RC_BF16; /* what it makes of latents */
    }
    s.stand_in = b->rq->stand_in;
    s.first_call = (uint32_t)b->p->call_count;
    return s;
}

/* The launch makes keys and values of so many latents first. */
static void materialise(const rc_builder *b, rc_shape *s, int64_t keys) {
    if (!b->latent || b->absorbed || keys == 0)
        return;
    s->a = keys;
    s->b = (int64_t)b->hq * (b->key_size - b->kind->latent.rope + b->value_size);
    s->c = b->kind->latent.kv_rank;
}

static int64_t longest(int64_t keys, const rc_call *calls, int count) {
    for (int c = 0; c < count; c++)
        keys = calls[c].tk > keys ? calls[c].tk : keys;
    return keys;
}

static int calls_of_ranks(const rc_builder *b, const rc_sequence *x, int q, int s, rc_call out[2]) {
    return b->rq->stripes ? rc_stripe_calls(x->t, x->p, b->n, q, s, out)
                          : rc_shard_calls(x->t, x->p, b->n, q, s, out);
}

static uint32_t emit_pair(rc_builder *b, uint32_t gpu, int q, int s) {
    uint32_t *known = rc_pair_shape(b, q, s);
    if (known && *known != RC_TASK_NONE) {
        rc_note_shape(b, *known);
        return RC_TASK_NONE;
    }
    rc_shape shape = attention_shape(b, b->hq, b->hkv);
    /* Keys and values of a rank's own latents are made once, with its own queries, and own keys that
     * are kept packed are unpacked once. */
    int64_t made = 0, cached = 0, queries = 0;
    const bool again = q != s && rc_rank_of(b, gpu) == s;
    for (size_t i = 0; i < b->prompts_end; i++) {
        rc_call calls[2];
        if (rc_decodes(b, i))
            continue;
        int count = calls_of_ranks(b, &b->rq->seqs[i], q, s, calls);
        made += again ? 0 : longest(0, calls, count);
        cached += rc_shard_cached(b->rq->seqs[i].p, b->n, s);
        queries += again ? rc_shard_tokens(b->rq->seqs[i].t, b->n, q) : 0;
        for (int c = 0; c < count; c++)
            rc_add_call(b, &shape, &calls[c]);
    }
    materialise(b, &shape, made);
    if (q == s)
        rc_unpack_kept(b, &shape, cached);
    else
        rc_unpack_received(b, &shape, made, queries);
    uint32_t id = rc_emit(b, gpu, RC_LANE_COMPUTE, &shape);
    if (known)
        *known = b->noted[b->notes - 1];
    return id;
}

uint32_t rc_emit_attention(rc_builder *b, uint32_t gpu, int q, int s) {
    if (!rc_prefills(b))
        return rc_emit_decode(b, gpu);
    uint32_t id = emit_pair(b, gpu, q, s);
    return b->decodes > 0 ? rc_emit_decode(b, gpu) : id;
}

uint32_t rc_emit_attention_between(rc_builder *b, uint32_t gpu, int q, int s, int parts, int hq,
                                   int hkv) {
    rc_shape shape = attention_shape(b, hq, hkv);
    int64_t keys = 0;
    assert(hq >= 1 && hkv >= 1 && parts >= 1);
    for (size_t i = 0; i < b->prompts_end; i++) {
        rc_call calls[2];
        if (rc_decodes(b, i))
            continue;
        int count = rc_shard_calls(b->rq->seqs[i].t, b->rq->seqs[i].p, parts, q, s, calls);
        keys += q == s ? rc_shard_cached(b->rq->seqs[i].p, parts, s) : longest(0, calls, count);
        for (int c = 0; c < count; c++)
            rc_add_call(b, &shape, &calls[c]);
    }
    rc_unpack_kept(b, &shape, keys);
    return rc_emit(b, gpu, RC_LANE_COMPUTE, &shape);
}

int rc_chunk_call(const rc_builder *b, int chunk, const rc_sequence *s, int64_t cached,
                  rc_call *out) {
    int64_t tq = rc_shard_chunk(s->t, b->n, chunk);
    *out = (rc_call){tq, cached + rc_shard_chunk_start(s->t, b->n, chunk) + tq, 1};
    return tq > 0;
}

int rc_both_chunks(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    int count = rc_chunk_call(b, rank, s, s->p, out);
    return count + rc_chunk_call(b, 2 * b->n - 1 - rank, s, s->p, out + count);
}

/* Keys that a rank has not just made itself, of those that the calls of one sequence see. */
static int64_t others(const rc_builder *b, int rank, const rc_sequence *s, const rc_call *calls,
                      int count) {
    int64_t keys = longest(0, calls, count), own = 0;
    for (int c = 0; c < count; c++)
        own = calls[c].causal ? rc_shard_tokens(s->t, b->n, rank) : own;
    return keys > own ? keys - own : 0;
}

uint32_t rc_emit_attention_of(rc_builder *b, uint32_t gpu, int hq, int hkv, rc_calls_fn calls_of) {
    assert(hq >= 1 && hkv >= 1);
    b->pairs.apart = true;
    rc_shape shape = attention_shape(b, hq, hkv);
    int64_t made = 0, kept = 0;
    for (size_t i = 0; i < b->prompts_end; i++) {
        rc_call calls[RC_CALLS];
        if (rc_decodes(b, i))
            continue;
        int count = calls_of(b, rc_rank_of(b, gpu), &b->rq->seqs[i], calls);
        assert(count >= 0 && count <= RC_CALLS);
        made += longest(0, calls, count);
        kept += others(b, rc_rank_of(b, gpu), &b->rq->seqs[i], calls, count);
        for (int c = 0; c < count; c++)
            rc_add_call(b, &shape, &calls[c]);
    }
    materialise(b, &shape, made);
    rc_unpack_kept(b, &shape, kept);
    return rc_emit(b, gpu, RC_LANE_COMPUTE, &shape);
}
