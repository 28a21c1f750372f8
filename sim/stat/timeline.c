/* The series: areas under a step function, one an interval.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/stat/stat.h"

void rc_timeline_init(rc_timeline *s, int64_t interval) {
    assert(interval > 0);
    memset(s, 0, sizeof *s);
    s->interval = interval;
}

/* Join neighbouring intervals until `now` falls into the last one or before it. */
static void widen(rc_timeline *s, int64_t now) {
    while (now / s->interval >= RC_TIMELINE_MAX && s->interval <= INT64_MAX / 2) {
        for (int i = 0; i < RC_TIMELINE_MAX / 2; i++)
            s->area[i] = s->area[(size_t)2 * (size_t)i] + s->area[(size_t)2 * (size_t)i + 1];
        memset(s->area + RC_TIMELINE_MAX / 2, 0, sizeof s->area / 2);
        s->interval *= 2;
    }
}

void rc_timeline_end(rc_timeline *s, int64_t now) {
    if (now <= s->now)
        return;
    widen(s, now);
    int64_t i = s->now / s->interval;
    while (s->now < now) {
        int64_t left = s->interval - s->now % s->interval, step = now - s->now;
        if (step > left)
            step = left;
        s->area[i++] += s->value * (double)step;
        s->now += step;
    }
}

void rc_timeline_set(rc_timeline *s, int64_t now, double value) {
    assert(now >= s->now);
    rc_timeline_end(s, now);
    s->value = value;
}

int rc_timeline_count(const rc_timeline *s) {
    return (int)((s->now + s->interval - 1) / s->interval);
}

double rc_timeline_at(const rc_timeline *s, int i) {
    assert(i >= 0 && i < RC_TIMELINE_MAX);
    int64_t from = i * s->interval, length = s->now - from;
    if (length <= 0)
        return NAN;
    return s->area[i] / (double)(length < s->interval ? length : s->interval);
}
