/* What the tasks of GPU 0 come to: by part and by what their times rest on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/forward/internal.h"

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* Work that took longer than it costs was slowed by what the what-if says of overlap. */
rc_basis rc_run_basis(const rc_run *r, const rc_task *t, rc_time took) {
    assert(took >= 0);
    const rc_shape *s = &r->program->shapes[t->shape];
    const rc_what_if *w = &r->spec->what_if;
    const rc_shape_cost *c = &r->costs[t->shape];
    bool message = s->kind == RC_T_MESSAGE;
    double alone = (double)c->duration;
    if (message)
        alone += s->bytes * RC_PS_PER_S /
                 fmin(c->link_rate, c->peer_rate > 0.0 ? c->peer_rate : c->link_rate);
    bool beside = message || (t->lane == RC_LANE_COMPUTE && s->kind != RC_T_COLLECTIVE);
    double factor = message ? w->overlap_comm : w->overlap_compute;
    if (beside && factor > 0.0 && factor != 1.0 && (double)took > alone + 1.0)
        return RC_STATED;
    return rc_task_basis(w, t, r->program->gpus_per_rank, s, c->basis);
}

void rc_run_add_work(const rc_run *r, const rc_task *t, rc_task_span at, int times,
                     rc_time *covered, double *basis, rc_forward *out) {
    const rc_shape *s = &r->program->shapes[t->shape];
    rc_time took = at.end - at.start;
    assert(times >= 1);
    if (s->part == RC_P_ALL2ALL) {
        at.start = later(at.start, *covered);
        *covered = later(*covered, at.end);
    }
    double busy = at.end > at.start ? (double)(at.end - at.start) / RC_PS_PER_S * times : 0.0;
    out->busy[s->part] += busy;
    rc_load_add(&out->load, &r->costs[t->shape].load, times);
    if (rc_task_works(s))
        basis[rc_run_basis(r, t, took)] += busy;
}

void rc_forward_hidden(rc_forward *out) {
    double comm = 0.0;
    for (int i = 0; i < RC_P_COUNT; i++) {
        if (!rc_part_is_comm((rc_part)i))
            continue;
        out->exposed_comm += out->critical[i];
        comm += out->busy[i];
    }
    out->hidden_comm = comm > out->exposed_comm ? comm - out->exposed_comm : 0.0;
}
