/* A loop over independent items on several threads. Each item writes its own result, so the outcome
 * does not depend on who ran it; of several failures the one with the lowest index is reported.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_PARALLEL_H
#define RC_BASE_PARALLEL_H
#include <stddef.h>
#include "sim/base/error.h"

typedef rc_status (*rc_parallel_fn)(void *ctx, size_t item, rc_error *err);

enum { RC_PARALLEL_MAX = 1024 }; /* threads of one loop */

/* Run fn for items 0..count-1. threads <= 0: one per online core (at most RC_PARALLEL_MAX). Without
 * threads to be had the loop runs in the caller. After a failure items not begun are skipped,
 * except those below it. */
rc_status rc_parallel(size_t count, int threads, rc_parallel_fn fn, void *ctx, rc_error *err);

#endif
