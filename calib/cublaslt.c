/* Matrix products through cuBLASLt.
 *
 * cuBLASLt is column-major: it computes D (N x M) = A^T B with A = W (K x N, read transposed) and
 * B = x (K x M), so nothing is copied and fp8 gets the only layout it takes. fp8 is e4m3 with one
 * scale a row of x and one a row of W (outer-vector mode); should the library refuse that for a
 * shape, one scale a tensor is used and the plan says so. Under scales of blocks the library is asked not to accumulate
 * fast, which is what such scales are for; where it has no such algorithm, there is none.
 *
 * All calls read the same scales: those of x, of which there is one for 128 bytes under scales of blocks, come from
 * the L2 rather than from HBM.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/cublaslt.h"
#include "calib/gpu.h"
#include "calib/bench_kernels.h"

#include <assert.h>
#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

enum { ALGOS_FEW_ROWS = 64, ALGOS = 8, FEW_ROWS = 256, TRIES = 3 };
/* More than the products of any one case or server, which all have to be there at once. */
enum { MAX_PLANS = 2048 };
enum { SCALES = 262144 /* floats: more than any M or N */ };
enum { BLOCK = 128 };
#define WORKSPACE_BYTES ((size_t)64 << 20)
#define TUNE_S 0.080 /* no further algorithm is tried after so long */
#define LONG_MS 1.0f /* of such calls one timing tells enough */

typedef struct plan {
    rc_cublaslt_shape shape;
    bool tensorwise;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
    cublasLtMatmulAlgo_t algo;
} plan;

struct rc_cublaslt {
    cublasLtHandle_t handle;
    rc_buffer workspace, scales;
    const float *x_scales, *w_scales; /* the caller's, or NULL */
    size_t sweep_bytes;               /* twice the L2 */
    cudaEvent_t start, stop;
    plan plans[MAX_PLANS];
    int count;
};

/* One call's tensors. */
typedef struct tensors {
    const void *x, *w;
    void *y;
    cudaStream_t stream;
} tensors;

static rc_status lt_fail(rc_error *err, cublasStatus_t s, const char *call, int line) {
    rc_status st = s == CUBLAS_STATUS_ALLOC_FAILED    ? RC_E_NOMEM
                   : s == CUBLAS_STATUS_NOT_SUPPORTED ? RC_E_UNMODELLED
                                                      : RC_E_INTERNAL;
    return rc_fail(err, st, "cublaslt.c:%d: %.120s: %s", line, call, cublasLtGetStatusName(s));
}
#define RC_LT(call)                                                                                \
    do {                                                                                           \
        cublasStatus_t rc_cublaslt_s_ = (call);                                                    \
        if (rc_cublaslt_s_ != CUBLAS_STATUS_SUCCESS)                                               \
            return lt_fail(err, rc_cublaslt_s_, #call, __LINE__);                                  \
    } while (0)

static rc_status open_parts(rc_cublaslt *lt, rc_error *err) {
    int device = 0, l2 = 0;
    RC_CUDA(cudaGetDevice(&device));
    RC_CUDA(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device));
    lt->sweep_bytes = 2 * (size_t)l2;
    RC_LT(cublasLtCreate(&lt->handle));
    RC_TRY(rc_buffer_reserve(&lt->workspace, WORKSPACE_BYTES, err));
    RC_CUDA(cudaEventCreate(&lt->start));
    RC_CUDA(cudaEventCreate(&lt->stop));
    return RC_OK;
}

rc_status rc_cublaslt_open(rc_cublaslt **out, rc_error *err) {
    rc_cublaslt *lt = calloc(1, sizeof *lt);
    if (!lt)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = open_parts(lt, err);
    if (st != RC_OK) {
        rc_cublaslt_close(lt);
        return st;
    }
    *out = lt;
    return RC_OK;
}

static void plan_free(plan *p) {
    if (p->desc)
        (void)cublasLtMatmulDescDestroy(p->desc);
    if (p->w)
        (void)cublasLtMatrixLayoutDestroy(p->w);
    if (p->x)
        (void)cublasLtMatrixLayoutDestroy(p->x);
    if (p->y)
        (void)cublasLtMatrixLayoutDestroy(p->y);
    memset(p, 0, sizeof *p);
}

static void forget(rc_cublaslt *lt) {
    for (int i = 0; i < lt->count; i++)
        plan_free(&lt->plans[i]);
    lt->count = 0;
}

void rc_cublaslt_close(rc_cublaslt *lt) {
    if (!lt)
        return;
    forget(lt);
    if (lt->start)
        (void)cudaEventDestroy(lt->start);
    if (lt->stop)
        (void)cudaEventDestroy(lt->stop);
    rc_buffer_free(&lt->workspace);
    rc_buffer_free(&lt->scales);
    if (lt->handle)
        (void)cublasLtDestroy(lt->handle);
    free(lt);
}

void rc_cublaslt_version(char *out, size_t size) {
    size_t v = cublasLtGetVersion();
    snprintf(out, size, "cublasLt-%zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
}

rc_product_type rc_product_type_named(const char *dtype) {
    if (!strcmp(dtype, "fp8"))
        return RC_PRODUCT_FP8;
    return strcmp(dtype, "fp8-block") ? RC_PRODUCT_BF16 : RC_PRODUCT_FP8_BLOCK;
}

size_t rc_product_element(rc_product_type t) {
    return t == RC_PRODUCT_BF16 ? 2 : 1;
}

int64_t rc_product_rows(rc_product_type t, int64_t m) {
    return t == RC_PRODUCT_FP8_BLOCK ? (m + 3) / 4 * 4 : m;
}

void rc_cublaslt_scales(rc_cublaslt *lt, const float *x, const float *w) {
    assert(!x == !w);
    lt->x_scales = x;
    lt->w_scales = w;
}

static const plan *find(const rc_cublaslt *lt, const rc_cublaslt_shape *s) {
    assert(s->m > 0 && s->n > 0 && s->k > 0);
    assert(s->sms >= 0);
    for (int i = 0; i < lt->count; i++) {
        const rc_cublaslt_shape *p = &lt->plans[i].shape;
        if (p->m == s->m && p->n == s->n && p->k == s->k && p->sms == s->sms && p->type == s->type)
            return &lt->plans[i];
    }
    return NULL;
}

/* ---- one shape ------------------------------------------------------------------------------ */

static int64_t blocks_of(int64_t n) {
    return (n + BLOCK - 1) / BLOCK;
}

/* Floats that the larger of both operands' scales takes. */
static size_t scales_of(const rc_cublaslt_shape *s) {
    if (s->type != RC_PRODUCT_FP8_BLOCK)
        return SCALES;
    const int64_t deep = (blocks_of(s->k) + 3) / 4 * 4;
    const int64_t x = deep * rc_product_rows(s->type, s->m), w = deep * blocks_of(s->n);
    const int64_t most = x > w ? x : w;
    return most > SCALES ? (size_t)most : SCALES;
}

/* Earlier plans lead to the buffer, so they go where it has to grow. */
static rc_status fill_scales(rc_cublaslt *lt, const rc_cublaslt_shape *s, rc_error *err) {
    const size_t count = scales_of(s), bytes = count * sizeof(float);
    if (lt->scales.bytes >= bytes)
        return RC_OK;
    forget(lt);
    RC_TRY(rc_buffer_reserve(&lt->scales, bytes, err));
    float *host = malloc(bytes);
    if (!host)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu bytes", bytes);
    for (size_t i = 0; i < count; i++)
        host[i] = 0.01f * (1.0f + (float)(i % 7) / 64.0f);
    cudaError_t e = cudaMemcpy(lt->scales.p, host, bytes, cudaMemcpyHostToDevice);
    free(host);
    return e == cudaSuccess ? RC_OK : rc_cuda_fail(err, e, "cudaMemcpy", __FILE__, __LINE__);
}

/* Scales of both operands: of W, which is the library's A, and of x, its B. */
typedef struct scale_modes {
    int32_t w, x;
    int8_t fast; /* accumulation */
} scale_modes;

static const scale_modes by_row = {CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F,
                                   CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F, 1},
                         by_tensor = {CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F,
                                      CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F, 1},
                         by_block = {CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F,
                                     CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F, 0};

static rc_status set_scales(const rc_cublaslt *lt, plan *p, const scale_modes *m, rc_error *err) {
    const void *own = lt->scales.p, *w = lt->w_scales ? lt->w_scales : own;
    const void *x = lt->x_scales ? lt->x_scales : own;
    p->tensorwise = m == &by_tensor;
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &m->w,
                                         sizeof m->w));
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &m->x,
                                         sizeof m->x));
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &w,
                                         sizeof w));
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &x,
                                         sizeof x));
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &m->fast,
                                         sizeof m->fast));
    return RC_OK;
}

static rc_status describe(plan *p, rc_error *err) {
    const rc_cublaslt_shape *s = &p->shape;
    cublasOperation_t t = CUBLAS_OP_T;
    cudaDataType_t type = s->type == RC_PRODUCT_BF16 ? CUDA_R_16BF : CUDA_R_8F_E4M3;
    int32_t sms = s->sms;
    uint64_t m = (uint64_t)rc_product_rows(s->type, s->m), n = (uint64_t)s->n, k = (uint64_t)s->k;
    RC_LT(cublasLtMatmulDescCreate(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &t, sizeof t));
    if (sms)
        RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, &sms,
                                             sizeof sms));
    RC_LT(cublasLtMatrixLayoutCreate(&p->w, type, k, n, s->k));
    RC_LT(cublasLtMatrixLayoutCreate(&p->x, type, k, m, s->k));
    RC_LT(cublasLtMatrixLayoutCreate(&p->y, CUDA_R_16BF, n, m, s->n));
    return RC_OK;
}

static rc_status launch(const rc_cublaslt *lt, const plan *p, const cublasLtMatmulAlgo_t *algo,
                        const tensors *t, rc_error *err) {
    const float one = 1.0f, zero = 0.0f;
    RC_LT(cublasLtMatmul(lt->handle, p->desc, &one, t->w, p->w, t->x, p->x, &zero, t->y, p->y, t->y,
                         p->y, algo, lt->workspace.p, WORKSPACE_BYTES, t->stream));
    return RC_OK;
}

/* ---- the choice of an algorithm -------------------------------------------------------------- */

/* What the heuristic ranks first; none is RC_OK with *n 0. */
static rc_status rank(const rc_cublaslt *lt, const plan *p, cublasLtMatmulHeuristicResult_t *found,
                      int *n, rc_error *err) {
    cublasLtMatmulPreference_t pref = NULL;
    size_t bytes = WORKSPACE_BYTES;
    *n = 0;
    RC_LT(cublasLtMatmulPreferenceCreate(&pref));
    cublasStatus_t s = cublasLtMatmulPreferenceSetAttribute(
        pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulAlgoGetHeuristic(lt->handle, p->desc, p->w, p->x, p->y, p->y, pref,
                                           p->shape.m <= FEW_ROWS ? ALGOS_FEW_ROWS : ALGOS, found,
                                           n);
    (void)cublasLtMatmulPreferenceDestroy(pref);
    if (s == CUBLAS_STATUS_NOT_SUPPORTED || s == CUBLAS_STATUS_INVALID_VALUE) {
        *n = 0;
        return RC_OK;
    }
    RC_LT(s);
    return RC_OK;
}

/* The best of a few calls, in milliseconds, each with an L2 that holds none of its inputs. */
static rc_status attempt(rc_cublaslt *lt, const plan *p, const cublasLtMatmulAlgo_t *algo,
                         const tensors *t, const rc_buffer *sweep, float *best, rc_error *err) {
    *best = 0;
    for (int i = 0; i < TRIES; i++) {
        float ms = 0;
        RC_TRY(rc_kernel_check(err, rc_bench_evict_l2(sweep->p, lt->sweep_bytes, t->stream),
                               "rc_bench_evict_l2"));
        RC_CUDA(cudaEventRecord(lt->start, t->stream));
        RC_TRY(launch(lt, p, algo, t, err));
        RC_CUDA(cudaEventRecord(lt->stop, t->stream));
        RC_CUDA(cudaEventSynchronize(lt->stop));
        RC_CUDA(cudaEventElapsedTime(&ms, lt->start, lt->stop));
        if (i > 0 && (*best <= 0 || ms < *best))
            *best = ms;
        if (i > 0 && ms > LONG_MS)
            break;
    }
    return RC_OK;
}

/* An algorithm that the library ranks but then refuses is passed over. */
static rc_status choose_of(rc_cublaslt *lt, plan *p, const cublasLtMatmulHeuristicResult_t *found,
                           int n, const tensors *t, const rc_buffer *sweep, rc_error *err) {
    double began = rc_now();
    int keep = -1;
    float best = 0;
    for (int i = 0; i < n && (keep < 0 || rc_now() - began < TUNE_S); i++) {
        float ms = 0;
        if (found[i].state != CUBLAS_STATUS_SUCCESS)
            continue;
        rc_status st = attempt(lt, p, &found[i].algo, t, sweep, &ms, err);
        if (st != RC_OK && st != RC_E_UNMODELLED)
            return st;
        if (st == RC_OK && (keep < 0 || ms < best)) {
            best = ms;
            keep = i;
        }
    }
    if (keep < 0)
        return rc_fail(err, RC_E_UNMODELLED, "cuBLASLt has no algorithm for %lld x %lld x %lld",
                       (long long)p->shape.m, (long long)p->shape.n, (long long)p->shape.k);
    p->algo = found[keep].algo;
    return RC_OK;
}

static rc_status choose(rc_cublaslt *lt, plan *p, const tensors *t, rc_error *err) {
    cublasLtMatmulHeuristicResult_t found[ALGOS_FEW_ROWS];
    rc_buffer sweep = {0};
    int n = 0;
    const rc_product_type type = p->shape.type;
    if (type != RC_PRODUCT_BF16) {
        RC_TRY(fill_scales(lt, &p->shape, err));
        RC_TRY(set_scales(lt, p, type == RC_PRODUCT_FP8 ? &by_row : &by_block, err));
    }
    RC_TRY(rank(lt, p, found, &n, err));
    if (n == 0 && type == RC_PRODUCT_FP8) {
        RC_TRY(set_scales(lt, p, &by_tensor, err));
        RC_TRY(rank(lt, p, found, &n, err));
    }
    rc_status st = rc_buffer_reserve(&sweep, lt->sweep_bytes, err);
    if (st == RC_OK)
        st = choose_of(lt, p, found, n, t, &sweep, err);
    (void)cudaStreamSynchronize(t->stream);
    rc_buffer_free(&sweep);
    return st;
}

/* ---- what callers see ------------------------------------------------------------------------ */

static rc_status make_plan(rc_cublaslt *lt, const rc_cublaslt_shape *s, const tensors *t,
                           rc_error *err) {
    if (lt->count == MAX_PLANS)
        forget(lt); /* an earlier case's plans are not needed any more */
    plan p = {.shape = *s};
    rc_status st = describe(&p, err);
    if (st == RC_OK)
        st = choose(lt, &p, t, err);
    if (st != RC_OK) {
        plan_free(&p);
        return st;
    }
    lt->plans[lt->count++] = p;
    return RC_OK;
}

rc_status rc_cublaslt_prepare(rc_cublaslt *lt, const rc_cublaslt_shape *s, const void *x,
                              const void *w, void *y, cudaStream_t stream,
                              rc_cublaslt_plan_info *info, rc_error *err) {
    const tensors t = {x, w, y, stream};
    if (!find(lt, s))
        RC_TRY(make_plan(lt, s, &t, err));
    if (info)
        info->tensorwise = find(lt, s)->tensorwise;
    return RC_OK;
}

rc_status rc_cublaslt_launch(rc_cublaslt *lt, const rc_cublaslt_shape *s, const void *x,
                             const void *w, void *y, cudaStream_t stream, rc_error *err) {
    const tensors t = {x, w, y, stream};
    const plan *p = find(lt, s);
    if (!p)
        return rc_fail(err, RC_E_INTERNAL, "no plan for %lld x %lld x %lld", (long long)s->m,
                       (long long)s->n, (long long)s->k);
    return launch(lt, p, &p->algo, &t, err);
}

rc_status rc_cublaslt_plan(rc_cublaslt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                           const void *w, void *y, cudaStream_t stream, rc_error *err) {
    const rc_cublaslt_shape s = {m, n, k, RC_PRODUCT_BF16, sms};
    return rc_cublaslt_prepare(lt, &s, x, w, y, stream, NULL, err);
}

rc_status rc_cublaslt_run(rc_cublaslt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                          const void *w, void *y, cudaStream_t stream, rc_error *err) {
    const rc_cublaslt_shape s = {m, n, k, RC_PRODUCT_BF16, sms};
    return rc_cublaslt_launch(lt, &s, x, w, y, stream, err);
}
