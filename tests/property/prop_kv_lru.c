/* The prefix cache says what a brute-force model of it says (tests/support/kv_model.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/kv_model.h"

static void test_model(void **state) {
    (void)state;
    assert_true(prop_run("like_the_model", like_the_model, 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
