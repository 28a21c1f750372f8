/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/peer_reduce.h"

#include <assert.h>
#include <string.h>

/* A handle in numbers that a double holds exactly, for that is what a group gathers. */
enum { WORDS = CUDA_IPC_HANDLE_SIZE / 4 };

static const int64_t MOST = RC_PEER_REDUCE_MAX / 2;

void rc_peer_reduce_close(rc_peer_reduce *r) {
    for (int i = 0; i < r->ranks; i++)
        if (r->buffer[i] && i != r->procs->rank)
            (void)cudaIpcCloseMemHandle(r->buffer[i]);
    rc_buffer_free(&r->own);
    memset(r, 0, sizeof *r);
}

/* Every rank's handle, on every rank. */
static rc_status share_handles(const rc_group *procs, const cudaIpcMemHandle_t *mine,
                               cudaIpcMemHandle_t *all, rc_error *err) {
    uint32_t word[WORDS];
    double got[RC_GROUP_MAX];
    memcpy(word, mine, sizeof word);
    for (int w = 0; w < WORDS; w++) {
        RC_TRY(rc_group_gather(procs, (double)word[w], got, err));
        for (int i = 0; i < RC_ALL_REDUCE_RANKS && i < procs->size; i++) {
            uint32_t x = (uint32_t)got[i];
            memcpy((unsigned char *)&all[i] + 4 * w, &x, 4);
        }
    }
    return RC_OK;
}

static rc_status open_own(rc_peer_reduce *r, int ranks, cudaIpcMemHandle_t *handle,
                          cudaStream_t stream, rc_error *err) {
    RC_TRY(rc_buffer_reserve(&r->own, rc_all_reduce_buffer(ranks, MOST), err));
    RC_TRY(rc_kernel_check(err, rc_all_reduce_prepare(r->own.p, ranks, MOST, stream),
                           "rc_all_reduce_prepare"));
    RC_CUDA(cudaStreamSynchronize(stream));
    RC_CUDA(cudaIpcGetMemHandle(handle, r->own.p));
    return RC_OK;
}

static rc_status open_others(rc_peer_reduce *r, const cudaIpcMemHandle_t *all, rc_error *err) {
    for (int i = 0; i < r->ranks; i++) {
        if (i == r->procs->rank)
            r->buffer[i] = r->own.p;
        else
            RC_CUDA(cudaIpcOpenMemHandle(&r->buffer[i], all[i], cudaIpcMemLazyEnablePeerAccess));
    }
    return RC_OK;
}

rc_status rc_peer_reduce_connect(rc_peer_reduce *r, const rc_group *procs, int ranks,
                                 cudaStream_t stream, rc_error *err) {
    cudaIpcMemHandle_t mine, all[RC_ALL_REDUCE_RANKS];
    assert(ranks >= 2 && ranks <= procs->size);
    if (r->ranks == ranks)
        return RC_OK;
    if (ranks > RC_ALL_REDUCE_RANKS)
        return rc_fail(err, RC_E_UNMODELLED, "%d ranks: the kernel takes %d", ranks,
                       RC_ALL_REDUCE_RANKS);
    RC_TRY(rc_group_agree(procs, RC_OK, err)); /* nobody reads a buffer that is freed here */
    rc_peer_reduce_close(r);
    r->procs = procs;
    const bool in = procs->rank < ranks;
    memset(&mine, 0, sizeof mine);
    memset(all, 0, sizeof all);
    RC_TRY(rc_group_agree(procs, in ? open_own(r, ranks, &mine, stream, err) : RC_OK, err));
    RC_TRY(share_handles(procs, &mine, all, err));
    r->ranks = ranks;
    return rc_group_agree(procs, in ? open_others(r, all, err) : RC_OK, err);
}

rc_status rc_peer_reduce_launch(const rc_peer_reduce *r, const void *x, void *y, size_t bytes,
                                bool two_shot, cudaStream_t stream, rc_error *err) {
    const rc_all_reduce_args a = {.x = x,
                                  .y = y,
                                  .n = (int64_t)(bytes / 2),
                                  .most = MOST,
                                  .rank = r->procs->rank,
                                  .ranks = r->ranks,
                                  .two_shot = two_shot,
                                  .buffer = r->buffer};
    return rc_kernel_check(err, rc_all_reduce(&a, stream), "rc_all_reduce");
}
