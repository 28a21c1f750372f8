/* Who picks the schedule of a prefill: the name of a schedule picks it for every prefill, the name
 * of a rule lets the rule decide each time, and "oracle" stands for the faster of the two that the
 * rules choose between.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CHOOSE_PICK_H
#define RC_CHOOSE_PICK_H
#include "sim/choose/choose.h"

typedef enum rc_pick_by { RC_BY_NAME, RC_BY_RULE, RC_BY_ORACLE } rc_pick_by;

typedef struct rc_pick {
    rc_pick_by by;
    /* BY_NAME: the schedule, always. Else the usual one: it stands for the others where a single
     * one must, as for the size of buffers. */
    const rc_schedule *schedule;
    rc_rule rule; /* BY_RULE */
} rc_pick;

/* The pick of a schedule, whoever it is. */
rc_pick rc_pick_schedule(const rc_schedule *s);
/* RC_E_INPUT when `name` is neither a schedule nor a rule nor "oracle". */
rc_status rc_pick_named(const char *name, rc_pick *out, rc_error *err);
const char *rc_pick_name(const rc_pick *p); /* as rc_pick_named takes it */
/* What stands for `p` on `cp` ranks: itself, but on one rank the schedule for a single rank. */
rc_pick rc_pick_on(const rc_pick *p, int cp);
/* The i-th schedule that may come out; NULL past the last. */
const rc_schedule *rc_pick_candidate(const rc_pick *p, int i);

#endif
