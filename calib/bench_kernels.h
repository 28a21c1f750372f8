/* Two small kernels that only measuring needs.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_BENCH_KERNELS_H
#define RC_CALIB_BENCH_KERNELS_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* Read `bytes` (a multiple of 16) at `buf`: at twice the L2 this leaves nothing else in it, and,
 * unlike a sweep that writes, no dirty line whose way back to HBM the next call would pay for. All
 * calls are asynchronous on `stream` (a cudaStream_t) and return 0 or a cudaError_t. */
int rc_sweep_read(const void *buf, size_t bytes, void *stream);
/* Hold the stream for so long without work: one thread that sleeps. */
int rc_sweep_idle(int64_t nanoseconds, void *stream);

#ifdef __cplusplus
}
#endif
#endif
