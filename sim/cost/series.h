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
#include <stdint.h>
#include "sim/cost/cost.h"

/* A point and the curve from it to the next: with h = log axis - x,
 * log time = y + h (slope + h (square + h cube)). */
typedef struct rc_knot {
    double x, y; /* logs of the axis and of the p50 in seconds */
    double slope, square, cube;
    double rest; /* of products: log(measured / plan), gemm_plan.h */
    double spread;
    rc_basis basis;
} rc_knot;

typedef struct rc_series {
    double across; /* log of the second axis of its grid; 0 without one */
    double power;  /* of the axis in the work: the slope that a long series tends to */
    double unit;   /* seconds that one more of the axis takes beyond the last point; 0: unknown */
    bool curved;   /* Steffen's curve; else straight lines, and the coefficients are 0 */
    size_t n;      /* at least 1 */
    const rc_knot *knot; /* x ascends */
} rc_series;

/* Logs, about a factor of two: points nearer to each other tell no slope, for what two calls of about one size
 * differ by is noise. */
#define RC_SERIES_APART 0.64
/* Whether it has points so far apart; else it says no more of other sizes than a lone point does. */
static inline bool rc_series_spans(const rc_series *s) {
    return s->knot[s->n - 1].x - s->knot[0].x >= RC_SERIES_APART;
}

/* What a look-up finds. */
typedef struct rc_probe {
    double y; /* log time */
    double spread;
    rc_basis basis;
} rc_probe;

static inline rc_basis rc_worse(rc_basis a, rc_basis b) {
    return a > b ? a : b;
}

static inline double rc_least(double a, double b) { /* of two numbers */
    return a < b ? a : b;
}
static inline double rc_most(double a, double b) {
    return a > b ? a : b;
}

enum { RC_GRID_MAX = 64 }; /* series of one grid */
/* The x axis, from 0 to 32, is cut into cells of a sixteenth. */
enum {
    RC_CELLS_PER_UNIT = 16,
    RC_CELLS_END = 32,
    RC_CELLS = RC_CELLS_END * RC_CELLS_PER_UNIT,
    RC_CELL_WORDS = RC_CELLS / 64
};

/* The series of a grid, ascending in `across`. A bit of `apart` is set where, all over a cell of
 * the x axis, each series is clearly above the one before it: there two of them answer for all. */
typedef struct rc_curves {
    const rc_series *series;
    size_t n; /* 1 to RC_GRID_MAX */
    uint64_t apart[RC_CELL_WORDS];
} rc_curves;

/* At x, a log. Above its points a series takes `unit` for each more of the axis, where that is
 * known; else it goes on along its last slope over about a factor of two, held between 0 and its
 * power, and at exactly its power once within 10 % of it: then its rate has settled. Below them time is latency + work / rate
 * through the first points, and never under 2 us, which are the latency of a lone point. */
void rc_series_at(const rc_series *s, double x, rc_probe *out);
/* Whether x lies between its first and its last knot. */
bool rc_series_reaches(const rc_series *s, double x);
/* `rest` at x in place of the time: straight between the points, that of the last beyond them. */
void rc_series_rest(const rc_series *s, double x, rc_probe *out);
/* The same; *near, at first 0, is where the answer was found: the next curve may have x at the same place. */
void rc_series_rest_near(const rc_series *s, double x, size_t *near, rc_probe *out);
/* Along x by each series, then straight across in the log of the second axis, at u. Flat below the
 * first series; above the last as much more work as the axis is longer, at `unit` where that is
 * known, else at the rate of the last series. Monotone in u. Series that disagree are pooled, those beyond
 * their points with next to no weight: they give way to the others and never move them. */
void rc_grid_at(const rc_curves *c, double u, double x, rc_probe *out);
/* What an answer at u and x rests on, without the answer: spread and basis alone are filled. */
void rc_grid_trust(const rc_curves *c, double u, double x, rc_probe *out);
/* Fills `apart`. */
void rc_curves_separate(rc_curves *c);
/* A run of values that isotonic regression has given one mean. */
typedef struct rc_block {
    size_t length;
    double weight; /* of all its values */
} rc_block;
/* What pooling may move a measured log time: neighbours that disagree by noise are brought into
 * order as far as this goes, and what they disagree by beyond it stands as it was measured. */
#define RC_POOL_MOST 0.004
static inline double rc_pooled(double measured, double mean) {
    return rc_most(rc_least(mean, measured + RC_POOL_MOST), measured - RC_POOL_MOST);
}
/* Isotonic regression in place: the nearest non-decreasing values. weight: of each, over 0; NULL:
 * all alike. `room` is for n blocks. */
void rc_isotonic(double *y, const double *weight, size_t n, rc_block *room);

#endif
