/* Rounding to picoseconds, and what is left of something that moves: the same for whoever works out
 * a time, so that two ways to a time agree to the tick.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_ENGINE_TICKS_H
#define RC_ENGINE_TICKS_H
#include <assert.h>
#include <math.h>
#include "sim/engine/engine.h"

/* Half away from zero; what does not fit in an rc_time becomes RC_TIME_NEVER. */
static inline rc_time rc_ticks_round(double ps) {
    return ps < 0x1p63 - 1024 ? (rc_time)llround(ps) : RC_TIME_NEVER;
}

/* a + b for times that are not negative; RC_TIME_NEVER when that is beyond the range of time. */
static inline rc_time rc_ticks_add(rc_time a, rc_time b) {
    assert(a >= 0 && b >= 0);
    return b <= RC_TIME_NEVER - a ? a + b : RC_TIME_NEVER;
}

/* What is left of `remaining` bytes after `elapsed` ps at `rate` bytes/s; never below 0. */
static inline double rc_flow_left(double remaining, double rate, rc_time elapsed) {
    assert(elapsed >= 0);
    double left = remaining - rate * (double)elapsed / RC_PS_PER_S;
    return left > 0 ? left : 0;
}

/* How long `bytes` take at `rate` bytes/s, in ps. */
static inline double rc_flow_ps(double bytes, double rate) {
    assert(rate > 0);
    return bytes * RC_PS_PER_S / rate;
}

#endif
