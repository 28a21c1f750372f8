/* What bounds a call of an op whose rows make a surface (surface.h): how its work is cut into tiles
 * and waves over the SMs, or what it sends to whom, against the bytes. With a few constants, fitted to
 * rows (surface_fit.h), this is a time:
 *
 *     t = start + smooth4(smooth8(path * PATH, average * AVERAGE), bytes / RATE)
 *         + extra * EXTRA + other * OTHER
 *
 * smoothN(a, b) = (a^N + b^N)^(1/N). What path and the others count is stated op by op in
 * call_plan.c; the constants take any unit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_CALL_PLAN_H
#define RC_COST_CALL_PLAN_H
#include "sim/cost/basis.h"
#include "sim/cost/ops.h"

enum { RC_CALL_AXES = 5, RC_CALL_CONSTANTS = 6 };

typedef struct rc_call_plan {
    double path, average, bytes, extra, other;
    double at[RC_CALL_AXES]; /* logs of sizes: the place among other calls */
} rc_call_plan;

/* How calls of one op are laid out: an entry of the table in call_plan.c. */
typedef struct rc_call_kind {
    const char *op;
    /* type: of the rows. */
    void (*of)(const rc_axes *at, rc_dtype type, rc_call_plan *out);
    double start[RC_CALL_CONSTANTS]; /* constants to begin with, those of an H100; over 0 */
    double scale[RC_CALL_AXES];      /* of the axes that `of` fills, over 0; 0 behind them */
    double noise;                    /* squared, over the variance of what the plan leaves */
    bool own;                        /* of measured rows alone: our own kernel is cut so */
    bool blocks;                     /* of RC_FP8_BLOCK alone */
} rc_call_kind;

/* What rows of that type and basis are cut like; NULL: rows of the op make no surface, whatever the type. */
const rc_call_kind *rc_call_kind_of(rc_op op, rc_dtype d, rc_basis basis);
/* The plan with its places over the kind's scales, so that distances of calls of one op are alike in all directions. */
void rc_call_scaled(const rc_call_kind *kind, const rc_axes *at, rc_dtype type, rc_call_plan *out);
/* Log of the seconds that the plan takes. */
double rc_call_time(const rc_call_plan *p, const double constants[RC_CALL_CONSTANTS]);

#endif
