/* Matrix products through cuBLASLt: y[M,N] = x[M,K] W[N,K]^T, bf16 out, fp32 accumulation.
 *
 * cuBLASLt is column-major: it computes D (N x M) = A^T B with A = W (K x N, read transposed) and
 * B = x (K x M), so nothing is copied and fp8 gets the only layout it takes. fp8 is e4m3 with one
 * scale a row of x and one a row of W (outer-vector mode) and fast accumulation; should the library
 * refuse that for a shape, one scale a tensor is used and the row's variant says "tensorwise".
 *
 * The algorithms that the library's heuristic ranks first (64 up to 256 rows, 8 above) are timed
 * and the fastest is kept, as a tuned engine would. That stops after 80 ms.
 *
 * Bytes: M K e + N K e + 2 M N; FLOPs: 2 M N K.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"
#include "kernels/kernels.h"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

#define WORKSPACE_BYTES ((size_t)64 << 20)
#define TUNE_ALGOS 64 /* for few rows, where split-K variants differ most and a try is cheap */
#define TUNE_ALGOS_LARGE 8
#define TUNE_ROWS 256 /* up to here a product is bound by its weights */
#define TUNE_S 0.080
#define SCALES 262144 /* floats: more than any M or N */

typedef struct gemm_suite {
    rc_gpu *gpu;
    cublasLtHandle_t lt;
    rc_pool in_bf16, in_fp8, out, workspace, scales;
} gemm_suite;

/* One shape, ready to launch. */
typedef struct gemm {
    gemm_suite *suite;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
    cublasLtMatmulHeuristicResult_t found[TUNE_ALGOS];
    int nfound;
    cublasLtMatmulAlgo_t algo;
    rc_sets sets;
    size_t w_bytes; /* x follows W in an input set */
    const unsigned char *in;
    bool tensorwise;
} gemm;

static rc_status lt_fail(rc_error *err, cublasStatus_t s, const char *call, int line) {
    rc_status st = s == CUBLAS_STATUS_ALLOC_FAILED    ? RC_E_NOMEM
                   : s == CUBLAS_STATUS_NOT_SUPPORTED ? RC_E_UNMODELLED
                                                      : RC_E_INTERNAL;
    return rc_fail(err, st, "gemm.c:%d: %.120s: %s", line, call, cublasLtGetStatusName(s));
}
#define RC_LT(call)                                                                                \
    do {                                                                                           \
        cublasStatus_t rc_lt_s_ = (call);                                                          \
        if (rc_lt_s_ != CUBLAS_STATUS_SUCCESS)                                                     \
            return lt_fail(err, rc_lt_s_, #call, __LINE__);                                        \
    } while (0)

static size_t element(const rc_point *p) {
    return strcmp(p->dtype, "fp8") ? 2 : 1;
}

static rc_need gemm_need(const rc_point *p) {
    size_t e = element(p), m = (size_t)p->a, n = (size_t)p->b, k = (size_t)p->c;
    return (rc_need){rc_align(n * k * e) + rc_align(m * k * e), m * n * 2};
}

/* ---- suite ---------------------------------------------------------------------------------- */

static void gemm_close(void *self) {
    gemm_suite *s = self;
    if (!s)
        return;
    if (s->lt)
        (void)cublasLtDestroy(s->lt);
    rc_pool_free(&s->in_bf16);
    rc_pool_free(&s->in_fp8);
    rc_pool_free(&s->out);
    rc_pool_free(&s->workspace);
    rc_pool_free(&s->scales);
    free(s);
}

static rc_status fill_scales(gemm_suite *s, rc_error *err) {
    const size_t bytes = SCALES * sizeof(float);
    RC_TRY(rc_pool_reserve(&s->scales, bytes, err));
    float *host = malloc(bytes);
    if (!host)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu bytes", bytes);
    for (size_t i = 0; i < SCALES; i++)
        host[i] = 0.01f * (1.0f + (float)(i % 7) / 64.0f);
    cudaError_t e = cudaMemcpy(s->scales.p, host, bytes, cudaMemcpyHostToDevice);
    free(host);
    return e == cudaSuccess ? RC_OK : rc_cuda_fail(err, e, "cudaMemcpy", __FILE__, __LINE__);
}

static rc_status fill_suite(rc_calib *c, gemm_suite *s, const rc_points *points, rc_error *err) {
    size_t in16, out16, in8, out8;
    rc_sets_pools(&c->gpu, points, gemm_need, "bf16", &in16, &out16);
    rc_sets_pools(&c->gpu, points, gemm_need, "fp8", &in8, &out8);
    RC_LT(cublasLtCreate(&s->lt));
    RC_TRY(rc_pool_reserve(&s->in_bf16, in16, err));
    RC_TRY(rc_pool_reserve(&s->in_fp8, in8, err));
    RC_TRY(rc_pool_reserve(&s->out, out16 > out8 ? out16 : out8, err));
    RC_TRY(rc_pool_reserve(&s->workspace, WORKSPACE_BYTES, err));
    RC_TRY(rc_pool_fill_bf16(&c->gpu, &s->in_bf16, c->opt->seed, err));
    RC_TRY(rc_pool_fill_e4m3(&c->gpu, &s->in_fp8, c->opt->seed + 1, err));
    return fill_scales(s, err);
}

static rc_status gemm_open(rc_calib *c, const rc_points *points, void **self, rc_error *err) {
    gemm_suite *s = calloc(1, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    s->gpu = &c->gpu;
    rc_status st = fill_suite(c, s, points, err);
    if (st != RC_OK) {
        gemm_close(s);
        return st;
    }
    *self = s;
    return RC_OK;
}

/* ---- one shape ------------------------------------------------------------------------------ */

static void plan_free(gemm *g) {
    if (g->desc)
        (void)cublasLtMatmulDescDestroy(g->desc);
    if (g->w)
        (void)cublasLtMatrixLayoutDestroy(g->w);
    if (g->x)
        (void)cublasLtMatrixLayoutDestroy(g->x);
    if (g->y)
        (void)cublasLtMatrixLayoutDestroy(g->y);
    memset(g, 0, sizeof *g);
}

/* Scales of both operands: a vector each, or (tensorwise) a number each. */
static rc_status set_scales(gemm *g, bool tensorwise, rc_error *err) {
    int32_t mode = tensorwise ? CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F
                              : CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    const void *at = g->suite->scales.p;
    int8_t fast = 1;
    g->tensorwise = tensorwise;
    RC_LT(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode,
                                         sizeof mode));
    RC_LT(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode,
                                         sizeof mode));
    RC_LT(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &at,
                                         sizeof at));
    RC_LT(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &at,
                                         sizeof at));
    RC_LT(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast,
                                         sizeof fast));
    return RC_OK;
}

/* Rank algorithms; none is RC_OK with nfound 0. */
static rc_status rank(gemm *g, int64_t rows, rc_error *err) {
    cublasLtMatmulPreference_t pref = NULL;
    size_t bytes = WORKSPACE_BYTES;
    cublasLtMatmulHeuristicResult_t all[TUNE_ALGOS];
    int n = 0;
    RC_LT(cublasLtMatmulPreferenceCreate(&pref));
    cublasStatus_t s = cublasLtMatmulPreferenceSetAttribute(
        pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulAlgoGetHeuristic(g->suite->lt, g->desc, g->w, g->x, g->y, g->y, pref,
                                           rows <= TUNE_ROWS ? TUNE_ALGOS : TUNE_ALGOS_LARGE, all,
                                           &n);
    (void)cublasLtMatmulPreferenceDestroy(pref);
    g->nfound = 0;
    if (s == CUBLAS_STATUS_NOT_SUPPORTED || s == CUBLAS_STATUS_INVALID_VALUE)
        return RC_OK;
    RC_LT(s);
    for (int i = 0; i < n; i++)
        if (all[i].state == CUBLAS_STATUS_SUCCESS)
            g->found[g->nfound++] = all[i];
    return RC_OK;
}

static rc_status plan_fill(gemm *g, const rc_point *p, rc_error *err) {
    bool fp8 = element(p) == 1;
    cudaDataType_t type = fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    cublasOperation_t t = CUBLAS_OP_T;
    uint64_t m = (uint64_t)p->a, n = (uint64_t)p->b, k = (uint64_t)p->c;
    RC_LT(cublasLtMatmulDescCreate(&g->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    RC_LT(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_TRANSA, &t, sizeof t));
    RC_LT(cublasLtMatrixLayoutCreate(&g->w, type, k, n, p->c));
    RC_LT(cublasLtMatrixLayoutCreate(&g->x, type, k, m, p->c));
    RC_LT(cublasLtMatrixLayoutCreate(&g->y, CUDA_R_16BF, n, m, p->b));
    if (fp8)
        RC_TRY(set_scales(g, false, err));
    RC_TRY(rank(g, p->a, err));
    if (fp8 && g->nfound == 0) {
        RC_TRY(set_scales(g, true, err));
        RC_TRY(rank(g, p->a, err));
    }
    if (g->nfound == 0)
        return rc_fail(err, RC_E_UNMODELLED, "cuBLASLt has no algorithm for this shape");
    g->algo = g->found[0].algo;
    g->w_bytes = rc_align((size_t)(n * k) * element(p));
    g->in = fp8 ? g->suite->in_fp8.p : g->suite->in_bf16.p;
    return RC_OK;
}

static rc_status gemm_launch(void *self, int slot, cudaStream_t stream, rc_error *err) {
    gemm *g = self;
    const float one = 1.0f, zero = 0.0f;
    const unsigned char *w = g->in + (size_t)slot * g->sets.in_stride;
    void *y = g->suite->out.p + (size_t)slot * g->sets.out_stride;
    RC_LT(cublasLtMatmul(g->suite->lt, g->desc, &one, w, g->w, w + g->w_bytes, g->x, &zero, y, g->y,
                         y, g->y, &g->algo, g->suite->workspace.p, WORKSPACE_BYTES, stream));
    return RC_OK;
}

/* An algorithm that the library ranks but then refuses is passed over. */
static rc_status tune(rc_calib *c, gemm *g, const rc_bench_op *op, rc_error *err) {
    double best = 0, t0 = rc_now();
    int keep = -1;
    for (int i = 0; i < g->nfound && (keep < 0 || rc_now() - t0 < TUNE_S); i++) {
        double t = 0;
        g->algo = g->found[i].algo;
        rc_status st = rc_bench_probe(&c->bench, op, &t, err);
        if (st != RC_OK && st != RC_E_UNMODELLED)
            return st;
        if (st == RC_OK && (keep < 0 || t < best)) {
            best = t;
            keep = i;
        }
    }
    if (keep < 0)
        return RC_E_UNMODELLED; /* *err tells of the last */
    g->algo = g->found[keep].algo;
    return RC_OK;
}

static rc_status run_plan(rc_calib *c, gemm *g, const rc_point *p, rc_measured *m, rc_error *err) {
    rc_need need = gemm_need(p);
    RC_TRY(plan_fill(g, p, err));
    rc_bench_op op = {gemm_launch, g, need.in + need.out, g->sets.n};
    RC_TRY(tune(c, g, &op, err));
    RC_TRY(rc_bench_run(&c->bench, &op, &m->r, err));
    size_t v = cublasLtGetVersion();
    snprintf(m->kernel, sizeof m->kernel, "cublasLt-%zu.%zu.%zu", v / 10000, v / 100 % 100,
             v % 100);
    if (g->tensorwise)
        rc_record_set(m->variant, sizeof m->variant, "tensorwise");
    return RC_OK;
}

static rc_status gemm_measure(rc_calib *c, void *self, const rc_point *p, rc_measured *m,
                              rc_error *err) {
    gemm g = {.suite = self, .sets = rc_sets_for(&c->gpu, gemm_need(p))};
    RC_TRY(rc_sets_check(&c->gpu, &g.sets, err));
    rc_status st = run_plan(c, &g, p, m, err);
    plan_free(&g);
    return st;
}

const rc_suite rc_suite_gemm = {gemm_open, gemm_measure, gemm_close};

/* ---- heat ----------------------------------------------------------------------------------- */

rc_status rc_gemm_heat(rc_calib *c, double seconds, rc_error *err) {
    rc_point p = {.op = "gemm", .variant = "", .dtype = "bf16", .a = 8192, .b = 13312, .c = 16384};
    rc_points one = {&p, 1, 1};
    void *self = NULL;
    RC_TRY(gemm_open(c, &one, &self, err));
    gemm g = {.suite = self, .sets = rc_sets_for(&c->gpu, gemm_need(&p))};
    rc_need need = gemm_need(&p);
    rc_status st = plan_fill(&g, &p, err);
    rc_bench_op op = {gemm_launch, &g, need.in + need.out, g.sets.n};
    if (st == RC_OK)
        st = rc_bench_heat(&c->bench, &op, seconds, err);
    plan_free(&g);
    gemm_close(self);
    return st;
}
