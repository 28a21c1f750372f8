/* The few types of the CUDA runtime that the calibrator's headers name, for building its command
 * line, its lists, its store and its run over tests/support/calib_fake.c where there is no CUDA.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FAKE_CUDA_RUNTIME_API_H
#define RC_FAKE_CUDA_RUNTIME_API_H
typedef struct fake_stream *cudaStream_t;
typedef struct fake_event *cudaEvent_t;
typedef enum { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 } cudaError_t;
#endif
