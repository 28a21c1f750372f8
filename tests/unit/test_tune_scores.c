/* With what rates a tuned rule decides on so many ranks, by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/tune/rule_scores.c"

/* Of 2, 4 and 8 ranks: a number between two has the rates of the larger one, and one beyond those of the last. */
static void test_bandwidth(void **state) {
    (void)state;
    static rc_tune t;
    static const int n[] = {1, 2, 3, 4, 5, 8, 9, 64}, row[] = {0, 0, 1, 1, 2, 2, 2, 2};
    t.s.degrees = 3;
    t.s.degree[0] = 2, t.s.degree[1] = 4, t.s.degree[2] = 8, t.s.degree[3] = 1;
    for (int k = 0; k < 4; k++) {
        t.rates[k].bw = 10.0 + k;
        t.rates[k].achieved_bw = 20.0 + k;
    }
    for (int i = 0; i < 8; i++) {
        const rc_tune_rule own = {.of = RC_TUNE_BW_OWN, .bw = 5.0},
                           stated = {.of = RC_TUNE_BW_STATED},
                           achieved = {.of = RC_TUNE_BW_ACHIEVED};
        assert_true(bandwidth(&t, &own, n[i]) == 5.0);
        assert_true(bandwidth(&t, &stated, n[i]) == 10.0 + row[i]);
        assert_true(bandwidth(&t, &achieved, n[i]) == 20.0 + row[i]);
    }
    assert_ptr_equal(rc_tune_rates(&t), &t.rates[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bandwidth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
