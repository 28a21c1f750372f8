/* What `ringcast choose` assumes of its own parts (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cli/examples.c"
#include "sim/cli/flags.c"
#include "sim/cli/form.c"
#include "sim/cli/wanted_report.c"
#include "sim/cli/cmd_choose.c"

static void test_questions(void **state) {
    (void)state;
    static question q;
    const choose_flags none = {.t = NULL};
    rc_error err = {0};
    trips("f->t != NULL && f->p != NULL && f->model != NULL && f->machine != NULL",
          (void)read_question(&none, &q, &err));
    trips("f->cp >= 1 && f->tp >= 1 && f->batch >= 1", (void)read_layout(&none, &q, &err));
    trips("(unsigned)c < RC_CHOICES", (void)time_of(&q, RC_CHOICES));
    q.others = -1;
    trips("q->others >= 0 && q->others <= RC_ALTERNATIVES", (void)alternatives_table(&q));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_questions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
