/* Settling points: one for each x of a series, in the clock state asked for.
 *
 * 1. Points that exist in both states give log ratios (own / other) of their op.
 * 2. A point that exists only in the other state takes the mean of the ratios of its op, weighted
 *    by 1 / (0.01 + d^2)^2, d the distance in log axes: a near pair decides, and the ratio has no
 *    jumps, and the point counts as transferred. No pair of this op: the ratio is taken as 1, which
 *    nobody has measured, and the point counts as modelled.
 * 3. Of several rows of one point the best stays: measured before published, then the type of the
 *    elements, then the faster.
 * 4. A series with measured rows keeps published ones only outside their range.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/book.h"

typedef struct pair {
    const rc_point *at;
    double ratio; /* log */
} pair;

static int by_series_x_rank(const void *a, const void *b) {
    const rc_point *x = a, *y = b;
    int o = rc_point_series_order(x, y);
    if (o == 0)
        o = (x->x > y->x) - (x->x < y->x);
    if (o == 0)
        o = (int)y->own_state - (int)x->own_state;
    if (o == 0)
        o = (x->rank > y->rank) - (x->rank < y->rank);
    return o != 0 ? o : (x->y > y->y) - (x->y < y->y);
}

static bool same_point(const rc_point *x, const rc_point *y) {
    return rc_point_series_order(x, y) == 0 && x->x == y->x;
}

static double distance2(const rc_point *x, const rc_point *y) {
    double d = x->x - y->x, sum = d * d;
    for (int i = 0; i < RC_KEYS; i++) {
        d = log((1.0 + (double)x->k[i]) / (1.0 + (double)y->k[i]));
        sum += d * d;
    }
    return sum;
}

/* Log ratio of the two states at a point. */
static double ratio_at(rc_point *p, const pair *pairs, size_t n) {
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].at->op != p->op || strcmp(pairs[i].at->dtype, p->dtype) != 0)
            continue;
        double w = 0.01 + distance2(p, pairs[i].at);
        w = 1.0 / (w * w);
        sum += w * pairs[i].ratio;
        weight += w;
    }
    p->unpaired = !(weight > 0.0);
    return weight > 0.0 ? sum / weight : 0.0;
}

/* Pairs of the two states of one point; `p` is ordered, own state first. */
static size_t find_pairs(const rc_point *p, size_t n, pair *pairs) {
    size_t count = 0, i = 0;
    while (i < n) {
        size_t end = i + 1;
        const rc_point *other = NULL;
        for (; end < n && same_point(&p[i], &p[end]); end++) {
            if (!p[end].own_state && other == NULL)
                other = &p[end];
        }
        if (p[i].own_state && other != NULL)
            pairs[count++] = (pair){&p[i], p[i].y - other->y};
        i = end;
    }
    return count;
}

static size_t keep_best(rc_point *p, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !same_point(&p[kept - 1], &p[i]))
            p[kept++] = p[i];
    }
    return kept;
}

/* Where a series has measured points, drop published ones between them. */
static size_t keep_outside(rc_point *p, size_t n) {
    size_t kept = 0, i = 0;
    while (i < n) {
        size_t end = i;
        double lo = INFINITY, hi = -INFINITY;
        for (; end < n && rc_point_series_order(&p[i], &p[end]) == 0; end++) {
            if (p[end].basis == RC_PUBLISHED || p[end].basis == RC_MODELLED)
                continue;
            lo = fmin(lo, p[end].x);
            hi = fmax(hi, p[end].x);
        }
        for (; i < end; i++) {
            bool outside = p[i].x < lo || p[i].x > hi;
            if (outside || (p[i].basis != RC_PUBLISHED && p[i].basis != RC_MODELLED))
                p[kept++] = p[i];
        }
    }
    return kept;
}

rc_status rc_points_settle(rc_point *p, size_t *n, rc_error *err) {
    pair *pairs = malloc((*n + 1) * sizeof *pairs);
    double *ratios = calloc(*n + 1, sizeof *ratios);
    if (pairs == NULL || ratios == NULL) {
        free(pairs);
        free(ratios);
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", *n);
    }
    qsort(p, *n, sizeof *p, by_series_x_rank);
    size_t count = find_pairs(p, *n, pairs);
    for (size_t i = 0; i < *n; i++)
        ratios[i] = p[i].own_state ? 0.0 : ratio_at(&p[i], pairs, count);
    for (size_t i = 0; i < *n; i++) {
        p[i].y += ratios[i];
        if (!p[i].own_state)
            p[i].basis = rc_worse(p[i].basis, RC_TRANSFERRED);
    }
    free(pairs);
    free(ratios);
    *n = keep_outside(p, keep_best(p, *n));
    for (size_t i = 0; i < *n; i++)
        if (p[i].unpaired)
            p[i].basis = rc_worse(p[i].basis, RC_MODELLED);
    return RC_OK;
}

void rc_isotonic(double *y, size_t n, size_t *work) {
    size_t stack[RC_GRID_MAX], *len = work != NULL ? work : stack, top = 0;
    double *mean = y; /* block means are stacked in place: top <= what was read */
    for (size_t i = 0; i < n; i++) {
        double m = y[i];
        size_t w = 1;
        while (top > 0 && mean[top - 1] > m) {
            top--;
            m = (m * (double)w + mean[top] * (double)len[top]) / (double)(w + len[top]);
            w += len[top];
        }
        mean[top] = m;
        len[top++] = w;
    }
    for (size_t i = n; top > 0;) {
        top--;
        double m = mean[top];
        for (size_t j = 0; j < len[top]; j++)
            y[--i] = m;
    }
}
