/* The rules by which look-ups read the rows of ops. Each answers for ops of the table that name it
 * (ops.h), and is asked after the sizes have been checked (rc_asked in costs.h).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_RULES_H
#define RC_COST_RULES_H
#include "sim/cost/costs.h"

/* gemm.c: a type of which the book has products; the other types of weights are weights.c's. */
rc_status rc_price_product(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
/* weights.c: weights of a type of which no row exists, from products in the type that
 * multiplies. */
rc_status rc_price_quantised(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
/* attention.c */
rc_status rc_price_full(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
rc_status rc_price_causal(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
rc_status rc_price_decode(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
/* memory.c */
rc_status rc_price_merge(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
rc_status rc_price_width(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
rc_status rc_price_copy(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
/* reach.c */
rc_status rc_price_reach(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);
/* experts.c: a row of the kernel that its variant names, on the base itself. */
rc_status rc_price_expert_row(const rc_costs *c, const rc_row *row, const rc_axes *at, rc_op op,
                              rc_cost *out, rc_error *err);
/* int4_keys.c: attention over keys that are kept in int4, from the same over bf16. */
rc_status rc_price_packed(const rc_costs *c, rc_price_rule rule, const rc_asked *a, rc_cost *out,
                          rc_error *err);
/* same.c */
rc_status rc_price_same(const rc_costs *c, const rc_asked *a, rc_cost *out, rc_error *err);

#endif
