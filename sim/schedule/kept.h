/* What a layer keeps of a sequence: what grows with it, and what does not.
 *
 * A layer over all tokens keeps kv_bytes of its form for each; one with a window at most so many; one
 * that compresses one for every `ratio` tokens besides its window; an indexer keeps a key for each of
 * these (fp8 with an fp32 scale); a mixer with a state keeps that, in fp32, and the last inputs of its
 * convolution.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SCHEDULE_KEPT_H
#define RC_SCHEDULE_KEPT_H
#include "sim/model/model.h"

/* Of one layer on one GPU of `tp`: bytes for each token of a sequence that is long, the index's among
 * them; of the keys of the index alone; bytes of a state, whatever the length; tokens of a window (0:
 * none), which each take kv_bytes of the form. */
double rc_layer_growth(const rc_layer_kind *l, int tp, rc_dtype kv);
double rc_layer_index_bytes(const rc_layer_kind *l);
double rc_layer_state_bytes(const rc_layer_kind *l, int tp);
/* All of it for `sequences` that have `tokens` together. */
double rc_layer_kept(const rc_layer_kind *l, int tp, rc_dtype kv, double tokens, double sequences);
/* Keys that a query attends to on average, in a prompt of t new tokens behind p others. */
double rc_layer_kept_mean(const rc_layer_kind *l, double t, double p);

#endif
