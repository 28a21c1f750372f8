/* Decode attention: one query token a sequence against its cache; split-KV, then combine.
 *
 * Bytes: K and V once (512 B a cached token and key/value head), which is nearly all there is.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>

enum { MAX_BATCH = 256 };

typedef struct decode_suite {
    rc_pools io;
    rc_pool workspace, lens;
} decode_suite;

typedef struct decode {
    decode_suite *suite;
    rc_sets sets;
    rc_decode_args args;
    size_t q_bytes, kv_bytes;
} decode;

static rc_need decode_need(const rc_point *p) {
    size_t q = (size_t)(p->a * p->c) * 256, kv = (size_t)(p->a * p->b * p->d) * 256;
    return (rc_need){rc_align(q) + 2 * rc_align(kv),
                     rc_align(q) + (size_t)(p->a * p->c) * sizeof(float)};
}

static void decode_close(void *self) {
    decode_suite *s = self;
    if (!s)
        return;
    rc_pools_free(&s->io);
    rc_pool_free(&s->workspace);
    rc_pool_free(&s->lens);
    free(s);
}

static rc_status decode_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    decode_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_pools_reserve(c, points, decode_need, &s->io, err);
    if (st == RC_OK)
        st = rc_pool_reserve(&s->lens, MAX_BATCH * sizeof(int32_t), err);
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
    const unsigned char *in = t->suite->io.in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->suite->io.out.p + (size_t)slot * t->sets.out_stride;
    a.q = in;
    a.k = in + t->q_bytes;
    a.v = in + t->q_bytes + t->kv_bytes;
    a.o = out;
    a.lse = (float *)(void *)(out + t->q_bytes);
    return rc_kernel_check(err, rc_decode_forward(&a, stream), "rc_decode_forward");
}

static rc_status decode_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                                rc_error *err) {
    rc_need need = decode_need(p);
    decode t = {.suite = self, .sets = rc_sets_for(&c->gpu, need)};
    int32_t lens[MAX_BATCH];
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    if (p->a > MAX_BATCH)
        return rc_fail(err, RC_E_UNMODELLED, "batches over %d are not measured", MAX_BATCH);
    for (int64_t i = 0; i < p->a; i++)
        lens[i] = (int32_t)p->b;
    RC_CUDA(
        cudaMemcpy(t.suite->lens.p, lens, (size_t)p->a * sizeof lens[0], cudaMemcpyHostToDevice));
    t.q_bytes = rc_align((size_t)(p->a * p->c) * 256);
    t.kv_bytes = rc_align((size_t)(p->a * p->b * p->d) * 256);
    t.args = (rc_decode_args){.lens = (const int32_t *)(const void *)t.suite->lens.p,
                              .batch = (int)p->a,
                              .max_len = p->b,
                              .hq = (int)p->c,
                              .hkv = (int)p->d};
    RC_TRY(rc_pool_reserve(&t.suite->workspace, rc_decode_workspace(&t.args), err));
    t.args.workspace = t.suite->workspace.p;
    rc_bench_op op = {decode_launch, &t, need.in + need.out, t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("decode"));
    return RC_OK;
}

const rc_suite rc_suite_decode = {decode_open, decode_measure, decode_close};
