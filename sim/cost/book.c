/* Building the book: points in order, cut into series, each with its curve.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/book.h"

#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rc_status no_memory(rc_error *err) {
    return rc_fail(err, RC_E_NOMEM, "out of memory for the cost series");
}

/* Algorithms switch in GEMM libraries and collectives, and a time may really fall. */
static bool must_rise(rc_op op) {
    return op != OP_GEMM && !rc_op_moves(op);
}

static rc_status copy_points(rc_book *b, const rc_point *p, rc_series *s, rc_error *err) {
    double *x = rc_arena_alloc(b->arena, s->n * sizeof *x);
    double *y = rc_arena_alloc(b->arena, s->n * sizeof *y);
    double *spread = rc_arena_alloc(b->arena, s->n * sizeof *spread);
    rc_basis *basis = rc_arena_alloc(b->arena, s->n * sizeof *basis);
    size_t *work = rc_arena_alloc(b->arena, s->n * sizeof *work);
    if (x == NULL || y == NULL || spread == NULL || basis == NULL || work == NULL)
        return no_memory(err);
    for (size_t i = 0; i < s->n; i++) {
        x[i] = p[i].x;
        y[i] = p[i].y;
        spread[i] = p[i].spread;
        basis[i] = p[i].basis;
    }
    if (must_rise(s->op))
        rc_isotonic(y, s->n, work);
    s->x = x, s->y = y, s->spread = spread, s->basis = basis;
    return RC_OK;
}

static rc_status start_curve(rc_series *s, rc_error *err) {
    if (s->n < 3 || s->op == OP_PREFIX) /* corrections are interpolated straight */
        return RC_OK;
    s->interp = gsl_interp_alloc(gsl_interp_steffen, s->n);
    if (s->interp == NULL)
        return no_memory(err);
    if (gsl_interp_init(s->interp, s->x, s->y, s->n) != GSL_SUCCESS)
        return rc_fail(err, RC_E_INTERNAL, "a cost series of %s is not in order",
                       rc_op_name(s->op));
    return RC_OK;
}

static rc_status add_series(rc_book *b, const rc_point *p, size_t n, rc_error *err) {
    rc_series *s = &b->series[b->count++];
    *s = (rc_series){.op = p->op,
                     .machine = p->machine,
                     .gpu = p->gpu,
                     .variant = p->variant,
                     .dtype = p->dtype,
                     .n = n};
    memcpy(s->k, p->k, sizeof s->k);
    RC_TRY(copy_points(b, p, s, err));
    return start_curve(s, err);
}

static rc_status cut(rc_book *b, const rc_point *p, size_t n, rc_error *err) {
    b->series = calloc(n + 1, sizeof *b->series);
    if (b->series == NULL)
        return no_memory(err);
    for (size_t i = 0, end = 0; i < n; i = end) {
        for (end = i + 1; end < n && rc_point_series_order(&p[i], &p[end]) == 0;)
            end++;
        RC_TRY(add_series(b, &p[i], end - i, err));
    }
    for (size_t i = 0, op = 0; op <= OP_COUNT; op++) {
        while (i < b->count && (size_t)b->series[i].op < op)
            i++;
        b->first[op] = i;
    }
    return RC_OK;
}

/* A grid is evaluated on the stack: say so here rather than overrun there. */
static rc_status check_grids(const rc_book *b, rc_error *err) {
    for (size_t i = 0, run = 0; i < b->count; i++) {
        const rc_series *s = &b->series[i];
        bool same = i > 0 && s[-1].op == s->op && s[-1].k[0] == s->k[0] && s[-1].k[1] == s->k[1];
        if (s->op == OP_MERGE) /* the outer axis is the first key */
            same = i > 0 && s[-1].op == s->op;
        run = same ? run + 1 : 1;
        if (run > RC_GRID_MAX)
            return rc_fail(err, RC_E_SCHEMA,
                           "the store has more than %d series of %s on machine %s", RC_GRID_MAX,
                           rc_op_name(s->op), s->machine);
    }
    return RC_OK;
}

/* Prefix series hold log(measured / model), see attention.c. */
static void correct_prefixes(rc_book *b) {
    for (size_t i = b->first[OP_PREFIX]; i < b->first[OP_PREFIX + 1]; i++) {
        rc_series *s = &b->series[i];
        double tq = (double)s->k[2], *y = (double *)(uintptr_t)s->y; /* ours, still being built */
        for (size_t j = 0; j < s->n; j++) {
            rc_probe p;
            double prefix = tq * (exp(s->x[j]) - 1.0);
            bool known = rc_prefix_model(b, tq, prefix, (int)s->k[0], (int)s->k[1], &p);
            y[j] = known ? y[j] - p.y : 0.0;
        }
    }
}

rc_status rc_book_build(const rc_rows *rows, const rc_selection *of, rc_book **out, rc_error *err) {
    rc_book *b = calloc(1, sizeof *b);
    rc_point *p = NULL;
    size_t n = 0;
    if (b == NULL)
        return no_memory(err);
    /* GSL's own handler aborts; every call here checks what it returns. Process-wide, and harmless.
     */
    (void)gsl_set_error_handler_off();
    b->arena = rc_arena_create();
    (void)snprintf(b->base, sizeof b->base, "%s", of->base);
    (void)snprintf(b->state, sizeof b->state, "%s", of->state);
    rc_status st = b->arena != NULL ? RC_OK : no_memory(err);
    if (st == RC_OK)
        st = rc_points_of(rows, of, &p, &n, err);
    if (st == RC_OK)
        st = rc_points_settle(p, &n, err);
    if (st == RC_OK)
        st = cut(b, p, n, err);
    if (st == RC_OK)
        st = check_grids(b, err);
    free(p);
    if (st != RC_OK) {
        rc_book_free(b);
        return st;
    }
    correct_prefixes(b);
    *out = b;
    return RC_OK;
}

void rc_book_free(rc_book *b) {
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->count; i++)
        gsl_interp_free(b->series[i].interp);
    free(b->series);
    rc_arena_destroy(b->arena);
    free(b);
}
