/* NCCL on one GPU by itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl_self.h"
#include "calib/suite.h"

#include <assert.h>

#ifdef RC_HAVE_NCCL

rc_status rc_nccl_self_open(rc_nccl_self *x, const rc_gpu *gpu, rc_error *err) {
    x->nccl = rc_nccl_load(err);
    if (!x->nccl)
        return RC_E_UNMODELLED;
    if (!x->comm)
        RC_NCCL(x->nccl, comm_init_all(&x->comm, 1, &gpu->device));
    return RC_OK;
}

void rc_nccl_self_close(rc_nccl_self *x) {
    if (x->comm)
        (void)x->nccl->comm_destroy(x->comm);
    x->comm = NULL;
}

rc_status rc_nccl_self_send(const rc_nccl_self *x, const void *from, void *to, size_t bytes,
                            int64_t pairs, cudaStream_t stream, rc_error *err) {
    assert(x->comm != NULL);
    RC_NCCL(x->nccl, group_start());
    for (int64_t i = 0; i < pairs; i++) {
        RC_NCCL(x->nccl, send(from, bytes, ncclInt8, 0, x->comm, stream));
        RC_NCCL(x->nccl, recv(to, bytes, ncclInt8, 0, x->comm, stream));
    }
    RC_NCCL(x->nccl, group_end());
    return RC_OK;
}

rc_status rc_nccl_self_all_reduce(const rc_nccl_self *x, const void *from, void *to, size_t count,
                                  cudaStream_t stream, rc_error *err) {
    assert(x->comm != NULL);
    RC_NCCL(x->nccl, all_reduce(from, to, count, ncclBfloat16, ncclSum, x->comm, stream));
    return RC_OK;
}

#else

rc_status rc_nccl_self_open(rc_nccl_self *x, const rc_gpu *gpu, rc_error *err) {
    (void)x, (void)gpu;
    return rc_nccl_ready(err);
}

void rc_nccl_self_close(rc_nccl_self *x) {
    (void)x;
}

rc_status rc_nccl_self_send(const rc_nccl_self *x, const void *from, void *to, size_t bytes,
                            int64_t pairs, cudaStream_t stream, rc_error *err) {
    (void)x, (void)from, (void)to, (void)bytes, (void)pairs, (void)stream;
    return rc_nccl_ready(err);
}

rc_status rc_nccl_self_all_reduce(const rc_nccl_self *x, const void *from, void *to, size_t count,
                                  cudaStream_t stream, rc_error *err) {
    (void)x, (void)from, (void)to, (void)count, (void)stream;
    return rc_nccl_ready(err);
}

#endif
