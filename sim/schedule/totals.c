/* Sums over the layers of a model.
 *
 * The counts of parameters agree with the publishers' to the last one
 * (tests/unit/test_model_config.c).
 *
 * Quantised weights carry the scales and zero points that the checkpoint states; where it states
 * none, the usual ones (usual_scale): fp8 an fp32 scale a row of outputs, int4 a 16-bit scale for
 * 128 elements.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/totals.h"

#include <assert.h>
#include <math.h>

#include "sim/schedule/kept.h"
#include "sim/schedule/layer.h"

const rc_layer_kind *rc_model_typical(const rc_model *m) {
    int best = 0, most = 0;
    for (int k = 0; k < m->kinds; k++) {
        const rc_layer_kind *l = &m->kind[k];
        int layers = rc_layer_form_of(l)->heads(l, 1).query > 0 ? rc_model_layers_of(m, k) : 0;
        if (layers > most)
            best = k, most = layers;
    }
    return &m->kind[best];
}

/* ---- parameters and FLOPs ------------------------------------------------------------------- */

/* Elements of the matrices of one layer whose projection is in [from, to); `used`: of those that a
 * token passes. */
static double elements(const rc_model *m, const rc_layer_kind *l, rc_proj from, rc_proj to,
                       bool used) {
    rc_matrix all[RC_MATRICES];
    int count = rc_layer_form_of(l)->matrices(m, l, 1, all);
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        if (all[i].proj >= from && all[i].proj < to)
            sum += all[i].rows * all[i].columns *
                   (used ? rc_matrix_used(&all[i]) : rc_matrix_copies(&all[i]));
    return sum;
}

static double all_elements(const rc_model *m, rc_proj from, rc_proj to, bool used) {
    double sum = 0.0;
    for (int k = 0; k < m->kinds; k++)
        sum += rc_model_layers_of(m, k) * elements(m, &m->kind[k], from, to, used);
    return sum;
}

double rc_model_attn_params(const rc_model *m) {
    return all_elements(m, RC_Q, RC_GATE, false);
}

double rc_model_ffn_params(const rc_model *m) {
    return all_elements(m, RC_GATE, RC_PROJS, false);
}

double rc_model_params(const rc_model *m) {
    double d = (double)m->hidden, vectors = 0.0;
    double embed = (double)m->vocab * d * (m->tied_embeddings ? 1.0 : 2.0);
    for (int k = 0; k < m->kinds; k++)
        vectors +=
            rc_model_layers_of(m, k) * rc_layer_form_of(&m->kind[k])->vectors(m, &m->kind[k], 1);
    return rc_model_attn_params(m) + rc_model_ffn_params(m) + embed + vectors + d;
}

double rc_model_active_params(const rc_model *m) {
    const double unused =
        all_elements(m, RC_Q, RC_PROJS, false) - all_elements(m, RC_Q, RC_PROJS, true);
    return rc_model_params(m) - unused;
}

/* ---- what a sequence leaves ----------------------------------------------------------------- */

double rc_model_growth_gpu(const rc_model *m, int tp, rc_dtype kv) {
    double bytes = 0.0;
    for (int k = 0; k < m->kinds; k++)
        bytes += rc_model_layers_of(m, k) * rc_layer_growth(&m->kind[k], tp, kv);
    return bytes;
}

double rc_model_fixed_gpu(const rc_model *m, int tp, rc_dtype kv) {
    double bytes = 0.0;
    for (int k = 0; k < m->kinds; k++) {
        const rc_layer_kind *l = &m->kind[k];
        bytes +=
            rc_model_layers_of(m, k) *
            (rc_layer_state_bytes(l, tp) +
             (l->keeps_all ? 0.0
                           : (double)rc_kind_seen(l) * rc_layer_form_of(l)->kv_bytes(l, tp, kv)));
    }
    return bytes;
}

double rc_model_index_bytes(const rc_model *m) {
    double bytes = 0.0;
    for (int k = 0; k < m->kinds; k++)
        bytes += rc_model_layers_of(m, k) * rc_layer_index_bytes(&m->kind[k]);
    return bytes;
}

double rc_model_kv_bytes_gpu(const rc_model *m, int tp, rc_dtype kv) {
    double bytes = 0.0;
    assert(tp >= 1);
    for (int k = 0; k < m->kinds; k++)
        bytes +=
            rc_model_layers_of(m, k) * rc_layer_form_of(&m->kind[k])->kv_bytes(&m->kind[k], tp, kv);
    return bytes;
}

double rc_model_kv_bytes(const rc_model *m, rc_dtype kv) {
    return rc_model_kv_bytes_gpu(m, 1, kv);
}

double rc_model_gemm_flops(const rc_model *m, int64_t t) {
    assert(t >= 0);
    return 2.0 * (double)t * all_elements(m, RC_Q, RC_PROJS, true);
}

double rc_model_entry_flops(const rc_model *m, double entries) {
    double flops = 0.0;
    for (int k = 0; k < m->kinds; k++) {
        const rc_heads h = rc_layer_form_of(&m->kind[k])->heads(&m->kind[k], 1);
        flops += rc_model_layers_of(m, k) * 2.0 * h.query * (h.key_size + h.value_size) * entries;
    }
    return flops;
}

double rc_model_attention_flops(const rc_model *m, int64_t t, int64_t p) {
    double flops = 0.0;
    assert(t >= 0 && p >= 0);
    for (int k = 0; k < m->kinds && t > 0; k++) {
        const rc_layer_kind *l = &m->kind[k];
        const rc_heads h = rc_layer_form_of(l)->heads(l, 1);
        const double all = (double)t * (double)p + (double)t * ((double)t + 1.0) / 2.0;
        const double seen = l->window > 0 || l->selection.ratio > 0
                                ? (double)t * rc_layer_kept_mean(l, (double)t, (double)p)
                                : all;
        double one = 2.0 * h.query * (h.key_size + h.value_size) * seen;
        if (l->selection.heads > 0)
            one += 2.0 * l->selection.heads * l->selection.dim * all / l->selection.ratio;
        flops += rc_model_layers_of(m, k) * one;
    }
    return flops;
}

/* ---- bytes of weights ----------------------------------------------------------------------- */

/* rows x columns of weights with what each tile carries besides. */
static double matrix_bytes(double rows, double columns, rc_dtype d, const rc_scale *s) {
    double bytes = rows * columns * rc_dtype_bytes(d);
    double high = s->rows > 0 ? (double)s->rows : rows;
    double wide = s->columns > 0 ? (double)s->columns : columns;
    if (s->bytes > 0.0)
        bytes += ceil(rows / high) * ceil(columns / wide) * s->bytes;
    return bytes;
}

/* Scales where no checkpoint states them. */
static rc_scale usual_scale(rc_dtype d) {
    static const rc_scale scales[RC_DTYPES] = {
        [RC_FP8] = {1, 0, 4.0},    [RC_INT4] = {1, 128, 2.0}, [RC_FP8_BLOCK] = {128, 128, 4.0},
        [RC_INT8] = {1, 0, 4.0},   [RC_W8A16] = {1, 0, 2.0},  [RC_W4A8] = {1, 128, 2.0},
        [RC_MXFP4] = {1, 32, 1.0}, [RC_NVFP4] = {1, 16, 1.0}};
    assert((unsigned)d < RC_DTYPES);
    return scales[d];
}

/* One matrix and its copies, on one GPU. Experts that are dealt to more GPUs than a TP group has are
 * fewer there; where tokens are sent to them, what they share is whole. */
static double copies_of(const rc_matrix *x, const rc_layout *cut) {
    const int ep = rc_layout_ep(cut);
    const bool whole = x->proj == RC_SHARED && rc_layout_dispatches(cut);
    if (ep <= cut->tp || (x->proj != RC_EXPERT && !whole))
        return rc_matrix_copies(x);
    return rc_matrix_copies(x) * cut->tp / (x->proj == RC_EXPERT ? ep : 1);
}

/* One matrix of all `layers` layers of a kind: as the checkpoint has it where `d` is the type that
 * it gives this part of a layer, else in `d` throughout. */
static double matrix_of_kind(const rc_model *m, const rc_layer_kind *l, int layers,
                             const rc_matrix *x, rc_dtype d) {
    const rc_quant *q = &m->quant;
    rc_scale none = {0, 0, 0.0}, usual = usual_scale(d);
    bool stated =
        q->method[0] != '\0' && x->proj != RC_ROUTER && d == (x->proj < RC_GATE ? q->attn : q->ffn);
    if (!stated)
        return layers * matrix_bytes(x->rows, x->columns, d, &usual);
    int n = l->stored[x->proj].layers;
    assert(0 <= n && n <= layers);
    return n * matrix_bytes(x->rows, x->columns, l->stored[x->proj].dtype,
                            &l->stored[x->proj].scale) +
           (layers - n) * matrix_bytes(x->rows, x->columns, RC_BF16, &none);
}

/* The matrices of all layers of kind `k` whose projections are in [from, to). */
static double matrices_of(const rc_model *m, int k, rc_proj from, rc_proj to,
                          const rc_layout *cut) {
    const rc_layer_kind *l = &m->kind[k];
    const int layers = rc_model_layers_of(m, k);
    rc_matrix all[RC_MATRICES];
    int count = rc_layer_form_of(l)->matrices(m, l, cut->tp, all);
    double bytes = 0.0;
    for (int i = 0; i < count; i++) {
        const rc_proj p = all[i].proj;
        if (p >= from && p < to)
            bytes += copies_of(&all[i], cut) * matrix_of_kind(m, l, layers, &all[i],
                                                              p == RC_ROUTER ? RC_BF16
                                                              : p < RC_GATE  ? cut->attn_weights
                                                                             : cut->ffn_weights);
    }
    return bytes;
}

static double kind_bytes(const rc_model *m, int k, const rc_layout *cut) {
    const rc_layer_kind *l = &m->kind[k];
    return matrices_of(m, k, RC_Q, RC_PROJS, cut) + rc_model_layers_of(m, k) *
                                                        rc_dtype_bytes(RC_BF16) *
                                                        rc_layer_form_of(l)->vectors(m, l, cut->tp);
}

double rc_model_matrix_bytes_gpu(const rc_model *m, rc_proj from, rc_proj to, int tp, rc_dtype attn,
                                 rc_dtype ffn) {
    const rc_layout cut = {.tp = tp, .cp = 1, .attn_weights = attn, .ffn_weights = ffn};
    double bytes = 0.0;
    assert(tp >= 1 && from <= to);
    for (int k = 0; k < m->kinds; k++)
        bytes += matrices_of(m, k, from, to, &cut);
    return bytes;
}

double rc_model_weight_bytes_gpu(const rc_model *m, int tp, rc_dtype attn, rc_dtype ffn) {
    const rc_layout cut = {.tp = tp, .cp = 1, .attn_weights = attn, .ffn_weights = ffn};
    return rc_model_weight_bytes_of(m, &cut);
}

double rc_model_weight_bytes_of(const rc_model *m, const rc_layout *cut) {
    double d = (double)m->hidden, bytes = 0.0;
    assert(cut->tp >= 1);
    double vocab = ceil((double)m->vocab / cut->tp);
    for (int k = 0; k < m->kinds; k++)
        bytes += kind_bytes(m, k, cut);
    double embed = m->without_embedding && (m->without_head || !m->tied_embeddings)
                       ? 0.0
                       : rc_dtype_bytes(RC_BF16) * vocab * d;
    embed += m->without_head ? 0.0 : rc_dtype_bytes(RC_BF16) * d; /* the norm before the LM head */
    double rows = ceil((double)m->vocab / rc_layout_head_ways(cut));
    double head = m->tied_embeddings || m->without_head
                      ? 0.0
                      : matrix_bytes(rows, d, m->quant.head, &m->quant.head_scale);
    return bytes + embed + head;
}

double rc_model_weight_bytes(const rc_model *m, rc_dtype attn, rc_dtype ffn) {
    return rc_model_weight_bytes_gpu(m, 1, attn, ffn);
}
