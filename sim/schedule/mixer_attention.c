/* Attention with grouped queries, behind a norm of the residual stream and before an all-reduce over
 * the TP group.
 *
 * Wq (D x Hq*Dh), Wk and Wv (D x Hkv*Dh), Wo (Hq*Dv x D) and, by architecture, biases, norms of q and
 * k, a gate on the output (as wide as it, projected with the queries), keys that are values as well,
 * queries through latents, an output through groups of latents. q and o are cut by query heads, k and
 * v by whole KV heads, of which every GPU holds at least one; norms and the biases that follow an
 * all-reduce are whole on every GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>

#include "sim/schedule/half.h"

rc_heads rc_grouped_heads(const rc_layer_kind *l, int tp) {
    assert(tp >= 1 && l->heads >= 1 && l->kv_heads >= 1);
    return (rc_heads){.query = l->heads / tp,
                      .kv = l->kv_heads >= tp ? l->kv_heads / tp : 1,
                      .key_size = l->head_dim,
                      .value_size = l->value_dim};
}

double rc_largest(const double *of, int count) {
    double most = 0.0;
    for (int i = 0; i < count; i++)
        most = fmax(most, of[i]);
    return most;
}

/* The widths that one GPU holds: of all its queries, keys and values, of what attention returns, and
 * of the gate on that. */
typedef struct widths {
    double q, k, v, o, gate;
} widths;

static widths widths_of(const rc_layer_kind *l, int tp) {
    const rc_heads h = rc_grouped_heads(l, tp);
    const double o = (double)h.query * h.value_size;
    return (widths){.q = (double)h.query * h.key_size,
                    .k = (double)h.kv * h.key_size,
                    .v = l->values_are_keys ? 0.0 : (double)h.kv * h.value_size,
                    .o = o,
                    .gate = l->output_gate ? o : 0.0};
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix *out) {
    const widths w = widths_of(l, tp);
    const double d = (double)m->hidden, rank = l->latent.q_rank;
    const double groups = (double)rc_ceil_div(l->latent.o_groups, tp) * l->latent.o_rank;
    int n = 0;
    if (rank > 0.0)
        out[n++] = (rc_matrix){.proj = RC_Q_DOWN, .rows = rank, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_Q, .rows = w.q, .columns = rank > 0.0 ? rank : d};
    if (w.gate > 0.0)
        out[n++] = (rc_matrix){.proj = RC_Q, .rows = w.gate, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_K, .rows = w.k, .columns = d};
    if (w.v > 0.0)
        out[n++] = (rc_matrix){.proj = RC_V, .rows = w.v, .columns = d};
    if (l->latent.o_rank > 0) {
        out[n++] = (rc_matrix){.proj = RC_O, .rows = l->latent.o_rank, .columns = w.o};
        out[n++] = (rc_matrix){.proj = RC_O, .rows = d, .columns = groups};
    } else {
        out[n++] = (rc_matrix){.proj = RC_O, .rows = d, .columns = w.o};
    }
    if (l->selection.heads > 0) {
        const double heads = l->selection.heads, dim = l->selection.dim;
        out[n++] =
            (rc_matrix){.proj = RC_INDEX, .rows = heads * dim, .columns = rank > 0.0 ? rank : d};
        out[n++] = (rc_matrix){.proj = RC_INDEX, .rows = dim + heads, .columns = d};
    }
    return n;
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    const widths w = widths_of(l, tp);
    double elements = l->latent.q_rank + (l->sinks ? (double)l->heads / tp : 0.0);
    if (l->qk_norm == RC_QK_NORM_HEAD)
        elements += 2.0 * l->head_dim;
    if (l->qk_norm == RC_QK_NORM_FULL)
        elements += w.q + w.k;
    if (l->attention_bias)
        elements += w.q + w.k + w.v;
    if (l->output_bias)
        elements += (double)m->hidden;
    return elements;
}

/* In turn: the normed input and q, k, v; these and the output; the output and the projection. */
static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const widths w = widths_of(l, cut->tp);
    const double d = (double)m->hidden, a = rc_dtype_bytes(cut->act);
    const double qkv = (w.q + w.k + w.v + w.gate) * a;
    const double stage[] = {d * a + qkv, qkv + w.o * a, w.o * a + d * a};
    return rc_largest(stage, sizeof stage / sizeof stage[0]);
}

/* Queries that come from latents: these with keys and values in one product, then the queries. */
static void through_latents(rc_builder *b, uint32_t gpu, int64_t t, int64_t keys, int64_t queries) {
    const rc_layout *l = &b->rq->layout;
    const int64_t rank = b->kind->latent.q_rank, d = b->rq->model->hidden;
    rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, rank + keys, d);
    rc_emit_elementwise(b, gpu, RC_P_NORM, "rmsnorm", t, rank);
    rc_emit_blocks(b, gpu, RC_P_NORM, l->attn_weights, t, rank);
    rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, queries, rank);
}

/* Queries of the indexer, from `width` elements of a token, and its keys and weights. */
static void index_of(rc_builder *b, uint32_t gpu, int64_t t, int64_t width) {
    const rc_selection *s = &b->kind->selection;
    const rc_dtype w = b->rq->layout.attn_weights;
    if (s->heads == 0)
        return;
    rc_emit_gemm(b, gpu, RC_P_INDEX, w, t, (int64_t)s->heads * s->dim, width);
    rc_emit_gemm(b, gpu, RC_P_INDEX, w, t, s->dim + s->heads, b->rq->model->hidden);
}

static void before(rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    const int64_t d = b->rq->model->hidden;
    const int64_t values = b->kind->values_are_keys ? 0 : b->value_size;
    const int64_t queries = (int64_t)b->hq * b->key_size;
    const int64_t keys = (int64_t)b->hkv * (b->key_size + values);
    const int64_t gate = b->kind->output_gate ? (int64_t)b->hq * b->value_size : 0;
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_input_norm(b, gpu, l->attn_weights, t);
        if (b->kind->latent.q_rank > 0)
            through_latents(b, gpu, t, keys, queries);
        else
            rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, queries + keys + gate, d);
        index_of(b, gpu, t, b->kind->latent.q_rank > 0 ? b->kind->latent.q_rank : d);
        rc_emit_elementwise(b, gpu, RC_P_ROTARY, l->kv == RC_FP8 ? "rotary_kv_fp8" : "rotary_kv", t,
                            queries + (int64_t)b->hkv * (b->key_size + b->value_size));
    }
}

static void after(rc_builder *b) {
    const rc_latent *x = &b->kind->latent;
    const int64_t width = (int64_t)b->hq * b->value_size;
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        if (b->kind->output_gate)
            rc_emit_elementwise(b, gpu, RC_P_OUT, "swiglu", t, width);
        if (x->o_rank > 0)
            rc_emit_gemm(b, gpu, RC_P_OUT, b->rq->layout.attn_weights, t, x->o_rank, width);
    }
    rc_emit_out(b, x->o_rank > 0 ? rc_ceil_div((int64_t)x->o_groups * x->o_rank, b->rq->layout.tp)
                                 : width);
}

const rc_half rc_mixer_attention = {.matrices = matrices,
                                    .vectors = vectors,
                                    .live_bytes = live_bytes,
                                    .before = before,
                                    .after = after};
