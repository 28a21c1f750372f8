/* A point of a sweep: from its index to a value on each axis, and from there to the inputs of a
 * pass. Nothing is allocated per point.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/schedule/layout.h"
#include "sim/sweep/sweep_internal.h"

rc_status sweep_cursor_init(sweep_cursor *c, const rc_sweep *s, rc_error *err) {
    assert(s->max_batch >= 1);
    assert(s->axis_count >= 1);
    memset(c, 0, sizeof *c);
    c->s = s;
    c->own = malloc((size_t)s->max_batch * sizeof *c->own);
    if (s->sobol)
        c->q = gsl_qrng_alloc(gsl_qrng_sobol, (unsigned)s->axis_count);
    if (!c->own || (s->sobol && !c->q)) {
        sweep_cursor_free(c);
        return rc_fail(err, RC_E_NOMEM, "out of memory for the points of a sweep");
    }
    return RC_OK;
}

void sweep_cursor_free(sweep_cursor *c) {
    if (c->q)
        gsl_qrng_free(c->q);
    free(c->own);
    memset(c, 0, sizeof *c);
}

/* ---- values on the axes ------------------------------------------------------------------ */

/* Sobol's sequence is generated in order. A worker's points ascend, so it is seldom started
 * anew. */
static void draw(sweep_cursor *c, int64_t point) {
    assert(c->q != NULL);
    if (point < c->drawn) {
        gsl_qrng_init(c->q);
        c->drawn = 0;
    }
    for (; c->drawn <= point; c->drawn++)
        (void)gsl_qrng_get(c->q, c->u);
}

/* Which value of a discrete axis u of [0, 1) falls on. */
static size_t value_index(const sweep_axis *x, double u) {
    assert(x->count > 0);
    size_t i = (size_t)(u * (double)x->count);
    return i < x->count ? i : x->count - 1;
}

static sweep_value drawn_value(const sweep_axis *x, double u) {
    assert(u >= 0.0 && u < 1.0);
    if (x->count > 0)
        return x->values[value_index(x, u)];
    double d = x->log ? x->from * pow(x->to / x->from, u) : x->from + u * (x->to - x->from);
    return sweep_as_value(&x->key, d);
}

static void find_values(sweep_cursor *c, int64_t point, size_t *index) {
    const rc_sweep *s = c->s;
    if (s->sobol) {
        draw(c, point);
        for (size_t i = 0; i < s->axis_count; i++) {
            c->v[i] = drawn_value(&s->axes[i], c->u[i]);
            index[i] = s->axes[i].count > 0 ? value_index(&s->axes[i], c->u[i]) : 0;
        }
        return;
    }
    for (size_t i = s->axis_count; i-- > 0;) {
        int64_t n = (int64_t)s->axes[i].count;
        index[i] = (size_t)(point % n);
        c->v[i] = s->axes[i].values[index[i]];
        point /= n;
    }
}

/* ---- written over the scenario ------------------------------------------------------------ */

static void reset(sweep_cursor *c) {
    const rc_scenario *b = &c->s->base;
    c->layout = b->layout;
    c->schedule = b->schedule;
    c->phase = b->phase;
    c->eager = b->eager;
    c->serial_ring = b->serial_ring;
    c->what_if = b->what_if;
    c->t = b->seqs[0].t;
    c->p = b->seqs[0].p;
    c->batch = (int64_t)b->seq_count;
    c->gpus = 0;
    c->staging = b->staging;
    c->seqs = NULL;
    c->model = c->s->models[0];
}

static void apply(sweep_cursor *c, const sweep_axis *x, sweep_value v) {
    switch (x->key.id) {
    case SWEEP_MODEL:
        assert(v.i >= 0 && (size_t)v.i < c->s->model_count);
        c->model = c->s->models[v.i];
        break;
    case SWEEP_TP:
        c->layout.tp = (int)v.i;
        break;
    case SWEEP_CP:
        c->layout.cp = (int)v.i;
        break;
    case SWEEP_DCP:
        c->layout.dcp = (int)v.i;
        break;
    case SWEEP_ULYSSES:
        c->layout.ulysses = (int)v.i;
        break;
    case SWEEP_DP:
        c->layout.dp = (int)v.i;
        break;
    case SWEEP_EP:
        c->layout.ep = (int)v.i;
        break;
    case SWEEP_PP:
        c->staging.stages = (int)v.i;
        break;
    case SWEEP_CHUNK:
        c->staging.chunk = v.i;
        break;
    case SWEEP_GPUS:
        c->gpus = v.i;
        break;
    case SWEEP_VARIANT:
        c->schedule = rc_schedule_at((int)v.i);
        break;
    case SWEEP_PHASE:
        c->phase = v.i == 0 ? RC_PREFILL : RC_DECODE;
        break;
    case SWEEP_ATTN_WEIGHTS:
        c->layout.attn_weights = rc_dtype_stated((int)v.i);
        break;
    case SWEEP_FFN_WEIGHTS:
        c->layout.ffn_weights = rc_dtype_stated((int)v.i);
        break;
    case SWEEP_ACT:
        c->layout.act = rc_dtype_stated((int)v.i);
        break;
    case SWEEP_KV:
        c->layout.kv = rc_dtype_stated((int)v.i);
        break;
    case SWEEP_HOST:
        c->eager = v.i == 0;
        break;
    case SWEEP_RING:
        c->serial_ring = v.i == 1;
        break;
    case SWEEP_SLOW_RANK:
        c->what_if.slow_rank = (int)v.i;
        break;
    case SWEEP_SLOW_SPEED:
        c->what_if.slow_speed = v.d;
        break;
    case SWEEP_SLOW_LINK_RANK:
        c->what_if.slow_link_rank = (int)v.i;
        break;
    case SWEEP_SLOW_LINK:
        c->what_if.slow_link = v.d;
        break;
    case SWEEP_OVERLAP_COMPUTE:
        c->what_if.overlap_compute = v.d;
        break;
    case SWEEP_OVERLAP_COMM:
        c->what_if.overlap_comm = v.d;
        break;
    case SWEEP_BATCH:
        c->batch = v.i;
        break;
    case SWEEP_CACHED:
        c->p = v.i;
        break;
    case SWEEP_NEW:
        c->t = v.i;
        break;
    case SWEEP_MACHINE:
    case SWEEP_NUMBER:
        break;
    }
}

/* What a phase implies where the file does not say, as in a scenario. */
static void follow_phase(sweep_cursor *c) {
    const rc_sweep *s = c->s;
    if (!sweep_axis_find(s->axes, s->axis_count, SWEEP_PHASE))
        return;
    if (!s->has_host)
        c->eager = c->phase == RC_PREFILL;
    if (!s->has_ring)
        c->serial_ring = c->phase == RC_DECODE;
}

/* Types that neither the file nor an axis states are those of each model's own checkpoint. */
static void follow_model(sweep_cursor *c) {
    const rc_sweep *s = c->s;
    rc_layout own = c->layout;
    if (!sweep_axis_find(s->axes, s->axis_count, SWEEP_MODEL))
        return;
    rc_model_dtypes(c->model, &own);
    if (!s->has_attn_weights && !sweep_axis_find(s->axes, s->axis_count, SWEEP_ATTN_WEIGHTS))
        c->layout.attn_weights = own.attn_weights;
    if (!s->has_ffn_weights && !sweep_axis_find(s->axes, s->axis_count, SWEEP_FFN_WEIGHTS))
        c->layout.ffn_weights = own.ffn_weights;
    if (!s->has_kv && !sweep_axis_find(s->axes, s->axis_count, SWEEP_KV))
        c->layout.kv = own.kv;
}

/* The longest sequence of any point. */
static int64_t longest_of(const rc_sweep *s) {
    static const sweep_id ids[] = {SWEEP_NEW, SWEEP_CACHED};
    int64_t sum = 0, stated = 0;
    for (int i = 0; i < 2; i++) {
        const sweep_axis *x = sweep_axis_find(s->axes, s->axis_count, ids[i]);
        int64_t most = i == 0 ? s->base.seqs[0].t : s->base.seqs[0].p;
        for (size_t k = 0; x && k < x->count; k++)
            most = x->values[k].i > most ? x->values[k].i : most;
        if (x && x->count == 0)
            most = (int64_t)x->to;
        sum += most;
    }
    for (size_t i = 0; i < s->base.seq_count; i++)
        if (s->base.seqs[i].t + s->base.seqs[i].p > stated)
            stated = s->base.seqs[i].t + s->base.seqs[i].p;
    return sum > stated ? sum : stated;
}

void rc_sweep_notes(const rc_sweep *s, rc_notes *out) {
    out->count = 0;
    for (size_t i = 0; i < s->model_count; i++) {
        sweep_cursor c = {.s = s, .model = s->models[i], .layout = s->base.layout};
        rc_notes own;
        follow_model(&c);
        rc_model_notes(c.model, &c.layout, longest_of(s), &own);
        for (int k = 0; k < own.count; k++)
            rc_note(out, "%s", own.text[k]);
    }
}

static void find_machine(sweep_cursor *c, const size_t *index) {
    const rc_sweep *s = c->s;
    size_t machine = 0, combo = 0;
    for (size_t i = 0; i < s->axis_count; i++) {
        if (s->axes[i].key.id == SWEEP_MACHINE)
            machine = index[i];
        else if (s->axes[i].key.id == SWEEP_NUMBER)
            combo = combo * s->axes[i].count + index[i];
    }
    assert(machine * s->combos + combo < s->cost_count);
    c->costs = s->costs[machine * s->combos + combo];
}

static void fill_sequences(sweep_cursor *c) {
    const rc_scenario *b = &c->s->base;
    for (size_t i = 0; i < b->seq_count; i++)
        if (b->seqs[i].t != b->seqs[0].t || b->seqs[i].p != b->seqs[0].p) { /* a stated list */
            c->seqs = b->seqs;
            c->seq_count = b->seq_count;
            c->own_count = b->own;
            c->elsewhere = b->elsewhere;
            return;
        }
    assert(c->batch >= 1 && c->batch <= c->s->max_batch);
    for (int64_t i = 0; i < c->batch; i++)
        c->own[i] = (rc_sequence){c->t, c->p};
    const int64_t own = rc_ceil_div(c->batch, rc_layout_dp(&c->layout));
    c->seqs = c->own;
    c->seq_count = (size_t)c->batch;
    c->own_count = (size_t)own;
    c->elsewhere = (rc_elsewhere){(c->batch - own) * c->t, c->batch - own};
}

static bool has_list(const sweep_cursor *c) {
    return c->seqs == c->s->base.seqs;
}

/* Where the ranks are parts of one TP group, `tp` counts its GPUs. */
static rc_status cut_world(sweep_cursor *c, rc_error *err) {
    const rc_sweep *s = c->s;
    const rc_layout *base = &s->base.layout;
    if (!c->layout.ffn_over_cp)
        return RC_OK;
    bool swept = sweep_axis_find(s->axes, s->axis_count, SWEEP_TP) != NULL;
    int world = swept ? c->layout.tp : rc_layout_gpus(base),
        parts = c->layout.cp * rc_layout_dp(&c->layout);
    if (c->gpus > 0)
        return rc_fail(err, RC_E_INPUT,
                       "key 'gpus' is for world tp-x-cp; with world tp they are tp");
    if (world % parts != 0)
        return rc_fail(err, RC_E_INPUT,
                       "with world tp, cp x dp_attention divides tp; found tp %d and %d parts",
                       world, parts);
    c->layout.tp = world / parts;
    return RC_OK;
}

static rc_status check(sweep_cursor *c, rc_error *err) {
    RC_TRY(cut_world(c, err));
    if (c->gpus > 0 && c->gpus % c->layout.tp != 0)
        return rc_fail(err, RC_E_INPUT, "%lld GPUs cannot be cut into groups of tp %d",
                       (long long)c->gpus, c->layout.tp);
    if (c->gpus > 0)
        c->layout.cp = (int)(c->gpus / c->layout.tp);
    if (c->layout.ep == 0)
        c->layout.ep = rc_layout_gpus(&c->layout);
    if (has_list(c) && rc_layout_dp(&c->layout) != rc_layout_dp(&c->s->base.layout))
        return rc_fail(err, RC_E_INPUT,
                       "key 'dp_attention': values of a sweep take equal sequences");
    const rc_what_if *w = &c->what_if;
    int rank = w->slow_rank > w->slow_link_rank ? w->slow_rank : w->slow_link_rank;
    if (rank >= c->layout.cp)
        return rc_fail(err, RC_E_INPUT, "what_if: rank %d of cp %d", rank, c->layout.cp);
    return RC_OK;
}

rc_status sweep_cursor_at(sweep_cursor *c, int64_t point, rc_error *err) {
    const rc_sweep *s = c->s;
    assert(point >= 0 && point < s->points);
    size_t index[SWEEP_AXES] = {0};
    find_values(c, point, index);
    reset(c);
    for (size_t i = 0; i < s->axis_count; i++)
        apply(c, &s->axes[i], c->v[i]);
    follow_phase(c);
    follow_model(c);
    find_machine(c, index);
    fill_sequences(c);
    return check(c, err);
}
