/* Merges of few rows, of a store that has rows from one on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/cost_store.h"

static void is(const rc_costs *c, int64_t rows, int parts, int value, double want) {
    rc_cost out = {.p50 = 0.0};
    rc_error err = {0};
    if (rc_cost_merge(c, rows, parts, value, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    if (!(fabs(out.p50 / want - 1.0) < 1e-9))
        fail_msg("%lld rows of %d parts: %g s, by hand %g", (long long)rows, parts, out.p50, want);
}

/* Rows of 1, 4 and 16 with 2 and 4 parts take a microsecond for each row and part. Heads half as large are as many elements as half the
 * rows, but never less than one; twice as large as twice the rows. */
static void test_few(void **state) {
    (void)state;
    char path[512];
    rc_rows *rows = NULL;
    rc_costs *costs = NULL;
    rc_error err = {0};
    const rc_machine m = syn_machine();
    assert_int_equal(rc_rows_create(&rows, &err), RC_OK);
    syn_store s = {.rows = rows, .noise = 0.0, .seed = 1};
    for (int64_t r = 1; r <= 16; r *= 4)
        for (int64_t p = 2; p <= 4; p *= 2)
            syn_add(&s, m.base, "burst", "merge", "", "bf16", r, p, 0, 0, 1e-6 * (double)(r * p),
                    "measured");
    assert_false(s.failed);
    (void)unlink(syn_path(path, sizeof path, "test_cost_merge"));
    assert_int_equal(rc_store_write(path, &rows, 1, &err), RC_OK);
    rc_rows_free(rows);
    if (rc_costs_open(path, &m, &costs, &err) != RC_OK)
        fail_msg("%s", err.msg);
    is(costs, 1, 2, 128, 2e-6);
    is(costs, 1, 4, 128, 4e-6);
    is(costs, 16, 4, 128, 64e-6);
    is(costs, 8, 2, 64, 8e-6);
    is(costs, 2, 2, 64, 2e-6);
    is(costs, 1, 2, 64, 2e-6);
    is(costs, 2, 4, 256, 16e-6);
    rc_costs_close(costs);
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_few)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
