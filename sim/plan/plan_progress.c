/* The progress of a plan: trials that have ended, of those that may be played, whatever they are for: the
 * search, other seeds, the questions about the best.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <pthread.h>
#include "sim/base/progress.h"
#include "sim/plan/plan_internal.h"

bool plan_count_begin(plan_counted *c, const rc_plan *p, rc_plan_sim sim, void *ctx, size_t most) {
    *c = (plan_counted){.sim = sim, .ctx = ctx};
    rc_progress_begin(&c->progress, p->name, most, p->quiet);
    return pthread_mutex_init(&c->lock, NULL) == 0;
}

void plan_count_most(plan_counted *c, size_t more) {
    (void)pthread_mutex_lock(&c->lock);
    c->progress.total = c->done + more;
    (void)pthread_mutex_unlock(&c->lock);
}

rc_status plan_counted_sim(void *counted, const rc_plan_trial *t, rc_plan_outcome *out,
                           rc_error *err) {
    plan_counted *c = counted;
    rc_status st = c->sim(c->ctx, t, out, err);
    (void)pthread_mutex_lock(&c->lock);
    c->done++;
    rc_progress_step(&c->progress, c->done);
    (void)pthread_mutex_unlock(&c->lock);
    return st;
}

void plan_count_end(plan_counted *c) {
    rc_progress_end(&c->progress);
    (void)pthread_mutex_destroy(&c->lock);
}
