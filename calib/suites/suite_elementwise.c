/* The memory-bound operations between products, fused as engines fuse them.
 *
 * What is updated in place (the residual) lives in the output pool and is filled anew before each
 * point, so that nothing computes on what another op left there.
 *
 * Bytes a call, for t tokens and width w:
 *     rmsnorm          8 t w      residual read and written, x read, y written
 *     rmsnorm_fp8      7 t w + 4 t
 *     residual_add     6 t w
 *     quantize_fp8     3 t w + 4 t
 *     swiglu           6 t f      gate and up read, y written
 *     swiglu_fp8       5 t f + 4 t
 *     rotary_kv        512 t (Hq + 2 Hkv)
 *
 * Under the condition `blocks` what is quantised has a scale for each 128 elements, 4 t w / 128 bytes of them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

typedef struct ew {
    const rc_point *point;
    const unsigned char *in;
    unsigned char *out;
    rc_sets sets;
} ew;

typedef struct ew_op {
    const char *name, *cond; /* cond: NULL without a condition */
    rc_need (*need)(const rc_point *p);
    int (*call)(const rc_point *p, const void *in, void *out, cudaStream_t stream);
    bool in_place; /* the output is read, too */
} ew_op;

/* Part `at` bytes into a set. */
static void *part(void *base, size_t at) {
    return (unsigned char *)base + at;
}

static const void *cpart(const void *base, size_t at) {
    return (const unsigned char *)base + at;
}

static size_t cells(const rc_point *p) {
    return (size_t)p->a * (size_t)p->b;
}

/* ---- norms: in = x, w; out = residual, y, scale ---------------------------------------------- */

static rc_need need_rmsnorm(const rc_point *p) {
    size_t x = rc_align(2 * cells(p));
    return (rc_need){x + rc_align(2 * (size_t)p->b), x + x};
}

static int call_rmsnorm(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    size_t x = rc_align(2 * cells(p));
    return rc_rmsnorm(out, in, cpart(in, x), part(out, x), p->a, (int)p->b, 1e-5f, s);
}

static rc_need need_rmsnorm_fp8(const rc_point *p) {
    size_t x = rc_align(2 * cells(p));
    return (rc_need){x + rc_align(2 * (size_t)p->b), x + rc_align(cells(p)) + 4 * (size_t)p->a};
}

static int call_rmsnorm_fp8(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    size_t x = rc_align(2 * cells(p)), y = rc_align(cells(p));
    return rc_rmsnorm_fp8(out, in, cpart(in, x), part(out, x), part(out, x + y), p->a, (int)p->b,
                          1e-5f, s);
}

static rc_need need_residual_add(const rc_point *p) {
    return (rc_need){2 * cells(p), 2 * cells(p)};
}

static int call_residual_add(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    return rc_residual_add(out, in, (int64_t)cells(p), s);
}

static rc_need need_quantize(const rc_point *p) {
    return (rc_need){2 * cells(p), rc_align(cells(p)) + 4 * (size_t)p->a};
}

static int call_quantize(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    return rc_quantize_fp8(in, out, part(out, rc_align(cells(p))), p->a, (int)p->b, s);
}

static size_t blocks(const rc_point *p) {
    return (size_t)(p->a * ((p->b + RC_SCALE_BLOCK - 1) / RC_SCALE_BLOCK));
}

static rc_need need_quantize_blocks(const rc_point *p) {
    return (rc_need){2 * cells(p), rc_align(cells(p)) + 4 * blocks(p)};
}

static int call_quantize_blocks(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    return rc_quantize_fp8_blocks(in, out, part(out, rc_align(cells(p))), p->a, p->a, (int)p->b, s);
}

/* ---- SwiGLU: in = gate and up packed; out = y, scale ----------------------------------------- */

static rc_need need_swiglu(const rc_point *p) {
    return (rc_need){4 * cells(p), 2 * cells(p)};
}

static int call_swiglu(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    return rc_swiglu(in, out, p->a, (int)p->b, s);
}

static rc_need need_swiglu_fp8(const rc_point *p) {
    return (rc_need){4 * cells(p), rc_align(cells(p)) + 4 * (size_t)p->a};
}

static int call_swiglu_fp8(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    return rc_swiglu_fp8(in, out, part(out, rc_align(cells(p))), p->a, (int)p->b, s);
}

static rc_need need_swiglu_blocks(const rc_point *p) {
    return (rc_need){4 * cells(p), rc_align(cells(p)) + 4 * blocks(p)};
}

static int call_swiglu_blocks(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    return rc_swiglu_fp8_blocks(in, out, part(out, rc_align(cells(p))), p->a, p->a, (int)p->b, s);
}

/* ---- rotary: in = packed QKV; out = q, K rows, V rows ---------------------------------------- */

static rc_need need_rotary(const rc_point *p) {
    size_t q = (size_t)(p->a * p->c) * 256, kv = (size_t)(p->a * p->d) * 256;
    return (rc_need){q + 2 * kv, rc_align(q) + 2 * rc_align(kv)};
}

static int call_rotary(const rc_point *p, const void *in, void *out, cudaStream_t s) {
    size_t q = rc_align((size_t)(p->a * p->c) * 256), kv = rc_align((size_t)(p->a * p->d) * 256);
    return rc_rotary_kv(in, out, part(out, q), part(out, q + kv), p->a, 0, (int)p->c, (int)p->d,
                        5e5f, s);
}

static const ew_op ops[] = {
    {"rmsnorm", NULL, need_rmsnorm, call_rmsnorm, true},
    {"rmsnorm_fp8", NULL, need_rmsnorm_fp8, call_rmsnorm_fp8, true},
    {"residual_add", NULL, need_residual_add, call_residual_add, true},
    {"quantize_fp8", NULL, need_quantize, call_quantize, false},
    {"quantize_fp8", "blocks", need_quantize_blocks, call_quantize_blocks, false},
    {"swiglu", NULL, need_swiglu, call_swiglu, false},
    {"swiglu_fp8", NULL, need_swiglu_fp8, call_swiglu_fp8, false},
    {"swiglu_fp8", "blocks", need_swiglu_blocks, call_swiglu_blocks, false},
    {"rotary_kv", NULL, need_rotary, call_rotary, false},
};

static const ew_op *op_of(const rc_point *p) {
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (!strcmp(ops[i].name, p->op) && !ops[i].cond == !p->cond &&
            (!p->cond || !strcmp(ops[i].cond, p->cond)))
            return &ops[i];
    return NULL;
}

static rc_need ew_need(const rc_point *p) {
    const ew_op *o = op_of(p);
    return o ? o->need(p) : (rc_need){0, 0};
}

/* ---- suite ---------------------------------------------------------------------------------- */

static rc_status ew_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    return rc_pools_open(c, points, ew_need, self, err);
}

static rc_status ew_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    ew *t = self;
    const ew_op *o = op_of(t->point);
    int code = o->call(t->point, t->in + (size_t)slot * t->sets.in_stride,
                       t->out + (size_t)slot * t->sets.out_stride, stream);
    return rc_kernel_check(err, code, o->name);
}

static rc_status ew_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                            rc_error *err) {
    rc_pools *s = self;
    const ew_op *o = op_of(p);
    if (!o)
        return rc_fail(err, RC_E_INTERNAL, "no elementwise op is called \"%s\"", p->op);
    rc_need need = o->need(p);
    ew t = {p, s->in.p, s->out.p, rc_sets_for(&c->gpu, need)};
    RC_TRY(rc_sets_check(&c->gpu, &t.sets, err));
    if (o->in_place) {
        rc_buffer used = {s->out.p, (size_t)t.sets.n * t.sets.out_stride};
        RC_TRY(rc_buffer_fill_bf16(&c->gpu, &used, c->opt->seed + 1, err));
    }
    rc_bench_op op = {ew_launch, &t, need.in + need.out, t.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_record_set(m->kernel, sizeof m->kernel, rc_kernel_version("elementwise"));
    return RC_OK;
}

const rc_suite rc_suite_elementwise = {ew_open, ew_measure, rc_pools_close};
