/* Decode attention: one query token a sequence against its cache; split-KV, then combine. With the
 * condition "rest" the first sequence alone has b tokens of context and the others have that many.
 *
 * Bytes: K and V once (512 B a cached token and key/value head of 128, 256 in fp8), which is nearly all
 * there is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BATCH = 256 };

typedef struct decode_suite {
    rc_pools io, io8; /* bf16, fp8 */
    rc_buffer workspace, lens;
} decode_suite;

typedef struct decode {
    rc_pools *io;
    rc_sets sets;
    rc_decode_args args;
    size_t q_bytes, k_bytes, o_bytes;
} decode;

static bool is_fp8(const rc_point *p) {
    return !strcmp(p->dtype, "fp8");
}

/* Bytes of a query and a key, and of a value, of one head. */
static size_t key_bytes(const rc_point *p) {
    return (size_t)(p->head_k ? p->head_k : 128) * (is_fp8(p) ? 1 : 2);
}

static size_t value_bytes(const rc_point *p) {
    return (size_t)(p->head_v ? p->head_v : 128) * (is_fp8(p) ? 1 : 2);
}

/* O is of bf16 whatever the values are of. */
static size_t out_bytes(const rc_point *p) {
    return (size_t)(p->a * p->c) * 2 * (size_t)(p->head_v ? p->head_v : 128);
}

static size_t decode_q_bytes(const rc_point *p) {
    return rc_align((size_t)(p->a * p->c) * key_bytes(p));
}

/* fp8 values come in whole blocks of 128 keys a sequence. */
static size_t decode_rows_bytes(const rc_point *p, size_t row) {
    int64_t keys = is_fp8(p) ? (p->b + 127) / 128 * 128 : p->b;
    return rc_align((size_t)(p->a * keys * p->d) * row);
}

static rc_need decode_need(const rc_point *p) {
    size_t rows = (size_t)(p->a * p->c);
    return (rc_need){decode_q_bytes(p) + decode_rows_bytes(p, key_bytes(p)) +
                         decode_rows_bytes(p, value_bytes(p)),
                     rc_align(out_bytes(p)) + rows * sizeof(float)};
}

/* Tokens of context of sequence i. */
static int64_t context(const rc_point *p, int64_t i) {
    return i > 0 && p->cond && !strcmp(p->cond, "rest") ? p->value : p->b;
}

/* Bytes that a call reads and writes: less than there are where sequences are shorter. */
static size_t touched(const rc_point *p) {
    size_t kv = (size_t)(context(p, 0) + (p->a - 1) * context(p, 1)) * (size_t)p->d;
    return decode_q_bytes(p) + kv * (key_bytes(p) + value_bytes(p)) + out_bytes(p) +
           (size_t)(p->a * p->c) * sizeof(float);
}

static void decode_close(void *self) {
    decode_suite *s = self;
    if (!s)
        return;
    rc_pools_free(&s->io);
    rc_pools_free(&s->io8);
    rc_buffer_free(&s->workspace);
    rc_buffer_free(&s->lens);
    free(s);
}

static rc_status decode_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    decode_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_pools_reserve(c, points, decode_need, "bf16", &s->io, err);
    if (st == RC_OK)
        st = rc_pools_reserve(c, points, decode_need, "fp8", &s->io8, err);
    if (st == RC_OK)
        st = rc_buffer_reserve(&s->lens, MAX_BATCH * sizeof(int32_t), err);
    if (st != RC_OK) {
        decode_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status decode_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    decode *t = self;
    rc_decode_args a = t->args;
    const unsigned char *in = t->io->in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->io->out.p + (size_t)slot * t->sets.out_stride;
    a.q = in;
    a.k = in + t->q_bytes;
    a.v = in + t->q_bytes + t->k_bytes;
    a.o = out;
    a.lse = (float *)(void *)(out + t->o_bytes);
    return rc_kernel_check(err, rc_decode_forward(&a, stream), "rc_decode_forward");
}

static rc_status decode_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                                rc_error *err) {
    rc_need need = decode_need(p);
    decode_suite *s = self;
    decode t = {.io = is_fp8(p) ? &s->io8 : &s->io, .sets = rc_sets_for(&c->gpu, need)};
    int32_t lens[MAX_BATCH];
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    if (p->a > MAX_BATCH)
        return rc_fail(err, RC_E_UNMODELLED, "batches over %d are not measured", MAX_BATCH);
    for (int64_t i = 0; i < p->a; i++)
        lens[i] = (int32_t)context(p, i);
    RC_CUDA(cudaMemcpy(s->lens.p, lens, (size_t)p->a * sizeof lens[0], cudaMemcpyHostToDevice));
    t.q_bytes = decode_q_bytes(p);
    t.k_bytes = decode_rows_bytes(p, key_bytes(p));
    t.o_bytes = rc_align(out_bytes(p));
    t.args = (rc_decode_args){.lens = (const int32_t *)(const void *)s->lens.p,
                              .batch = (int)p->a,
                              .max_len = p->b,
                              .hq = (int)p->c,
                              .hkv = (int)p->d,
                              .head_k = (int)p->head_k,
                              .head_v = (int)p->head_v,
                              .dtype = is_fp8(p) ? RC_KERNEL_E4M3 : RC_KERNEL_BF16,
                              .q_scale = 1 / RC_E4M3_SPREAD,
                              .k_scale = 1 / RC_E4M3_SPREAD,
                              .v_scale = 1 / RC_E4M3_SPREAD};
    RC_TRY(rc_point_sms(c, p, &t.args.sms, err));
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_decode_workspace(&t.args), err));
    t.args.workspace = s->workspace.p;
    rc_bench_op op = {decode_launch, &t, touched(p), t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("decode"));
    return RC_OK;
}

const rc_suite rc_suite_decode = {decode_open, decode_measure, decode_close};
