/* The published rules with coefficients of their own: of Algorithms 1 and 5 the bandwidth (only
 * C/BW enters), of the empirical rule alpha, beta and gamma. All by least mean regret on the
 * training half, with 90 % intervals from resampled training halves.
 *
 * The regret of a rule with one coefficient is a staircase: it is scanned on a grid of factors,
 * coarse, then fine. That of the empirical rule is started from a logistic regression of its three
 * features, weighted by the cost of a mistake, and then minimised by Nelder and Mead
 * (gsl_multimin).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <gsl/gsl_linalg.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>
#include "sim/base/parallel.h"
#include "sim/base/quantile.h"
#include "sim/engine/engine.h"
#include "sim/tune/tune_internal.h"

/* Points of the two scans of one coefficient: a step of the coarse one is 5.8 %, of the fine one
 * 0.3 %. */
enum { COARSE = 121, FINE = 41 };
enum { NEWTON_STEPS = 60, SIMPLEX_STEPS = 300 }; /* at most: both have an end of their own */
enum { MAX_DRAWS = 10000 };                      /* bootstrap fits, as the table of keys has it */
#define FACTOR 30.0  /* the coarse scan reaches this far to both sides */
#define INTERVAL 0.9 /* the share of the bootstrap fits that low..high holds */
#define COST_MAX 1.0 /* a mistake by a factor of two counts as much as one by ten */
#define RIDGE 1e-8   /* keeps Newton's matrix regular where one side has no sample */
/* About the middle of ln T and of ln(T/(T+P)): features near zero keep the matrix well
 * conditioned. */
#define CENTRE_T 8.0
#define CENTRE_MISS (-3.0)

typedef struct task {
    const rc_tune *t;
    const rc_tune_comparison *comparisons;
    const double *weight; /* [count]; 0 for the test half */
    size_t count;
    rc_tune_rule rule;
} task;

static double mean_regret(const task *k) {
    double sum = 0.0, total = 0.0;
    for (size_t i = 0; i < k->count; i++) {
        const rc_tune_comparison *d = &k->comparisons[i];
        if (!(k->weight[i] > 0.0))
            continue;
        rc_choice c = rc_tune_decide(k->t, &k->rule, d->t, d->p, d->batch, d->n);
        double own = c == RC_CHOOSE_PASS_KV ? d->kv : d->q;
        sum += k->weight[i] * (own / fmin(d->kv, d->q) - 1.0);
        total += k->weight[i];
    }
    return total > 0.0 ? sum / total : 0.0;
}

/* ---- one coefficient ------------------------------------------------------------------------ */

static double scan(task *k, double from, double to, int steps) {
    double best = k->rule.bw, least = HUGE_VAL;
    for (int i = 0; i < steps; i++) {
        k->rule.bw = from * pow(to / from, (double)i / (steps - 1));
        double regret = mean_regret(k);
        if (regret < least) {
            least = regret;
            best = k->rule.bw;
        }
    }
    k->rule.bw = best;
    return best;
}

static void fit_bandwidth(task *k, bool warm) {
    double step = pow(FACTOR, 2.0 / (COARSE - 1));
    double reach = warm ? pow(step, 4.0) : FACTOR;
    double best = scan(k, k->rule.bw / reach, k->rule.bw * reach, warm ? FINE : COARSE);
    if (!warm)
        (void)scan(k, best / step, best * step, FINE);
}

/* ---- three coefficients --------------------------------------------------------------------- */

static void features(const rc_tune_comparison *d, double *x) {
    x[0] = log(d->t) - CENTRE_T;
    x[1] = log(d->t / (d->t + d->p)) - CENTRE_MISS;
    x[2] = 1.0;
}

/* Cost-weighted negative log-likelihood of c; with `a` and `g` its derivatives, too. */
static double likelihood(const task *k, const double *c, double *a, double *g) {
    double sum = 0.0, total = 0.0, x[3];
    for (size_t i = 0; i < k->count; i++) {
        const rc_tune_comparison *d = &k->comparisons[i];
        double w = k->weight[i] * fmin(fabs(d->q - d->kv) / fmin(d->q, d->kv), COST_MAX);
        if (!(w > 0.0))
            continue;
        features(d, x);
        double side = d->kv <= d->q ? 1.0 : -1.0;
        double m = side * (c[0] * x[0] + c[1] * x[1] + c[2] * x[2]);
        double p = m > 0.0 ? exp(-m) / (1.0 + exp(-m)) : 1.0 / (1.0 + exp(m));
        total += w;
        sum += w * (m > 0.0 ? log1p(exp(-m)) : log1p(exp(m)) - m);
        for (int r = 0; r < 3 && g; r++) {
            g[r] -= w * side * p * x[r];
            for (int s = 0; s < 3; s++)
                a[3 * r + s] += w * p * (1.0 - p) * x[r] * x[s];
        }
    }
    for (int r = 0; r < 3; r++) {
        sum += total * RIDGE * c[r] * c[r];
        if (g) {
            g[r] += 2.0 * total * RIDGE * c[r];
            a[4 * r] += 2.0 * total * RIDGE;
        }
    }
    return sum;
}

/* A Newton step, halved until it is one downwards; false at the end. */
static bool newton_step(const task *k, double *c) {
    double a_data[9] = {0}, g_data[3] = {0}, step[3], next[3];
    gsl_matrix_view a = gsl_matrix_view_array(a_data, 3, 3);
    gsl_vector_view g = gsl_vector_view_array(g_data, 3), s = gsl_vector_view_array(step, 3);
    double before = likelihood(k, c, a_data, g_data);
    if (gsl_linalg_cholesky_decomp1(&a.matrix) != 0 ||
        gsl_linalg_cholesky_solve(&a.matrix, &g.vector, &s.vector) != 0)
        return false;
    double scale = 1.0;
    for (int halved = 0; halved < 20; halved++, scale *= 0.5) {
        for (int r = 0; r < 3; r++)
            next[r] = c[r] - scale * step[r];
        double after = likelihood(k, next, NULL, NULL);
        if (after < before) {
            for (int r = 0; r < 3; r++)
                c[r] = next[r];
            return before - after > 1e-10 * before;
        }
    }
    return false;
}

static void logistic(const task *k, double *c) {
    c[0] = c[1] = c[2] = 0.0;
    for (int n = 0; n < NEWTON_STEPS && newton_step(k, c); n++)
        ;
    c[2] -= c[0] * CENTRE_T + c[1] * CENTRE_MISS;
}

static double empirical_regret(const gsl_vector *x, void *ctx) {
    task *k = ctx;
    k->rule.rule.alpha = gsl_vector_get(x, 0);
    k->rule.rule.beta = gsl_vector_get(x, 1);
    k->rule.rule.gamma = gsl_vector_get(x, 2);
    return mean_regret(k);
}

static rc_status simplex(task *k, double *c, rc_error *err) {
    gsl_multimin_function fn = {empirical_regret, 3, k};
    gsl_multimin_fminimizer *s =
        gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, 3);
    gsl_vector *x = gsl_vector_alloc(3), *step = gsl_vector_alloc(3);
    rc_status st = s && x && step ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory in a fit");
    for (size_t i = 0; st == RC_OK && i < 3; i++) {
        gsl_vector_set(x, i, c[i]);
        gsl_vector_set(step, i, 0.1 * fabs(c[i]) + 0.01);
    }
    if (st == RC_OK && gsl_multimin_fminimizer_set(s, &fn, x, step) != 0)
        st = rc_fail(err, RC_E_INTERNAL, "the simplex of a fit cannot be set up");
    for (int i = 0; i < SIMPLEX_STEPS && st == RC_OK; i++)
        if (gsl_multimin_fminimizer_iterate(s) != 0 || gsl_multimin_fminimizer_size(s) < 1e-4)
            break;
    for (size_t i = 0; st == RC_OK && i < 3; i++)
        c[i] = gsl_vector_get(s->x, i);
    if (s)
        gsl_multimin_fminimizer_free(s);
    gsl_vector_free(x);
    gsl_vector_free(step);
    return st;
}

/* The sign of a rule is what counts: it is told in the scale of the published gamma. */
static rc_status fit_empirical(task *k, bool warm, rc_error *err) {
    rc_rule *r = &k->rule.rule;
    double c[3] = {r->alpha, r->beta, r->gamma}, published;
    rc_rule paper;
    RC_TRY(rc_rule_named("empirical", &paper, err));
    published = paper.gamma;
    if (!warm)
        logistic(k, c);
    RC_TRY(simplex(k, c, err));
    double scale = c[2] != 0.0 ? fabs(published / c[2]) : 1.0;
    r->alpha = scale * c[0];
    r->beta = scale * c[1];
    r->gamma = scale * c[2];
    return RC_OK;
}

static rc_status fit(task *k, bool warm, rc_error *err) {
    if (k->rule.rule.kind == RC_RULE_EMPIRICAL)
        return fit_empirical(k, warm, err);
    fit_bandwidth(k, warm);
    return RC_OK;
}

/* ---- intervals ------------------------------------------------------------------------------ */

typedef struct resampling {
    const task *base;
    double (*value)[3];
} resampling;

static rc_status draw(void *ctx, size_t item, rc_error *err) {
    const resampling *b = ctx;
    const task *base = b->base;
    task k = *base;
    rc_rng rng;
    double *weight = calloc(base->count + 1, sizeof *weight);
    if (!weight)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a bootstrap fit");
    rc_rng_seed(&rng, base->t->s.seed + 0xd1342543de82ef95u * (item + 1));
    for (size_t i = 0; i < base->count; i++) {
        size_t at = rc_rng_below(&rng, base->count);
        weight[at] += base->weight[at];
    }
    k.weight = weight;
    rc_status st = fit(&k, true, err);
    const rc_rule *r = &k.rule.rule;
    b->value[item][0] = r->kind == RC_RULE_EMPIRICAL ? r->alpha : k.rule.bw;
    b->value[item][1] = r->beta;
    b->value[item][2] = r->gamma;
    free(weight);
    return st;
}

static rc_status intervals(const task *base, rc_tune_rule *out, rc_error *err) {
    size_t n = (size_t)base->t->s.bootstrap;
    double v[MAX_DRAWS];
    resampling b = {.base = base, .value = calloc(n ? n : 1, sizeof *b.value)};
    if (!b.value)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu bootstrap fits", n);
    rc_status st = rc_parallel(n, base->t->threads, draw, &b, err);
    for (int c = 0; c < 3 && st == RC_OK && n > 0; c++) {
        for (size_t i = 0; i < n; i++)
            v[i] = b.value[i][c];
        rc_sort(v, n);
        out->low[c] = rc_nearest_rank(v, n, 0.5 * (1.0 - INTERVAL));
        out->high[c] = rc_nearest_rank(v, n, 0.5 * (1.0 + INTERVAL));
    }
    free(b.value);
    return st;
}

rc_status rc_tune_refit(rc_tune *t, const rc_tune_comparison *comparisons, size_t count,
                        rc_error *err) {
    assert(t->s.bootstrap >= 0 && t->s.bootstrap <= MAX_DRAWS);
    assert(comparisons != NULL || count == 0);
    double *weight = calloc(count + 1, sizeof *weight);
    if (!weight)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu weights", count);
    for (size_t i = 0; i < count; i++)
        weight[i] = comparisons[i].train ? 1.0 : 0.0;
    rc_status st = RC_OK;
    for (int i = 0; i < t->rules && st == RC_OK; i++) {
        task k = {t, comparisons, weight, count, t->rule[i]};
        if (t->rule[i].origin != RC_TUNE_REFIT)
            continue;
        st = fit(&k, false, err);
        t->rule[i] = k.rule;
        if (st == RC_OK)
            st = intervals(&k, &t->rule[i], err);
    }
    free(weight);
    return st;
}
