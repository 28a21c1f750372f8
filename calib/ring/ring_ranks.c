/* The ranks of a ring run: streams, communicators, graph captures. The exchange of bytes is in
 * ring_exchange.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_ranks.h"

#include <stdlib.h>
#include <string.h>

enum { BARRIER_BYTES = 4096 };

static rc_status open_streams(rc_ring_rank *r, rc_error *err) {
    cudaEvent_t *const events[] = {&r->ready, &r->done, &r->computed, &r->arrived, &r->forked};
    RC_CUDA(cudaStreamCreateWithFlags(&r->compute, cudaStreamNonBlocking));
    int least = 0, most = 0;
    RC_CUDA(cudaDeviceGetStreamPriorityRange(&least, &most));
    RC_CUDA(cudaStreamCreateWithPriority(&r->comm, cudaStreamNonBlocking, most));
    for (int i = 0; i < RC_RING_BUFFERS; i++)
        RC_CUDA(cudaEventCreateWithFlags(&r->stepped[i], cudaEventDisableTiming));
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        RC_CUDA(cudaEventCreateWithFlags(events[i], cudaEventDisableTiming));
    return RC_OK;
}

#ifdef RC_HAVE_NCCL

enum { MAX_IDS = 2 * RC_RING_MAX_RANKS + 1 };

/* Rank 0 makes an id for the world, for each CP group and for each TP group; each process joins its
 * three, in that order. */
static rc_status join(rc_ring_ranks *g, rc_error *err) {
    ncclUniqueId id[MAX_IDS];
    rc_ring_rank *r = &g->r[0];
    int groups = 1 + g->tp + g->cp;
    memset(id, 0, sizeof id);
    g->nccl = rc_nccl_load(err);
    if (!g->nccl)
        return RC_E_UNMODELLED;
    for (int i = 0; i < groups && g->procs->rank == 0; i++)
        RC_NCCL(g->nccl, unique_id(&id[i]));
    for (int i = 0; i < groups; i++)
        RC_TRY(rc_group_share(g->procs, &id[i], sizeof id[i], err));
    RC_NCCL(g->nccl, comm_init_rank(&r->all_comm, g->cp * g->tp, id[0], r->world));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    if (g->ctas)
        config.minCTAs = config.maxCTAs = g->ctas;
    if (g->cp > 1)
        RC_NCCL(g->nccl, comm_init_rank_config(&r->cp_comm, g->cp, id[1 + r->tp], r->cp, &config));
    if (g->tp > 1)
        RC_NCCL(g->nccl, comm_init_rank(&r->tp_comm, g->tp, id[1 + g->tp + r->cp], r->tp));
    return RC_OK;
}

#else

static rc_status join(rc_ring_ranks *g, rc_error *err) {
    (void)g;
    return rc_fail(err, RC_E_UNMODELLED, "built without NCCL: nccl.h was not found");
}

#endif

rc_status rc_ring_ranks_open(rc_ring_ranks *g, const rc_group *procs, rc_gpu *gpu,
                             bool virtual_ranks, int cp, int tp, int ctas, rc_error *err) {
    memset(g, 0, sizeof *g);
    g->procs = procs;
    g->gpu = gpu;
    g->virtual_ranks = virtual_ranks;
    g->cp = cp;
    g->tp = tp;
    g->ctas = ctas;
    if (!virtual_ranks && procs->size != cp * tp)
        return rc_fail(err, RC_E_UNMODELLED, "it needs %d GPUs, and there are %d", cp * tp,
                       procs->size);
    int local = virtual_ranks ? cp * tp : 1;
    for (int i = 0; i < local; i++) {
        rc_ring_rank *r = &g->r[i];
        r->world = virtual_ranks ? i : procs->rank;
        r->cp = r->world / tp;
        r->tp = r->world % tp;
        g->local = i + 1;
        RC_TRY(open_streams(r, err));
        RC_TRY(rc_cublaslt_open(&g->lt[i], err));
    }
    RC_CUDA(cudaMalloc(&g->barrier, BARRIER_BYTES));
    RC_CUDA(cudaMemset(g->barrier, 0, BARRIER_BYTES));
    return virtual_ranks || cp * tp == 1 ? RC_OK : join(g, err);
}

static void close_rank(rc_ring_ranks *g, rc_ring_rank *r) {
    cudaEvent_t const events[] = {r->ready, r->done, r->computed, r->arrived, r->forked};
#ifdef RC_HAVE_NCCL
    ncclComm_t const comms[] = {r->cp_comm, r->tp_comm, r->all_comm};
    for (size_t i = 0; i < sizeof comms / sizeof comms[0]; i++)
        if (comms[i])
            (void)g->nccl->comm_destroy(comms[i]);
#else
    (void)g;
#endif
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            (void)cudaEventDestroy(events[i]);
    for (int i = 0; i < RC_RING_BUFFERS; i++)
        if (r->stepped[i])
            (void)cudaEventDestroy(r->stepped[i]);
    if (r->compute)
        (void)cudaStreamDestroy(r->compute);
    if (r->comm)
        (void)cudaStreamDestroy(r->comm);
}

void rc_ring_ranks_close(rc_ring_ranks *g) {
    for (int i = 0; i < g->local; i++) {
        close_rank(g, &g->r[i]);
        rc_cublaslt_close(g->lt[i]);
    }
    if (g->barrier)
        (void)cudaFree(g->barrier);
    memset(g, 0, sizeof *g);
}

rc_status rc_ring_synchronize(rc_ring_ranks *g, rc_error *err) {
    for (int i = 0; i < g->local; i++) {
        RC_CUDA(cudaStreamSynchronize(g->r[i].compute));
        RC_CUDA(cudaStreamSynchronize(g->r[i].comm));
    }
    return RC_OK;
}

/* ---- captures: the first rank's compute stream leads, the others are forked from it and joined */

rc_status rc_ring_capture_begin(rc_ring_ranks *g, rc_error *err) {
    rc_ring_rank *lead = &g->r[0];
    RC_CUDA(cudaStreamBeginCapture(lead->compute, cudaStreamCaptureModeThreadLocal));
    RC_CUDA(cudaEventRecord(lead->forked, lead->compute));
    for (int i = 0; i < g->local; i++) {
        if (i > 0)
            RC_CUDA(cudaStreamWaitEvent(g->r[i].compute, lead->forked, 0));
        RC_CUDA(cudaStreamWaitEvent(g->r[i].comm, lead->forked, 0));
    }
    return RC_OK;
}

static rc_status join_streams(rc_ring_ranks *g, rc_error *err) {
    cudaStream_t lead = g->r[0].compute;
    for (int i = 0; i < g->local; i++) {
        rc_ring_rank *r = &g->r[i];
        RC_CUDA(cudaEventRecord(r->done, r->comm));
        RC_CUDA(cudaStreamWaitEvent(lead, r->done, 0));
        if (i == 0)
            continue;
        RC_CUDA(cudaEventRecord(r->forked, r->compute));
        RC_CUDA(cudaStreamWaitEvent(lead, r->forked, 0));
    }
    return RC_OK;
}

rc_status rc_ring_capture_end(rc_ring_ranks *g, cudaGraphExec_t *graph, rc_error *err) {
    cudaGraph_t captured = NULL;
    *graph = NULL;
    rc_status st = join_streams(g, err);
    cudaError_t e = cudaStreamEndCapture(g->r[0].compute, &captured);
    if (st == RC_OK && e == cudaSuccess)
        e = cudaGraphInstantiate(graph, captured, 0);
    if (captured)
        (void)cudaGraphDestroy(captured);
    RC_TRY(st);
    RC_CUDA(e);
    return RC_OK;
}
