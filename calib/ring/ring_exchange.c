/* Bytes between ranks: by NCCL, or by device copies between virtual ranks.
 *
 * A virtual exchange keeps NCCL's order: a copy starts when the comm streams of both ranks have
 * come to the exchange, and neither continues before its copies are done. So a schedule that lacks
 * an event gives a wrong result here as it would there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_ranks.h"

#include <assert.h>
#include "kernels/kernels.h"

/* ---- virtual -------------------------------------------------------------------------------- */

/* World index of cp index `cp` in the CP group of local rank `at`; virtual ranks are local. */
static int member(const rc_ring_ranks *g, int at, int cp) {
    assert(at >= 0 && at < g->local);
    assert(cp >= 0 && cp < g->cp);
    return cp * g->tp + g->r[at].tp;
}

/* The receive that matches send `k`. */
static const rc_ring_p2p *matching_receive(const rc_ring_ranks *g, const rc_ring_p2p *ops, int n,
                                           int k) {
    const rc_ring_p2p *s = &ops[k];
    int to = member(g, s->at, s->peer), from = g->r[s->at].cp, nth = 0;
    for (int i = 0; i < k; i++)
        nth += ops[i].send && ops[i].at == s->at && ops[i].peer == s->peer;
    for (int i = 0; i < n; i++)
        if (!ops[i].send && ops[i].at == to && ops[i].peer == from && nth-- == 0)
            return &ops[i];
    return NULL;
}

static rc_status copy_ops(rc_ring_ranks *g, const rc_ring_p2p *ops, int n, rc_error *err) {
    for (int i = 0; i < g->local; i++)
        RC_CUDA(cudaEventRecord(g->r[i].ready, g->r[i].comm));
    for (int k = 0; k < n; k++) {
        if (!ops[k].send)
            continue;
        const rc_ring_p2p *to = matching_receive(g, ops, n, k);
        if (!to || to->bytes != ops[k].bytes)
            return rc_fail(err, RC_E_INTERNAL, "a message of %zu bytes meets no receive",
                           ops[k].bytes);
        cudaStream_t stream = g->r[to->at].comm;
        RC_CUDA(cudaStreamWaitEvent(stream, g->r[ops[k].at].ready, 0));
        RC_CUDA(
            cudaMemcpyAsync(to->data, ops[k].data, to->bytes, cudaMemcpyDeviceToDevice, stream));
    }
    for (int i = 0; i < g->local; i++)
        RC_CUDA(cudaEventRecord(g->r[i].done, g->r[i].comm));
    for (int k = 0; k < n; k++)
        if (ops[k].send)
            RC_CUDA(cudaStreamWaitEvent(g->r[ops[k].at].comm,
                                        g->r[member(g, ops[k].at, ops[k].peer)].done, 0));
    return RC_OK;
}

static rc_status sum_rank(rc_ring_ranks *g, int i, void *const *data, int64_t elements,
                          rc_error *err) {
    rc_ring_rank *r = &g->r[i];
    int first = r->cp * g->tp;
    for (int k = 0; k < g->tp; k++) {
        RC_CUDA(cudaStreamWaitEvent(r->compute, g->r[first + k].ready, 0));
        if (k == 0)
            RC_CUDA(cudaMemcpyAsync(r->scratch, data[first], 2 * (size_t)elements,
                                    cudaMemcpyDeviceToDevice, r->compute));
        else
            RC_TRY(rc_kernel_check(
                err, rc_residual_add(r->scratch, data[first + k], elements, r->compute),
                "rc_residual_add"));
    }
    RC_CUDA(cudaEventRecord(r->done, r->compute));
    return RC_OK;
}

static rc_status sum_virtual(rc_ring_ranks *g, void *const *data, int64_t elements, rc_error *err) {
    for (int i = 0; i < g->local; i++)
        RC_CUDA(cudaEventRecord(g->r[i].ready, g->r[i].compute));
    for (int i = 0; i < g->local; i++)
        RC_TRY(sum_rank(g, i, data, elements, err));
    for (int i = 0; i < g->local; i++) {
        rc_ring_rank *r = &g->r[i];
        for (int k = 0; k < g->tp; k++)
            RC_CUDA(cudaStreamWaitEvent(r->compute, g->r[r->cp * g->tp + k].done, 0));
        RC_CUDA(cudaMemcpyAsync(data[i], r->scratch, 2 * (size_t)elements, cudaMemcpyDeviceToDevice,
                                r->compute));
    }
    return RC_OK;
}

/* ---- NCCL ----------------------------------------------------------------------------------- */

#ifdef RC_HAVE_NCCL

static rc_status issue_ops(rc_ring_ranks *g, const rc_ring_p2p *ops, int n, rc_error *err) {
    for (int k = 0; k < n; k++) {
        const rc_ring_p2p *l = &ops[k];
        rc_ring_rank *r = &g->r[l->at];
        if (l->send)
            RC_NCCL(g->nccl, send(l->data, l->bytes, ncclInt8, l->peer, r->cp_comm, r->comm));
        else
            RC_NCCL(g->nccl, recv(l->data, l->bytes, ncclInt8, l->peer, r->cp_comm, r->comm));
    }
    return RC_OK;
}

static rc_status run_nccl_group(rc_ring_ranks *g, const rc_ring_p2p *ops, int n, rc_error *err) {
    RC_NCCL(g->nccl, group_start());
    rc_status st = issue_ops(g, ops, n, err);
    if (st != RC_OK) {
        (void)g->nccl->group_end();
        return st;
    }
    RC_NCCL(g->nccl, group_end());
    return RC_OK;
}

static rc_status sum_nccl(rc_ring_ranks *g, void *const *data, int64_t elements, rc_error *err) {
    rc_ring_rank *r = &g->r[0];
    RC_NCCL(g->nccl, all_reduce(data[0], data[0], (size_t)elements, ncclBfloat16, ncclSum,
                                r->tp_comm, r->compute));
    return RC_OK;
}

static rc_status barrier_nccl(rc_ring_ranks *g, rc_error *err) {
    RC_NCCL(g->nccl, all_reduce(g->barrier, g->barrier, 8, ncclBfloat16, ncclSum, g->r[0].all_comm,
                                g->r[0].compute));
    return RC_OK;
}

#else

static rc_status run_nccl_group(rc_ring_ranks *g, const rc_ring_p2p *ops, int n, rc_error *err) {
    (void)g;
    (void)ops;
    (void)n;
    return rc_fail(err, RC_E_INTERNAL, "built without NCCL");
}

static rc_status sum_nccl(rc_ring_ranks *g, void *const *data, int64_t elements, rc_error *err) {
    (void)g;
    (void)data;
    (void)elements;
    return rc_fail(err, RC_E_INTERNAL, "built without NCCL");
}

static rc_status barrier_nccl(rc_ring_ranks *g, rc_error *err) {
    (void)g;
    return rc_fail(err, RC_E_INTERNAL, "built without NCCL");
}

#endif

rc_status rc_ring_exchange(rc_ring_ranks *g, const rc_ring_p2p *ops, int n, rc_error *err) {
    return g->virtual_ranks ? copy_ops(g, ops, n, err) : run_nccl_group(g, ops, n, err);
}

rc_status rc_ring_all_reduce(rc_ring_ranks *g, void *const *data, int64_t elements, rc_error *err) {
    assert(elements > 0);
    if (g->tp == 1)
        return RC_OK;
    return g->virtual_ranks ? sum_virtual(g, data, elements, err)
                            : sum_nccl(g, data, elements, err);
}

rc_status rc_ring_barrier(rc_ring_ranks *g, rc_error *err) {
    return g->virtual_ranks || g->cp * g->tp == 1 ? RC_OK : barrier_nccl(g, err);
}
