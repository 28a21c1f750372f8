/* Trials of which only whether each holds is asked: one ends as soon as it is sure to miss, and once
 * enough have missed no more are begun. How many are played then depends on the threads; what is
 * told of them does not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/plan/plan_internal.h"

typedef struct verdicts {
    const rc_plan *p;
    rc_plan_sim sim;
    void *ctx;
    const rc_plan_trial *trials;
    rc_plan_outcome *outcomes;
    size_t most;
    atomic_size_t missed;
} verdicts;

/* Trials are begun in order, so those before one that misses have all been begun. */
static rc_status judge_one(void *ctx, size_t i, rc_error *err) {
    verdicts *v = ctx;
    int tightest;
    if (atomic_load(&v->missed) > v->most)
        return RC_OK;
    rc_plan_trial t = v->trials[i];
    t.verdict = true;
    RC_TRY(plan_run_trial(v->sim, v->ctx, &t, &v->outcomes[i], err));
    if (rc_plan_margin(v->p, &v->outcomes[i], &tightest) < 0.0)
        atomic_fetch_add(&v->missed, 1);
    return RC_OK;
}

rc_status plan_run_verdicts(const rc_plan *p, rc_plan_sim sim, void *ctx,
                            const rc_plan_trial *trials, rc_plan_outcome *outcomes, size_t count,
                            size_t most, rc_error *err) {
    assert(sim != NULL);
    verdicts v = {
        .p = p, .sim = sim, .ctx = ctx, .trials = trials, .outcomes = outcomes, .most = most};
    memset(outcomes, 0, count * sizeof *outcomes);
    atomic_init(&v.missed, 0);
    return rc_parallel(count, p->threads, judge_one, &v, err);
}
