/* Fitting thresholds T* over the length, for least regret.
 *
 * T* is a broken line through `knots` lengths; with y = ln T* at the knots,
 *     margin m_i = ln T_i - ln T*(L_i),  upper side from m >= 0.
 * 1. Logistic regression, weighted by the cost of a mistake: ln T* is taken as linear in the y,
 *    which makes it a convex problem in (s, s y), solved by Newton with GSL's Cholesky.
 * 2. The regret itself: the mean of cost_i * (1 + cost_i/SEVERE) * sigma(-side_i * kappa * m_i),
 *    minimised by BFGS (gsl_multimin) for rising kappa. As kappa grows this becomes the regret; the
 *    second factor counts a mistake of SEVERE and more for more than its share, for the worst case
 *    is asked about as well as the mean.
 * 3. Each knot in turn is scanned, over all of its range, then near by: the regret has local
 *    minima, and a scan along one knot gets past them. Then step 2 again, at the largest kappa.
 * A light penalty keeps the second differences of y small: it decides where the data do not.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/tune/tune_internal.h"

enum { NEWTON_STEPS = 60, BFGS_STEPS = 120 }; /* at most: both have an end of their own */
enum { SIZE = RC_SELECT_KNOTS + 1 };          /* unknowns of the regression: the slope and all y */
enum { SCAN = 41 };                           /* places tried for one knot */
enum { SWEEPS = 2 }; /* rounds over all knots: where one lies best depends on its neighbours */
#define FAR 30.0     /* 1 - sigma(30) = 1e-13: the regret is 0 or all of the cost there */
#define SEVERE 0.03  /* a mistake of 3 % counts twice, of 6 % three times its share */
#define COST_MAX 1.0 /* a mistake by a factor of two counts as much as one by ten */
/* Weights of the penalties, against a loss that is a mean of relative costs: small enough to
 * count only where next to no cost depends on a knot. */
#define SMOOTH_LOGISTIC 1e-5
#define SMOOTH_REGRET 2e-5
#define RIDGE 1e-7 /* keeps the regression regular where one side has no sample */
/* kappa of the stages: the sigmoid goes from 10 % to 90 % over a factor of 1.7, 1.2 and 1.08 of
 * T. */
enum { STAGES = 3 };
static const double sharpness[STAGES] = {8.0, 25.0, 60.0};

typedef struct sample {
    double x, f, cost, side; /* ln T; share of knot j; relative cost; +1 upper, -1 lower */
    int i, j;
} sample;

typedef struct task {
    sample *s; /* by i */
    size_t count;
    size_t begin[RC_SELECT_KNOTS + 2]; /* of the samples with i = k - 1 */
    const rc_frontier *f;
    double total, kappa; /* sum of weights; of the stage */
} task;

static void locate(const rc_frontier *f, double length, sample *s) {
    int k = 0;
    while (k < f->knots - 1 && length >= f->length[k + 1])
        k++;
    s->i = s->j = k;
    s->f = 0.0;
    if (k < f->knots - 1 && length > f->length[k]) {
        s->j = k + 1;
        s->f = (length - f->length[k]) / (f->length[k + 1] - f->length[k]);
    }
}

static double sigma(double m) {
    return m > 0.0 ? 1.0 / (1.0 + exp(-m)) : exp(m) / (1.0 + exp(m));
}

static int by_knot(const void *a, const void *b) {
    const sample *p = a, *q = b;
    if (p->i != q->i)
        return p->i - q->i;
    const int x = (p->x > q->x) - (p->x < q->x);
    return x ? x : (p->f > q->f) - (p->f < q->f);
}

static void take_samples(task *t, const rc_fit_point *points, size_t count) {
    for (size_t i = 0; i < count; i++) {
        double cost = fmin(fabs(points[i].gain), COST_MAX);
        if (!(cost > 0.0) || !(points[i].weight > 0.0))
            continue;
        sample *s = &t->s[t->count++];
        locate(t->f, points[i].length, s);
        s->x = log(points[i].t);
        s->side = points[i].gain > 0.0 ? 1.0 : -1.0;
        s->cost = cost * points[i].weight;
        t->total += points[i].weight;
    }
    qsort(t->s, t->count, sizeof *t->s, by_knot);
    for (size_t k = 0, i = 0; k <= (size_t)t->f->knots; k++) {
        while (i < t->count && (size_t)t->s[i].i + 1 < k)
            i++;
        t->begin[k] = i;
    }
    t->begin[t->f->knots + 1] = t->count;
}

/* ---- 1. logistic regression ---------------------------------------------------------------- */

static double logistic_margin(const sample *s, const double *c) {
    return c[0] * s->x - (1.0 - s->f) * c[1 + s->i] - s->f * c[1 + s->j];
}

static double roughness(const double *y, int n) {
    double sum = 0.0;
    for (int k = 1; k + 1 < n; k++)
        sum += pow(y[k - 1] - 2.0 * y[k] + y[k + 1], 2.0);
    return sum;
}

static double logistic_loss(const task *t, const double *c) {
    double sum = 0.0, square = 0.0;
    for (size_t i = 0; i < t->count; i++) {
        double m = t->s[i].side * logistic_margin(&t->s[i], c);
        sum += t->s[i].cost * (m > 0.0 ? log1p(exp(-m)) : log1p(exp(m)) - m);
    }
    for (int k = 0; k <= t->f->knots; k++)
        square += c[k] * c[k];
    return sum / t->total + SMOOTH_LOGISTIC * roughness(c + 1, t->f->knots) + RIDGE * square;
}

static void add_penalty(const task *t, const double *c, gsl_matrix *h, gsl_vector *g) {
    static const double d[3] = {1.0, -2.0, 1.0};
    for (int k = 1; k + 1 < t->f->knots; k++) {
        double second = c[k] - 2.0 * c[k + 1] + c[k + 2];
        for (int a = 0; a < 3; a++) {
            size_t row = (size_t)k + (size_t)a;
            *gsl_vector_ptr(g, row) += 2.0 * SMOOTH_LOGISTIC * second * d[a];
            for (int b = 0; b < 3; b++)
                *gsl_matrix_ptr(h, row, (size_t)k + (size_t)b) +=
                    2.0 * SMOOTH_LOGISTIC * d[a] * d[b];
        }
    }
    for (size_t k = 0; k <= (size_t)t->f->knots; k++) {
        *gsl_vector_ptr(g, k) += 2.0 * RIDGE * c[k];
        *gsl_matrix_ptr(h, k, k) += 2.0 * RIDGE;
    }
}

static void derivatives(const task *t, const double *c, gsl_matrix *h, gsl_vector *g) {
    gsl_matrix_set_zero(h);
    gsl_vector_set_zero(g);
    for (size_t i = 0; i < t->count; i++) {
        const sample *s = &t->s[i];
        double p = sigma(-s->side * logistic_margin(s, c)), w = s->cost / t->total;
        const size_t at[3] = {0, (size_t)s->i + 1, (size_t)s->j + 1};
        const double x[3] = {s->x, s->f - 1.0, -s->f};
        for (int a = 0; a < 3; a++) {
            *gsl_vector_ptr(g, at[a]) -= w * s->side * p * x[a];
            for (int b = 0; b < 3; b++)
                *gsl_matrix_ptr(h, at[a], at[b]) += w * p * (1.0 - p) * x[a] * x[b];
        }
    }
    add_penalty(t, c, h, g);
}

static bool newton_step(const task *t, double *c, gsl_matrix *h, gsl_vector *g, gsl_vector *step) {
    double next[SIZE] = {0}, before = logistic_loss(t, c);
    derivatives(t, c, h, g);
    if (gsl_linalg_cholesky_decomp1(h) != GSL_SUCCESS ||
        gsl_linalg_cholesky_solve(h, g, step) != GSL_SUCCESS)
        return false;
    double scale = 1.0;
    for (int halved = 0; halved < 20; halved++, scale *= 0.5) {
        for (size_t k = 0; k <= (size_t)t->f->knots; k++)
            next[k] = c[k] - scale * gsl_vector_get(step, k);
        double after = logistic_loss(t, next);
        if (after < before) {
            memcpy(c, next, sizeof next);
            return before - after > 1e-10 * before;
        }
    }
    return false;
}

static rc_status logistic(const task *t, double *y, rc_error *err) {
    size_t n = (size_t)t->f->knots + 1;
    double c[SIZE] = {1.0};
    gsl_matrix *h = gsl_matrix_alloc(n, n);
    gsl_vector *g = gsl_vector_alloc(n), *step = gsl_vector_alloc(n);
    rc_status st = h && g && step ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory in a fit");
    double middle = 0.5 * (log(t->f->lo) + log(t->f->hi));
    for (int k = 0; k < t->f->knots; k++)
        c[1 + k] = middle;
    for (int i = 0; i < NEWTON_STEPS && st == RC_OK && newton_step(t, c, h, g, step); i++)
        ;
    for (int k = 0; k < t->f->knots; k++)
        y[k] = c[0] > 1e-3 ? c[1 + k] / c[0] : middle;
    gsl_matrix_free(h);
    gsl_vector_free(g);
    gsl_vector_free(step);
    return st;
}

/* ---- 2. the regret ------------------------------------------------------------------------- */

static double regret(const gsl_vector *y, void *ctx, gsl_vector *g) {
    const task *t = ctx;
    double e[RC_SELECT_KNOTS] = {0}, sum = 0.0;
    int n = t->f->knots;
    for (int k = 0; k < n; k++)
        e[k] = exp(gsl_vector_get(y, (size_t)k));
    if (g)
        gsl_vector_set_zero(g);
    for (size_t i = 0; i < t->count; i++) {
        const sample *s = &t->s[i];
        double a = (1.0 - s->f) * e[s->i], b = s->f * e[s->j], z = t->kappa * s->side;
        double p = sigma(-z * (s->x - log(a + b)));
        double cost = s->cost * (1.0 + s->cost / SEVERE) / t->total;
        sum += cost * p;
        if (!g)
            continue;
        double slope = cost * p * (1.0 - p) * z / (a + b);
        *gsl_vector_ptr(g, (size_t)s->i) += slope * a;
        *gsl_vector_ptr(g, (size_t)s->j) += slope * b;
    }
    for (int k = 1; k + 1 < n; k++) {
        size_t u = (size_t)k;
        double second =
            gsl_vector_get(y, u - 1) - 2.0 * gsl_vector_get(y, u) + gsl_vector_get(y, u + 1);
        sum += SMOOTH_REGRET * second * second;
        if (!g)
            continue;
        *gsl_vector_ptr(g, u - 1) += 2.0 * SMOOTH_REGRET * second;
        *gsl_vector_ptr(g, u) -= 4.0 * SMOOTH_REGRET * second;
        *gsl_vector_ptr(g, u + 1) += 2.0 * SMOOTH_REGRET * second;
    }
    return sum;
}

static double regret_f(const gsl_vector *y, void *ctx) {
    return regret(y, ctx, NULL);
}

static void regret_df(const gsl_vector *y, void *ctx, gsl_vector *g) {
    (void)regret(y, ctx, g);
}

static void regret_fdf(const gsl_vector *y, void *ctx, double *f, gsl_vector *g) {
    *f = regret(y, ctx, g);
}

static rc_status minimise(task *t, double *y, bool last_stage, rc_error *err) {
    size_t n = (size_t)t->f->knots;
    gsl_multimin_function_fdf fn = {regret_f, regret_df, regret_fdf, n, t};
    gsl_multimin_fdfminimizer *s =
        gsl_multimin_fdfminimizer_alloc(gsl_multimin_fdfminimizer_vector_bfgs2, n);
    gsl_vector *x = gsl_vector_alloc(n);
    rc_status st = s && x ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory in a fit");
    for (int stage = last_stage ? STAGES - 1 : 0; stage < STAGES && st == RC_OK; stage++) {
        t->kappa = sharpness[stage];
        for (size_t k = 0; k < n; k++)
            gsl_vector_set(x, k, fmin(fmax(y[k], log(t->f->lo)), log(t->f->hi)));
        int code = gsl_multimin_fdfminimizer_set(s, &fn, x, 0.05, 0.1);
        for (int i = 0; i < BFGS_STEPS && code == GSL_SUCCESS; i++) {
            code = gsl_multimin_fdfminimizer_iterate(s);
            if (gsl_multimin_test_gradient(s->gradient, 1e-7) == GSL_SUCCESS)
                break;
        }
        for (size_t k = 0; k < n; k++) /* "no progress" is the usual end: at a minimum */
            y[k] = gsl_vector_get(s->x, k);
    }
    if (s)
        gsl_multimin_fdfminimizer_free(s);
    gsl_vector_free(x);
    return st;
}

/* ---- 3. one knot at a time ------------------------------------------------------------------ */

static double second_difference(const double *y, int k) {
    return y[k - 1] - 2.0 * y[k] + y[k + 1];
}

/* What of the loss depends on knot k: samples of the intervals on both sides. */
static double local_loss(const task *t, const double *y, int k) {
    double sum = 0.0, e[3] = {0};
    int n = t->f->knots;
    for (int d = -1; d <= 1; d++)
        e[d + 1] = k + d >= 0 && k + d < n ? exp(y[k + d]) : 0.0;
    for (size_t i = t->begin[k]; i < t->begin[k + 2]; i++) {
        const sample *s = &t->s[i];
        double star = (1.0 - s->f) * e[s->i - k + 1] + s->f * e[s->j - k + 1];
        double m = t->kappa * s->side * (s->x - log(star));
        double p = m > FAR ? 0.0 : m < -FAR ? 1.0 : sigma(-m);
        sum += p * s->cost * (1.0 + s->cost / SEVERE);
    }
    sum /= t->total;
    for (int c = k - 1; c <= k + 1; c++)
        if (c >= 1 && c + 1 < n)
            sum += SMOOTH_REGRET * pow(second_difference(y, c), 2.0);
    return sum;
}

static void scan_knot(const task *t, double *y, int k, double reach) {
    double lo = log(t->f->lo), hi = log(t->f->hi), best = y[k], least = local_loss(t, y, k);
    double from = fmax(lo, best - reach), to = fmin(hi, best + reach);
    for (int i = 0; i < SCAN; i++) {
        y[k] = from + (to - from) * i / (SCAN - 1);
        double loss = local_loss(t, y, k);
        if (loss < least) {
            least = loss;
            best = y[k];
        }
    }
    y[k] = best;
}

static void scan_knots(task *t, double *y, bool near_by) {
    static const double reach[] = {100.0, 3.0, 0.5, 0.1, 0.03};
    t->kappa = sharpness[STAGES - 1];
    for (int r = near_by ? 2 : 0; r < 5; r++)
        for (int sweep = 0; sweep < SWEEPS; sweep++)
            for (int k = 0; k < t->f->knots; k++)
                scan_knot(t, y, k, reach[r]);
}

/* ---- all --------------------------------------------------------------------------------- */

/* How much each knot is held by the data. */
static void weigh_knots(const task *t, double *w) {
    for (int k = 0; k < t->f->knots; k++)
        w[k] = 1e-9;
    for (size_t i = 0; i < t->count; i++) {
        w[t->s[i].i] += (1.0 - t->s[i].f) * t->s[i].cost;
        w[t->s[i].j] += t->s[i].f * t->s[i].cost;
    }
}

/* Pool adjacent violators: the nearest rising sequence. */
static void make_rising(const task *t, double *y) {
    double mean[RC_SELECT_KNOTS] = {0}, weight[RC_SELECT_KNOTS] = {0}, w[RC_SELECT_KNOTS] = {0};
    int size[RC_SELECT_KNOTS] = {0}, blocks = 0;
    weigh_knots(t, w);
    for (int k = 0; k < t->f->knots; k++) {
        mean[blocks] = y[k];
        weight[blocks] = w[k];
        size[blocks++] = 1;
        while (blocks > 1 && mean[blocks - 2] > mean[blocks - 1]) {
            double a = weight[blocks - 2], b = weight[blocks - 1];
            mean[blocks - 2] = (a * mean[blocks - 2] + b * mean[blocks - 1]) / (a + b);
            weight[blocks - 2] = a + b;
            size[blocks - 2] += size[blocks - 1];
            blocks--;
        }
    }
    for (int b = 0, k = 0; b < blocks; b++)
        for (int i = 0; i < size[b]; i++)
            y[k++] = mean[b];
}

/* Called by asserts alone. */
__attribute__((unused)) static bool rising(const double *v, int n) {
    for (int i = 1; i < n; i++)
        if (!(v[i] > v[i - 1]))
            return false;
    return true;
}

rc_status rc_frontier_fit(const rc_fit_point *points, size_t count, rc_frontier *f, rc_error *err) {
    assert(points != NULL || count == 0);
    assert(f->knots >= 1 && f->knots <= RC_SELECT_KNOTS);
    assert(rising(f->length, f->knots));
    assert(0.0 < f->lo && f->lo < f->hi);
    task t = {.f = f};
    double y[RC_SELECT_KNOTS] = {0};
    t.s = calloc(count ? count : 1, sizeof *t.s);
    if (!t.s)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu points of a fit", count);
    take_samples(&t, points, count);
    rc_status st = RC_OK;
    for (int k = 0; k < f->knots; k++)
        y[k] = f->warm ? log(f->t[k]) : log(f->lo); /* without data: the upper side */
    if (t.count > 0 && !f->warm)
        st = logistic(&t, y, err);
    for (int round = 0; round < 2 && t.count > 0 && st == RC_OK; round++) {
        st = minimise(&t, y, f->warm || round > 0, err);
        for (int k = 0; k < f->knots; k++)
            y[k] = isfinite(y[k]) ? fmin(fmax(y[k], log(f->lo)), log(f->hi)) : log(f->hi);
        scan_knots(&t, y, f->warm || round > 0);
    }
    if (f->monotone)
        make_rising(&t, y);
    for (int k = 0; k < f->knots; k++)
        f->t[k] = fmin(fmax(exp(y[k]), f->lo), f->hi);
    free(t.s);
    return st;
}
