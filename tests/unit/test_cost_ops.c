/* The table of ops: its names, each found at its own place, and those of which a store has rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sim/cost/ops.h"

static void test_names(void **state) {
    (void)state;
    const rc_op count = rc_op_count();
    assert_true(count > 20 && count <= RC_OPS_MAX);
    for (rc_op op = 0; op < count; op++)
        assert_string_equal(rc_op_info_of(rc_op_named(rc_op_info_of(op)->name))->name,
                            rc_op_info_of(op)->name);
    assert_true(rc_op_named("no such op") == count && rc_op_named("") == count);
    assert_false(rc_op_has_rows("no such op"));
}

/* Every op of which there are rows once, and no other. */
static void test_row_names(void **state) {
    (void)state;
    const char *names[RC_OPS_MAX + 1];
    size_t n = 0;
    rc_op_row_names(names);
    for (; names[n]; n++) {
        assert_true(rc_op_has_rows(names[n]));
        for (size_t k = 0; k < n; k++)
            assert_string_not_equal(names[k], names[n]);
    }
    for (rc_op op = 0; op < rc_op_count(); op++) {
        const char *name = rc_op_info_of(op)->name;
        bool listed = false;
        for (size_t k = 0; k < n; k++)
            listed = listed || strcmp(names[k], name) == 0;
        assert_int_equal(listed, rc_op_has_rows(name));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_row_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
