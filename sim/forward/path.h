/* Following the critical path back through a section that has been evaluated with its traces.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_PATH_H
#define RC_FORWARD_PATH_H
#include "sim/forward/replay.h"

/* What there is on a path inside a ring or gather. */
typedef enum rc_ring_op {
    RC_RING_NONE, /* not inside a ring: a task of the section */
    RC_RING_HOST,
    RC_RING_GRAPH, /* the launch of the graph that follows the host's work */
    RC_RING_MESSAGE_LAUNCH,
    RC_RING_MESSAGE,
    RC_RING_ATTENTION_LAUNCH,
    RC_RING_ATTENTION,
    RC_RING_DECODE_LAUNCH,
    RC_RING_DECODE
} rc_ring_op;

typedef struct rc_path_node {
    rc_ring_op op;
    uint32_t task; /* NONE: the task; else the block */
    int step, gpu; /* inside a ring */
    rc_time end;
} rc_path_node;

/* Where nodes stand in the order in which an ordinary program holds their tasks. */
typedef struct rc_path_order {
    int64_t task, inside;
} rc_path_order;

/* The path of a pass, as far as it has been followed. */
typedef struct rc_path {
    const rc_replay *r;
    const rc_model *model;
    const rc_what_if *what_if;
    int layer; /* the one that is being followed through; that of the head is model->layers */
    rc_time part[RC_P_COUNT], basis[RC_BASIS_COUNT];
} rc_path;

/* path_order.c: the section of a layer; whether a task of it is a port that stands for what the
 * layer before left, and for which task of that layer. */
const rc_template_section *rc_path_section_of(const rc_path *p, int layer);
bool rc_path_is_left(const rc_path *p, const rc_template_section *s, uint32_t task);
uint32_t rc_path_left_by(const rc_path *p, int layer, uint32_t port);
/* Of a task of a layer; a port stands where that stands which the layer before left there. */
rc_path_order rc_path_order_of(const rc_path *p, int layer, uint32_t task);

/* The one that ended last, of equals the first, of all that a node waited for. */
typedef struct rc_path_cause {
    bool found;
    rc_path_node node;
    rc_path_order order;
} rc_path_cause;
void rc_path_consider(rc_path_cause *best, const rc_path_node *node, rc_path_order order);
void rc_path_consider_task(const rc_path *p, rc_path_cause *best, uint32_t task);

/* ring_path.c: what a ring's port stands for, what let a node inside a ring begin, what it is. */
rc_path_node rc_ring_path_enter(const rc_path *p, uint32_t block, uint32_t port);
void rc_ring_path_cause(const rc_path *p, const rc_path_node *node, rc_path_cause *best);
uint32_t rc_ring_path_shape(const rc_path *p, const rc_path_node *node);

/* path.c: begin at the end of the pass, when the head has been evaluated; then for every layer from
 * the last to the first, each evaluated again. *at is the node where the path enters the layer. */
void rc_path_begin(rc_path *p, rc_path_node *at);
void rc_path_follow(rc_path *p, rc_path_node *at);

#endif
