/* How long layers go on as they do.
 *
 * Ranks with unequal shares drift: each gains its own constant a layer, for what holds the faster
 * ones back is many layers away. While that is so, every time is its value in the last layer plus a
 * whole number of gains. That lasts as long as in every step the predecessor that came last goes on
 * to come last: the others that gain on it have a known lead to make up. The least number of layers
 * in which none of them does is how far to go in one leap.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/replay.h"

typedef struct drift {
    const rc_time *now, *gain; /* by slot */
    rc_time most;              /* layers, so far */
} drift;

/* A step began at `start` and gains `gain`. What has come before it may not come after it. */
static inline void hold_back(drift *d, rc_time start, rc_time gain, uint32_t slot) {
    rc_time faster = d->gain[slot] - gain, lead = start - d->now[slot];
    if (faster > 0 && lead < d->most * faster)
        d->most = lead / faster;
}

/* Some predecessor came last and gains what the step gains, or the step does not drift evenly. */
static inline bool led(const drift *d, rc_time start, rc_time gain, uint32_t slot) {
    return d->now[slot] == start && d->gain[slot] == gain;
}

static void step(drift *d, const uint32_t *preds, uint32_t count, rc_time start, rc_time gain,
                 bool found) {
    for (uint32_t k = 0; k < count; k++)
        found = found || led(d, start, gain, preds[k]);
    if (!found)
        d->most = 0;
    for (uint32_t k = 0; k < count; k++)
        hold_back(d, start, gain, preds[k]);
}

static void run_of(const rc_replay *r, const rc_step_run *run, drift *d) {
    bool launched = run->kind == RC_STEP_LAUNCHED;
    uint32_t stride = launched ? 2 : 1;
    const uint32_t *preds = r->preds + run->pred;
    for (uint32_t i = 0; i < run->steps && d->most > 0; i++) {
        uint32_t slot = run->slot + i * stride, task = run->task + i * stride;
        rc_time start = d->now[slot] - r->duration[task], gain = d->gain[slot];
        bool by_launch = launched && led(d, start, gain, slot + 1);
        if (launched) {
            hold_back(d, start, gain, slot + 1);
            if (d->gain[slot + 1] != d->gain[preds[0]])
                d->most = 0;
            preds++;
        }
        step(d, preds, run->preds, start, gain, by_launch);
        preds += run->preds;
    }
}

rc_time rc_replay_leap(const rc_replay *r, const rc_time *before, rc_time *gain, rc_time most) {
    drift d = {.now = r->value, .gain = gain, .most = most};
    if (r->exchanges)
        return 0;
    for (size_t i = 0; i < (size_t)1 + r->live + r->body; i++)
        gain[i] = r->value[i] - before[i];
    for (uint32_t i = 0; i < r->live; i++) /* what is handed on gains what was found did */
        if (gain[1 + i] != gain[1 + r->live + r->live_from[i]])
            return 0;
    for (size_t i = 0; i < r->head_run && d.most > 0; i++)
        run_of(r, &r->runs[i], &d);
    return d.most;
}
