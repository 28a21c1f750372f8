/* Where a size lies among the rows of its op.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/nearness.h"

#include <assert.h>
#include <math.h>

#include "sim/cost/book.h"

static const double DOUBLING = 0.6931471805599453; /* log 2 */
static const double SLACK = 1e-9;                  /* logs nearer than this are the same size */

/* Squared distance between two rows at a and b: that of a random walk tied to both. */
static double between(double x, double a, double b) {
    double f = (x - a) / (b - a);
    return (b - a) / DOUBLING * 4.0 * f * (1.0 - f);
}

/* Along a curve. */
static void along(const rc_series *s, double x, rc_nearness *out) {
    size_t lo = 0, hi = s->n - 1;
    double first = s->knot[0].x, last = s->knot[hi].x;
    if (x < first - SLACK || x > last + SLACK) {
        out->reach[RC_HOW_BEYOND] = (x < first ? first - x : x - last) / DOUBLING;
        return;
    }
    while (hi > lo + 1) {
        size_t middle = (lo + hi) / 2;
        *(s->knot[middle].x > x ? &hi : &lo) = middle;
    }
    if (x > s->knot[lo].x + SLACK && x < s->knot[hi].x - SLACK)
        out->reach[RC_HOW_BETWEEN] = between(x, s->knot[lo].x, s->knot[hi].x);
}

/* The curve nearest to u. */
static const rc_series *across(const rc_curves *c, double u, rc_nearness *out) {
    const rc_series *hi = c->series, *end = c->series + c->n;
    while (hi + 1 < end && hi->across < u - SLACK)
        hi++;
    const rc_series *lo = hi > c->series && hi->across > u + SLACK ? hi - 1 : hi;
    if (lo < hi)
        out->reach[RC_HOW_ACROSS] = between(u, lo->across, hi->across);
    else if (fabs(hi->across - u) > SLACK)
        out->reach[RC_HOW_ACROSS] = fabs(hi->across - u) / DOUBLING;
    return u - lo->across < hi->across - u ? lo : hi;
}

void rc_nearness_of(const rc_book *b, rc_op op, rc_dtype d, const rc_axes *at, rc_basis rows,
                    rc_nearness *out) {
    assert(b != NULL && at != NULL && out != NULL);
    const rc_op_info *info = rc_op_info_of(op);
    *out = (rc_nearness){.reach = {[RC_HOW_STATE] = rows == RC_TRANSFERRED ? 1.0 : 0.0},
                         .other_heads = info->bound == RC_BOUND_ATTENTION &&
                                        at->at[RC_AXIS_HEAD_K] != RC_HEAD_DEFAULT};
    assert(info->along != RC_AXIS_NONE && info->bound != RC_BOUND_LINK);
    const rc_grid *g = rc_book_find(b, op, d, at);
    if (g == NULL) {
        out->reach[RC_HOW_OTHER] = 1.0;
        return;
    }
    double x = log((double)at->at[info->along]);
    if (info->per != RC_AXIS_NONE)
        x -= log((double)at->at[info->per]);
    const rc_series *s = g->curves.series;
    if (info->across != RC_AXIS_NONE)
        s = across(&g->curves, log((double)at->at[info->across]), out);
    along(s, x, out);
}

rc_error_class rc_error_class_of(rc_dtype d, bool other_heads) {
    if (other_heads)
        return RC_ERRORS_HEADS;
    return d == RC_FP8 ? RC_ERRORS_FP8 : d == RC_FP8_BLOCK ? RC_ERRORS_BLOCKS : RC_ERRORS_BF16;
}

double rc_class_spread(const rc_class_errors *e, rc_op op, rc_dtype d, const rc_nearness *near) {
    assert(e != NULL && near != NULL && op < rc_op_count());
    const double *spread = e->spread[op][rc_error_class_of(d, near->other_heads)];
    double sum = 0.0;
    for (int how = 0; how < RC_HOW_COUNT; how++)
        sum += spread[how] * spread[how] * near->reach[how];
    return sqrt(sum);
}
