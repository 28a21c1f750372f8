/* One pass of a served model.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/served_model.h"

#include <assert.h>

static int64_t states_of(const rc_serve_plan *x) { /* rows for the output head */
    return x->dealt + x->prompts;
}

static rc_status enqueue(rc_served_model *e, const rc_serve_pass_call *c, rc_error *err) {
    const rc_serve_plan *x = c->plan;
    const int width = e->shape.layer.width;
    rc_ring_state *s = &e->memory.s[0];
    cudaStream_t stream = e->ranks->r[0].compute;
    RC_TRY(rc_kernel_check(
        err, rc_gather_rows(e->embedded, e->device.tokens, s->h, x->rows, width, stream),
        "rc_gather_rows"));
    RC_TRY(rc_serve_layers(e, x->rows, x->padded, rc_serve_attend_pass, c, err));
    RC_TRY(rc_kernel_check(
        err, rc_gather_rows(s->h, e->device.last, e->rows, states_of(x), width, stream),
        "rc_gather_rows"));
    return rc_serve_head(e, states_of(x), err);
}

static rc_status send_list(rc_served_model *e, int32_t *to, const int32_t *from, int64_t n,
                           rc_error *err) {
    if (n > 0)
        RC_CUDA(cudaMemcpyAsync(to, from, (size_t)n * sizeof *from, cudaMemcpyHostToDevice,
                                e->ranks->r[0].compute));
    return RC_OK;
}

/* Everything up to the pages of the last sequence that decodes, in one piece; what prompts have besides. */
static rc_status send_inputs(rc_served_model *e, const rc_serve_plan *x, rc_error *err) {
    const int32_t *from = e->input_host;
    const int64_t first = e->host.decode_pages - from + e->shape.layer.cp * x->dealt * e->stride;
    RC_TRY(send_list(e, e->input_memory, from, first, err));
    RC_TRY(send_list(e, e->device.prompt_pages, e->host.prompt_pages, x->listed, err));
    return e->shape.layer.cp == 1 ? RC_OK
                                  : send_list(e, e->device.packed, e->host.packed, x->packed, err);
}

static rc_status capture(rc_served_model *e, const rc_serve_pass_call *c, rc_error *err) {
    const rc_serve_plan *x = c->plan;
    const double began = rc_now();
    RC_TRY(rc_ring_capture_begin(e->ranks, err));
    rc_status st = enqueue(e, c, err);
    rc_status end =
        rc_ring_capture_end(e->ranks, &e->graphs[x->size][x->bucket], st == RC_OK ? err : NULL);
    RC_TRY(st);
    RC_TRY(end);
    RC_CUDA(cudaGraphUpload(e->graphs[x->size][x->bucket], e->ranks->r[0].compute));
    RC_CUDA(cudaStreamSynchronize(e->ranks->r[0].compute));
    e->captured_s = rc_now() - began;
    return RC_OK;
}

rc_status rc_served_model_pass(rc_served_model *e, const rc_serve_sequence *s, size_t n,
                               rc_serve_ring ring, rc_serve_times *out, rc_error *err) {
    rc_serve_plan x;
    const rc_serve_pass_call call = {&x, ring};
    cudaStream_t stream = e->ranks->r[0].compute;
    assert(n > 0);
    e->captured_s = 0.0;
    RC_TRY(rc_serve_plan_make(&e->shape, e->ranks->r[0].cp, s, n, &e->scratch, &e->host, e->seats,
                              &x, err));
    if (x.size >= 0 && !e->graphs[x.size][x.bucket])
        RC_TRY(capture(e, &call, err));
    out->launched = rc_now();
    RC_TRY(send_inputs(e, &x, err));
    if (x.size >= 0)
        RC_CUDA(cudaGraphLaunch(e->graphs[x.size][x.bucket], stream));
    else
        RC_TRY(enqueue(e, &call, err));
    RC_CUDA(cudaMemcpyAsync(e->rows_host, e->rows,
                            2 * (size_t)states_of(&x) * (size_t)e->shape.layer.width,
                            cudaMemcpyDeviceToHost, stream));
    RC_CUDA(cudaStreamSynchronize(stream));
    out->done = rc_now();
    return RC_OK;
}
