/* A field: times of one kernel over all sizes, heads and batches, as its plan has them (tile_plan.h)
 * and as the rows correct it.
 *
 *     log t = log plan(sizes; constants) + residual(sizes)
 *
 * The residual is the mean of a Gaussian process through the rows: with k a covariance of two calls
 * and K that of the rows, residual(x) = sum of w_i k(x, x_i), w = (K + noise^2)^-1 (log t - log plan).
 * The axes are logs: for attention query rows (tokens times query heads of all sequences), keys, KV
 * heads, query heads, and how far the call is a causal square; for decode batch, context, KV heads
 * and query heads. k is (1 - d)^3 (3 d + 1) in the distance d along the first axis, which is 0 from d = 1 on,
 * so that a look-up meets a part of the rows only, times 1 / (1 + r^2) in the distance r along the
 * others. Scales and noise are field_fit.c's. What noise leaves at a row is added within half a
 * per cent of its sizes: a row is returned as it was measured.
 *
 * Fields are constants once they are built; a look-up allocates nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_FIELD_H
#define RC_COST_FIELD_H
#include "sim/cost/ops.h"
#include "sim/cost/tile_plan.h"

enum { RC_FIELD_AXES = 5 };

typedef struct rc_field {
    rc_dtype dtype;
    rc_plan_kind kind;
    int version;    /* of the kernel of its rows: that of the latest; 0: unknown */
    double longest; /* s: the longest row */
    double constants[RC_PLAN_CONSTANTS];
    double scale[RC_FIELD_AXES]; /* of the axes */
    double noise;                /* squared, over the residual's variance */
    size_t n;
    const double *at[RC_FIELD_AXES]; /* the rows' places over their scales; at[0] ascends */
    const double *weight;
} rc_field;

/* The first of n places that ascend which is at or beyond x; n: none is. */
size_t rc_first_at(const double *places, size_t n, double x);
/* The place of a call, in scales. */
void rc_field_place(const rc_field *f, const rc_plan_call *call, double at[RC_FIELD_AXES]);
/* Covariance of two places, 1 of a place with itself. */
double rc_field_covariance(const double x[RC_FIELD_AXES], const double y[RC_FIELD_AXES]);
/* Log seconds of a call. */
double rc_field_time(const rc_field *f, const rc_plan_call *call);

#endif
