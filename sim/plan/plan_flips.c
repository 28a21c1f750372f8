/* What a plan rests on, and what flips it: one assumption is changed at a time and the simulated
 * configurations are played again, until the cheapest that then holds is known.
 *
 * Asked are those that the search simulated: first the best; where it still holds, the cheaper ones,
 * nearest to holding first; where it does not, the dearer ones by price. So an assumption costs some
 * few simulations, and what no search has looked at is not found.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/plan/plan_internal.h"

enum { CHEAPER = 3, DEARER = 8 }; /* configurations that are tried, at most */

#define OWN_STEP (-1.0) /* as the machine has it */

typedef struct assumption {
    const char *name;
    double growth, matrix, hbm, network, memory;
    double ring_step; /* s */
} assumption;

/* The spread of what was measured or carried over is of this order; a serving engine's host work in
 * a ring step was seen from nothing to 0.6 ms (scenarios/engines). */
static const assumption assumptions[] = {
    {"engine.ring_step 0", 1.0, 1.0, 1.0, 1.0, 1.0, 0.0},
    {"engine.ring_step 0.6 ms", 1.0, 1.0, 1.0, 1.0, 1.0, 0.6e-3},
    {"matrix rate -10 %", 1.0, 0.9, 1.0, 1.0, 1.0, OWN_STEP},
    {"matrix rate +10 %", 1.0, 1.1, 1.0, 1.0, 1.0, OWN_STEP},
    {"HBM rate -10 %", 1.0, 1.0, 0.9, 1.0, 1.0, OWN_STEP},
    {"HBM rate +10 %", 1.0, 1.0, 1.1, 1.0, 1.0, OWN_STEP},
    {"network rate -25 %", 1.0, 1.0, 1.0, 0.75, 1.0, OWN_STEP},
    {"memory -5 %", 1.0, 1.0, 1.0, 1.0, 0.95, OWN_STEP},
    {"traffic +10 %", 1.1, 1.0, 1.0, 1.0, 1.0, OWN_STEP},
    {"traffic -10 %", 0.9, 1.0, 1.0, 1.0, 1.0, OWN_STEP},
};
enum { ASSUMPTIONS = sizeof assumptions / sizeof assumptions[0] };
_Static_assert((int)ASSUMPTIONS <= (int)RC_PLAN_FLIPS, "an answer has room for every assumption");

/* `verdict`: only whether it holds is asked. */
static rc_status play_changed(const rc_plan *p, rc_plan_sim sim, void *ctx, const assumption *x,
                              const rc_plan_result *of, bool verdict, rc_plan_result *out,
                              rc_error *err) {
    rc_plan_trial t = plan_trial(p, &of->option);
    t.verdict = verdict;
    t.growth *= x->growth;
    t.matrix = x->matrix;
    t.hbm = x->hbm;
    t.network = x->network;
    t.memory = x->memory;
    t.ring_step = x->ring_step;
    *out = *of;
    RC_TRY(plan_run_trials(p, sim, ctx, &t, &out->outcome, 1, err));
    out->margin = rc_plan_margin(p, &out->outcome, &out->tightest);
    return RC_OK;
}

/* Cheaper ones: nearest to holding first. */
static int by_margin(const void *x, const void *y) {
    const rc_plan_result *const *a = x, *const *b = y;
    return ((*b)->margin > (*a)->margin) - ((*b)->margin < (*a)->margin);
}

/* Dearer ones: cheapest first, of equal ones the wider margin. */
static int by_rent(const void *x, const void *y) {
    const rc_plan_result *const *a = x, *const *b = y;
    const int rent = ((*a)->price > (*b)->price) - ((*a)->price < (*b)->price);
    return rent ? rent : by_margin(x, y);
}

static rc_status flip_one(const rc_plan *p, rc_plan_sim sim, void *ctx, const assumption *x,
                          const rc_plan_answer *a, const rc_plan_result **order, rc_plan_flip *out,
                          rc_error *err) {
    const rc_plan_result *best = &a->all[a->best];
    rc_plan_result r;
    *out = (rc_plan_flip){.assumption = x->name};
    RC_TRY(play_changed(p, sim, ctx, x, best, false, &r, err));
    out->margin = r.margin;
    out->found = r.margin >= 0.0;
    out->then = r;
    size_t n = 0;
    const bool holds = out->found;
    for (size_t i = 0; i < a->all_count; i++) {
        const rc_plan_result *k = &a->all[i];
        bool cheaper = k->price < best->price;
        if (k != best && (holds ? cheaper : !cheaper && k->margin >= 0.0))
            order[n++] = k;
    }
    qsort(order, n, sizeof *order, holds ? by_margin : by_rent);
    for (size_t i = 0; i < n && i < (holds ? CHEAPER : DEARER); i++) {
        RC_TRY(play_changed(p, sim, ctx, x, order[i], true, &r, err));
        if (r.margin < 0.0 || (out->found && r.price >= out->then.price))
            continue;
        out->found = true;
        out->then = r;
        if (!holds)
            break;
    }
    return RC_OK;
}

rc_status rc_plan_find_flips(const rc_plan *p, rc_plan_sim sim, void *ctx, rc_plan_answer *a,
                             rc_error *err) {
    assert(a->best >= 0 && (size_t)a->best < a->all_count);
    const rc_plan_result **order = malloc(a->all_count * sizeof *order);
    const size_t each = 1 + (CHEAPER > DEARER ? CHEAPER : DEARER);
    plan_counted counted;
    if (!order || !plan_count_begin(&counted, p, sim, ctx, ASSUMPTIONS * each)) {
        free(order);
        return rc_fail(err, RC_E_NOMEM, "out of memory for what flips a plan");
    }
    rc_status st = RC_OK;
    for (int i = 0; i < ASSUMPTIONS && st == RC_OK; i++) {
        st = flip_one(p, plan_counted_sim, &counted, &assumptions[i], a, order, &a->flips[i], err);
        plan_count_most(&counted, (size_t)(ASSUMPTIONS - 1 - i) * each);
        a->flip_count = i + 1;
    }
    plan_count_end(&counted);
    free(order);
    return st;
}
