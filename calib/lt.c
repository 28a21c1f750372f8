/* Matrix products of a layer through cuBLASLt; layouts as in suites/gemm.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/lt.h"
#include "calib/gpu.h"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

enum { ALGOS = 8, TRIES = 3, MAX_PLANS = 256 };
#define WORKSPACE_BYTES ((size_t)64 << 20)

typedef struct plan {
    int64_t m, n, k;
    int sms;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
    cublasLtMatmulAlgo_t algo;
} plan;

struct rc_lt {
    cublasLtHandle_t handle;
    rc_pool workspace;
    cudaEvent_t start, stop;
    plan plans[MAX_PLANS];
    int count;
};

static rc_status lt_fail(rc_error *err, cublasStatus_t s, const char *call, int line) {
    return rc_fail(err, s == CUBLAS_STATUS_NOT_SUPPORTED ? RC_E_UNMODELLED : RC_E_INTERNAL,
                   "lt.c:%d: %.120s: %s", line, call, cublasLtGetStatusName(s));
}
#define RC_LT(call)                                                                                \
    do {                                                                                           \
        cublasStatus_t rc_lt_s_ = (call);                                                          \
        if (rc_lt_s_ != CUBLAS_STATUS_SUCCESS)                                                     \
            return lt_fail(err, rc_lt_s_, #call, __LINE__);                                        \
    } while (0)

static rc_status open_parts(rc_lt *lt, rc_error *err) {
    RC_LT(cublasLtCreate(&lt->handle));
    RC_TRY(rc_pool_reserve(&lt->workspace, WORKSPACE_BYTES, err));
    RC_CUDA(cudaEventCreate(&lt->start));
    RC_CUDA(cudaEventCreate(&lt->stop));
    return RC_OK;
}

rc_status rc_lt_open(rc_lt **out, rc_error *err) {
    rc_lt *lt = calloc(1, sizeof *lt);
    if (!lt)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = open_parts(lt, err);
    if (st != RC_OK) {
        rc_lt_close(lt);
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

void rc_lt_close(rc_lt *lt) {
    if (!lt)
        return;
    for (int i = 0; i < lt->count; i++)
        plan_free(&lt->plans[i]);
    if (lt->start)
        (void)cudaEventDestroy(lt->start);
    if (lt->stop)
        (void)cudaEventDestroy(lt->stop);
    rc_pool_free(&lt->workspace);
    if (lt->handle)
        (void)cublasLtDestroy(lt->handle);
    free(lt);
}

static const plan *find(const rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms) {
    for (int i = 0; i < lt->count; i++) {
        const plan *p = &lt->plans[i];
        if (p->m == m && p->n == n && p->k == k && p->sms == sms)
            return p;
    }
    return NULL;
}

static rc_status describe(plan *p, rc_error *err) {
    cublasOperation_t t = CUBLAS_OP_T;
    int32_t sms = p->sms;
    uint64_t m = (uint64_t)p->m, n = (uint64_t)p->n, k = (uint64_t)p->k;
    RC_LT(cublasLtMatmulDescCreate(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &t, sizeof t));
    if (sms)
        RC_LT(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, &sms,
                                             sizeof sms));
    RC_LT(cublasLtMatrixLayoutCreate(&p->w, CUDA_R_16BF, k, n, p->k));
    RC_LT(cublasLtMatrixLayoutCreate(&p->x, CUDA_R_16BF, k, m, p->k));
    RC_LT(cublasLtMatrixLayoutCreate(&p->y, CUDA_R_16BF, n, m, p->n));
    return RC_OK;
}

static rc_status launch(const rc_lt *lt, const plan *p, const cublasLtMatmulAlgo_t *algo,
                        const void *x, const void *w, void *y, cudaStream_t stream, rc_error *err) {
    const float one = 1.0f, zero = 0.0f;
    RC_LT(cublasLtMatmul(lt->handle, p->desc, &one, w, p->w, x, p->x, &zero, y, p->y, y, p->y, algo,
                         lt->workspace.p, WORKSPACE_BYTES, stream));
    return RC_OK;
}

/* The best of a few calls, in milliseconds. */
static rc_status attempt(rc_lt *lt, const plan *p, const cublasLtMatmulAlgo_t *algo, const void *x,
                         const void *w, void *y, cudaStream_t stream, float *best, rc_error *err) {
    *best = 0;
    for (int i = 0; i < TRIES; i++) {
        float ms = 0;
        RC_CUDA(cudaEventRecord(lt->start, stream));
        RC_TRY(launch(lt, p, algo, x, w, y, stream, err));
        RC_CUDA(cudaEventRecord(lt->stop, stream));
        RC_CUDA(cudaEventSynchronize(lt->stop));
        RC_CUDA(cudaEventElapsedTime(&ms, lt->start, lt->stop));
        if (i > 0 && (*best <= 0 || ms < *best))
            *best = ms;
    }
    return RC_OK;
}

static rc_status choose(rc_lt *lt, plan *p, const void *x, const void *w, void *y,
                        cudaStream_t stream, rc_error *err) {
    cublasLtMatmulPreference_t pref = NULL;
    cublasLtMatmulHeuristicResult_t found[ALGOS];
    size_t bytes = WORKSPACE_BYTES;
    int n = 0, keep = -1;
    float best = 0;
    RC_LT(cublasLtMatmulPreferenceCreate(&pref));
    cublasStatus_t s = cublasLtMatmulPreferenceSetAttribute(
        pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatmulAlgoGetHeuristic(lt->handle, p->desc, p->w, p->x, p->y, p->y, pref, ALGOS,
                                           found, &n);
    (void)cublasLtMatmulPreferenceDestroy(pref);
    RC_LT(s);
    for (int i = 0; i < n; i++) {
        float ms = 0;
        if (found[i].state != CUBLAS_STATUS_SUCCESS)
            continue;
        rc_status st = attempt(lt, p, &found[i].algo, x, w, y, stream, &ms, err);
        if (st != RC_OK && st != RC_E_UNMODELLED)
            return st;
        if (st == RC_OK && (keep < 0 || ms < best)) {
            best = ms;
            keep = i;
        }
    }
    if (keep < 0)
        return rc_fail(err, RC_E_UNMODELLED, "cuBLASLt has no algorithm for %lld x %lld x %lld",
                       (long long)p->m, (long long)p->n, (long long)p->k);
    p->algo = found[keep].algo;
    return RC_OK;
}

rc_status rc_lt_plan(rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                     const void *w, void *y, cudaStream_t stream, rc_error *err) {
    if (find(lt, m, n, k, sms))
        return RC_OK;
    if (lt->count == MAX_PLANS) { /* an earlier case's plans are not needed any more */
        for (int i = 0; i < lt->count; i++)
            plan_free(&lt->plans[i]);
        lt->count = 0;
    }
    plan p = {.m = m, .n = n, .k = k, .sms = sms};
    rc_status st = describe(&p, err);
    if (st == RC_OK)
        st = choose(lt, &p, x, w, y, stream, err);
    if (st != RC_OK) {
        plan_free(&p);
        return st;
    }
    lt->plans[lt->count++] = p;
    return RC_OK;
}

rc_status rc_lt_run(rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                    const void *w, void *y, cudaStream_t stream, rc_error *err) {
    const plan *p = find(lt, m, n, k, sms);
    if (!p)
        return rc_fail(err, RC_E_INTERNAL, "no plan for %lld x %lld x %lld", (long long)m,
                       (long long)n, (long long)k);
    return launch(lt, p, &p->algo, x, w, y, stream, err);
}
