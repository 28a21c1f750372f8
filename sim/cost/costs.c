/* Opening costs: the book of a base and a clock state, built in or built from a store's rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/costs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/builtin.h"
#include "sim/cost/carry.h"

static rc_status build(const char *store, rc_costs *c, rc_error *err) {
    rc_rows *rows = NULL;
    RC_TRY(rc_store_rows(store, NULL, &rows, err));
    rc_status st = rc_book_build(rows, c->m.base, c->m.state, &c->built, err);
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
    if (store == NULL)
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
    rc_costs *v = calloc(1, sizeof *v);
    if (v == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the costs");
    v->m = *m;
    v->book = c->book;
    *out = v;
    return RC_OK;
}

const rc_machine *rc_costs_machine(const rc_costs *c) {
    assert(c != NULL);
    return &c->m;
}

rc_status rc_answer(const rc_costs *c, const rc_asked *a, const rc_probe *found, rc_cost *out,
                    rc_error *err) {
    return rc_carry(&c->m, found, a->op, a->d, a->at, out, err);
}

rc_status rc_cost_nothing(rc_cost *out) {
    *out = (rc_cost){.p50 = 0.0, .spread = 0.0, .basis = RC_MEASURED};
    return RC_OK;
}

rc_status rc_cost_no_rows(const rc_costs *c, const char *what, rc_error *err) {
    return rc_fail(err, RC_E_INPUT,
                   "the calibration store has no rows of %s for machine '%s' (base of '%s')", what,
                   c->m.base, c->m.name);
}
