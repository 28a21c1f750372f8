/* The time of a pass alone: evaluated, where that can be done, else by the engine.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/cost/basis.h"
#include "sim/forward/pass_clock.h"

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

static void busy_basis(const rc_replay *r, const rc_spec *spec, rc_own_work *work, double *share) {
    size_t head = r->one.layers_of->section_count - 1;
    double ticks[RC_BASIS_COUNT];
    for (size_t s = 0; s <= head; s++) {
        rc_time times = s < head ? rc_model_layers_of(spec->model, (int)s) : 1;
        rc_replay_work(r, &spec->what_if, s, times, work);
        add_exchanges(r, s, times, work);
    }
    for (int i = 0; i < RC_BASIS_COUNT; i++)
        ticks[i] = (double)work->basis[i];
    rc_basis_share(ticks, share);
}

static rc_status events(const rc_spec *spec, const rc_costs *costs, rc_forward *out,
                        rc_error *err) {
    rc_spec s = *spec;
    s.unfold = false;
    s.costs = costs;
    *out = (rc_forward){0};
    return rc_pass_events(&s, out, err);
}

static rc_status engine(const rc_spec *spec, rc_forward_timing *out, rc_error *err) {
    rc_forward whole;
    rc_pace pace = {1.0, NULL};
    RC_TRY(events(spec, spec->costs, &whole, err));
    if (rc_costs_power(spec->costs) != NULL)
        pace = rc_clock_solve(spec, &whole.load, whole.ticks, &out->clock);
    out->boost_ticks = whole.ticks;
    if (pace.clock < 1.0) {
        rc_costs *slower = NULL;
        RC_TRY(rc_costs_at_pace(spec->costs, pace, &slower, err));
        rc_status st = events(spec, slower, &whole, err);
        rc_costs_close(slower);
        RC_TRY(st);
    }
    out->ticks = whole.ticks;
    out->path = RC_PATH_ENGINE;
    out->layers = whole.layers_simulated;
    memcpy(out->busy_basis, whole.busy_basis, sizeof out->busy_basis);
    return RC_OK;
}

/* At the boost clock, then where that draws more than the board may at the clock that it may have.
 * *done is false when the engine must run. */
static rc_status evaluate(rc_forward_ctx *ctx, const rc_spec *spec, rc_replay *r,
                          rc_forward_timing *out, bool *done, rc_error *err) {
    rc_own_work work = {.part = {0}};
    rc_pace pace = {1.0, NULL};
    *done = rc_replay_run(r, spec->model, NULL, &out->ticks, &out->layers);
    if (!*done)
        return RC_OK;
    out->path = RC_PATH_REPLAY;
    busy_basis(r, spec, &work, out->busy_basis);
    if (rc_costs_power(spec->costs) != NULL)
        pace = rc_clock_solve(spec, &work.load, out->ticks, &out->clock);
    out->boost_ticks = out->ticks;
    if (pace.clock == 1.0)
        return RC_OK;
    RC_TRY(rc_evaluator_at_pace(ctx, spec, r, pace, done, err));
    *done = *done && rc_replay_run(r, spec->model, NULL, &out->ticks, &out->layers);
    if (*done) {
        work = (rc_own_work){.part = {0}};
        busy_basis(r, spec, &work, out->busy_basis);
    }
    return RC_OK;
}

rc_status rc_forward_time(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward_timing *out,
                          rc_error *err) {
    assert(ctx != NULL && spec != NULL && out != NULL);
    rc_replay *r = NULL;
    bool done = false;
    memset(out, 0, sizeof *out);
    RC_TRY(rc_forward_check(spec, &out->memory, err));
    RC_TRY(rc_evaluator_prepare(ctx, spec, &r, err));
    if (r)
        RC_TRY(evaluate(ctx, spec, r, out, &done, err));
    if (!done)
        RC_TRY(engine(spec, out, err));
    out->time = (double)out->ticks / RC_PS_PER_S;
    return RC_OK;
}
