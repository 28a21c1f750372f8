/* Products in a type that has rows: bf16, fp8, and fp8 with a scale for each block.
 *
 * A shape (N, K) that was measured has a curve over M. Of a shape that was not, the plan of the
 * product (gemm_plan.h) says the time, and how far the measured shapes at the same M are off their
 * own plans corrects it: each counts by 1 / (squared log distance + NEAR). In fp8 the waves of tiles
 * are so coarse that points between the rows of a measured shape are made in the same way: the
 * plan, what all other shapes have in common at that M, and what is the curve's own, straight
 * between its rows. In bf16, whose tiles are finer, the curve itself is the better one, where it has
 * more than one row.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "sim/cost/rules.h"

static const double NEAR = 0.01;  /* a tenth of N or of K */
static const double SLACK = 1e-9; /* logs nearer than this are the same size */

typedef struct shape {
    double m, n, k;
    double logs[2]; /* of n and k */
    rc_dtype d;
} shape;

/* How much the curve of a shape says of another one at M. A curve that was not measured up to M is
 * as far away as it falls short of it, too: an LM head, measured for a few rows, says nothing of
 * thousands. */
static double weight(const rc_grid *g, const shape *s, double log_m) {
    const rc_series *curve = g->curves.series;
    double dn = s->logs[0] - g->logs[0], dk = s->logs[1] - g->logs[1];
    double beyond = rc_most(log_m - curve->knot[curve->n - 1].x, 0.0);
    return 1.0 / (dn * dn + dk * dk + beyond * beyond + NEAR);
}

/* Log ratio to the plan that the measured shapes, `own` left out, have at M; 0 when there is none.
 */
static double in_common(const rc_book *b, const shape *s, const rc_grid *own, double log_m,
                        rc_probe *p) {
    size_t n;
    const rc_grid *all = rc_book_grids(b, RC_COST_GEMM, &n);
    double sum = 0.0, spread = 0.0, weights = 0.0;
    size_t near = 0; /* most shapes were measured at the same M */
    for (size_t i = 0; i < n; i++) {
        rc_probe rest;
        if (all[i].dtype != s->d || &all[i] == own)
            continue;
        double w = weight(&all[i], s, log_m);
        rc_series_rest_near(all[i].curves.series, log_m, &near, &rest);
        sum += w * rest.y;
        spread += w * rest.spread;
        weights += w;
    }
    *p = (rc_probe){.basis = RC_MODELLED};
    if (!(weights > 0.0))
        return 0.0;
    p->spread = spread / weights;
    return sum / weights;
}

static double plan(const rc_book *b, const shape *s) {
    return rc_gemm_plan(rc_book_products(b, s->d), s->d, s->m, s->n, s->k);
}

/* A shape that was not measured. */
static void alike(const rc_book *b, const shape *s, double log_m, rc_probe *p) {
    double rest = in_common(b, s, NULL, log_m, p);
    p->y = plan(b, s) + rest;
}

/* Between two rows of a measured shape, or beyond them: the same row twice. What is the curve's own
 * is to a good part the library's choice at these M, so that it counts less the farther both rows
 * are. */
static void between(const rc_book *b, const shape *s, const rc_grid *own, double x, rc_probe *p) {
    const rc_series *c = own->curves.series;
    const rc_knot *hi = c->knot, *end = c->knot + c->n;
    rc_probe unused;
    while (hi + 1 < end && hi->x < x - SLACK)
        hi++;
    const rc_knot *lo = hi > c->knot && hi->x > x ? hi - 1 : hi;
    double f = hi > lo ? (x - lo->x) / (hi->x - lo->x) : 0.0;
    double a = lo->rest - in_common(b, s, own, lo->x, &unused);
    double z = hi > lo ? hi->rest - in_common(b, s, own, hi->x, &unused) : a;
    rc_series_rest(c, x, p);
    double part = 1.0 - f * (1.0 - f);
    p->y = plan(b, s) + in_common(b, s, own, x, &unused) + part * (a + f * (z - a));
}

/* The same without waves: each measured shape's own time at M, in proportion to N K. */
static void by_size(const rc_book *b, const shape *s, double log_m, rc_probe *p) {
    size_t n;
    const rc_grid *all = rc_book_grids(b, RC_COST_GEMM, &n);
    double sum = 0.0, spread = 0.0, weights = 0.0;
    for (size_t i = 0; i < n; i++) {
        rc_probe there;
        if (all[i].dtype != s->d)
            continue;
        double w = weight(&all[i], s, log_m);
        rc_series_at(all[i].curves.series, log_m, &there);
        sum += w * (there.y + s->logs[0] + s->logs[1] - all[i].logs[0] - all[i].logs[1]);
        spread += w * there.spread;
        weights += w;
    }
    *p = (rc_probe){.y = sum / weights, .spread = spread / weights, .basis = RC_MODELLED};
}

static bool is_row(const rc_series *c, double x) {
    for (size_t i = 0; i < c->n; i++)
        if (fabs(c->knot[i].x - x) <= SLACK)
            return true;
    return false;
}

/* Whether what lies between and beyond rows is taken from the curve through them. Rows of about one size make none. */
static bool is_curve(rc_dtype d, const rc_series *c) {
    return d == RC_BF16 && rc_series_spans(c);
}

rc_status rc_price_product(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err) {
    shape s = {.m = (double)a->at->at[RC_AXIS_TOKENS],
               .n = (double)a->at->at[RC_AXIS_OUTPUTS],
               .k = (double)a->at->at[RC_AXIS_INPUTS],
               .d = a->d};
    rc_probe p;
    assert(rc_product_type_of(a->d) < RC_PRODUCT_TYPES);
    assert(s.m >= 1.0 && s.n >= 1.0 && s.k >= 1.0);
    if (rc_book_products(c->book, a->d) == NULL) {
        char what[32];
        (void)snprintf(what, sizeof what, "gemm in %s", rc_dtype_name(a->d));
        return rc_cost_no_rows(c, what, err);
    }
    double log_m = log(s.m);
    s.logs[0] = log(s.n);
    s.logs[1] = log(s.k);
    const rc_grid *own = rc_book_find(c->book, a->rows, a->d, a->at);
    bool waves = (c->m.without & RC_WAVES) == 0;
    if (own == NULL && !waves)
        by_size(c->book, &s, log_m, &p);
    else if (own == NULL)
        alike(c->book, &s, log_m, &p);
    else if (is_curve(a->d, own->curves.series) || !waves || is_row(own->curves.series, log_m))
        rc_series_at(own->curves.series, log_m, &p);
    else
        between(c->book, &s, own, log_m, &p);
    return rc_answer(c, a, &p, out, err);
}
