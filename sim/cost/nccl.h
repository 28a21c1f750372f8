/* Collectives between nodes by NCCL's own tuning model, and its channels of a message inside one:
 * the formulas are at the head of nccl.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_NCCL_H
#define RC_COST_NCCL_H
#include "sim/cost/cost.h"
#include "sim/cost/ops.h"

/* `ranks` on `nodes` nodes, the same number on each; `bytes` as calib/schema.h defines them. The
 * answer is RC_MODELLED; RC_E_INPUT when the machine's rates give no time. */
rc_status rc_nccl_between_nodes(const rc_machine *m, rc_op op, double bytes, int ranks, int nodes,
                                rc_cost *out, rc_error *err);

/* Channels that a message of `bytes` to one peer of a node gets, of a communicator of `ranks` ranks
 * that may use `ctas` of them (0: as many as NCCL chooses). */
int rc_nccl_channels(bool nvlink, int ranks, int ctas, double bytes);

#endif
