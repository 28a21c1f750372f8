/* Forward passes that rows of the paper share: one that is asked for again is the same, one that differs in anything is another.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "sim/report/paper_internal.h"

enum { KINDS = 9, MANY = 700 };

static void test_jobs(void **state) {
    rc_paper p = {0};
    (void)state;
    const rc_job first = {.machine = 0,
                          .tp = 8,
                          .cp = 2,
                          .phase = RC_PREFILL,
                          .t = 100,
                          .p = 10,
                          .batch = 1,
                          .schedule = &rc_schedule_pass_kv};
    rc_job all[KINDS];
    for (int i = 0; i < KINDS; i++)
        all[i] = first;
    all[1].machine = 1, all[2].tp = 4, all[3].cp = 4, all[4].phase = RC_DECODE;
    all[5].t = 101, all[6].p = 11, all[7].batch = 2, all[8].schedule = &rc_schedule_pass_q;
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < KINDS; i++)
            assert_int_equal(rc_paper_job(&p, &all[i]), i);
    assert_int_equal(p.job_count, KINDS);
    /* one that is drawn for a row is drawn for all, whoever asks first */
    all[0].draws = true;
    assert_int_equal(rc_paper_job(&p, &all[0]), 0);
    assert_true(p.jobs[0].draws && !p.jobs[1].draws);
    assert_int_equal(rc_paper_job(&p, &first), 0);
    assert_true(p.jobs[0].draws);
    /* and more than there is room for at first */
    for (int i = 0; i < MANY; i++) {
        rc_job more = first;
        more.t = 1000 + i;
        assert_int_equal(rc_paper_job(&p, &more), KINDS + i);
    }
    assert_int_equal(p.job_count, KINDS + MANY);
    assert_int_equal(p.jobs[KINDS + MANY - 1].t, 1000 + MANY - 1);
    assert_int_equal(p.jobs[8].schedule == &rc_schedule_pass_q, true);
    assert_false(p.failed);
    free(p.jobs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
