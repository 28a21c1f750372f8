/* Times that change from one repetition to the next. A wait for several such times is the latest of
 * them, and goes on to be so until one that gains more has made up its lag.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_LINE_H
#define RC_FORWARD_LINE_H
#include "sim/forward/replay.h"

static inline rc_line rc_line_plus(rc_line x, rc_time duration) {
    return (rc_line){x.at + duration, x.gain};
}

/* The latest of n lines; *most becomes the number of repetitions for which it stays the latest. */
static inline rc_line rc_line_latest(const rc_line *x, uint32_t n, rc_time *most) {
    rc_line last = x[0];
    for (uint32_t i = 1; i < n; i++)
        if (x[i].at > last.at || (x[i].at == last.at && x[i].gain > last.gain))
            last = x[i];
    for (uint32_t i = 0; i < n; i++) {
        rc_time faster = x[i].gain - last.gain, lag = last.at - x[i].at;
        if (faster > 0 && lag < *most * faster)
            *most = lag / faster;
    }
    return last;
}

#endif
