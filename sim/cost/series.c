/* Evaluating series and grids of series. No allocation, no state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/series.h"

#include <assert.h>
#include <math.h>

static const double LEAST_TIME = 2e-6; /* no kernel is faster, however little it does */
static const double SLACK = 1e-9;      /* logs nearer than this are the same size */

/* The nearest point about a factor of two from an end, so that two close points do not turn their
 * noise into a slope. */
static size_t neighbour(const rc_series *s, bool upper) {
    const double apart = 0.64;
    size_t end = upper ? s->n - 1 : 0, other = end;
    for (size_t i = 1; i < s->n; i++) {
        other = upper ? end - i : i;
        if (fabs(s->knot[end].x - s->knot[other].x) >= apart)
            break;
    }
    return other;
}

/* Above: on along the last log slope. */
static double above(const rc_series *s, double x) {
    size_t other = neighbour(s, true);
    const rc_knot *end = &s->knot[s->n - 1], *before = &s->knot[other];
    double most = s->power, slope = most; /* of a lone point */
    if (before != end)
        slope = (end->y - before->y) / (end->x - before->x);
    slope = fmin(fmax(slope, 0.0), most);
    if (slope > 0.9 * most)
        slope = most;
    return end->y + slope * (x - end->x);
}

/* Below: latency + rate * work through the first points, work = the axis to its power. */
static double below(const rc_series *s, double x) {
    size_t other = neighbour(s, false);
    const rc_knot *first = &s->knot[0], *after = &s->knot[other];
    if (other == 0)
        return first->y; /* a lone point */
    double t0 = exp(first->y), t1 = exp(after->y), least = fmin(t0, LEAST_TIME);
    double done = exp(s->power * (x - first->x)), more = exp(s->power * (after->x - first->x));
    double t = t0 - fmax(t1 - t0, 0.0) / (more - 1.0) * (1.0 - done);
    return log(fmax(t, least));
}

static void extrapolate(const rc_series *s, double x, bool upper, rc_probe *out) {
    const rc_knot *end = &s->knot[upper ? s->n - 1 : 0];
    out->y = upper ? above(s, x) : below(s, x);
    out->spread = end->spread;
    out->basis = rc_worse(end->basis, RC_EXTRAPOLATED);
}

/* The last knot but one, or an earlier one, that is not beyond x. */
static size_t interval_of(const rc_series *s, double x) {
    size_t lo = 0, hi = s->n - 1;
    while (hi > lo + 1) {
        size_t middle = (lo + hi) / 2;
        if (s->knot[middle].x > x)
            hi = middle;
        else
            lo = middle;
    }
    return lo;
}

void rc_series_at(const rc_series *s, double x, rc_probe *out) {
    assert(s->n >= 1);
    size_t last = s->n - 1;
    if (x < s->knot[0].x - SLACK || x > s->knot[last].x + SLACK) {
        extrapolate(s, x, x > s->knot[0].x, out);
        return;
    }
    x = fmin(fmax(x, s->knot[0].x), s->knot[last].x);
    size_t i = interval_of(s, x), j = i < last ? i + 1 : i;
    if (fabs(x - s->knot[i].x) <= SLACK)
        j = i;
    else if (fabs(x - s->knot[j].x) <= SLACK)
        i = j;
    const rc_knot *a = &s->knot[i], *b = &s->knot[j];
    double h = x - a->x, f = j > i ? h / (b->x - a->x) : 0.0;
    out->spread = a->spread + f * (b->spread - a->spread);
    out->basis = rc_worse(a->basis, b->basis);
    if (j > i && s->curved)
        out->y = a->y + h * (a->slope + h * (a->square + h * a->cube));
    else
        out->y = a->y + f * (b->y - a->y);
}

void rc_isotonic(double *y, size_t n, size_t *length) {
    double *mean = y; /* means of blocks are stacked in place: no further than what was read */
    size_t top = 0;
    for (size_t i = 0; i < n; i++) {
        double m = y[i];
        size_t w = 1;
        while (top > 0 && mean[top - 1] > m) {
            top--;
            m = (m * (double)w + mean[top] * (double)length[top]) / (double)(w + length[top]);
            w += length[top];
        }
        mean[top] = m;
        length[top++] = w;
    }
    for (size_t i = n; top > 0;) {
        top--;
        double m = mean[top];
        for (size_t j = 0; j < length[top]; j++)
            y[--i] = m;
    }
}

/* Why straight lines across: a limiter such as Steffen's is not monotone in its data, so a curve
 * across curves could fall where every curve rises. Straight lines between isotonic values cannot.
 */
void rc_grid_at(const rc_series *s, size_t n, double u, double x, rc_probe *out) {
    double y[RC_GRID_MAX];
    size_t length[RC_GRID_MAX];
    rc_probe p[RC_GRID_MAX];
    assert(n >= 1 && n <= RC_GRID_MAX);
    for (size_t i = 0; i < n; i++) {
        rc_series_at(&s[i], x, &p[i]);
        y[i] = p[i].y;
    }
    rc_isotonic(y, n, length);
    size_t j = 0;
    while (j < n && s[j].across < u - SLACK)
        j++;
    if (j == n) { /* above: work grows with the axis */
        *out = p[n - 1];
        out->y = y[n - 1] + (u - s[n - 1].across);
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    *out = p[j];
    out->y = y[j];
    if (fabs(s[j].across - u) <= SLACK)
        return;
    if (j == 0) { /* below: as the first */
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    double f = (u - s[j - 1].across) / (s[j].across - s[j - 1].across);
    out->y = y[j - 1] + f * (y[j] - y[j - 1]);
    out->spread = p[j - 1].spread + f * (p[j].spread - p[j - 1].spread);
    out->basis = rc_worse(p[j - 1].basis, p[j].basis);
}
