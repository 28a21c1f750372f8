/* The environment that makes NCCL take a transport.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NET_H
#define RC_CALIB_NET_H
#include "sim/base/error.h"

/* Set it for this process, before NCCL is loaded: nvlink | shm | socket. */
rc_status rc_net_environment(const char *transport, rc_error *err);

#endif
