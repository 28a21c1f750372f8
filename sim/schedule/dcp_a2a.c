/* Decode context parallelism with an all-to-all (the back end a2a of vLLM and SGLang): queries are
 * gathered and attended with as in dcp_ag_rs.c; then each GPU packs its partial outputs with their
 * log-sum-exps, one all-to-all gives every GPU those of its own heads from all d, and it merges them.
 * Two collectives a layer.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/dcp.h"

static rc_status check(const rc_model *m, const rc_layout *l, rc_error *err) {
    return rc_dcp_check("dcp-a2a", true, m, l, err);
}

/* With an fp32 log-sum-exp for each row and head. */
static double packed(const rc_builder *b, int rank) {
    (void)rank;
    return rc_dcp_partials(b, rc_dtype_bytes(RC_FP32));
}

static void back(rc_builder *b) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_copy(b, gpu, RC_P_MERGE, packed(b, 0));
    rc_emit_collective(b, rc_group_dcp(b), RC_LANE_COMPUTE, RC_P_ALL2ALL, "all_to_all", packed);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_merge(b, gpu, rc_dcp_rows(b), rc_layout_dcp(&b->rq->layout));
}

static void dcp_a2a(rc_builder *b) {
    rc_dcp_layer(b, back);
}

const rc_schedule rc_schedule_dcp_a2a = {
    .name = "dcp-a2a",
    .summary = "GPUs of a TP group hold different tokens: queries are gathered, partial outputs go "
               "by all-to-all",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE) | RC_PHASE_BIT(RC_MIXED),
    .groups = RC_OVER_TP,
    .cached_apart = true,
    .ships = RC_SHIPS_VLLM | RC_SHIPS_SGLANG,
    .dcp_backend = "a2a",
    .check = check,
    .attention = dcp_a2a,
    .buffers = rc_dcp_buffers,
};
