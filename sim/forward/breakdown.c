/* Folding of layers, and where the time went: the critical path walked back from the last op.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
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

/* The ops after the last layer wait for their launches: the host is ahead by less than they need.
 */
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
    rc_time *ends = layer_ends(r);
    if (!ends)
        return rc_fail(err, RC_E_NOMEM, "out of memory while folding layers");
    *steady = is_steady(r, ends, &out->period);
    size_t columns = 2 * (size_t)p->gpus;
    out->from = ends[(size_t)(p->layers - 2) * columns];
    free(ends);
    if (out->period > 0 && (RC_TIME_NEVER - out->end) / out->period < out->layers)
        return rc_fail(err, RC_E_INPUT, "%d layers of %.3g s each are beyond the range of time",
                       out->layers, (double)out->period / RC_PS_PER_S);
    out->to = out->from + out->period;
    out->end += out->period * (out->layers - p->layers);
    return RC_OK;
}

/* Ticks of [a, b), those inside the repeating window counted once more for every folded layer. */
static double weighed(const rc_fold *f, rc_time a, rc_time b) {
    rc_time lo = a > f->from ? a : f->from, hi = b < f->to ? b : f->to;
    double ticks = (double)(b - a);
    if (f->period > 0 && hi > lo)
        ticks += (double)(hi - lo) * (f->layers - f->simulated);
    return ticks / RC_PS_PER_S;
}

static rc_id last_op(const rc_sim *sim) {
    rc_time end = rc_sim_end(sim);
    rc_id n = (rc_id)rc_sim_op_count(sim);
    for (rc_id i = 0; i < n; i++)
        if (rc_sim_op_end(sim, i) == end)
            return i;
    return RC_NONE;
}

/* Work that took longer than it costs was slowed by what the what-if says of overlap. */
static rc_basis basis_of(const rc_run *r, rc_id op) {
    const rc_program *p = r->program;
    const rc_task *t = &p->tasks[op];
    const rc_shape *s = &p->shapes[t->shape];
    const rc_what_if *w = &r->spec->what_if;
    const rc_shape_cost *c = &r->costs[t->shape];
    bool message = s->kind == RC_T_MESSAGE;
    double took = (double)(rc_sim_op_end(r->sim, op) - rc_sim_op_start(r->sim, op));
    double alone = (double)c->duration;
    if (message)
        alone += s->bytes * RC_PS_PER_S /
                 fmin(c->link_rate, c->peer_rate > 0.0 ? c->peer_rate : c->link_rate);
    bool beside = message || (t->lane == RC_LANE_COMPUTE && s->kind != RC_T_COLLECTIVE);
    double factor = message ? w->overlap_comm : w->overlap_compute;
    if (beside && factor > 0.0 && factor != 1.0 && took > alone + 1.0)
        return RC_STATED;
    return rc_task_basis(&r->spec->what_if, t, p->gpus_per_rank, s, r->costs[t->shape].basis);
}

static void walk_critical_path(const rc_run *r, const rc_fold *f, rc_forward *out) {
    double basis[RC_BASIS_COUNT] = {0};
    for (rc_id op = last_op(r->sim); op != RC_NONE;) {
        rc_id cause = rc_sim_op_cause(r->sim, op);
        rc_time from = cause == RC_NONE ? 0 : rc_sim_op_end(r->sim, cause);
        double s = weighed(f, from, rc_sim_op_end(r->sim, op));
        const rc_task *t = &r->program->tasks[op];
        out->critical[r->program->shapes[t->shape].part] += s;
        basis[basis_of(r, op)] += s;
        op = cause;
    }
    rc_basis_share(basis, out->basis);
}

void rc_breakdown(const rc_run *r, const rc_fold *f, rc_forward *out) {
    const rc_program *p = r->program;
    walk_critical_path(r, f, out);
    double comm = 0.0, basis[RC_BASIS_COUNT] = {0};
    rc_time covered = 0; /* messages of one all-to-all leave together: their union is counted */
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->gpu != 0)
            continue;
        rc_time start = rc_sim_op_start(r->sim, (rc_id)i), end = rc_sim_op_end(r->sim, (rc_id)i);
        if (p->shapes[t->shape].part == RC_P_ALL2ALL) {
            start = later(start, covered);
            covered = later(covered, end);
        }
        double s = end > start ? (double)(end - start) / RC_PS_PER_S : 0.0;
        if (f->period > 0 && t->layer == p->layers - 1)
            s *= 1 + f->layers - f->simulated;
        out->busy[p->shapes[t->shape].part] += s;
        if (rc_task_works(&p->shapes[t->shape]))
            basis[basis_of(r, (rc_id)i)] += s;
    }
    rc_basis_share(basis, out->busy_basis);
    for (int i = 0; i < RC_P_COUNT; i++) {
        if (!rc_part_is_comm((rc_part)i))
            continue;
        out->exposed_comm += out->critical[i];
        comm += out->busy[i];
    }
    out->hidden_comm = comm > out->exposed_comm ? comm - out->exposed_comm : 0.0;
}

typedef struct part_times {
    rc_time sum, first, last;
    int count;
} part_times;

static void add_times(part_times *t, rc_time start, rc_time end) {
    if (t->count == 0 || start < t->first)
        t->first = start;
    t->last = later(t->last, end);
    t->sum += end - start;
    t->count++;
}

static double mean(const part_times *t) {
    return t->count ? (double)t->sum / t->count / RC_PS_PER_S : 0.0;
}

void rc_ring_of(const rc_run *r, rc_ring_times *out) {
    const rc_program *p = r->program;
    int of = r->repeats ? r->repeats->layers - 1 : p->layers - 1; /* the last layer of the pass */
    int layer = r->repeats ? r->repeats->stands[of] : of;
    part_times attn = {0}, later_steps = {0}, send = {0}, a2a = {0}, merge = {0};
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_task *t = &p->tasks[i];
        if (t->gpu != 0 || t->layer != layer)
            continue;
        rc_span at = rc_run_span(r, (uint32_t)i, of);
        switch (p->shapes[t->shape].part) {
        case RC_P_ATTENTION:
            add_times(&attn, at.start, at.end);
            if (t->step > 0)
                add_times(&later_steps, at.start, at.end);
            break;
        case RC_P_SENDRECV:
            add_times(&send, at.start, at.end);
            break;
        case RC_P_ALL2ALL:
            add_times(&a2a, at.start, at.end);
            break;
        case RC_P_MERGE:
            add_times(&merge, at.start, at.end);
            break;
        default:
            break;
        }
    }
    rc_time first = send.count && send.first < attn.first ? send.first : attn.first;
    rc_time last = merge.count ? merge.last : attn.last;
    out->attn_op = later_steps.count ? mean(&later_steps) : mean(&attn);
    out->attn_ring = (double)attn.sum / RC_PS_PER_S;
    out->sendrecv = mean(&send);
    out->sendrecv_ring = (double)send.sum / RC_PS_PER_S;
    out->all2all = a2a.count ? (double)(a2a.last - a2a.first) / RC_PS_PER_S : 0.0;
    out->whole = (double)(last - first) / RC_PS_PER_S;
}
