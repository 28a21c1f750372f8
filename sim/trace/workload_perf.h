/* The `inference_perf` part of BLIS's workload specifications. Private to the room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_WORKLOAD_PERF_H
#define RC_TRACE_WORKLOAD_PERF_H
#include "sim/trace/workload_make.h"

/* Reads `inference_perf` of the file's root into *l, which has no clients yet. */
rc_status rc_workload_perf_read(const rc_node *root, rc_workload *l, rc_error *err);

#endif
