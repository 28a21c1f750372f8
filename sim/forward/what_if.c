/* A what-if of one layout, for another layout of the same GPUs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/forward/internal.h"

bool rc_what_if_slows_rank(const rc_what_if *w) {
    return w->slow_rank >= 0 && w->slow_speed > 0.0 && w->slow_speed != 1.0;
}

bool rc_what_if_slows_link(const rc_what_if *w) {
    return w->slow_link_rank >= 0 && w->slow_link > 0.0 && w->slow_link != 1.0;
}

rc_basis rc_task_basis(const rc_what_if *w, const rc_task *t, uint32_t gpus_per_rank,
                       const rc_shape *s, rc_basis of_shape) {
    int rank = (int)(t->gpu / gpus_per_rank);
    bool slow_rank = rc_what_if_slows_rank(w) && rank == w->slow_rank;
    bool slow_link = rc_what_if_slows_link(w) && rank == w->slow_link_rank;
    switch (s->kind) {
    case RC_T_COLLECTIVE:
    case RC_T_MARK:
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
        return of_shape;
    case RC_T_MESSAGE:
        return slow_link ? RC_STATED : of_shape;
    default:
        return slow_rank ? RC_STATED : of_shape;
    }
}

const char *rc_what_if_carry(const rc_what_if *w, const rc_layout *from, const rc_layout *to,
                             rc_what_if *out) {
    assert(w != NULL && from != NULL && to != NULL && out != NULL);
    *out = *w;
    if (to->cp == from->cp && to->tp == from->tp && rc_layout_dp(to) == rc_layout_dp(from))
        return NULL;
    bool all = to->cp == 1 && to->tp == from->tp * from->cp; /* one TP group of all the GPUs */
    if (rc_what_if_slows_link(w))
        return "the slow link of this what-if joins ranks that it does not have";
    if (!rc_what_if_slows_rank(w))
        return NULL;
    if (!all)
        return "the slow rank of this what-if is none of its ranks";
    out->slow_rank = 0; /* at every all-reduce the whole group waits for its slowest GPUs */
    return NULL;
}
