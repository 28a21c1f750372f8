/* What the files that read scenarios share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_SERVE_SCENARIO_H
#define RC_SERVE_SERVE_SCENARIO_H
#include "sim/keys/keys.h"
#include "sim/serve/serve.h"

rc_status rc_serve_read_pools(const rc_section *root, rc_serve *s, rc_error *err);
rc_status rc_serve_read_faults(const rc_section *root, rc_serve *s, rc_error *err);
rc_status rc_serve_read_slo(const rc_section *root, rc_serve *s, rc_error *err); /* objectives.c */
rc_status rc_serve_read_arrivals(const rc_section *root, rc_serve *s, rc_error *err);
rc_status rc_serve_read_history(const rc_section *root, rc_serve *s, rc_error *err);

#endif
