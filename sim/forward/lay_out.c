/* From tasks to ops on the engine. A program that is played as it stands becomes one template of
 * the engine; a program that stands for a pass of more layers becomes one for each of its pieces,
 * which the engine plays as often as the pass has them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/internal.h"

enum { CLASS_NONE = 0, CLASS_COMPUTE = 1, CLASS_COMM = 2 };
enum { INSIDE = 0, BETWEEN = 1 }; /* messages inside a node, between nodes */

/* Links of one simulated GPU, out and in: to its own node's GPUs, and to other nodes. */
typedef struct gpu_links {
    rc_id out[2], in[2];
} gpu_links;

typedef struct hardware {
    rc_id *streams; /* [gpus][RC_LANE_COUNT] */
    gpu_links *links;
} hardware;

/* ---- the GPUs ------------------------------------------------------------------------------- */

static bool is_rank(double factor, int rank, const rc_program *p, uint32_t gpu) {
    return factor > 0.0 && rank >= 0 && gpu / p->gpus_per_rank == (uint32_t)rank;
}

static void lay_out_gpus(rc_run *r, const hardware *hw) {
    const rc_what_if *w = &r->spec->what_if;
    for (uint32_t gpu = 0; gpu < r->program->gpus; gpu++) {
        rc_id domain = rc_sim_domain(r->sim);
        bool slow_link = is_rank(w->slow_link, w->slow_link_rank, r->program, gpu);
        for (int lane = 0; lane < RC_LANE_COUNT; lane++)
            hw->streams[gpu * RC_LANE_COUNT + (uint32_t)lane] = rc_sim_stream(r->sim, domain);
        if (is_rank(w->slow_speed, w->slow_rank, r->program, gpu))
            rc_sim_domain_speed(r->sim, domain, w->slow_speed);
        for (int k = INSIDE; k <= BETWEEN; k++) {
            if (!(r->link_rate[k] > 0.0))
                continue;
            double out = r->link_rate[k] * (slow_link ? w->slow_link : 1.0);
            hw->links[gpu].out[k] = rc_sim_link(r->sim, out);
            hw->links[gpu].in[k] = rc_sim_link(r->sim, r->link_rate[k]);
        }
    }
    if (w->overlap_compute > 0.0)
        rc_sim_interfere(r->sim, CLASS_COMPUTE, CLASS_COMM, w->overlap_compute);
    if (w->overlap_comm > 0.0)
        rc_sim_interfere(r->sim, CLASS_COMM, CLASS_COMPUTE, w->overlap_comm);
}

/* ---- accounts of the critical path ---------------------------------------------------------- */

/* The account of a part on a basis, a new one if need be. */
static uint8_t account_of(rc_run *r, rc_part part, rc_basis basis) {
    uint8_t *slot = &r->account[part][basis];
    if (*slot == 0)
        *slot = (uint8_t)++r->accounts;
    return (uint8_t)(*slot - 1);
}

/* Work that took longer than it costs was slowed by what the what-if says of overlap: its time is
 * stated. */
static void set_accounts(rc_run *r, const rc_task *t, const rc_shape *s, rc_op_desc *d) {
    const rc_what_if *w = &r->spec->what_if;
    rc_basis basis = rc_task_basis(w, t, r->program->gpus_per_rank, s, r->costs[t->shape].basis);
    bool message = s->kind == RC_T_MESSAGE;
    bool beside = message || (t->lane == RC_LANE_COMPUTE && s->kind != RC_T_COLLECTIVE);
    double factor = message ? w->overlap_comm : w->overlap_compute;
    d->account = d->account_slowed = account_of(r, s->part, basis);
    if (beside && factor > 0.0 && factor != 1.0)
        d->account_slowed = account_of(r, s->part, RC_STATED);
}

/* ---- ops ------------------------------------------------------------------------------------ */

static void set_kind(const rc_run *r, const rc_task *t, const hardware *hw, rc_id *path,
                     rc_op_desc *d) {
    const rc_shape *s = &r->program->shapes[t->shape];
    int where = s->nodes == 1 ? INSIDE : BETWEEN;
    switch (s->kind) {
    case RC_T_MESSAGE:
        path[0] = hw->links[t->gpu].out[where];
        path[1] = hw->links[t->peer].in[where];
        d->kind = RC_OP_FLOW;
        d->klass = CLASS_COMM;
        d->bytes = s->bytes;
        d->path = path;
        d->path_len = 2;
        d->max_rate = r->costs[t->shape].peer_rate;
        break;
    case RC_T_COLLECTIVE:
        d->kind = RC_OP_RENDEZVOUS;
        d->klass = CLASS_NONE;
        d->group = t->group;
        d->group_size = (uint32_t)s->members;
        break;
    case RC_T_MARK:
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
        d->kind = RC_OP_FIXED;
        d->klass = CLASS_NONE;
        break;
    default:
        break;
    }
}

/* Beside attention goes a message in every step of a ring but the last. */
static rc_time duration_of(const rc_run *r, const rc_task *t) {
    const rc_shape_cost *c = &r->costs[t->shape];
    return t->step + 1 < rc_layout_ring(&r->spec->layout) ? c->beside : c->duration;
}

static rc_id add_op(rc_run *r, const rc_task *t, const hardware *hw) {
    rc_id path[2];
    rc_op_desc d = {.kind = RC_OP_WORK,
                    .stream = RC_NONE,
                    .klass = CLASS_COMPUTE,
                    .duration = duration_of(r, t),
                    .group = RC_NONE,
                    .keep = t->gpu == 0};
    if (t->lane < RC_LANE_COUNT)
        d.stream = hw->streams[t->gpu * RC_LANE_COUNT + t->lane];
    set_kind(r, t, hw, path, &d);
    set_accounts(r, t, &r->program->shapes[t->shape], &d);
    return rc_sim_op(r->sim, &d);
}

static int template_of(const rc_run *r, const rc_task *t) {
    return r->repeats ? r->repeats->template[t->layer] : 0;
}

/* All tasks, those of each piece in a template of their own. False when the engine did not take
 * one: it says why when it is run. */
static bool add_ops(rc_run *r, const hardware *hw) {
    const rc_program *p = r->program;
    for (size_t i = 0; i < p->task_count; i++) {
        if (i > 0 && template_of(r, &p->tasks[i]) != template_of(r, &p->tasks[i - 1]))
            (void)rc_sim_template(r->sim);
        if (add_op(r, &p->tasks[i], hw) != i)
            return false;
    }
    return true;
}

bool rc_repeats_fit(const rc_repeats *r, const rc_program *p) {
    int template = 0; /* no template is without tasks */
    for (size_t i = 0; i < p->task_count; i++) {
        int next = r->template[p->tasks[i].layer];
        if (next != template && next != template + 1)
            return false;
        template = next;
    }
    if (template != r->template[p->layers])
        return false;
    for (size_t i = 0; i < p->dep_count; i++) {
        const rc_dep *d = &p->deps[i];
        int back = r->template[p->tasks[d->task].layer] - r->template[p->tasks[d->before].layer];
        if (back != 0 && back != 1)
            return false;
    }
    return true;
}

static rc_status add_waits(rc_run *r, rc_error *err) {
    const rc_program *p = r->program;
    for (size_t i = 0; i < p->dep_count; i++) {
        const rc_dep *d = &p->deps[i];
        int back = template_of(r, &p->tasks[d->task]) - template_of(r, &p->tasks[d->before]);
        assert(back == 0 || back == 1);
        if (back == 0)
            RC_TRY(rc_sim_after(r->sim, d->task, d->before, err));
        else
            RC_TRY(rc_sim_after_previous(r->sim, d->task, d->before, err));
    }
    return RC_OK;
}

/* One playing for each repetition. */
static void add_order(rc_run *r) {
    const rc_repeats *x = r->repeats;
    for (int l = 0; l <= x->layers; l++)
        if (l == 0 || x->repetition[l] != x->repetition[l - 1])
            rc_sim_play(r->sim, x->template[x->stands[l]], 1);
}

static rc_status lay_out(rc_run *r, const hardware *hw, rc_error *err) {
    lay_out_gpus(r, hw);
    if (add_ops(r, hw)) {
        RC_TRY(add_waits(r, err));
        if (r->repeats)
            add_order(r);
    }
    return rc_sim_run(r->sim, err);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static rc_status cost_shapes(rc_run *r, const rc_costs *costs, const rc_draw *z, rc_error *err) {
    for (size_t i = 0; i < r->program->shape_count; i++) {
        const rc_shape *s = &r->program->shapes[i];
        RC_TRY(rc_shape_draw(costs, r->program, s, z, &r->costs[i], err));
        if (s->kind == RC_T_MESSAGE)
            r->link_rate[s->nodes == 1 ? INSIDE : BETWEEN] = r->costs[i].link_rate;
    }
    rc_contend(r->spec, costs, r->program, r->costs);
    rc_space_launches(r->spec, costs, r->program, r->costs);
    return RC_OK;
}

rc_status rc_run_layers(const rc_spec *spec, const rc_costs *costs, const rc_program *program,
                        const rc_repeats *repeats, const rc_draw *z, bool keep_all, rc_run *out,
                        rc_error *err) {
    assert(program->task_count > 0);
    *out = (rc_run){.spec = spec, .program = program, .repeats = repeats};
    out->costs = calloc(program->shape_count, sizeof *out->costs);
    out->sim = rc_sim_create();
    hardware hw = {calloc(program->gpus, RC_LANE_COUNT * sizeof *hw.streams),
                   calloc(program->gpus, sizeof *hw.links)};
    rc_status st = RC_E_NOMEM;
    if (out->costs && out->sim && hw.streams && hw.links) {
        st = cost_shapes(out, costs, z, err);
        if (keep_all)
            rc_sim_keep_all(out->sim);
        if (st == RC_OK)
            st = lay_out(out, &hw, err);
    } else {
        rc_fail(err, st, "out of memory while laying out the engine's program");
    }
    free(hw.streams);
    free(hw.links);
    if (st != RC_OK)
        rc_run_free(out);
    return st;
}

rc_task_span rc_run_span(const rc_run *r, uint32_t task, int layer) {
    assert(task < r->program->task_count);
    assert(!r->repeats || (layer >= 0 && layer <= r->repeats->layers));
    rc_id number = r->repeats ? rc_sim_number(r->sim, task, r->repeats->repetition[layer]) : task;
    return (rc_task_span){rc_sim_op_start(r->sim, number), rc_sim_op_end(r->sim, number)};
}

rc_status rc_run_program(const rc_spec *spec, const rc_costs *costs, const rc_program *program,
                         const rc_draw *z, rc_run *out, rc_error *err) {
    return rc_run_layers(spec, costs, program, NULL, z, true, out, err);
}

void rc_run_free(rc_run *r) {
    free(r->costs);
    rc_sim_destroy(r->sim);
    memset(r, 0, sizeof *r);
}
