/* The work of sequences that other groups have: each counts as it is, whatever stands before it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/programs.h"
#include "sim/forward/spread.c"

static void test_rest(void **state) {
    (void)state;
    const rc_model m = programs_model(2, 8, 4, 16, 64, 128);
    static const rc_sequence t[][4] = {{{5, 0}, {9, 0}, {5, 0}, {9, 0}},
                                       {{1, 100}, {1, 900}, {1, 100}, {1, 100}},
                                       {{7, 3}, {7, 3}, {3, 7}, {7, 3}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_elsewhere out;
        double flops = -1.0, want = 0.0;
        int64_t tokens = 0;
        for (int k = 0; k < 4; k++) {
            want += rc_forward_flops(&m, t[i][k]);
            tokens += t[i][k].t;
        }
        sum_rest(&m, t[i], 4, &out, &flops);
        assert_true(flops == want && out.tokens == tokens && out.sequences == 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
