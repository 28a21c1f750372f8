/* What the bounds and the estimate of a plan share. Internal to the plan room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLAN_PLAN_ESTIMATE_H
#define RC_PLAN_PLAN_ESTIMATE_H
#include "sim/plan/plan_internal.h"

enum { BATCHES = 1 << 14 }; /* sequences of a step that is asked for, at most */

typedef struct plan_layout {          /* prompts on one layout */
    rc_plan_option key;               /* offer, tp, cp, pick, dynamic, kv */
    double token;                     /* s a token, at the best rate of any pass */
    double least[RC_PLAN_OBJECTIVES]; /* s: of the prompts that each objective on TTFT speaks of, */
    double expected[RC_PLAN_OBJECTIVES]; /* its share is prefilled within this: bound, and guess */
    double count, work, square;          /* requests; s, s^2: sums over them */
} plan_layout;

/* Whether the option has this layout. */
bool plan_layout_is(const plan_layout *l, const rc_plan_option *o);
/* One class of requests, each of which takes `time` s. */
void plan_layout_add(plan_layout *l, const rc_plan_class *c, double time);
/* Fills what rc_plan_estimate needs. `tokens` of KV: a replica that decodes. */
rc_status plan_expect(const rc_plan *p, const rc_plan_load *w, plan_passes *x, const plan_layout *l,
                      const rc_plan_option *o, double tokens, rc_plan_bound *out, rc_error *err);

#endif
