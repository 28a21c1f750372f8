/* What weights of a type take in memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_WEIGHTS_H
#define RC_COST_WEIGHTS_H
#include "sim/model/model.h"

/* Bytes a weight with its scales, in the group sizes that are usual. */
double rc_weight_bytes(rc_dtype d);

#endif
