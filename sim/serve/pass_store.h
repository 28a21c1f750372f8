/* Pass times that were simulated, shared by runs: trials of a plan, seeds of a scenario.
 *
 * A simulated time depends on the pass and on how it is run, not on who asks, so a run that finds
 * one here goes on as if it had simulated the pass. What is interpolated is each run's own.
 *
 * Safe for several threads at once.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_PASS_STORE_H
#define RC_SERVE_PASS_STORE_H
#include "sim/serve/passes.h"

/* One prompt's T and P; or sequences that decode, the sum of their cached tokens and those of the
 * longest. */
typedef struct rc_stored_pass {
    int64_t t, p, decodes, context, longest;
} rc_stored_pass;

/* A shelf has the passes of one way to run them: that for passes of this layout, schedule, stage, machine and what-if under the scenario's attention
 * pattern. All scenarios of a store have one model and one book of costs a machine. NULL: out of
 * memory; such a run goes without. */
rc_pass_shelf *rc_pass_store_shelf(rc_pass_store *store, const rc_serve *s, const rc_costs *costs,
                                   const rc_layout *layout, const rc_schedule *schedule,
                                   const rc_pass_stage *stage, const rc_what_if *what_if);
bool rc_pass_shelf_find(rc_pass_shelf *shelf, const rc_stored_pass *pass, rc_pass_cost *out);
void rc_pass_shelf_put(rc_pass_shelf *shelf, const rc_stored_pass *pass, const rc_pass_cost *cost);

#endif
