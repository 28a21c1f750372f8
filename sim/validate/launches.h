/* The host cost of a launch, from rows of each kind of launch.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_VALIDATE_LAUNCHES_H
#define RC_VALIDATE_LAUNCHES_H
#include "sim/cost/store.h"
#include "sim/schedule/schedule.h"

/* s a launch: mean over what is launched on GPU 0 in the layers of an eager pass. Kinds without a
 * row of the machine count as `plain`. */
double rc_mean_launch(const rc_rows *rows, const char *machine, const rc_program *p, double plain);

#endif
