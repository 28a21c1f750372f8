/* One point of a sweep evaluated: a row of plain numbers. What cannot be simulated (does not fit,
 * cannot be cut that way, is not modelled) is an answer, too.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/sweep/sweep_internal.h"
#include "sim/schedule/totals.h"

enum { DRAWS_SEED = 1 }; /* the same for all points, so that they differ by their inputs alone */

_Static_assert((int)RC_P_COUNT <= (int)SWEEP_PARTS, "a row holds every part of a pass");

struct rc_sweep_worker {
    sweep_cursor at;
    rc_forward_ctx *ctx;
};

rc_status rc_sweep_worker_create(const rc_sweep *s, rc_sweep_worker **out, rc_error *err) {
    rc_sweep_worker *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a worker of a sweep");
    w->ctx = rc_forward_ctx_create();
    rc_status st = w->ctx ? sweep_cursor_init(&w->at, s, err)
                          : rc_fail(err, RC_E_NOMEM, "out of memory for a worker of a sweep");
    if (st != RC_OK) {
        rc_forward_ctx_destroy(w->ctx);
        free(w);
        return st;
    }
    *out = w;
    return RC_OK;
}

void rc_sweep_worker_free(rc_sweep_worker *w) {
    if (!w)
        return;
    sweep_cursor_free(&w->at);
    rc_forward_ctx_destroy(w->ctx);
    free(w);
}

const sweep_cursor *rc_sweep_worker_at(const rc_sweep_worker *w) {
    return &w->at;
}

static rc_spec spec_of(const sweep_cursor *c) {
    return (rc_spec){.model = c->model,
                     .costs = c->costs,
                     .layout = c->layout,
                     .phase = c->phase,
                     .schedule = c->schedule,
                     .seqs = c->seqs,
                     .seq_count = c->own_count,
                     .elsewhere = c->elsewhere,
                     .eager = c->eager,
                     .serial_ring = c->serial_ring,
                     .ring_share = c->s->base.ring_share,
                     .draws = c->s->draws,
                     .seed = DRAWS_SEED,
                     .what_if = c->what_if};
}

rc_spec rc_sweep_pass(const rc_sweep_worker *w) {
    return spec_of(&w->at);
}

static void put_memory(const rc_memory *m, rc_sweep_row *out) {
    out->weights = m->weights;
    out->kv = m->kv;
    out->activations = m->activations;
    out->buffers = m->buffers;
    out->total = m->total;
}

/* Rates of the whole model over its GPUs, as rc_forward has them. */
static void put_rates(const sweep_cursor *c, rc_sweep_row *out) {
    assert(out->time > 0.0);
    double flops = 0.0;
    for (size_t i = 0; i < c->seq_count; i++) {
        flops += rc_model_gemm_flops(c->model, c->seqs[i].t);
        flops += rc_model_attention_flops(c->model, c->seqs[i].t, c->seqs[i].p);
    }
    out->flop_rate =
        flops / (((double)rc_layout_gpus(&c->layout) * rc_stages_of(&c->staging))) / out->time;
    out->mfu = out->flop_rate / rc_costs_machine(c->costs)->bf16_rate;
}

static rc_status evaluate_time(rc_sweep_worker *w, const rc_spec *spec, rc_sweep_row *out,
                               rc_error *err) {
    rc_forward_timing f = {0};
    rc_status st = rc_staged_time(w->ctx, spec, &w->at.staging, &f, err);
    if (st == RC_OK || st == RC_E_NOFIT)
        put_memory(&f.memory, out);
    out->ticks = f.ticks;
    out->time = f.time;
    memcpy(out->rests, f.busy_basis, sizeof out->rests);
    return st;
}

static rc_status evaluate_full(rc_sweep_worker *w, const rc_spec *spec, rc_sweep_row *out,
                               rc_error *err) {
    rc_forward f = {0};
    rc_status st = rc_staged_run(w->ctx, spec, &w->at.staging, &f, err);
    if (st == RC_OK || st == RC_E_NOFIT)
        put_memory(&f.memory, out);
    out->ticks = f.ticks;
    out->time = f.time;
    out->p5 = f.p5;
    out->p95 = f.p95;
    out->exposed = f.exposed_comm;
    out->hidden = f.hidden_comm;
    memcpy(out->rests, f.basis, sizeof out->rests);
    for (int i = 0; i < RC_P_COUNT; i++)
        out->critical[i] = f.critical[i];
    return st;
}

static rc_status evaluate(rc_sweep_worker *w, rc_sweep_row *out, rc_error *err) {
    rc_spec spec = spec_of(&w->at);
    RC_TRY(w->at.s->full ? evaluate_full(w, &spec, out, err) : evaluate_time(w, &spec, out, err));
    put_rates(&w->at, out);
    return RC_OK;
}

rc_status rc_sweep_eval(rc_sweep_worker *w, int64_t point, rc_sweep_row *out, rc_error *err) {
    rc_error why = {0};
    memset(out, 0, sizeof *out);
    out->point = point;
    rc_status st = sweep_cursor_at(&w->at, point, &why);
    if (st == RC_OK)
        st = evaluate(w, out, &why);
    if (st == RC_OK)
        return RC_OK;
    if (st != RC_E_NOFIT && st != RC_E_INPUT && st != RC_E_SIZE && st != RC_E_UNMODELLED) {
        if (err)
            *err = why;
        return st;
    }
    out->status = st == RC_E_NOFIT ? RC_SWEEP_NOFIT : RC_SWEEP_REFUSED;
    (void)snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, why.msg);
    return RC_OK;
}
