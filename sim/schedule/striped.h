/* A cache that is striped over the ranks, beside new tokens that are gathered: what the schedules of
 * it share (tpu-inference's prefill context parallelism).
 *
 * New tokens go as in pcp.c: one all-gather of their keys and values, and an attention launch for
 * each of a rank's two chunks. How queries and cached tokens come together is the schedule's; its
 * partial outputs and these are merged.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_STRIPED_H
#define RC_SCHEDULE_STRIPED_H
#include "sim/schedule/builder.h"

/* New tokens of a rank in the sequences with cached tokens, rounded up. */
int64_t rc_striped_rows(const rc_builder *b);
/* New tokens, each over those before it in its prompt, and the merge with what the schedule has
 * computed over cached ones. On one rank: attention as in a TP group. */
void rc_striped_new(rc_builder *b);

#endif
