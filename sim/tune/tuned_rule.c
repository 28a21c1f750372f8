/* The tuned rule: thresholds of every degree and batch from the training half.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/base/quantile.h"
#include "sim/engine/engine.h"
#include "sim/tune/tune_internal.h"

/* The share of the bootstrap fits that low..high holds. */
#define INTERVAL 0.9
enum { MAX_BOOTSTRAP = 10000 };

/* The shortest length of the training half at which pass-Q is ever the faster, within the middle of
 * the axis: the table spends its lengths from there on. */
static double first_length(const rc_tune *t) {
    double lo = (double)t->s.total.from, hi = (double)t->s.total.to, first = sqrt(lo * hi);
    for (size_t i = 0; i < t->count; i++) {
        const rc_tune_cell *c = &t->cells[i];
        for (int d = 0; d < t->s.degrees && c->train; d++)
            if (rc_tune_time_at(t, i, d, RC_TUNE_Q) < rc_tune_time_at(t, i, d, RC_TUNE_KV))
                first = fmin(first, (double)(c->t + c->p));
    }
    return fmax(first, 1.1 * lo);
}

static void axes(rc_tune *t) {
    rc_select_table *s = &t->table;
    const rc_tune_scenario *in = &t->s;
    *s = (rc_select_table){.tp = in->layout.tp,
                           .attn_weights = in->layout.attn_weights,
                           .ffn_weights = in->layout.ffn_weights,
                           .kv = in->layout.kv,
                           .fresh_from = (double)in->fresh.from,
                           .fresh_to = (double)in->fresh.to,
                           .knots = in->knots,
                           .degrees = in->degrees,
                           .batches = in->batches,
                           .prices = in->prices};
    (void)snprintf(s->name, sizeof s->name, "%s", in->name);
    (void)snprintf(s->machine, sizeof s->machine, "%s", in->machine.name);
    (void)snprintf(s->model, sizeof s->model, "%s", in->model.name);
    memcpy(s->degree, in->degree, sizeof s->degree);
    memcpy(s->batch, in->batch, sizeof s->batch);
    memcpy(s->price, in->price, sizeof s->price);
    double first = first_length(t), last = (double)in->total.to;
    s->length[0] = (double)in->total.from;
    for (int k = 1; k < in->knots; k++)
        s->length[k] = first * pow(last / first, (double)(k - 1) / (in->knots - 2));
    rc_select_round(s);
}

static rc_frontier frontier_of(const rc_tune *t, bool monotone, double *out) {
    return (rc_frontier){.length = t->table.length,
                         .knots = t->table.knots,
                         .lo = 1.0,
                         .hi = 2.0 * (double)t->s.fresh.to,
                         .monotone = monotone,
                         .t = out};
}

/* ---- variants ------------------------------------------------------------------------------- */

static size_t variant_points(const rc_tune *t, int degree, int batch, rc_fit_point *out) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const rc_tune_cell *c = &t->cells[i];
        double kv = rc_tune_time_at(t, i, degree, RC_TUNE_KV);
        double q = rc_tune_time_at(t, i, degree, RC_TUNE_Q);
        if (!c->train || c->batch != batch || !isfinite(kv) || !isfinite(q))
            continue;
        double gain = q > kv ? q / kv - 1.0 : 1.0 - kv / q;
        out[n++] = (rc_fit_point){(double)c->t, (double)(c->t + c->p), gain, 1.0};
    }
    return n;
}

/* ---- degrees ------------------------------------------------------------------------------ */

/* The least time of a cell on one degree, by pass-KV or pass-Q; infinite when neither fits. */
static double least(const rc_tune *t, size_t cell, int degree) {
    double kv = rc_tune_time_at(t, cell, degree, RC_TUNE_KV);
    double q = rc_tune_time_at(t, cell, degree, RC_TUNE_Q);
    return fmin(isfinite(kv) ? kv : HUGE_VAL, isfinite(q) ? q : HUGE_VAL);
}

/* Least cost over degrees from..to-1. */
static double cheapest(const rc_tune *t, size_t cell, int from, int to, double price) {
    double best = HUGE_VAL;
    for (int d = from; d < to; d++)
        best = fmin(best, least(t, cell, d) * pow(t->s.degree[d], price));
    return best;
}

/* Where fewer ranks do not fit, memory decides (`least` of rc_select_degree), not the threshold. */
static size_t degree_points(const rc_tune *t, int degree, int batch, double price,
                            rc_fit_point *out) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const rc_tune_cell *c = &t->cells[i];
        if (!c->train || c->batch != batch)
            continue;
        double fewer_ranks = cheapest(t, i, 0, degree + 1, price);
        double more_ranks = cheapest(t, i, degree + 1, degree + 2, price);
        if (!isfinite(fewer_ranks) || !isfinite(more_ranks))
            continue;
        double gain = fewer_ranks > more_ranks ? fewer_ranks / more_ranks - 1.0
                                               : 1.0 - more_ranks / fewer_ranks;
        out[n++] = (rc_fit_point){(double)c->t, (double)(c->t + c->p), gain, 1.0};
    }
    return n;
}

/* ---- all fits, in parallel ----------------------------------------------------------------- */

static size_t jobs_of(const rc_tune *t) {
    return (size_t)t->s.degrees * (size_t)t->s.batches * ((size_t)t->s.prices + 1);
}

/* Job: degree x batch x (variant, or price + 1). */
static rc_status fit_job(void *ctx, size_t job, rc_error *err) {
    rc_tune *t = ctx;
    size_t kinds = (size_t)t->s.prices + 1, batches = (size_t)t->s.batches;
    int kind = (int)(job % kinds), b = (int)(job / kinds % batches);
    int d = (int)(job / kinds / batches);
    bool nothing = kind == 0 ? t->s.degree[d] == 1 : d + 1 == t->s.degrees;
    if (nothing)
        return RC_OK;
    rc_fit_point *points = calloc(t->count, sizeof *points);
    if (!points)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu points of a fit", t->count);
    size_t n = kind == 0 ? variant_points(t, d, b, points)
                         : degree_points(t, d, b, t->s.price[kind - 1], points);
    double *out = kind == 0 ? t->table.variant[d][b] : t->table.more[kind - 1][d][b];
    rc_frontier f = frontier_of(t, kind == 0, out);
    rc_status st = rc_frontier_fit(points, n, &f, err);
    free(points);
    return st;
}

/* ---- intervals ------------------------------------------------------------------------------ */

typedef struct resampling {
    const rc_tune *t;
    double *t_star; /* [bootstrap][degree][knot] */
} resampling;

static rc_status boot_degree(const resampling *b, size_t draw, int d, rc_fit_point *points,
                             rc_error *err) {
    const rc_tune *t = b->t;
    size_t at = (draw * (size_t)t->s.degrees + (size_t)d) * (size_t)t->s.knots;
    size_t n = variant_points(t, d, 0, points);
    rc_rng rng;
    rc_rng_seed(&rng, t->s.seed + 0x9e3779b97f4a7c15u * (at + 1));
    for (size_t i = 0; i < n; i++)
        points[i].weight = 0.0;
    for (size_t i = 0; i < n; i++)
        points[rc_rng_below(&rng, n)].weight += 1.0;
    memcpy(b->t_star + at, t->table.variant[d][0], (size_t)t->s.knots * sizeof(double));
    rc_frontier f = frontier_of(t, true, b->t_star + at);
    f.warm = true;
    return rc_frontier_fit(points, n, &f, err);
}

static rc_status boot_draw(void *ctx, size_t draw, rc_error *err) {
    const resampling *b = ctx;
    rc_fit_point *points = calloc(b->t->count, sizeof *points);
    rc_status st =
        points ? RC_OK
               : rc_fail(err, RC_E_NOMEM, "out of memory for %zu points of a fit", b->t->count);
    for (int d = 0; d < b->t->s.degrees && st == RC_OK; d++)
        if (b->t->s.degree[d] > 1)
            st = boot_degree(b, draw, d, points, err);
    free(points);
    return st;
}

static void quantiles(rc_tune *t, const resampling *b) {
    double v[MAX_BOOTSTRAP];
    size_t n = (size_t)t->s.bootstrap;
    for (size_t d = 0; d < (size_t)t->s.degrees; d++) {
        for (size_t k = 0; k < (size_t)t->s.knots; k++) {
            for (size_t i = 0; i < n; i++)
                v[i] = b->t_star[(i * (size_t)t->s.degrees + d) * (size_t)t->s.knots + k];
            rc_sort(v, n);
            t->table_low[d][k] = rc_nearest_rank(v, n, 0.5 * (1.0 - INTERVAL));
            t->table_high[d][k] = rc_nearest_rank(v, n, 0.5 * (1.0 + INTERVAL));
        }
    }
}

static rc_status bootstrap(rc_tune *t, rc_error *err) {
    resampling b = {.t = t};
    size_t n = (size_t)t->s.bootstrap * (size_t)t->s.degrees * (size_t)t->s.knots;
    if (n == 0)
        return RC_OK;
    b.t_star = calloc(n, sizeof *b.t_star);
    if (!b.t_star)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d bootstrap fits", t->s.bootstrap);
    rc_status st = rc_parallel((size_t)t->s.bootstrap, t->threads, boot_draw, &b, err);
    if (st == RC_OK)
        quantiles(t, &b);
    free(b.t_star);
    return st;
}

rc_status rc_tune_fit_table(rc_tune *t, rc_error *err) {
    assert(t->s.knots >= 3 && t->s.knots <= RC_SELECT_KNOTS); /* the first is the axis' own end */
    assert(t->s.bootstrap >= 0 && t->s.bootstrap <= MAX_BOOTSTRAP);
    axes(t);
    RC_TRY(rc_parallel(jobs_of(t), t->threads, fit_job, t, err));
    rc_select_round(&t->table);
    return bootstrap(t, err);
}
