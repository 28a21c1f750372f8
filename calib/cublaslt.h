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

typedef enum rc_product_type {
    RC_PRODUCT_BF16,
    RC_PRODUCT_FP8, /* e4m3, one float scale a row of x and a row of W, fast accumulation */
    /* e4m3, a float scale for each 128 elements of a row of x and each 128 x 128 of W; sums of 128 are scaled and
     * added in fp32. Hopper alone. */
    RC_PRODUCT_FP8_BLOCK
} rc_product_type;
rc_product_type rc_product_type_named(const char *dtype); /* "bf16", "fp8" or "fp8-block" */
size_t rc_product_element(rc_product_type t);             /* bytes */
/* Rows of x and y that a product of m rows touches: under scales of blocks the library takes fours. */
int64_t rc_product_rows(rc_product_type t, int64_t m);

typedef struct rc_cublaslt_shape {
    int64_t m, n, k;
    rc_product_type type;
    int sms; /* at most so many SMs; 0: all */
} rc_cublaslt_shape;

typedef struct rc_cublaslt_plan_info {
    bool tensorwise; /* fp8: the library takes one scale a tensor only for this shape */
} rc_cublaslt_plan_info;

/* On the current device. One workspace: products of one rc_cublaslt must not overlap on the GPU. */
rc_status rc_cublaslt_open(rc_cublaslt **out, rc_error *err);
void rc_cublaslt_close(rc_cublaslt *lt); /* NULL is fine */
/* Scales of the fp8 products that are prepared from here on; both NULL, as at first: numbers near 0.01, the same
 * whatever the shape. FP8: x[m], w[n]. FP8_BLOCK: of block b of x's row r at x[b * rows + r], with rows of
 * rc_product_rows; of W's block (row i / 128, column b) at w[i / 128 * L + b], L: blocks of k, rounded up to fours. */
void rc_cublaslt_scales(rc_cublaslt *lt, const float *x, const float *w);
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
