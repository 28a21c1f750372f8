/* The ranks of a ring run: their GPUs, streams, events and communicators, and the exchange of bytes
 * between them.
 *
 * Real ranks: one process a GPU (started by MPI, or forked by this program), each with one rank;
 * NCCL moves the bytes. Virtual ranks: one process holds all ranks on one GPU, each with its own
 * buffers and streams, and device copies take the place of NCCL. Virtual ranks cannot be timed, but
 * they check every schedule where there is only one GPU.
 *
 * World rank = cp index * tp + tp index. The ranks of a CP group have the same tp index, those of a
 * TP group the same cp index. A "local" rank is a rank of this process.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_RANKS_H
#define RC_CALIB_RING_RING_RANKS_H
#include <cuda_runtime_api.h>
#include "calib/gpu.h"
#include "calib/process_group.h"
#include "calib/cublaslt.h"
#include "calib/nccl_library.h"
#include "calib/ring/ring_case.h"

/* Buffers for arriving messages. Messages may run ahead of attention by one step less than there
 * are buffers. With three, a message is already waiting for SMs when the attention begins that it
 * overlaps with, and so gets them first. */
enum { RC_RING_BUFFERS = 3 };

typedef struct rc_ring_rank {
    int world, cp, tp; /* indices */
    cudaStream_t compute, comm;
    cudaEvent_t ready, done;       /* of a virtual exchange: inputs are there; copies are done */
    cudaEvent_t computed, arrived; /* compute up to here; the message of a step is here */
    cudaEvent_t stepped[RC_RING_BUFFERS]; /* the attention of a ring step is done, by turns */
    cudaEvent_t forked;                   /* for captures */
    void *scratch;                        /* virtual all-reduce: one hidden state */
#ifdef RC_HAVE_NCCL
    ncclComm_t cp_comm, tp_comm, all_comm;
#endif
} rc_ring_rank;

typedef struct rc_ring_ranks {
    const rc_group *procs;
    rc_gpu *gpu;
    rc_cublaslt *lt[RC_RING_MAX_RANKS]; /* one a local rank: they overlap on the GPU */
    bool virtual_ranks;
    int cp, tp, ctas;
    int local; /* ranks of this process */
    rc_ring_rank r[RC_RING_MAX_RANKS];
#ifdef RC_HAVE_NCCL
    const rc_nccl *nccl;
#endif
    void *barrier; /* a few bytes for the all-reduce of rc_ring_barrier */
} rc_ring_ranks;

/* Streams and communicators for cp x tp ranks, NCCL's kernels of a CP group on `ctas` CTAs (0: as
 * it chooses). The comm streams have the highest priority. Real ranks need as many
 * processes. */
rc_status rc_ring_ranks_open(rc_ring_ranks *g, const rc_group *procs, rc_gpu *gpu,
                             bool virtual_ranks, int cp, int tp, int ctas, rc_error *err);
void rc_ring_ranks_close(rc_ring_ranks *g); /* safe on a zeroed one */

/* One point-to-point operation inside a CP group: local rank `at` sends `bytes` to, or receives
 * them from, cp index `peer`. The k-th send of a to b is matched by the k-th receive of b from a,
 * as in NCCL. */
typedef struct rc_ring_p2p {
    int at, peer;
    bool send;
    void *data;
    size_t bytes;
} rc_ring_p2p;
/* Enqueue all operations as one group on the comm streams. A rank's comm stream continues when its
 * own operations are done. */
rc_status rc_ring_exchange(rc_ring_ranks *g, const rc_ring_p2p *ops, int n, rc_error *err);
/* Sum over the TP group, in place, on the compute streams: data[i] of local rank i, bf16. */
rc_status rc_ring_all_reduce(rc_ring_ranks *g, void *const *data, int64_t elements, rc_error *err);
/* Align the compute streams of all ranks by a small collective, so that a timed pass starts on all
 * GPUs together. */
rc_status rc_ring_barrier(rc_ring_ranks *g, rc_error *err);
/* The host waits for all streams of this process. */
rc_status rc_ring_synchronize(rc_ring_ranks *g, rc_error *err);

/* What the compute streams do between the two becomes one graph of this process. */
rc_status rc_ring_capture_begin(rc_ring_ranks *g, rc_error *err);
rc_status rc_ring_capture_end(rc_ring_ranks *g, cudaGraphExec_t *graph, rc_error *err);

#endif
