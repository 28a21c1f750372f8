/* Intervals: the pass again and again under drawn costs.
 *
 * A draw simulates a few layers only and goes on by the last of them; what is kept is its ratio to
 * the nominal pass over the same few layers, applied to the nominal result. That is all an interval
 * needs, and it costs a twentieth of simulating every layer of a pass whose ranks never quite
 * settle. SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/internal.h"

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

static rc_status run_once(const rc_spec *spec, const rc_costs *costs, const rc_program *program,
                          const double *z, sample *out, rc_error *err) {
    rc_run run;
    rc_fold fold;
    rc_ring_times ring;
    bool steady;
    RC_TRY(rc_run_program(spec, costs, program, z, &run, err));
    rc_status st = rc_fold_of(&run, &fold, &steady, err);
    rc_ring_of(&run, &ring);
    sample_of((double)fold.end / RC_PS_PER_S, &ring, out);
    rc_run_free(&run);
    return st;
}

static rc_status draw_one(const rc_spec *spec, const rc_program *program, rc_rng *rng, sample *out,
                          rc_error *err) {
    rc_machine m;
    rc_costs *view = NULL;
    double z[RC_F_COUNT];
    draw_machine(rc_costs_machine(spec->costs), rng, &m);
    for (int f = 0; f < RC_F_COUNT; f++)
        z[f] = rc_rng_normal(rng);
    RC_TRY(rc_costs_view(spec->costs, &m, &view, err));
    rc_status st = run_once(spec, view, program, z, out, err);
    rc_costs_close(view);
    return st;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double q) {
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Quantiles of draws / nominal, times the result; column is scratch for `n` numbers. */
static void quantiles(const sample *draws, int n, const sample *nominal, const sample *result,
                      double *column, sample *p5, sample *p95) {
    for (int k = 0; k < VALUES; k++) {
        double scale = nominal->v[k] > 0.0 ? result->v[k] / nominal->v[k] : 0.0;
        for (int i = 0; i < n; i++)
            column[i] = draws[i].v[k] * scale;
        qsort(column, (size_t)n, sizeof *column, by_value);
        p5->v[k] = quantile(column, n, 0.05);
        p95->v[k] = quantile(column, n, 0.95);
    }
}

static void keep(const sample *p5, const sample *p95, rc_forward *out) {
    out->p5 = p5->v[0];
    out->p95 = p95->v[0];
    memcpy(&out->ring_p5, p5->v + 1, sizeof out->ring_p5);
    memcpy(&out->ring_p95, p95->v + 1, sizeof out->ring_p95);
}

static rc_status draw_all(const rc_spec *spec, const rc_program *program, int n, sample *draws,
                          double *column, rc_forward *out, rc_error *err) {
    sample nominal, result, p5, p95;
    rc_rng rng;
    rc_rng_seed(&rng, spec->seed);
    RC_TRY(run_once(spec, spec->costs, program, NULL, &nominal, err));
    for (int i = 0; i < n; i++)
        RC_TRY(draw_one(spec, program, &rng, &draws[i], err));
    sample_of(out->time, &out->ring, &result);
    quantiles(draws, n, &nominal, &result, column, &p5, &p95);
    keep(&p5, &p95, out);
    return RC_OK;
}

rc_status rc_draw_intervals(const rc_spec *spec, rc_forward *out, rc_error *err) {
    sample result;
    sample_of(out->time, &out->ring, &result);
    keep(&result, &result, out);
    int n = spec->draws;
    if (n < 1)
        return RC_OK;
    int all = spec->model->layers;
    int layers = all < DRAW_LAYERS || !rc_model_uniform(spec->model) ? all : DRAW_LAYERS;
    rc_spec folded = *spec;
    rc_program program;
    folded.unfold = false; /* a TP group of equal GPUs is one GPU to the tick */
    rc_request rq = rc_spec_request(&folded, layers);
    RC_TRY(rc_build_program(&folded, &rq, &program, err));
    sample *draws = calloc((size_t)n, sizeof *draws);
    double *column = calloc((size_t)n, sizeof *column);
    rc_status st = draws && column ? draw_all(&folded, &program, n, draws, column, out, err)
                                   : rc_fail(err, RC_E_NOMEM, "out of memory for %d draws", n);
    free(draws);
    free(column);
    rc_program_free(&program);
    return st;
}
