/* A dense FFN, with a gate or without, behind a norm of the residual stream and before an all-reduce
 * over the TP group: gate and up (D x F), down (F x D), cut over F; a bias that follows the all-reduce
 * is whole on every GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/schedule/half.h"

static double width(const rc_layer_kind *l, int tp) {
    return ceil((double)l->ffn / tp);
}

static int matrices(const rc_model *m, const rc_layer_kind *l, int tp, rc_matrix *out) {
    const double d = (double)m->hidden, w = width(l, tp);
    int n = 0;
    if (l->after == RC_FFN_GATED)
        out[n++] = (rc_matrix){.proj = RC_GATE, .rows = w, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_UP, .rows = w, .columns = d};
    out[n++] = (rc_matrix){.proj = RC_DOWN, .rows = d, .columns = w};
    return n;
}

static double vectors(const rc_model *m, const rc_layer_kind *l, int tp) {
    const double parts = l->after == RC_FFN_GATED ? 2.0 : 1.0;
    return l->ffn_bias ? parts * width(l, tp) + (double)m->hidden : 0.0;
}

/* In turn: the (quantised) input, gate and up; these and the (quantised) product; the product and the
 * projection. */
static double live_bytes(const rc_model *m, const rc_layer_kind *l, const rc_layout *cut) {
    const double d = (double)m->hidden, a = rc_dtype_bytes(cut->act), w = width(l, cut->tp);
    const double x = rc_dtype_math(cut->ffn_weights) == RC_FP8 ? 1.0 : a;
    const double parts = l->after == RC_FFN_GATED ? 2.0 : 1.0;
    const double stage[] = {d * x + parts * w * a, parts * w * a + w * x, w * x + d * a};
    return rc_largest(stage, sizeof stage / sizeof stage[0]);
}

static void after(rc_builder *b) {
    rc_emit_ffn(b, b->kind->ffn);
}

const rc_half rc_ffn_plain = {
    .matrices = matrices, .vectors = vectors, .live_bytes = live_bytes, .after = after};
