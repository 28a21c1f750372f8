/* The critical path: from the task that ends last back to the beginning, each time to what let a
 * task begin, which is what it waited for that ended last (of equals the first in the program).
 * That one's end is always the task's beginning.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/path.h"

#define NONE UINT32_MAX

/* The block whose end a port stands for. */
static uint32_t block_of(const rc_path *p, uint32_t port) {
    const rc_template *t = p->r->one.layers_of;
    const rc_template_section *s = rc_path_section_of(p, p->layer);
    uint32_t b = s->block_end;
    while (b > s->block && t->blocks[b - 1].first > port)
        b--;
    return b - 1; /* there is one: a port that is not of the section's beginning is of a block */
}

/* Whether the messages between two ranks are among those that end last. */
static bool ends_last(const rc_exchange_state *x, uint32_t a, uint32_t b) {
    int late = x->class_of[a] > x->class_of[b] ? x->class_of[a] : x->class_of[b];
    return x->classes[late].end == x->close;
}

/* Of the messages of an exchange from or to `gpu`, the first in the program that ends last; the
 * mark that let it begin is that of the later of its two ends. */
static void cause_of_closing(const rc_path *p, uint32_t block, uint32_t gpu, rc_path_cause *best) {
    const rc_template *t = p->r->one.layers_of;
    const rc_exchange_state *x = &p->r->exchanged[block];
    const uint32_t *in = t->ids + t->blocks[block].in;
    uint32_t n = p->r->gpus, other = NONE;
    for (uint32_t from = 0; from < n && other == NONE; from++) {
        if (from != gpu && ends_last(x, from, gpu))
            other = from;
        for (uint32_t d = 1; d < n && from == gpu && other == NONE; d++)
            if (ends_last(x, gpu, (gpu + d) % n))
                other = (gpu + d) % n;
    }
    rc_path_consider_task(p, best, in[gpu]);
    rc_path_consider_task(p, best, in[other]);
}

static void cause_of_task(const rc_path *p, uint32_t task, rc_path_cause *best) {
    const rc_replay *r = p->r;
    if (r->piece_of[task] != NONE) {
        const rc_piece *x = &r->pieces[r->piece_of[task]];
        for (uint32_t k = 0; k < x->waits; k++)
            rc_path_consider_task(p, best, r->waits[x->wait + k]);
        return;
    }
    for (uint32_t k = r->first_wait[task]; k < r->first_wait[task + 1]; k++)
        rc_path_consider_task(p, best, r->task_wait[k]);
}

static bool is_port(const rc_path *p, const rc_path_node *node) {
    const rc_program *one = &p->r->one;
    return node->op == RC_RING_NONE && one->shapes[one->tasks[node->task].shape].kind == RC_T_PORT;
}

/* Adds the time of a node to what it is for and to what that rests on. */
static void add(rc_path *p, uint32_t shape, uint32_t gpu, rc_time took) {
    const rc_shape *s = &p->r->one.shapes[shape];
    const rc_task t = {.gpu = gpu};
    p->part[s->part] += took;
    p->basis[rc_task_basis(p->what_if, &t, 1, s, p->r->prices[shape].basis)] += took;
}

/* One node back; false at the beginning of the section or of the pass. */
static bool step_back(rc_path *p, rc_path_node *at) {
    const rc_template *t = p->r->one.layers_of;
    rc_path_cause best = {.found = false};
    uint32_t shape, gpu;
    if (is_port(p, at)) {
        uint32_t block = block_of(p, at->task);
        if (t->blocks[block].kind != RC_BLOCK_EXCHANGE) {
            *at = rc_ring_path_enter(p, block, at->task);
            return true;
        }
        shape = t->cells[t->blocks[block].cells];
        gpu = p->r->one.tasks[at->task].gpu;
        cause_of_closing(p, block, gpu, &best);
    } else if (at->op != RC_RING_NONE) {
        shape = rc_ring_path_shape(p, at);
        gpu = (uint32_t)at->gpu;
        rc_ring_path_cause(p, at, &best);
    } else {
        shape = p->r->one.tasks[at->task].shape;
        gpu = p->r->one.tasks[at->task].gpu;
        cause_of_task(p, at->task, &best);
    }
    add(p, shape, gpu, at->end - (best.found ? best.node.end : 0));
    *at = best.node;
    return best.found;
}

void rc_path_follow(rc_path *p, rc_path_node *at) {
    const rc_template_section *s = rc_path_section_of(p, p->layer);
    bool more = true;
    while (more && !(at->op == RC_RING_NONE && rc_path_is_left(p, s, at->task)))
        more = step_back(p, at);
    if (!more || p->layer == 0) {
        *at = (rc_path_node){.task = NONE};
        p->layer = -1;
        return;
    }
    at->task = rc_path_left_by(p, p->layer, at->task);
    p->layer--;
}

void rc_path_begin(rc_path *p, rc_path_node *at) {
    const rc_template_section *head = rc_path_section_of(p, p->model->layers);
    rc_path_cause best = {.found = false};
    p->layer = p->model->layers;
    for (uint32_t i = head->first; i < head->end; i++)
        rc_path_consider_task(p, &best, i);
    *at = best.node;
}
