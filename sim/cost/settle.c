/* One point of each size, in the clock state asked for.
 *
 * Sustained times exist for few, large shapes only, for they cost minutes.
 *
 * 1. Points that exist in both states give log ratios (own / other) of their op and type: pairs.
 * 2. A point that exists only in the other state takes the mean of the ratios of its op, weighted
 *    by 1 / (0.01 + d^2)^2, d the distance in log axes: a near pair decides, and the ratio has no
 *    jumps, and the point counts as transferred. No pair of this op: the ratio is taken as 1, which
 *    nobody has measured, and the point counts as modelled.
 * 3. Of several rows of one point the best stays: measured before published, then the type of the
 *    elements, then the faster.
 * 4. A series with measured rows keeps published ones only outside their range. Of a transfer it
 *    keeps those between two points that both have measured, shifted by what the two differ at
 *    these: an algorithm or a protocol of NCCL changes within a factor of two, which coarser
 *    measured points do not show.
 *
 * Points are sorted first, so that the points of a curve, and the curves of an op, stand together.
 * What the fixed sizes add to a distance is then worked out once for a curve and a curve with
 * pairs, and a point is compared with the pairs of its own op alone.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/settle.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair {
    const rc_cost_point *at;
    double ratio;               /* log */
    double apart[RC_FIXED_MAX]; /* squared log distances of the fixed sizes to the curve at hand */
} pair;

static int by_curve_x_rank(const void *a, const void *b) {
    const rc_cost_point *x = a, *y = b;
    int o = rc_point_curve_order(x, y);
    if (o == 0)
        o = (x->x > y->x) - (x->x < y->x);
    if (o == 0)
        o = (int)y->own_state - (int)x->own_state;
    if (o == 0)
        o = (x->rank > y->rank) - (x->rank < y->rank);
    return o != 0 ? o : (x->y > y->y) - (x->y < y->y);
}

static bool same_point(const rc_cost_point *x, const rc_cost_point *y) {
    return x->x == y->x && rc_point_curve_order(x, y) == 0;
}

/* Pairs of the two states of one point; `p` is ordered, own state first. */
static size_t find_pairs(const rc_cost_point *p, size_t n, pair *pairs) {
    size_t count = 0, i = 0;
    while (i < n) {
        size_t end = i + 1;
        const rc_cost_point *other = NULL;
        for (; end < n && same_point(&p[i], &p[end]); end++) {
            if (!p[end].own_state && other == NULL)
                other = &p[end];
        }
        if (p[i].own_state && other != NULL)
            pairs[count++] = (pair){.at = &p[i], .ratio = p[i].y - other->y};
        i = end;
    }
    return count;
}

/* How far the curve of `p` is from those of the pairs: neighbours of one curve are as far. */
static void measure(const rc_cost_point *p, pair *pairs, size_t n) {
    const rc_axis *fixed = rc_op_info_of(p->op)->fixed;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && rc_point_curve_order(pairs[i - 1].at, pairs[i].at) == 0) {
            memcpy(pairs[i].apart, pairs[i - 1].apart, sizeof pairs[i].apart);
            continue;
        }
        for (int k = 0; fixed[k] != RC_AXIS_NONE; k++) {
            double d = log((1.0 + (double)p->fixed.at[fixed[k]]) /
                           (1.0 + (double)pairs[i].at->fixed.at[fixed[k]]));
            pairs[i].apart[k] = d * d;
        }
    }
}

/* Log ratio of the two states at a point whose curve has been measured. */
static double ratio_at(rc_cost_point *p, const pair *pairs, size_t n) {
    const rc_axis *fixed = rc_op_info_of(p->op)->fixed;
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].at->dtype != p->dtype)
            continue;
        double d = p->x - pairs[i].at->x, w = d * d;
        for (int k = 0; fixed[k] != RC_AXIS_NONE; k++)
            w += pairs[i].apart[k];
        w += 0.01;
        w = 1.0 / (w * w);
        sum += w * pairs[i].ratio;
        weight += w;
    }
    p->unpaired = !(weight > 0.0);
    return weight > 0.0 ? sum / weight : 0.0;
}

/* The points of one op and its pairs. ratios[i] is of p[i]. */
static void ratios_of_op(rc_cost_point *p, size_t n, pair *pairs, size_t count, double *ratios) {
    const rc_cost_point *measured = NULL;
    for (size_t i = 0; i < n; i++) {
        if (p[i].own_state)
            continue;
        if (measured == NULL || rc_point_curve_order(measured, &p[i]) != 0)
            measure(&p[i], pairs, count);
        measured = &p[i];
        ratios[i] = ratio_at(&p[i], pairs, count);
    }
}

static void ratios_of_all(rc_cost_point *p, size_t n, pair *pairs, size_t count, double *ratios) {
    for (size_t i = 0, k = 0; i < n;) {
        size_t end = i, last;
        while (end < n && p[end].op == p[i].op)
            end++;
        while (k < count && pairs[k].at->op < p[i].op)
            k++;
        for (last = k; last < count && pairs[last].at->op == p[i].op;)
            last++;
        ratios_of_op(&p[i], end - i, &pairs[k], last - k, &ratios[i]);
        i = end;
    }
}

static size_t keep_best(rc_cost_point *p, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !same_point(&p[kept - 1], &p[i]))
            p[kept++] = p[i];
    }
    return kept;
}

static bool of_others(const rc_cost_point *p) {
    return p->basis == RC_PUBLISHED || p->basis == RC_MODELLED;
}

/* Ends of the stretch between two points that both measured and published rows have. */
typedef struct twin {
    double x, shift; /* measured over published, log */
    bool there;
} twin;

/* The twin at p[*i], if there is one; *i goes on to the last row of the point. `measured`: the point
 * has a measured row. */
static twin twin_at(const rc_cost_point *p, size_t n, size_t *i, bool *measured) {
    const rc_cost_point *own = NULL, *others = NULL;
    size_t first = *i, k = first;
    for (; k < n && same_point(&p[first], &p[k]); k++) {
        if (of_others(&p[k]))
            others = others == NULL ? &p[k] : others;
        else
            own = own == NULL ? &p[k] : own;
    }
    *i = k - 1;
    *measured = own != NULL;
    bool both = own != NULL && others != NULL;
    return (twin){p[first].x, both ? own->y - others->y : 0.0, both};
}

/* Shifts the published points of one curve between two twins that follow each other. */
static void shift_between(rc_cost_point *p, size_t n) {
    twin last = {0.0, 0.0, false};
    size_t after = 0; /* the row behind the last twin */
    for (size_t i = 0; i < n; i++) {
        size_t first = i;
        bool measured;
        twin now = twin_at(p, n, &i, &measured);
        if (!measured)
            continue;
        for (size_t k = after; last.there && now.there && k < first; k++) {
            p[k].y += last.shift + (now.shift - last.shift) * (p[k].x - last.x) / (now.x - last.x);
            p[k].shifted = true;
        }
        last = now;
        after = i + 1;
    }
}

static void shift_transfers(rc_cost_point *p, size_t n) {
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && rc_point_curve_order(&p[i], &p[end]) == 0;)
            end++;
        if (rc_op_info_of(p[i].op)->bound == RC_BOUND_LINK)
            shift_between(&p[i], end - i);
    }
}

/* Where a series has measured points, drop published ones between them. */
static size_t keep_outside(rc_cost_point *p, size_t n) {
    size_t kept = 0, i = 0;
    while (i < n) {
        size_t end = i;
        double lo = INFINITY, hi = -INFINITY;
        for (; end < n && rc_point_curve_order(&p[i], &p[end]) == 0; end++) {
            if (of_others(&p[end]))
                continue;
            lo = fmin(lo, p[end].x);
            hi = fmax(hi, p[end].x);
        }
        for (; i < end; i++) {
            bool outside = p[i].x < lo || p[i].x > hi;
            if (outside || p[i].shifted || !of_others(&p[i]))
                p[kept++] = p[i];
        }
    }
    return kept;
}

rc_status rc_points_settle(rc_cost_point *p, size_t *n, rc_error *err) {
    assert(p != NULL && n != NULL);
    pair *pairs = malloc((*n + 1) * sizeof *pairs);
    double *ratios = calloc(*n + 1, sizeof *ratios);
    if (pairs == NULL || ratios == NULL) {
        free(pairs);
        free(ratios);
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cost rows", *n);
    }
    qsort(p, *n, sizeof *p, by_curve_x_rank);
    ratios_of_all(p, *n, pairs, find_pairs(p, *n, pairs), ratios);
    for (size_t i = 0; i < *n; i++) {
        p[i].y += ratios[i];
        if (!p[i].own_state)
            p[i].basis = rc_worse(p[i].basis, RC_TRANSFERRED);
    }
    free(pairs);
    free(ratios);
    shift_transfers(p, *n);
    *n = keep_outside(p, keep_best(p, *n));
    for (size_t i = 0; i < *n; i++)
        if (p[i].unpaired)
            p[i].basis = rc_worse(p[i].basis, RC_MODELLED);
    return RC_OK;
}
