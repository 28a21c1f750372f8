/* Where a size lies among the rows of its op, and how far off answers are there.
 *
 * An answer is as good as the rows near it. What errors of each kind of answer are is learnt from
 * the rows of the book themselves, by leaving some of them out (class_errors.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_NEARNESS_H
#define RC_COST_NEARNESS_H
#include "sim/cost/cost.h"
#include "sim/cost/ops.h"

/* How an answer was got. Errors of the first three grow with the distance from the rows. */
typedef enum rc_how {
    RC_HOW_BETWEEN, /* between two rows of its curve                                        */
    RC_HOW_BEYOND,  /* beyond the rows of its curve                                         */
    RC_HOW_ACROSS,  /* between or beyond the curves of its grid                             */
    RC_HOW_OTHER,   /* from rows of other heads, of other N and K, of another width         */
    RC_HOW_STATE,   /* from rows of the other clock state                                   */
    RC_HOW_COUNT
} rc_how;

/* Squared distances, of each kind. Between rows that are a factor r apart: log2(r) in the middle, 0
 * at the rows; beyond them log2 of how far; 1 or 0 of the last two. All 0: at a row. */
typedef struct rc_nearness {
    double reach[RC_HOW_COUNT];
    bool other_heads; /* of another size than 128: of those there are few rows */
} rc_nearness;

/* Whose errors are learnt together. */
typedef enum rc_error_class {
    RC_ERRORS_BF16,
    RC_ERRORS_FP8,
    RC_ERRORS_BLOCKS, /* products in fp8 with a scale for each block */
    RC_ERRORS_HEADS,  /* heads of other sizes than 128 */
    RC_ERROR_CLASSES
} rc_error_class;

/* Relative, in the unit of rc_cost.spread, at a reach of 1; of each op and class. 0 of
 * kinds that rows by themselves are as good as. */
typedef struct rc_class_errors {
    double spread[RC_OPS_MAX][RC_ERROR_CLASSES][RC_HOW_COUNT];
} rc_class_errors;

/* d: of the rows. */
rc_error_class rc_error_class_of(rc_dtype d, bool other_heads);

struct rc_book;
/* Of the sizes that the op has; `rows`: what the rows that answer rest on. */
void rc_nearness_of(const struct rc_book *b, rc_op op, rc_dtype d, const rc_axes *at, rc_basis rows,
                    rc_nearness *out);
/* The spread that an answer has for not being a row. */
double rc_class_spread(const rc_class_errors *e, rc_op op, rc_dtype d, const rc_nearness *near);

#endif
