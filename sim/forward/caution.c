/* What must be said of a pass beside its time.
 *
 * The host's work at a ring step (ring_step) is the one number of a machine that decides between
 * schedules and that nobody measured by itself: it was inferred from whole passes of ring pass-KV
 * and ring pass-Q. A schedule that synchronises less often, or never, gains by it without anybody
 * having seen it run on that engine.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/forward/internal.h"

const char *rc_forward_caution(const rc_machine *m, const rc_schedule *s, int cp, rc_phase phase) {
    assert(m != NULL && s != NULL && cp >= 1);
    if (cp < 2 || phase == RC_DECODE || !(m->ring_step > 0.0 || m->ring_step_cached > 0.0) ||
        s->ring_step_seen)
        return NULL;
    if (s->host == RC_HOST_NEVER)
        return "leaves out ring_step, the host's work between ring steps, which runs of ring "
               "pass-KV "
               "and pass-Q have; nobody has looked for it in this schedule";
    for (int i = 0; i < m->fitted_count; i++)
        if (strcmp(m->fitted[i].name, "ring_step") == 0)
            return "counts ring_step, the host's work between ring steps, as fitted to ring "
                   "pass-KV "
                   "and pass-Q; nobody has measured it for this schedule";
    return "counts ring_step, the host's work between ring steps, as stated for ring pass-KV and "
           "pass-Q; nobody has measured it for this schedule";
}

const char *rc_forward_assumption(const rc_machine *m, const rc_schedule *s, int cp,
                                  rc_phase phase) {
    assert(m != NULL && s != NULL && cp >= 1);
    if (cp < 2 || phase == RC_DECODE || s->host == RC_HOST_NEVER || m->engine[0] != '\0' ||
        m->ring_step > 0.0 || m->ring_step_cached > 0.0 || rc_machine_overridden(m, "ring_step"))
        return NULL;
    return "ring steps are taken to cost the host nothing, as those of C programs do; of a serving "
           "engine that is not known (engine.profile, engine.ring_step)";
}
