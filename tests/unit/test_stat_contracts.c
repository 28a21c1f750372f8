/* What histograms and series assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/stat/stat.h"
#include "tests/support/trips.h"

static void test_histogram(void **state) {
    (void)state;
    static rc_hist h;
    uint64_t low, high;
    rc_hist_init(&h);
    trips("part >= 0 && part < RC_HIST_BUCKETS", rc_hist_bounds(RC_HIST_BUCKETS, &low, &high));
    trips("into != from", rc_hist_merge(&h, &h));
    trips("q >= 0.0 && q <= 1.0", (void)rc_hist_quantile(&h, 95.0));
}

static void test_series(void **state) {
    (void)state;
    static rc_timeline s;
    trips("interval > 0", rc_timeline_init(&s, 0));
    rc_timeline_init(&s, 10);
    rc_timeline_set(&s, 25, 1.0);
    trips("now >= s->now", rc_timeline_set(&s, 24, 2.0));
    trips("i >= 0 && i < RC_TIMELINE_MAX", (void)rc_timeline_at(&s, -1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
