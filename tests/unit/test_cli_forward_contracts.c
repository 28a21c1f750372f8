/* What `ringcast forward` assumes of its own parts (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cli/examples.c"
#include "sim/cli/flags.c"
#include "sim/cli/form.c"
#include "sim/cli/op_sources.c"
#include "sim/cli/wanted_report.c"
#include "sim/cli/machine_json.c"
#include "sim/cli/forward_timeline.c"
#include "sim/cli/cmd_forward.c"

static void test_answers(void **state) {
    (void)state;
    static answer a;
    const rc_phase none = (rc_phase)(RC_MIXED + 1);
    a.scenario.phase = none;
    trips("(unsigned)a->scenario.phase <= RC_MIXED", (void)metric(&a));
    trips("(unsigned)s->phase <= RC_MIXED", (void)json_metric(&a.scenario));
    const rc_layout one = {.tp = 1, .cp = 1};
    trips("s != NULL && l->tp >= 1 && l->cp >= 1", (void)add(&a, NULL, &one));
    a.other_count = MAX_ALTERNATIVES;
    trips("a->other_count < MAX_ALTERNATIVES", add_other(&a, &rc_schedule_pass_kv, 1, 1, 1));
    a.result.time = -1.0;
    trips("r->time >= 0.0", (void)breakdown_table(&a));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
