/* One forward pass: checks, evaluation or the engine, draws.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/forward/pass_clock.h"
#include "sim/schedule/totals.h"

static void set_rates(const rc_spec *spec, rc_forward *out) {
    const rc_machine *m = rc_costs_machine(spec->costs);
    double gpus = rc_layout_gpus(&spec->layout), model = spec->elsewhere_flops;
    for (size_t i = 0; i < spec->seq_count; i++)
        model += rc_forward_flops(spec->model, spec->seqs[i]);
    out->flop_rate = model / gpus / out->time;
    out->mfu = out->flop_rate / m->bf16_rate;
}

/* What it costs that attention and messages share a chip. */
static rc_status set_shared(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward *out,
                            rc_error *err) {
    rc_forward_timing apart;
    rc_spec s = *spec;
    out->shares = rc_contention_of(spec).meets;
    if (!out->shares)
        return RC_OK;
    s.ring_share.apart = true;
    RC_TRY(rc_forward_time(ctx, &s, &apart, err));
    out->shared = (double)(out->ticks - apart.ticks) / RC_PS_PER_S;
    return RC_OK;
}

static rc_status run(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward *out, rc_error *err) {
    rc_replay *replay = NULL;
    bool done = false;
    if (!spec->unfold || spec->draws > 0)
        RC_TRY(rc_evaluator_prepare(ctx, spec, &replay, err));
    if (replay && !spec->unfold)
        RC_TRY(rc_breakdown_replay(replay, spec, out, &done, err));
    if (!done)
        RC_TRY(rc_pass_events(spec, out, err));
    set_rates(spec, out);
    return rc_draw_intervals(spec, replay, out, err);
}

rc_status rc_forward_run_with(rc_forward_ctx *ctx, const rc_spec *spec, rc_forward *out,
                              rc_error *err) {
    assert(ctx != NULL && spec != NULL && out != NULL);
    assert(spec->draws >= 0);
    rc_costs *slower = NULL;
    rc_spec at_clock = *spec;
    rc_pace pace = {1.0, NULL};
    memset(out, 0, sizeof *out);
    RC_TRY(rc_forward_check(spec, &out->memory, err));
    RC_TRY(rc_clock_of_pass(ctx, spec, &out->clock, &pace, err));
    if (pace.clock < 1.0)
        RC_TRY(rc_costs_at_pace(spec->costs, pace, &slower, err));
    at_clock.costs = slower != NULL ? slower : spec->costs;
    rc_status st = run(ctx, &at_clock, out, err);
    rc_costs_close(slower);
    return st == RC_OK ? set_shared(ctx, spec, out, err) : st;
}

rc_status rc_forward_run(const rc_spec *spec, rc_forward *out, rc_error *err) {
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (!ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a forward pass");
    rc_status st = rc_forward_run_with(ctx, spec, out, err);
    rc_forward_ctx_destroy(ctx);
    return st;
}

/* Laid out in full and run, at the clock of the costs. */
static rc_status lay_out(const rc_spec *spec, rc_program *program, rc_run *run, rc_error *err) {
    rc_request rq = rc_spec_request(spec, 0);
    RC_TRY(rc_build_program(spec, &rq, program, err));
    rc_status st = rc_run_program(spec, spec->costs, program, NULL, run, err);
    if (st != RC_OK)
        rc_program_free(program);
    return st;
}

static rc_status pace_alone(const rc_spec *spec, rc_clock *found, rc_pace *pace, rc_error *err) {
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    if (!ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a forward pass");
    rc_status st = rc_clock_of_pass(ctx, spec, found, pace, err);
    rc_forward_ctx_destroy(ctx);
    return st;
}

rc_status rc_forward_lay_out(const rc_spec *spec, rc_program *program, rc_run *run, rc_clock *clock,
                             rc_error *err) {
    rc_memory memory;
    rc_costs *slower = NULL;
    rc_spec at_clock = *spec;
    rc_clock found = {.mhz = 0.0};
    rc_pace pace = {1.0, NULL};
    RC_TRY(rc_forward_check(spec, &memory, err));
    RC_TRY(pace_alone(spec, &found, &pace, err));
    if (clock != NULL)
        *clock = found;
    if (pace.clock < 1.0)
        RC_TRY(rc_costs_at_pace(spec->costs, pace, &slower, err));
    at_clock.costs = slower != NULL ? slower : spec->costs;
    rc_status st = lay_out(&at_clock, program, run, err);
    run->spec = spec; /* what it ran with is gone */
    rc_costs_close(slower);
    return st;
}

rc_status rc_forward_trace(const rc_spec *spec, rc_program *program, struct rc_sim **sim,
                           rc_clock *clock, rc_error *err) {
    assert(spec != NULL && program != NULL && sim != NULL);
    rc_run run;
    RC_TRY(rc_forward_lay_out(spec, program, &run, clock, err));
    *sim = run.sim;
    run.sim = NULL;
    rc_run_free(&run);
    return RC_OK;
}
