/* Decode context parallelism: what its schedules share.
 *
 * The GPUs of a TP group that would hold the same KV heads hold different tokens instead: token i
 * lies on the (i mod d)-th of d neighbours. Everything but attention is that of the TP group.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_DCP_H
#define RC_SCHEDULE_DCP_H
#include "sim/schedule/builder.h"

/* One CP rank; dcp divides tp and, where `replicas`, is at most how many GPUs of the TP group hold
 * the same KV heads. `name`: of the schedule. */
rc_status rc_dcp_check(const char *name, bool replicas, const rc_model *m, const rc_layout *l,
                       rc_error *err);
/* Tokens whose queries go to what the d GPUs hold: those that decode, those of prompts with cached tokens
 * but for prompts on latents, which gather these, and all where keys are chosen. At least 1 where queries are
 * gathered. */
int64_t rc_dcp_rows(const rc_builder *b);
/* Query heads of d GPUs. */
int rc_dcp_heads(const rc_builder *b);
/* Bytes of the partial outputs of rc_dcp_rows with those heads, and `extra` a head beside each. */
double rc_dcp_partials(const rc_builder *b, double extra);
/* Gathers the queries of the d GPUs on each of them. */
void rc_dcp_gather_queries(rc_builder *b);
/* Attention of rc_dcp_rows, with the heads of d GPUs, over what this GPU holds: of prompts their
 * cached tokens, of sequences that decode all, and of chosen keys its share. */
void rc_dcp_attend(rc_builder *b);
/* The whole of a schedule: queries, attention over the cache, `back`, which leaves each GPU the
 * outputs of its own heads, and the new tokens of prompts, whose keys and values all d GPUs have
 * just made. Latents that a prompt finds are smaller than its queries and outputs: they are gathered, as in
 * vLLM, and seen by each GPU's own heads. Where keys are chosen (DeepSeek's sparse attention), every GPU has
 * all keys of the indexer and makes the same choice; each attends to those of the chosen that it holds. On
 * d = 1: attention as in a TP group. */
void rc_dcp_layer(rc_builder *b, void (*back)(rc_builder *b));
/* Bytes kept on a GPU: queries and partial outputs of the heads of d GPUs, and the partial outputs
 * once more as they are sent. */
double rc_dcp_buffers(const rc_buffer_terms *t);

#endif
