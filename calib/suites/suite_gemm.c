/* Matrix products: y[M,N] = x[M,K] W[N,K]^T, bf16 out, fp32 accumulation, through calib/cublaslt.c,
 * which says how cuBLASLt is asked and how an algorithm is chosen.
 *
 * Bytes: M K e + N K e + 2 M N; FLOPs: 2 M N K. Under scales of blocks M counts what was asked for, and fours are
 * multiplied.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cublaslt.h"
#include "calib/suite.h"

#include <stdlib.h>
#include <string.h>

typedef struct gemm_suite {
    rc_cublaslt *lt;
    rc_buffer in_bf16, in_fp8, out;
} gemm_suite;

/* One shape, ready to launch. */
typedef struct gemm {
    gemm_suite *suite;
    rc_cublaslt_shape shape;
    rc_sets sets;
    size_t w_bytes; /* x follows W in an input set */
    const unsigned char *in;
} gemm;

static rc_need gemm_need(const rc_point *p) {
    const rc_product_type type = rc_product_type_named(p->dtype);
    size_t e = rc_product_element(type), m = (size_t)rc_product_rows(type, p->a);
    size_t n = (size_t)p->b, k = (size_t)p->c;
    return (rc_need){rc_align(n * k * e) + rc_align(m * k * e), m * n * 2};
}

static void gemm_close(void *self) {
    gemm_suite *s = self;
    if (!s)
        return;
    rc_cublaslt_close(s->lt);
    rc_buffer_free(&s->in_bf16);
    rc_buffer_free(&s->in_fp8);
    rc_buffer_free(&s->out);
    free(s);
}

static rc_status fill_suite(rc_calib *c, gemm_suite *s, const rc_points *points, rc_error *err) {
    static const char *const types[] = {"bf16", "fp8", "fp8-block"};
    size_t in[2] = {0, 0}, out = 0; /* in: of two bytes an element, and of one */
    for (int i = 0; i < 3; i++) {
        size_t reads, writes;
        rc_sets_pools(&c->gpu, points, gemm_need, types[i], &reads, &writes);
        in[i > 0] = reads > in[i > 0] ? reads : in[i > 0];
        out = writes > out ? writes : out;
    }
    RC_TRY(rc_cublaslt_open(&s->lt, err));
    RC_TRY(rc_buffer_reserve(&s->in_bf16, in[0], err));
    RC_TRY(rc_buffer_reserve(&s->in_fp8, in[1], err));
    RC_TRY(rc_buffer_reserve(&s->out, out, err));
    RC_TRY(rc_buffer_fill_bf16(&c->gpu, &s->in_bf16, c->opt->seed, err));
    return rc_buffer_fill_e4m3(&c->gpu, &s->in_fp8, c->opt->seed + 1, err);
}

static rc_status gemm_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    gemm_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = fill_suite(c, s, points, err);
    if (st != RC_OK) {
        gemm_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

static rc_status gemm_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    gemm *g = self;
    const unsigned char *w = g->in + (size_t)slot * g->sets.in_stride;
    void *y = g->suite->out.p + (size_t)slot * g->sets.out_stride;
    return rc_cublaslt_launch(g->suite->lt, &g->shape, w + g->w_bytes, w, y, stream, err);
}

/* The point's shape and tensors, and the algorithm for it. */
static rc_status prepare(rc_calib *c, gemm *g, const rc_point *p, rc_cublaslt_plan_info *info,
                         rc_error *err) {
    RC_TRY(rc_point_sms(c, p, &g->shape.sms, err));
    g->shape.m = p->a;
    g->shape.n = p->b;
    g->shape.k = p->c;
    g->shape.type = rc_product_type_named(p->dtype);
    g->w_bytes = rc_align((size_t)(p->b * p->c) * rc_product_element(g->shape.type));
    g->in = g->shape.type == RC_PRODUCT_BF16 ? g->suite->in_bf16.p : g->suite->in_fp8.p;
    return rc_cublaslt_prepare(g->suite->lt, &g->shape, g->in + g->w_bytes, g->in, g->suite->out.p,
                               c->gpu.stream, info, err);
}

static rc_status gemm_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    rc_need need = gemm_need(p);
    gemm g = {.suite = self, .sets = rc_sets_for(&c->gpu, need)};
    rc_cublaslt_plan_info info = {0};
    RC_TRY(rc_sets_check(&c->gpu, &g.sets, err));
    RC_TRY(prepare(c, &g, p, &info, err));
    rc_bench_op op = {gemm_launch, &g, need.in + need.out, g.sets.n};
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    rc_cublaslt_version(m->kernel, sizeof m->kernel);
    if (info.tensorwise)
        rc_record_set(m->variant, sizeof m->variant, "tensorwise");
    return RC_OK;
}

const rc_suite rc_suite_gemm = {gemm_open, gemm_measure, gemm_close};

/* ---- heat ----------------------------------------------------------------------------------- */

struct rc_gemm_heater {
    gemm_suite *suite;
    gemm product;
    rc_bench_op op;
};

rc_status rc_gemm_heater_open(rc_calib *c, int64_t m, int64_t n, int64_t k, rc_gemm_heater **out,
                              rc_error *err) {
    rc_point p = {.op = "gemm", .variant = "", .dtype = "bf16", .a = m, .b = n, .c = k};
    rc_points one = {&p, 1, 1};
    rc_need need = gemm_need(&p);
    void *self = NULL;
    rc_gemm_heater *h = calloc(1, sizeof *h);
    if (!h)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = gemm_open(c, &one, &self, err);
    if (st == RC_OK) {
        h->suite = self;
        h->product = (gemm){.suite = self, .sets = rc_sets_for(&c->gpu, need)};
        h->op = (rc_bench_op){gemm_launch, &h->product, need.in + need.out, h->product.sets.n};
        st = prepare(c, &h->product, &p, NULL, err);
    }
    if (st != RC_OK) {
        rc_gemm_heater_close(h);
        return st;
    }
    *out = h;
    return RC_OK;
}

const rc_bench_op *rc_gemm_heater_op(const rc_gemm_heater *h) {
    return &h->op;
}

void rc_gemm_heater_close(rc_gemm_heater *h) {
    if (!h)
        return;
    gemm_close(h->suite);
    free(h);
}

rc_status rc_gemm_heat(rc_calib *c, double seconds, rc_error *err) {
    rc_gemm_heater *h = NULL;
    RC_TRY(rc_gemm_heater_open(c, 8192, 13312, 16384, &h, err));
    rc_status st = rc_bench_heat(&c->bench, rc_gemm_heater_op(h), seconds, err);
    rc_gemm_heater_close(h);
    return st;
}
