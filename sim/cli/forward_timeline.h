/* The timeline of `ringcast forward --trace`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_FORWARD_TIMELINE_H
#define RC_CLI_FORWARD_TIMELINE_H
#include "sim/forward/scenario.h"

/* Writes the pass of `spec`, in the chunks and stages of the scenario, whose forecast is `r`. The
 * timeline ends when the forecast does, to the picosecond: RC_E_INTERNAL otherwise. */
rc_status rc_forward_timeline(const rc_spec *spec, const rc_scenario *s, const rc_forward *r,
                              const char *path, bool overwrite, rc_error *err);

#endif
