/* The transports of one node, and the environment that makes NCCL take each. NCCL chooses once,
 * when it starts.
 *
 *     nvlink  direct peer access                 NCCL_NVLS_ENABLE=0
 *     shm     through host memory                and NCCL_P2P_DISABLE=1
 *     socket  TCP over the loopback device       and NCCL_SHM_DISABLE=1 NCCL_NET=Socket
 *                                                NCCL_IB_DISABLE=1 NCCL_SOCKET_IFNAME=lo
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NCCL_TRANSPORT_H
#define RC_CALIB_NCCL_TRANSPORT_H
#include "sim/base/error.h"

/* By worth, ended by NULL. */
extern const char *const rc_nccl_transports[];
/* Set it for this process, before NCCL is loaded. */
rc_status rc_nccl_transport_set(const char *transport, rc_error *err);

#endif
