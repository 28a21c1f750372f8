/* What the steps of making and resizing a trace assume of one another (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include "sim/trace/synthetic.c"
#include "sim/trace/workload.c"
#include "sim/trace/workload_make.h"
#include "tests/support/trips.h"

static void test_sizes(void **state) {
    (void)state;
    rc_req at[2];
    rc_trace t = {.at = at, .count = 2};
    rc_error err = {0};
    trips("copies >= 2", (void)repeat(&t, 1, &err));
    trips("n < t->count", (void)cut_sessions(&t, 2, &err));
    trips("clients >= 1", (void)rc_trace_clients(&t, 0, &err));
    rc_trace empty = {0};
    trips("t->count >= 1", (void)rc_trace_resample(&empty, 1, &err));
    trips("each >= 1", (void)rc_trace_together(&empty, 0, &err));
}

static void test_synthetic(void **state) {
    (void)state;
    rc_rng rng;
    rc_error err = {0};
    rc_rng_seed(&rng, 1);
    const rc_length crossed = {.mean = 5.0, .lo = 9, .hi = 3};
    trips("lo <= hi", (void)draw(&crossed, &rng, 100));
    const rc_synthetic s = {.block = 16, .shared_prefix = 64, .groups = 1};
    rc_trace t = {0};
    maker m = {.s = &s, .t = &t, .group_blocks = 4};
    rc_req q = {.input = 10, .output = 1, .session = RC_NO_SESSION};
    trips("all >= shared", (void)blocks(&m, &q, 0, 4, &err));
}

static void test_clients(void **state) {
    (void)state;
    rc_workload l = {0};
    rc_trace t = {0};
    rc_error err = {0};
    int64_t group;
    char name[sizeof l.group->name + 1];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    trips("tokens >= 0", (void)rc_workload_groups(&l, 1, -1, &group, &err));
    trips("strlen(name) < sizeof l->group->name",
          (void)rc_workload_group_of(&l, name, 1, &group, &err));
    trips("l->clients > 0 && t->count == 0", (void)rc_workload_make(&l, 0, &t, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_synthetic),
        cmocka_unit_test(test_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
