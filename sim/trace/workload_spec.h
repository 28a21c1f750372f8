/* Workload specifications of BLIS and GuideLLM, made into requests. Private to the room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_WORKLOAD_SPEC_H
#define RC_TRACE_WORKLOAD_SPEC_H
#include "sim/trace/trace.h"

/* Fills `out`, which is empty but for its format, with requests in the order of arrival (GuideLLM: without arrivals); at most `limit` of them,
 * 0: as many as the text says. Errors name `name`, line and key. The caller frees *out, also on failure. */
rc_status rc_workload_spec_read(const char *name, const char *text, size_t size, uint64_t limit,
                                rc_trace *out, rc_error *err);
rc_status rc_guidellm_synthetic_read(const char *name, const char *text, size_t size,
                                     uint64_t limit, rc_trace *out, rc_error *err);

#endif
