/* NCCL on one GPU by itself: a communicator of one rank, which sends to itself. What a call costs the
 * host and what lies between it and other kernels does not need a second GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NCCL_SELF_H
#define RC_CALIB_NCCL_SELF_H
#include "calib/gpu.h"
#include "calib/nccl_library.h"
#include "sim/base/error.h"

typedef struct rc_nccl_self {
#ifdef RC_HAVE_NCCL
    const rc_nccl *nccl;
    ncclComm_t comm;
#else
    char none; /* a struct without members is not C */
#endif
} rc_nccl_self;

/* Makes the communicator when it is first asked for. RC_E_UNMODELLED without NCCL. *x is zeroed
 * before the first call. */
rc_status rc_nccl_self_open(rc_nccl_self *x, const rc_gpu *gpu, rc_error *err);
void rc_nccl_self_close(rc_nccl_self *x); /* a zeroed one is fine */
/* A group of `pairs` sends of `bytes` at `from` and as many receives of them at `to`. */
rc_status rc_nccl_self_send(const rc_nccl_self *x, const void *from, void *to, size_t bytes,
                            int64_t pairs, cudaStream_t stream, rc_error *err);
/* An all-reduce of `count` numbers in bf16. */
rc_status rc_nccl_self_all_reduce(const rc_nccl_self *x, const void *from, void *to, size_t count,
                                  cudaStream_t stream, rc_error *err);

#endif
