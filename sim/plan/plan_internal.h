/* What the files of the planner share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLAN_PLAN_INTERNAL_H
#define RC_PLAN_PLAN_INTERNAL_H
#include <pthread.h>
#include "sim/base/progress.h"
#include "sim/plan/plan.h"

/* plan_trial.c: the pools of an option, as a scenario of serve has them; returns how many. And the
 * rest of what an option says of one, but for its machine and price. */
int plan_pools(const rc_plan *p, const rc_plan_option *o, rc_pool out[2]);
void plan_schedule(const rc_plan_option *o, rc_serve *s);

/* plan_load.c: the workload in short. Freed by plan_load_free. */
rc_status plan_load(const rc_plan *p, const rc_trace *t, rc_plan_load *out, rc_error *err);
void plan_load_free(rc_plan_load *w);

/* plan_passes.c: seconds of single passes, as the trial of an option would have them. Not for
 * several threads. `costs`, one an offer, are borrowed. */
typedef struct plan_passes plan_passes;
rc_status plan_passes_create(const rc_plan *p, const rc_costs *const *costs, plan_passes **out,
                             rc_error *err);
void plan_passes_free(plan_passes *x);
/* The scenario of the option, but for its pools and arrivals; until the next call. */
rc_status plan_passes_serve(plan_passes *x, const rc_plan_option *o, const rc_serve **out,
                            rc_error *err);
/* A pass of prompts by the fastest schedule, on as many ranks, that the option may take. */
rc_status plan_prompts_time(plan_passes *x, const rc_plan_option *o, const rc_sequence *parts,
                            uint32_t count, double *out, rc_error *err);
/* A step of the pool that decodes; context: cached tokens of all, and of the longest. */
rc_status plan_step_time(plan_passes *x, const rc_plan_option *o, uint32_t decodes, int64_t context,
                         int64_t longest, double *out, rc_error *err);

/* plan_space.c: all configurations of the space, cheapest first; malloc'ed. */
rc_status plan_options(const rc_plan *p, rc_plan_option **out, size_t *count, rc_error *err);
/* Whether the offer has that many GPUs and its cluster that many nodes. */
bool plan_on_offer(const rc_plan *p, const rc_plan_option *o);
/* Equal but for the numbers of replicas. */
bool plan_same_family(const rc_plan_option *a, const rc_plan_option *b);

/* plan_examine.c: whether enough of the other seeds meet all objectives; if so, how many do and the
 * spread of the values, else *a is as it was. */
rc_status plan_try_seeds(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_option *o,
                         bool *holds, rc_plan_answer *a, rc_error *err);
size_t plan_examine_most(void); /* trials that plan_examine plays, at most */
/* What is asked about the chosen plan, a->all[a->best]. */
rc_status plan_examine(const rc_plan *p, rc_plan_sim sim, void *ctx, rc_plan_answer *a,
                       rc_error *err);
/* One trial; what does not fit is no error and has fits = false. */
rc_status plan_run_trial(rc_plan_sim sim, void *ctx, const rc_plan_trial *t, rc_plan_outcome *out,
                         rc_error *err);
/* Trials on threads, each as plan_run_trial has it. */
rc_status plan_run_trials(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_trial *trials,
                          rc_plan_outcome *outcomes, size_t count, rc_error *err);
/* The same for trials of which only whether each holds is asked. No more are begun once more than
 * `most` do not hold. So either all were played, and outcomes of those that hold are whole; or more
 * than `most` of them do not hold, among them the first of all that does not. Those not played have
 * fits = false. */
rc_status plan_run_verdicts(const rc_plan *p, rc_plan_sim sim, void *ctx,
                            const rc_plan_trial *trials, rc_plan_outcome *outcomes, size_t count,
                            size_t most, rc_error *err);
rc_plan_trial plan_trial(const rc_plan *p, const rc_plan_option *o);

/* plan_progress.c: a simulation with every trial counted and shown; the ctx of plan_counted_sim. Safe
 * for several threads at once. */
typedef struct plan_counted {
    rc_plan_sim sim;
    void *ctx;
    rc_progress progress;
    size_t done;
    pthread_mutex_t lock;
} plan_counted;
/* `most`: trials to come, at most, as far as is known. False: no lock was to be had. */
bool plan_count_begin(plan_counted *c, const rc_plan *p, rc_plan_sim sim, void *ctx, size_t most);
void plan_count_most(plan_counted *c, size_t more); /* as many more are to come, at most */
rc_status plan_counted_sim(void *counted, const rc_plan_trial *t, rc_plan_outcome *out,
                           rc_error *err);
void plan_count_end(plan_counted *c);

#endif
