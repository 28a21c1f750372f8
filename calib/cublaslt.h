/* Matrix products through cuBLASLt: y[M,N] = x[M,K] W[N,K]^T, bf16 out, fp32 accumulation. A shape
 * is planned once: the algorithms that the library's heuristic ranks first (64 up to 256 rows, 8
 * above) are timed on the caller's buffers with nothing in L2, and the fastest is kept, as a tuned
 * engine would. A launch allocates nothing. The gemm suite and the rings share this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_CUBLASLT_H
#define RC_CALIB_CUBLASLT_H
#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef struct rc_lt rc_lt;

typedef struct rc_lt_shape {
    int64_t m, n, k;
    bool fp8; /* x and W in e4m3, one float scale a row of each, fast accumulation; else bf16 */
    int sms;  /* at most so many SMs; 0: all */
} rc_lt_shape;

typedef struct rc_lt_plan_info {
    bool tensorwise; /* fp8: the library takes one scale a tensor only for this shape */
} rc_lt_plan_info;

/* On the current device. One workspace: products of one rc_lt must not overlap on the GPU. */
rc_status rc_lt_open(rc_lt **out, rc_error *err);
void rc_lt_close(rc_lt *lt); /* NULL is fine */
/* Make the plan of a shape, trying algorithms on these buffers. *info may be NULL.
 * RC_E_UNMODELLED: the library has no algorithm for it. */
rc_status rc_lt_prepare(rc_lt *lt, const rc_lt_shape *s, const void *x, const void *w, void *y,
                        cudaStream_t stream, rc_lt_plan_info *info, rc_error *err);
/* Enqueue; the shape must have a plan. Capturable. */
rc_status rc_lt_launch(rc_lt *lt, const rc_lt_shape *s, const void *x, const void *w, void *y,
                       cudaStream_t stream, rc_error *err);
/* The same for bf16, spelt out. */
rc_status rc_lt_plan(rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                     const void *w, void *y, cudaStream_t stream, rc_error *err);
rc_status rc_lt_run(rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                    const void *w, void *y, cudaStream_t stream, rc_error *err);

#endif
