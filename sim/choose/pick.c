/* Picks by name, and which schedules each may name.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/choose/pick.h"
#include <assert.h>
#include <string.h>

static const char oracle[] = "oracle";

rc_pick rc_pick_schedule(const rc_schedule *s) {
    assert(s);
    return (rc_pick){.by = RC_BY_NAME, .schedule = s};
}

rc_status rc_pick_named(const char *name, rc_pick *out, rc_error *err) {
    *out = (rc_pick){.by = RC_BY_ORACLE, .schedule = rc_choice_schedule(RC_CHOOSE_PASS_KV)};
    if (strcmp(name, oracle) == 0)
        return RC_OK;
    out->by = RC_BY_RULE;
    if (rc_rule_named(name, &out->rule, NULL) == RC_OK)
        return RC_OK;
    out->by = RC_BY_NAME;
    return rc_schedule_find(name, &out->schedule, err);
}

const char *rc_pick_name(const rc_pick *p) {
    assert(p->schedule);
    return p->by == RC_BY_NAME     ? p->schedule->name
           : p->by == RC_BY_ORACLE ? oracle
                                   : rc_rule_name(p->rule.kind);
}

rc_pick rc_pick_on(const rc_pick *p, int cp) {
    return cp > 1 ? *p : rc_pick_schedule(rc_schedule_on(p->schedule, cp));
}

const rc_schedule *rc_pick_candidate(const rc_pick *p, int i) {
    assert(i >= 0);
    if (p->by == RC_BY_NAME)
        return i == 0 ? p->schedule : NULL;
    return i < RC_CHOICES ? rc_choice_schedule((rc_choice)i) : NULL;
}
