/* Memory and plans of a served model.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/served_model.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static rc_status alloc(rc_served_model *e, void **p, size_t bytes, rc_error *err) {
    return rc_ring_layers_alloc(&e->memory, p, bytes, err);
}

/* ---- what the kernels read ------------------------------------------------------------------- */

static rc_status open_inputs(rc_served_model *e, rc_error *err) {
    rc_serve_inputs measure;
    const size_t n = (size_t)e->shape.most_sequences;
    e->input_bytes = rc_serve_inputs_place(&e->shape, NULL, &measure);
    RC_TRY(alloc(e, &e->input_memory, e->input_bytes, err));
    RC_CUDA(cudaMallocHost(&e->input_host, e->input_bytes));
    memset(e->input_host, 0, e->input_bytes);
    (void)rc_serve_inputs_place(&e->shape, e->input_memory, &e->device);
    (void)rc_serve_inputs_place(&e->shape, e->input_host, &e->host);
    e->scratch.lens = calloc(n, sizeof *e->scratch.lens);
    e->scratch.order = calloc(n, sizeof *e->scratch.order);
    e->seats = calloc(n, sizeof *e->seats);
    return e->scratch.lens && e->scratch.order && e->seats
               ? RC_OK
               : rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", n);
}

/* ---- memory of the model --------------------------------------------------------------------- */

/* Attention over many prompts splits by its lengths, which are not known yet: enough for the tiles
 * of a pass, each in as many pieces as there are SMs to fill. */
static size_t attention_space(const rc_served_model *e) {
    const rc_ring_case *c = &e->shape.layer;
    const int64_t t = e->shape.most_tokens;
    rc_attn_args whole = {.tq = t, .tk = e->shape.longest, .hq = c->hq, .hkv = c->hkv, .causal = 1};
    const size_t by_rows = 8 * (size_t)t * (size_t)c->hq * (RC_RING_HEAD + 1) * sizeof(float);
    const size_t least = rc_attn_workspace(&whole), floor = (size_t)256 << 20;
    size_t most = by_rows > least ? by_rows : least;
    return most > floor ? most : floor;
}

static size_t decode_space(const rc_served_model *e) {
    const int64_t room = rc_serve_room(&e->shape, e->shape.most_sequences, e->shape.longest);
    return (size_t)(room * e->shape.layer.hq) * (RC_RING_HEAD + 1) * sizeof(float);
}

static rc_status open_state(rc_served_model *e, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    const size_t t = (size_t)rc_serve_most_rows(&e->shape), d = (size_t)c->width;
    e->attention_bytes = attention_space(e);
    e->decode_bytes = decode_space(e);
    RC_TRY(rc_ring_state_open(&e->memory, s, c, t, e->attention_bytes, err));
    /* Rows that only pad a product are read before anything wrote them. */
    RC_CUDA(cudaMemset(s->x, 0, 2 * t * d));
    RC_CUDA(cudaMemset(s->o, 0, t * rc_q_row(c)));
    RC_CUDA(cudaMemset(s->act, 0, 2 * t * (size_t)c->ffn));
    RC_TRY(alloc(e, &e->decode_space, e->decode_bytes, err));
    RC_TRY(alloc(e, &e->k_flat, t * rc_kv_row(c), err));
    RC_TRY(alloc(e, &e->v_flat, t * rc_kv_row(c), err));
    return alloc(e, &e->embedded, 2 * (size_t)RC_SERVE_EMBEDDED * d, err);
}

static rc_status open_layers(rc_served_model *e, uint64_t seed, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    const size_t pool = (size_t)e->shape.pages * RC_KV_PAGE * rc_kv_row(c);
    cudaStream_t stream = e->ranks->r[0].compute;
    for (int l = 0; l < c->layers; l++) {
        void *block = NULL;
        RC_TRY(alloc(e, &block, rc_ring_weights_bytes(c), err));
        RC_TRY(rc_ring_weights_make(c, seed, l, e->ranks->r[0].tp, block, &e->memory.s[0].w[l],
                                    stream, err));
        RC_TRY(alloc(e, &e->k[l], pool, err));
        RC_TRY(alloc(e, &e->v[l], pool, err));
    }
    return rc_kernel_check(
        err, rc_fill_normal(e->embedded, (int64_t)RC_SERVE_EMBEDDED * c->width, seed, 1.0F, stream),
        "rc_fill_normal");
}

static int64_t most_last(const rc_served_model *e) { /* rows of the output head, at most */
    return e->shape.most_sequences + RC_SERVE_ROWS;
}

static rc_status open_head(rc_served_model *e, uint64_t seed, rc_error *err) {
    const int64_t d = e->shape.layer.width, n = most_last(e);
    cudaStream_t stream = e->ranks->r[0].compute;
    struct {
        void **p;
        int64_t elements;
        double sigma;
    } const want[] = {{&e->head_norm, d, 1.0},
                      {&e->head, e->shape.vocab * d, 0.02},
                      {&e->rows, n * d, 1.0},
                      {&e->head_x, n * d, 1.0},
                      {&e->logits, n * e->shape.vocab, 1.0}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        RC_TRY(alloc(e, want[i].p, 2 * (size_t)want[i].elements, err));
        RC_TRY(rc_kernel_check(err,
                               rc_fill_normal(*want[i].p, want[i].elements, seed + 7 + i,
                                              (float)want[i].sigma, stream),
                               "rc_fill_normal"));
    }
    RC_CUDA(cudaMallocHost(&e->rows_host, 2 * (size_t)(n * d)));
    return RC_OK;
}

/* ---- plans of the products ------------------------------------------------------------------- */

static rc_status plan_rows(rc_served_model *e, int64_t rows, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    const rc_ring_state *s = &e->memory.s[0];
    const rc_ring_weights *w = &s->w[0];
    const int64_t d = c->width, heads = (int64_t)c->hq * RC_RING_HEAD;
    cudaStream_t stream = e->ranks->r[0].compute;
    rc_cublaslt *lt = e->ranks->lt[0];
    RC_TRY(rc_cublaslt_plan(lt, rows, (int64_t)(c->hq + 2 * c->hkv) * RC_RING_HEAD, d, 0, s->x,
                            w->qkv, s->qkv, stream, err));
    RC_TRY(rc_cublaslt_plan(lt, rows, d, heads, 0, s->o, w->out, s->y, stream, err));
    RC_TRY(rc_cublaslt_plan(lt, rows, 2 * (int64_t)c->ffn, d, 0, s->x, w->gate_up, s->gate_up,
                            stream, err));
    return rc_cublaslt_plan(lt, rows, d, c->ffn, 0, s->act, w->down, s->y, stream, err);
}

static rc_status plan_head(rc_served_model *e, rc_error *err) {
    for (int64_t n = 1; n <= e->shape.most_sequences; n = rc_serve_head_rows(e, n) + 1)
        RC_TRY(rc_cublaslt_plan(e->ranks->lt[0], rc_serve_head_rows(e, n), e->shape.vocab,
                                e->shape.layer.width, 0, e->head_x, e->head, e->logits,
                                e->ranks->r[0].compute, err));
    return RC_OK;
}

static rc_status plan_all(rc_served_model *e, rc_error *err) {
    const int ranks = e->shape.layer.cp;
    const int64_t most = rc_serve_planned(&e->shape);
    for (int i = 0; i < e->shape.size_count; i++)
        RC_TRY(plan_rows(e, (e->shape.sizes[i] + ranks - 1) / ranks, err));
    for (int64_t n = 1; n <= most; n = rc_serve_product_rows(n) + 1)
        RC_TRY(plan_rows(e, rc_serve_product_rows(n), err));
    RC_TRY(plan_head(e, err));
    return rc_ring_synchronize(e->ranks, err);
}

rc_status rc_served_model_open(rc_served_model *e, rc_ring_ranks *ranks, const rc_serve_shape *s,
                               uint64_t seed, rc_error *err) {
    assert(ranks->local == 1 && s->layer.cp == ranks->cp);
    assert(s->layer.layers <= RC_RING_MAX_LAYERS);
    memset(e, 0, sizeof *e);
    e->shape = *s;
    e->ranks = ranks;
    e->shape.sms = ranks->gpu->sms;
    e->stride = rc_serve_stride(&e->shape);
    RC_TRY(open_state(e, err));
    RC_TRY(rc_serve_attend_open(e, err));
    RC_TRY(open_inputs(e, err));
    RC_TRY(open_layers(e, seed, err));
    RC_TRY(open_head(e, seed, err));
    return plan_all(e, err);
}

void rc_served_model_close(rc_served_model *e) {
    for (int i = 0; i < RC_SERVE_SIZES; i++)
        for (int k = 0; k < RC_SERVE_BUCKETS; k++)
            if (e->graphs[i][k])
                (void)cudaGraphExecDestroy(e->graphs[i][k]);
    free(e->scratch.lens);
    free(e->scratch.order);
    free(e->seats);
    if (e->input_host)
        (void)cudaFreeHost(e->input_host);
    if (e->rows_host)
        (void)cudaFreeHost(e->rows_host);
    rc_ring_layers_close(&e->memory);
    memset(e, 0, sizeof *e);
}
