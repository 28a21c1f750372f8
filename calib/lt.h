/* Matrix products of a layer through cuBLASLt, for programs of many shapes: y[M,N] = x[M,K]
 * W[N,K]^T, bf16, fp32 accumulation. A shape is ranked and tried once (the fastest of the library's
 * first eight algorithms is kept, as the gemm suite does) and found again afterwards; a launch
 * allocates nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_LT_H
#define RC_CALIB_LT_H
#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef struct rc_lt rc_lt;

/* On the current device. One workspace: products of one rc_lt must not overlap on the GPU. */
rc_status rc_lt_open(rc_lt **out, rc_error *err);
void rc_lt_close(rc_lt *lt); /* NULL is fine */
/* Make the plan of a shape, trying algorithms on these buffers. `sms`: at most so many SMs, 0 all.
 */
rc_status rc_lt_plan(rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                     const void *w, void *y, cudaStream_t stream, rc_error *err);
/* Enqueue; the shape must have a plan. Capturable. */
rc_status rc_lt_run(rc_lt *lt, int64_t m, int64_t n, int64_t k, int sms, const void *x,
                    const void *w, void *y, cudaStream_t stream, rc_error *err);

#endif
