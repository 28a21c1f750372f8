/* Learning how far off the answers of a book are where it has no rows.
 *
 * Points are left out one by one (between, beyond, the other clock state), with their curve
 * (across), and with all of their shape (other). The answer's own spread is that of the rows it was
 * made of; what has to be added to it so that p5..p95 holds the point is the point's need, and the
 * kind's spread is the 90th percentile of its needs at a reach of 1. Rows are left out in the clock
 * state that the book's curves are of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/class_errors.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "sim/base/quantile.h"
#include "sim/cost/leave_out.h"

enum { FEWEST = 5 }; /* points that a kind needs */

/* Half-widths of a normal distribution, in standard deviations: p10..p90 and p5..p95. */
static const double Z_80 = 1.2815515655446004, Z_90 = 1.6448536269514722;
static const double COVERED = 0.9;
/* Stated: what is taken at least where no row tells. */
static const double UNKNOWN = 0.1;

typedef struct kind {
    rc_op op;
    rc_error_class class;
    rc_how how;
} kind;

static bool is_of(const rc_left_out *x, const kind *k) {
    if (!x->answered || x->op != k->op ||
        rc_error_class_of(x->dtype, x->near.other_heads) != k->class)
        return false;
    for (int how = 0; how < RC_HOW_COUNT; how++)
        if ((x->near.reach[how] > 0.0) != (how == (int)k->how))
            return false;
    return true;
}

/* The square of the spread, at a reach of 1, that would just hold the point. */
static double need(const rc_left_out *x, rc_how how) {
    double off = log(x->cost.p50 / x->row->p50) * Z_80 / Z_90;
    double lacking = off * off - x->cost.spread * x->cost.spread;
    return rc_most(lacking, 0.0) / x->near.reach[how];
}

static void learn(const rc_left_out *all, size_t n, const kind *k, double *room, double *spread) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (is_of(&all[i], k))
            room[count++] = need(&all[i], k->how);
    if (count < FEWEST)
        return;
    rc_sort(room, count);
    /* A place among n + 1, as the next one would have: of few points nearly the largest. */
    double place = COVERED * (double)(count + 1) / (double)count;
    *spread = sqrt(rc_quantile(room, count, rc_least(place, 1.0)));
}

/* The points of one way of leaving out, for the kinds from `first` to before `end`. */
static rc_status learn_by(const rc_book *b, const rc_rows *rows, rc_left_out_by by, rc_how first,
                          rc_how end, size_t most, rc_class_errors *out, rc_error *err) {
    rc_machine m;
    rc_left_out *all = NULL;
    size_t n;
    rc_leaving how = {.by = by, .most = most, .curves = true};
    rc_machine_of_rows(b->base, rc_book_rows_state(b), &m);
    RC_TRY(rc_leave_out(rows, &m, &how, &all, &n, err));
    double *room = calloc(n + 1, sizeof *room);
    for (rc_op op = 0; room != NULL && op < rc_op_count(); op++)
        for (int c = 0; c < RC_ERROR_CLASSES; c++)
            for (int k = (int)first; k < (int)end; k++)
                learn(all, n, &(kind){op, (rc_error_class)c, (rc_how)k}, room,
                      &out->spread[op][c][k]);
    free(all);
    if (room == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu points", n);
    free(room);
    return RC_OK;
}

/* Kinds that no row told of. */
static void fill_in(double *spread) {
    double most = UNKNOWN;
    for (int how = 0; how < RC_HOW_STATE; how++)
        most = spread[how] > most ? spread[how] : most; /* NaN is not */
    for (int how = 0; how < RC_HOW_COUNT; how++)
        if (isnan(spread[how]))
            spread[how] = how == RC_HOW_BETWEEN || how == RC_HOW_STATE ? UNKNOWN : most;
}

rc_status rc_book_learn(rc_built_book *b, const rc_rows *rows, size_t most, rc_error *err) {
    assert(b != NULL && rows != NULL);
    assert(most >= FEWEST);
    const rc_book *book = rc_built_book_of(b);
    rc_class_errors e;
    for (rc_op op = 0; op < RC_OPS_MAX; op++)
        for (int i = 0; i < RC_ERROR_CLASSES * RC_HOW_COUNT; i++)
            e.spread[op][i / RC_HOW_COUNT][i % RC_HOW_COUNT] = NAN;
    RC_TRY(learn_by(book, rows, RC_LEFT_OUT_ROW, RC_HOW_BETWEEN, RC_HOW_ACROSS, most, &e, err));
    RC_TRY(learn_by(book, rows, RC_LEFT_OUT_LINE, RC_HOW_ACROSS, RC_HOW_OTHER, most, &e, err));
    RC_TRY(learn_by(book, rows, RC_LEFT_OUT_SHAPE, RC_HOW_OTHER, RC_HOW_STATE, most, &e, err));
    RC_TRY(learn_by(book, rows, RC_LEFT_OUT_STATE, RC_HOW_STATE, RC_HOW_COUNT, most, &e, err));
    for (rc_op op = 0; op < RC_OPS_MAX; op++)
        for (int c = 0; c < RC_ERROR_CLASSES; c++)
            fill_in(e.spread[op][c]);
    rc_built_book_set_errors(b, &e);
    return RC_OK;
}
