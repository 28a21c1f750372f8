/* Opening costs: the book of a base and a clock state, built in or built from a store's rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/costs.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/builtin.h"
#include "sim/cost/class_errors.h"
#include "sim/cost/sources.h"

/* How far off answers are between rows goes by the op and how far the rows are, not by whose rows
 * they are: a part that came with the program has learnt it from many. Another learns from its own,
 * which takes seconds. */
static rc_status know_errors(rc_costs *c, const rc_rows *rows, rc_error *err) {
    const rc_book *known = rc_builtin_book(c->m.base, c->m.state);
    if (known == NULL)
        return rc_book_learn(c->built, rows, RC_LEARN_SOON, err);
    rc_built_book_set_errors(c->built, &known->errors);
    return RC_OK;
}

static rc_status build(const char *store, rc_costs *c, rc_error *err) {
    rc_rows *rows = NULL, *mixed = NULL;
    RC_TRY(rc_store_rows(store, NULL, &rows, err));
    rc_status st = RC_OK;
    if (rc_machine_has_sources(&c->m)) {
        st = rc_rows_by_source(rows, &c->m, &mixed, err);
        rc_rows_free(rows);
        rows = mixed;
    }
    if (st == RC_OK)
        st = ((c->m.without & RC_WAVES) ? rc_book_build_smooth : rc_book_build)(
            rows, c->m.base, c->m.state, &c->built, err);
    if (st == RC_OK)
        st = know_errors(c, rows, err);
    if (st == RC_OK)
        c->beside = rc_beside_of(rows, &c->m);
    rc_rows_free(rows);
    if (st == RC_OK)
        c->book = rc_built_book_of(c->built);
    return st;
}

rc_status rc_costs_open(const char *store, const rc_machine *m, rc_costs **out, rc_error *err) {
    assert(m != NULL && out != NULL);
    rc_costs *c = calloc(1, sizeof *c);
    if (c == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the costs");
    c->m = *m;
    c->pace.clock = 1.0;
    if (store == NULL && !rc_machine_has_sources(m) && !(m->without & RC_WAVES))
        c->book = rc_builtin_book(m->base, m->state);
    rc_status st = c->book == NULL ? build(store, c, err) : RC_OK;
    if (st != RC_OK) {
        rc_costs_close(c);
        return st;
    }
    *out = c;
    return RC_OK;
}

void rc_costs_close(rc_costs *c) {
    if (c == NULL)
        return;
    rc_built_book_free(c->built);
    free(c);
}

rc_status rc_costs_view(const rc_costs *c, const rc_machine *m, rc_costs **out, rc_error *err) {
    assert(c != NULL && m != NULL && out != NULL);
    if (strcmp(m->base, c->book->base) != 0 || strcmp(m->state, c->book->state) != 0)
        return rc_fail(err, RC_E_INPUT,
                       "machine '%s' rests on '%s' (%s); these costs are of '%s' (%s)", m->name,
                       m->base, m->state, c->book->base, c->book->state);
    if (!rc_machine_same_rows(m, &c->m))
        return rc_fail(err, RC_E_INPUT,
                       "machine '%s' takes rows of single ops (calibration.costs) from elsewhere "
                       "than these costs of '%s'",
                       m->name, c->m.name);
    rc_costs *v = calloc(1, sizeof *v);
    if (v == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the costs");
    v->m = *m;
    v->book = c->book;
    v->beside = c->beside;
    v->pace = c->pace;
    *out = v;
    return RC_OK;
}

rc_status rc_costs_view_over(const rc_costs *c, const rc_machine *m, const rc_rows *rows,
                             rc_costs **out, rc_error *err) {
    assert(rows != NULL);
    RC_TRY(rc_costs_view(c, m, out, err));
    (*out)->beside = rc_beside_of(rows, m);
    return RC_OK;
}

rc_status rc_costs_listen(const rc_costs *c, rc_asks *a, rc_costs **out, rc_error *err) {
    assert(a != NULL);
    RC_TRY(rc_costs_view(c, &c->m, out, err));
    (*out)->asks = a;
    return RC_OK;
}

static int ascending(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* What rows of an op say of themselves; 0 when there are none. */
static double usual_spread(const rc_book *b, rc_op op) {
    enum { MOST = 1024 };
    double all[MOST] = {0.0};
    size_t n, kept = 0;
    const rc_grid *g = rc_book_grids(b, op, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < g[i].curves.n; s++)
            for (size_t k = 0; k < g[i].curves.series[s].n && kept < MOST; k++)
                if (g[i].curves.series[s].knot[k].basis == RC_MEASURED)
                    all[kept++] = g[i].curves.series[s].knot[k].spread;
    if (kept == 0)
        return 0.0;
    qsort(all, kept, sizeof *all, ascending);
    return all[kept / 2];
}

double rc_ask_measured_spread(const rc_costs *c, const rc_ask *ask) {
    assert(c != NULL && ask != NULL);
    const rc_machine *m = &c->m;
    bool link = rc_op_info_of(ask->op)->bound == RC_BOUND_LINK;
    bool base = m->gemm_ratio == 1.0 && m->attention_ratio == 1.0 && m->hbm_ratio == 1.0;
    double spread = usual_spread(c->book, ask->op);
    return base || link ? spread : hypot(spread, m->ratio_spread);
}

const rc_power *rc_costs_power(const rc_costs *c) {
    assert(c != NULL);
    return c->book->power.known ? &c->book->power : NULL;
}

const rc_power *rc_costs_cards(const rc_costs *c, int *count) {
    assert(c != NULL && count != NULL);
    *count = c->book->card_count;
    return c->book->cards;
}

double rc_costs_power_limit(const rc_costs *c, const rc_power *p) {
    assert(c != NULL && p != NULL);
    double watts = c->m.from_rest ? p->from_rest : p->limit;
    return c->m.file_power > 0.0 ? watts * c->m.power / c->m.file_power : watts;
}

rc_status rc_costs_at_pace(const rc_costs *c, rc_pace pace, rc_costs **out, rc_error *err) {
    assert(pace.clock > 0.0 && pace.clock <= 1.0);
    RC_TRY(rc_costs_view(c, &c->m, out, err));
    (*out)->pace = pace;
    (*out)->root = rc_costs_root(c);
    (*out)->asks = c->asks;
    return RC_OK;
}

rc_pace rc_costs_pace(const rc_costs *c) {
    const rc_pace usual = {c->pace.clock, rc_costs_power(c)};
    return c->pace.power != NULL ? c->pace : usual;
}

const rc_costs *rc_costs_root(const rc_costs *c) {
    return c->root != NULL ? c->root : c;
}

const rc_machine *rc_costs_machine(const rc_costs *c) {
    assert(c != NULL);
    return &c->m;
}

double rc_cost_eager_gap(const rc_costs *c, rc_launched kind) {
    assert(c != NULL && kind < RC_LAUNCHED_KINDS);
    return c->m.eager_gap > 0.0 ? c->m.eager_gap : c->book->gaps.eager[kind];
}

rc_beside rc_cost_beside(const rc_costs *c) {
    assert(c != NULL);
    const rc_beside nothing = {.known = false};
    return (c->m.without & RC_CONTENTION) ? nothing : c->beside;
}
