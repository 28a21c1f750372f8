/* Decode attention over latents: one query token a sequence, all heads on the stream of keys of 576 numbers
 * whose first 512 are the values, too.
 *
 * Bytes: 1,152 a cached token, queries and outputs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BATCH = 1024, KEY_BYTES = 2 * 576, VALUE_BYTES = 2 * 512 };

typedef struct mla_suite {
    rc_pools io;
    rc_buffer workspace, lens;
} mla_suite;

typedef struct mla {
    rc_pools *io;
    rc_sets sets;
    rc_mla_args args;
    size_t q_bytes, o_bytes;
} mla;

static size_t rows_of(const rc_point *p) {
    return (size_t)(p->a * p->c);
}

static rc_need mla_need(const rc_point *p) {
    return (rc_need){rc_align(rows_of(p) * KEY_BYTES) + (size_t)(p->a * p->b) * KEY_BYTES,
                     rc_align(rows_of(p) * VALUE_BYTES) + rows_of(p) * sizeof(float)};
}

static void mla_close(void *self) {
    mla_suite *s = self;
    if (!s)
        return;
    rc_pools_free(&s->io);
    rc_buffer_free(&s->workspace);
    rc_buffer_free(&s->lens);
    free(s);
}

static rc_status mla_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    mla_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_pools_reserve(c, points, mla_need, "bf16", &s->io, err);
    if (st == RC_OK)
        st = rc_buffer_reserve(&s->lens, MAX_BATCH * sizeof(int32_t), err);
    if (st != RC_OK) {
        mla_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status mla_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    mla *t = self;
    rc_mla_args a = t->args;
    const unsigned char *in = t->io->in.p + (size_t)slot * t->sets.in_stride;
    unsigned char *out = t->io->out.p + (size_t)slot * t->sets.out_stride;
    a.q = in;
    a.kv = in + t->q_bytes;
    a.o = out;
    a.lse = (float *)(void *)(out + t->o_bytes);
    return rc_kernel_check(err, rc_mla_decode(&a, stream), "rc_mla_decode");
}

static rc_status mla_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                             rc_error *err) {
    rc_need need = mla_need(p);
    mla_suite *s = self;
    mla t = {.io = &s->io, .sets = rc_sets_for(&c->gpu, need)};
    int32_t lens[MAX_BATCH];
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    if (p->a > MAX_BATCH)
        return rc_fail(err, RC_E_UNMODELLED, "batches over %d are not measured", MAX_BATCH);
    for (int64_t i = 0; i < p->a; i++)
        lens[i] = (int32_t)p->b;
    RC_CUDA(cudaMemcpy(s->lens.p, lens, (size_t)p->a * sizeof lens[0], cudaMemcpyHostToDevice));
    t.q_bytes = rc_align(rows_of(p) * KEY_BYTES);
    t.o_bytes = rc_align(rows_of(p) * VALUE_BYTES);
    t.args = (rc_mla_args){.lens = (const int32_t *)(const void *)s->lens.p,
                           .batch = (int)p->a,
                           .max_len = p->b,
                           .heads = (int)p->c};
    RC_TRY(rc_buffer_reserve(&s->workspace, rc_mla_workspace(&t.args), err));
    t.args.workspace = s->workspace.p;
    rc_bench_op op = {mla_launch, &t, need.in + need.out, t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("mla"));
    return RC_OK;
}

const rc_suite rc_suite_mla = {mla_open, mla_measure, mla_close};
