/* Attention of a prefill by each schedule, double-buffered: the message of the next ring step rides
 * on the comm stream beside the attention of this one. The calls of a step are those of
 * docs/method.md, "Sharding".
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/body.h"
#include "kernels/kernels.h"

/* One launch on local rank i. K and V are rows 0..tk-1 of `kv`, V `stride` bytes behind K. */
typedef struct call {
    const void *q, *k, *v;
    void *o;
    float *lse;
    int64_t tq, tk;
    int causal;
} call;

static rc_status launch(rc_body *b, int i, const call *x, rc_error *err) {
    rc_attn_args a = {.q = x->q,
                      .k = x->k,
                      .v = x->v,
                      .o = x->o,
                      .lse = x->lse,
                      .tq = x->tq,
                      .tk = x->tk,
                      .hq = b->c.hq,
                      .hkv = b->c.hkv,
                      .causal = x->causal,
                      .sms = b->c.sms,
                      .workspace = b->s[i].workspace};
    RC_TRY(rc_part_begin(b, i, RC_RING_ATTENTION, err));
    RC_TRY(rc_kernel_check(err, rc_attn_forward(&a, b->rig->r[i].compute), "rc_attn_forward"));
    return rc_part_end(b, i, err);
}

/* Queries of cp rank `from` over the keys of cp rank `keys`, at most two launches. */
static rc_status see(rc_body *b, int i, int from, int keys, const void *q, void *kv, void *o,
                     float *lse, rc_error *err) {
    const rc_ring_case *c = &b->c;
    call x = {q, kv, rc_at(kv, (size_t)b->kv_rows * rc_kv_row(c)), o, lse, b->t, b->kv_rows, 0};
    if (from == keys) {
        x.causal = 1;
        return launch(b, i, &x, err);
    }
    if (keys < from) {
        x.tk = b->cached + b->chunk;
        return launch(b, i, &x, err);
    }
    if (b->cached > 0) { /* the first chunk sees what is cached, and nothing else of later ranks */
        x.tq = b->chunk;
        x.tk = b->cached;
        RC_TRY(launch(b, i, &x, err));
    }
    size_t rows = (size_t)(b->chunk * c->hq);
    x.q = (const unsigned char *)q + (size_t)b->chunk * rc_q_row(c);
    x.o = rc_at(o, (size_t)b->chunk * rc_q_row(c));
    x.lse = lse ? lse + rows : NULL;
    x.tq = b->chunk;
    x.tk = b->kv_rows;
    return launch(b, i, &x, err);
}

static rc_status merge(rc_body *b, int i, void *const *o, float *const *lse, rc_error *err) {
    const void *parts[RC_RING_MAX_RANKS];
    const float *sums[RC_RING_MAX_RANKS];
    for (int j = 0; j < b->c.cp; j++) {
        parts[j] = o[j];
        sums[j] = lse[j];
    }
    RC_TRY(rc_part_begin(b, i, RC_RING_MERGE, err));
    RC_TRY(rc_kernel_check(
        err,
        rc_merge(parts, sums, b->c.cp, b->t * b->c.hq, b->s[i].o, NULL, 0, b->rig->r[i].compute),
        "rc_merge"));
    return rc_part_end(b, i, err);
}

/* Comm streams go on no sooner than the compute streams are here, and the other way round. */
static rc_status comm_after_compute(rc_body *b, rc_error *err) {
    for (int i = 0; i < b->rig->local; i++) {
        rc_rig_rank *r = &b->rig->r[i];
        RC_CUDA(cudaEventRecord(r->computed, r->compute));
        RC_CUDA(cudaStreamWaitEvent(r->comm, r->computed, 0));
    }
    return RC_OK;
}

static rc_status compute_after_comm(rc_body *b, rc_error *err) {
    for (int i = 0; i < b->rig->local; i++) {
        rc_rig_rank *r = &b->rig->r[i];
        RC_CUDA(cudaStreamWaitEvent(r->compute, r->arrived, 0));
    }
    return RC_OK;
}

static rc_status exchange(rc_body *b, rc_ring_part part, const rc_leg *legs, int n, rc_error *err) {
    /* Virtual messages are not timed, and a mark spans one rank's begin and end. */
    bool timed = !b->rig->virtual_ranks;
    if (timed)
        RC_TRY(rc_part_begin(b, 0, part, err));
    RC_TRY(rc_rig_exchange(b->rig, legs, n, err));
    if (timed)
        RC_TRY(rc_part_end(b, 0, err));
    for (int i = 0; i < b->rig->local; i++)
        RC_CUDA(cudaEventRecord(b->rig->r[i].arrived, b->rig->r[i].comm));
    return RC_OK;
}

/* What local rank i holds in ring step j: its own, then what has come round. */
static void *held(rc_body *b, int i, int layer, int j) {
    rc_ring_state *s = &b->s[i];
    if (j > 0)
        return s->ring[(j - 1) % 2];
    return b->c.schedule == RC_RING_PASS_KV ? s->kv[layer] : s->q;
}

/* Ring step j's message, from each rank to the next. */
static rc_status send_on(rc_body *b, int layer, int j, size_t bytes, rc_error *err) {
    rc_leg legs[2 * RC_RING_MAX_RANKS];
    int n = 0, ranks = b->c.cp;
    for (int i = 0; i < b->rig->local; i++) {
        int me = b->rig->r[i].cp;
        legs[n++] = (rc_leg){i, (me + 1) % ranks, true, held(b, i, layer, j), bytes};
        legs[n++] = (rc_leg){i, (me + ranks - 1) % ranks, false, b->s[i].ring[j % 2], bytes};
    }
    return exchange(b, RC_RING_SENDRECV, legs, n, err);
}

/* Order of a step: compute waits for the message it reads (arrived, of step j-1); then the next
 * message may start, once the attention that read the buffer it overwrites is done. That is the
 * attention of step j-1, which the compute stream has been given before this step's. */
static rc_status ring(rc_body *b, int layer, size_t bytes, rc_error *err) {
    int ranks = b->c.cp;
    for (int j = 0; j < ranks; j++) {
        if (j > 0)
            RC_TRY(compute_after_comm(b, err));
        if (j + 1 < ranks) {
            RC_TRY(comm_after_compute(b, err));
            RC_TRY(send_on(b, layer, j, bytes, err));
        }
        for (int i = 0; i < b->rig->local; i++) {
            rc_ring_state *s = &b->s[i];
            int me = b->rig->r[i].cp, other = (me - j + ranks) % ranks;
            if (b->c.schedule == RC_RING_PASS_KV)
                RC_TRY(see(b, i, me, other, s->q, held(b, i, layer, j), s->part_o[other],
                           s->part_lse[other], err));
            else
                RC_TRY(see(b, i, other, me, held(b, i, layer, j), s->kv[layer], s->part_o[other],
                           s->part_lse[other], err));
        }
    }
    return RC_OK;
}

/* Partial outputs, then their sums, to the ranks whose queries they are. */
static rc_status give_back(rc_body *b, bool sums, rc_error *err) {
    rc_leg legs[4 * RC_RING_MAX_RANKS * RC_RING_MAX_RANKS / 2];
    size_t bytes = sums ? (size_t)(b->t * b->c.hq) * sizeof(float) : (size_t)b->t * rc_q_row(&b->c);
    int n = 0, ranks = b->c.cp;
    for (int i = 0; i < b->rig->local; i++) {
        rc_ring_state *s = &b->s[i];
        int me = b->rig->r[i].cp;
        for (int d = 1; d < ranks; d++) {
            int to = (me + d) % ranks, from = (me - d + ranks) % ranks;
            void *out = sums ? (void *)s->part_lse[to] : s->part_o[to];
            void *in = sums ? (void *)s->back_lse[from] : s->back_o[from];
            if (n + 2 > (int)(sizeof legs / sizeof legs[0]))
                return rc_fail(err, RC_E_UNMODELLED, "too many virtual ranks for an all-to-all");
            legs[n++] = (rc_leg){i, to, true, out, bytes};
            legs[n++] = (rc_leg){i, from, false, in, bytes};
        }
    }
    return exchange(b, RC_RING_ALL2ALL, legs, n, err);
}

/* Pass-Q's end: both exchanges, then each rank's merge of its own part with what came back. */
static rc_status return_parts(rc_body *b, rc_error *err) {
    RC_TRY(comm_after_compute(b, err));
    RC_TRY(give_back(b, false, err));
    RC_TRY(give_back(b, true, err));
    RC_TRY(compute_after_comm(b, err));
    for (int i = 0; i < b->rig->local; i++) {
        rc_ring_state *s = &b->s[i];
        int me = b->rig->r[i].cp;
        s->back_o[me] = s->part_o[me];
        s->back_lse[me] = s->part_lse[me];
        RC_TRY(merge(b, i, s->back_o, s->back_lse, err));
    }
    return RC_OK;
}

/* ---- all-gather ------------------------------------------------------------------------------ */

/* Pieces of cp rank s in the gathered K (which = 0) or V (1): cached, first chunk, second chunk. */
static int pieces(const rc_body *b, int s, int which, size_t at[3], size_t bytes[3]) {
    const rc_ring_case *c = &b->c;
    size_t row = rc_kv_row(c), base = (size_t)which * (size_t)(c->t + c->p) * row;
    size_t chunk = (size_t)b->chunk * row, cached = (size_t)b->cached * row;
    at[0] = base + (size_t)s * cached;
    bytes[0] = cached;
    at[1] = base + (size_t)c->p * row + (size_t)s * chunk;
    at[2] = base + (size_t)c->p * row + (size_t)(2 * c->cp - 1 - s) * chunk;
    bytes[1] = bytes[2] = chunk;
    return b->t > b->chunk ? 3 : 2;
}

static rc_status place_own(rc_body *b, int i, int layer, rc_error *err) {
    const rc_rig_rank *r = &b->rig->r[i];
    size_t at[3], bytes[3], from = 0;
    for (int which = 0; which < 2; which++) {
        int n = pieces(b, r->cp, which, at, bytes);
        for (int k = 0; k < n; k++) {
            if (bytes[k])
                RC_CUDA(cudaMemcpyAsync(rc_at(b->s[i].all_kv, at[k]),
                                        rc_at(b->s[i].kv[layer], from), bytes[k],
                                        cudaMemcpyDeviceToDevice, r->comm));
            from += bytes[k];
        }
    }
    return RC_OK;
}

/* Step j of the gathering: every rank hands on the pieces of rank me - j. */
static rc_status gather_step(rc_body *b, int j, rc_error *err) {
    rc_leg legs[12 * RC_RING_MAX_RANKS];
    size_t at[3], bytes[3];
    int n = 0, ranks = b->c.cp;
    for (int i = 0; i < b->rig->local; i++)
        for (int side = 0; side < 4; side++) { /* send K, send V, receive K, receive V */
            int me = b->rig->r[i].cp, send = side < 2;
            int owner = (me - j - (send ? 0 : 1) + 2 * ranks) % ranks;
            int peer = send ? (me + 1) % ranks : (me + ranks - 1) % ranks;
            int count = pieces(b, owner, side % 2, at, bytes);
            for (int k = 0; k < count; k++)
                if (bytes[k])
                    legs[n++] = (rc_leg){i, peer, send, rc_at(b->s[i].all_kv, at[k]), bytes[k]};
        }
    return exchange(b, RC_RING_GATHER, legs, n, err);
}

/* Each chunk sees all that is cached and everything up to its own end. */
static rc_status see_gathered(rc_body *b, int i, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    int me = b->rig->r[i].cp;
    void *v = rc_at(s->all_kv, (size_t)(c->t + c->p) * rc_kv_row(c));
    for (int k = 0; k < 2; k++) {
        int chunk = k ? 2 * c->cp - 1 - me : me;
        size_t from = (size_t)(k * b->chunk) * rc_q_row(c);
        call x = {rc_at(s->q, from),
                  s->all_kv,
                  v,
                  rc_at(s->o, from),
                  NULL,
                  b->chunk,
                  c->p + (chunk + 1) * b->chunk,
                  1};
        RC_TRY(launch(b, i, &x, err));
    }
    return RC_OK;
}

static rc_status gather(rc_body *b, int layer, rc_error *err) {
    RC_TRY(comm_after_compute(b, err));
    for (int i = 0; i < b->rig->local; i++)
        RC_TRY(place_own(b, i, layer, err));
    for (int j = 0; j + 1 < b->c.cp; j++)
        RC_TRY(gather_step(b, j, err));
    RC_TRY(compute_after_comm(b, err));
    for (int i = 0; i < b->rig->local; i++)
        RC_TRY(see_gathered(b, i, err));
    return RC_OK;
}

/* ---- by schedule ---------------------------------------------------------------------------- */

rc_status rc_body_attend(rc_body *b, int layer, rc_error *err) {
    const rc_ring_case *c = &b->c;
    if (c->cp == 1) {
        for (int i = 0; i < b->rig->local; i++)
            RC_TRY(see(b, i, 0, 0, b->s[i].q, b->s[i].kv[layer], b->s[i].o, NULL, err));
        return RC_OK;
    }
    if (c->schedule == RC_RING_ALL_GATHER)
        return gather(b, layer, err);
    bool pass_kv = c->schedule == RC_RING_PASS_KV;
    size_t bytes = pass_kv ? 2 * (size_t)b->kv_rows * rc_kv_row(c) : (size_t)b->t * rc_q_row(c);
    RC_TRY(ring(b, layer, bytes, err));
    if (!pass_kv)
        return return_parts(b, err);
    for (int i = 0; i < b->rig->local; i++)
        RC_TRY(merge(b, i, b->s[i].part_o, b->s[i].part_lse, err));
    return RC_OK;
}

/* Decode: the queries of cp rank `from` over this rank's share of their contexts. */
static rc_status see_decode(rc_body *b, int i, int layer, int from, const void *q, void *o,
                            float *lse, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    size_t row = rc_kv_row(c), first = (size_t)(from * b->t * b->cached) * row;
    rc_decode_args a = {.q = q,
                        .k = rc_at(s->kv[layer], first),
                        .v = rc_at(s->kv[layer], (size_t)b->kv_rows * row + first),
                        .lens = s->lens,
                        .o = o,
                        .lse = lse,
                        .batch = (int)b->t,
                        .max_len = b->cached,
                        .hq = c->hq,
                        .hkv = c->hkv,
                        .workspace = s->workspace};
    RC_TRY(rc_part_begin(b, i, RC_RING_ATTENTION, err));
    RC_TRY(rc_kernel_check(err, rc_decode_forward(&a, b->rig->r[i].compute), "rc_decode_forward"));
    return rc_part_end(b, i, err);
}

rc_status rc_body_attend_decode(rc_body *b, int layer, rc_error *err) {
    int ranks = b->c.cp;
    for (int j = 0; j < ranks; j++) {
        if (j > 0)
            RC_TRY(compute_after_comm(b, err));
        if (j + 1 < ranks) {
            RC_TRY(comm_after_compute(b, err));
            RC_TRY(send_on(b, layer, j, (size_t)b->t * rc_q_row(&b->c), err));
        }
        for (int i = 0; i < b->rig->local; i++) {
            rc_ring_state *s = &b->s[i];
            int other = (b->rig->r[i].cp - j + ranks) % ranks;
            void *o = ranks > 1 ? s->part_o[other] : s->o;
            float *lse = ranks > 1 ? s->part_lse[other] : NULL;
            RC_TRY(see_decode(b, i, layer, other, held(b, i, layer, j), o, lse, err));
        }
    }
    return ranks > 1 ? return_parts(b, err) : RC_OK;
}
