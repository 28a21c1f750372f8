/* What the timeline writers assume of their callers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/pass_spans.h"
#include "tests/support/trips.h"

static rc_error err;
static rc_spans *out;
static const rc_track at = {0, 1};

static void test_open(void **state) {
    (void)state;
    trips("head != NULL", rc_spans_open("never.json", false, NULL, &out, &err));
}

static void test_events(void **state) {
    (void)state;
    trips("start >= 0 && start <= end", rc_spans_span(out, at, "a", "b", 2, 1, NULL));
    trips("start >= 0 && start <= end", rc_spans_phase(out, 0, "a", 1, "b", -1, 1, NULL));
    trips("left >= 0 && left <= came", rc_spans_flow(out, 1, "a", at, 2, at, 1));
    trips("at >= 0", rc_spans_counter(out, 0, "a", -1, 1.0));
}

static void test_pass(void **state) {
    (void)state;
    const rc_spec spec = {.model = NULL};
    const rc_pass_place place = {.start = -1, .named = ""};
    trips("at->start >= 0 && at->named != NULL",
          rc_pass_spans(&spec, &place, out, NULL, NULL, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
