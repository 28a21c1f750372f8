/* How a model is cut over GPUs, and in which types it is stored.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_LAYOUT_H
#define RC_SCHEDULE_LAYOUT_H
#include "sim/model/model.h"

typedef struct rc_layout {
    int tp, cp; /* N_TP GPUs of a TP group (all its nodes), N ranks */
    rc_dtype attn_weights, ffn_weights, act, kv;
} rc_layout;

/* The dtypes that the checkpoint states, bf16 where it states none; tp and cp are left alone. */
void rc_model_dtypes(const rc_model *m, rc_layout *l);
/* The notes of the file, and what `l` and the longest sequence (0: not known) give reason to say:
 * dtypes that disagree with the checkpoint's, types without measured rows, a sequence beyond the
 * context. */
void rc_model_notes(const rc_model *m, const rc_layout *l, int64_t longest, rc_notes *out);

#endif
