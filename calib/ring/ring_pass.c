/* One pass over the layers, for all local ranks in step.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_layers.h"
#include "kernels/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- profiling ------------------------------------------------------------------------------ */

static cudaStream_t stream_of(const rc_ring_layers *b, int i, rc_ring_part part) {
    const rc_ring_rank *r = &b->ranks->r[i];
    return part >= RC_RING_SENDRECV ? r->comm : r->compute;
}

static rc_status more_spans(rc_ring_layers *b, rc_error *err) {
    size_t room = b->span_room ? 2 * b->span_room : 256;
    rc_ring_span *m = realloc(b->spans, room * sizeof *m);
    if (!m)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu events", room);
    memset(m + b->span_room, 0, (room - b->span_room) * sizeof *m);
    b->spans = m;
    for (; b->span_room < room; b->span_room++) {
        RC_CUDA(cudaEventCreate(&m[b->span_room].start));
        RC_CUDA(cudaEventCreate(&m[b->span_room].stop));
    }
    return RC_OK;
}

rc_status rc_ring_part_begin(rc_ring_layers *b, int i, rc_ring_part part, rc_error *err) {
    assert(i >= 0 && i < b->ranks->local);
    if (!b->profiling)
        return RC_OK;
    if (b->span_count == b->span_room)
        RC_TRY(more_spans(b, err));
    rc_ring_span *m = &b->spans[b->span_count];
    m->rank = i;
    m->part = part;
    m->step = b->step;
    RC_CUDA(cudaEventRecord(m->start, stream_of(b, i, part)));
    return RC_OK;
}

rc_status rc_ring_part_end(rc_ring_layers *b, int i, rc_error *err) {
    if (!b->profiling)
        return RC_OK;
    assert(b->span_count < b->span_room); /* a part has begun */
    rc_ring_span *m = &b->spans[b->span_count++];
    RC_CUDA(cudaEventRecord(m->stop, stream_of(b, i, m->part)));
    return RC_OK;
}

/* ---- parts of a layer ------------------------------------------------------------------------ */

static rc_status norm(rc_ring_layers *b, int i, const void *w, bool first, rc_error *err) {
    rc_ring_state *s = &b->s[i];
    RC_TRY(rc_ring_part_begin(b, i, RC_RING_NORM, err));
    RC_TRY(rc_kernel_check(err,
                           rc_rmsnorm(s->h, first ? NULL : s->y, w, s->x, b->t, b->c.width,
                                      RC_RING_EPS, b->ranks->r[i].compute),
                           "rc_rmsnorm"));
    return rc_ring_part_end(b, i, err);
}

static rc_status product(rc_ring_layers *b, int i, rc_ring_part part, int64_t n, int64_t k,
                         const void *x, const void *w, void *y, rc_error *err) {
    RC_TRY(rc_ring_part_begin(b, i, part, err));
    RC_TRY(rc_cublaslt_run(b->ranks->lt[i], b->t, n, k, 0, x, w, y, b->ranks->r[i].compute, err));
    return rc_ring_part_end(b, i, err);
}

/* One run of tokens with consecutive positions: rows `from`.. of the rank, the first at position
 * `pos`, its key and value at cache row `row`. The kernel writes row pos0 + i of the cache that it
 * is given, so the cache is handed over shifted. */
static rc_status rotate(rc_ring_layers *b, int i, int layer, int64_t from, int64_t n, int64_t pos,
                        int64_t row, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    size_t kv = rc_kv_row(c), q = rc_q_row(c);
    uintptr_t k_cache = (uintptr_t)s->kv[layer] + (uintptr_t)row * kv - (uintptr_t)pos * kv;
    uintptr_t v_cache = k_cache + (uintptr_t)b->kv_rows * kv;
    return rc_kernel_check(err,
                           rc_rotary_kv(rc_at(s->qkv, (size_t)from * (q + 2 * kv)),
                                        rc_at(s->q, (size_t)from * q), (void *)k_cache,
                                        (void *)v_cache, n, pos, c->hq, c->hkv, RC_RING_THETA,
                                        b->ranks->r[i].compute),
                           "rc_rotary_kv");
}

static rc_status rotary(rc_ring_layers *b, int i, int layer, rc_error *err) {
    const rc_ring_case *c = &b->c;
    int rank = b->ranks->r[i].cp;
    RC_TRY(rc_ring_part_begin(b, i, RC_RING_ROTARY, err));
    if (rc_ring_is_decode(c)) {
        RC_TRY(rotate(b, i, layer, 0, b->t, c->p, b->kv_rows - b->t, err));
    } else {
        RC_TRY(rotate(b, i, layer, 0, b->chunk, c->p + rank * b->chunk, b->cached, err));
        if (b->t > b->chunk)
            RC_TRY(rotate(b, i, layer, b->chunk, b->chunk, c->p + (2 * c->cp - 1 - rank) * b->chunk,
                          b->cached + b->chunk, err));
    }
    return rc_ring_part_end(b, i, err);
}

static rc_status before(rc_ring_layers *b, int i, int layer, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    const rc_ring_weights *w = &s->w[layer];
    RC_TRY(norm(b, i, w->norm1, layer == 0, err));
    RC_TRY(product(b, i, RC_RING_QKV, (c->hq + 2 * c->hkv) * RC_RING_HEAD, c->width, s->x, w->qkv,
                   s->qkv, err));
    return rotary(b, i, layer, err);
}

static rc_status all_reduce(rc_ring_layers *b, rc_error *err) {
    void *y[RC_RING_MAX_RANKS];
    if (b->c.tp == 1)
        return RC_OK;
    for (int i = 0; i < b->ranks->local; i++) {
        y[i] = b->s[i].y;
        if (!b->ranks->virtual_ranks)
            RC_TRY(rc_ring_part_begin(b, i, RC_RING_ALL_REDUCE, err));
    }
    RC_TRY(rc_ring_all_reduce(b->ranks, y, b->t * b->c.width, err));
    return b->ranks->virtual_ranks ? RC_OK : rc_ring_part_end(b, 0, err);
}

static rc_status ffn(rc_ring_layers *b, int i, int layer, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    const rc_ring_weights *w = &s->w[layer];
    RC_TRY(norm(b, i, w->norm2, false, err));
    RC_TRY(product(b, i, RC_RING_GATE_UP, 2 * (int64_t)c->ffn, c->width, s->x, w->gate_up,
                   s->gate_up, err));
    RC_TRY(rc_ring_part_begin(b, i, RC_RING_SWIGLU, err));
    RC_TRY(rc_kernel_check(err, rc_swiglu(s->gate_up, s->act, b->t, c->ffn, b->ranks->r[i].compute),
                           "rc_swiglu"));
    RC_TRY(rc_ring_part_end(b, i, err));
    return product(b, i, RC_RING_DOWN, c->width, c->ffn, s->act, w->down, s->y, err);
}

static rc_status attend(rc_ring_layers *b, int l, rc_error *err) {
    return rc_ring_is_decode(&b->c) ? rc_ring_attend_decode(b, l, err) : rc_ring_attend(b, l, err);
}

static rc_status layer(rc_ring_layers *b, int l, rc_error *err) {
    const rc_ring_case *c = &b->c;
    int n = b->ranks->local;
    if (b->mode == RC_RING_MESSAGES)
        return attend(b, l, err);
    for (int i = 0; i < n; i++)
        RC_TRY(before(b, i, l, err));
    RC_TRY(attend(b, l, err));
    for (int i = 0; i < n; i++)
        RC_TRY(product(b, i, RC_RING_OUT, c->width, (int64_t)c->hq * RC_RING_HEAD, b->s[i].o,
                       b->s[i].w[l].out, b->s[i].y, err));
    RC_TRY(all_reduce(b, err));
    for (int i = 0; i < n; i++)
        RC_TRY(ffn(b, i, l, err));
    return all_reduce(b, err);
}

rc_status rc_ring_pass(rc_ring_layers *b, rc_error *err) {
    b->span_count = 0;
    for (int l = 0; l < b->layers; l++)
        RC_TRY(layer(b, l, err));
    return RC_OK;
}
