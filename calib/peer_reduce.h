/* The all-reduce of kernels/all_reduce.h among the first n processes of a group, one GPU each: buffers that they
 * open to each other by CUDA IPC.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_PEER_REDUCE_H
#define RC_CALIB_PEER_REDUCE_H
#include "calib/gpu.h"
#include "calib/process_group.h"
#include "kernels/all_reduce.h"

enum { RC_PEER_REDUCE_MAX = 8 << 20 }; /* bytes of a message */

typedef struct rc_peer_reduce {
    const rc_group *procs;
    int ranks; /* that are connected; 0: none */
    rc_buffer own;
    void *buffer[RC_ALL_REDUCE_RANKS]; /* of each rank, as this process reaches them */
} rc_peer_reduce;

/* Zeroed, then used; `procs` must outlive it. Called by all processes alike: connects the first `ranks`, on
 * one node, unless they are. RC_E_UNMODELLED: over RC_ALL_REDUCE_RANKS ranks. */
rc_status rc_peer_reduce_connect(rc_peer_reduce *r, const rc_group *procs, int ranks,
                                 cudaStream_t stream, rc_error *err);
/* `bytes` of bf16, a multiple of 16; by a process of the first `ranks`. */
rc_status rc_peer_reduce_launch(const rc_peer_reduce *r, const void *x, void *y, size_t bytes,
                                bool two_shot, cudaStream_t stream, rc_error *err);
void rc_peer_reduce_close(rc_peer_reduce *r);

#endif
