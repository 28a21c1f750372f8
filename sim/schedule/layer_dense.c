/* A dense layer: attention with grouped queries and a gated FFN, one after the other, each behind a
 * norm of the residual stream and before an all-reduce over the TP group.
 *
 * Wq (D x Hq*Dh), Wk and Wv (D x Hkv*Dh), Wo (Hq*Dh x D), gate and up (D x F), down (F x D), two
 * RMS norms (D) and, by architecture, biases and norms of q and k. q and o are cut by query heads,
 * k and v by whole KV heads, of which every GPU holds at least one, gate, up and down over F; norms
 * and the biases that follow an all-reduce are whole on every GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>

#include "sim/schedule/builder.h"

static rc_heads heads(const rc_layer_kind *l, int tp) {
    assert(tp >= 1 && l->heads >= 1 && l->kv_heads >= 1);
    return (rc_heads){.query = l->heads / tp,
                      .kv = l->kv_heads >= tp ? l->kv_heads / tp : 1,
                      .key_size = l->head_dim,
                      .value_size = l->value_dim};
}

/* The widths that one GPU holds: of all its queries, keys and values, of what attention returns,
 * and of the FFN. */
typedef struct widths {
    double q, k, v, o, ffn;
} widths;

static widths widths_of(const rc_layer_kind *l, int tp) {
    const rc_heads h = heads(l, tp);
    return (widths){.q = (double)h.query * h.key_size,
                    .k = (double)h.kv * h.key_size,
                    .v = (double)h.kv * h.value_size,
                    .o = (double)h.query * h.value_size,
                    .ffn = ceil((double)l->ffn / tp)};
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix out[RC_MATRICES]) {
    const widths w = widths_of(l, tp);
    const double d = (double)m->hidden;
    const rc_matrix all[] = {{RC_Q, w.q, d},     {RC_K, w.k, d},      {RC_V, w.v, d},
                             {RC_O, d, w.o},     {RC_GATE, w.ffn, d}, {RC_UP, w.ffn, d},
                             {RC_DOWN, d, w.ffn}};
    enum { COUNT = sizeof all / sizeof all[0] };
    static_assert((int)COUNT <= (int)RC_MATRICES, "a layer has at most RC_MATRICES matrices");
    for (int i = 0; i < COUNT; i++)
        out[i] = all[i];
    return COUNT;
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    const widths w = widths_of(l, tp);
    const double d = (double)m->hidden;
    double elements = 2.0 * d;
    if (l->qk_norm == RC_QK_NORM_HEAD)
        elements += 2.0 * l->head_dim;
    if (l->qk_norm == RC_QK_NORM_FULL)
        elements += w.q + w.k;
    if (l->attention_bias)
        elements += w.q + w.k + w.v;
    if (l->output_bias)
        elements += d;
    if (l->ffn_bias)
        elements += 2.0 * w.ffn + d;
    return elements;
}

static double kv_bytes(const rc_layer_kind *l, int tp, rc_dtype kv) {
    const widths w = widths_of(l, tp);
    return (w.k + w.v) * rc_dtype_bytes(kv);
}

/* The residual stream and, in turn,
 *   QKV    the normed input and q, k, v
 *   attn   q, k, v and the output
 *   O      the attention output and the projection
 *   FFN    the (quantised) input, gate and up
 *   SwiGLU gate and up, and the (quantised) product
 *   down   the product and the projection */
static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const widths w = widths_of(l, cut->tp);
    const double d = (double)m->hidden, a = rc_dtype_bytes(cut->act);
    const double x = rc_dtype_math(cut->ffn_weights) == RC_FP8 ? 1.0 : a;
    const double qkv = (w.q + w.k + w.v) * a;
    const double stage[] = {
        d * a + qkv,
        qkv + w.o * a,
        w.o * a + d * a,
        d * x + 2.0 * w.ffn * a,
        2.0 * w.ffn * a + w.ffn * x,
        w.ffn * x + d * a,
    };
    double most = 0.0;
    for (size_t i = 0; i < sizeof stage / sizeof stage[0]; i++)
        most = fmax(most, stage[i]);
    return d * a + most;
}

static void before(rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    const int64_t d = b->rq->model->hidden;
    const int64_t width =
        (int64_t)b->hq * b->key_size + (int64_t)b->hkv * (b->key_size + b->value_size);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_input_norm(b, gpu, l->attn_weights, t);
        rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, width, d);
        rc_emit_elementwise(b, gpu, RC_P_ROTARY, l->kv == RC_FP8 ? "rotary_kv_fp8" : "rotary_kv", t,
                            width);
    }
}

static void after(rc_builder *b) {
    rc_emit_out(b, (int64_t)b->hq * b->value_size);
    rc_emit_ffn(b, b->kind->ffn);
}

const rc_layer_form rc_layer_dense = {.name = "dense",
                                      .heads = heads,
                                      .matrices = matrices,
                                      .vectors = vectors,
                                      .kv_bytes = kv_bytes,
                                      .live_bytes = live_bytes,
                                      .before = before,
                                      .after = after};
