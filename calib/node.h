/* A node of several GPUs measured by several processes that this one starts: suites of one GPU
 * spread over the GPUs, then what needs all of them, one transport after another.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_NODE_H
#define RC_CALIB_NODE_H
#include "calib/suite.h"

/* Whether the run is one for rc_node_run: several GPUs, no launcher, and something to share out. */
bool rc_node_wanted(const rc_calib *c);
/* Everything that the options ask for. *rows: rows there are now. Rows are taken over from every
 * process, those that failed included; the first failure is reported at the end. */
rc_status rc_node_run(rc_calib *c, size_t *rows, rc_error *err);

/* Which suites (bits) each GPU measures: the longest first, to the GPU with least to do. */
void rc_node_spread(const rc_calib_options *o, int gpus, unsigned *sets);

#endif
