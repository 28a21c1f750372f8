/* What the tasks of a pass take, from the prices of its shapes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "sim/engine/ticks.h"
#include "sim/forward/replay.h"

/* Times are added up in 64 bits: a pass that could last longer than this is left to the engine,
 * which says so. */
static const double LONGEST = 0x1p61;

/* How long a lone message is on its links: at the least of what it, its sender's and its receiver's
 * link allow. slow: of the sender's link. */
static rc_time transfer_of(const rc_shape *s, const rc_shape_cost *c, double slow) {
    double rate = fmin(c->link_rate * slow, c->link_rate);
    if (c->peer_rate > 0.0)
        rate = fmin(rate, c->peer_rate);
    return rc_ticks_round(rc_flow_ps(s->bytes, rate));
}

/* Host time, latencies and collectives are not slower on a slow GPU. */
static bool is_work(const rc_shape *s) {
    switch (s->kind) {
    case RC_T_COLLECTIVE:
    case RC_T_MESSAGE:
    case RC_T_MARK:
    case RC_T_LAUNCH:
    case RC_T_RING_STEP:
    case RC_T_PORT:
        return false;
    default:
        return true;
    }
}

static bool reserve(rc_replay *r) {
    size_t want = r->one.shape_count;
    if (want <= r->cost_room)
        return true;
    free(r->cost);
    r->cost = malloc(8 * want * sizeof *r->cost); /* twice the room, for all four */
    r->cost_room = r->cost ? 2 * want : 0;
    r->slowed = r->cost + r->cost_room;
    r->beside = r->slowed + r->cost_room;
    r->beside_slowed = r->beside + r->cost_room;
    return r->cost != NULL;
}

static void cost_shapes(rc_replay *r, const rc_what_if *w) {
    const rc_program *p = &r->one;
    bool slows = rc_what_if_slows_rank(w), link = rc_what_if_slows_link(w);
    for (size_t i = 0; i < p->shape_count; i++) {
        const rc_shape *s = &p->shapes[i];
        const rc_shape_cost *c = &r->prices[i];
        r->cost[i] = r->slowed[i] = c->duration;
        r->beside[i] = r->beside_slowed[i] = c->beside;
        if (s->kind == RC_T_MESSAGE) {
            r->cost[i] = r->beside[i] = rc_ticks_add(c->duration, transfer_of(s, c, 1.0));
            r->slowed[i] =
                link ? rc_ticks_add(c->duration, transfer_of(s, c, w->slow_link)) : r->cost[i];
            r->beside_slowed[i] = r->slowed[i];
        } else if (slows && is_work(s)) {
            r->slowed[i] = rc_ticks_round((double)c->duration / w->slow_speed);
            r->beside_slowed[i] = rc_ticks_round((double)c->beside / w->slow_speed);
        }
    }
}

/* Of `gpu`: a message is slow where the sender's link is, work where the rank is. beside: in a ring
 * step with a message. */
static rc_time cost_on(const rc_replay *r, const rc_what_if *w, uint32_t shape, uint32_t gpu,
                       bool beside) {
    bool message = r->one.shapes[shape].kind == RC_T_MESSAGE;
    int slow = message ? w->slow_link_rank : w->slow_rank;
    bool slows = slow >= 0 && gpu == (uint32_t)slow;
    if (beside)
        return slows ? r->beside_slowed[shape] : r->beside[shape];
    return slows ? r->slowed[shape] : r->cost[shape];
}

/* Where no rank and no link is slow. */
static void set_tasks_alike(rc_replay *r, int steps) {
    const rc_program *p = &r->one;
    const rc_time *cost = r->cost, *beside = r->beside;
    rc_time *duration = r->duration;
    for (size_t i = 0; i < p->task_count; i++)
        duration[i] = (p->tasks[i].step + 1 < steps ? beside : cost)[p->tasks[i].shape];
}

/* Steps are those of rings that stand in the template task by task. */
static void set_tasks(rc_replay *r, const rc_spec *spec) {
    const rc_program *p = &r->one;
    int steps = rc_layout_ring(&spec->layout);
    if (!rc_what_if_slows_rank(&spec->what_if) && !rc_what_if_slows_link(&spec->what_if)) {
        set_tasks_alike(r, steps);
        return;
    }
    for (size_t i = 0; i < p->task_count; i++)
        r->duration[i] = cost_on(r, &spec->what_if, p->tasks[i].shape, p->tasks[i].gpu,
                                 p->tasks[i].step + 1 < steps);
}

static rc_time cost_or_none(const rc_replay *r, uint16_t shape) {
    return shape == RC_SHAPE_NONE ? 0 : r->cost[shape];
}

static void set_ring(rc_replay *r, size_t b, const rc_what_if *w) {
    const rc_template *t = r->one.layers_of;
    const rc_block *k = &t->blocks[b];
    const uint16_t *cells = t->cells + k->cells;
    rc_time *message = r->rings[b].message;
    r->rings[b] = (rc_ring){.block = k,
                            .n = (int)r->gpus,
                            .eager = t->eager,
                            .serial = k->serial,
                            .hosted = k->host != RC_SHAPE_NONE,
                            .attends = k->kind == RC_BLOCK_RING,
                            .decodes = k->decode != RC_SHAPE_NONE,
                            .waits = k->waits,
                            .host = cost_or_none(r, k->host),
                            .launch = cost_or_none(r, k->launch),
                            .message = message,
                            .cells = cells + r->gpus,
                            .cost = r->cost,
                            .slowed = r->slowed,
                            .beside = r->beside,
                            .beside_slowed = r->beside_slowed,
                            .slow = rc_what_if_slows_rank(w) ? w->slow_rank : -1};
    for (uint32_t g = 0; g < r->gpus; g++)
        message[g] = cost_on(r, w, cells[g], g, false);
    if (r->rings[b].slow >= (int)r->gpus)
        r->rings[b].slow = -1;
}

static bool set_blocks(rc_replay *r, const rc_what_if *w) {
    const rc_template *t = r->one.layers_of;
    for (size_t b = 0; b < t->block_count; b++) {
        const rc_block *k = &t->blocks[b];
        if (k->kind != RC_BLOCK_EXCHANGE) {
            set_ring(r, b, w);
            continue;
        }
        uint16_t shape = t->cells[k->cells];
        const rc_shape_cost *c = &r->prices[shape];
        if (!k->alike || rc_what_if_slows_link(w))
            return false;
        r->exchange[b] = (rc_exchange){.n = (int)r->gpus,
                                       .latency = c->duration,
                                       .bytes = r->one.shapes[shape].bytes,
                                       .peer_rate = c->peer_rate,
                                       .link_rate = c->link_rate};
    }
    return true;
}

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

static double most_of(const rc_replay *r, rc_task_kind kind) {
    rc_time most = 0;
    for (size_t i = 0; i < r->one.shape_count; i++)
        if (r->one.shapes[i].kind == kind) {
            most = later(most, later(r->slowed[i], r->cost[i]));
            most = later(most, later(r->beside_slowed[i], r->beside[i]));
        }
    return (double)most;
}

/* No path through a pass is longer. A path through a ring takes no more than the longest task of
 * each kind a step; one through an exchange no more than the exchange takes when all ranks share
 * all links, and the latency, from when the last opens. */
static double longest_path(const rc_replay *r, int layers, double tasks) {
    const rc_template *t = r->one.layers_of;
    double sum = tasks, step = most_of(r, RC_T_ATTENTION) + most_of(r, RC_T_DECODE) +
                               most_of(r, RC_T_MESSAGE) + most_of(r, RC_T_RING_STEP) +
                               3.0 * most_of(r, RC_T_LAUNCH);
    for (size_t b = 0; b < t->block_count; b++) {
        const rc_exchange *x = &r->exchange[b];
        sum += (double)r->rings[b].n * step;
        if (x->n > 0)
            sum += 2.0 * (double)x->latency + x->bytes * x->n * RC_PS_PER_S / x->link_rate +
                   (x->peer_rate > 0.0 ? x->bytes * RC_PS_PER_S / x->peer_rate : 0.0);
    }
    return sum * layers;
}

/* Asked at first as if every task took as long as the longest. */
static bool ends_in_time(const rc_replay *r, int layers) {
    rc_time most = 0;
    double sum = 0.0;
    for (size_t i = 0; i < r->one.shape_count; i++) {
        most = later(most, later(r->slowed[i], r->cost[i]));
        most = later(most, later(r->beside_slowed[i], r->beside[i]));
    }
    if (longest_path(r, layers, (double)most * (double)r->one.task_count) < LONGEST)
        return true;
    for (size_t i = 0; i < r->one.task_count; i++)
        sum += (double)r->duration[i];
    return longest_path(r, layers, sum) < LONGEST;
}

bool rc_replay_price(rc_replay *r, const rc_spec *spec, const rc_shape_cost *prices) {
    assert(r->works);
    assert(prices != NULL);
    r->prices = prices;
    if (!reserve(r))
        return false;
    cost_shapes(r, &spec->what_if);
    set_tasks(r, spec);
    return set_blocks(r, &spec->what_if) && ends_in_time(r, spec->model->layers);
}
