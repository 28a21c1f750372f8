/* Where the nodes of a path stand: in which order an ordinary program holds them, and which of
 * several let another one begin.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/forward/path.h"

static size_t section_number(const rc_path *p, int layer) {
    return layer < p->model->layers ? (size_t)rc_model_kind_of(p->model, layer)
                                    : p->r->one.layers_of->section_count - 1;
}

const rc_template_section *rc_path_section_of(const rc_path *p, int layer) {
    assert(layer >= 0 && layer <= p->model->layers);
    return &p->r->one.layers_of->sections[section_number(p, layer)];
}

/* A port at the beginning of the section: what the layer before left. */
bool rc_path_is_left(const rc_path *p, const rc_template_section *s, uint32_t task) {
    return task - s->first < RC_LEFT_COUNT * p->r->gpus;
}

uint32_t rc_path_left_by(const rc_path *p, int layer, uint32_t port) {
    const rc_template_section *s = rc_path_section_of(p, layer),
                              *b = rc_path_section_of(p, layer - 1);
    return p->r->one.layers_of->ids[b->left + (port - s->first)];
}

rc_path_order rc_path_order_of(const rc_path *p, int layer, uint32_t task) {
    while (layer > 0 && rc_path_is_left(p, rc_path_section_of(p, layer), task)) {
        task = rc_path_left_by(p, layer, task);
        layer--;
    }
    return (rc_path_order){layer * (INT64_C(1) << 32) + task, 0};
}

void rc_path_consider(rc_path_cause *best, const rc_path_node *node, rc_path_order order) {
    bool sooner = order.task < best->order.task ||
                  (order.task == best->order.task && order.inside < best->order.inside);
    if (best->found && (node->end < best->node.end || (node->end == best->node.end && !sooner)))
        return;
    *best = (rc_path_cause){true, *node, order};
}

void rc_path_consider_task(const rc_path *p, rc_path_cause *best, uint32_t task) {
    const rc_path_node node = {.op = RC_RING_NONE, .task = task, .end = p->r->value[task]};
    if (!best->found || node.end >= best->node.end)
        rc_path_consider(best, &node, rc_path_order_of(p, p->layer, task));
}
