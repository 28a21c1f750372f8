/* Rows of several sources in one book: a machine may name, op by op, whose rows stand in place of
 * its base's (calibration.costs in its file), say another engine's products and attention beside
 * our elementwise work.
 *
 * They are taken as if they had been measured on the base: its published peaks, its ratios. Rows of
 * another part would need ratios of their own, which nobody has.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_SOURCES_H
#define RC_COST_SOURCES_H
#include "sim/cost/ops.h"
#include "sim/cost/store.h"
#include "sim/machine/machine.h"

/* Which of the machine's sources an op's rows are of; RC_SOURCES for ops whose rows are of no
 * source: transfers, copies, which say what the base's HBM reaches, and what makes no curves. */
rc_source rc_op_source(rc_op op);
/* The rows of the named sources as rows of the base, in place of the base's own of these ops; all
 * else as it is. RC_E_INPUT when a source has no rows of its op, with the nearest name that has. */
rc_status rc_rows_by_source(const rc_rows *rows, const rc_machine *m, rc_rows **out, rc_error *err);

#endif
