/* A pass on the engine, every layer as events, and every GPU when it is unfolded.
 *
 * Layers of a kind are alike but for what stands before them, so of a hundred layers in a row only
 * the first two are laid out; the engine plays the second as often as there are more. When a pass
 * has too many ops to keep the results of all, those of GPU 0 are kept.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include "sim/cost/basis.h"
#include "sim/forward/internal.h"

/* Repeats of a pattern of layers in the program: one behind other layers, one behind itself. */
enum { REPEATS = 2 };

typedef struct pass {
    rc_program program;
    rc_repeats repeats;
    bool written_out; /* the program is that of the whole pass */
    int layers;
    uint32_t *own; /* tasks of GPU 0, in order */
    size_t *first; /* [program.layers + 2]: those of layer l are own[first[l] .. first[l + 1]) */
    bool keep_all;
    rc_run run;
} pass;

/* ---- which layers stand for which ----------------------------------------------------------- */

/* Of each run of layers, the first two repeats of its pattern are in the program, a template each,
 * and the second stands for all that follow. */
static void choose_layers(const rc_model *m, rc_repeats *r) {
    int layer = 0, emitted = 0, template = 0, repetition = 0;
    for (int i = 0; i < rc_model_runs(m); i++) {
        const rc_layer_run run = rc_model_run(m, i);
        int kept = run.times < REPEATS ? run.times : REPEATS;
        for (int j = 0; j < run.times; j++, repetition++) {
            for (int k = 0; k < run.length; k++, layer++) {
                int stands = emitted + (j < kept ? j : kept - 1) * run.length + k;
                r->stands[layer] = (uint16_t)stands;
                r->repetition[layer] = (uint16_t)repetition;
                if (j < kept)
                    r->template[stands] = (uint16_t)(template + j);
            }
        }
        emitted += kept * run.length;
        template += kept;
    }
    r->stands[layer] = (uint16_t)emitted;
    r->repetition[layer] = (uint16_t)repetition;
    r->template[emitted] = (uint16_t) template;
}

static rc_status build(const rc_spec *spec, pass *x, rc_error *err) {
    size_t n = (size_t)spec->model->layers + 1;
    rc_repeats *r = &x->repeats;
    x->layers = r->layers = spec->model->layers;
    r->stands = calloc(n, sizeof *r->stands);
    r->repetition = calloc(n, sizeof *r->repetition);
    r->template = calloc(n, sizeof *r->template);
    if (!r->stands || !r->repetition || !r->template)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d layers", x->layers);
    choose_layers(spec->model, r);
    RC_TRY(rc_build_repeats(spec, REPEATS, &x->program, &x->keep_all, err));
    if (rc_repeats_fit(r, &x->program))
        return RC_OK;
    rc_program_free(&x->program); /* something waits for what is further back */
    x->written_out = true;
    return rc_build_repeats(spec, 0, &x->program, &x->keep_all, err);
}

/* ---- GPU 0 ---------------------------------------------------------------------------------- */

static rc_status find_own(pass *x, rc_error *err) {
    const rc_program *p = &x->program;
    x->own = malloc((p->task_count / p->gpus + p->task_count % p->gpus + 1) * sizeof *x->own);
    x->first = calloc((size_t)p->layers + 2, sizeof *x->first);
    if (!x->own || !x->first)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the tasks of one GPU");
    size_t n = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        if (p->tasks[i].gpu != 0)
            continue;
        x->own[n++] = (uint32_t)i;
        x->first[p->tasks[i].layer + 1] = n;
    }
    for (int l = 1; l <= p->layers + 1;
         l++) /* a layer without tasks ends where the one before does */
        x->first[l] = x->first[l] > x->first[l - 1] ? x->first[l] : x->first[l - 1];
    return RC_OK;
}

/* The program's layer that is played as layer l of the pass; the head is behind the last. */
static int played(const pass *x, int l) {
    return x->written_out ? l : x->repeats.stands[l];
}

/* ---- where the time went -------------------------------------------------------------------- */

static void critical_path(const rc_run *r, rc_forward *out) {
    double basis[RC_BASIS_COUNT] = {0};
    for (int part = 0; part < RC_P_COUNT; part++) {
        for (int b = 0; b < RC_BASIS_COUNT; b++) {
            if (r->account[part][b] == 0)
                continue;
            rc_time ticks = rc_sim_critical(r->sim, r->account[part][b] - 1u);
            out->critical[part] += (double)ticks / RC_PS_PER_S;
            basis[b] += (double)ticks / RC_PS_PER_S;
        }
    }
    rc_basis_share(basis, out->basis);
}

/* What GPU 0 did, layer by layer. */
static void own_work(const pass *x, rc_forward *out) {
    const rc_program *p = &x->program;
    double basis[RC_BASIS_COUNT] = {0};
    rc_time covered = 0;
    for (int l = 0; l <= x->layers; l++) {
        int layer = played(x, l);
        for (size_t i = x->first[layer]; i < x->first[layer + 1]; i++) {
            const rc_task *t = &p->tasks[x->own[i]];
            rc_task_span at = rc_run_span(&x->run, x->own[i], l);
            rc_run_add_work(&x->run, t, at, 1, &covered, basis, out);
        }
    }
    rc_basis_share(basis, out->busy_basis);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* FLOPs of GPU 0. The program's tasks are in the order of its layers. */
static void count_flops(const pass *x, rc_forward *out) {
    const rc_program *p = &x->program;
    size_t from = 0;
    for (int layer = 0; layer <= p->layers; layer++) {
        rc_program part = *p;
        int times = 0;
        for (int l = 0; l <= x->layers; l++)
            times += played(x, l) == layer;
        part.tasks = p->tasks + from;
        for (part.task_count = 0; from < p->task_count && p->tasks[from].layer == layer; from++)
            part.task_count++;
        rc_counts counts = rc_program_counts(&part, 0);
        out->gemm_flops += times * counts.gemm_flops;
        out->attention_flops += times * counts.attention_flops;
    }
}

static void describe(const pass *x, rc_forward *out) {
    const rc_run *r = &x->run;
    out->ticks = rc_sim_end(r->sim);
    out->time = (double)out->ticks / RC_PS_PER_S;
    critical_path(r, out);
    own_work(x, out);
    rc_forward_hidden(out);
    count_flops(x, out);
    rc_ring_of(r, &out->ring);
    out->events = rc_sim_events(r->sim);
    out->ops = rc_sim_op_count(r->sim);
    out->gpus = x->program.gpus;
    out->layers_simulated = x->layers;
    out->trace_hash = x->keep_all ? rc_sim_trace_hash(r->sim) : rc_sim_order_hash(r->sim);
}

static rc_status run_pass(const rc_spec *spec, pass *x, rc_forward *out, rc_error *err) {
    RC_TRY(build(spec, x, err));
    RC_TRY(find_own(x, err));
    const rc_repeats *repeats = x->written_out ? NULL : &x->repeats;
    RC_TRY(rc_run_layers(spec, spec->costs, &x->program, repeats, NULL, x->keep_all, &x->run, err));
    describe(x, out);
    return RC_OK;
}

rc_status rc_play(const rc_spec *spec, rc_forward *out, rc_error *err) {
    pass x = {0};
    rc_status st = run_pass(spec, &x, out, err);
    if (x.run.sim)
        rc_run_free(&x.run);
    rc_program_free(&x.program);
    free(x.repeats.stands);
    free(x.repeats.repetition);
    free(x.repeats.template);
    free(x.own);
    free(x.first);
    return st;
}
