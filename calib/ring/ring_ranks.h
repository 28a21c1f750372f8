/* The GPUs of a run and what carries bytes between them.
 *
 * Real: one process a GPU (MPI, or forked by this program), NCCL between them; each process holds
 * one rank. Virtual: one process holds all ranks on one GPU, each with its own buffers and streams,
 * and device copies take the place of NCCL: no timing comes of that, but every schedule can be
 * checked where there is one GPU.
 *
 * Ranks: world rank = cp index * tp + tp index. A CP group has the same tp index, a TP group the
 * same cp index.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_RANKS_H
#define RC_CALIB_RING_RING_RANKS_H
#include <cuda_runtime_api.h>
#include "calib/gpu.h"
#include "calib/group.h"
#include "calib/cublaslt.h"
#include "calib/nccl_library.h"
#include "calib/ring/ring_case.h"

/* Messages may run ahead of attention by as many steps as there are buffers for what arrives, less
 * one: with three, a message waits for its SMs before the attention that it runs beside, and so has
 * them when that begins. */
enum { RC_RING_BUFFERS = 3 };

typedef struct rc_rig_rank {
    int world, cp, tp; /* indices */
    cudaStream_t compute, comm;
    cudaEvent_t ready, done;              /* of the carrier */
    cudaEvent_t computed, arrived;        /* compute up to here; the message of a step is here */
    cudaEvent_t stepped[RC_RING_BUFFERS]; /* the attention of a ring step is done, by turns */
    cudaEvent_t forked;                   /* for captures */
    void *scratch;                        /* virtual all-reduce: one hidden state */
#ifdef RC_HAVE_NCCL
    ncclComm_t cp_comm, tp_comm, all_comm;
#endif
} rc_rig_rank;

typedef struct rc_rig {
    const rc_group *procs;
    rc_gpu *gpu;
    rc_lt *lt[RC_RING_MAX_RANKS]; /* one a local rank: they overlap on the GPU */
    bool virtual_ranks;
    int cp, tp, ctas;
    int local; /* ranks of this process */
    rc_rig_rank r[RC_RING_MAX_RANKS];
#ifdef RC_HAVE_NCCL
    const rc_nccl *nccl;
#endif
    void *line_up; /* a few bytes for the all-reduce that lines the ranks up */
} rc_rig;

/* Streams and communicators for cp x tp ranks, NCCL's kernels of a CP group on `ctas` CTAs (0: as
 * it chooses). The comm streams have the highest priority. A real rig needs as many processes. */
rc_status rc_rig_open(rc_rig *g, const rc_group *procs, rc_gpu *gpu, bool virtual_ranks, int cp,
                      int tp, int ctas, rc_error *err);
void rc_rig_close(rc_rig *g); /* safe on a zeroed one */

/* One side of a message inside a CP group: local rank `at` sends `bytes` to, or receives them from,
 * cp index `peer`. The k-th send of a to b meets the k-th receive of b from a. */
typedef struct rc_leg {
    int at, peer;
    bool send;
    void *data;
    size_t bytes;
} rc_leg;
/* All legs at once, on the comm streams. A rank's comm stream goes on when its legs are done. */
rc_status rc_rig_exchange(rc_rig *g, const rc_leg *legs, int n, rc_error *err);
/* Sum over the TP group, in place, on the compute streams: data[i] of local rank i, bf16. */
rc_status rc_rig_all_reduce(rc_rig *g, void *const *data, int64_t elements, rc_error *err);
/* The compute streams start as one: a small collective over all ranks. */
rc_status rc_rig_line_up(rc_rig *g, rc_error *err);
/* Wait for all streams of this process. */
rc_status rc_rig_drain(rc_rig *g, rc_error *err);

/* What the compute streams do between the two becomes one graph of this process. */
rc_status rc_rig_capture_begin(rc_rig *g, rc_error *err);
rc_status rc_rig_capture_end(rc_rig *g, cudaGraphExec_t *graph, rc_error *err);

#endif
