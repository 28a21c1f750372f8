/* Sequence parallelism by heads (DeepSpeed-Ulysses, Arctic's shift parallelism): between the
 * projections a rank has a part of the tokens, in attention all tokens and a part of the heads.
 *
 * One all-to-all swaps tokens for heads of queries, keys and values, another swaps the outputs back.
 * KV heads that are fewer than the ranks are sent to several of them. A rank keeps the KV of its
 * heads, of all tokens: the layout of a TP group of all these GPUs, so that what is cached is where
 * it is needed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

/* Ranks that hold different KV heads. */
static int apart_of(int kv_heads, int cp) {
    return kv_heads < cp ? kv_heads : cp;
}

static int kv_ranks(int kv_heads, const rc_layout *l) {
    return apart_of(kv_heads, l->cp);
}

static rc_status check(const rc_model *m, const rc_layout *l, rc_error *err) {
    for (int k = 0; k < m->kinds; k++) {
        if (m->kind[k].mixer == RC_MIX_LATENT)
            return rc_fail(err, RC_E_INPUT,
                           "ulysses cuts keys and values by heads, and the latents of %s have none",
                           m->name);
        const rc_heads h = rc_layer_form_of(&m->kind[k])->heads(&m->kind[k], l->tp);
        int apart = h.kv > 0 ? apart_of(h.kv, l->cp) : 1;
        if (h.query % l->cp != 0 || l->cp % apart != 0 || h.kv % apart != 0)
            return rc_fail(
                err, RC_E_INPUT,
                "ulysses cuts the heads of a GPU, %d and %d of KV, over the ranks: cp %d "
                "does not divide them",
                h.query, h.kv, l->cp);
    }
    return RC_OK;
}

/* Queries, keys and values of a rank's tokens, for all ranks. */
static double heads_bytes(const rc_builder *b, int rank) {
    double copies = b->hkv < b->n ? (double)b->n / b->hkv : 1.0;
    (void)rank;
    return (double)rc_step_tokens(b) * (rc_q_token_bytes(b) + copies * rc_kv_token_bytes(b));
}

static double output_bytes(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_step_tokens(b) * b->hq * b->value_size * rc_dtype_bytes(b->rq->layout.act);
}

static int whole(const rc_builder *b, int rank, const rc_sequence *s, rc_call out[RC_CALLS]) {
    (void)b, (void)rank;
    out[0] = (rc_call){s->t, s->p + s->t, 1};
    return 1;
}

static void exchange(rc_builder *b, rc_bytes_fn bytes) {
    if (b->n > 1)
        rc_emit_collective(b, rc_group_cp(b), RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", bytes);
}

static void ulysses(rc_builder *b) {
    int hq = (int)rc_ceil_div(b->hq, b->n), hkv = b->hkv / apart_of(b->hkv, b->n);
    exchange(b, heads_bytes);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        if (rc_prefills(b))
            (void)rc_emit_attention_of(b, gpu, hq, hkv, whole);
        if (b->decodes > 0)
            (void)rc_emit_decode_of(b, gpu, hq, hkv, b->n * rc_decode_tokens(b), 1);
    }
    exchange(b, output_bytes);
}

/* Queries and outputs, and keys and values with their copies, as they are sent and as they come. */
static double buffers(const rc_buffer_terms *t) {
    double copies = t->kv_heads < t->cp ? (double)t->cp / t->kv_heads : 1.0;
    return 2.0 * t->fresh * (2.0 * t->q_token + copies * t->kv_token);
}

const rc_schedule rc_schedule_ulysses = {
    .name = "ulysses",
    .summary = "all-to-alls swap tokens for heads: a rank attends with a part of the heads to all "
               "tokens",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE) | RC_PHASE_BIT(RC_MIXED),
    .many_ranks = true,
    .groups = RC_OVER_CP,
    .check = check,
    .attention = ulysses,
    .buffers = buffers,
    .kv_ranks = kv_ranks,
};
