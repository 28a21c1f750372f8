/* Look-ups in surfaces.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/surface.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "sim/cost/book.h"

enum { NEAR = RC_SURFACE_NEAR };
static const double AT_ROW = 0.005; /* of a row, in scales: there the row itself counts */
static const double EDGE = 0.3;     /* how fast noise grows towards the edge of the neighbourhood */

/* ---- which rows ------------------------------------------------------------------------------ */

typedef struct nearest {
    int n; /* rows found; one more than is used shows where the edge is */
    size_t row[NEAR + 1];
    double square[NEAR + 1]; /* of the distance, ascending */
} nearest;

static inline double square(double x) {
    return x * x;
}

static void offer(nearest *near, size_t row, double d2) {
    int at = near->n <= NEAR ? near->n++ : NEAR;
    for (; at > 0 && near->square[at - 1] > d2; at--) {
        near->square[at] = near->square[at - 1];
        near->row[at] = near->row[at - 1];
    }
    near->square[at] = d2;
    near->row[at] = row;
}

/* What a row's square has to be below to count. */
static inline double limit(const nearest *near) {
    return near->n <= NEAR ? INFINITY : near->square[NEAR];
}

/* Offers the row; whether a row beyond it along the first axis, `d` away there, may be nearer. */
static inline bool consider(const rc_surface *s, const double at[RC_CALL_AXES], size_t row,
                            size_t left, nearest *near) {
    const double most = limit(near), d = at[0] - s->at[0][row];
    double d2 = d * d;
    if (d2 >= most)
        return false;
    for (int k = 1; k < RC_CALL_AXES; k++)
        d2 += square(at[k] - s->at[k][row]);
    if (row != left && d2 < most)
        offer(near, row, d2);
    return true;
}

/* Outwards from the place along the first axis, until no row there can be nearer. */
static void find(const rc_surface *s, const double at[RC_CALL_AXES], size_t left, nearest *near) {
    size_t above = rc_first_at(s->at[0], s->n, at[0]), below = above;
    near->n = 0;
    for (bool up = true, down = true; up || down;) {
        up = up && above < s->n && consider(s, at, above++, left, near);
        down = down && below > 0 && consider(s, at, --below, left, near);
    }
}

/* ---- kriging --------------------------------------------------------------------------------- */

static double covariance(double d2) {
    double d = sqrt(d2);
    return (1.0 + d) * exp(-d);
}

/* The same of two rows. Calls that follow one another have most of their rows in common, so that a thread
 * remembers what it has worked out: of a number, whichever surface it came from. */
static double covariance_of_rows(double d2) {
    enum { SLOTS = 1024 };
    static _Thread_local struct {
        double d2, is; /* no covariance that is kept is 0, as that of an empty slot is */
    } known[SLOTS];
    uint64_t bits;
    memcpy(&bits, &d2, sizeof bits);
    const size_t slot = (size_t)((bits * UINT64_C(0x9e3779b97f4a7c15)) >> 54);
    if (known[slot].d2 != d2 || known[slot].is <= 0.0) {
        known[slot].d2 = d2;
        known[slot].is = covariance(d2);
    }
    return known[slot].is;
}

/* Rows among each other, with noise: the square of the edge is that of the first row not used, or a
 * little beyond the last where there are no others. */
static void among(const rc_surface *s, const nearest *near, int n, double noise,
                  double k[NEAR][NEAR]) {
    double edge = near->n > NEAR ? near->square[NEAR] : 1.2 * near->square[n - 1] + 1e-9;
    double place[RC_CALL_AXES][NEAR] = {{0.0}}, squares[NEAR];
    for (int axis = 0; axis < RC_CALL_AXES; axis++)
        for (int i = 0; i < n; i++)
            place[axis][i] = s->at[axis][near->row[i]];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++)
            squares[j] = square(place[0][i] - place[0][j]);
        for (int axis = 1; axis < RC_CALL_AXES; axis++)
            for (int j = 0; j < i; j++)
                squares[j] += square(place[axis][i] - place[axis][j]);
        for (int j = 0; j < i; j++)
            k[i][j] = covariance_of_rows(squares[j]);
        double inside = rc_most(1.0 - near->square[i] / rc_most(edge, 1e-12), 1e-3);
        k[i][i] = 1.0 + noise * (1.0 + EDGE * (1.0 / square(inside) - 1.0));
    }
}

/* The lower triangle of a positive definite matrix becomes its Cholesky factor: column by column, each
 * of which is taken out of all that follow, so that sums do not wait for one another. */
static void factor(double k[NEAR][NEAR], int n) {
    double column[NEAR];
    for (int l = 0; l < n; l++) {
        k[l][l] = sqrt(k[l][l]);
        for (int i = l + 1; i < n; i++) {
            const double times = column[i] = k[i][l] /= k[l][l];
            for (int j = l + 1; j <= i; j++)
                k[i][j] -= times * column[j];
        }
    }
}

/* x becomes L^-1 x, the first half of a solution: what is found is taken out of all that follow. */
static void forward(double k[NEAR][NEAR], int n, double *x) {
    for (int j = 0; j < n; j++) {
        const double found = x[j] /= k[j][j];
        for (int i = j + 1; i < n; i++)
            x[i] -= k[i][j] * found;
    }
}

/* x becomes L^-T x, the second half. */
static void backward(double k[NEAR][NEAR], int n, double *x) {
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++)
            x[i] -= k[j][i] * x[j];
        x[i] /= k[i][i];
    }
}

/* What noise leaves at the nearest row, as far as the place is that row. `weight` is L^-1 r and is
 * used up. */
static double left_at_row(double k[NEAR][NEAR], int n, double here, double noise, double *weight) {
    if (here <= 0.0)
        return 0.0;
    backward(k, n, weight);
    return here * noise * weight[0];
}

/* rest and variance at a place: with K = L L^T, k K^-1 r is the product of L^-1 k and L^-1 r. */
static void krige(const rc_surface *s, const double at[RC_CALL_AXES], size_t left, double noise,
                  rc_surface_answer *out) {
    nearest near;
    double k[NEAR][NEAR], weight[NEAR], towards[NEAR];
    find(s, at, left, &near);
    int n = near.n < NEAR ? near.n : NEAR;
    *out = (rc_surface_answer){.y = 0.0, .variance = 1.0};
    if (n <= 0)
        return;
    among(s, &near, n, noise, k);
    factor(k, n);
    for (int i = 0; i < n; i++) {
        towards[i] = covariance(near.square[i]);
        weight[i] = s->rest[near.row[i]];
    }
    forward(k, n, weight);
    forward(k, n, towards);
    for (int i = 0; i < n; i++) {
        out->y += towards[i] * weight[i];
        out->variance -= square(towards[i]);
    }
    double here = square(rc_most(1.0 - sqrt(near.square[0]) / AT_ROW, 0.0));
    out->y += left_at_row(k, n, here, noise, weight);
    out->variance = rc_most(out->variance, 0.0) * (1.0 - here);
}

/* ---- answers --------------------------------------------------------------------------------- */

void rc_surface_at(const rc_surface *s, const rc_axes *at, rc_surface_answer *out) {
    assert(s != NULL && at != NULL && out != NULL);
    const rc_call_kind *kind = rc_call_kind_of(s->op, s->dtype, s->basis);
    rc_call_plan p;
    rc_call_scaled(kind, at, s->dtype, &p);
    krige(s, p.at, s->n, kind->noise, out);
    out->y += rc_call_time(&p, s->constants);
}

void rc_surface_without(const rc_surface *s, size_t left, rc_surface_answer *out) {
    assert(s != NULL && left < s->n && out != NULL);
    double at[RC_CALL_AXES];
    for (int k = 0; k < RC_CALL_AXES; k++)
        at[k] = s->at[k][left];
    krige(s, at, left, rc_call_kind_of(s->op, s->dtype, s->basis)->noise, out);
    out->y -= s->rest[left];
}

/* How far the surface is from the call: what decides between surfaces. At least FAR_PUBLISHED for
 * rows that are not measured. */
static const double FAR_PUBLISHED = 0.5;
static double how_far(const rc_surface *s, const rc_surface_answer *a) {
    return s->basis == RC_MEASURED ? a->variance
                                   : FAR_PUBLISHED + (1.0 - FAR_PUBLISHED) * a->variance;
}

static bool is_of(const rc_surface *s, rc_op op, rc_dtype d, const char *variant) {
    bool blocks = d == RC_FP8_BLOCK && s->dtype == RC_FP8 && s->basis != RC_MEASURED &&
                  rc_op_info_of(op)->published_blocks;
    return s->op == op && (s->dtype == d || blocks) &&
           (variant == NULL || strcmp(s->variant, variant) == 0);
}

const rc_surface *rc_surface_near(const rc_book *b, rc_op op, rc_dtype d, const char *variant,
                                  const rc_axes *at, rc_surface_answer *out) {
    assert(b != NULL && at != NULL && out != NULL);
    const rc_surface *best = NULL;
    double least = INFINITY;
    for (int measured = 1; measured >= 0; measured--)
        for (const rc_surface *s = b->surfaces; s < b->surfaces + b->surface_count; s++) {
            rc_surface_answer a;
            if (!is_of(s, op, d, variant) || (s->basis == RC_MEASURED) != measured ||
                (!measured && least <= FAR_PUBLISHED))
                continue;
            rc_surface_at(s, at, &a);
            double far = how_far(s, &a);
            if (far < least) {
                least = far;
                best = s;
                *out = a;
            }
        }
    return best;
}
