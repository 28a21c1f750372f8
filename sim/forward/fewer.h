/* What-ifs on what a sequence attends to and holds, as `forward` and `serve` state them: the sections
 * `attention` and `history` of their files.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_FEWER_H
#define RC_FORWARD_FEWER_H
#include "sim/keys/keys.h"
#include "sim/model/model.h"
#include "sim/schedule/schedule.h"

/* A turn keeps `share` of the tokens before it, rounded up: cached, or to be computed anew. */
typedef struct rc_history {
    double share; /* 1: all */
    bool anew;
} rc_history;

/* The section `attention` applied to *m, which it leaves alone where there is none. */
rc_status rc_scenario_attention(const rc_section *root, rc_model *m, rc_error *err);
rc_status rc_scenario_history(const rc_section *root, rc_history *out, rc_error *err);
/* Of T new tokens behind P. */
rc_sequence rc_history_left(const rc_history *h, rc_sequence s);

#endif
