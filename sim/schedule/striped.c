/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/striped.h"

#include "sim/schedule/pcp.h"

int64_t rc_striped_rows(const rc_builder *b) {
    int64_t rows = 0;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        if (b->rq->seqs[i].p > 0)
            rows += rc_ceil_div(b->rq->seqs[i].t, b->n);
    return rows;
}

/* Own tokens of a rank in those sequences. */
static int64_t own_rows(const rc_builder *b, int rank) {
    int64_t rows = 0;
    for (size_t i = 0; i < b->rq->seq_count; i++)
        if (b->rq->seqs[i].p > 0)
            rows += rc_shard_tokens(b->rq->seqs[i].t, b->n, rank);
    return rows;
}

void rc_striped_new(rc_builder *b) {
    if (b->n == 1) {
        for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
            (void)rc_emit_attention(b, gpu, 0, 0);
        return;
    }
    rc_pcp_new(b);
    for (uint32_t gpu = 0; b->cached && gpu < b->p->gpus; gpu++)
        rc_emit_merge(b, gpu, own_rows(b, rc_rank_of(b, gpu)), 2);
}
