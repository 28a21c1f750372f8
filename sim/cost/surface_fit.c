/* Building surfaces: rows in order of kernels and places, the constants of each kernel's plan, what it
 * leaves of the rows, and how far off answers are without a row.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/surface_fit.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/quantile.h"
#include "sim/cost/constants_fit.h"
#include "sim/cost/points.h"

/* Half-widths of a normal distribution, in standard deviations: p10..p90 and p5..p95. */
static const double Z_80 = 1.2815515655446004, Z_90 = 1.6448536269514722;
static const double COVERED = 0.9;
static const double RIDGE = 0.02;    /* that a few rows outweigh */
static const double UNKNOWN = 0.1;   /* stated: the least error where too few rows tell */
enum { LEFT_OUT = 128, FEWEST = 8 }; /* rows that are left out; rows that a surface learns from */

typedef struct entry {
    const rc_row *row;
    rc_op op;
    rc_dtype dtype;
    rc_basis basis;
    int64_t ranks;
    bool own_state;
    rc_call_plan plan; /* its place over the scales */
    double y;          /* log seconds; later what the plan leaves of it */
} entry;

/* ---- rows ------------------------------------------------------------------------------------ */

static bool entry_of(const rc_row *r, const char *base, const char *state, entry *out) {
    rc_axes at;
    memset(out, 0, sizeof *out);
    out->op = rc_row_op(r, &at);
    bool measured = strcmp(r->source, "measured") == 0;
    out->basis = measured                                 ? RC_MEASURED
                 : strncmp(r->source, "modelled", 8) == 0 ? RC_MODELLED
                                                          : RC_PUBLISHED;
    if (strcmp(r->machine, base) != 0 || out->op >= rc_op_count() ||
        !rc_row_type(r, out->op, &out->dtype))
        return false;
    const rc_call_kind *kind = rc_call_kind_of(out->op, out->dtype, out->basis);
    if (kind == NULL)
        return false;
    const rc_op_info *info = rc_op_info_of(out->op);
    for (int i = 0; i < RC_COLUMNS; i++)
        if (info->column[i] != RC_AXIS_NONE && at.at[info->column[i]] < 1 &&
            !rc_axis_may_be_zero(info->column[i]))
            return false;
    out->row = r;
    out->own_state = !measured || strcmp(r->state, state) == 0;
    out->ranks = at.at[RC_AXIS_RANKS];
    out->y = log(r->p50);
    rc_call_scaled(kind, &at, out->dtype, &out->plan);
    bool sound = isfinite(out->y);
    for (int k = 0; k < RC_CALL_AXES; k++)
        sound = sound && isfinite(out->plan.at[k]);
    return sound;
}

static int order(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int by_kernel(const entry *x, const entry *y) {
    int o = order(x->op, y->op);
    o = o != 0 ? o : order(x->dtype, y->dtype);
    o = o != 0 ? o : order(x->basis, y->basis);
    o = o != 0 ? o : strcmp(x->row->variant, y->row->variant);
    o = o != 0 ? o : order(x->row->head_k, y->row->head_k);
    o = o != 0 ? o : order(x->row->head_v, y->row->head_v);
    return o != 0 ? o : order(x->ranks, y->ranks);
}

static int by_place(const entry *x, const entry *y) {
    for (int k = 0; k < RC_CALL_AXES; k++)
        if (x->plan.at[k] != y->plan.at[k])
            return x->plan.at[k] < y->plan.at[k] ? -1 : 1;
    return 0;
}

/* Of rows of one place the one of the state asked for comes first, then the earlier one. */
static int by_all(const void *a, const void *b) {
    const entry *x = a, *y = b;
    int o = by_kernel(x, y);
    o = o != 0 ? o : by_place(x, y);
    o = o != 0 ? o : order(y->own_state, x->own_state);
    return o != 0 ? o : (x->row > y->row) - (x->row < y->row);
}

static size_t entries_of(const rc_rows *rows, const char *base, const char *state, entry *e) {
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < rc_rows_count(rows); i++)
        n += entry_of(rc_rows_at(rows, i), base, state, &e[n]) ? 1 : 0;
    qsort(e, n, sizeof *e, by_all);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_kernel(&e[kept - 1], &e[i]) != 0 || by_place(&e[kept - 1], &e[i]) != 0)
            e[kept++] = e[i];
    return kept;
}

/* ---- one surface ----------------------------------------------------------------------------- */

typedef struct fit {
    const entry *e;
} fit;

static void to_constants(const void *of, const double *theta, double *c) {
    (void)of;
    for (int i = 0; i < RC_CALL_CONSTANTS; i++)
        c[i] = exp(theta[i]);
}

static double off(const void *of, size_t i, const double *c) {
    const entry *e = &((const fit *)of)->e[i];
    return e->y - rc_call_time(&e->plan, c);
}

static void fit_constants(const entry *e, size_t n, rc_surface *s) {
    const rc_call_kind *kind = rc_call_kind_of(s->op, s->dtype, s->basis);
    const fit f = {e};
    rc_constants_fit how = {
        .of = &f, .n = n, .constants = RC_CALL_CONSTANTS, .plan = to_constants, .off = off};
    double theta[RC_FIT_CONSTANTS] = {0.0};
    for (int i = 0; i < RC_CALL_CONSTANTS; i++) {
        theta[i] = log(kind->start[i]);
        how.ridge[i] = RIDGE;
    }
    rc_fit_constants(&how, theta);
    to_constants(&f, theta, s->constants);
}

/* The spread, at a variance of 1, with which p5..p95 hold nine of ten rows that are left out. */
static double learn(const rc_surface *s) {
    double need[LEFT_OUT];
    size_t count = s->n < LEFT_OUT ? s->n : LEFT_OUT, n = 0;
    for (size_t i = 0; i < count; i++) {
        rc_surface_answer a;
        rc_surface_without(s, i * s->n / count, &a);
        double least = a.y * Z_80 / Z_90;
        if (a.variance > 0.0)
            need[n++] = least * least / a.variance;
    }
    if (n < FEWEST)
        return UNKNOWN;
    rc_sort(need, n);
    return sqrt(rc_quantile(need, n, rc_least(COVERED * (double)(n + 1) / (double)n, 1.0)));
}

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the cost surfaces");
}

static rc_status build(const entry *e, size_t n, rc_arena *arena, rc_surface *s, rc_error *err) {
    *s = (rc_surface){.op = e->op,
                      .dtype = e->dtype,
                      .basis = e->basis,
                      .ranks = e->ranks,
                      .head_k = e->row->head_k,
                      .head_v = e->row->head_v,
                      .n = n};
    double *room = rc_arena_alloc(arena, (RC_CALL_AXES + 1) * n * sizeof *room);
    s->variant = rc_arena_strdup(arena, e->row->variant);
    if (room == NULL || s->variant == NULL)
        return no_memory(err);
    fit_constants(e, n, s);
    for (int k = 0; k < RC_CALL_AXES; k++) {
        s->at[k] = room + (size_t)k * n;
        for (size_t i = 0; i < n; i++)
            room[(size_t)k * n + i] = e[i].plan.at[k];
    }
    s->rest = room + RC_CALL_AXES * n;
    for (size_t i = 0; i < n; i++)
        room[RC_CALL_AXES * n + i] = e[i].y - rc_call_time(&e[i].plan, s->constants);
    s->error = learn(s);
    return RC_OK;
}

/* ---- all of them ------------------------------------------------------------------------------ */

static rc_status build_all(const entry *e, size_t n, rc_arena *arena, rc_surface **out,
                           size_t *count, rc_error *err) {
    size_t kernels = 0, end;
    for (size_t i = 0; i < n; i++)
        kernels += i == 0 || by_kernel(&e[i - 1], &e[i]) != 0 ? 1 : 0;
    *out = rc_arena_alloc(arena, (kernels + 1) * sizeof **out);
    if (*out == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && by_kernel(&e[i], &e[end]) == 0;)
            end++;
        RC_TRY(build(&e[i], end - i, arena, &(*out)[*count], err));
        ++*count;
    }
    return RC_OK;
}

rc_status rc_surfaces_of(const rc_rows *rows, const char *base, const char *state, rc_arena *arena,
                         rc_surface **out, size_t *count, rc_error *err) {
    assert(rows != NULL && base != NULL && state != NULL && arena != NULL);
    assert(out != NULL && count != NULL);
    *count = 0;
    entry *e = calloc(rc_rows_count(rows) + 1, sizeof *e);
    if (e == NULL)
        return no_memory(err);
    size_t n = entries_of(rows, base, state, e);
    rc_status st = build_all(e, n, arena, out, count, err);
    free(e);
    return st;
}
