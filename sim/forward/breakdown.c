/* Where the time of an evaluated pass went: every layer forward, then every layer back.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/cost/basis.h"
#include "sim/forward/evaluator.h"
#include "sim/forward/path.h"

/* The states that layers begin with into the history; false: to the engine. */
static bool forward(rc_replay *r, const rc_model *m) {
    rc_replay_rewind(r);
    for (int layer = 0; layer < m->layers; layer++) {
        memcpy(rc_replay_row(r, layer), r->state, r->width * sizeof *r->state);
        if (!rc_replay_section(r, (size_t)rc_model_kind_of(m, layer)))
            return false;
    }
    return rc_replay_section(r, r->one.layers_of->section_count - 1);
}

/* Layer by layer from the last: the path through it, and what GPU 0 sent in its exchanges. The
 * times of the ring are those of the last layer that has attention. */
static bool back(rc_replay *r, const rc_spec *spec, rc_path *path, rc_own_work *work,
                 rc_ring_times *ring) {
    const rc_model *m = spec->model;
    rc_path_node at;
    bool have_ring = false;
    rc_path_begin(path, &at);
    rc_path_follow(path, &at);
    for (int layer = m->layers - 1; layer >= 0; layer--) {
        size_t section = (size_t)rc_model_kind_of(m, layer);
        memcpy(r->state, rc_replay_row(r, layer), r->width * sizeof *r->state);
        if (!rc_replay_section(r, section))
            return false;
        if (path->layer == layer)
            rc_path_follow(path, &at);
        work->part[RC_P_ALL2ALL] += rc_replay_exchanges(r, section, work->basis);
        if (!have_ring)
            have_ring = rc_replay_ring(r, section, ring);
    }
    return true;
}

static void count_ops(const rc_replay *r, const rc_model *m, rc_forward *out) {
    size_t head = r->one.layers_of->section_count - 1;
    rc_counts layers = {0}, all = {0};
    for (size_t s = 0; s < head; s++) {
        size_t times = (size_t)rc_model_layers_of(m, (int)s);
        layers = rc_template_counts(&r->one, s);
        all.gemm_flops += (double)times * layers.gemm_flops;
        all.attention_flops += (double)times * layers.attention_flops;
        out->ops += times * (size_t)rc_template_tasks(&r->one, s);
    }
    out->ops += (size_t)rc_template_tasks(&r->one, head);
    out->gemm_flops = all.gemm_flops + rc_template_counts(&r->one, head).gemm_flops;
    out->attention_flops = all.attention_flops;
}

static void describe(const rc_path *path, const rc_own_work *work, rc_forward *out) {
    double critical[RC_BASIS_COUNT], busy[RC_BASIS_COUNT], comm = 0.0;
    for (int i = 0; i < RC_P_COUNT; i++) {
        out->critical[i] = (double)path->part[i] / RC_PS_PER_S;
        out->busy[i] = (double)work->part[i] / RC_PS_PER_S;
    }
    for (int i = 0; i < RC_BASIS_COUNT; i++) {
        critical[i] = (double)path->basis[i];
        busy[i] = (double)work->basis[i];
    }
    rc_basis_share(critical, out->basis);
    rc_basis_share(busy, out->busy_basis);
    for (int i = 0; i < RC_P_COUNT; i++) {
        if (!rc_part_is_comm((rc_part)i))
            continue;
        out->exposed_comm += out->critical[i];
        comm += out->busy[i];
    }
    out->hidden_comm = comm > out->exposed_comm ? comm - out->exposed_comm : 0.0;
}

rc_status rc_breakdown_replay(rc_replay *r, const rc_spec *spec, rc_forward *out, bool *done,
                              rc_error *err) {
    const rc_model *m = spec->model;
    size_t head = r->one.layers_of->section_count - 1;
    rc_path path = {.r = r, .model = m, .what_if = &spec->what_if};
    rc_own_work work = {.part = {0}};
    *done = false;
    if (!rc_replay_reserve(r, (size_t)m->layers) || !rc_replay_trace(r))
        return rc_fail(err, RC_E_NOMEM, "out of memory for the breakdown of a pass");
    if (!forward(r, m))
        return RC_OK;
    rc_time end = rc_replay_end(r);
    rc_ring_times ring = {0};
    r->tracing = true;
    *done = back(r, spec, &path, &work, &ring);
    r->tracing = false;
    if (!*done)
        return RC_OK;
    for (size_t s = 0; s <= head; s++)
        rc_replay_work(r, &spec->what_if, s, s < head ? rc_model_layers_of(m, (int)s) : 1, &work);
    out->ticks = end;
    out->ring = ring;
    out->time = (double)out->ticks / RC_PS_PER_S;
    out->gpus = r->gpus;
    out->layers_simulated = m->layers;
    describe(&path, &work, out);
    count_ops(r, m, out);
    return RC_OK;
}
