/* Attention of a prefill or decode step by each schedule. The message of the next ring step is on
 * the comm stream while the attention of this step runs. The calls of a step are those of
 * docs/method.md, "Sharding".
 *
 * How attention and a message share the chip. A CTA of attention fills an SM, and so does one of
 * NCCL's. There are two ways:
 *   - SMs kept free (`sms` of the case > 0): attention runs on that many SMs and leaves the others
 *     to NCCL.
 *   - Dynamic tiles (`sms` 0): attention takes all SMs and fetches its tiles one by one from a
 *     counter, so that it loses only the SMs that NCCL's CTAs hold, for as long as they hold them.
 *     It cannot give back an SM that it has, so NCCL must get its SMs first. That is why the comm
 *     stream has the highest priority, why messages have RC_RING_BUFFERS buffers (one may wait for
 *     SMs from the step before on), and why a small node of the graph precedes attention.
 * Dynamic tiles are enough over NVLink. Where a message takes as long as attention (host memory,
 * pass-KV), both become ready together and attention often gets the SMs first, so that the message
 * runs after it. Cases of that kind keep SMs free (docs/validation.md has both, measured).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_layers.h"

#include <assert.h>
#include "kernels/kernels.h"

/* One launch on local rank i: queries and keys of `tq` and `tk` rows, as one sequence (seqs 0) or
 * as two chunks of queries, each with its own range of keys. */
typedef struct call {
    const void *q, *k, *v;
    void *o;
    float *lse;
    int64_t tq, tk;
    int causal;
    bool overlapped; /* a message may be under way */
    int seqs;
    int32_t q_start[2], q_len[2], k_start[2], k_len[2];
} call;

static rc_status launch(rc_ring_layers *b, int i, const call *x, rc_error *err) {
    cudaStream_t stream = b->ranks->r[i].compute;
    bool overlapped = x->overlapped && b->mode == RC_RING_WHOLE;
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
                      .sms = overlapped ? b->c.sms : 0,
                      .workspace = b->s[i].workspace,
                      .seqs = x->seqs,
                      .q_start = x->q_start,
                      .q_len = x->q_len,
                      .k_start = x->k_start,
                      .k_len = x->k_len,
                      .tickets = b->s[i].tickets,
                      .share = overlapped && b->c.sms == 0};
    if (b->mode == RC_RING_MESSAGES)
        return RC_OK;
    if (a.share) /* gives NCCL time to start; the counters are zero before it, too */
        RC_CUDA(cudaMemsetAsync(b->s[i].tickets, 0, RC_ATTN_TICKET_BYTES, stream));
    RC_TRY(rc_ring_part_begin(b, i, RC_RING_ATTENTION, err));
    RC_TRY(rc_kernel_check(err, rc_attn_forward(&a, stream), "rc_attn_forward"));
    return rc_ring_part_end(b, i, err);
}

/* Two chunks of queries over keys [0, first) and [0, second). */
static void split_chunks(call *x, int64_t chunk, int64_t first, int64_t second) {
    assert(chunk > 0 && chunk <= INT32_MAX);
    assert(first >= 0 && second >= first && second <= INT32_MAX);
    x->seqs = 2;
    x->q_start[0] = x->k_start[0] = x->k_start[1] = 0;
    x->q_start[1] = x->q_len[0] = x->q_len[1] = (int32_t)chunk;
    x->k_len[0] = (int32_t)first;
    x->k_len[1] = (int32_t)second;
}

/* Attention of the queries of cp rank `from` over the keys of cp rank `keys`, in one launch. */
static rc_status attend_shard(rc_ring_layers *b, int i, int from, int keys, const void *q, void *kv,
                              void *o, float *lse, bool overlapped, rc_error *err) {
    const rc_ring_case *c = &b->c;
    call x = {.q = q,
              .k = kv,
              .v = rc_at(kv, (size_t)b->kv_rows * rc_kv_row(c)),
              .o = o,
              .lse = lse,
              .tq = b->t,
              .tk = b->kv_rows,
              .overlapped = overlapped};
    if (from == keys) {
        x.causal = 1;
    } else if (keys < from) {
        x.tk = b->cached + b->chunk;
    } else if (b->cached >
               0) { /* the first chunk sees what is cached, and nothing else of later ranks */
        split_chunks(&x, b->chunk, b->cached, b->kv_rows);
    } else {
        size_t rows = (size_t)(b->chunk * c->hq);
        x.q = (const unsigned char *)q + (size_t)b->chunk * rc_q_row(c);
        x.o = rc_at(o, (size_t)b->chunk * rc_q_row(c));
        x.lse = lse ? lse + rows : NULL;
        x.tq = b->chunk;
    }
    return launch(b, i, &x, err);
}

static rc_status merge(rc_ring_layers *b, int i, void *const *o, float *const *lse, rc_error *err) {
    const void *parts[RC_RING_MAX_RANKS];
    const float *sums[RC_RING_MAX_RANKS];
    for (int j = 0; j < b->c.cp; j++) {
        parts[j] = o[j];
        sums[j] = lse[j];
    }
    if (b->mode == RC_RING_MESSAGES)
        return RC_OK;
    RC_TRY(rc_ring_part_begin(b, i, RC_RING_MERGE, err));
    RC_TRY(rc_kernel_check(
        err,
        rc_merge(parts, sums, b->c.cp, b->t * b->c.hq, b->s[i].o, NULL, 0, b->ranks->r[i].compute),
        "rc_merge"));
    return rc_ring_part_end(b, i, err);
}

/* Comm streams go on no sooner than the compute streams are here, and the other way round. */
static rc_status comm_after_compute(rc_ring_layers *b, rc_error *err) {
    for (int i = 0; i < b->ranks->local; i++) {
        rc_ring_rank *r = &b->ranks->r[i];
        RC_CUDA(cudaEventRecord(r->computed, r->compute));
        RC_CUDA(cudaStreamWaitEvent(r->comm, r->computed, 0));
    }
    return RC_OK;
}

static rc_status compute_after_comm(rc_ring_layers *b, rc_error *err) {
    if (b->mode ==
        RC_RING_COMPUTE) /* nothing was sent, so `arrived` may be of an earlier capture */
        return RC_OK;
    for (int i = 0; i < b->ranks->local; i++) {
        rc_ring_rank *r = &b->ranks->r[i];
        RC_CUDA(cudaStreamWaitEvent(r->compute, r->arrived, 0));
    }
    return RC_OK;
}

static rc_status exchange(rc_ring_layers *b, rc_ring_part part, const rc_ring_p2p *ops, int n,
                          rc_error *err) {
    /* Virtual messages are not timed, and a mark spans one rank's begin and end. */
    bool timed = !b->ranks->virtual_ranks;
    if (b->mode == RC_RING_COMPUTE)
        return RC_OK;
    if (timed)
        RC_TRY(rc_ring_part_begin(b, 0, part, err));
    RC_TRY(rc_ring_exchange(b->ranks, ops, n, err));
    if (timed)
        RC_TRY(rc_ring_part_end(b, 0, err));
    for (int i = 0; i < b->ranks->local; i++)
        RC_CUDA(cudaEventRecord(b->ranks->r[i].arrived, b->ranks->r[i].comm));
    return RC_OK;
}

/* What local rank i holds in ring step j: its own, then what has come round. */
static void *held(rc_ring_layers *b, int i, int layer, int j) {
    assert(i >= 0 && i < b->ranks->local);
    assert(layer >= 0 && layer < b->c.layers);
    assert(j >= 0 && j < b->c.cp);
    rc_ring_state *s = &b->s[i];
    if (j > 0)
        return s->ring[(j - 1) % RC_RING_BUFFERS];
    return b->c.schedule == RC_RING_PASS_KV ? s->kv[layer] : s->q;
}

/* Ring step j's message, from each rank to the next. It overwrites what came RC_RING_BUFFERS
 * messages before, which the attention of the step behind that one has read. */
static rc_status send_on(rc_ring_layers *b, int layer, int j, size_t bytes, rc_error *err) {
    rc_ring_p2p ops[2 * RC_RING_MAX_RANKS];
    int n = 0, ranks = b->c.cp, read = j - RC_RING_BUFFERS + 1;
    for (int i = 0; i < b->ranks->local; i++) {
        rc_ring_rank *r = &b->ranks->r[i];
        int me = r->cp;
        if (read >= 0 && b->mode == RC_RING_WHOLE)
            RC_CUDA(cudaStreamWaitEvent(r->comm, r->stepped[read % RC_RING_BUFFERS], 0));
        ops[n++] = (rc_ring_p2p){i, (me + 1) % ranks, true, held(b, i, layer, j), bytes};
        ops[n++] = (rc_ring_p2p){i, (me + ranks - 1) % ranks, false,
                                 b->s[i].ring[j % RC_RING_BUFFERS], bytes};
    }
    return exchange(b, RC_RING_SENDRECV, ops, n, err);
}

/* The attention of ring step j is enqueued on local rank i. */
static rc_status step_done(rc_ring_layers *b, int i, int j, rc_error *err) {
    rc_ring_rank *r = &b->ranks->r[i];
    RC_CUDA(cudaEventRecord(r->stepped[j % RC_RING_BUFFERS], r->compute));
    return RC_OK;
}

/* Attention of ring step j on local rank i, whose message for step j + 1 is under way when
 * `overlapped`. */
typedef rc_status step_fn(rc_ring_layers *b, int i, int layer, int j, bool overlapped,
                          rc_error *err);

/* Order of a step: compute waits for the message it reads, that of step j - 1; the next message is
 * already on its way behind it. */
static rc_status run_ring(rc_ring_layers *b, int layer, size_t bytes, step_fn *attend,
                          rc_error *err) {
    int ranks = b->c.cp;
    RC_TRY(comm_after_compute(b, err)); /* what the first message carries is computed */
    for (int j = 0; j < ranks; j++) {
        b->step = j;
        if (j > 0)
            RC_TRY(compute_after_comm(b, err));
        if (j + 1 < ranks)
            RC_TRY(send_on(b, layer, j, bytes, err));
        for (int i = 0; i < b->ranks->local; i++) {
            RC_TRY(attend(b, i, layer, j, j + 1 < ranks, err));
            RC_TRY(step_done(b, i, j, err));
        }
    }
    b->step = 0;
    return RC_OK;
}

static rc_status prefill_step(rc_ring_layers *b, int i, int layer, int j, bool overlapped,
                              rc_error *err) {
    rc_ring_state *s = &b->s[i];
    int me = b->ranks->r[i].cp, other = (me - j + b->c.cp) % b->c.cp;
    void *round = held(b, i, layer, j);
    return b->c.schedule == RC_RING_PASS_KV
               ? attend_shard(b, i, me, other, s->q, round, s->part_o[other], s->part_lse[other],
                              overlapped, err)
               : attend_shard(b, i, other, me, round, s->kv[layer], s->part_o[other],
                              s->part_lse[other], overlapped, err);
}

/* Partial outputs and their sums, in one group, to the ranks whose queries they are. */
static rc_status return_to_owners(rc_ring_layers *b, rc_error *err) {
    rc_ring_p2p ops[8 * RC_RING_MAX_RANKS * RC_RING_MAX_RANKS / 2];
    size_t bytes[] = {(size_t)b->t * rc_q_row(&b->c), (size_t)(b->t * b->c.hq) * sizeof(float)};
    int n = 0, ranks = b->c.cp;
    for (int i = 0; i < b->ranks->local; i++) {
        rc_ring_state *s = &b->s[i];
        int me = b->ranks->r[i].cp;
        for (int d = 1; d < ranks; d++) {
            int to = (me + d) % ranks, from = (me - d + ranks) % ranks;
            if (n + 4 > (int)(sizeof ops / sizeof ops[0]))
                return rc_fail(err, RC_E_UNMODELLED, "too many virtual ranks for an all-to-all");
            ops[n++] = (rc_ring_p2p){i, to, true, s->part_o[to], bytes[0]};
            ops[n++] = (rc_ring_p2p){i, from, false, s->back_o[from], bytes[0]};
            ops[n++] = (rc_ring_p2p){i, to, true, s->part_lse[to], bytes[1]};
            ops[n++] = (rc_ring_p2p){i, from, false, s->back_lse[from], bytes[1]};
        }
    }
    return exchange(b, RC_RING_ALL2ALL, ops, n, err);
}

/* Pass-Q's end: the exchange, then each rank's merge of its own part with what came back. */
static rc_status return_parts(rc_ring_layers *b, rc_error *err) {
    RC_TRY(comm_after_compute(b, err));
    RC_TRY(return_to_owners(b, err));
    RC_TRY(compute_after_comm(b, err));
    for (int i = 0; i < b->ranks->local; i++) {
        rc_ring_state *s = &b->s[i];
        int me = b->ranks->r[i].cp;
        s->back_o[me] = s->part_o[me];
        s->back_lse[me] = s->part_lse[me];
        RC_TRY(merge(b, i, s->back_o, s->back_lse, err));
    }
    return RC_OK;
}

/* ---- all-gather ------------------------------------------------------------------------------ */

/* Pieces of cp rank s in the gathered K (which = 0) or V (1): cached, first chunk, second chunk. */
static int pieces(const rc_ring_layers *b, int s, int which, size_t at[3], size_t bytes[3]) {
    assert(s >= 0 && s < b->c.cp);
    assert(which == 0 || which == 1);
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

static rc_status place_own(rc_ring_layers *b, int i, int layer, rc_error *err) {
    const rc_ring_rank *r = &b->ranks->r[i];
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
static rc_status gather_step(rc_ring_layers *b, int j, rc_error *err) {
    rc_ring_p2p ops[12 * RC_RING_MAX_RANKS];
    size_t at[3], bytes[3];
    int n = 0, ranks = b->c.cp;
    for (int i = 0; i < b->ranks->local; i++)
        for (int side = 0; side < 4; side++) { /* send K, send V, receive K, receive V */
            int me = b->ranks->r[i].cp, send = side < 2;
            int owner = (me - j - (send ? 0 : 1) + 2 * ranks) % ranks;
            int peer = send ? (me + 1) % ranks : (me + ranks - 1) % ranks;
            int count = pieces(b, owner, side % 2, at, bytes);
            for (int k = 0; k < count; k++)
                if (bytes[k])
                    ops[n++] = (rc_ring_p2p){i, peer, send, rc_at(b->s[i].all_kv, at[k]), bytes[k]};
        }
    return exchange(b, RC_RING_GATHER, ops, n, err);
}

/* Each chunk sees all that is cached and everything up to its own end. */
static rc_status attend_gathered(rc_ring_layers *b, int i, rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    int me = b->ranks->r[i].cp;
    call x = {.q = s->q,
              .k = s->all_kv,
              .v = rc_at(s->all_kv, (size_t)(c->t + c->p) * rc_kv_row(c)),
              .o = s->o,
              .tq = b->t,
              .tk = c->t + c->p,
              .causal = 1};
    split_chunks(&x, b->chunk, c->p + (me + 1) * b->chunk, c->p + (2 * c->cp - me) * b->chunk);
    return launch(b, i, &x, err);
}

static rc_status gather(rc_ring_layers *b, int layer, rc_error *err) {
    RC_TRY(comm_after_compute(b, err));
    for (int i = 0; i < b->ranks->local && b->mode != RC_RING_COMPUTE; i++)
        RC_TRY(place_own(b, i, layer, err));
    for (int j = 0; j + 1 < b->c.cp; j++)
        RC_TRY(gather_step(b, j, err));
    RC_TRY(compute_after_comm(b, err));
    for (int i = 0; i < b->ranks->local; i++)
        RC_TRY(attend_gathered(b, i, err));
    return RC_OK;
}

/* ---- by schedule ---------------------------------------------------------------------------- */

rc_status rc_ring_attend(rc_ring_layers *b, int layer, rc_error *err) {
    const rc_ring_case *c = &b->c;
    if (c->cp == 1) {
        for (int i = 0; i < b->ranks->local; i++)
            RC_TRY(attend_shard(b, i, 0, 0, b->s[i].q, b->s[i].kv[layer], b->s[i].o, NULL, false,
                                err));
        return RC_OK;
    }
    if (c->schedule == RC_RING_ALL_GATHER)
        return gather(b, layer, err);
    bool pass_kv = c->schedule == RC_RING_PASS_KV;
    size_t bytes = pass_kv ? 2 * (size_t)b->kv_rows * rc_kv_row(c) : (size_t)b->t * rc_q_row(c);
    RC_TRY(run_ring(b, layer, bytes, prefill_step, err));
    if (!pass_kv)
        return return_parts(b, err);
    for (int i = 0; i < b->ranks->local; i++)
        RC_TRY(merge(b, i, b->s[i].part_o, b->s[i].part_lse, err));
    return RC_OK;
}

/* Decode: the queries that ring step j brings over this rank's share of their contexts. */
static rc_status decode_step(rc_ring_layers *b, int i, int layer, int j, bool overlapped,
                             rc_error *err) {
    const rc_ring_case *c = &b->c;
    rc_ring_state *s = &b->s[i];
    int ranks = c->cp, other = (b->ranks->r[i].cp - j + ranks) % ranks;
    size_t row = rc_kv_row(c), first = (size_t)(other * b->t * b->cached) * row;
    rc_decode_args a = {.q = held(b, i, layer, j),
                        .k = rc_at(s->kv[layer], first),
                        .v = rc_at(s->kv[layer], (size_t)b->kv_rows * row + first),
                        .lens = s->lens,
                        .o = ranks > 1 ? s->part_o[other] : s->o,
                        .lse = ranks > 1 ? s->part_lse[other] : NULL,
                        .batch = (int)b->t,
                        .max_len = b->cached,
                        .hq = c->hq,
                        .hkv = c->hkv,
                        .sms = overlapped && b->mode == RC_RING_WHOLE ? c->sms : 0,
                        .workspace = s->workspace};
    if (b->mode == RC_RING_MESSAGES)
        return RC_OK;
    RC_TRY(rc_ring_part_begin(b, i, RC_RING_ATTENTION, err));
    RC_TRY(
        rc_kernel_check(err, rc_decode_forward(&a, b->ranks->r[i].compute), "rc_decode_forward"));
    return rc_ring_part_end(b, i, err);
}

rc_status rc_ring_attend_decode(rc_ring_layers *b, int layer, rc_error *err) {
    if (b->c.cp == 1) {
        for (int i = 0; i < b->ranks->local; i++)
            RC_TRY(decode_step(b, i, layer, 0, false, err));
        return RC_OK;
    }
    RC_TRY(run_ring(b, layer, (size_t)b->t * rc_q_row(&b->c), decode_step, err));
    return return_parts(b, err);
}
