/* Measured runs and their forecasts in one timeline.
 *
 * A run has no timestamps: what it has is how long each part takes, and the attention and the message
 * of each ring step by themselves. So of each run there are a process "measured" and a process
 * "forecast by part", in which parts stand end to end in the order of a layer, both laid out alike;
 * behind them the GPUs of the forecast as they were simulated (sim/forward/pass_spans.h), with the
 * final norm and the LM head, which a run does not have.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VALIDATE_EXPLAIN_SPANS_H
#define RC_VALIDATE_EXPLAIN_SPANS_H
#include "sim/forward/forward.h"
#include "sim/timeline/span_file.h"
#include "sim/validate/validate.h"

/* Room for the processes of run number i: its own two, then the GPUs of its forecast. */
uint32_t rc_run_process(size_t i);
/* The forecast of run number i as it was simulated. */
rc_status rc_run_forecast_spans(const rc_measured_run *x, size_t i, const rc_spec *spec,
                                rc_spans *out, rc_error *err);
/* Parts of all runs whose name is like `pattern`, as measured and as forecast. */
void rc_runs_part_spans(const rc_runs *r, const char *pattern, rc_spans *out);

#endif
