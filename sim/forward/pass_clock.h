/* The clock of a pass, of costs with a power model.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_PASS_CLOCK_H
#define RC_FORWARD_PASS_CLOCK_H
#include "sim/forward/evaluator.h"

/* Of a pass with this load of GPU 0 that takes so many ticks at the boost clock: the pace of the
 * slowest card, and what is to be said of its clock. */
rc_pace rc_clock_solve(const rc_spec *spec, const rc_load *load, rc_time ticks, rc_clock *out);
/* Adds what GPU 0 does in the whole pass, exchanges left out. */
void rc_clock_load(const rc_replay *r, const rc_spec *spec, rc_own_work *out);
/* The same for a pass that has not been gone through. Clock 1 without a power model, and *out stays
 * as it is. */
rc_status rc_clock_of_pass(rc_forward_ctx *ctx, const rc_spec *spec, rc_clock *out, rc_pace *pace,
                           rc_error *err);

#endif
