/* A toy form of layer, for the test of docs/extending.md: tokens are mixed by a gated product in
 * place of attention, so the layer has no heads and leaves nothing in the KV cache. An FFN follows
 * as in a dense layer. A GPU holds 1/tp of the mixer's width, which is that of the attention it
 * replaces, heads x head size.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/schedule/builder.h"

extern const rc_layer_form rc_layer_mixer;

static int64_t width(const rc_layer_kind *l, int tp) {
    return rc_ceil_div((int64_t)l->heads * l->head_dim, tp);
}

static rc_heads heads(const rc_layer_kind *l, int tp) {
    (void)l, (void)tp;
    return (rc_heads){0};
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix out[RC_MATRICES]) {
    const double d = (double)m->hidden, w = (double)width(l, tp);
    const double ffn = (double)rc_ceil_div(l->ffn, tp);
    out[0] = (rc_matrix){.proj = RC_Q, .rows = 2.0 * w, .columns = d}; /* and a gate */
    out[1] = (rc_matrix){.proj = RC_O, .rows = d, .columns = w};
    out[2] = (rc_matrix){.proj = RC_GATE, .rows = ffn, .columns = d};
    out[3] = (rc_matrix){.proj = RC_UP, .rows = ffn, .columns = d};
    out[4] = (rc_matrix){.proj = RC_DOWN, .rows = d, .columns = ffn};
    return 5;
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    (void)l, (void)tp;
    return 2.0 * (double)m->hidden; /* the two norms */
}

static double kv_bytes(const rc_layer_kind *l, int tp, rc_dtype kv) {
    (void)l, (void)tp, (void)kv;
    return 0.0;
}

/* The residual stream, and the wider of the mixer and the FFN: a normed input and two halves. */
static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const double a = rc_dtype_bytes(cut->act), d = (double)m->hidden;
    const double mixer = 2.0 * (double)width(l, cut->tp);
    return a * (2.0 * d + fmax(mixer, 2.0 * (double)rc_ceil_div(l->ffn, cut->tp)));
}

static void before(rc_builder *b) {
    const rc_layout *l = &b->rq->layout;
    const int64_t w = width(b->kind, l->tp);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++) {
        int64_t t = rc_rank_tokens(b, rc_rank_of(b, gpu));
        rc_emit_input_norm(b, gpu, l->attn_weights, t);
        rc_emit_gemm(b, gpu, RC_P_QKV, l->attn_weights, t, 2 * w, b->rq->model->hidden);
        rc_emit_elementwise(b, gpu, RC_P_SWIGLU, "swiglu", t, w);
    }
}

static void after(rc_builder *b) {
    rc_emit_out(b, width(b->kind, b->rq->layout.tp));
    rc_emit_ffn(b, b->kind->ffn);
}

const rc_layer_form rc_layer_mixer = {.name = "mixer",
                                      .heads = heads,
                                      .matrices = matrices,
                                      .vectors = vectors,
                                      .kv_bytes = kv_bytes,
                                      .live_bytes = live_bytes,
                                      .before = before,
                                      .after = after};
