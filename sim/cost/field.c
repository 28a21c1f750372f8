/* Look-ups in fields.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/field.h"

#include <assert.h>
#include <math.h>

static const double NEAR = 0.005; /* of a row, in scales: there the row itself counts */

void rc_field_place(const rc_field *f, const rc_plan_call *c, double at[RC_FIELD_AXES]) {
    assert(f != NULL && c != NULL && at != NULL);
    double batch = (double)c->sequences, hq = (double)c->hq, hkv = (double)c->hkv;
    double tq = (double)c->tq, tk = (double)c->tk;
    at[0] = f->kind.decode ? log(batch) : log(tq * batch * hq);
    at[1] = log(tk);
    at[2] = log(hkv);
    at[3] = log(hq);
    at[4] = c->causal ? 0.5 + 0.5 * tq / tk : 0.0;
    for (int i = 0; i < RC_FIELD_AXES; i++)
        at[i] /= f->scale[i];
}

static inline double covariance(double d, double r2) {
    double e = 1.0 - d;
    return e * e * e * (3.0 * d + 1.0) / (1.0 + r2);
}

static inline double square(double x) {
    return x * x;
}

size_t rc_first_at(const double *places, size_t n, double x) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t middle = (lo + hi) / 2;
        if (places[middle] < x)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

double rc_field_covariance(const double x[RC_FIELD_AXES], const double y[RC_FIELD_AXES]) {
    double d = fabs(x[0] - y[0]);
    double r2 =
        square(x[1] - y[1]) + square(x[2] - y[2]) + square(x[3] - y[3]) + square(x[4] - y[4]);
    return d < 1.0 ? covariance(d, r2) : 0.0;
}

/* Weights of rows [from, from + n) times their covariances with a place. Without a sum in it the loop is
 * one of vectors. */
static void weigh(const rc_field *f, const double at[RC_FIELD_AXES], size_t from, size_t n,
                  double *restrict part) {
    const double *a = f->at[0] + from, *b = f->at[1] + from, *c = f->at[2] + from;
    const double *d = f->at[3] + from, *e = f->at[4] + from, *w = f->weight + from;
    for (size_t i = 0; i < n; i++) {
        double d0 = fabs(at[0] - a[i]);
        double r2 = square(at[1] - b[i]) + square(at[2] - c[i]) + square(at[3] - d[i]) +
                    square(at[4] - e[i]);
        part[i] = w[i] * covariance(d0, r2);
    }
}

/* What noise left at a row, where the place is next to it. */
static double left_at(const rc_field *f, const double at[RC_FIELD_AXES], size_t i) {
    double r2 = 0.0;
    for (int k = 1; k < RC_FIELD_AXES; k++)
        r2 += square(at[k] - f->at[k][i]);
    if (fabs(at[0] - f->at[0][i]) + r2 >= NEAR)
        return 0.0;
    double d = fabs(at[0] - f->at[0][i]) + sqrt(r2);
    return f->noise * f->weight[i] * square(fmax(1.0 - d / NEAR, 0.0));
}

/* The parts of rows [from, end), added in their order; with `near`, what noise left at them, too. */
static double add_rows(const rc_field *f, const double at[RC_FIELD_AXES], size_t from, size_t end,
                       bool near, double sum) {
    enum { CHUNK = 64 };
    double part[CHUNK];
    for (; from < end; from += CHUNK) {
        size_t n = end - from < CHUNK ? end - from : CHUNK;
        weigh(f, at, from, n, part);
        for (size_t i = 0; i < n; i++) {
            sum += part[i];
            if (near)
                sum += left_at(f, at, from + i);
        }
    }
    return sum;
}

/* Rows ascend along the first axis: those that the place may be next to lie together. */
static double residual(const rc_field *f, const double at[RC_FIELD_AXES]) {
    const size_t first = rc_first_at(f->at[0], f->n, at[0] - 1.0);
    const size_t end = rc_first_at(f->at[0], f->n, at[0] + 1.0);
    const size_t near = rc_first_at(f->at[0], f->n, at[0] - NEAR);
    const size_t beyond = rc_first_at(f->at[0], f->n, at[0] + NEAR);
    double sum = add_rows(f, at, first, near, false, 0.0);
    sum = add_rows(f, at, near, beyond, true, sum);
    return add_rows(f, at, beyond, end, false, sum);
}

double rc_field_time(const rc_field *f, const rc_plan_call *call) {
    double at[RC_FIELD_AXES];
    rc_tile_plan plan;
    rc_plan_of(&f->kind, call, &plan);
    rc_field_place(f, call, at);
    return rc_plan_time(&plan, f->constants, f->longest) + residual(f, at);
}
