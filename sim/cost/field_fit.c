/* The constants of the plan (constants_fit.h), then the residual's weights.
 *
 * Constants are held near those of an H100 by a ridge that a few rows outweigh, but for the rate of a
 * CTA that streams alone: batches of equal lengths hardly show it, so rows cannot tell it, and it is
 * the chip's latency.
 *
 * Scales and noise of the residual are those of the greatest leave-one-out likelihood over the rows
 * of both Hopper parts (results/calibration), rounded; `ringcast calibration leave-out` shows what
 * they reach.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/field_fit.h"

#include <assert.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/decode_plan.h"
#include "sim/cost/constants_fit.h"

static const double ATTENTION_SCALE[RC_FIELD_AXES] = {1.3, 1.3, 5.0, 10.0, 3.0};
static const double ATTENTION_SIGMA = 0.11, ATTENTION_NOISE = 0.009;
static const double DECODE_SCALE[RC_FIELD_AXES] = {1.6, 6.0, 3.0, 6.0, 1.0};
static const double DECODE_SIGMA = 0.3, DECODE_NOISE = 0.006;

/* One row of a field. */
typedef struct row {
    rc_plan_call call;
    rc_tile_plan plan;
    double at[RC_FIELD_AXES];
    double y; /* log seconds; later what the plan leaves of it */
} row;

typedef struct fit {
    rc_field *field;
    row *rows;
    size_t n, constants;
    gsl_matrix *band;
    gsl_vector *weight;
} fit;

/* ---- rows ------------------------------------------------------------------------------------ */

bool rc_field_takes(rc_op op) {
    return op == RC_COST_FULL || op == RC_COST_SQUARE || op == RC_COST_PREFIX ||
           op == RC_COST_DECODE;
}

static rc_plan_kind kind_of(const rc_cost_point *p) {
    return (rc_plan_kind){.decode = p->op == RC_COST_DECODE,
                          .element = rc_dtype_bytes(p->dtype),
                          .head_k = p->fixed.at[RC_AXIS_HEAD_K],
                          .head_v = p->fixed.at[RC_AXIS_HEAD_V],
                          .window = p->fixed.at[RC_AXIS_WINDOW]};
}

static bool same_field(const rc_cost_point *x, const rc_cost_point *y) {
    rc_plan_kind a = kind_of(x), b = kind_of(y);
    return a.decode == b.decode && x->dtype == y->dtype && a.head_k == b.head_k &&
           a.head_v == b.head_v && a.window == b.window;
}

static rc_plan_call call_of(const rc_cost_point *p) {
    const rc_axes *at = &p->fixed;
    rc_plan_call c = {.sequences = 1,
                      .hq = at->at[RC_AXIS_QUERY_HEADS],
                      .hkv = at->at[RC_AXIS_KV_HEADS],
                      .causal = p->op != RC_COST_FULL,
                      .version = p->version > 0 ? p->version : RC_DECODE_VERSION};
    c.tq = p->op == RC_COST_SQUARE ? llround(exp(p->x)) : at->at[RC_AXIS_QUERIES];
    c.tk = p->op == RC_COST_PREFIX ? llround((double)c.tq * exp(p->x)) : llround(exp(p->x));
    if (p->op == RC_COST_DECODE) {
        c.tq = 1;
        c.causal = false;
        c.sequences = at->at[RC_AXIS_BATCH];
    }
    c.longest = c.tk;
    return c;
}

static int by_place(const void *a, const void *b) {
    const row *x = a, *y = b;
    for (int i = 0; i < RC_FIELD_AXES; i++)
        if (x->at[i] != y->at[i])
            return x->at[i] < y->at[i] ? -1 : 1;
    return 0;
}

/* ---- constants of the plan ------------------------------------------------------------------- */

/* The last constant of attention, the drift, is not a log. */
static void to_constants(const void *of, const double *theta, double *c) {
    const fit *f = of;
    for (size_t i = 0; i < RC_PLAN_CONSTANTS; i++)
        c[i] = i >= f->constants ? 0.0 : i == 7 ? theta[i] : exp(theta[i]);
}

static double off(const void *of, size_t i, const double *c) {
    const fit *f = of;
    return f->rows[i].y - rc_plan_time(&f->rows[i].plan, c, f->field->longest);
}

static void fit_constants(fit *f) {
    const size_t stream = 4;
    double theta[RC_FIT_CONSTANTS];
    _Static_assert((int)RC_FIT_CONSTANTS == (int)RC_PLAN_CONSTANTS, "all constants can be fitted");
    f->constants = rc_plan_start(&f->field->kind, theta);
    rc_constants_fit how = {
        .of = f, .n = f->n, .constants = f->constants, .plan = to_constants, .off = off};
    for (size_t k = 0; k < RC_PLAN_CONSTANTS; k++) {
        theta[k] = k >= f->constants ? 0.0 : k == 7 ? theta[k] : log(theta[k]);
        how.ridge[k] = f->field->kind.decode && k == stream ? 20.0 : 0.02;
    }
    rc_fit_constants(&how, theta);
    to_constants(f, theta, f->field->constants);
}

/* ---- the residual ---------------------------------------------------------------------------- */

/* Rows ahead that the i-th is near to along the first axis. */
static size_t reach(const fit *f, size_t i) {
    size_t j = i;
    while (j + 1 < f->n && f->rows[j + 1].at[0] - f->rows[i].at[0] < 1.0)
        j++;
    return j - i;
}

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the cost fields");
}

/* Cholesky's factor in place of a banded matrix, as gsl_linalg_cholesky_band_decomp has it to the bit. That
 * takes the greatest reach for each row, most of which reach half as far; rows ascend along the axis,
 * so none fills in beyond its own reach. False where the matrix is not positive definite. */
static bool factor(fit *f) {
    for (size_t i = 0; i < f->n; i++) {
        double diagonal = gsl_matrix_get(f->band, i, 0);
        size_t ahead = reach(f, i);
        if (!(diagonal > 0.0))
            return false;
        gsl_matrix_set(f->band, i, 0, sqrt(diagonal));
        if (ahead == 0)
            continue;
        gsl_vector_view column = gsl_matrix_subrow(f->band, i, 1, ahead);
        gsl_matrix_view rest = gsl_matrix_view_array_with_tda(gsl_matrix_ptr(f->band, i + 1, 0),
                                                              ahead, ahead, f->band->tda - 1);
        gsl_vector_scale(&column.vector, 1.0 / sqrt(diagonal));
        gsl_blas_dsyr(CblasUpper, -1.0, &column.vector, &rest.matrix);
    }
    return true;
}

/* A banded matrix in GSL's form: row i holds the elements (i + k, i). */
static rc_status weigh(fit *f, rc_error *err) {
    size_t most = 0;
    for (size_t i = 0; i < f->n; i++)
        most = reach(f, i) > most ? reach(f, i) : most;
    f->band = gsl_matrix_calloc(f->n, most + 1);
    f->weight = gsl_vector_alloc(f->n);
    if (f->band == NULL || f->weight == NULL)
        return no_memory(err);
    for (size_t i = 0; i < f->n; i++) {
        size_t last = reach(f, i);
        for (size_t k = 0; k <= last; k++)
            gsl_matrix_set(f->band, i, k,
                           rc_field_covariance(f->rows[i].at, f->rows[i + k].at) +
                               (k == 0 ? f->field->noise : 0.0));
        gsl_vector_set(f->weight, i, f->rows[i].y);
    }
    if (!factor(f) || gsl_linalg_cholesky_band_svx(f->band, f->weight) != GSL_SUCCESS)
        return rc_fail(err, RC_E_INTERNAL, "the rows of a cost field contradict each other");
    return RC_OK;
}

static rc_status keep(fit *f, rc_arena *arena, rc_error *err) {
    double *room = rc_arena_alloc(arena, (RC_FIELD_AXES + 1) * f->n * sizeof *room);
    if (room == NULL)
        return no_memory(err);
    for (int k = 0; k < RC_FIELD_AXES; k++) {
        for (size_t i = 0; i < f->n; i++)
            room[(size_t)k * f->n + i] = f->rows[i].at[k];
        f->field->at[k] = room + (size_t)k * f->n;
    }
    for (size_t i = 0; i < f->n; i++)
        room[RC_FIELD_AXES * f->n + i] = gsl_vector_get(f->weight, i);
    f->field->weight = room + RC_FIELD_AXES * f->n;
    f->field->n = f->n;
    return RC_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void begin(rc_field *field, const rc_cost_point *p) {
    *field = (rc_field){.dtype = p->dtype, .kind = kind_of(p)};
    bool decode = field->kind.decode;
    double noise = decode ? DECODE_NOISE / DECODE_SIGMA : ATTENTION_NOISE / ATTENTION_SIGMA;
    field->noise = noise * noise;
    memcpy(field->scale, decode ? DECODE_SCALE : ATTENTION_SCALE, sizeof field->scale);
}

static void add(fit *f, const rc_cost_point *p) {
    row *r = &f->rows[f->n++];
    *r = (row){.call = call_of(p), .y = p->y};
    rc_plan_of(&f->field->kind, &r->call, &r->plan);
    rc_field_place(f->field, &r->call, r->at);
    f->field->version = r->call.version > f->field->version ? r->call.version : f->field->version;
    f->field->longest = rc_most(f->field->longest, exp(p->y));
}

static rc_status fit_field(fit *f, rc_arena *arena, rc_error *err) {
    qsort(f->rows, f->n, sizeof *f->rows, by_place);
    fit_constants(f);
    for (size_t i = 0; i < f->n; i++)
        f->rows[i].y = off(f, i, f->field->constants);
    RC_TRY(weigh(f, err));
    return keep(f, arena, err);
}

static void release(fit *f) {
    gsl_matrix_free(f->band);
    gsl_vector_free(f->weight);
    free(f->rows);
}

/* The field of p[first] and of all later points of its kind, which are marked. */
static rc_status build(const rc_cost_point *p, size_t n, size_t first, bool smooth, bool *done,
                       rc_arena *arena, rc_field *field, rc_error *err) {
    fit f = {.field = field};
    f.rows = calloc(n - first, sizeof *f.rows);
    if (f.rows == NULL)
        return no_memory(err);
    begin(field, &p[first]);
    field->kind.smooth = smooth;
    for (size_t i = first; i < n; i++) {
        if (done[i] || !rc_field_takes(p[i].op) || !same_field(&p[first], &p[i]))
            continue;
        done[i] = true;
        add(&f, &p[i]);
    }
    rc_status st = fit_field(&f, arena, err);
    release(&f);
    return st;
}

rc_status rc_fields_of(const rc_cost_point *p, size_t n, bool smooth, rc_arena *arena,
                       rc_field **out, size_t *count, rc_error *err) {
    assert((p != NULL || n == 0) && arena != NULL && out != NULL && count != NULL);
    size_t most = 0;
    *count = 0;
    for (size_t i = 0; i < n; i++)
        most += rc_field_takes(p[i].op) ? 1 : 0;
    bool *done = calloc(n + 1, sizeof *done);
    *out = rc_arena_alloc(arena, (most + 1) * sizeof **out);
    rc_status st = done != NULL && *out != NULL ? RC_OK : no_memory(err);
    for (size_t i = 0; i < n && st == RC_OK; i++)
        if (!done[i] && rc_field_takes(p[i].op))
            st = build(p, n, i, smooth, done, arena, &(*out)[(*count)++], err);
    free(done);
    return st;
}
