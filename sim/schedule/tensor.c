/* Tensor parallel alone, over one node or several: N = 1, attention is local, and the all-reduces
 * of layer.c span the nodes of the group.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

static void local(rc_builder *b) {
    for (uint32_t gpu = 0; gpu < b->p->gpus; gpu++)
        rc_emit_attention(b, gpu, 0, 0);
}

const rc_schedule rc_schedule_tensor = {
    .name = "tp",
    .summary = "one rank, whose TP group attends to all keys and values",
    .phases = RC_PHASE_BIT(RC_PREFILL) | RC_PHASE_BIT(RC_DECODE) | RC_PHASE_BIT(RC_MIXED),
    .timed = true,
    .ships = RC_SHIPS_VLLM | RC_SHIPS_SGLANG,
    .attention = local,
};
