/* Attention of a pass of a server: over the pages of one rank, or in a ring over CP ranks.
 *
 * In ring step j a rank has what rank `me - j` sent off. Queries of sequences that decode travel, and
 * meet the keys that every rank keeps of their sequences; of prompts either keys and values travel,
 * copied out of their pages into one message, or queries. Partial outputs of queries that travelled go
 * back to their owners, who merge. The message of the next step is on the comm stream meanwhile, under
 * the same rules as in ring_attention.c, which says how it and attention share the SMs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/served_model.h"

typedef struct step {
    rc_served_model *e;
    const rc_serve_plan *x;
    rc_serve_ring ring;
    int layer, ranks, me;
    rc_ring_rank *r;
    rc_ring_state *s;
    size_t q_row, kv_row;
} step;

static step step_of(rc_served_model *e, int layer, const rc_serve_pass_call *c) {
    const rc_ring_case *l = &e->shape.layer;
    return (step){.e = e,
                  .x = c->plan,
                  .ring = c->plan->prompts > 0 ? c->ring : RC_SERVE_PASS_Q,
                  .layer = layer,
                  .ranks = l->cp,
                  .me = e->ranks->r[0].cp,
                  .r = &e->ranks->r[0],
                  .s = &e->memory.s[0],
                  .q_row = rc_q_row(l),
                  .kv_row = rc_kv_row(l)};
}

/* ---- launches -------------------------------------------------------------------------------- */

/* Queries of rank `of`'s sequences over the keys that this rank has of them. */
static rc_status attend_decodes(const step *t, int of, void *q, void *o, float *lse,
                                rc_error *err) {
    rc_served_model *e = t->e;
    const rc_serve_plan *x = t->x;
    const rc_ring_case *c = &e->shape.layer;
    rc_decode_args a = {
        .q = q,
        .k = e->k[t->layer],
        .v = e->v[t->layer],
        .o = o,
        .lse = lse,
        .batch = (int)x->dealt,
        .max_len = x->longest,
        .hq = c->hq,
        .hkv = c->hkv,
        .table = e->device.decode_pages + of * x->dealt * e->stride,
        .table_stride = e->stride,
        .pieces = (const rc_decode_piece *)(const void *)(e->device.pieces + 4 * of * x->room),
        .first = e->device.first + of * x->dealt,
        .room = x->room,
        .workspace = e->decode_space};
    if (x->dealt == 0)
        return RC_OK;
    if (rc_decode_workspace(&a) > e->decode_bytes)
        return rc_fail(err, RC_E_INTERNAL, "the workspace of decode is too small");
    return rc_kernel_check(err, rc_decode_forward(&a, t->r->compute), "rc_decode_forward");
}

/* Queries of rank `of` over keys of rank `at`: in `message`, or NULL: in this rank's pages. */
static rc_status attend_prompts(const step *t, int of, int at, void *q, void *message, void *o,
                                float *lse, bool overlapped, rc_error *err) {
    rc_served_model *e = t->e;
    const rc_ring_case *c = &e->shape.layer;
    rc_serve_calls calls;
    rc_serve_calls_of(t->x, t->ranks, of, at, message == NULL, &calls);
    if (calls.n == 0)
        return RC_OK;
    rc_attn_args a = {.q = q,
                      .k = message ? message : e->k[t->layer],
                      .v = message ? rc_at(message, (size_t)t->x->packed * t->kv_row)
                                   : e->v[t->layer],
                      .o = o,
                      .lse = lse,
                      .tq = t->x->rows,
                      .tk = message ? t->x->packed : e->shape.pages * RC_KV_PAGE,
                      .hq = c->hq,
                      .hkv = c->hkv,
                      .causal = 1,
                      .seqs = calls.n,
                      .q_start = calls.q_start,
                      .q_len = calls.q_len,
                      .k_start = calls.k_start,
                      .k_len = calls.k_len,
                      .table = message ? NULL : e->device.prompt_pages,
                      .tickets = t->s->tickets,
                      .share = overlapped,
                      .workspace = t->s->workspace};
    if (rc_attn_workspace(&a) > e->attention_bytes)
        return rc_fail(err, RC_E_INTERNAL, "the workspace of attention is too small");
    if (overlapped) /* gives NCCL time to start */
        RC_CUDA(cudaMemsetAsync(t->s->tickets, 0, RC_ATTN_TICKET_BYTES, t->r->compute));
    return rc_kernel_check(err, rc_attn_forward(&a, t->r->compute), "rc_attn_forward");
}

/* ---- the ring -------------------------------------------------------------------------------- */

static bool sends_keys(const step *t) {
    return t->ring == RC_SERVE_PASS_KV;
}

/* Bytes of prompts' keys and values in a message, and of the rows of queries behind them. */
static size_t key_bytes(const step *t) {
    return sends_keys(t) ? 2 * (size_t)t->x->packed * t->kv_row : 0;
}

static size_t query_bytes(const step *t) {
    return (size_t)(sends_keys(t) ? t->x->dealt : t->x->rows) * t->q_row;
}

/* What this rank holds in ring step j. */
static void *held_keys(const step *t, int j) {
    return j == 0 ? t->e->message : t->s->ring[(j - 1) % RC_RING_BUFFERS];
}

static void *held_queries(const step *t, int j) {
    return j == 0 ? t->s->q : rc_at(t->s->ring[(j - 1) % RC_RING_BUFFERS], key_bytes(t));
}

static rc_status pack_keys(const step *t, rc_error *err) {
    rc_served_model *e = t->e;
    const int64_t n = t->x->packed;
    const int width = e->shape.layer.hkv * RC_RING_HEAD;
    void *v = rc_at(e->message, (size_t)n * t->kv_row);
    RC_TRY(rc_kernel_check(
        err, rc_gather_rows(e->k[t->layer], e->device.packed, e->message, n, width, t->r->compute),
        "rc_gather_rows"));
    return rc_kernel_check(
        err, rc_gather_rows(e->v[t->layer], e->device.packed, v, n, width, t->r->compute),
        "rc_gather_rows");
}

static rc_status comm_after_compute(const step *t, rc_error *err) {
    RC_CUDA(cudaEventRecord(t->r->computed, t->r->compute));
    RC_CUDA(cudaStreamWaitEvent(t->r->comm, t->r->computed, 0));
    return RC_OK;
}

static rc_status exchange(const step *t, const rc_ring_p2p *ops, int n, rc_error *err) {
    RC_TRY(rc_ring_exchange(t->e->ranks, ops, n, err));
    RC_CUDA(cudaEventRecord(t->r->arrived, t->r->comm));
    return RC_OK;
}

/* Step j's message. It overwrites what came RC_RING_BUFFERS messages before, which the attention of the
 * step behind that one has read. */
static rc_status send_on(const step *t, int j, rc_error *err) {
    const int to = (t->me + 1) % t->ranks, from = (t->me + t->ranks - 1) % t->ranks;
    const int read = j - RC_RING_BUFFERS + 1;
    void *into = t->s->ring[j % RC_RING_BUFFERS];
    rc_ring_p2p ops[4];
    int n = 0;
    if (read >= 0)
        RC_CUDA(cudaStreamWaitEvent(t->r->comm, t->r->stepped[read % RC_RING_BUFFERS], 0));
    if (key_bytes(t) > 0) {
        ops[n++] = (rc_ring_p2p){0, to, true, held_keys(t, j), key_bytes(t)};
        ops[n++] = (rc_ring_p2p){0, from, false, into, key_bytes(t)};
    }
    if (query_bytes(t) > 0) {
        ops[n++] = (rc_ring_p2p){0, to, true, held_queries(t, j), query_bytes(t)};
        ops[n++] = (rc_ring_p2p){0, from, false, rc_at(into, key_bytes(t)), query_bytes(t)};
    }
    return exchange(t, ops, n, err);
}

/* Partial outputs of step j are kept by whose keys they are over (queries that stay) or whose queries
 * they are of (those that travel): in either case rank `other`, which has them come. */
static rc_status attend_step(const step *t, int j, rc_error *err) {
    const int other = (t->me - j + t->ranks) % t->ranks;
    const bool overlapped = j + 1 < t->ranks;
    void *o = t->s->part_o[other];
    float *lse = t->s->part_lse[other];
    if (sends_keys(t))
        RC_TRY(attend_prompts(t, t->me, other, t->s->q, j == 0 ? NULL : held_keys(t, j), o, lse,
                              overlapped, err));
    else
        RC_TRY(attend_prompts(t, other, t->me, held_queries(t, j), NULL, o, lse, overlapped, err));
    RC_TRY(attend_decodes(t, other, held_queries(t, j), o, lse, err));
    RC_CUDA(cudaEventRecord(t->r->stepped[j % RC_RING_BUFFERS], t->r->compute));
    return RC_OK;
}

/* The first `rows` rows of partial outputs and their sums, to the ranks whose queries they are. */
static rc_status return_parts(const step *t, int64_t rows, rc_error *err) {
    const size_t o_bytes = (size_t)rows * t->q_row;
    const size_t lse_bytes = (size_t)(rows * t->e->shape.layer.hq) * sizeof(float);
    rc_ring_p2p ops[4 * RC_RING_MAX_RANKS];
    int n = 0;
    for (int d = 1; d < t->ranks; d++) {
        const int to = (t->me + d) % t->ranks, from = (t->me - d + t->ranks) % t->ranks;
        ops[n++] = (rc_ring_p2p){0, to, true, t->s->part_o[to], o_bytes};
        ops[n++] = (rc_ring_p2p){0, from, false, t->s->back_o[from], o_bytes};
        ops[n++] = (rc_ring_p2p){0, to, true, t->s->part_lse[to], lse_bytes};
        ops[n++] = (rc_ring_p2p){0, from, false, t->s->back_lse[from], lse_bytes};
    }
    RC_TRY(comm_after_compute(t, err));
    RC_TRY(exchange(t, ops, n, err));
    RC_CUDA(cudaStreamWaitEvent(t->r->compute, t->r->arrived, 0));
    return RC_OK;
}

/* Rows [from, to) of all parts into s->o. */
static rc_status merge(const step *t, void *const *o, float *const *lse, int64_t from, int64_t to,
                       rc_error *err) {
    const int hq = t->e->shape.layer.hq;
    const void *parts[RC_RING_MAX_RANKS];
    const float *sums[RC_RING_MAX_RANKS];
    if (from == to)
        return RC_OK;
    for (int i = 0; i < t->ranks; i++) {
        parts[i] = (const unsigned char *)o[i] + (size_t)from * t->q_row;
        sums[i] = lse[i] + from * hq;
    }
    return rc_kernel_check(err,
                           rc_merge(parts, sums, t->ranks, (to - from) * hq,
                                    rc_at(t->s->o, (size_t)from * t->q_row), NULL, 0,
                                    t->r->compute),
                           "rc_merge");
}

static rc_status attend_ring(const step *t, rc_error *err) {
    const int64_t returned = sends_keys(t) ? t->x->dealt : t->x->rows;
    if (sends_keys(t))
        RC_TRY(pack_keys(t, err));
    RC_TRY(comm_after_compute(t, err));
    for (int j = 0; j < t->ranks; j++) {
        if (j > 0)
            RC_CUDA(cudaStreamWaitEvent(t->r->compute, t->r->arrived, 0));
        if (j + 1 < t->ranks)
            RC_TRY(send_on(t, j, err));
        RC_TRY(attend_step(t, j, err));
    }
    if (returned > 0)
        RC_TRY(return_parts(t, returned, err));
    RC_TRY(merge(t, t->s->back_o, t->s->back_lse, 0, returned, err));
    return merge(t, t->s->part_o, t->s->part_lse, returned, t->x->rows, err);
}

rc_status rc_serve_attend_pass(rc_served_model *e, int layer, const void *ctx, rc_error *err) {
    const step t = step_of(e, layer, ctx);
    const rc_ring_case *c = &e->shape.layer;
    RC_TRY(rc_kernel_check(err,
                           rc_rotary_paged(t.s->qkv, t.s->q, e->k[layer], e->v[layer],
                                           e->device.positions, e->device.slots, t.x->rows, c->hq,
                                           c->hkv, RC_RING_THETA, t.r->compute),
                           "rc_rotary_paged"));
    if (t.ranks > 1)
        return attend_ring(&t, err);
    RC_TRY(attend_decodes(&t, 0, t.s->q, t.s->o, NULL, err));
    return attend_prompts(&t, 0, 0, t.s->q, NULL, t.s->o, NULL, false, err);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static rc_status open_part(rc_served_model *e, void **o, float **lse, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    const size_t rows = (size_t)rc_serve_most_rows(&e->shape), sums = rows * (size_t)c->hq;
    void *p = NULL;
    RC_TRY(rc_ring_layers_alloc(&e->memory, o, rows * rc_q_row(c), err));
    RC_TRY(rc_ring_layers_alloc(&e->memory, &p, sums * sizeof(float), err));
    *lse = p;
    return rc_ring_empty_part(*o, rows * rc_q_row(c), *lse, sums, err);
}

rc_status rc_serve_attend_open(rc_served_model *e, rc_error *err) {
    const rc_ring_case *c = &e->shape.layer;
    rc_ring_state *s = &e->memory.s[0];
    const size_t keys = 2 * (size_t)rc_serve_most_packed(&e->shape) * rc_kv_row(c);
    const size_t queries = (size_t)rc_serve_most_rows(&e->shape) * rc_q_row(c);
    if (c->cp == 1)
        return RC_OK;
    RC_TRY(rc_ring_layers_alloc(&e->memory, &e->message, keys, err));
    for (int i = 0; i < RC_RING_BUFFERS; i++)
        RC_TRY(rc_ring_layers_alloc(&e->memory, &s->ring[i], keys + queries, err));
    for (int i = 0; i < c->cp; i++) {
        const bool own = i == e->ranks->r[0].cp; /* what nobody has to send back */
        RC_TRY(open_part(e, &s->part_o[i], &s->part_lse[i], err));
        s->back_o[i] = s->part_o[i];
        s->back_lse[i] = s->part_lse[i];
        if (!own)
            RC_TRY(open_part(e, &s->back_o[i], &s->back_lse[i], err));
    }
    return RC_OK;
}
