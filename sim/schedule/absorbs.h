/* The form in which prompts attend to latents.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_ABSORBS_H
#define RC_SCHEDULE_ABSORBS_H
#include "sim/schedule/schedule.h"

/* Whether prompts of the request absorb (rc_mla), in a layer of this kind. */
bool rc_absorbs(const rc_request *rq, const rc_layer_kind *l);

#endif
