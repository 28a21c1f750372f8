/* From tasks to ops: asks the cost room once per shape, gives every task an op on the engine, runs
 * it. SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/forward/internal.h"

/* Half-width of p10..p90 to the standard deviation of a normal. */
#define Z_80 1.2815515655446004

enum { CLASS_NONE = 0, CLASS_COMPUTE = 1, CLASS_COMM = 2 };
enum { INSIDE = 0, BETWEEN = 1 }; /* messages inside a node, between nodes */

rc_family rc_family_of(const rc_shape *s) {
    switch (s->kind) {
    case RC_T_GEMM:
        return RC_F_GEMM;
    case RC_T_ATTENTION:
    case RC_T_DECODE:
        return RC_F_ATTENTION;
    case RC_T_COLLECTIVE:
        return RC_F_ALL_REDUCE;
    case RC_T_MESSAGE:
        return RC_F_NETWORK;
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
        return RC_F_HOST;
    default:
        return RC_F_ELEMENTWISE;
    }
}

/* A quarter of the clock's range: what an op may take, so that a factor of 2 stays inside. */
#define LONGEST_OP 0x1p61

static rc_status to_ticks(double seconds, rc_time *out, rc_error *err) {
    double ps = seconds * RC_PS_PER_S;
    if (!(ps < LONGEST_OP))
        return rc_fail(err, RC_E_INPUT,
                       "one op would take %.3g s, beyond the %.3g s that a pass may take", seconds,
                       LONGEST_OP / RC_PS_PER_S);
    *out = llround(ps);
    return RC_OK;
}

static rc_heads heads_of(const rc_shape *s) {
    return (rc_heads){s->hq, s->hkv, s->key_size, s->value_size};
}

static rc_status attention_cost(const rc_costs *c, const rc_program *p, const rc_shape *s,
                                rc_cost *out, rc_error *err) {
    int64_t rows = 0, entries = 0;
    rc_cost longest = {0.0, 0.0, RC_MEASURED};
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *call = &p->calls[s->first_call + i];
        RC_TRY(rc_cost_attention(c, s->dtype, call->causal, call->tq, call->tk, heads_of(s), out,
                                 err));
        longest = out->p50 > longest.p50 ? *out : longest;
        rows += call->tq;
        entries += rc_call_entries(call);
    }
    if (s->calls < 2)
        return RC_OK;
    return rc_cost_attention_fused(c, s->dtype, rows, entries, &longest, heads_of(s), out, err);
}

static rc_status decode_cost(const rc_costs *c, const rc_shape *s, rc_cost *out, rc_error *err) {
    return s->stand_in ? rc_cost_decode_mean(c, s->dtype, s->a, s->b, heads_of(s), out, err)
                       : rc_cost_decode(c, s->dtype, s->a, s->b, heads_of(s), out, err);
}

/* A number of the machine's file: stated there, or fitted, which makes it a model's. */
static rc_basis basis_of_number(const rc_machine *m, const char *name) {
    for (int i = 0; i < m->fitted_count; i++)
        if (strcmp(m->fitted[i].name, name) == 0)
            return RC_MODELLED;
    return RC_STATED;
}

static rc_status timed_cost(const rc_costs *c, const rc_program *p, const rc_shape *s, rc_cost *out,
                            rc_error *err) {
    const rc_machine *m = rc_costs_machine(c);
    *out = (rc_cost){0.0, 0.0, RC_MODELLED};
    switch (s->kind) {
    case RC_T_GEMM:
        return rc_cost_gemm(c, s->dtype, s->a, s->b, s->c, out, err);
    case RC_T_ATTENTION:
        return attention_cost(c, p, s, out, err);
    case RC_T_DECODE:
        return decode_cost(c, s, out, err);
    case RC_T_MERGE:
        return rc_cost_merge(c, s->a, (int)s->b, s->value_size, out, err);
    case RC_T_ELEMENTWISE:
        return s->part == RC_P_ROTARY ? rc_cost_rotary(c, s->op, s->a, heads_of(s), out, err)
                                      : rc_cost_elementwise(c, s->op, s->a, s->b, out, err);
    case RC_T_COLLECTIVE:
        return rc_cost_collective(c, s->op, s->bytes, s->ranks, s->nodes, out, err);
    case RC_T_LAUNCH:
        *out = (rc_cost){m->launch, 0.0, basis_of_number(m, "launch")};
        return RC_OK;
    case RC_T_RING_STEP:
        *out = (rc_cost){m->ring_step * (double)s->a, 0.0, basis_of_number(m, "ring_step")};
        return RC_OK;
    default: /* marks take no time; messages are asked for by the caller */
        return RC_OK;
    }
}

/* z: of the shape's family; NULL: the nominal cost. */
static rc_status price(const rc_costs *costs, const rc_program *p, const rc_shape *s,
                       const double *z, rc_shape_cost *out, rc_error *err) {
    rc_cost cost = {0.0, 0.0, RC_MODELLED};
    *out = (rc_shape_cost){0};
    if (s->kind == RC_T_MESSAGE) {
        rc_p2p p2p;
        RC_TRY(rc_cost_p2p(costs, s->bytes, s->nodes == 1, &p2p, err));
        cost = (rc_cost){p2p.latency, p2p.spread, p2p.basis};
        out->peer_rate = p2p.peer_rate;
        out->link_rate = p2p.link_rate;
    } else {
        RC_TRY(timed_cost(costs, p, s, &cost, err));
    }
    bool shared = s->kind == RC_T_MESSAGE && s->part == RC_P_ALL2ALL; /* links, by a rule */
    if (s->stand_in || shared)
        cost.basis = cost.basis > RC_MODELLED ? cost.basis : RC_MODELLED;
    double factor = z ? exp(cost.spread / Z_80 * *z) : 1.0;
    RC_TRY(to_ticks(cost.p50 * factor, &out->duration, err));
    out->peer_rate /= factor;
    out->spread = cost.spread;
    out->basis = cost.basis;
    return RC_OK;
}

rc_status rc_shape_price(const rc_costs *costs, const rc_program *p, const rc_shape *s,
                         rc_shape_cost *out, rc_error *err) {
    return price(costs, p, s, NULL, out, err);
}

static rc_status cost_shapes(rc_run *r, const rc_costs *costs, const double *z, rc_error *err) {
    for (size_t i = 0; i < r->program->shape_count; i++) {
        const rc_shape *s = &r->program->shapes[i];
        RC_TRY(price(costs, r->program, s, z ? &z[rc_family_of(s)] : NULL, &r->costs[i], err));
        if (s->kind == RC_T_MESSAGE)
            r->link_rate[s->nodes == 1 ? INSIDE : BETWEEN] = r->costs[i].link_rate;
    }
    return RC_OK;
}

/* Links of one simulated GPU, out and in: to its own node's GPUs, and to other nodes. */
typedef struct gpu_links {
    rc_id out[2], in[2];
} gpu_links;

static rc_id add_op(rc_run *r, const rc_task *t, const rc_id *streams, const gpu_links *links) {
    const rc_shape *s = &r->program->shapes[t->shape];
    const rc_shape_cost *cost = &r->costs[t->shape];
    rc_id path[2];
    rc_op_desc d = {.kind = RC_OP_WORK,
                    .stream = RC_NONE,
                    .klass = CLASS_COMPUTE,
                    .duration = cost->duration,
                    .group = RC_NONE};
    if (t->lane < RC_LANE_COUNT)
        d.stream = streams[t->gpu * RC_LANE_COUNT + t->lane];
    switch (s->kind) {
    case RC_T_MESSAGE:
        path[0] = links[t->gpu].out[s->nodes == 1 ? INSIDE : BETWEEN];
        path[1] = links[t->peer].in[s->nodes == 1 ? INSIDE : BETWEEN];
        d.kind = RC_OP_FLOW;
        d.klass = CLASS_COMM;
        d.bytes = s->bytes;
        d.path = path;
        d.path_len = 2;
        d.max_rate = cost->peer_rate;
        break;
    case RC_T_COLLECTIVE:
        d.kind = RC_OP_RENDEZVOUS;
        d.klass = CLASS_NONE;
        d.group = t->group;
        d.group_size = (uint32_t)s->members;
        break;
    case RC_T_MARK:
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
        d.kind = RC_OP_FIXED;
        d.klass = CLASS_NONE;
        break;
    default:
        break;
    }
    d.tag = t->shape;
    return rc_sim_op(r->sim, &d);
}

static double rate_of(const rc_what_if *w, const rc_program *p, uint32_t gpu) {
    bool slow = w->slow_speed > 0.0 && w->slow_rank >= 0 &&
                gpu / p->gpus_per_rank == (uint32_t)w->slow_rank;
    return slow ? w->slow_speed : 1.0;
}

static rc_status lay_out(rc_run *r, rc_id *streams, gpu_links *links, rc_error *err) {
    const rc_what_if *w = &r->spec->what_if;
    for (uint32_t gpu = 0; gpu < r->program->gpus; gpu++) {
        rc_id domain = rc_sim_domain(r->sim);
        bool slow = w->slow_link > 0.0 && w->slow_link_rank >= 0 &&
                    gpu / r->program->gpus_per_rank == (uint32_t)w->slow_link_rank;
        for (int lane = 0; lane < RC_LANE_COUNT; lane++)
            streams[gpu * RC_LANE_COUNT + (uint32_t)lane] = rc_sim_stream(r->sim, domain);
        rc_sim_domain_speed(r->sim, domain, rate_of(w, r->program, gpu));
        for (int k = INSIDE; k <= BETWEEN; k++) {
            if (!(r->link_rate[k] > 0.0))
                continue;
            links[gpu].out[k] = rc_sim_link(r->sim, r->link_rate[k] * (slow ? w->slow_link : 1.0));
            links[gpu].in[k] = rc_sim_link(r->sim, r->link_rate[k]);
        }
    }
    if (w->overlap_compute > 0.0)
        rc_sim_interfere(r->sim, CLASS_COMPUTE, CLASS_COMM, w->overlap_compute);
    if (w->overlap_comm > 0.0)
        rc_sim_interfere(r->sim, CLASS_COMM, CLASS_COMPUTE, w->overlap_comm);
    for (size_t i = 0; i < r->program->task_count; i++)
        if (add_op(r, &r->program->tasks[i], streams, links) != i)
            return rc_sim_run(r->sim, err); /* refuses to run, and says what was wrong */
    for (size_t i = 0; i < r->program->dep_count; i++)
        RC_TRY(rc_sim_after(r->sim, r->program->deps[i].task, r->program->deps[i].before, err));
    return RC_OK;
}

static rc_status run(rc_run *r, const rc_costs *costs, const double *z, rc_id *streams,
                     gpu_links *links, rc_error *err) {
    RC_TRY(cost_shapes(r, costs, z, err));
    RC_TRY(lay_out(r, streams, links, err));
    return rc_sim_run(r->sim, err);
}

rc_status rc_run_program(const rc_spec *spec, const rc_costs *costs, const rc_program *program,
                         const double *z, rc_run *out, rc_error *err) {
    *out = (rc_run){.spec = spec, .program = program};
    out->costs = calloc(program->shape_count, sizeof *out->costs);
    out->sim = rc_sim_create();
    rc_id *streams = calloc(program->gpus, RC_LANE_COUNT * sizeof *streams);
    gpu_links *links = calloc(program->gpus, sizeof *links);
    rc_status st = RC_E_NOMEM;
    if (out->costs && out->sim && streams && links)
        st = run(out, costs, z, streams, links, err);
    else
        rc_fail(err, st, "out of memory while laying out the engine's program");
    free(streams);
    free(links);
    if (st != RC_OK)
        rc_run_free(out);
    return st;
}

void rc_run_free(rc_run *r) {
    free(r->costs);
    rc_sim_destroy(r->sim);
    memset(r, 0, sizeof *r);
}
