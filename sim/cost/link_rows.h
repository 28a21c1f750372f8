/* Curves of transfers: whose rows answer, and what they come to on this machine's links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_LINK_ROWS_H
#define RC_COST_LINK_ROWS_H
#include "sim/cost/costs.h"

/* Ranks and nodes of the rows of a curve. */
static inline int64_t rc_link_ranks(const rc_grid *g) {
    return g->fixed.at[RC_AXIS_RANKS];
}
static inline int64_t rc_link_nodes(const rc_grid *g) {
    return g->fixed.at[RC_AXIS_NODES];
}

/* The best curve of `op` over exactly so many ranks and nodes, NCCL having chosen its CTAs; NULL
 * when there is none. `own`: of this machine's rows only. */
const rc_grid *rc_link_find(const rc_costs *c, rc_op op, int64_t ranks, int64_t nodes, bool own);
/* Rows of the engine's own all-reduce (variant "custom", and our own as engines have it: "@oneshot",
 * "@twoshot") that reach a message of `bytes` inside a node, where the engine takes it; NULL when NCCL
 * goes. */
const rc_grid *rc_link_own(const rc_costs *c, rc_op op, int64_t ranks, double bytes);
/* The same inside a node, over the nearest number of ranks that has one. */
const rc_grid *rc_link_nearest(const rc_costs *c, rc_op op, int64_t ranks);
/* Rate of the machine's link over that of the link that the curve was measured on. */
double rc_link_ratio(const rc_costs *c, const rc_grid *g);
/* What of `t` seconds of the curve's link is left on this machine's: the shortest message of the
 * curve follows the hop, the rest the rate. */
double rc_link_carried(const rc_costs *c, const rc_grid *g, double t);
/* `bytes` by the curve, on this machine's links, with NCCL's CTAs as the machine says where the
 * curve is of messages of a ring or of an all-to-all. The basis says when the rows are another
 * machine's, and the spread what hosts differ in. */
void rc_link_cost(const rc_costs *c, const rc_grid *g, double bytes, rc_cost *out);
/* Seconds that such a call takes more between two compute kernels than behind another one: what a
 * stream waits for the other, and what does not overlap. 0 without rows of it. */
double rc_link_apart(const rc_costs *c, const rc_grid *g, double bytes);

#endif
