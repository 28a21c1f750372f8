/* What all layers of a pass do, whatever their attention is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/served_model.h"
#include "kernels/kernels.h"

static rc_status product(rc_served_model *e, int64_t rows, int64_t n, int64_t k, const void *x,
                         const void *w, void *y, rc_error *err) {
    return rc_cublaslt_run(e->ranks->lt[0], rows, n, k, 0, x, w, y, e->ranks->r[0].compute, err);
}

static rc_status norm(rc_served_model *e, int64_t rows, const void *w, bool first, rc_error *err) {
    rc_ring_state *s = &e->memory.s[0];
    return rc_kernel_check(err,
                           rc_rmsnorm(s->h, first ? NULL : s->y, w, s->x, rows,
                                      e->shape.layer.width, RC_RING_EPS, e->ranks->r[0].compute),
                           "rc_rmsnorm");
}

static rc_status all_reduce(rc_served_model *e, int64_t rows, rc_error *err) {
    void *y[1] = {e->memory.s[0].y};
    return e->shape.layer.tp == 1
               ? RC_OK
               : rc_ring_all_reduce(e->ranks, y, rows * e->shape.layer.width, err);
}

static rc_status ffn(rc_served_model *e, int layer, int64_t rows, int64_t padded, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    const rc_ring_weights *w = &s->w[layer];
    RC_TRY(norm(e, rows, w->norm2, false, err));
    RC_TRY(product(e, padded, 2 * (int64_t)c->ffn, c->width, s->x, w->gate_up, s->gate_up, err));
    RC_TRY(rc_kernel_check(
        err, rc_swiglu(s->gate_up, s->act, padded, c->ffn, e->ranks->r[0].compute), "rc_swiglu"));
    RC_TRY(product(e, padded, c->width, c->ffn, s->act, w->down, s->y, err));
    return all_reduce(e, rows, err);
}

rc_status rc_serve_layers(rc_served_model *e, int64_t rows, int64_t padded, rc_serve_attend attend,
                          const void *ctx, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    const int64_t heads = (int64_t)c->hq * RC_RING_HEAD;
    for (int l = 0; l < c->layers; l++) {
        const rc_ring_weights *w = &s->w[l];
        RC_TRY(norm(e, rows, w->norm1, l == 0, err));
        RC_TRY(product(e, padded, (int64_t)(c->hq + 2 * c->hkv) * RC_RING_HEAD, c->width, s->x,
                       w->qkv, s->qkv, err));
        RC_TRY(attend(e, l, ctx, err));
        RC_TRY(product(e, padded, c->width, heads, s->o, w->out, s->y, err));
        RC_TRY(all_reduce(e, rows, err));
        RC_TRY(ffn(e, l, rows, padded, err));
    }
    return rc_kernel_check(err,
                           rc_residual_add(s->h, s->y, rows * c->width, e->ranks->r[0].compute),
                           "rc_residual_add");
}

int64_t rc_serve_head_rows(const rc_served_model *e, int64_t n) {
    for (int i = 0; i < e->shape.size_count; i++)
        if (e->shape.sizes[i] >= n)
            return e->shape.sizes[i];
    return (n + RC_SERVE_ROWS - 1) / RC_SERVE_ROWS * RC_SERVE_ROWS;
}

rc_status rc_serve_head(rc_served_model *e, int64_t n, rc_error *err) {
    RC_TRY(rc_kernel_check(err,
                           rc_rmsnorm(e->rows, NULL, e->head_norm, e->head_x, n,
                                      e->shape.layer.width, RC_RING_EPS, e->ranks->r[0].compute),
                           "rc_rmsnorm"));
    return product(e, rc_serve_head_rows(e, n), e->shape.vocab, e->shape.layer.width, e->head_x,
                   e->head, e->logits, err);
}
