/* Intervals: the pass again and again under drawn costs, which give new prices to the shapes of one
 * program.
 *
 * A draw evaluates a few layers of each run only and goes on by the last of them; what is kept is
 * its ratio to the nominal pass over the same few layers, applied to the nominal result. That is
 * all an interval needs, and it costs a twentieth of evaluating every layer of a pass whose ranks
 * never quite settle.
 *
 * Then the interval of the time is widened by the error of the model itself, where the machine has a
 * table of it (sim/machine/model_errors.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/quantile.h"
#include "sim/forward/replay.h"

enum { DRAW_LAYERS = 6, VALUES = 7 };
_Static_assert(sizeof(rc_ring_times) == (VALUES - 1) * sizeof(double), "a sample holds them all");

typedef struct sample {
    double v[VALUES]; /* the time of the pass, then rc_ring_times in its order */
} sample;

static void sample_of(double time, const rc_ring_times *ring, sample *out) {
    out->v[0] = time;
    memcpy(out->v + 1, ring, sizeof *ring);
}

/* Each fitted parameter moves inside its interval: half-widths either side are 90 % ones. */
static void draw_machine(const rc_machine *m, rc_rng *rng, rc_machine *out) {
    double drawn[RC_MAX_FITTED];
    *out = *m;
    for (int i = 0; i < m->fitted_count; i++) {
        const rc_fitted *f = &m->fitted[i];
        double z = rc_rng_normal(rng) / 1.6448536269514722;
        double value = f->value + z * (z > 0.0 ? f->hi - f->value : f->value - f->lo);
        drawn[i] = fmax(value, 1e-3 * f->value);
    }
    rc_machine_set_fitted(out, drawn);
    out->nic_line_rate = fmax(out->nic_line_rate, out->peer_rate);
}

/* A pass that is drawn again and again: on the replay of the whole pass or, where it cannot be
 * evaluated, as a program of a few layers on the engine. */
typedef struct redraw {
    const rc_spec *spec;
    rc_replay *replay;     /* NULL: the engine */
    rc_shape_cost *prices; /* of the replay's shapes */
    rc_program program;    /* of the engine, laid out when it is needed */
    int layers;
} redraw;

static rc_status play(redraw *d, const rc_costs *costs, const rc_draw *z, sample *out,
                      rc_error *err) {
    rc_run run;
    rc_fold fold;
    rc_ring_times ring;
    bool steady;
    if (!d->program.tasks) {
        rc_request rq = rc_spec_request(d->spec, d->layers);
        RC_TRY(rc_build_program(d->spec, &rq, &d->program, err));
    }
    RC_TRY(rc_run_program(d->spec, costs, &d->program, z, &run, err));
    rc_status st = rc_fold_of(&run, &fold, &steady, err);
    rc_ring_of(&run, &ring);
    sample_of((double)fold.end / RC_PS_PER_S, &ring, out);
    rc_run_free(&run);
    return st;
}

/* When GPU 0 has done all that it does in the layers evaluated so far. */
static rc_time own_end(const rc_replay *r) {
    rc_time end = 0;
    for (size_t k = RC_LEFT_COMPUTE; k < RC_LEFT_COUNT; k++)
        end = r->state[k * r->gpus] > end ? r->state[k * r->gpus] : end;
    return end;
}

/* A few repetitions of the pattern of a run of layers. The others are taken to last as long as the
 * last of these: that is added to *left_out. False when it cannot be evaluated. */
static bool evaluate_run(rc_replay *r, const rc_layer_run *run, rc_ring_times *ring,
                         rc_time *left_out) {
    int times = run->times < DRAW_LAYERS ? run->times : DRAW_LAYERS;
    rc_time before = 0;
    for (int t = 0; t < times; t++) {
        before = own_end(r);
        for (int i = 0; i < run->length; i++) {
            if (!rc_replay_section(r, run->kind[i]))
                return false;
            (void)rc_replay_ring(r, run->kind[i], ring);
        }
    }
    *left_out += (own_end(r) - before) * (run->times - times);
    return true;
}

/* False when it cannot be evaluated at these prices. */
static bool evaluate(redraw *d, sample *out) {
    rc_replay *r = d->replay;
    const rc_model *m = d->spec->model;
    rc_ring_times ring = {0};
    rc_time left_out = 0;
    if (!rc_replay_price(r, d->spec, d->prices))
        return false;
    rc_replay_rewind(r);
    for (int i = 0; i < rc_model_runs(m); i++) {
        const rc_layer_run run = rc_model_run(m, i);
        if (!evaluate_run(r, &run, &ring, &left_out))
            return false;
    }
    if (!rc_replay_section(r, r->one.layers_of->section_count - 1))
        return false;
    rc_time end = rc_replay_end(r) + left_out;
    sample_of((double)end / RC_PS_PER_S, &ring, out);
    return true;
}

static rc_status run_once(redraw *d, const rc_costs *costs, const rc_draw *z, sample *out,
                          rc_error *err) {
    rc_replay *r = d->replay;
    if (!r)
        return play(d, costs, z, out, err);
    for (size_t i = 0; i < r->one.shape_count; i++)
        RC_TRY(rc_shape_draw(costs, &r->one, &r->one.shapes[i], z, &d->prices[i], err));
    rc_contend(d->spec, costs, &r->one, d->prices);
    rc_space_launches(d->spec, costs, &r->one, d->prices);
    return evaluate(d, out) ? RC_OK : play(d, costs, z, out, err);
}

static rc_status draw_one(redraw *d, rc_rng *rng, sample *out, rc_error *err) {
    rc_machine m;
    rc_costs *view = NULL;
    rc_draw z;
    draw_machine(rc_costs_machine(d->spec->costs), rng, &m);
    for (int f = 0; f < RC_F_COUNT; f++)
        z.family[f] = rc_rng_normal(rng);
    z.own = rc_rng_u64(rng);
    RC_TRY(rc_costs_view(d->spec->costs, &m, &view, err));
    rc_status st = run_once(d, view, &z, out, err);
    rc_costs_close(view);
    return st;
}

/* Quantiles of draws / nominal, times the result; column is scratch for `n` numbers. */
static void quantiles(const sample *draws, int n, const sample *nominal, const sample *result,
                      double *column, sample *p5, sample *p95) {
    for (int k = 0; k < VALUES; k++) {
        double scale = nominal->v[k] > 0.0 ? result->v[k] / nominal->v[k] : 0.0;
        for (int i = 0; i < n; i++)
            column[i] = draws[i].v[k] * scale;
        rc_sort(column, (size_t)n);
        p5->v[k] = rc_quantile(column, (size_t)n, 0.05);
        p95->v[k] = rc_quantile(column, (size_t)n, 0.95);
    }
}

static void keep(const sample *p5, const sample *p95, rc_forward *out) {
    out->p5 = p5->v[0];
    out->p95 = p95->v[0];
    memcpy(&out->ring_p5, p5->v + 1, sizeof out->ring_p5);
    memcpy(&out->ring_p95, p95->v + 1, sizeof out->ring_p95);
}

double rc_pass_model_error(const rc_spec *spec, double time) {
    const rc_machine *m = rc_costs_machine(spec->costs);
    const rc_layout *l = &spec->layout;
    if (m->errors.n == 0 || !(time > 0.0) ||
        rc_machine_nodes(m, l->tp, l->cp * rc_layout_dp(l)) > 1)
        return 0.0;
    rc_pass_kind kind = spec->phase == RC_DECODE ? RC_PASS_DECODE
                        : l->cp > 1              ? RC_PASS_PREFILL
                                                 : RC_PASS_TP;
    const char *transport = rc_layout_gpus(l) > 1 ? m->intra_transport : "none";
    const rc_model_error *e = rc_model_error_find(&m->errors, transport, kind);
    return e != NULL ? rc_model_error_half(e, time / spec->model->layers) : 0.0;
}

static rc_status draw_all(redraw *d, int n, sample *draws, double *column, rc_forward *out,
                          rc_error *err) {
    sample nominal, result, p5, p95;
    rc_rng rng;
    rc_rng_seed(&rng, d->spec->seed);
    RC_TRY(run_once(d, d->spec->costs, NULL, &nominal, err));
    for (int i = 0; i < n; i++)
        RC_TRY(draw_one(d, &rng, &draws[i], err));
    sample_of(out->time, &out->ring, &result);
    for (int i = 0; i < n && d->spec->drawn != NULL; i++)
        d->spec->drawn[i] = draws[i].v[0] / nominal.v[0] * result.v[0];
    quantiles(draws, n, &nominal, &result, column, &p5, &p95);
    keep(&p5, &p95, out);
    double model = rc_pass_model_error(d->spec, out->time);
    if (model > 0.0)
        rc_model_error_widen(model, out->time, &out->p5, &out->p95);
    return RC_OK;
}

rc_status rc_draw_intervals(const rc_spec *spec, rc_replay *replay, rc_forward *out,
                            rc_error *err) {
    sample result;
    sample_of(out->time, &out->ring, &result);
    keep(&result, &result, out);
    int n = spec->draws;
    if (n < 1)
        return RC_OK;
    int all = spec->model->layers;
    int layers = all < DRAW_LAYERS || !rc_model_uniform(spec->model) ? all : DRAW_LAYERS;
    rc_spec folded = *spec;
    folded.unfold = false; /* a TP group of equal GPUs is one GPU to the tick */
    redraw d = {.spec = &folded, .replay = replay, .layers = layers};
    sample *draws = calloc((size_t)n, sizeof *draws);
    double *column = calloc((size_t)n, sizeof *column);
    d.prices = calloc(replay ? replay->one.shape_count : 1, sizeof *d.prices);
    rc_status st = draws && column && d.prices
                       ? draw_all(&d, n, draws, column, out, err)
                       : rc_fail(err, RC_E_NOMEM, "out of memory for %d draws", n);
    free(draws);
    free(column);
    free(d.prices);
    rc_program_free(&d.program);
    return st;
}
