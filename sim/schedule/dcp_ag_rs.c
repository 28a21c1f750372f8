/* Decode context parallelism with all-gather and reduce-scatter (vLLM's and SGLang's first back
 * end): queries of the d GPUs are gathered, each attends with all of their heads to the tokens that
 * it holds; the log-sum-exps are gathered, each GPU scales its partial outputs by them, and a
 * reduce-scatter over heads adds them up and leaves each GPU its own heads. Three collectives a
 * layer, one after the other.
 *
 * A prompt with cached tokens takes the same way for these (dcp.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/dcp.h"

static rc_status check(const rc_model *m, const rc_layout *l, rc_error *err) {
    return rc_dcp_check("dcp-ag-rs", true, m, l, err);
}

/* An fp32 log-sum-exp for each row and head, of d GPUs. */
static double gathered_sums(const rc_builder *b, int rank) {
    (void)rank;
    return (double)rc_dcp_rows(b) * rc_dcp_heads(b) * rc_dtype_bytes(RC_FP32) *
           rc_layout_dcp(&b->rq->layout);
}

static double partials(const rc_builder *b, int rank) {
    (void)rank;
    return rc_dcp_partials(b, 0.0);
}

static void back(rc_builder *b) {
    const rc_group d = rc_group_dcp(b);
    rc_emit_collective(b, d, RC_LANE_COMPUTE, RC_P_ALL_GATHER, "all_gather", gathered_sums);
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_copy(b, gpu, RC_P_MERGE, rc_dcp_partials(b, 0.0)); /* scaled in place */
    rc_emit_collective(b, d, RC_LANE_COMPUTE, RC_P_REDUCE_SCATTER, "reduce_scatter", partials);
}

static void dcp_ag_rs(rc_builder *b) {
    rc_dcp_layer(b, back);
}

const rc_schedule rc_schedule_dcp_ag_rs = {
    .name = "dcp-ag-rs",
    .summary = "GPUs of a TP group hold different tokens: queries are gathered, partial outputs "
               "reduce-scattered",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE) | RC_PHASE_BIT(RC_MIXED),
    .groups = RC_OVER_TP,
    .cached_apart = true,
    .ships = RC_SHIPS_VLLM | RC_SHIPS_SGLANG,
    .dcp_backend = "ag_rs",
    .check = check,
    .attention = dcp_ag_rs,
    .buffers = rc_dcp_buffers,
};
