/* How good predictions are: errors, who wins, where schedules change places.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/validate/validate.h"

/* Two measured times nearer than this have no winner: medians are known to 2 % each. */
#define TIE 0.03

static bool same(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

static bool chosen(const rc_measured_run *x, int set, const char *transport, const char *regime) {
    return (set < 0 || (int)x->set == set) && (!transport || same(x->transport, transport)) &&
           (!regime || same(rc_run_regime(x), regime));
}

/* The same layers on the same GPUs, but for the schedule (and, where asked, T). */
static bool alike(const rc_measured_run *a, const rc_measured_run *b, bool any_t) {
    return a->cp == b->cp && a->tp == b->tp && a->hq == b->hq && a->hkv == b->hkv &&
           a->width == b->width && a->ffn == b->ffn && a->layers == b->layers &&
           a->batch == b->batch && a->sms == b->sms && a->ctas == b->ctas && a->graph == b->graph &&
           same(a->transport, b->transport) && a->folder == b->folder &&
           same(a->machine, b->machine) &&
           (any_t ? a->t + a->p == b->t + b->p : a->t == b->t && a->p == b->p);
}

static const rc_measured_run *partner(const rc_runs *r, const rc_measured_run *kv) {
    for (size_t i = 0; i < r->n; i++)
        if (rc_run_is(&r->v[i], &rc_schedule_pass_q) && alike(&r->v[i], kv, false))
            return &r->v[i];
    return NULL;
}

static void count_winner(const rc_measured_run *kv, const rc_measured_run *q, rc_method m,
                         rc_accuracy *a) {
    if (!q || !isfinite(kv->time[m]) || !isfinite(q->time[m]) ||
        fabs(log(kv->measured / q->measured)) <= log(1.0 + TIE))
        return;
    a->winners_total++;
    a->winners_right += (kv->measured < q->measured) == (kv->time[m] < q->time[m]);
}

rc_accuracy rc_runs_accuracy(const rc_runs *r, rc_method m, int set, const char *transport,
                             const char *regime) {
    assert((unsigned)m < RC_METHODS && set < (int)RC_SET_COUNT);
    rc_accuracy a = {.median_pct = NAN, .p95_pct = NAN, .mean_pct = NAN};
    double *off = calloc(r->n + 1, sizeof *off), sum = 0;
    for (size_t i = 0; i < r->n && off; i++) {
        const rc_measured_run *x = &r->v[i];
        if (!chosen(x, set, transport, regime) || !isfinite(x->time[m]))
            continue;
        double error = 100.0 * (x->time[m] / x->measured - 1.0);
        sum += error;
        off[a.n++] = fabs(error);
        if (rc_run_is(x, &rc_schedule_pass_kv))
            count_winner(x, partner(r, x), m, &a);
        if (m == RC_BY_SIMULATION && isfinite(x->p5)) {
            a.drawn++;
            a.inside += x->p5 <= x->measured && x->measured <= x->p95;
        }
    }
    if (off && a.n > 0) {
        rc_sort(off, a.n);
        a.mean_pct = sum / (double)a.n;
        a.median_pct = rc_quantile(off, a.n, 0.5);
        a.p95_pct = rc_quantile(off, a.n, 0.95);
    }
    free(off);
    return a;
}

/* ---- baselines ------------------------------------------------------------------------------- */

static void fit_one(rc_runs *r, rc_method m, double *ratio) {
    size_t n = 0;
    for (int seen = 1; seen >= 0 && n == 0; seen--) /* seen ones; where there are none, all */
        for (size_t i = 0; i < r->n; i++)
            if (isfinite(r->v[i].time[m]) && (!seen || r->v[i].set == RC_SET_SEEN))
                ratio[n++] = r->v[i].measured / r->v[i].time[m];
    if (n == 0)
        return;
    rc_sort(ratio, n);
    r->scale[m] = rc_quantile(ratio, n, 0.5);
    for (size_t i = 0; i < r->n; i++)
        r->v[i].time[m] *= r->scale[m];
}

rc_status rc_runs_fit_baselines(rc_runs *r, rc_error *err) {
    double *ratio = calloc(r->n + 1, sizeof *ratio);
    if (!ratio)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    for (int m = RC_BY_SIMULATION + 1; m < RC_METHODS; m++)
        fit_one(r, (rc_method)m, ratio);
    free(ratio);
    return RC_OK;
}

/* ---- crossover ------------------------------------------------------------------------------- */

typedef struct point {
    double t, measured, predicted; /* log of pass-KV's time over pass-Q's */
} point;
enum { POINTS = 64 };

static int by_t(const void *a, const void *b) {
    const point *x = a, *y = b;
    return (x->t > y->t) - (x->t < y->t);
}

/* Of the log of a ratio of two medians, each of which is known to 1 % either way where a run counts. */
#define RATIO_KNOWN 0.014

/* Where the line through the points first changes sign, over log T. *known: how far it may be from
 * there, of it, by what is known of the ratios. */
static double crossing(const point *p, size_t n, bool predicted, double *known) {
    *known = NAN;
    for (size_t i = 0; i + 1 < n; i++) {
        double a = predicted ? p[i].predicted : p[i].measured;
        double b = predicted ? p[i + 1].predicted : p[i + 1].measured;
        if ((a > 0) == (b > 0))
            continue;
        double steep = fabs(a - b) / (log(p[i + 1].t) - log(p[i].t));
        *known = expm1(RATIO_KNOWN / steep);
        return exp(log(p[i].t) + (log(p[i + 1].t) - log(p[i].t)) * a / (a - b));
    }
    return NAN;
}

static bool all_apart(const point *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (fabs(p[i].measured) <= RATIO_KNOWN || (p[i].measured > 0) != (p[0].measured > 0))
            return false;
    return true;
}

static size_t gather(const rc_runs *r, const rc_measured_run *first, point *p) {
    size_t n = 0;
    for (size_t i = 0; i < r->n && n < POINTS; i++) {
        const rc_measured_run *kv = &r->v[i], *q = partner(r, kv);
        if (!rc_run_is(kv, &rc_schedule_pass_kv) || !q || !alike(kv, first, true) ||
            !isfinite(kv->time[0]) || !isfinite(q->time[0]))
            continue;
        p[n++] =
            (point){(double)kv->t, log(kv->measured / q->measured), log(kv->time[0] / q->time[0])};
    }
    qsort(p, n, sizeof *p, by_t);
    return n;
}

#define NEAR 0.1 /* of the measured crossover */

bool rc_crossover_resolved(const rc_crossover *c) {
    return isfinite(c->measured) ? c->known <= NEAR : c->apart;
}

bool rc_crossover_right(const rc_crossover *c) {
    if (!isfinite(c->measured) || !isfinite(c->predicted))
        return !isfinite(c->measured) && !isfinite(c->predicted);
    return fabs(c->predicted / c->measured - 1.0) <= NEAR;
}

size_t rc_runs_crossovers(const rc_runs *r, rc_crossover *out, size_t room) {
    assert(out != NULL || room == 0);
    size_t n = 0;
    for (size_t i = 0; i < r->n && n < room; i++) {
        const rc_measured_run *x = &r->v[i];
        point p[POINTS] = {{0, 0, 0}};
        bool told = !rc_run_is(x, &rc_schedule_pass_kv);
        for (size_t k = 0; k < i && !told; k++)
            told = rc_run_is(&r->v[k], &rc_schedule_pass_kv) && alike(&r->v[k], x, true);
        if (told)
            continue;
        size_t points = gather(r, x, p);
        if (points < 2)
            continue;
        double known, unused;
        rc_crossover c = {.first = x, .apart = all_apart(p, points)};
        c.measured = crossing(p, points, false, &known);
        c.predicted = crossing(p, points, true, &unused);
        c.known = known;
        out[n++] = c;
    }
    return n;
}

rc_status rc_runs_check(const rc_runs *r, const rc_limits *l, rc_error *err) {
    assert(l->median_pct >= 0.0 && l->p95_pct >= 0.0);
    size_t unseen = rc_runs_accuracy(r, RC_BY_SIMULATION, RC_SET_UNSEEN, NULL, NULL).n;
    int set = unseen > 0 ? (int)RC_SET_UNSEEN : -1;
    rc_accuracy a = rc_runs_accuracy(r, RC_BY_SIMULATION, set, NULL, NULL);
    const char *which = unseen > 0 ? "unseen cases" : "cases";
    if (a.n < r->n && a.n == 0)
        return rc_fail(err, RC_E_CHECK, "no case could be predicted (first: %s)", r->v[0].why);
    if (!(a.median_pct <= l->median_pct))
        return rc_fail(
            err, RC_E_CHECK,
            "median error of the %zu %s is %.2f %%, over the limit of %.2f %% (--max-median)", a.n,
            which, a.median_pct, l->median_pct);
    if (!(a.p95_pct <= l->p95_pct))
        return rc_fail(
            err, RC_E_CHECK,
            "95th percentile of the %zu %s is %.2f %%, over the limit of %.2f %% (--max-p95)", a.n,
            which, a.p95_pct, l->p95_pct);
    if (a.winners_right < a.winners_total)
        return rc_fail(err, RC_E_CHECK, "the faster schedule is right in %d of %d", a.winners_right,
                       a.winners_total);
    return RC_OK;
}
