/* What a pass on real GPUs did, part by part, as a timeline (sim/timeline/span_file.h).
 *
 * A process is a rank, its threads are the compute and the communication stream. Every rank's times
 * begin at its first part; a small collective has aligned the ranks just before. The pass is
 * launched op by op with events around each part, so it takes longer than one that is timed whole,
 * and parts of a few microseconds hold their launch.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_SPANS_H
#define RC_CALIB_RING_RING_SPANS_H
#include "calib/ring/ring_layers.h"
#include "sim/timeline/span_file.h"

/* The parts of the profiled pass that has just been run and drained. All ranks call it; `out` is NULL
 * on all but rank 0, which writes for all. */
rc_status rc_ring_spans(const rc_ring_layers *b, rc_spans *out, rc_error *err);
/* Runs such a pass and writes FOLDER/CASE.json. `seconds`: what a whole pass takes. All ranks call
 * it. */
rc_status rc_ring_trace(rc_ring_layers *b, const char *folder, const char *machine, double seconds,
                        rc_error *err);

#endif
