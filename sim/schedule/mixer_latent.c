/* Attention on latents (MLA), behind a norm of the residual stream and before an all-reduce over the
 * TP group.
 *
 * A token leaves one latent of `kv_rank` elements and one rotary key, whole on every GPU of a TP
 * group. Queries come through latents of their own or not. Keys and values of all heads are made from
 * latents (materialised: one product over all keys, whose work attention counts for its launch), or
 * the products that make them are applied to the queries and to the output (absorbed: two products a
 * head over the queries, and one stream of latents for all heads). Queries and the output are cut by
 * heads.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/half.h"

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix *out) {
    const double d = (double)m->hidden, rank = l->latent.q_rank, kv = l->latent.kv_rank;
    const double heads = (double)l->heads / tp, nope = l->head_dim - l->latent.rope;
    const double from = rank > 0.0 ? rank : d;
    int n = 0;
    if (rank > 0.0)
        out[n++] = (rc_matrix){.proj = RC_Q_DOWN, .rows = rank, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_Q, .rows = heads * l->head_dim, .columns = from};
    if (l->output_gate)
        out[n++] = (rc_matrix){.proj = RC_Q, .rows = heads * l->value_dim, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_KV_DOWN, .rows = kv + l->latent.rope, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_KV_UP, .rows = heads * (nope + l->value_dim), .columns = kv};
    out[n++] = (rc_matrix){.proj = RC_O, .rows = d, .columns = heads * l->value_dim};
    if (l->selection.heads > 0) {
        const double index = l->selection.heads, dim = l->selection.dim;
        out[n++] = (rc_matrix){.proj = RC_INDEX, .rows = index * dim, .columns = from};
        out[n++] = (rc_matrix){.proj = RC_INDEX, .rows = dim + index, .columns = d};
    }
    return n;
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    (void)m, (void)tp;
    return l->latent.q_rank + l->latent.kv_rank;
}

/* The normed input, latents, queries and output in latents where they are absorbed, which is the
 * larger form. */
static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const double d = (double)m->hidden, a = rc_dtype_bytes(cut->act);
    const double heads = (double)l->heads / cut->tp;
    const double latents = l->latent.q_rank + l->latent.kv_rank + l->latent.rope;
    const double own = heads * l->head_dim + latents, made = heads * (l->head_dim + l->value_dim);
    const double stage[] = {a * (d + own), a * (own + made + heads * l->value_dim),
                            a * (heads * l->value_dim + d)};
    return rc_largest(stage, sizeof stage / sizeof stage[0]);
}

/* Products that make keys or values, on the tokens whose queries are absorbed. */
static void absorb(rc_builder *b, uint32_t gpu, rc_part part, int64_t outputs, int64_t inputs) {
    const int64_t t = rc_absorbed_tokens(b, rc_rank_of(b, gpu));
    const rc_op_sizes at = {.a = t, .b = outputs, .c = inputs, .d = b->hq};
    if (t > 0)
        rc_emit_op(b, gpu, part, "mla_bmm", RC_BF16, &at);
}

static void index_queries(rc_builder *b, uint32_t gpu, int64_t t, int64_t from) {
    const rc_selection *s = &b->kind->selection;
    const rc_dtype w = b->rq->layout.attn_weights;
    if (s->heads == 0)
        return;
    rc_emit_gemm(b, gpu, RC_P_INDEX, w, t, (int64_t)s->heads * s->dim, from);
    rc_emit_gemm(b, gpu, RC_P_INDEX, w, t, s->dim + s->heads, b->rq->model->hidden);
}

static void before(rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    const rc_layer_kind *k = b->kind;
    const int64_t d = b->rq->model->hidden, rank = k->latent.q_rank;
    const int64_t latents = k->latent.kv_rank + k->latent.rope;
    const int64_t queries = (int64_t)b->hq * k->head_dim;
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_input_norm(b, gpu, l->attn_weights, t);
        rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, (rank > 0 ? rank : queries) + latents,
                     d);
        rc_emit_elementwise(b, gpu, RC_P_NORM, "rmsnorm", t, rank + k->latent.kv_rank);
        if (rank > 0) {
            rc_emit_blocks(b, gpu, RC_P_NORM, l->attn_weights, t, rank);
            rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, queries, rank);
        }
        rc_emit_rotary(b, gpu, t,
                       (rc_heads){.query = b->hq,
                                  .kv = 1,
                                  .key_size = k->latent.rope > 0 ? k->latent.rope : 1,
                                  .value_size = k->latent.kv_rank});
        index_queries(b, gpu, t, rank > 0 ? rank : d);
        absorb(b, gpu, RC_P_QKV, k->latent.kv_rank, k->head_dim - k->latent.rope);
    }
}

static void after(rc_builder *b) {
    const rc_layer_kind *k = b->kind;
    const int64_t width = (int64_t)b->hq * k->value_dim;
    for (uint32_t gpu = rc_own_first(b); gpu < b->p->gpus; gpu = rc_own_next(b, gpu)) {
        absorb(b, gpu, RC_P_OUT, k->value_dim, k->latent.kv_rank);
        if (k->output_gate) {
            int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
            rc_emit_gemm(b, gpu, RC_P_OUT, b->rq->layout.attn_weights, t, width,
                         b->rq->model->hidden);
            rc_emit_elementwise(b, gpu, RC_P_OUT, "swiglu", t, width);
        }
    }
    rc_emit_out(b, width);
}

const rc_half rc_mixer_latent = {.matrices = matrices,
                                 .vectors = vectors,
                                 .live_bytes = live_bytes,
                                 .before = before,
                                 .after = after};
