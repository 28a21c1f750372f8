/* What carries bytes between ranks: NCCL, or device copies between virtual ranks.
 *
 * A virtual exchange keeps NCCL's order: a copy starts when both ranks' comm streams have come to
 * the exchange, and neither goes on before its copies are done. So a schedule that is short of an
 * event is wrong here as it would be there.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_ranks.h"
#include "kernels/kernels.h"

/* ---- virtual -------------------------------------------------------------------------------- */

/* World index of cp index `cp` in the CP group of local rank `at`; virtual ranks are local. */
static int member(const rc_rig *g, int at, int cp) {
    return cp * g->tp + g->r[at].tp;
}

/* The receive that meets send `k`. */
static const rc_leg *meets(const rc_rig *g, const rc_leg *legs, int n, int k) {
    const rc_leg *s = &legs[k];
    int to = member(g, s->at, s->peer), from = g->r[s->at].cp, nth = 0;
    for (int i = 0; i < k; i++)
        nth += legs[i].send && legs[i].at == s->at && legs[i].peer == s->peer;
    for (int i = 0; i < n; i++)
        if (!legs[i].send && legs[i].at == to && legs[i].peer == from && nth-- == 0)
            return &legs[i];
    return NULL;
}

static rc_status copy_legs(rc_rig *g, const rc_leg *legs, int n, rc_error *err) {
    for (int i = 0; i < g->local; i++)
        RC_CUDA(cudaEventRecord(g->r[i].ready, g->r[i].comm));
    for (int k = 0; k < n; k++) {
        if (!legs[k].send)
            continue;
        const rc_leg *to = meets(g, legs, n, k);
        if (!to || to->bytes != legs[k].bytes)
            return rc_fail(err, RC_E_INTERNAL, "a message of %zu bytes meets no receive",
                           legs[k].bytes);
        cudaStream_t stream = g->r[to->at].comm;
        RC_CUDA(cudaStreamWaitEvent(stream, g->r[legs[k].at].ready, 0));
        RC_CUDA(
            cudaMemcpyAsync(to->data, legs[k].data, to->bytes, cudaMemcpyDeviceToDevice, stream));
    }
    for (int i = 0; i < g->local; i++)
        RC_CUDA(cudaEventRecord(g->r[i].done, g->r[i].comm));
    for (int k = 0; k < n; k++)
        if (legs[k].send)
            RC_CUDA(cudaStreamWaitEvent(g->r[legs[k].at].comm,
                                        g->r[member(g, legs[k].at, legs[k].peer)].done, 0));
    return RC_OK;
}

static rc_status sum_rank(rc_rig *g, int i, void *const *data, int64_t elements, rc_error *err) {
    rc_rig_rank *r = &g->r[i];
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

static rc_status sum_virtual(rc_rig *g, void *const *data, int64_t elements, rc_error *err) {
    for (int i = 0; i < g->local; i++)
        RC_CUDA(cudaEventRecord(g->r[i].ready, g->r[i].compute));
    for (int i = 0; i < g->local; i++)
        RC_TRY(sum_rank(g, i, data, elements, err));
    for (int i = 0; i < g->local; i++) {
        rc_rig_rank *r = &g->r[i];
        for (int k = 0; k < g->tp; k++)
            RC_CUDA(cudaStreamWaitEvent(r->compute, g->r[r->cp * g->tp + k].done, 0));
        RC_CUDA(cudaMemcpyAsync(data[i], r->scratch, 2 * (size_t)elements, cudaMemcpyDeviceToDevice,
                                r->compute));
    }
    return RC_OK;
}

/* ---- NCCL ----------------------------------------------------------------------------------- */

#ifdef RC_HAVE_NCCL

static rc_status issue_legs(rc_rig *g, const rc_leg *legs, int n, rc_error *err) {
    for (int k = 0; k < n; k++) {
        const rc_leg *l = &legs[k];
        rc_rig_rank *r = &g->r[l->at];
        if (l->send)
            RC_NCCL(g->nccl, send(l->data, l->bytes, ncclInt8, l->peer, r->cp_comm, r->comm));
        else
            RC_NCCL(g->nccl, recv(l->data, l->bytes, ncclInt8, l->peer, r->cp_comm, r->comm));
    }
    return RC_OK;
}

static rc_status carry_legs(rc_rig *g, const rc_leg *legs, int n, rc_error *err) {
    RC_NCCL(g->nccl, group_start());
    rc_status st = issue_legs(g, legs, n, err);
    if (st != RC_OK) {
        (void)g->nccl->group_end();
        return st;
    }
    RC_NCCL(g->nccl, group_end());
    return RC_OK;
}

static rc_status sum_real(rc_rig *g, void *const *data, int64_t elements, rc_error *err) {
    rc_rig_rank *r = &g->r[0];
    RC_NCCL(g->nccl, all_reduce(data[0], data[0], (size_t)elements, ncclBfloat16, ncclSum,
                                r->tp_comm, r->compute));
    return RC_OK;
}

static rc_status line_up_real(rc_rig *g, rc_error *err) {
    RC_NCCL(g->nccl, all_reduce(g->line_up, g->line_up, 8, ncclBfloat16, ncclSum, g->r[0].all_comm,
                                g->r[0].compute));
    return RC_OK;
}

#else

static rc_status carry_legs(rc_rig *g, const rc_leg *legs, int n, rc_error *err) {
    (void)g;
    (void)legs;
    (void)n;
    return rc_fail(err, RC_E_INTERNAL, "built without NCCL");
}

static rc_status sum_real(rc_rig *g, void *const *data, int64_t elements, rc_error *err) {
    (void)g;
    (void)data;
    (void)elements;
    return rc_fail(err, RC_E_INTERNAL, "built without NCCL");
}

static rc_status line_up_real(rc_rig *g, rc_error *err) {
    (void)g;
    return rc_fail(err, RC_E_INTERNAL, "built without NCCL");
}

#endif

rc_status rc_rig_exchange(rc_rig *g, const rc_leg *legs, int n, rc_error *err) {
    return g->virtual_ranks ? copy_legs(g, legs, n, err) : carry_legs(g, legs, n, err);
}

rc_status rc_rig_all_reduce(rc_rig *g, void *const *data, int64_t elements, rc_error *err) {
    if (g->tp == 1)
        return RC_OK;
    return g->virtual_ranks ? sum_virtual(g, data, elements, err)
                            : sum_real(g, data, elements, err);
}

rc_status rc_rig_line_up(rc_rig *g, rc_error *err) {
    return g->virtual_ranks || g->cp * g->tp == 1 ? RC_OK : line_up_real(g, err);
}
