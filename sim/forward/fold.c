/* Of a few layers that the engine has played: whether they repeat, and the pass for which they
 * stand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/cost/basis.h"
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

/* The ops after the last layer wait for their launches: the host is ahead by less than they
 * need. */
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
        return rc_fail(err, RC_E_NOMEM, "out of memory while layers are repeated");
    *steady = is_steady(r, ends, &out->period);
    free(ends);
    if (out->period > 0 && (RC_TIME_NEVER - out->end) / out->period < out->layers)
        return rc_fail(err, RC_E_INPUT, "%d layers of %.3g s each are beyond the range of time",
                       out->layers, (double)out->period / RC_PS_PER_S);
    out->end += out->period * (out->layers - p->layers);
    return RC_OK;
}

/* ---- a pass of few layers for one of many --------------------------------------------------- */

typedef struct window { /* of time: what repeats */
    rc_time from, to;
} window;

/* Seconds of [a, b), those inside the window that repeats counted once more for every layer that is
 * not simulated. */
static double weighed(const rc_fold *f, const window *w, rc_time a, rc_time b) {
    rc_time lo = later(a, w->from), hi = b < w->to ? b : w->to;
    double ticks = (double)(b - a);
    if (hi > lo)
        ticks += (double)(hi - lo) * (f->layers - f->simulated);
    return ticks / RC_PS_PER_S;
}

/* How many layers of the pass a task of the program stands for. */
static int stands_for(const rc_run *r, const rc_fold *f, const rc_task *t) {
    return t->layer == r->program->layers - 1 ? 1 + f->layers - f->simulated : 1;
}

static rc_id last_op(const rc_sim *sim) {
    rc_time end = rc_sim_end(sim);
    rc_id n = (rc_id)rc_sim_op_count(sim);
    for (rc_id i = 0; i < n; i++)
        if (rc_sim_op_end(sim, i) == end)
            return i;
    return RC_NONE;
}

/* For each layer the op by which the critical path, followed from the end, comes into it; RC_NONE:
 * the path does not touch the layer. NULL: out of memory. */
static rc_id *path_entries(const rc_run *r) {
    const rc_program *p = r->program;
    rc_id *entry = malloc(((size_t)p->layers + 1) * sizeof *entry);
    if (!entry)
        return NULL;
    static_assert(RC_NONE == UINT32_MAX, "all bits set");
    memset(entry, 0xff, ((size_t)p->layers + 1) * sizeof *entry);
    for (rc_id op = last_op(r->sim); op != RC_NONE; op = rc_sim_op_cause(r->sim, op))
        if (entry[p->tasks[op].layer] == RC_NONE)
            entry[p->tasks[op].layer] = op;
    return entry;
}

/* Tasks of a layer but the first, all of which have as many. */
static rc_id body_of(const rc_program *p) {
    rc_id n = 0;
    for (size_t i = 0; i < p->task_count; i++)
        n += p->tasks[i].layer == p->layers - 1;
    return n;
}

/* Every task of the last layer but the host's ran one period after that of the layer before, and
 * that one after the one before it. */
static bool tasks_repeat(const rc_run *r, rc_time period) {
    const rc_program *p = r->program;
    rc_id body = body_of(p);
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->layer < p->layers - 2 || t->layer >= p->layers || t->lane == RC_LANE_HOST)
            continue;
        rc_id now = (rc_id)i, before = now - body;
        if (rc_sim_op_start(r->sim, now) - rc_sim_op_start(r->sim, before) != period ||
            rc_sim_op_end(r->sim, now) - rc_sim_op_end(r->sim, before) != period)
            return false;
    }
    return true;
}

/* In two layers that differ by their times alone, the path goes back from a task of one to a task
 * of the one before, always to the same. When that is the same task again, it is so in every layer
 * that is not simulated, and the window between the two ends is what repeats. */
static bool find_window(const rc_run *r, const rc_fold *f, const rc_id *entry, window *w) {
    int layer = r->program->layers - 2;
    if (layer < 1)
        return false;
    rc_id after = entry[layer], before = entry[layer - 1];
    if (after == RC_NONE || before == RC_NONE || after - before != body_of(r->program))
        return false;
    w->from = rc_sim_op_end(r->sim, before);
    w->to = rc_sim_op_end(r->sim, after);
    return w->to - w->from == f->period && tasks_repeat(r, f->period);
}

static void critical_path(const rc_run *r, const rc_fold *f, const window *w, rc_forward *out) {
    double basis[RC_BASIS_COUNT] = {0};
    for (rc_id op = last_op(r->sim); op != RC_NONE;) {
        rc_id cause = rc_sim_op_cause(r->sim, op);
        rc_time from = cause == RC_NONE ? 0 : rc_sim_op_end(r->sim, cause);
        rc_time end = rc_sim_op_end(r->sim, op);
        const rc_task *t = &r->program->tasks[op];
        double s = weighed(f, w, from, end);
        out->critical[r->program->shapes[t->shape].part] += s;
        basis[rc_run_basis(r, t, end - rc_sim_op_start(r->sim, op))] += s;
        op = cause;
    }
    rc_basis_share(basis, out->basis);
}

/* What GPU 0 did, and its FLOPs. */
static void own_work(const rc_run *r, const rc_fold *f, rc_forward *out) {
    const rc_program *p = r->program;
    double basis[RC_BASIS_COUNT] = {0};
    rc_counts counts = {0};
    rc_time covered = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        rc_task_span at = {rc_sim_op_start(r->sim, (rc_id)i), rc_sim_op_end(r->sim, (rc_id)i)};
        if (t->gpu != 0)
            continue;
        rc_run_add_work(r, t, at, stands_for(r, f, t), &covered, basis, out);
        rc_counts_add(p, t->shape, stands_for(r, f, t), &counts);
    }
    rc_basis_share(basis, out->busy_basis);
    out->gemm_flops = counts.gemm_flops;
    out->attention_flops = counts.attention_flops;
}

/* *done is false when the path does not repeat. */
static rc_status describe(const rc_run *r, const rc_fold *f, rc_forward *out, bool *done,
                          rc_error *err) {
    window w;
    rc_id *entry = path_entries(r);
    if (!entry)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the path through %d layers",
                       r->program->layers);
    *done = find_window(r, f, entry, &w);
    free(entry);
    if (!*done)
        return RC_OK;
    out->ticks = f->end;
    out->time = (double)f->end / RC_PS_PER_S;
    critical_path(r, f, &w, out);
    own_work(r, f, out);
    rc_forward_hidden(out);
    rc_ring_of(r, &out->ring);
    out->events = rc_sim_events(r->sim);
    out->ops = 0;
    for (size_t i = 0; i < r->program->task_count; i++)
        out->ops += (size_t)stands_for(r, f, &r->program->tasks[i]);
    out->gpus = r->program->gpus;
    out->layers_simulated = f->simulated;
    out->trace_hash = rc_sim_trace_hash(r->sim);
    return RC_OK;
}

/* Whether `layers` layers show the rest. */
static rc_status try_layers(const rc_spec *spec, int layers, rc_forward *out, bool *done,
                            rc_error *err) {
    rc_program program;
    rc_run run;
    rc_fold fold;
    rc_request rq = rc_spec_request(spec, layers);
    rc_status st = rc_build_program(spec, &rq, &program, err);
    if (st == RC_E_SIZE)
        return RC_OK;
    RC_TRY(st);
    st = rc_run_program(spec, spec->costs, &program, NULL, &run, err);
    if (st == RC_OK) {
        st = rc_fold_of(&run, &fold, done, err);
        if (st == RC_OK && *done)
            st = describe(&run, &fold, out, done, err);
        rc_run_free(&run);
    }
    rc_program_free(&program);
    return st;
}

/* Of 660 random passes that the engine had to play, four layers showed the rest in 568, eight in 32
 * more and sixteen in 9 more; what does not show by then is played whole. */
enum { FEW = 4, MANY = 16 };

rc_status rc_fold_play(const rc_spec *spec, rc_forward *out, bool *done, rc_error *err) {
    assert(!spec->unfold);
    *done = false;
    if (!rc_model_uniform(spec->model))
        return RC_OK;
    for (int layers = FEW; layers <= MANY && layers < spec->model->layers && !*done; layers *= 2)
        RC_TRY(try_layers(spec, layers, out, done, err));
    return RC_OK;
}

rc_status rc_pass_events(const rc_spec *spec, rc_forward *out, rc_error *err) {
    bool done = false;
    if (!spec->unfold)
        RC_TRY(rc_fold_play(spec, out, &done, err));
    return done ? RC_OK : rc_play(spec, out, err);
}
