/* New tokens of prompts under prefill context parallelism.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_PCP_H
#define RC_SCHEDULE_PCP_H
#include "sim/schedule/builder.h"

/* One all-gather of the new keys and values of all ranks, and an attention launch for each of a
 * rank's two chunks over everything before its end; where the schedule has cached tokens apart, over
 * new ones alone. Each rank writes to its cache what it keeps. More than one rank. */
void rc_pcp_new(rc_builder *b);

#endif
