/* NCCL by dlopen, so that the program starts where there is none. Types come from nccl.h; without
 * it at build time (RC_HAVE_NCCL unset) there is no NCCL at run time either.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NCCL_LIBRARY_H
#define RC_CALIB_NCCL_LIBRARY_H
#ifdef RC_HAVE_NCCL
#include <nccl.h>
#include "sim/base/error.h"

typedef struct rc_nccl {
    __typeof__(ncclGetVersion) *version;
    __typeof__(ncclGetErrorString) *error_string;
    __typeof__(ncclCommInitAll) *comm_init_all;
    __typeof__(ncclGetUniqueId) *unique_id;
    __typeof__(ncclCommInitRank) *comm_init_rank;
    __typeof__(ncclCommInitRankConfig) *comm_init_rank_config;
    __typeof__(ncclCommDestroy) *comm_destroy;
    __typeof__(ncclCommAbort) *comm_abort;
    __typeof__(ncclGroupStart) *group_start;
    __typeof__(ncclGroupEnd) *group_end;
    __typeof__(ncclSend) *send;
    __typeof__(ncclRecv) *recv;
    __typeof__(ncclAllReduce) *all_reduce;
    __typeof__(ncclAllGather) *all_gather;
    __typeof__(ncclReduceScatter) *reduce_scatter;
} rc_nccl;

/* NULL, with *err set when not NULL, where libnccl.so.2 is missing. Loaded once, never unloaded. */
const rc_nccl *rc_nccl_load(rc_error *err);
rc_status rc_nccl_fail(const rc_nccl *n, rc_error *err, ncclResult_t r, const char *call, int line);
#define RC_NCCL(n, call)                                                                           \
    do {                                                                                           \
        ncclResult_t rc_nccl_r_ = (n)->call;                                                       \
        if (rc_nccl_r_ != ncclSuccess)                                                             \
            return rc_nccl_fail(n, err, rc_nccl_r_, #call, __LINE__);                              \
    } while (0)
#endif
#endif
