/* Whose rows each kind of op rests on, for machines that take them from several sources.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_OP_SOURCES_H
#define RC_CLI_OP_SOURCES_H
#include "sim/base/json.h"
#include "sim/forward/forward.h"

/* Shares of a pass's time by kind of op, transfers last, and by what the costs rest on. */
typedef struct rc_op_sources {
    bool shown; /* false: the machine has one source, and nothing is printed */
    double time[RC_SOURCES + 1][RC_BASIS_COUNT];
} rc_op_sources;

/* Nothing is reckoned where the machine has one source. */
rc_status rc_op_sources_of(const rc_spec *pass, rc_op_sources *out, rc_error *err);
rc_status rc_op_sources_print(const rc_op_sources *s, const rc_machine *m, rc_error *err);
/* The object `cost_sources_by_op` of `parent`. */
void rc_op_sources_json(rc_json *j, json_t *parent, const rc_op_sources *s, const rc_machine *m);

#endif
