/* The time of a pass alone: evaluated, where that can be done, else by the engine.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/cost/basis.h"
#include "sim/forward/evaluator.h"

/* A message of an all-to-all counts as if it had its links for itself: how it shares them is told
 * layer by layer, and not all layers are evaluated. */
static void add_exchanges(const rc_replay *r, size_t section, rc_time times, rc_own_work *out) {
    const rc_template *t = r->one.layers_of;
    for (uint32_t b = t->sections[section].block; b < t->sections[section].block_end; b++) {
        if (r->exchange[b].n == 0)
            continue;
        uint16_t shape = t->cells[t->blocks[b].cells];
        out->basis[r->prices[shape].basis] += times * (r->exchange[b].n - 1) * r->cost[shape];
    }
}

static void busy_basis(const rc_replay *r, const rc_spec *spec, double *share) {
    size_t head = r->one.layers_of->section_count - 1;
    rc_own_work work = {.part = {0}};
    double ticks[RC_BASIS_COUNT];
    for (size_t s = 0; s <= head; s++) {
        rc_time times = s < head ? rc_model_layers_of(spec->model, (int)s) : 1;
        rc_replay_work(r, &spec->what_if, s, times, &work);
        add_exchanges(r, s, times, &work);
    }
    for (int i = 0; i < RC_BASIS_COUNT; i++)
        ticks[i] = (double)work.basis[i];
    rc_basis_share(ticks, share);
}

static rc_status engine(const rc_spec *spec, rc_forward_timing *out, rc_error *err) {
    rc_forward whole = {0};
    rc_spec s = *spec;
    s.unfold = false;
    RC_TRY(rc_pass_events(&s, &whole, err));
    out->ticks = whole.ticks;
    out->path = RC_PATH_ENGINE;
    out->layers = whole.layers_simulated;
    memcpy(out->busy_basis, whole.busy_basis, sizeof out->busy_basis);
    return RC_OK;
}

rc_status rc_forward_time(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward_timing *out,
                          rc_error *err) {
    assert(ctx != NULL && spec != NULL && out != NULL);
    rc_replay *r = NULL;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_forward_check(spec, &out->memory, err));
    RC_TRY(rc_evaluator_prepare(ctx, spec, &r, err));
    if (r && rc_replay_run(r, spec->model, NULL, &out->ticks, &out->layers)) {
        out->path = RC_PATH_REPLAY;
        busy_basis(r, spec, out->busy_basis);
    } else {
        RC_TRY(engine(spec, out, err));
    }
    out->time = (double)out->ticks / RC_PS_PER_S;
    return RC_OK;
}
