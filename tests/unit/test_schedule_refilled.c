/* A program that is filled again: tasks get new shapes in their order, and one that stands elsewhere than the request has it, or is
 * not there, is a failure that nothing goes on from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/schedule/program.c"

static rc_task tasks[3];
static rc_program p;
static rc_builder b;

static void begin(uint32_t at) {
    for (uint32_t i = 0; i < 3; i++)
        tasks[i] = (rc_task){.gpu = 1, .lane = RC_LANE_COMM, .shape = 70 + i};
    tasks[0].gpu = 0;
    p = (rc_program){.tasks = tasks, .task_count = 2}; /* the third is of nobody */
    b = (rc_builder){.p = &p, .at = at, .refill = true};
}

static void fails(uint32_t at, uint32_t gpu, rc_lane lane) {
    begin(at);
    assert_int_equal(reshape(&b, gpu, lane, 5), RC_TASK_NONE);
    assert_true(p.failed);
    assert_int_equal(b.at, at);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(tasks[i].shape, 70 + i);
}

static void test_refilled(void **state) {
    (void)state;
    begin(0);
    assert_int_equal(reshape(&b, 0, RC_LANE_COMM, 5), 0);
    assert_int_equal(reshape(&b, 1, RC_LANE_COMM, 6), 1);
    assert_false(p.failed);
    assert_true(tasks[0].shape == 5 && tasks[1].shape == 6 && tasks[2].shape == 72 && b.at == 2);
    fails(2, 1, RC_LANE_COMM); /* behind the last one */
    fails(1, 0, RC_LANE_COMM);
    fails(1, 1, RC_LANE_COMPUTE);
    begin(0);
    p.failed = true; /* nothing is filled behind a failure */
    assert_int_equal(reshape(&b, 0, RC_LANE_COMM, 5), RC_TASK_NONE);
    assert_int_equal(tasks[0].shape, 70);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refilled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
