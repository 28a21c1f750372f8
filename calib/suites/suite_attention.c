/* Prefill attention: rc_attn_forward, full and causal (bottom-right), bf16 and fp8 (e4m3). With the
 * condition "seqs" the axes are those of one sequence of a batch in a single launch. Latents that were made
 * into keys and values (mla_prefill) are causal attention with keys and values for every head.
 *
 * Bytes: each of Q, K, V, O once, and the LSE.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

/* Longest single call taken, at an optimistic 600 TFLOP/s (the list knows the same rule). */
#define LONGEST_S 2.5

typedef struct attn_suite {
    rc_pools io, io8; /* bf16, fp8 */
    rc_buffer workspace, tickets;
} attn_suite;

typedef struct attn {
    rc_pools *io;
    rc_sets sets;
    rc_attn_args args;
    size_t q_bytes, k_bytes, o_bytes;
    int32_t q_start[RC_ATTN_MAX_SEQS], q_len[RC_ATTN_MAX_SEQS];
    int32_t k_start[RC_ATTN_MAX_SEQS], k_len[RC_ATTN_MAX_SEQS];
} attn;

static bool is_fp8(const rc_point *p) {
    return !strcmp(p->dtype, "fp8");
}

static bool is_latent(const rc_point *p) {
    return !strcmp(p->op, "mla_prefill");
}

static int64_t sequences(const rc_point *p) {
    if (is_latent(p))
        return p->d;
    return p->cond && !strcmp(p->cond, "seqs") ? p->value : 1;
}

static int64_t kv_heads(const rc_point *p) {
    return is_latent(p) ? p->c : p->d;
}

/* Bytes of a query and a key, and of a value, of one head. */
static size_t key_bytes(const rc_point *p) {
    return (size_t)(p->head_k ? p->head_k : 128) * (is_fp8(p) ? 1 : 2);
}

static size_t value_bytes(const rc_point *p) {
    return (size_t)(p->head_v ? p->head_v : 128) * (is_fp8(p) ? 1 : 2);
}

static size_t attn_q_bytes(const rc_point *p) {
    return rc_align((size_t)(sequences(p) * p->a * p->c) * key_bytes(p));
}

/* fp8 values come in whole blocks of 128 keys. */
static size_t attn_rows_bytes(const rc_point *p, size_t row) {
    int64_t keys = is_fp8(p) ? (p->b + 127) / 128 * 128 : p->b;
    return rc_align((size_t)(sequences(p) * keys * kv_heads(p)) * row);
}

static size_t attn_o_bytes(const rc_point *p) {
    return rc_align((size_t)(sequences(p) * p->a * p->c) * 2 *
                    (size_t)(p->head_v ? p->head_v : 128));
}

static rc_need attn_need(const rc_point *p) {
    size_t rows = (size_t)(sequences(p) * p->a * p->c);
    return (rc_need){attn_q_bytes(p) + attn_rows_bytes(p, key_bytes(p)) +
                         attn_rows_bytes(p, value_bytes(p)),
                     attn_o_bytes(p) + rows * sizeof(float)};
}

static void attn_close(void *self) {
    attn_suite *s = self;
    if (!s)
        return;
    rc_pools_free(&s->io);
    rc_pools_free(&s->io8);
    rc_buffer_free(&s->workspace);
    rc_buffer_free(&s->tickets);
    free(s);
}

/* Tiles are handed out by counters, as an engine would have it; calls of one stream share them. */
static rc_status open_tickets(attn_suite *s, rc_error *err) {
    RC_TRY(rc_buffer_reserve(&s->tickets, RC_ATTN_TICKET_BYTES, err));
    RC_CUDA(cudaMemset(s->tickets.p, 0, RC_ATTN_TICKET_BYTES));
    return RC_OK;
}

static rc_status attn_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    attn_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_pools_reserve(c, points, attn_need, "bf16", &s->io, err);
    if (st == RC_OK)
        st = rc_pools_reserve(c, points, attn_need, "fp8", &s->io8, err);
    if (st == RC_OK)
        st = open_tickets(s, err);
    if (st != RC_OK) {
        attn_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status attn_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    attn *t = self;
    rc_attn_args a = t->args;
    const unsigned char *in = t->io->in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->io->out.p + (size_t)slot * t->sets.out_stride;
    a.q = in;
    a.k = in + t->q_bytes;
    a.v = in + t->q_bytes + t->k_bytes;
    a.o = out;
    a.lse = (float *)(void *)(out + t->o_bytes);
    return rc_kernel_check(err, rc_attn_forward(&a, stream), "rc_attn_forward");
}

/* Sequences one behind another. One alone needs no lists. */
static rc_status set_sequences(attn *t, const rc_point *p, rc_error *err) {
    int64_t n = sequences(p);
    if (n == 1)
        return RC_OK;
    if (n > RC_ATTN_MAX_SEQS)
        return rc_fail(err, RC_E_UNMODELLED, "at most %d sequences are taken", RC_ATTN_MAX_SEQS);
    for (int64_t i = 0; i < n; i++) {
        t->q_start[i] = (int32_t)(i * p->a);
        t->k_start[i] = (int32_t)(i * p->b);
        t->q_len[i] = (int32_t)p->a;
        t->k_len[i] = (int32_t)p->b;
    }
    t->args.seqs = (int)n;
    t->args.tq = n * p->a;
    t->args.tk = n * p->b;
    t->args.q_start = t->q_start;
    t->args.q_len = t->q_len;
    t->args.k_start = t->k_start;
    t->args.k_len = t->k_len;
    return RC_OK;
}

static rc_status attn_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    rc_need need = attn_need(p);
    attn_suite *s = self;
    attn t = {.io = is_fp8(p) ? &s->io8 : &s->io, .sets = rc_sets_for(&c->gpu, need)};
    bool causal = is_latent(p) || !strcmp(p->variant, "causal");
    double columns = (double)(p->head_k ? p->head_k + p->head_v : 256);
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    double pairs = (double)sequences(p) * rc_attn_pairs(p->a, p->b, causal);
    if (2 * columns * (double)p->c * pairs / 600e12 > LONGEST_S)
        return rc_fail(err, RC_E_UNMODELLED, "one call would take over %.1f s", LONGEST_S);
    t.q_bytes = attn_q_bytes(p);
    t.k_bytes = attn_rows_bytes(p, key_bytes(p));
    t.o_bytes = attn_o_bytes(p);
    t.args = (rc_attn_args){.tq = p->a,
                            .tk = p->b,
                            .hq = (int)p->c,
                            .hkv = (int)kv_heads(p),
                            .head_k = (int)p->head_k,
                            .head_v = (int)p->head_v,
                            .causal = causal,
                            .dtype = is_fp8(p) ? RC_KERNEL_E4M3 : RC_KERNEL_BF16,
                            .q_scale = 1 / RC_E4M3_SPREAD,
                            .k_scale = 1 / RC_E4M3_SPREAD,
                            .v_scale = 1 / RC_E4M3_SPREAD};
    RC_TRY(set_sequences(&t, p, err));
    RC_TRY(rc_point_sms(c, p, &t.args.sms, err));
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_attn_workspace(&t.args), err));
    t.args.workspace = s->workspace.p;
    t.args.tickets = s->tickets.p;
    rc_bench_op op = {attn_launch, &t, need.in + need.out, t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("attention"));
    return RC_OK;
}

const rc_suite rc_suite_attention = {attn_open, attn_measure, attn_close};
