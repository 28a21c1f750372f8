/* Where things are: the rank and the node of a simulated GPU, the GPU some ranks ahead, and which
 * sequences of a request decode.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/schedule/builder.h"

int rc_rank_of(const rc_builder *b, uint32_t gpu) {
    return (int)(gpu / b->g);
}

uint32_t rc_next_gpu(const rc_builder *b, uint32_t gpu, int ranks_ahead) {
    assert(gpu < b->p->gpus && ranks_ahead >= 0);
    uint32_t n = (uint32_t)b->n, ahead = (uint32_t)ranks_ahead;
    return ((gpu / b->g + ahead) % n) * b->g + gpu % b->g;
}

int rc_groups_abreast(const rc_builder *b, int size) {
    const rc_request *rq = b->rq;
    int ranks = rq->ranks_per_node > 1 ? rq->ranks_per_node : 1;
    int nodes = rq->nodes_per_rank > 1 ? rq->nodes_per_rank : 1;
    int all = b->n * rc_layout_dp(&rq->layout);
    int gpus = rq->layout.tp / nodes * (ranks < all ? ranks : all);
    return gpus > size ? gpus / size : 1;
}

bool rc_one_node(const rc_request *rq) {
    return rq->layout.cp == 1 ? rq->nodes_per_rank <= 1 : rq->ranks_per_node >= rq->layout.cp;
}

bool rc_prefills(const rc_builder *b) {
    return b->decodes < b->rq->seq_count;
}

int rc_place_node(const rc_request *rq, int place) {
    int tp = rq->layout.tp, rank = place / tp, nodes = rq->nodes_per_rank;
    if (rq->ranks_per_node > 1)
        return rank / rq->ranks_per_node;
    return nodes > 1 ? rank * nodes + place % tp / (int)rc_ceil_div(tp, nodes) : rank;
}

int rc_node_of(const rc_builder *b, uint32_t gpu) {
    return rc_place_node(b->rq, (int)gpu * (b->rq->layout.tp / (int)b->g));
}
