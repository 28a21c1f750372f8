/* Evaluating series and grids of series. No allocation, no state.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/series.h"

#include <assert.h>
#include <math.h>

static const double LEAST_TIME = 2e-6; /* no kernel is faster, however little it does */
static const double SLACK = 1e-9;      /* logs nearer than this are the same size */
static const double LONE = 0.25;       /* stated: spread of what a lone point says of other sizes */

/* The nearest point about a factor of two from an end; the end itself where there is none. */
static size_t neighbour(const rc_series *s, bool upper) {
    const size_t end = upper ? s->n - 1 : 0;
    for (size_t i = 1; i < s->n; i++) {
        const size_t other = upper ? end - i : i;
        if (fabs(s->knot[end].x - s->knot[other].x) >= RC_SERIES_APART)
            return other;
    }
    return end;
}

/* Above: more of the axis at its known cost, else on along the last log slope. */
static double above(const rc_series *s, double x) {
    size_t other = neighbour(s, true);
    const rc_knot *end = &s->knot[s->n - 1], *before = &s->knot[other];
    if (s->unit > 0.0)
        return log(exp(end->y) + s->unit * (exp(x) - exp(end->x)));
    double most = s->power, slope = most; /* of a lone point */
    if (before != end)
        slope = (end->y - before->y) / (end->x - before->x);
    slope = rc_least(rc_most(slope, 0.0), most);
    if (slope > 0.9 * most)
        slope = most;
    return end->y + slope * (x - end->x);
}

/* Below: latency + rate * work through the first points, work = the axis to its power. A lone point is all rate
 * but for the latency that no kernel is without. */
static double below(const rc_series *s, double x) {
    size_t other = neighbour(s, false);
    const rc_knot *first = &s->knot[0], *after = &s->knot[other];
    double t0 = exp(first->y), t1 = exp(after->y), least = rc_least(t0, LEAST_TIME);
    double done = exp(s->power * (x - first->x)), more = exp(s->power * (after->x - first->x));
    double rate = other == 0 ? t0 - least : rc_most(t1 - t0, 0.0) / (more - 1.0);
    return log(rc_most(t0 - rate * (1.0 - done), least));
}

static void extrapolate(const rc_series *s, double x, bool upper, rc_probe *out) {
    const rc_knot *end = &s->knot[upper ? s->n - 1 : 0];
    out->y = upper ? above(s, x) : below(s, x);
    out->spread = rc_series_spans(s) ? end->spread : hypot(end->spread, LONE);
    out->basis = rc_worse(end->basis, RC_EXTRAPOLATED);
}

/* The last knot but one, or an earlier one, that is not beyond x: `guess`, or what is found by halves. */
static inline size_t interval_of(const rc_series *s, double x, size_t guess) {
    size_t lo = 0, hi = s->n - 1;
    if (guess + 1 < s->n && s->knot[guess].x <= x && s->knot[guess + 1].x > x)
        return guess;
    while (hi > lo + 1) {
        size_t middle = (lo + hi) / 2;
        if (s->knot[middle].x > x)
            hi = middle;
        else
            lo = middle;
    }
    return lo;
}

bool rc_series_reaches(const rc_series *s, double x) {
    assert(s->n >= 1);
    return x >= s->knot[0].x - SLACK && x <= s->knot[s->n - 1].x + SLACK;
}

void rc_series_at(const rc_series *s, double x, rc_probe *out) {
    assert(s->n >= 1);
    size_t last = s->n - 1;
    if (!rc_series_reaches(s, x)) {
        extrapolate(s, x, x > s->knot[0].x, out);
        return;
    }
    x = rc_least(rc_most(x, s->knot[0].x), s->knot[last].x);
    size_t i = interval_of(s, x, last), j = i < last ? i + 1 : i;
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

void rc_series_rest(const rc_series *s, double x, rc_probe *out) {
    size_t at = 0;
    rc_series_rest_near(s, x, &at, out);
}

void rc_series_rest_near(const rc_series *s, double x, size_t *near, rc_probe *out) {
    assert(s->n >= 1);
    bool outside = !rc_series_reaches(s, x);
    x = rc_least(rc_most(x, s->knot[0].x), s->knot[s->n - 1].x);
    size_t i = *near = interval_of(s, x, *near);
    const rc_knot *a = &s->knot[i], *b = i + 1 < s->n ? a + 1 : a;
    double f = b > a ? (x - a->x) / (b->x - a->x) : 0.0;
    out->y = a->rest + f * (b->rest - a->rest);
    out->spread = a->spread + f * (b->spread - a->spread);
    out->basis = rc_worse(rc_worse(a->basis, b->basis), outside ? RC_EXTRAPOLATED : RC_MEASURED);
}

void rc_isotonic(double *y, const double *weight, size_t n, rc_block *room) {
    assert((y != NULL && room != NULL) || n == 0);
    double *mean = y; /* means of blocks are stacked in place: no further than what was read */
    size_t top = 0;
    for (size_t i = 0; i < n; i++) {
        double m = y[i];
        rc_block b = {.length = 1, .weight = weight != NULL ? weight[i] : 1.0};
        while (top > 0 && mean[top - 1] > m) {
            top--;
            m = (m * b.weight + mean[top] * room[top].weight) / (b.weight + room[top].weight);
            b.length += room[top].length;
            b.weight += room[top].weight;
        }
        mean[top] = m;
        room[top++] = b;
    }
    for (size_t i = n; top > 0;) {
        top--;
        double m = mean[top];
        for (size_t j = 0; j < room[top].length; j++)
            y[--i] = m;
    }
}

/* ---- grids ----------------------------------------------------------------------------------- */

/* More than rounding makes of values that are equal. */
static const double CLEARLY = 1e-6;

/* The least and the most of a series between lo and hi: at an end, or at a point between them, for
 * no curve overshoots its points. */
static void extremes(const rc_series *s, double lo, double hi, double *least, double *most) {
    rc_probe a, b;
    rc_series_at(s, lo, &a);
    rc_series_at(s, hi, &b);
    *least = rc_least(a.y, b.y);
    *most = rc_most(a.y, b.y);
    for (size_t i = 0; i < s->n; i++) {
        if (s->knot[i].x <= lo || s->knot[i].x >= hi)
            continue;
        *least = rc_least(*least, s->knot[i].y);
        *most = rc_most(*most, s->knot[i].y);
    }
}

/* Whether every series is above the one before it wherever x is between lo and hi. */
static bool separate(const rc_curves *c, double lo, double hi) {
    double before = -INFINITY, least, most;
    for (size_t i = 0; i < c->n; i++) {
        extremes(&c->series[i], lo, hi, &least, &most);
        if (!(before + CLEARLY < least))
            return false;
        before = most;
    }
    return true;
}

void rc_curves_separate(rc_curves *c) {
    assert(c->n >= 1 && c->n <= RC_GRID_MAX);
    for (size_t cell = 0; cell < RC_CELLS; cell++) {
        double lo = (double)cell / RC_CELLS_PER_UNIT, hi = (double)(cell + 1) / RC_CELLS_PER_UNIT;
        if (separate(c, lo, hi))
            c->apart[cell / 64] |= UINT64_C(1) << cell % 64;
    }
}

static bool are_apart(const rc_curves *c, double x) {
    if (!(x >= 0.0 && x < (double)RC_CELLS_END))
        return false;
    size_t cell = (size_t)(x * RC_CELLS_PER_UNIT);
    return (c->apart[cell / 64] >> cell % 64 & 1) != 0;
}

/* A guess beyond the rows gives way to what was measured: it is moved between the others, and moves
 * none of them. */
static const double GUESS = 1e-9;

/* Series i and j at x, made monotone together with all others of the grid. Where they are apart
 * they are monotone as they stand. */
static void rising_at(const rc_curves *c, double x, size_t i, size_t j, rc_probe *at_i,
                      rc_probe *at_j) {
    if (are_apart(c, x)) {
        rc_series_at(&c->series[j], x, at_j);
        if (i != j)
            rc_series_at(&c->series[i], x, at_i);
        return;
    }
    double y[RC_GRID_MAX], weight[RC_GRID_MAX];
    rc_block room[RC_GRID_MAX];
    for (size_t k = 0; k < c->n; k++) {
        rc_probe p;
        rc_series_at(&c->series[k], x, &p);
        y[k] = p.y;
        weight[k] = rc_series_reaches(&c->series[k], x) ? 1.0 : GUESS;
        if (k == i)
            *at_i = p;
        if (k == j)
            *at_j = p;
    }
    rc_isotonic(y, weight, c->n, room);
    at_i->y = weight[i] < 1.0 ? y[i] : rc_pooled(at_i->y, y[i]);
    at_j->y = weight[j] < 1.0 ? y[j] : rc_pooled(at_j->y, y[j]);
}

/* Why straight lines across: a limiter such as Steffen's is not monotone in its data, so a curve
 * across curves could fall where every curve rises. Straight lines between isotonic values
 * cannot. */
void rc_grid_at(const rc_curves *c, double u, double x, rc_probe *out) {
    assert(c->n >= 1 && c->n <= RC_GRID_MAX);
    size_t j = 0;
    while (j < c->n && c->series[j].across < u - SLACK)
        j++;
    rc_probe before;
    if (j == c->n) { /* above: work grows with the axis */
        rising_at(c, x, j - 1, j - 1, &before, out);
        const rc_series *last = &c->series[j - 1];
        double more = exp(u - last->across) - 1.0;
        out->y = log(exp(out->y) + more * (last->unit > 0.0 ? last->unit * exp(x) : exp(out->y)));
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    double uj = c->series[j].across;
    bool there = fabs(uj - u) <= SLACK;
    size_t i = j > 0 && !there ? j - 1 : j;
    rising_at(c, x, i, j, &before, out);
    if (there)
        return;
    if (j == 0) { /* below: as the first */
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    double ui = c->series[i].across, f = (u - ui) / (uj - ui);
    out->y = before.y + f * (out->y - before.y);
    out->spread = before.spread + f * (out->spread - before.spread);
    out->basis = rc_worse(before.basis, out->basis);
}

void rc_grid_trust(const rc_curves *c, double u, double x, rc_probe *out) {
    assert(c->n >= 1 && c->n <= RC_GRID_MAX);
    size_t j = 0;
    while (j + 1 < c->n && c->series[j].across < u - SLACK)
        j++;
    double uj = c->series[j].across;
    rc_probe before;
    rc_series_at(&c->series[j], x, out);
    if (fabs(uj - u) <= SLACK)
        return;
    if (j == 0 || uj < u) {
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
        return;
    }
    double ui = c->series[j - 1].across, f = (u - ui) / (uj - ui);
    rc_series_at(&c->series[j - 1], x, &before);
    out->spread = before.spread + f * (out->spread - before.spread);
    out->basis = rc_worse(before.basis, out->basis);
}
