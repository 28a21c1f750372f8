/* Prices of the shapes of a program, and a memory of them: sweeps ask for the same few again and
 * again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_PRICING_H
#define RC_FORWARD_PRICING_H
#include "sim/forward/internal.h"

typedef struct rc_pricing rc_pricing;
rc_pricing *rc_pricing_create(void); /* NULL when out of memory */
void rc_pricing_destroy(rc_pricing *m);
void rc_pricing_forget(rc_pricing *m);
/* What every shape of `p` costs in a pass of `spec` at the clock of its costs, by shape: they stay
 * until the next call. */
rc_status rc_pricing_all(rc_pricing *m, const rc_spec *spec, const rc_program *p,
                         const rc_shape_cost **out, rc_error *err);
/* The same shapes, which have been priced just before, at another pace. */
rc_status rc_pricing_at_pace(rc_pricing *m, const rc_spec *spec, const rc_program *p, rc_pace pace,
                             rc_error *err);

#endif
