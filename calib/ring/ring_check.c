/* A run against one GPU that does the whole: layer 0 over the whole sequence with a single
 * attention call, every tp shard one after another, the shards' products summed. Inputs, caches and
 * weights are made anew from their seeds, so nothing of the run under test is taken over but its
 * outputs.
 *
 * Compared are a rank's attention output and its hidden state after the layer. Both sides round to
 * bf16 at the same places, but their products have other shapes, hence other sums: errors of about
 * 3e-3 are what bf16 gives. A lost ring step or a wrong mask gives 0.1 and more.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_layers.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE_BYTES ((size_t)64 << 20) /* more than this is sampled, evenly */

typedef struct whole {
    rc_ring_layers *b;
    int i; /* the local rank that is checked; buffers are on its device and stream */
    cudaStream_t stream;
    rc_cublaslt *lt;
    int64_t tokens, keys; /* of the whole: T or the batch; P + T, or batch x P */
    int blocks;           /* input blocks: 2N chunks, or cp in decode */
    int64_t block;        /* tokens of one */
    void *h, *x, *qkv;    /* of one block, and at least one rank's tokens */
    void *q, *k, *v, *o, *own, *y, *y_sum, *gate_up, *act, *weights, *workspace, *part;
} whole;

static rc_status reserve(whole *w, rc_error *err) {
    const rc_ring_case *c = &w->b->c;
    size_t t = (size_t)(w->b->t > w->block ? w->b->t : w->block), d = (size_t)c->width;
    rc_attn_args a = {.tq = w->tokens, .tk = w->keys, .hq = c->hq, .hkv = c->hkv, .causal = 1};
    rc_decode_args z = {.batch = (int)c->batch, .max_len = c->p, .hq = c->hq, .hkv = c->hkv};
    size_t room = rc_ring_is_decode(c) ? rc_decode_workspace(&z) : rc_attn_workspace(&a);
    size_t keys = (size_t)(w->keys + w->block) * rc_kv_row(c);
    struct {
        void **p;
        size_t bytes;
    } const want[] = {{&w->h, 2 * t * d},
                      {&w->x, 2 * t * d},
                      {&w->qkv, t * (rc_q_row(c) + 2 * rc_kv_row(c))},
                      {&w->q, (size_t)w->tokens * rc_q_row(c)},
                      {&w->k, keys},
                      {&w->v, keys},
                      {&w->o, (size_t)w->tokens * rc_q_row(c)},
                      {&w->own, t * rc_q_row(c)},
                      {&w->y, 2 * t * d},
                      {&w->y_sum, 2 * t * d},
                      {&w->gate_up, 4 * t * (size_t)c->ffn},
                      {&w->act, 2 * t * (size_t)c->ffn},
                      {&w->weights, c->tp > 1 ? rc_ring_weights_bytes(c) : 0},
                      {&w->workspace, room},
                      {&w->part, rc_ring_is_decode(c) ? keys : 0}};
    for (size_t k = 0; k < sizeof want / sizeof want[0]; k++)
        RC_TRY(rc_ring_layers_alloc(w->b, want[k].p, want[k].bytes, err));
    return RC_OK;
}

static rc_status product(whole *w, int64_t m, int64_t n, int64_t k, const void *x, const void *wt,
                         void *y, rc_error *err) {
    RC_TRY(rc_cublaslt_plan(w->lt, m, n, k, 0, x, wt, y, w->stream, err));
    return rc_cublaslt_run(w->lt, m, n, k, 0, x, wt, y, w->stream, err);
}

static rc_status shard_weights(whole *w, int tp, rc_ring_weights *out, rc_error *err) {
    if (tp == w->b->ranks->r[w->i].tp) {
        *out = w->b->s[w->i].w[0];
        return RC_OK;
    }
    return rc_ring_weights_make(&w->b->c, w->b->seed, 0, tp, w->weights, out, w->stream, err);
}

/* q of one block into the whole's rows; k and v likewise (prefill), or out of the way (decode). */
static rc_status block_qkv(whole *w, int j, const rc_ring_weights *wt, rc_error *err) {
    const rc_ring_case *c = &w->b->c;
    bool decode = rc_ring_is_decode(c);
    int64_t pos = c->p + (decode ? 0 : j * w->block), row = decode ? w->keys : pos;
    uintptr_t kv = rc_kv_row(c), shift = (uintptr_t)row * kv - (uintptr_t)pos * kv;
    RC_TRY(rc_ring_inputs_make(c, w->b->seed, j, w->h, w->block, w->stream, err));
    RC_TRY(rc_kernel_check(
        err, rc_rmsnorm(w->h, NULL, wt->norm1, w->x, w->block, c->width, RC_RING_EPS, w->stream),
        "rc_rmsnorm"));
    RC_TRY(product(w, w->block, (c->hq + 2 * c->hkv) * RC_RING_HEAD, c->width, w->x, wt->qkv,
                   w->qkv, err));
    return rc_kernel_check(err,
                           rc_rotary_kv(w->qkv, rc_at(w->q, (size_t)(j * w->block) * rc_q_row(c)),
                                        (void *)((uintptr_t)w->k + shift),
                                        (void *)((uintptr_t)w->v + shift), w->block, pos, c->hq,
                                        c->hkv, RC_RING_THETA, w->stream),
                           "rc_rotary_kv");
}

/* Everybody's cached tokens, one cp rank's behind another's (of each sequence, in decode). */
static rc_status caches(whole *w, int tp, rc_error *err) {
    const rc_ring_case *c = &w->b->c;
    size_t row = rc_kv_row(c), share = (size_t)w->b->cached * row;
    for (int cp = 0; cp < c->cp; cp++)
        for (int which = 0; which < 2; which++) {
            void *to = rc_at(which ? w->v : w->k, (size_t)cp * share);
            if (!rc_ring_is_decode(c)) {
                RC_TRY(rc_ring_cache_make(c, w->b->seed, 0, cp, tp, which, to, w->b->cached,
                                          w->stream, err));
                continue;
            }
            RC_TRY(rc_ring_cache_make(c, w->b->seed, 0, cp, tp, which, w->part,
                                      c->batch * w->b->cached, w->stream, err));
            RC_CUDA(cudaMemcpy2DAsync(to, (size_t)c->p * row, w->part, share, share,
                                      (size_t)c->batch, cudaMemcpyDeviceToDevice, w->stream));
        }
    return RC_OK;
}

static rc_status attend(whole *w, rc_error *err) {
    const rc_ring_case *c = &w->b->c;
    if (!rc_ring_is_decode(c)) {
        rc_attn_args a = {.q = w->q,
                          .k = w->k,
                          .v = w->v,
                          .o = w->o,
                          .tq = w->tokens,
                          .tk = w->keys,
                          .hq = c->hq,
                          .hkv = c->hkv,
                          .causal = 1,
                          .workspace = w->workspace};
        return rc_kernel_check(err, rc_attn_forward(&a, w->stream), "rc_attn_forward");
    }
    int32_t *lens = w->part; /* the caches are in place: its bytes are free */
    int32_t *host = malloc((size_t)c->batch * sizeof *host);
    if (!host)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    for (int64_t k = 0; k < c->batch; k++)
        host[k] = (int32_t)c->p;
    cudaError_t e = cudaStreamSynchronize(w->stream);
    if (e == cudaSuccess)
        e = cudaMemcpy(lens, host, (size_t)c->batch * sizeof *host, cudaMemcpyHostToDevice);
    free(host);
    RC_CUDA(e);
    rc_decode_args z = {.q = w->q,
                        .k = w->k,
                        .v = w->v,
                        .lens = lens,
                        .o = w->o,
                        .batch = (int)c->batch,
                        .max_len = c->p,
                        .hq = c->hq,
                        .hkv = c->hkv,
                        .workspace = w->workspace};
    return rc_kernel_check(err, rc_decode_forward(&z, w->stream), "rc_decode_forward");
}

/* Rows of the rank's own tokens out of the whole's. */
static rc_status own_rows(whole *w, rc_error *err) {
    const rc_ring_layers *b = w->b;
    size_t row = rc_q_row(&b->c);
    int me = b->ranks->r[w->i].cp, last = 2 * b->c.cp - 1 - me;
    for (int k = 0; k < (b->t > b->chunk ? 2 : 1); k++) {
        size_t from = (size_t)((k ? last : me) * b->chunk) * row;
        RC_CUDA(cudaMemcpyAsync(rc_at(w->own, (size_t)(k * b->chunk) * row), rc_at(w->o, from),
                                (size_t)b->chunk * row, cudaMemcpyDeviceToDevice, w->stream));
    }
    return RC_OK;
}

static rc_status own_inputs(whole *w, rc_error *err) {
    const rc_ring_layers *b = w->b;
    int me = b->ranks->r[w->i].cp, last = 2 * b->c.cp - 1 - me;
    RC_TRY(rc_ring_inputs_make(&b->c, b->seed, me, w->h, b->chunk, w->stream, err));
    if (b->t == b->chunk)
        return RC_OK;
    return rc_ring_inputs_make(&b->c, b->seed, last,
                               rc_at(w->h, 2 * (size_t)(b->chunk * b->c.width)), b->chunk,
                               w->stream, err);
}

static rc_status add(whole *w, bool first, rc_error *err) {
    int64_t n = w->b->t * w->b->c.width;
    if (first)
        RC_CUDA(
            cudaMemcpyAsync(w->y_sum, w->y, 2 * (size_t)n, cudaMemcpyDeviceToDevice, w->stream));
    else
        RC_TRY(
            rc_kernel_check(err, rc_residual_add(w->y_sum, w->y, n, w->stream), "rc_residual_add"));
    return RC_OK;
}

static float widen(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Both device arrays hold `rows` rows of `width` bf16; rows are taken evenly when there are many.
 */
static rc_status compare(whole *w, const void *run, const void *ref, int64_t rows, int64_t width,
                         double *worst, rc_error *err) {
    size_t row = 2 * (size_t)width, step = 1 + (size_t)rows * row / COMPARE_BYTES;
    size_t n = ((size_t)rows + step - 1) / step, cells = n * (size_t)width;
    uint16_t *x = malloc(2 * cells), *y = malloc(2 * cells);
    cudaError_t e = x && y ? cudaStreamSynchronize(w->stream) : cudaErrorMemoryAllocation;
    if (e == cudaSuccess)
        e = cudaMemcpy2D(x, row, run, step * row, row, n, cudaMemcpyDeviceToHost);
    if (e == cudaSuccess)
        e = cudaMemcpy2D(y, row, ref, step * row, row, n, cudaMemcpyDeviceToHost);
    double off = 0, all = 0;
    for (size_t k = 0; k < cells && e == cudaSuccess; k++) {
        double a = widen(x[k]), z = widen(y[k]);
        off += (a - z) * (a - z);
        all += z * z;
    }
    free(x);
    free(y);
    RC_CUDA(e);
    double error = sqrt(off / all);
    if (!(error <= *worst)) /* not a number stays */
        *worst = error;
    return RC_OK;
}

static rc_status check_attention(whole *w, rc_ring_errors *worst, rc_error *err) {
    const rc_ring_case *c = &w->b->c;
    for (int tp = 0; tp < c->tp; tp++) {
        rc_ring_weights wt;
        RC_TRY(shard_weights(w, tp, &wt, err));
        RC_TRY(caches(w, tp, err));
        for (int j = 0; j < w->blocks; j++)
            RC_TRY(block_qkv(w, j, &wt, err));
        RC_TRY(attend(w, err));
        RC_TRY(own_rows(w, err));
        if (tp == w->b->ranks->r[w->i].tp)
            RC_TRY(compare(w, w->b->s[w->i].o, w->own, w->b->t, (int64_t)c->hq * RC_RING_HEAD,
                           &worst->attention, err));
        RC_TRY(product(w, w->b->t, c->width, (int64_t)c->hq * RC_RING_HEAD, w->own, wt.out, w->y,
                       err));
        RC_TRY(add(w, tp == 0, err));
    }
    return RC_OK;
}

static rc_status check_hidden(whole *w, rc_ring_errors *worst, rc_error *err) {
    rc_ring_layers *b = w->b;
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[w->i];
    int64_t n = b->t * c->width;
    rc_ring_weights wt;
    RC_TRY(own_inputs(w, err));
    RC_TRY(shard_weights(w, b->ranks->r[w->i].tp, &wt, err));
    RC_TRY(rc_kernel_check(
        err, rc_rmsnorm(w->h, w->y_sum, wt.norm2, w->x, b->t, c->width, RC_RING_EPS, w->stream),
        "rc_rmsnorm"));
    for (int tp = 0; tp < c->tp; tp++) {
        RC_TRY(shard_weights(w, tp, &wt, err));
        RC_TRY(product(w, b->t, 2 * (int64_t)c->ffn, c->width, w->x, wt.gate_up, w->gate_up, err));
        RC_TRY(rc_kernel_check(err, rc_swiglu(w->gate_up, w->act, b->t, c->ffn, w->stream),
                               "rc_swiglu"));
        RC_TRY(product(w, b->t, c->width, c->ffn, w->act, wt.down, w->y, err));
        RC_TRY(add(w, tp == 0, err));
    }
    RC_TRY(rc_kernel_check(err, rc_residual_add(w->h, w->y_sum, n, w->stream), "rc_residual_add"));
    RC_TRY(rc_kernel_check(err, rc_residual_add(s->h, s->y, n, w->stream), "rc_residual_add"));
    return compare(w, s->h, w->h, b->t, c->width, &worst->hidden, err);
}

rc_status rc_ring_compare(rc_ring_layers *b, rc_ring_errors *worst, rc_error *err) {
    bool decode = rc_ring_is_decode(&b->c);
    size_t before = b->owned_count;
    double bytes = b->bytes;
    rc_status st = RC_OK;
    *worst = (rc_ring_errors){0, 0};
    whole w = {.b = b, .block = b->chunk};
    w.tokens = decode ? b->c.batch : b->c.t;
    w.keys = decode ? b->c.batch * b->c.p : b->c.p + b->c.t;
    w.blocks = (int)(w.tokens / b->chunk);
    st = reserve(&w, err);
    for (int i = 0; i < b->ranks->local && st == RC_OK; i++) {
        w.i = i;
        w.stream = b->ranks->r[i].compute;
        w.lt = b->ranks->lt[i];
        st = check_attention(&w, worst, err);
        if (st == RC_OK)
            st = check_hidden(&w, worst, err);
    }
    (void)rc_ring_synchronize(b->ranks, NULL);
    for (size_t k = before; k < b->owned_count; k++)
        (void)cudaFree(b->owned[k]);
    b->owned_count = before;
    b->bytes = bytes;
    return st;
}
