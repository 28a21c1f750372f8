/* What all rules of look-up end with: a time found on the base becomes a cost of the machine.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "sim/cost/carry.h"
#include "sim/cost/costs.h"

rc_status rc_answer(const rc_costs *c, const rc_asked *a, const rc_probe *found, rc_cost *out,
                    rc_error *err) {
    rc_nearness near;
    rc_probe p = *found;
    rc_nearness_of(c->book, a->rows, a->d, a->at, found->basis, &near);
    double own = rc_class_spread(&c->book->errors, a->rows, a->d, &near);
    p.spread = hypot(found->spread, own);
    return rc_answer_own(c, a, &p, own, out, err);
}

rc_status rc_answer_own(const rc_costs *c, const rc_asked *a, const rc_probe *found, double own,
                        rc_cost *out, rc_error *err) {
    RC_TRY(rc_carry(&c->m, found, a->op, a->d, a->at, out, err));
    out->own = own;
    return c->asks == NULL ? RC_OK : rc_asks_hear(c->asks, a->rows, a->d, a->at, "", out, err);
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
