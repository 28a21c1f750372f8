/* How a trace is read, as keys of a scenario (`arrivals`) and as flags of a command: one list of
 * names for both, a flag being its key with dashes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_TRACE_OPTIONS_H
#define RC_TRACE_TRACE_OPTIONS_H
#include "sim/base/doc.h"
#include "sim/trace/trace.h"

/* NULL-terminated: "format", "on_bad_row", "any_ids", "time_unit", "sort", "columns",
 * "zero_output", "block". */
const char *const *rc_trace_option_keys(void);
/* One of them from text. The error says what was expected, without a place. */
rc_status rc_trace_option_set(rc_trace_options *o, const char *key, const char *text,
                              rc_error *err);
/* Those that stand in the map; the others are left alone. Other keys are not looked at. */
rc_status rc_trace_options_read(const rc_node *map, rc_trace_options *o, rc_error *err);

#endif
