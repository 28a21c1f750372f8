/* What the files of the planner share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLAN_PLAN_INTERNAL_H
#define RC_PLAN_PLAN_INTERNAL_H
#include "sim/plan/plan.h"

/* plan_space.c: all configurations of the space, cheapest first; malloc'ed. */
rc_status plan_options(const rc_plan *p, rc_plan_option **out, size_t *count, rc_error *err);
/* Whether the offer has that many GPUs and its cluster that many nodes. */
bool plan_on_offer(const rc_plan *p, const rc_plan_option *o);
/* Equal but for the numbers of replicas. */
bool plan_same_family(const rc_plan_option *a, const rc_plan_option *b);

/* plan_examine.c: how many of the other seeds meet all objectives, and the spread of the values. */
rc_status plan_try_seeds(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_option *o,
                         rc_plan_answer *a, rc_error *err);
/* What is asked about the chosen plan, a->all[a->best]. */
rc_status plan_examine(const rc_plan *p, rc_plan_sim sim, void *ctx, rc_plan_answer *a,
                       rc_error *err);
/* Trials on threads; what does not fit has fits = false. */
rc_status plan_run_trials(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_trial *trials,
                          rc_plan_outcome *outcomes, size_t count, rc_error *err);
rc_plan_trial plan_trial(const rc_plan *p, const rc_plan_option *o);

#endif
