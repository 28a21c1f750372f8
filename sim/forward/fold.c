/* Of a few layers that the engine has played: whether they repeat, and the times of the ring.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/forward/internal.h"

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* ends[layer * columns + gpu] on the device, and the same on the host behind them. */
static rc_time *layer_ends(const rc_run *r) {
    const rc_program *p = r->program;
    size_t columns = 2 * (size_t)p->gpus;
    rc_time *ends = calloc((size_t)p->layers + 1, columns * sizeof *ends);
    if (!ends)
        return NULL;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        size_t at = t->layer * columns + t->gpu + (t->lane == RC_LANE_HOST ? p->gpus : 0);
        ends[at] = later(ends[at], rc_sim_op_end(r->sim, (rc_id)i));
    }
    return ends;
}

/* The ops after the last layer wait for their launches: the host is ahead by less than they need.
 */
static bool head_waits_for_host(const rc_run *r) {
    const rc_program *p = r->program;
    for (size_t i = 0; i < p->task_count; i++) {
        if (p->tasks[i].layer < p->layers || p->tasks[i].lane == RC_LANE_HOST)
            continue;
        rc_id cause = rc_sim_op_cause(r->sim, (rc_id)i);
        if (cause != RC_NONE && p->tasks[cause].lane == RC_LANE_HOST)
            return true;
    }
    return false;
}

/* The last two layers took the same time on every GPU and no host took longer: from here on nothing
 * changes from layer to layer, since each depends on the one before in the same way. A host that
 * took less gets further ahead with every layer, which is all the same unless the head still waits
 * for it. */
static bool is_steady(const rc_run *r, const rc_time *ends, rc_time *period) {
    uint32_t gpus = r->program->gpus;
    size_t columns = 2 * (size_t)gpus;
    const rc_time *a = ends + (size_t)(r->program->layers - 3) * columns;
    const rc_time *b = a + columns, *c = b + columns;
    bool gains = false;
    *period = c[0] - b[0];
    for (uint32_t g = 0; g < gpus; g++) {
        rc_time host = c[gpus + g] - b[gpus + g];
        if (c[g] - b[g] != *period || b[g] - a[g] != *period || host > *period)
            return false;
        gains = gains || host < *period;
    }
    return !gains || !head_waits_for_host(r);
}

rc_status rc_fold_of(const rc_run *r, rc_fold *out, bool *steady, rc_error *err) {
    const rc_program *p = r->program;
    *out = (rc_fold){.layers = r->spec->model->layers, .simulated = p->layers};
    out->end = rc_sim_end(r->sim);
    *steady = true;
    if (p->layers >= out->layers)
        return RC_OK;
    assert(p->layers >= 3);
    rc_time *ends = layer_ends(r);
    if (!ends)
        return rc_fail(err, RC_E_NOMEM, "out of memory while folding layers");
    *steady = is_steady(r, ends, &out->period);
    size_t columns = 2 * (size_t)p->gpus;
    out->from = ends[(size_t)(p->layers - 2) * columns];
    free(ends);
    if (out->period > 0 && (RC_TIME_NEVER - out->end) / out->period < out->layers)
        return rc_fail(err, RC_E_INPUT, "%d layers of %.3g s each are beyond the range of time",
                       out->layers, (double)out->period / RC_PS_PER_S);
    out->to = out->from + out->period;
    out->end += out->period * (out->layers - p->layers);
    return RC_OK;
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
