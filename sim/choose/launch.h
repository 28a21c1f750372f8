/* The command line that starts a serving engine as a layout and a schedule have it.
 *
 * vLLM and SGLang ship few of the schedules, and each cuts a model in its own way:
 *   vLLM    tp, pcp (world tp x cp), dcp-ag-rs, dcp-a2a; experts over all GPUs or none; attention
 *           data parallelism of whole groups
 *   SGLang  tp, pcp (world tp: the ranks are parts of the TP group, as are groups of attention data
 *           parallelism), and for latent attention dcp-ag-rs, dcp-a2a and helix (replicated query
 *           projection)
 * Both cut the layers into stages (pp), and each deals those that are left over in its own way
 * (rc_rest_layers).
 * Anything else is refused by its name: no line stands for something near it.
 *
 * Sources: docs.vllm.ai (engine arguments, context parallel deployment), docs.sglang.io (server
 * arguments, prefill_cp, dcp, pipeline parallelism), read in November 2026. A flag that a release renames is wrong here.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CHOOSE_LAUNCH_H
#define RC_CHOOSE_LAUNCH_H
#include "sim/schedule/schedule.h"

typedef enum rc_launcher { RC_LAUNCH_VLLM, RC_LAUNCH_SGLANG } rc_launcher;
/* "vllm", "sglang". RC_E_INPUT with the nearest name. */
rc_status rc_launcher_named(const char *name, rc_launcher *out, rc_error *err);
const char *rc_launcher_name(rc_launcher e); /* as its makers write it: "vLLM", "SGLang" */

/* What is started: one replica. */
typedef struct rc_launch {
    const rc_model *model;
    const rc_layout *layout;
    const rc_schedule *schedule;
    int stages; /* of a pipeline; 0 or 1: none */
    rc_rest_layers rest;
    int gpus_per_node;
    int64_t longest; /* tokens of a sequence; 0: what the model is made for */
    int64_t chunk;   /* most tokens of a pass; 0: the engine's own choice */
} rc_launch;

enum { RC_LAUNCH_LINE = 640 };
/* RC_E_INPUT: the engine does not ship it; says what. */
rc_status rc_launch_line(rc_launcher e, const rc_launch *x, char line[RC_LAUNCH_LINE],
                         rc_error *err);

#endif
