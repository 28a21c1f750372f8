/* Products in a type that has rows: bf16 and fp8.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "sim/cost/rules.h"

static const double FLOOR = 2e-6; /* of a GEMM, what does not scale with N K: launch and tail */

typedef struct shape {
    double m, n, k;
} shape;

static double outputs(const rc_grid *g) {
    return (double)g->fixed.at[RC_AXIS_OUTPUTS];
}

static double inputs(const rc_grid *g) {
    return (double)g->fixed.at[RC_AXIS_INPUTS];
}

/* How far a curve that was not measured up to M falls short of it. */
static double shortfall(const rc_grid *g, double log_m) {
    const rc_series *curve = g->curves.series;
    return rc_most(log_m - curve->knot[curve->n - 1].x, 0.0);
}

/* Squared log distance of another shape than the one asked for. A curve that was not measured up to
 * M is as far away as it falls short of it, too: an LM head, measured for a few rows, says nothing
 * of thousands. */
static double distance(const rc_grid *g, const shape *s, double log_m) {
    double dn = log(s->n / outputs(g)), dk = log(s->k / inputs(g)), beyond = shortfall(g, log_m);
    return dn * dn + dk * dk + beyond * beyond;
}

/* The same by the logs that the book keeps: equal but for rounding. */
static double about(const rc_grid *g, const double logs[3]) {
    double dn = logs[1] - g->logs[0], dk = logs[2] - g->logs[1], beyond = shortfall(g, logs[0]);
    return dn * dn + dk * dk + beyond * beyond;
}

/* Of grids in order: the two of least distance, the earlier of equals. */
static void keep_nearer(const rc_grid *g, double here, const rc_grid *found[2], double far[2]) {
    if (here < far[0]) {
        found[1] = found[0], far[1] = far[0];
        found[0] = g, far[0] = here;
    } else if (here < far[1]) {
        found[1] = g, far[1] = here;
    }
}

/* The two shapes nearest to the one asked for, which was not measured, and how far they are. Most
 * are ruled out by their logs, with room for more than rounding. */
static void nearest(const rc_book *b, rc_dtype d, const shape *s, const rc_grid *found[2],
                    double far[2]) {
    const double slack = 1e-9;
    const double logs[3] = {log(s->m), log(s->n), log(s->k)};
    size_t n;
    const rc_grid *all = rc_book_grids(b, RC_COST_GEMM, &n);
    found[0] = found[1] = NULL;
    far[0] = far[1] = INFINITY;
    for (size_t i = 0; i < n; i++)
        if (all[i].dtype == d)
            keep_nearer(&all[i], about(&all[i], logs), found, far);
    double most = far[1] * (1.0 + slack) + slack;
    found[0] = found[1] = NULL;
    far[0] = far[1] = INFINITY;
    for (size_t i = 0; i < n; i++)
        if (all[i].dtype == d && about(&all[i], logs) <= most)
            keep_nearer(&all[i], distance(&all[i], s, logs[0]), found, far);
}

/* A curve of another shape at the same M. Its FLOPs and its weights differ by the same factor, so
 * whichever binds, what is above the floor scales with N*K. */
static void scaled(const rc_grid *g, const shape *s, rc_probe *p) {
    rc_series_at(g->curves.series, log(s->m), p);
    double t = exp(p->y), ratio = s->n * s->k / (outputs(g) * inputs(g));
    p->y = log(t > FLOOR ? FLOOR + (t - FLOOR) * ratio : t);
}

/* Between the two nearest shapes, weights 1 / squared distance. */
static bool between(const rc_book *b, rc_dtype d, const shape *s, rc_probe *p) {
    const rc_grid *found[2];
    double far[2];
    rc_probe q;
    nearest(b, d, s, found, far);
    if (found[0] == NULL)
        return false;
    scaled(found[0], s, p);
    p->basis = RC_MODELLED;
    if (found[1] == NULL)
        return true;
    scaled(found[1], s, &q);
    double w = far[0] / (far[0] + far[1]);
    p->y += w * (q.y - p->y);
    p->spread = rc_most(p->spread, q.spread);
    return true;
}

rc_status rc_price_product(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    const shape s = {(double)a->at->at[RC_AXIS_TOKENS], (double)a->at->at[RC_AXIS_OUTPUTS],
                     (double)a->at->at[RC_AXIS_INPUTS]};
    rc_probe p;
    assert(a->d == RC_BF16 || a->d == RC_FP8);
    assert(s.m >= 1.0 && s.n >= 1.0 && s.k >= 1.0);
    const rc_grid *measured = rc_book_find(c->book, a->rows, a->d, a->at);
    if (measured != NULL) {
        scaled(measured, &s, &p);
    } else if (!between(c->book, a->d, &s, &p)) {
        char what[32];
        (void)snprintf(what, sizeof what, "gemm in %s", rc_dtype_name(a->d));
        return rc_cost_no_rows(c, what, err);
    }
    return rc_answer(c, a, &p, out, err);
}
