/* A sequence of a pass against the same tokens as one prompt, without pages.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/served_model.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static rc_status attend_flat(rc_served_model *e, int layer, const void *ctx, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    const int64_t n = *(const int64_t *)ctx;
    rc_ring_state *s = &e->memory.s[0];
    cudaStream_t stream = e->ranks->r[0].compute;
    (void)layer;
    RC_TRY(rc_kernel_check(err,
                           rc_rotary_kv(s->qkv, s->q, e->k_flat, e->v_flat, n, 0, c->hq, c->hkv,
                                        RC_RING_THETA, stream),
                           "rc_rotary_kv"));
    rc_attn_args a = {.q = s->q,
                      .k = e->k_flat,
                      .v = e->v_flat,
                      .o = s->o,
                      .tq = n,
                      .tk = n,
                      .hq = c->hq,
                      .hkv = c->hkv,
                      .causal = 1,
                      .tickets = s->tickets,
                      .workspace = s->workspace};
    if (rc_attn_workspace(&a) > e->attention_bytes)
        return rc_fail(err, RC_E_INTERNAL, "the workspace of attention is too small");
    return rc_kernel_check(err, rc_attn_forward(&a, stream), "rc_attn_forward");
}

static float real_of(uint16_t bits) {
    union {
        uint32_t u;
        float f;
    } x = {.u = (uint32_t)bits << 16};
    return x.f;
}

static double distance(const uint16_t *x, const uint16_t *y, int64_t n) {
    double apart = 0.0, size = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double a = real_of(x[i]), b = real_of(y[i]);
        apart += (a - b) * (a - b);
        size += b * b;
    }
    return size > 0.0 ? sqrt(apart / size) : NAN;
}

rc_status rc_served_model_check(rc_served_model *e, const uint64_t *tokens, int64_t n, size_t i,
                                double *error, rc_error *err) {
    const int64_t d = e->shape.layer.width, padded = rc_serve_product_rows(n);
    rc_ring_state *s = &e->memory.s[0];
    cudaStream_t stream = e->ranks->r[0].compute;
    uint16_t *last = malloc((size_t)d * sizeof *last);
    if (!last)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    assert(n >= 1 && n <= rc_serve_planned(&e->shape));
    for (int64_t k = 0; k < n; k++)
        e->host.tokens[k] = (int32_t)(tokens[k] % RC_SERVE_EMBEDDED);
    cudaError_t c = cudaMemcpyAsync(e->device.tokens, e->host.tokens, (size_t)n * sizeof(int32_t),
                                    cudaMemcpyHostToDevice, stream);
    rc_status st =
        c == cudaSuccess ? RC_OK : rc_cuda_fail(err, c, "cudaMemcpy", __FILE__, __LINE__);
    if (st == RC_OK)
        st = rc_kernel_check(err,
                             rc_gather_rows(e->embedded, e->device.tokens, s->h, n, (int)d, stream),
                             "rc_gather_rows");
    if (st == RC_OK)
        st = rc_serve_layers(e, n, padded, attend_flat, &n, err);
    if (st == RC_OK) {
        c = cudaMemcpyAsync(last, rc_at(s->h, 2 * (size_t)((n - 1) * d)), 2 * (size_t)d,
                            cudaMemcpyDeviceToHost, stream);
        c = c == cudaSuccess ? cudaStreamSynchronize(stream) : c;
        st = c == cudaSuccess ? RC_OK : rc_cuda_fail(err, c, "cudaMemcpy", __FILE__, __LINE__);
    }
    if (st == RC_OK)
        *error = e->seats[i].rank == e->ranks->r[0].cp
                     ? distance((const uint16_t *)e->rows_host + e->seats[i].row * d, last, d)
                     : 0.0;
    free(last);
    return st;
}
