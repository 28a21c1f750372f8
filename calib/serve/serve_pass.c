/* One pass of a served model.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/served_model.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <string.h>

typedef struct pass_plan {
    int64_t decodes, padded_decodes; /* rows of a graph beyond the batch are empty */
    int64_t rows, padded;            /* tokens; rows of the products */
    int64_t longest;                 /* keys that one of those which decode sees, rounded up */
    int64_t room;                    /* pieces of their keys */
    int size, bucket;                /* of the graph; size -1: none */
    int prompts;
    size_t listed; /* pages of the prompts */
    int32_t q_start[RC_ATTN_MAX_SEQS], q_len[RC_ATTN_MAX_SEQS];
    int32_t k_start[RC_ATTN_MAX_SEQS], k_len[RC_ATTN_MAX_SEQS];
} pass_plan;

/* ---- from sequences to what the kernels read ------------------------------------------------- */

static int32_t slot_of(const rc_serve_sequence *s, int64_t position) {
    return s->pages[position / RC_KV_PAGE] * RC_KV_PAGE + (int32_t)(position % RC_KV_PAGE);
}

static void put_tokens(rc_served_model *e, const rc_serve_sequence *s, int64_t row) {
    for (int64_t i = 0; i < s->t; i++) {
        e->host.tokens[row + i] = (int32_t)(s->tokens[i] % RC_SERVE_EMBEDDED);
        e->host.positions[row + i] = (int32_t)(s->p + i);
        e->host.slots[row + i] = slot_of(s, s->p + i);
    }
}

static void put_empty(rc_served_model *e, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++) {
        e->host.tokens[i] = 0;
        e->host.positions[i] = 0;
        e->host.slots[i] = -1;
        e->lens[i] = 0;
    }
}

static size_t pages_of(int64_t keys) {
    return (size_t)((keys + RC_KV_PAGE - 1) / RC_KV_PAGE);
}

static void put_decode(rc_served_model *e, const rc_serve_sequence *s, pass_plan *x) {
    const int64_t keys = s->p + 1, i = x->decodes++;
    put_tokens(e, s, i);
    e->lens[i] = (int32_t)keys;
    e->host.last[i] = (int32_t)i;
    memcpy(e->host.decode_pages + i * e->stride, s->pages, pages_of(keys) * sizeof(int32_t));
    x->longest = keys > x->longest ? keys : x->longest;
}

static void put_prompt(rc_served_model *e, const rc_serve_sequence *s, size_t *listed,
                       pass_plan *x) {
    const int64_t keys = s->p + s->t;
    put_tokens(e, s, x->rows);
    memcpy(e->host.prompt_pages + *listed, s->pages, pages_of(keys) * sizeof(int32_t));
    x->q_start[x->prompts] = (int32_t)x->rows;
    x->q_len[x->prompts] = (int32_t)s->t;
    x->k_start[x->prompts] = (int32_t)*listed;
    x->k_len[x->prompts] = (int32_t)keys;
    *listed += pages_of(keys);
    x->rows += s->t;
    e->host.last[x->decodes + x->prompts++] = (int32_t)x->rows - 1;
}

/* The smallest graph that the batch fits, and the power of two that its longest context fits. */
static void choose_graph(const rc_served_model *e, pass_plan *x) {
    x->size = -1;
    if (x->prompts > 0)
        return;
    for (int i = e->shape.size_count; i-- > 0 && e->shape.sizes[i] >= x->decodes;)
        x->size = i;
    for (x->bucket = 0; (INT64_C(256) << x->bucket) < x->longest; x->bucket++)
        ;
    assert(x->bucket < RC_SERVE_BUCKETS);
    /* The table of pages bounds it, too. */
    const int64_t most = e->stride * RC_KV_PAGE, rounded = INT64_C(256) << x->bucket;
    x->longest = rounded < most ? rounded : most;
}

static rc_status plan_pass(rc_served_model *e, const rc_serve_sequence *s, size_t n, pass_plan *x,
                           rc_error *err) {
    size_t listed = 0;
    *x = (pass_plan){.size = -1};
    if ((int64_t)n > e->shape.most_sequences)
        return rc_fail(err, RC_E_INTERNAL, "a pass of %zu sequences, more than were planned", n);
    for (size_t i = 0; i < n; i++)
        if (s[i].decodes)
            put_decode(e, &s[i], x);
    x->rows = x->decodes;
    for (size_t i = 0; i < n; i++)
        if (!s[i].decodes) {
            if (x->prompts == RC_ATTN_MAX_SEQS)
                return rc_fail(err, RC_E_INPUT, "a pass of more than %d prompts: scheduler.fuse",
                               RC_ATTN_MAX_SEQS);
            put_prompt(e, &s[i], &listed, x);
        }
    choose_graph(e, x);
    x->padded_decodes = x->decodes;
    x->padded = rc_serve_product_rows(x->rows);
    x->listed = listed;
    if (x->size >= 0) {
        x->padded = x->padded_decodes = e->shape.sizes[x->size];
        put_empty(e, x->decodes, x->padded);
        x->rows = x->padded;
    }
    x->room = rc_serve_room(e, x->padded_decodes, x->longest);
    rc_decode_deal(e->lens, x->padded_decodes, x->room, (rc_decode_piece *)(void *)e->host.pieces,
                   e->host.first, e->order);
    return RC_OK;
}

/* ---- attention ------------------------------------------------------------------------------- */

static rc_status attend_decodes(rc_served_model *e, int layer, const pass_plan *x, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    rc_decode_args a = {.q = s->q,
                        .k = e->k[layer],
                        .v = e->v[layer],
                        .o = s->o,
                        .batch = (int)x->padded_decodes,
                        .max_len = x->longest,
                        .hq = c->hq,
                        .hkv = c->hkv,
                        .table = e->device.decode_pages,
                        .table_stride = e->stride,
                        .pieces = (const rc_decode_piece *)(const void *)e->device.pieces,
                        .first = e->device.first,
                        .room = x->room,
                        .workspace = e->decode_space};
    if (rc_decode_workspace(&a) > e->decode_bytes)
        return rc_fail(err, RC_E_INTERNAL, "the workspace of decode is too small");
    return rc_kernel_check(err, rc_decode_forward(&a, e->ranks->r[0].compute), "rc_decode_forward");
}

static rc_status attend_prompts(rc_served_model *e, int layer, const pass_plan *x, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    rc_attn_args a = {.q = s->q,
                      .k = e->k[layer],
                      .v = e->v[layer],
                      .o = s->o,
                      .tq = x->rows,
                      .tk = e->shape.pages * RC_KV_PAGE,
                      .hq = c->hq,
                      .hkv = c->hkv,
                      .causal = 1,
                      .seqs = x->prompts,
                      .q_start = x->q_start,
                      .q_len = x->q_len,
                      .k_start = x->k_start,
                      .k_len = x->k_len,
                      .table = e->device.prompt_pages,
                      .tickets = s->tickets,
                      .workspace = s->workspace};
    if (rc_attn_workspace(&a) > e->attention_bytes)
        return rc_fail(err, RC_E_INTERNAL, "the workspace of attention is too small");
    return rc_kernel_check(err, rc_attn_forward(&a, e->ranks->r[0].compute), "rc_attn_forward");
}

static rc_status attend_paged(rc_served_model *e, int layer, const void *ctx, rc_error *err) {
    const pass_plan *x = ctx;
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    RC_TRY(rc_kernel_check(err,
                           rc_rotary_paged(s->qkv, s->q, e->k[layer], e->v[layer],
                                           e->device.positions, e->device.slots, x->rows, c->hq,
                                           c->hkv, RC_RING_THETA, e->ranks->r[0].compute),
                           "rc_rotary_paged"));
    if (x->padded_decodes > 0)
        RC_TRY(attend_decodes(e, layer, x, err));
    return x->prompts > 0 ? attend_prompts(e, layer, x, err) : RC_OK;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static rc_status enqueue(rc_served_model *e, const pass_plan *x, rc_error *err) {
    const int width = e->shape.layer.width;
    const int64_t last = x->decodes + x->prompts;
    rc_ring_state *s = &e->memory.s[0];
    cudaStream_t stream = e->ranks->r[0].compute;
    RC_TRY(rc_kernel_check(
        err, rc_gather_rows(e->embedded, e->device.tokens, s->h, x->rows, width, stream),
        "rc_gather_rows"));
    RC_TRY(rc_serve_layers(e, x->rows, x->padded, attend_paged, x, err));
    const int64_t states = x->size >= 0 ? x->padded : last;
    RC_TRY(rc_kernel_check(err,
                           rc_gather_rows(s->h, e->device.last, e->rows, states, width, stream),
                           "rc_gather_rows"));
    return rc_serve_head(e, states, err);
}

/* Everything up to the pages of the last sequence that decodes, and the pages of prompts. */
static rc_status send_inputs(rc_served_model *e, const pass_plan *x, rc_error *err) {
    cudaStream_t stream = e->ranks->r[0].compute;
    const size_t first =
        (size_t)((unsigned char *)e->host.decode_pages - (unsigned char *)e->input_host) +
        (size_t)(x->padded_decodes * e->stride) * sizeof(int32_t);
    RC_CUDA(cudaMemcpyAsync(e->input_memory, e->input_host, first, cudaMemcpyHostToDevice, stream));
    if (x->listed > 0)
        RC_CUDA(cudaMemcpyAsync(e->device.prompt_pages, e->host.prompt_pages,
                                x->listed * sizeof(int32_t), cudaMemcpyHostToDevice, stream));
    return RC_OK;
}

static rc_status capture(rc_served_model *e, const pass_plan *x, rc_error *err) {
    const double began = rc_now();
    RC_TRY(rc_ring_capture_begin(e->ranks, err));
    rc_status st = enqueue(e, x, err);
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
                               rc_serve_times *out, rc_error *err) {
    pass_plan x;
    cudaStream_t stream = e->ranks->r[0].compute;
    assert(n > 0);
    e->captured_s = 0.0;
    RC_TRY(plan_pass(e, s, n, &x, err));
    if (x.padded > e->shape.most_tokens + RC_SERVE_ROWS)
        return rc_fail(err, RC_E_INTERNAL, "a pass of %lld tokens, more than were planned",
                       (long long)x.rows);
    if (x.size >= 0 && !e->graphs[x.size][x.bucket])
        RC_TRY(capture(e, &x, err));
    out->launched = rc_now();
    RC_TRY(send_inputs(e, &x, err));
    if (x.size >= 0)
        RC_CUDA(cudaGraphLaunch(e->graphs[x.size][x.bucket], stream));
    else
        RC_TRY(enqueue(e, &x, err));
    RC_CUDA(cudaMemcpyAsync(e->rows_host, e->rows, 2 * n * (size_t)e->shape.layer.width,
                            cudaMemcpyDeviceToHost, stream));
    RC_CUDA(cudaStreamSynchronize(stream));
    out->done = rc_now();
    return RC_OK;
}
