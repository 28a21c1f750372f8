/* Passes ready to be evaluated: the compiled templates and the prices that a context keeps.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_EVALUATOR_H
#define RC_FORWARD_EVALUATOR_H
#include "sim/forward/replay.h"

/* The pass of `spec`, refilled and priced; it belongs to ctx and is good until the next call. NULL
 * when the engine must run it. */
rc_status rc_evaluator_prepare(rc_forward_ctx *ctx, const rc_spec *spec, rc_replay **out,
                               rc_error *err);

/* The pass that was prepared last, at another pace. *done is false when the
 * engine must run. */
rc_status rc_evaluator_at_pace(rc_forward_ctx *ctx, const rc_spec *spec, rc_replay *r, rc_pace pace,
                               bool *done, rc_error *err);

/* breakdown.c: everything of *out that a pass without draws has. *done is false when the
 * engine must run. */
rc_status rc_breakdown_replay(rc_replay *r, const rc_spec *spec, rc_forward *out, bool *done,
                              rc_error *err);

#endif
