/* With what state each repetition of a pass began: those that were evaluated, and the others as
 * lines through these.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_RECORD_H
#define RC_FORWARD_RECORD_H
#include <stdbool.h>
#include <stddef.h>
#include "sim/engine/engine.h"

typedef struct rc_repetition {
    size_t row, gain; /* rows: it began with row + times x gain */
    rc_time times;    /* 0: with the row itself */
    int like;         /* a repetition in which every task waited for the same: itself, or another */
} rc_repetition;

/* All zero, but for the width: empty. */
typedef struct rc_record {
    size_t width; /* of a state */
    rc_time *rows;
    size_t row_count, row_room;
    rc_repetition *reps; /* in the order of the pass */
    int count, room;
    bool failed; /* out of memory */
} rc_record;

void rc_record_free(rc_record *r);
/* One that is evaluated from `state`; its number. */
int rc_record_evaluated(rc_record *r, const rc_time *state);
/* `more` that follow evaluated repetition `rep` and gain each what `state` has gained since
 * `before`: `state` is what `rep` began with. */
void rc_record_leap(rc_record *r, int rep, const rc_time *state, const rc_time *before, int more);
/* `more` that follow the last and repeat the last `period` of all, which began with `then` and left
 * `now`. */
void rc_record_repeat(rc_record *r, const rc_time *now, const rc_time *then, int period, int more);
/* What repetition `rep` began with. */
void rc_record_begin(const rc_record *r, int rep, rc_time *state);

#endif
