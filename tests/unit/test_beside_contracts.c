/* What is assumed of who asks about runs of a server (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/beside/server_runs.h"

static void test_names(void **state) {
    (void)state;
    trips("(unsigned)k < RC_BESIDE_KINDS", (void)rc_beside_kind_name(RC_BESIDE_KINDS));
    trips("(unsigned)m < RC_BESIDE_METRICS", (void)rc_beside_metric_key(RC_BESIDE_METRICS));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
