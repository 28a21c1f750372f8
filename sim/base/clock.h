/* The wall clock of a run: for times that are shown or that pace the work, never for results.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_CLOCK_H
#define RC_BASE_CLOCK_H
#include <time.h>

/* Seconds of the monotonic clock, from a start of its own. */
static inline double rc_clock_s(void) {
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
