/* Two small kernels that only measuring needs: one that evicts the L2 cache and one that idles.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_BENCH_KERNELS_H
#define RC_CALIB_BENCH_KERNELS_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Both calls are asynchronous on `stream` (a cudaStream_t) and return 0 or a cudaError_t. */

/* Read `bytes` (a multiple of 16) at `buf`. With twice the size of the L2 this leaves nothing else
 * in it. Reading, unlike writing, leaves no dirty lines, which the next call would have to write
 * back to HBM. */
int rc_bench_evict_l2(const void *buf, size_t bytes, void *stream);
/* Keep the stream busy for so long without work: one thread that sleeps. */
int rc_bench_idle(int64_t nanoseconds, void *stream);

#ifdef __cplusplus
}
#endif
#endif
