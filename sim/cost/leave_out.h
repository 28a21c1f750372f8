/* Leave-one-out: what the costs say of measured points when those points are not among their rows.
 *
 * A calibration holds a few thousand points and a forecast asks for sizes between, beyond and beside
 * them. How far off such answers are can be measured with the rows at hand: leave a point out, or
 * all points of a shape, build the book from what is left, and ask for what was left out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_LEAVE_OUT_H
#define RC_COST_LEAVE_OUT_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/cost/nearness.h"
#include "sim/cost/store.h"
#include "sim/machine/machine.h"

/* What is left out together with a point; the point goes in both clock states but for BY_STATE. */
typedef enum rc_left_out_by {
    RC_LEFT_OUT_NOTHING, /* nothing: whether a store returns its own rows                        */
    RC_LEFT_OUT_ROW,     /* the point alone                                                      */
    RC_LEFT_OUT_LINE,    /* its curve: all points of the same sizes but the one it runs along    */
    RC_LEFT_OUT_SHAPE,   /* its grid: all points of the same heads, the same N and K, one width;
                            of attention in all its variants                                     */
    RC_LEFT_OUT_LONE,    /* its curve but for the largest point, as where one size was measured  */
    RC_LEFT_OUT_STATE,   /* the point in the clock state asked for; what the other says stays    */
    RC_LEFT_OUT_COUNT
} rc_left_out_by;
const char *rc_left_out_name(rc_left_out_by by); /* "row" */

typedef struct rc_left_out {
    const rc_row *row; /* of the rows given */
    rc_op op;
    rc_dtype dtype; /* of its curve or surface */
    bool answered;  /* the rest has an answer at all; else `cost` is empty */
    bool between;   /* the rest has a point of this curve on either side of it */
    rc_cost cost;   /* what the rest says */
    rc_nearness near;
} rc_left_out;

typedef struct rc_leaving {
    rc_left_out_by by;
    const char *op;                /* of this op alone; NULL: of all */
    bool curves;                   /* of ops whose rows make curves or fields alone */
    size_t most;                   /* groups left out of each op and type, evenly picked; 0: all */
    const rc_class_errors *errors; /* what the rest is said to have learnt; NULL: nothing */
} rc_leaving;

/* The measured points of m->base in m->state that have a price, each asked for without what goes
 * with it. *out is malloc'ed, in the order of `rows`, whose strings it keeps. */
rc_status rc_leave_out(const rc_rows *rows, const rc_machine *m, const rc_leaving *how,
                       rc_left_out **out, size_t *n, rc_error *err);
/* A machine that is its own base: for rows whose machine no file describes. Answers are then
 * those of the rows, held by no published peak. */
void rc_machine_of_rows(const char *name, const char *state, rc_machine *out);

/* |forecast / measured - 1| of points of one kind. */
typedef struct rc_left_out_errors {
    size_t n, unanswered;          /* n: of those with an answer; the rest is 0 without any */
    double median, p95, max, bias; /* shares; bias: the mean of log(forecast / measured) */
    double covered;                /* share of points that the answer's p5..p95 holds */
    const rc_left_out *worst;      /* NULL without any */
} rc_left_out_errors;
/* Of the points in `at`. */
rc_status rc_left_out_errors_of(const rc_left_out *const *at, size_t n, rc_left_out_errors *out,
                                rc_error *err);

#endif
