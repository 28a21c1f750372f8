/* Rows of a ring run: docs/validation.md.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_RING_RING_ROWS_H
#define RC_CALIB_RING_RING_ROWS_H
#include "calib/ring/ring_command.h"
#include "calib/ring/ring_timing.h"

typedef struct rc_ring_source { /* where rows come from */
    const rc_gpu *gpu;
    const char *machine, *transport, *commit;
    char nccl[24];
} rc_ring_source;

/* All rows of one case, appended to FILE.part and on the disk when this returns. */
rc_status rc_ring_file_add(const rc_ring_file *f, const rc_ring_case *c, const rc_ring_source *s,
                           const rc_ring_times *t, rc_error *err);

#endif
