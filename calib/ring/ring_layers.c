/* A stack of layers: memory, weights, inputs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_layers.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const parts[RC_RING_PARTS] = {
    "norm",    "qkv",    "rotary", "attention", "merge",      "out",       "all-reduce",
    "gate-up", "swiglu", "down",   "send-recv", "all-to-all", "all-gather"};

const char *rc_ring_part_name(rc_ring_part p) {
    assert((unsigned)p < RC_RING_PARTS);
    return parts[p];
}

rc_status rc_ring_layers_alloc(rc_ring_layers *b, void **p, size_t bytes, rc_error *err) {
    if (b->owned_count == b->owned_room) {
        size_t room = b->owned_room ? 2 * b->owned_room : 256;
        void **owned = realloc(b->owned, room * sizeof *owned);
        if (!owned)
            return rc_fail(err, RC_E_NOMEM, "out of memory");
        b->owned = owned;
        b->owned_room = room;
    }
    cudaError_t e = cudaMalloc(p, bytes ? bytes : 256);
    b->bytes += (double)bytes;
    if (e == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return rc_fail(err, RC_E_UNMODELLED, "does not fit: over %.1f GB on one GPU",
                       b->bytes / 1e9);
    }
    RC_CUDA(e);
    b->owned[b->owned_count++] = *p;
    return RC_OK;
}

/* ---- what is random ------------------------------------------------------------------------- */

enum { WHAT_INPUT = 1, WHAT_CACHE, WHAT_WEIGHT };

static uint64_t place(uint64_t seed, int what, int layer, int i, int j) {
    uint64_t x = seed * 0x9e3779b97f4a7c15u + (uint64_t)what;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u + (uint64_t)layer;
    x = (x ^ (x >> 31)) * 0x94d049bb133111ebu + (uint64_t)i * 4096 + (uint64_t)j;
    return (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
}

static rc_status normal(void *p, int64_t n, uint64_t seed, double sigma, cudaStream_t stream,
                        rc_error *err) {
    return rc_kernel_check(err, rc_fill_normal(p, n, seed, (float)sigma, stream), "rc_fill_normal");
}

rc_status rc_ring_inputs_make(const rc_ring_case *c, uint64_t seed, int chunk, void *h, int64_t n,
                              cudaStream_t stream, rc_error *err) {
    return normal(h, n * c->width, place(seed, WHAT_INPUT, 0, chunk, 0), 1, stream, err);
}

rc_status rc_ring_cache_make(const rc_ring_case *c, uint64_t seed, int layer, int cp, int tp,
                             int which, void *p, int64_t rows, cudaStream_t stream, rc_error *err) {
    if (rows == 0)
        return RC_OK;
    return normal(p, rows * c->hkv * RC_RING_HEAD,
                  place(seed, WHAT_CACHE, layer, 2 * cp + which, tp), 1, stream, err);
}

typedef struct weight_sizes {
    int64_t norm, qkv, out, gate_up, down; /* elements, each a multiple of 512 */
} weight_sizes;

static weight_sizes sizes(const rc_ring_case *c) {
    int64_t d = c->width;
    return (weight_sizes){(d + 511) / 512 * 512, (int64_t)(c->hq + 2 * c->hkv) * RC_RING_HEAD * d,
                          d * c->hq * RC_RING_HEAD, 2 * (int64_t)c->ffn * d, d * c->ffn};
}

size_t rc_ring_weights_bytes(const rc_ring_case *c) {
    weight_sizes z = sizes(c);
    return 2 * (size_t)(2 * z.norm + z.qkv + z.out + z.gate_up + z.down);
}

/* Spread 1/sqrt(K), so that every product keeps the size of its input. */
rc_status rc_ring_weights_make(const rc_ring_case *c, uint64_t seed, int layer, int tp, void *block,
                               rc_ring_weights *w, cudaStream_t stream, rc_error *err) {
    weight_sizes z = sizes(c);
    const int64_t n[] = {z.norm, z.norm, z.qkv, z.out, z.gate_up, z.down};
    void **at[] = {&w->norm1, &w->norm2, &w->qkv, &w->out, &w->gate_up, &w->down};
    const double k[] = {
        1, 1, c->width, (double)c->hq * RC_RING_HEAD * c->tp, c->width, (double)c->ffn * c->tp};
    unsigned char *p = block;
    for (int i = 0; i < 6; i++) {
        *at[i] = p;
        /* Norm weights are replicated: the same on every tp shard. */
        RC_TRY(normal(p, n[i], place(seed, WHAT_WEIGHT, layer, i, i < 2 ? 0 : tp), 1 / sqrt(k[i]),
                      stream, err));
        p += 2 * (size_t)n[i];
    }
    return RC_OK;
}

/* ---- memory --------------------------------------------------------------------------------- */

rc_status rc_ring_empty_part(void *o, size_t o_bytes, float *lse, size_t rows, rc_error *err) {
    float *host = malloc(rows * sizeof *host);
    if (!host)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", rows);
    for (size_t i = 0; i < rows; i++)
        host[i] = -INFINITY;
    cudaError_t e = cudaMemset(o, 0, o_bytes);
    if (e == cudaSuccess)
        e = cudaMemcpy(lse, host, rows * sizeof *host, cudaMemcpyHostToDevice);
    free(host);
    return e == cudaSuccess ? RC_OK : rc_cuda_fail(err, e, "cudaMemcpy", __FILE__, __LINE__);
}

static rc_status open_parts(rc_ring_layers *b, rc_ring_state *s, rc_error *err) {
    const rc_ring_case *c = &b->c;
    size_t rows = (size_t)(b->t * c->hq), bytes = (size_t)b->t * rc_q_row(c);
    bool back = c->schedule == RC_RING_PASS_Q || c->schedule == RC_RING_DECODE_PASS_Q;
    for (int j = 0; j < c->cp && c->cp > 1 && c->schedule != RC_RING_ALL_GATHER; j++) {
        void *lse = NULL;
        RC_TRY(rc_ring_layers_alloc(b, &s->part_o[j], bytes, err));
        RC_TRY(rc_ring_layers_alloc(b, &lse, rows * sizeof(float), err));
        s->part_lse[j] = lse;
        RC_TRY(rc_ring_empty_part(s->part_o[j], bytes, lse, rows, err));
        if (!back)
            continue;
        RC_TRY(rc_ring_layers_alloc(b, &s->back_o[j], bytes, err));
        RC_TRY(rc_ring_layers_alloc(b, &lse, rows * sizeof(float), err));
        s->back_lse[j] = lse;
    }
    return RC_OK;
}

static rc_status open_ring(rc_ring_layers *b, rc_ring_state *s, rc_error *err) {
    const rc_ring_case *c = &b->c;
    size_t kv = 2 * (size_t)b->kv_rows * rc_kv_row(c), q = (size_t)b->t * rc_q_row(c);
    size_t message = c->schedule == RC_RING_PASS_KV ? kv : q;
    for (int i = 0; i < RC_RING_BUFFERS && c->cp > 1 && c->schedule != RC_RING_ALL_GATHER; i++)
        RC_TRY(rc_ring_layers_alloc(b, &s->ring[i], message, err));
    if (c->schedule == RC_RING_ALL_GATHER)
        RC_TRY(rc_ring_layers_alloc(b, &s->all_kv, 2 * (size_t)(c->t + c->p) * rc_kv_row(c), err));
    return RC_OK;
}

static size_t most_of(size_t a, size_t b) {
    return a > b ? a : b;
}

/* With and without SMs kept free, for a pass has launches of both kinds. */
static size_t room_of(const rc_ring_case *c, rc_attn_args a) {
    a.hq = c->hq, a.hkv = c->hkv;
    size_t all = a.tq > 0 && a.tk > 0 ? rc_attn_workspace(&a) : 0;
    a.sms = c->sms;
    return a.tq > 0 && a.tk > 0 ? most_of(all, rc_attn_workspace(&a)) : 0;
}

static size_t attention_room(const rc_ring_case *c, int64_t tq, int64_t tk, int causal) {
    return room_of(c, (rc_attn_args){.tq = tq, .tk = tk, .causal = causal});
}

/* Two chunks of queries in one launch, each with its own range of keys from row 0 on. */
static size_t two_room(const rc_ring_case *c, int64_t chunk, int64_t first, int64_t second,
                       int64_t rows, int causal) {
    const int32_t q_start[] = {0, (int32_t)chunk}, q_len[] = {(int32_t)chunk, (int32_t)chunk};
    const int32_t k_start[] = {0, 0}, k_len[] = {(int32_t)first, (int32_t)second};
    return room_of(c, (rc_attn_args){.tq = 2 * chunk,
                                     .tk = rows,
                                     .causal = causal,
                                     .seqs = 2,
                                     .q_start = q_start,
                                     .q_len = q_len,
                                     .k_start = k_start,
                                     .k_len = k_len});
}

/* The largest workspace of any attention launch of the schedule (ring_attention.c). */
static size_t workspace(const rc_ring_layers *b) {
    const rc_ring_case *c = &b->c;
    if (rc_ring_is_decode(c)) {
        rc_decode_args a = {.batch = (int)b->t, .max_len = b->cached, .hq = c->hq, .hkv = c->hkv};
        size_t all = rc_decode_workspace(&a);
        a.sms = c->sms;
        return most_of(all, rc_decode_workspace(&a));
    }
    size_t most = attention_room(c, b->t, b->kv_rows, 1);
    most = most_of(most, attention_room(c, b->t, b->cached + b->chunk, 0));
    most = most_of(most, attention_room(c, b->chunk, b->kv_rows, 0));
    most = most_of(most, two_room(c, b->chunk, b->cached, b->kv_rows, b->kv_rows, 0));
    for (int k = 0; k < c->cp && c->schedule == RC_RING_ALL_GATHER; k++)
        most = most_of(most, two_room(c, b->chunk, c->p + (k + 1) * b->chunk,
                                      c->p + (2 * c->cp - k) * b->chunk, c->p + c->t, 1));
    return most;
}

rc_status rc_ring_state_open(rc_ring_layers *b, rc_ring_state *s, const rc_ring_case *c,
                             size_t rows, size_t workspace_bytes, rc_error *err) {
    const size_t t = rows, d = (size_t)c->width, f = (size_t)c->ffn;
    struct {
        void **p;
        size_t bytes;
    } const want[] = {{&s->h, 2 * t * d},
                      {&s->x, 2 * t * d},
                      {&s->qkv, t * (rc_q_row(c) + 2 * rc_kv_row(c))},
                      {&s->q, t * rc_q_row(c)},
                      {&s->o, t * rc_q_row(c)},
                      {&s->y, 2 * t * d},
                      {&s->gate_up, 4 * t * f},
                      {&s->act, 2 * t * f},
                      {&s->workspace, workspace_bytes},
                      {&s->tickets, RC_ATTN_TICKET_BYTES}};
    for (size_t k = 0; k < sizeof want / sizeof want[0]; k++)
        RC_TRY(rc_ring_layers_alloc(b, want[k].p, want[k].bytes, err));
    RC_CUDA(cudaMemset(s->tickets, 0, RC_ATTN_TICKET_BYTES));
    return RC_OK;
}

static rc_status open_state(rc_ring_layers *b, int i, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    const size_t t = (size_t)b->t, d = (size_t)c->width;
    RC_TRY(rc_ring_state_open(b, s, c, t, workspace(b), err));
    for (int l = 0; l < c->layers; l++)
        RC_TRY(rc_ring_layers_alloc(b, &s->kv[l], 2 * (size_t)b->kv_rows * rc_kv_row(c), err));
    if (b->ranks->virtual_ranks && c->tp > 1)
        RC_TRY(rc_ring_layers_alloc(b, &b->ranks->r[i].scratch, 2 * t * d, err));
    RC_TRY(open_ring(b, s, err));
    return open_parts(b, s, err);
}

static rc_status open_weights(rc_ring_layers *b, int i, rc_error *err) {
    const rc_ring_case *c = &b->c;
    const rc_ring_rank *r = &b->ranks->r[i];
    for (int l = 0; l < c->layers; l++) {
        void *block = NULL;
        if (r->cp > 0 && b->ranks->virtual_ranks) { /* ranks of one tp index share theirs */
            b->s[i].w[l] = b->s[r->tp].w[l];
            continue;
        }
        RC_TRY(rc_ring_layers_alloc(b, &block, rc_ring_weights_bytes(c), err));
        RC_TRY(rc_ring_weights_make(c, b->seed, l, r->tp, block, &b->s[i].w[l], r->compute, err));
    }
    return RC_OK;
}

/* K and V that were there before. In decode they are the whole context: [batch][cached] rows. */
static rc_status fill_caches(rc_ring_layers *b, int i, rc_error *err) {
    const rc_ring_rank *r = &b->ranks->r[i];
    int64_t rows = rc_ring_is_decode(&b->c) ? b->kv_rows - b->t : b->cached;
    for (int l = 0; l < b->c.layers; l++)
        for (int which = 0; which < 2; which++)
            RC_TRY(rc_ring_cache_make(
                &b->c, b->seed, l, r->cp, r->tp, which,
                rc_at(b->s[i].kv[l], (size_t)which * (size_t)b->kv_rows * rc_kv_row(&b->c)), rows,
                r->compute, err));
    return RC_OK;
}

static rc_status fill_lens(rc_ring_layers *b, int i, rc_error *err) {
    void *p = NULL;
    size_t n = (size_t)b->t;
    if (!rc_ring_is_decode(&b->c))
        return RC_OK;
    RC_TRY(rc_ring_layers_alloc(b, &p, n * sizeof(int32_t), err));
    int32_t *host = malloc(n * sizeof *host);
    if (!host)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    for (size_t k = 0; k < n; k++)
        host[k] = (int32_t)b->cached;
    cudaError_t e = cudaMemcpy(p, host, n * sizeof *host, cudaMemcpyHostToDevice);
    free(host);
    RC_CUDA(e);
    b->s[i].lens = p;
    return RC_OK;
}

static rc_status plan_products(rc_ring_layers *b, int i, rc_error *err) {
    const rc_ring_case *c = &b->c;
    const rc_ring_state *s = &b->s[i];
    const rc_ring_weights *w = &s->w[0];
    int64_t d = c->width, heads = (int64_t)c->hq * RC_RING_HEAD;
    cudaStream_t stream = b->ranks->r[i].compute;
    rc_cublaslt *lt = b->ranks->lt[i];
    RC_TRY(rc_cublaslt_plan(lt, b->t, (c->hq + 2 * c->hkv) * RC_RING_HEAD, d, 0, s->x, w->qkv,
                            s->qkv, stream, err));
    RC_TRY(rc_cublaslt_plan(lt, b->t, d, heads, 0, s->o, w->out, s->y, stream, err));
    RC_TRY(rc_cublaslt_plan(lt, b->t, 2 * (int64_t)c->ffn, d, 0, s->x, w->gate_up, s->gate_up,
                            stream, err));
    return rc_cublaslt_plan(lt, b->t, d, c->ffn, 0, s->act, w->down, s->y, stream, err);
}

static rc_status open_all(rc_ring_layers *b, rc_error *err) {
    for (int i = 0; i < b->ranks->local; i++) {
        RC_TRY(open_state(b, i, err));
        RC_TRY(open_weights(b, i, err));
        RC_TRY(fill_caches(b, i, err));
        RC_TRY(fill_lens(b, i, err));
    }
    RC_TRY(rc_ring_layers_reset(b, err));
    for (int i = 0; i < b->ranks->local; i++)
        RC_TRY(plan_products(b, i, err));
    return rc_ring_synchronize(b->ranks, err);
}

rc_status rc_ring_layers_open(rc_ring_layers *b, rc_ring_ranks *ranks, const rc_ring_case *c,
                              uint64_t seed, rc_error *err) {
    assert(ranks->local >= 1 && c->cp * c->tp >= 1);
    memset(b, 0, sizeof *b);
    b->ranks = ranks;
    b->c = *c;
    b->seed = seed;
    b->layers = c->layers;
    if (c->layers > RC_RING_MAX_LAYERS)
        return rc_fail(err, RC_E_UNMODELLED, "more than %d layers", RC_RING_MAX_LAYERS);
    b->t = rc_ring_tokens(c);
    b->chunk = rc_ring_is_decode(c) ? b->t : c->cp > 1 ? rc_ring_chunk(c) : c->t;
    b->cached = rc_ring_cached(c);
    /* decode: contexts of all sequences, and room for the new tokens behind them */
    b->kv_rows = rc_ring_is_decode(c) ? c->batch * b->cached + b->t : b->cached + b->t;
    return open_all(b, err);
}

void rc_ring_layers_close(rc_ring_layers *b) {
    for (size_t i = 0; i < b->span_room; i++) {
        if (b->spans[i].start)
            (void)cudaEventDestroy(b->spans[i].start);
        if (b->spans[i].stop)
            (void)cudaEventDestroy(b->spans[i].stop);
    }
    for (size_t i = 0; i < b->owned_count; i++)
        (void)cudaFree(b->owned[i]);
    free(b->spans);
    free(b->owned);
    memset(b, 0, sizeof *b);
}

/* Chunks i and 2N-1-i (a lone rank: the whole, as one chunk; decode: its sequences). */
rc_status rc_ring_layers_reset(rc_ring_layers *b, rc_error *err) {
    for (int i = 0; i < b->ranks->local; i++) {
        const rc_ring_rank *r = &b->ranks->r[i];
        void *second = rc_at(b->s[i].h, 2 * (size_t)b->chunk * (size_t)b->c.width);
        RC_TRY(rc_ring_inputs_make(&b->c, b->seed, r->cp, b->s[i].h, b->chunk, r->compute, err));
        if (b->t > b->chunk)
            RC_TRY(rc_ring_inputs_make(&b->c, b->seed, 2 * b->c.cp - 1 - r->cp, second, b->chunk,
                                       r->compute, err));
        RC_CUDA(cudaMemsetAsync(b->s[i].o, 0, (size_t)b->t * rc_q_row(&b->c), r->compute));
        /* Attention scratch is not read before it is written; products need finite inputs to plan.
         */
        RC_CUDA(cudaMemcpyAsync(b->s[i].x, b->s[i].h, 2 * (size_t)b->t * (size_t)b->c.width,
                                cudaMemcpyDeviceToDevice, r->compute));
    }
    return rc_ring_synchronize(b->ranks, err);
}
