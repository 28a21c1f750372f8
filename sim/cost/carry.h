/* Carrying a time of the base machine over to the machine asked for, by the ratios of the two. The
 * rules are at the head of carry.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_CARRY_H
#define RC_COST_CARRY_H
#include "sim/cost/ops.h"
#include "sim/cost/series.h"
#include "sim/machine/machine.h"

/* What the op of a size, found on the base, costs on the machine. `d` is the type that multiplies:
 * bf16 or fp8. RC_E_INPUT when it would run faster than the machine's own peak. */
rc_status rc_carry(const rc_machine *m, const rc_probe *found, rc_op op, rc_dtype d,
                   const rc_axes *at, rc_cost *out, rc_error *err);

#endif
