/* A series is one curve: log time over the log of the axis it runs along, all other sizes fixed. A
 * grid is a run of series that differ in one more axis.
 *
 * Why logs: times span seven decades, and each regime of a kernel (launch, bandwidth, arithmetic)
 * is a straight line there. Steffen's curve goes through every point and never overshoots; it is
 * monotone where the points are. Its coefficients are kept beside the points (build.c), so that a
 * look-up is one cubic.
 *
 * Series are constants once they are built, and a look-up allocates nothing: any number of threads
 * may read them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_SERIES_H
#define RC_COST_SERIES_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/cost/cost.h"

/* A point and the curve from it to the next: with h = log axis - x,
 * log time = y + h (slope + h (square + h cube)). */
typedef struct rc_knot {
    double x, y; /* logs of the axis and of the p50 in seconds */
    double slope, square, cube;
    double spread;
    rc_basis basis;
} rc_knot;

typedef struct rc_series {
    double across;       /* log of the second axis of its grid; 0 without one */
    double power;        /* of the axis in the work: the slope that a long series tends to */
    bool curved;         /* Steffen's curve; else straight lines, and the coefficients are 0 */
    size_t n;            /* at least 1 */
    const rc_knot *knot; /* x ascends */
} rc_series;

/* What a look-up finds. */
typedef struct rc_probe {
    double y; /* log time */
    double spread;
    rc_basis basis;
} rc_probe;

static inline rc_basis rc_worse(rc_basis a, rc_basis b) {
    return a > b ? a : b;
}

enum { RC_GRID_MAX = 64 }; /* series of one grid */

/* At x, a log. Above its points a series goes on along its last slope over about a factor of two,
 * held between 0 and its power, and at exactly its power once within 10 % of it: then its rate has
 * settled. Below them time is latency + work / rate through the first points, and never under 2 us.
 */
void rc_series_at(const rc_series *s, double x, rc_probe *out);
/* n series of one grid, ascending in `across`: along x by each, then straight across in the log of
 * the second axis, at u. Flat below the first, slope 1 above the last. Monotone in both.
 * 1 <= n <= RC_GRID_MAX. */
void rc_grid_at(const rc_series *s, size_t n, double u, double x, rc_probe *out);
/* Isotonic regression in place: the nearest non-decreasing values, equal weights. `length` is room
 * for n numbers. */
void rc_isotonic(double *y, size_t n, size_t *length);

#endif
