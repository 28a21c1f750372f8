/* An all-reduce of our own among the GPUs of a node, for messages too short for NCCL to be quick. Behind
 * plain C; kernels.h says what holds for all kernels.
 *
 * Every rank has a buffer that all ranks reach (peer access, or CUDA IPC between processes). Data is its own
 * flag: a word of a buffer that holds the pair (-0, -0) has not arrived yet, and no sender sends that pair.
 * Nothing waits for a barrier, and a call fits in a CUDA graph.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_ALL_REDUCE_H
#define RC_KERNELS_ALL_REDUCE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { RC_ALL_REDUCE_RANKS = 8 };

typedef struct rc_all_reduce_args {
    const void *x; /* bf16, n numbers */
    void *y;   /* the sum over all ranks, in fp32 in the order of the ranks, rounded once; may be x.
                            (-0, -0) in x counts as (0, 0) */
    int64_t n; /* a multiple of 8, at most `most` */
    int64_t most;    /* numbers that the buffers were made for */
    int rank, ranks; /* 2 to RC_ALL_REDUCE_RANKS */
    int two_shot; /* 0: every rank sends all of x to every other and sums by itself. 1: every rank sums
                            one part and sends the sum to the others, which moves 2/ranks of the bytes and
                            takes two hops */
    int ctas;     /* 0 = choose */
    void *const *buffer; /* [ranks]: the buffers of all ranks, as this one reaches them */
} rc_all_reduce_args;

/* Bytes of a rank's buffer for calls of up to `most` numbers. */
size_t rc_all_reduce_buffer(int ranks, int64_t most);
/* Makes a buffer ready. All ranks' must be ready before any rank's first call. */
int rc_all_reduce_prepare(void *buffer, int ranks, int64_t most, void *stream);
/* All ranks make the same calls in the same order, those of one rank on one stream. A rank waits inside for
 * those that come later. */
int rc_all_reduce(const rc_all_reduce_args *a, void *stream);

#ifdef __cplusplus
}
#endif
#endif
