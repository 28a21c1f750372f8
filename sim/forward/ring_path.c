/* The critical path inside a ring or a gather: what each of its tasks waited for, with the ends
 * that ring_steps.c has traced.
 *
 * The order of tasks in a step is that of rc_emit_ring: the host's work of all GPUs, their
 * messages, their attention; the launch of a task stands behind it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/forward/path.h"

typedef struct ring {
    const rc_path *p;
    const rc_ring *k;
    const rc_ring_trace *trace;
    const uint32_t *in; /* [RC_LEFT_COUNT][gpus] */
    uint32_t block;
    int n;
    rc_path_cause *best;
} ring;

static ring ring_of(const rc_path *p, uint32_t block) {
    const rc_template *t = p->r->one.layers_of;
    return (ring){.p = p,
                  .k = &p->r->rings[block],
                  .trace = &p->r->traces[block],
                  .in = t->ids + t->blocks[block].in,
                  .block = block,
                  .n = (int)p->r->gpus};
}

static uint32_t found(const ring *x, rc_left what, int gpu) {
    return x->in[(int)what * x->n + gpu];
}

static int before(const ring *x, int gpu) {
    return gpu > 0 ? gpu - 1 : x->n - 1;
}

static int after(const ring *x, int gpu) {
    return gpu < x->n - 1 ? gpu + 1 : 0;
}

/* What the host of a GPU has behind it when the tasks of a step are launched. */
static rc_time host_end(const ring *x, int step, int gpu) {
    if (!x->k->attends) /* one launch a step */
        return x->p->r->value[found(x, RC_LEFT_HOST, gpu)] + step * x->k->launch;
    return x->trace->host[step * x->n + gpu];
}

static rc_time end_of(const ring *x, rc_ring_op op, int step, int gpu) {
    rc_time launch = x->k->launch, host = host_end(x, step, gpu);
    int at = step * x->n + gpu, sends = step < x->n - 1;
    switch (op) {
    case RC_RING_HOST:
        return host - (x->k->eager ? 0 : launch);
    case RC_RING_GRAPH:
        return host;
    case RC_RING_MESSAGE_LAUNCH:
        return host + launch;
    case RC_RING_MESSAGE:
        return x->trace->message[at];
    case RC_RING_ATTENTION_LAUNCH:
        return host + launch * (1 + sends);
    case RC_RING_ATTENTION:
        return x->trace->attention[at];
    case RC_RING_DECODE_LAUNCH:
        return host + launch * (2 + sends);
    default:
        return x->trace->decode[at];
    }
}

static rc_path_node node_of(const ring *x, rc_ring_op op, int step, int gpu) {
    return (rc_path_node){
        .op = op, .task = x->block, .step = step, .gpu = gpu, .end = end_of(x, op, step, gpu)};
}

static void consider(const ring *x, rc_ring_op op, int step, int gpu) {
    static const struct {
        int phase, behind;
    } place[] = {[RC_RING_HOST] = {0, 0},      [RC_RING_GRAPH] = {0, 1},
                 [RC_RING_MESSAGE] = {1, 0},   [RC_RING_MESSAGE_LAUNCH] = {1, 1},
                 [RC_RING_ATTENTION] = {2, 0}, [RC_RING_ATTENTION_LAUNCH] = {2, 1},
                 [RC_RING_DECODE] = {2, 2},    [RC_RING_DECODE_LAUNCH] = {2, 3}};
    const rc_path_node node = node_of(x, op, step, gpu);
    rc_path_order order = rc_path_order_of(x->p, x->p->layer, x->k->block->first);
    order.inside = 1 + (((int64_t)step * 3 + place[op].phase) * x->n + gpu) * 4 + place[op].behind;
    rc_path_consider(x->best, &node, order);
}

static void consider_found(const ring *x, rc_left what, int gpu) {
    rc_path_consider_task(x->p, x->best, found(x, what, gpu));
}

/* The last task on the compute lane before a step. */
static void compute_before(const ring *x, int step, int gpu) {
    if (step == 0)
        consider_found(x, RC_LEFT_COMPUTE, gpu);
    else
        consider(x, x->k->decodes ? RC_RING_DECODE : RC_RING_ATTENTION, step - 1, gpu);
}

/* The last task on the host's lane before a step. */
static void host_before(const ring *x, int step, int gpu) {
    if (step == 0)
        consider_found(x, RC_LEFT_HOST, gpu);
    else if (!x->k->attends)
        consider(x, RC_RING_MESSAGE_LAUNCH, step - 1, gpu);
    else if (!x->k->eager)
        consider(x, RC_RING_GRAPH, step - 1, gpu);
    else
        consider(x, x->k->decodes ? RC_RING_DECODE_LAUNCH : RC_RING_ATTENTION_LAUNCH, step - 1,
                 gpu);
}

static void message_before(const ring *x, int step, int gpu) {
    if (step == 0)
        consider_found(x, RC_LEFT_MESSAGE, gpu);
    else
        consider(x, RC_RING_MESSAGE, step - 1, gpu);
}

static void attention_before(const ring *x, int step, int gpu) {
    if (step == 0)
        consider_found(x, RC_LEFT_ATTENTION, gpu);
    else
        consider(x, x->k->decodes ? RC_RING_DECODE : RC_RING_ATTENTION, step - 1, gpu);
}

/* What lets the host launch the tasks of a step. */
static void host_in_step(const ring *x, int step, int gpu) {
    if (x->k->hosted)
        consider(x, RC_RING_HOST, step, gpu);
    else
        host_before(x, step, gpu);
}

static void launch_of(const ring *x, rc_ring_op launch, int step, int gpu) {
    if (x->k->eager)
        consider(x, launch, step, gpu);
    else if (x->k->hosted)
        consider(x, RC_RING_GRAPH, step, gpu);
    else if (!x->k->attends && step == 0)
        consider_found(x, RC_LEFT_HOST, gpu);
}

static void cause_of_host(const ring *x, int step, int gpu) {
    host_before(x, step, gpu);
    compute_before(x, step, gpu);
    if (step == 0 || x->k->serial)
        consider_found(x, RC_LEFT_COMM, gpu);
    else
        consider(x, RC_RING_MESSAGE, step - 1, gpu);
}

static void cause_of_message(const ring *x, int step, int gpu) {
    if (x->k->serial)
        compute_before(x, step, gpu);
    else if (step == 0)
        consider_found(x, RC_LEFT_COMM, gpu);
    else
        consider(x, RC_RING_MESSAGE, step - 1, gpu);
    launch_of(x, RC_RING_MESSAGE_LAUNCH, step, gpu);
    if (x->k->waits)
        consider(x, x->k->decodes ? RC_RING_DECODE : RC_RING_ATTENTION, step, gpu);
    if (step == 0)
        consider_found(x, RC_LEFT_COMPUTE, gpu);
    else
        consider(x, RC_RING_MESSAGE, step - 1, before(x, gpu));
    if (x->k->attends || step == 0) {
        attention_before(x, step, after(x, gpu));
        message_before(x, step, after(x, gpu));
    }
}

static void cause_of_attention(const ring *x, int step, int gpu) {
    bool behind_message = x->k->serial && step < x->n - 1;
    if (behind_message)
        consider(x, RC_RING_MESSAGE, step, gpu);
    else
        compute_before(x, step, gpu);
    if (x->k->eager || !behind_message)
        launch_of(x, RC_RING_ATTENTION_LAUNCH, step, gpu);
    if (step > 0)
        consider(x, RC_RING_MESSAGE, step - 1, before(x, gpu));
}

void rc_ring_path_cause(const rc_path *p, const rc_path_node *node, rc_path_cause *best) {
    ring x = ring_of(p, node->task);
    int step = node->step, gpu = node->gpu;
    x.best = best;
    switch (node->op) {
    case RC_RING_HOST:
        cause_of_host(&x, step, gpu);
        break;
    case RC_RING_GRAPH:
        consider(&x, RC_RING_HOST, step, gpu);
        break;
    case RC_RING_MESSAGE_LAUNCH:
        host_in_step(&x, step, gpu);
        break;
    case RC_RING_MESSAGE:
        cause_of_message(&x, step, gpu);
        break;
    case RC_RING_ATTENTION_LAUNCH:
        if (step < x.n - 1)
            consider(&x, RC_RING_MESSAGE_LAUNCH, step, gpu);
        else
            host_in_step(&x, step, gpu);
        break;
    case RC_RING_ATTENTION:
        cause_of_attention(&x, step, gpu);
        break;
    case RC_RING_DECODE_LAUNCH:
        consider(&x, RC_RING_ATTENTION_LAUNCH, step, gpu);
        break;
    default:
        consider(&x, RC_RING_ATTENTION, step, gpu);
        if (x.k->eager)
            consider(&x, RC_RING_DECODE_LAUNCH, step, gpu);
    }
}

rc_path_node rc_ring_path_enter(const rc_path *p, uint32_t block, uint32_t port) {
    const ring x = ring_of(p, block);
    const rc_task *t = &p->r->one.tasks[port];
    int gpu = (int)t->gpu, last = x.n - 1;
    if (t->lane == RC_LANE_COMPUTE)
        return node_of(&x, x.k->decodes ? RC_RING_DECODE : RC_RING_ATTENTION, last, gpu);
    if (t->lane != RC_LANE_HOST)
        return node_of(&x, RC_RING_MESSAGE, last - 1, gpu);
    if (!x.k->attends)
        return node_of(&x, RC_RING_MESSAGE_LAUNCH, last - 1, gpu);
    if (!x.k->eager)
        return node_of(&x, RC_RING_GRAPH, last, gpu);
    return node_of(&x, x.k->decodes ? RC_RING_DECODE_LAUNCH : RC_RING_ATTENTION_LAUNCH, last, gpu);
}

uint32_t rc_ring_path_shape(const rc_path *p, const rc_path_node *node) {
    const rc_ring *k = &p->r->rings[node->task];
    assert(node->op != RC_RING_NONE);
    switch (node->op) {
    case RC_RING_HOST:
        return k->block->host;
    case RC_RING_MESSAGE:
        return p->r->one.layers_of->cells[k->block->cells + (uint32_t)node->gpu];
    case RC_RING_ATTENTION:
        return k->cells[(size_t)node->step * (size_t)k->n + (size_t)node->gpu];
    case RC_RING_DECODE:
        return k->block->decode;
    default:
        return k->block->launch;
    }
}
