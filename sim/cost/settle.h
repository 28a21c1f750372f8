/* From points of both clock states, measured and published, to one point of each size in the state
 * asked for: the rules are at the head of settle.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_SETTLE_H
#define RC_COST_SETTLE_H
#include "sim/cost/points.h"

/* p[0..*n) in any order; afterwards in the order of curves and, on a curve, of x, one point for
 * each x. *n becomes their number. */
rc_status rc_points_settle(rc_cost_point *p, size_t *n, rc_error *err);

#endif
