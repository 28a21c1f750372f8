/* Fitting fields to points: the constants of the plan, then the weights of the rows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_FIELD_FIT_H
#define RC_COST_FIELD_FIT_H
#include "sim/base/arena.h"
#include "sim/cost/field.h"
#include "sim/cost/points.h"

/* Whether a field has rows of this op. */
bool rc_field_takes(rc_op op);
/* The fields of settled points (settle.h), one for each of attention and decode, type, head sizes and
 * window; arrays lie in `arena`. The same points give the same fields, to the bit. smooth: over plans
 * without waves. */
rc_status rc_fields_of(const rc_cost_point *p, size_t n, bool smooth, rc_arena *arena,
                       rc_field **out, size_t *count, rc_error *err);

#endif
