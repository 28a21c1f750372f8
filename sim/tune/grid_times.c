/* The grid and the time of everything on it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/parallel.h"
#include "sim/cost/basis.h"
#include "sim/engine/engine.h"
#include "sim/tune/tune_internal.h"

/* The grid is timed in this many slices, each of which takes every 32nd cell, so that all take
 * about as long. A constant, so that sums over slices do not depend on the number of threads. */
enum { SLICES = 32 };

const rc_schedule *rc_tune_schedule(int variant) {
    assert(variant >= 0 && variant < RC_TUNE_VARIANTS);
    int others = variant - RC_CHOICES;
    if (others < 0)
        return rc_choice_schedule((rc_choice)variant);
    const rc_schedule *s;
    for (int i = 0; (s = rc_schedule_many_at(i)) != NULL; i++)
        if (s != rc_choice_schedule(RC_CHOOSE_PASS_KV) &&
            s != rc_choice_schedule(RC_CHOOSE_PASS_Q) && others-- == 0)
            return s;
    return NULL;
}

/* ---- one time ------------------------------------------------------------------------------ */

rc_status rc_tune_timer_open(const rc_model *model, const rc_costs *costs, const rc_layout *layout,
                             int max_batch, rc_tune_timer *out, rc_error *err) {
    assert(max_batch >= 1);
    *out = (rc_tune_timer){.model = model, .costs = costs, .layout = *layout};
    out->room = (size_t)max_batch;
    out->seqs = calloc(out->room, sizeof *out->seqs);
    out->ctx = rc_forward_ctx_create();
    if (!out->seqs || !out->ctx)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %d sequences", max_batch);
    return RC_OK;
}

void rc_tune_timer_close(rc_tune_timer *c) {
    rc_forward_ctx_destroy(c->ctx);
    free(c->seqs);
    *c = (rc_tune_timer){0};
}

rc_status rc_tune_timer_time(rc_tune_timer *c, int n, int variant, int64_t t, int64_t p, int batch,
                             double *out, rc_error *err) {
    assert(batch >= 1 && (size_t)batch <= c->room);
    assert(n >= 1 && p >= 0);
    rc_error why = {0};
    rc_forward_timing f;
    *out = NAN;
    if (t < n) /* nothing to cut over the ranks */
        return RC_OK;
    rc_spec spec = {.model = c->model,
                    .costs = c->costs,
                    .layout = c->layout,
                    .phase = RC_PREFILL,
                    .schedule = rc_schedule_on(rc_tune_schedule(variant), n),
                    .seqs = c->seqs,
                    .seq_count = (size_t)batch,
                    .eager = true,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    spec.layout.cp = n;
    for (int i = 0; i < batch; i++)
        c->seqs[i] = (rc_sequence){t, p};
    if (rc_schedule_fits(spec.schedule, c->model, &spec.layout, NULL) != RC_OK)
        return RC_OK; /* degrees that this schedule cannot be cut for */
    rc_status st = rc_forward_time(c->ctx, &spec, &f, &why);
    *out = st == RC_OK ? f.time : NAN;
    for (int b = 0; b < RC_BASIS_COUNT && st == RC_OK; b++)
        c->rests[b] += f.time * f.busy_basis[b];
    if (st != RC_OK && st != RC_E_NOFIT) {
        if (err)
            *err = why;
        return st;
    }
    return RC_OK;
}

/* ---- the grid -------------------------------------------------------------------------------- */

int64_t rc_tune_axis_at(const rc_tune_axis *a, int i) {
    assert(a->points >= 2 && i >= 0 && i < a->points);
    assert(0 < a->from && a->from < a->to);
    double step = log((double)a->to / (double)a->from) / (a->points - 1);
    return llround((double)a->from * exp(step * i));
}

int rc_tune_degree_index(const rc_tune *t, int n) {
    for (int i = 0; i < t->s.degrees; i++)
        if (t->s.degree[i] == n)
            return i;
    return -1;
}

double rc_tune_time_at(const rc_tune *t, size_t cell, int degree, int variant) {
    assert(cell < t->count && degree >= 0 && degree < t->s.degrees);
    assert(variant >= 0 && variant < RC_TUNE_VARIANTS);
    return t
        ->time[(cell * (size_t)t->s.degrees + (size_t)degree) * RC_TUNE_VARIANTS + (size_t)variant];
}

/* Neighbours of an axis that round to the same token count once. */
static bool repeats(const rc_tune_axis *a, int i) {
    return i > 0 && rc_tune_axis_at(a, i) == rc_tune_axis_at(a, i - 1);
}

static void fill_cells(rc_tune *t) {
    rc_rng rng;
    rc_rng_seed(&rng, t->s.seed);
    for (int b = 0; b < t->s.batches; b++) {
        for (int l = 0; l < t->s.total.points; l++) {
            int64_t length = rc_tune_axis_at(&t->s.total, l);
            for (int i = 0; i < t->s.fresh.points && !repeats(&t->s.total, l); i++) {
                int64_t fresh = rc_tune_axis_at(&t->s.fresh, i);
                if (fresh > length || repeats(&t->s.fresh, i))
                    continue;
                t->cells[t->count++] =
                    (rc_tune_cell){fresh, length - fresh, b, (rc_rng_u64(&rng) >> 63) != 0};
            }
        }
    }
}

rc_status rc_tune_grid(rc_tune *t, rc_error *err) {
    assert(t->cells == NULL && t->time == NULL);
    size_t most = (size_t)t->s.fresh.points * (size_t)t->s.total.points * (size_t)t->s.batches;
    t->cells = calloc(most, sizeof *t->cells);
    if (!t->cells)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu cells", most);
    fill_cells(t);
    if (t->count == 0)
        return rc_fail(err, RC_E_INPUT, "the grid has no cell: no T of 'new' is within 'total'");
    size_t times = t->count * (size_t)t->s.degrees * RC_TUNE_VARIANTS;
    t->time = calloc(times, sizeof *t->time);
    if (!t->time)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu times", times);
    return RC_OK;
}

/* ---- all times ------------------------------------------------------------------------------- */

static rc_status time_cell(rc_tune *t, rc_tune_timer *timer, size_t cell, rc_error *err) {
    const rc_tune_cell *c = &t->cells[cell];
    for (int d = 0; d < t->s.degrees; d++) {
        double *out = &t->time[(cell * (size_t)t->s.degrees + (size_t)d) * RC_TUNE_VARIANTS];
        bool alone = t->s.degree[d] == 1;
        out[RC_TUNE_GATHER] = NAN;
        for (int v = 0; v < (alone ? 1 : t->variants); v++)
            RC_TRY(rc_tune_timer_time(timer, t->s.degree[d], v, c->t, c->p, t->s.batch[c->batch],
                                      &out[v], err));
        if (alone)
            out[RC_TUNE_Q] = out[RC_TUNE_GATHER] = out[RC_TUNE_KV];
    }
    return RC_OK;
}

typedef struct slices {
    rc_tune *t;
    double rests[SLICES][RC_BASIS_COUNT]; /* each slice's own, added up in order afterwards */
} slices;

static rc_status time_slice(void *ctx, size_t item, rc_error *err) {
    slices *s = ctx;
    rc_tune *t = s->t;
    rc_tune_timer timer;
    rc_status st = rc_tune_timer_open(&t->s.model, t->costs, &t->s.layout,
                                      t->s.batch[t->s.batches - 1], &timer, err);
    for (size_t i = item; i < t->count && st == RC_OK; i += SLICES)
        st = time_cell(t, &timer, i, err);
    memcpy(s->rests[item], timer.rests, sizeof timer.rests);
    rc_tune_timer_close(&timer);
    return st;
}

rc_status rc_tune_evaluate(rc_tune *t, rc_error *err) {
    slices s = {.t = t};
    RC_TRY(rc_parallel(SLICES, t->threads, time_slice, &s, err));
    for (int b = 0; b < RC_BASIS_COUNT; b++) {
        t->rests[b] = 0.0;
        for (int i = 0; i < SLICES; i++)
            t->rests[b] += s.rests[i][b];
    }
    rc_basis_share(t->rests, t->rests);
    for (int d = 0; d < t->s.degrees; d++)
        t->passes += t->count * (t->s.degree[d] == 1 ? 1 : RC_TUNE_VARIANTS);
    return RC_OK;
}
