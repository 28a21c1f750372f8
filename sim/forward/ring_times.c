/* The times of the ring in the last layer of a pass that the engine has played.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/internal.h"

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

typedef struct part_times {
    rc_time sum, first, last;
    int count;
} part_times;

static void add_times(part_times *t, rc_time start, rc_time end) {
    if (t->count == 0 || start < t->first)
        t->first = start;
    t->last = later(t->last, end);
    t->sum += end - start;
    t->count++;
}

static double mean(const part_times *t) {
    return t->count ? (double)t->sum / t->count / RC_PS_PER_S : 0.0;
}

void rc_ring_of(const rc_run *r, rc_ring_times *out) {
    const rc_program *p = r->program;
    int of = r->repeats ? r->repeats->layers - 1 : p->layers - 1; /* the last layer of the pass */
    int layer = r->repeats ? r->repeats->stands[of] : of;
    part_times attn = {0}, later_steps = {0}, send = {0}, a2a = {0}, merge = {0};
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->gpu != 0 || t->layer != layer)
            continue;
        rc_task_span at = rc_run_span(r, (uint32_t)i, of);
        switch (p->shapes[t->shape].part) {
        case RC_P_ATTENTION:
            add_times(&attn, at.start, at.end);
            if (t->step > 0)
                add_times(&later_steps, at.start, at.end);
            break;
        case RC_P_SENDRECV:
            add_times(&send, at.start, at.end);
            break;
        case RC_P_ALL2ALL:
            add_times(&a2a, at.start, at.end);
            break;
        case RC_P_MERGE:
            add_times(&merge, at.start, at.end);
            break;
        default:
            break;
        }
    }
    rc_time first = send.count && send.first < attn.first ? send.first : attn.first;
    rc_time last = merge.count ? merge.last : attn.last;
    out->attn_op = later_steps.count ? mean(&later_steps) : mean(&attn);
    out->attn_ring = (double)attn.sum / RC_PS_PER_S;
    out->sendrecv = mean(&send);
    out->sendrecv_ring = (double)send.sum / RC_PS_PER_S;
    out->all2all = a2a.count ? (double)(a2a.last - a2a.first) / RC_PS_PER_S : 0.0;
    out->whole = (double)(last - first) / RC_PS_PER_S;
}
