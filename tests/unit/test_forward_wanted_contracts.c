/* What the analysis of wanted rows assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/cost/asks.c"
#include "sim/forward/wanted.c"

/* Fakes of what listens. */
rc_status rc_costs_listen(const rc_costs *c, rc_asks *a, rc_costs **out, rc_error *err) {
    (void)a, (void)out;
    return rc_fail(err, RC_E_INTERNAL, "nobody listens to %s", c == NULL ? "nothing" : "a fake");
}

double rc_ask_measured_spread(const rc_costs *c, const rc_ask *ask) {
    (void)c, (void)ask;
    return 0.0;
}

static void test_passes(void **state) {
    (void)state;
    rc_wanted w;
    rc_error err = {0};
    const rc_spec one = {.draws = 0};
    trips("passes != NULL && n >= 1 && out != NULL", (void)rc_wanted_of(&one, 0, &w, &err));
    assert_int_equal(rc_wanted_of(&one, 1, &w, &err), RC_E_INTERNAL);
    assert_null(w.row);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_passes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
