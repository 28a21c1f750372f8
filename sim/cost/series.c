/* Evaluating series and grids of series. No allocation, no state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/cost/book.h"

static double physical_slope(rc_op op) {
    return op == OP_SQUARE ? 2.0 : 1.0;
}

static const double LEAST_TIME = 2e-6; /* no kernel is faster, however little it does */

/* The nearest point about a factor of two from an end, so that two close points do not turn their
 * noise into a slope. */
static size_t neighbour(const rc_series *s, bool upper) {
    const double apart = 0.64;
    size_t end = upper ? s->n - 1 : 0, other = end;
    for (size_t i = 1; i < s->n; i++) {
        other = upper ? end - i : i;
        if (fabs(s->x[end] - s->x[other]) >= apart)
            break;
    }
    return other;
}

/* Above: on along the last log slope. */
static double above(const rc_series *s, double x) {
    size_t end = s->n - 1, other = neighbour(s, true);
    double most = physical_slope(s->op), slope = most; /* of a lone point */
    if (other != end)
        slope = (s->y[end] - s->y[other]) / (s->x[end] - s->x[other]);
    slope = fmin(fmax(slope, 0.0), most);
    if (slope > 0.9 * most)
        slope = most;
    return s->y[end] + slope * (x - s->x[end]);
}

/* Below: latency + rate * work through the first points, work = the axis to its physical power. */
static double below(const rc_series *s, double x) {
    size_t other = neighbour(s, false);
    if (other == 0)
        return s->y[0]; /* a lone point */
    double power = physical_slope(s->op);
    double t0 = exp(s->y[0]), t1 = exp(s->y[other]), least = fmin(t0, LEAST_TIME);
    double done = exp(power * (x - s->x[0])), more = exp(power * (s->x[other] - s->x[0]));
    double t = t0 - fmax(t1 - t0, 0.0) / (more - 1.0) * (1.0 - done);
    return log(fmax(t, least));
}

static void extrapolate(const rc_series *s, double x, bool upper, rc_probe *out) {
    size_t end = upper ? s->n - 1 : 0;
    out->y = upper ? above(s, x) : below(s, x);
    out->spread = s->spread[end];
    out->basis = rc_worse(s->basis[end], RC_EXTRAPOLATED);
}

void rc_series_at(const rc_series *s, double x, rc_probe *out) {
    const double slack = 1e-9;
    size_t last = s->n - 1;
    if (x < s->x[0] - slack || x > s->x[last] + slack) {
        extrapolate(s, x, x > s->x[0], out);
        return;
    }
    x = fmin(fmax(x, s->x[0]), s->x[last]);
    size_t i = s->n > 1 ? gsl_interp_bsearch(s->x, x, 0, last) : 0;
    size_t j = i < last ? i + 1 : i;
    if (fabs(x - s->x[i]) <= slack)
        j = i;
    else if (fabs(x - s->x[j]) <= slack)
        i = j;
    double f = j > i ? (x - s->x[i]) / (s->x[j] - s->x[i]) : 0.0;
    out->spread = s->spread[i] + f * (s->spread[j] - s->spread[i]);
    out->basis = rc_worse(s->basis[i], s->basis[j]);
    out->y = s->y[i] + f * (s->y[j] - s->y[i]);
    if (j > i && s->interp != NULL)
        (void)gsl_interp_eval_e(s->interp, s->x, s->y, x, NULL, &out->y);
}

/* Why straight lines across: a limiter such as Steffen's is not monotone in its data, so a curve
 * across curves could fall where every curve rises. Straight lines between isotonic values cannot.
 */
void rc_grid_at(const rc_series *from, const rc_series *to, int outer, double u, double x,
                rc_probe *out) {
    size_t n = (size_t)(to - from);
    double y[RC_GRID_MAX];
    rc_probe p[RC_GRID_MAX];
    for (size_t i = 0; i < n; i++) {
        rc_series_at(&from[i], x, &p[i]);
        y[i] = p[i].y;
    }
    rc_isotonic(y, n, NULL);
    size_t j = 0;
    while (j < n && log((double)from[j].k[outer]) < u - 1e-9)
        j++;
    if (j == n) { /* above: work grows with the axis */
        *out = p[n - 1];
        out->y = y[n - 1] + (u - log((double)from[n - 1].k[outer]));
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    double uj = log((double)from[j].k[outer]);
    *out = p[j];
    out->y = y[j];
    if (fabs(uj - u) <= 1e-9)
        return;
    if (j == 0) { /* below: as the first */
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    double ui = log((double)from[j - 1].k[outer]), f = (u - ui) / (uj - ui);
    out->y = y[j - 1] + f * (y[j] - y[j - 1]);
    out->spread = p[j - 1].spread + f * (p[j].spread - p[j - 1].spread);
    out->basis = rc_worse(p[j - 1].basis, p[j].basis);
}

bool rc_book_range(const rc_book *b, rc_op op, const int64_t *k, int keys, const rc_series **from,
                   const rc_series **to) {
    const rc_series *s = &b->series[b->first[op]], *end = &b->series[b->first[op + 1]];
    *from = NULL;
    for (; s < end; s++) {
        bool same = true;
        for (int i = 0; i < keys; i++)
            same = same && s->k[i] == k[i];
        if (same && *from == NULL)
            *from = s;
        if (same)
            *to = s + 1;
    }
    return *from != NULL;
}
