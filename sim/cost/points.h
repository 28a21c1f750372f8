/* From rows of the store to points of curves: which op a row is of, which of its sizes runs along a
 * curve and which are fixed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_POINTS_H
#define RC_COST_POINTS_H
#include "sim/cost/ops.h"
#include "sim/cost/series.h"
#include "sim/cost/store.h"

/* One usable row. Strings are the row's. */
typedef struct rc_cost_point {
    rc_op op;
    rc_dtype dtype; /* RC_BF16 where the type makes no difference */
    const char *machine, *gpu, *variant;
    rc_axes fixed; /* the sizes that are the same on the whole curve */
    double x, y;   /* logs of the running axis and of the p50 */
    double spread;
    bool own_state; /* measured in the clock state asked for */
    bool shifted;   /* a published one of a transfer, put between measured ones */
    bool unpaired;  /* of the other state, and no point of its op was measured in both */
    int version;    /* of the kernel: 5 of "decode-5"; 0 where the row names none */
    int rank;       /* of two rows of one point the lower wins */
    rc_basis basis;
} rc_cost_point;

/* The op that a row is of, and its sizes by name; rc_op_count() for rows that are of none: of ops
 * that make no curves, and measured under a condition ("full@sms124": on fewer SMs; but for the conditions
 * of transfers, "shm@ctas4", "shm@apart" and "nvlink@oneshot", and those of ops that have a row_name, which make
 * curves of their own), which is not what the op costs by itself. Nodes of 0 are one node. */
rc_op rc_row_op(const rc_row *r, rc_axes *at);
/* The type of the curve or surface of `op` that a row belongs to; false when none is of that type. */
bool rc_row_type(const rc_row *r, rc_op op, rc_dtype *out);
/* All points of a base machine in a clock state, and of transfers of every machine, but of ops
 * whose rows make a surface (surface.h). *out is
 * malloc'ed; its strings live as long as the rows. */
rc_status rc_points_of(const rc_rows *rows, const char *base, const char *state,
                       rc_cost_point **out, size_t *n, rc_error *err);
/* The order of curves: op, machine, variant, type, fixed sizes. 0: the same curve. */
int rc_point_curve_order(const rc_cost_point *x, const rc_cost_point *y);

#endif
