/* Timing a stack of layers: first the check of its result, then whole passes, then profiled passes
 * in which each part is timed by itself.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_TIMING_H
#define RC_CALIB_RING_RING_TIMING_H
#include "calib/bench.h"
#include "calib/ring/ring_layers.h"

/* Bf16 gives about 3e-3; see ring_check.c. */
#define RC_RING_TOLERANCE 1e-2

typedef struct rc_ring_times {
    rc_ring_errors errors; /* the worst of all ranks */
    rc_result whole;       /* the slowest rank of each pass */
    rc_result rank[RC_RING_MAX_RANKS];
    /* seconds of a part in one pass over all layers, by rank; NAN where it does not occur */
    double part[RC_RING_MAX_RANKS][RC_RING_PARTS];
    /* seconds, by rank and ring step, that the step's attention and the message beside it take by
     * themselves, over all layers; 0 where there is none */
    double alone[RC_RING_MAX_RANKS][RC_RING_MAX_RANKS][2];
} rc_ring_times;

/* One layer against the single-GPU reference, in the case's own way of launching. RC_E_CHECK when
 * it is off by more than the tolerance, on any rank. */
rc_status rc_ring_check(rc_ring_layers *b, rc_ring_errors *errors, rc_error *err);
/* What one pass takes. Virtual ranks have no time: RC_E_INTERNAL. */
rc_status rc_ring_time(rc_ring_layers *b, rc_ring_times *t, rc_error *err);
/* One pass launched op by op with events around each part, drained: b->spans has its parts. */
rc_status rc_ring_profile_once(rc_ring_layers *b, rc_error *err);

#endif
