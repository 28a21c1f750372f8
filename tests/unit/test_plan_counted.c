/* How a plan counts its trials as they end, whatever each says.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/progress.h"

static char told[128];
static size_t used;

static void told_begin(rc_progress *p, const char *label, size_t total, bool quiet) {
    *p = (rc_progress){.label = label, .total = total};
    used += (size_t)snprintf(told + used, sizeof told - used, "%s of %zu%s;", label, total,
                             quiet ? " unseen" : "");
}

static void told_step(rc_progress *p, size_t done) {
    used += (size_t)snprintf(told + used, sizeof told - used, "%zu/%zu ", done, p->total);
}

static void told_end(rc_progress *p) {
    (void)p;
    used += (size_t)snprintf(told + used, sizeof told - used, "end");
}

#define rc_progress_begin told_begin
#define rc_progress_step told_step
#define rc_progress_end told_end
#include "sim/plan/plan_progress.c"

static rc_status played(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    assert_ptr_equal(ctx, told);
    (void)err;
    out->done = t->growth;
    return t->growth > 1.0 ? RC_E_NOFIT : RC_OK;
}

static void test_counts(void **state) {
    (void)state;
    for (int quiet = 0; quiet < 2; quiet++) {
        rc_plan plan = {.name = "p", .quiet = quiet};
        plan_counted c;
        rc_plan_trial t = {.growth = 1.0};
        rc_plan_outcome out = {.done = 0.0};
        used = 0;
        assert_true(plan_count_begin(&c, &plan, played, told, 5));
        assert_int_equal(plan_counted_sim(&c, &t, &out, NULL), RC_OK);
        t.growth = 2.0;
        assert_int_equal(plan_counted_sim(&c, &t, &out, NULL), RC_E_NOFIT);
        assert_true(out.done == 2.0);
        plan_count_most(&c, 7); /* behind the two */
        assert_int_equal(plan_counted_sim(&c, &t, &out, NULL), RC_E_NOFIT);
        plan_count_end(&c);
        assert_string_equal(told,
                            quiet ? "p of 5 unseen;1/5 2/5 3/9 end" : "p of 5;1/5 2/5 3/9 end");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
