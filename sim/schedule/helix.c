/* Helix (arXiv 2507.07120), as TensorRT-LLM ships it: in attention N GPUs are KVP x TPA, of which
 * KVP = dcp hold different tokens and TPA = tp / dcp different heads; in the output projection and
 * in the FFN they are one TP group of N.
 *
 * Each GPU projects queries, keys and values of the whole batch for the heads of its TPA part, so no
 * queries travel: their weights and products are dcp times those of a TP group of N. Attention is
 * over the tokens that a GPU holds. One all-to-all over heads carries partial outputs and two fp32
 * statistics of each head, which the receiver merges.
 *
 * Without the overlap of the paper (HOP-B), which is not shipped. SGLang's decode context
 * parallelism with replicated query projection is the same up to one statistic.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/dcp.h"

static rc_status check(const rc_model *m, const rc_layout *l, rc_error *err) {
    return rc_dcp_check("helix", false, m, l, err);
}

/* The largest score and the sum of exponentials beside each partial output. */
static double packed(const rc_builder *b, int rank) {
    (void)rank;
    return rc_dcp_partials(b, 2.0 * rc_dtype_bytes(RC_FP32));
}

static void back(rc_builder *b) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_copy(b, gpu, RC_P_MERGE, packed(b, 0));
    rc_emit_collective(b, rc_group_dcp(b), RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", packed);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_merge(b, gpu, rc_dcp_rows(b), rc_layout_dcp(&b->rq->layout));
}

static void helix(rc_builder *b) {
    rc_dcp_layer(b, back);
}

const rc_schedule rc_schedule_helix = {
    .name = "helix",
    .summary = "GPUs of a TP group hold different tokens and project all queries of their part of "
               "the heads",
    .phases = RC_PHASE_BIT(RC_DECODE),
    .groups = RC_OVER_TP,
    .whole_queries = true,
    .ships = RC_SHIPS_SGLANG,
    .dcp_backend = "a2a",
    .check = check,
    .attention = helix,
    .buffers = rc_dcp_buffers,
};
