/* Who waits for whom, kept right when requests come and go. Private to the room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_LINKS_H
#define RC_TRACE_LINKS_H
#include "sim/trace/trace.h"

/* Sets child and sibling from `after`, children in the order of the array, and closed_loop. */
void rc_trace_link(rc_trace *t);
/* Keep the requests from[0 .. count), given by their places, in that order; the others go, and who
 * waited for one of them waits for nobody. Sessions and blocks that nobody uses any more go, too.
 * On failure nothing has changed. */
rc_status rc_trace_keep(rc_trace *t, const uint32_t *from, size_t count, rc_error *err);

#endif
