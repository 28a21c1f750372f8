/* A surface: times of one kernel over all sizes of an op, as what bounds it has them (call_plan.h)
 * and as the rows near the call correct it.
 *
 *     log t = log plan(sizes; constants) + rest(sizes)
 *
 * The rest is that of the RC_SURFACE_NEAR rows nearest to the call, joined by simple kriging: with k
 * the covariances of the call with the rows and K those of the rows among each other, rest = k K^-1 r.
 * Covariance is (1 + d) e^-d in the distance d of two calls, their sizes in logs over the scales of
 * the kind. Noise is added to each row, the more the nearer it is to the edge of the neighbourhood,
 * so that a row that leaves it has no weight any more: the surface has no steps of its own. What noise
 * leaves at a row is added within half a per cent of its sizes: a row is returned as it was measured.
 *
 * How far off an answer is goes with the root of the kriging variance, 1 - k K^-1 k: 0 at the rows, 1
 * far from all of them. `error` is the spread at 1, learnt by leaving rows out.
 *
 * A field (field.h) weighs all rows of a kernel of ours at once. A surface takes thousands of rows of
 * many shapes, is built in the time of a fit of its constants, and asks no rows far away.
 *
 * Surfaces are constants once they are built; a look-up allocates nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_SURFACE_H
#define RC_COST_SURFACE_H
#include "sim/cost/call_plan.h"
#include "sim/cost/cost.h"

enum { RC_SURFACE_NEAR = 16 };

typedef struct rc_surface {
    rc_op op;
    rc_dtype dtype; /* RC_BF16 where the type makes no difference */
    rc_basis basis; /* what its rows are */
    const char *variant;
    double constants[RC_CALL_CONSTANTS];
    double error;                   /* relative, in the unit of rc_cost.spread */
    int64_t ranks, head_k, head_v;  /* of its rows; 0 where the op has none */
    size_t n;                       /* at least 1 */
    const double *at[RC_CALL_AXES]; /* the rows' places over their scales; at[0] ascends */
    const double *rest;             /* log(measured / plan) */
} rc_surface;

typedef struct rc_surface_answer {
    double y;        /* log seconds */
    double variance; /* 0 at a row to 1 far from all */
} rc_surface_answer;

/* All sizes that the op has are at least 1, but those that may be 0. */
void rc_surface_at(const rc_surface *s, const rc_axes *at, rc_surface_answer *out);
/* The same without the row `left`. With a single row there is none left: the plan answers. */
void rc_surface_without(const rc_surface *s, size_t left, rc_surface_answer *out);

struct rc_book;
/* Of the surfaces of an op in a type: the one that has the row nearest to the call, measured ones first
 * where they are as near as half of a far one. Where others published products by blocks as fp8
 * (rc_op_info.published_blocks) their surfaces are of both types. variant NULL: of any. NULL when there is
 * none. */
const rc_surface *rc_surface_near(const struct rc_book *b, rc_op op, rc_dtype d,
                                  const char *variant, const rc_axes *at, rc_surface_answer *out);

#endif
