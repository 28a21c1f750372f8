/* One GPU: identity, stream, buffers, errors. Plain C over the CUDA runtime.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_GPU_H
#define RC_CALIB_GPU_H
#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stdint.h>
#include "calib/nvml.h"
#include "sim/base/error.h"

typedef struct rc_gpu {
    int device, sms, capability; /* compute capability: 10 * major + minor */
    char name[64];
    char driver[32], cuda[24];   /* driver and CUDA runtime versions */
    size_t l2_bytes, free_bytes; /* free when opened */
    cudaStream_t stream;
    void *evict_buffer; /* twice the L2: reading it evicts everything else */
    size_t evict_bytes;
    rc_nvml *nvml; /* NULL without NVML */
} rc_gpu;

/* A failed CUDA call as an error that names it. RC_E_NOMEM for memory, else RC_E_INTERNAL. */
rc_status rc_cuda_fail(rc_error *err, cudaError_t e, const char *call, const char *file, int line);
#define RC_CUDA(call)                                                                              \
    do {                                                                                           \
        cudaError_t rc_cuda_e_ = (call);                                                           \
        if (rc_cuda_e_ != cudaSuccess)                                                             \
            return rc_cuda_fail(err, rc_cuda_e_, #call, __FILE__, __LINE__);                       \
    } while (0)
/* What a launch of kernels.h returned. RC_E_UNMODELLED when the kernel does not take the shape. */
rc_status rc_kernel_check(rc_error *err, int code, const char *what);

/* GPUs visible; 0 without a driver. */
int rc_gpu_count(void);
/* Whether the first two GPUs reach each other's memory. */
bool rc_gpu_peers(void);
/* RC_E_UNMODELLED: of a compute capability that nothing here is compiled for. */
rc_status rc_gpu_open(rc_gpu *g, int device, rc_error *err);
void rc_gpu_close(rc_gpu *g); /* safe on a zeroed one */

/* A device buffer that holds what a suite's points need. */
typedef struct rc_buffer {
    unsigned char *p;
    size_t bytes;
} rc_buffer;

/* Make it hold at least `bytes` (rounded up to 64 KiB); contents are lost when it grows. */
rc_status rc_buffer_reserve(rc_buffer *p, size_t bytes, rc_error *err);
void rc_buffer_free(rc_buffer *p);
/* Standard normal numbers, in bf16, or rounded to e4m3 with one scale for each 8192. */
rc_status rc_buffer_fill_bf16(const rc_gpu *g, const rc_buffer *p, uint64_t seed, rc_error *err);
rc_status rc_buffer_fill_e4m3(const rc_gpu *g, const rc_buffer *p, uint64_t seed, rc_error *err);

/* Seconds of the monotonic clock, and a nap. */
double rc_now(void);
void rc_nap(double seconds);

#endif
