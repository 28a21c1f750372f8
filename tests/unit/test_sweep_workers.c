/* How many workers a sweep has: the ranks of an MPI run, else threads as they are asked for, up to a bound, else a thread a core.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sweep/sweep_run.c"

static void test_workers(void **state) {
    (void)state;
    const rc_ranks alone = {.rank = 0, .size = 1}, five = {.rank = 3, .size = 5, .mpi = true};
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    assert_true(cores >= 1);
    assert_int_equal(workers_of(&alone, 1), 1);
    assert_int_equal(workers_of(&alone, 7), 7);
    assert_int_equal(workers_of(&alone, RC_PARALLEL_MAX), RC_PARALLEL_MAX);
    assert_int_equal(workers_of(&alone, RC_PARALLEL_MAX + 1), RC_PARALLEL_MAX);
    assert_int_equal(workers_of(&alone, 0), cores < RC_PARALLEL_MAX ? cores : RC_PARALLEL_MAX);
    assert_int_equal(workers_of(&five, 0), 5);
    assert_int_equal(workers_of(&five, 7), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
