/* Matrix products through cuBLASLt: y[M,N] = x[M,K] W[N,K]^T, bf16 out, fp32 accumulation.
 *
 * A shape is planned once, as a tuned inference engine would do it: the algorithms that the
 * library's heuristic ranks first (64 of them up to 256 rows, 8 above) are timed on the caller's
 * buffers with nothing in L2, and the fastest is kept. A launch allocates nothing. The gemm suite,
 * the interference suite and the rings share this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_CUBLASLT_H
#define RC_CALIB_CUBLASLT_H
#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef struct rc_cublaslt rc_cublaslt;

typedef struct rc_cublaslt_shape {
    int64_t m, n, k;
    bool fp8; /* x and W in e4m3, one float scale a row of each, fast accumulation; else bf16 */
    int sms;  /* at most so many SMs; 0: all */
} rc_cublaslt_shape;

typedef struct rc_cublaslt_plan_info {
    bool tensorwise; /* fp8: the library takes one scale a tensor only for this shape */
} rc_cublaslt_plan_info;

/* On the current device. One workspace: products of one rc_cublaslt must not overlap on the GPU. */
rc_status rc_cublaslt_open(rc_cublaslt **out, rc_error *err);
void rc_cublaslt_close(rc_cublaslt *lt); /* NULL is fine */
/* "cublasLt-13.1.0": the kernel of a row. */
void rc_cublaslt_version(char *out, size_t size);
/* Make the plan of a shape, trying algorithms on these buffers. *info may be NULL.
 * RC_E_UNMODELLED: the library has no algorithm for it. */
rc_status rc_cublaslt_prepare(rc_cublaslt *lt, const rc_cublaslt_shape *s, const void *x,
                              const void *w, void *y, cudaStream_t stream,
                              rc_cublaslt_plan_info *info, rc_error *err);
/* Enqueue; the shape must have a plan. Capturable. */
rc_status rc_cublaslt_launch(rc_cublaslt *lt, const rc_cublaslt_shape *s, const void *x,
                             const void *w, void *y, cudaStream_t stream, rc_error *err);
/* The same for bf16, spelt out. */
rc_status rc_cublaslt_plan(rc_cublaslt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                           const void *w, void *y, cudaStream_t stream, rc_error *err);
rc_status rc_cublaslt_run(rc_cublaslt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                          const void *w, void *y, cudaStream_t stream, rc_error *err);

#endif
