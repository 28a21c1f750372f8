/* The evaluator against the event engine (tests/support/fast_check.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/fast_check.h"

#define TEST(property, size)                                                                       \
    static void test_##property(void **state) {                                                    \
        (void)state;                                                                               \
        assert_true(prop_run(#property, property, size));                                          \
    }
TEST(fast_is_simulated, 24)
TEST(fast_on_many_ranks, 24)
TEST(even_ranks_are_replayed, 24)
TEST(fast_with_what_ifs, 24)
TEST(fast_with_a_close_host, 24)
TEST(fast_with_uneven_exchanges, 24)
TEST(fast_where_messages_meet, 24)

static int start(void **state) {
    (void)state;
    ctx = rc_forward_ctx_create();
    return ctx == NULL;
}

static int end(void **state) {
    (void)state;
    print_message("%lu of %lu passes replayed\n", replayed, passes);
    rc_forward_ctx_destroy(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fast_is_simulated),
        cmocka_unit_test(test_fast_on_many_ranks),
        cmocka_unit_test(test_even_ranks_are_replayed),
        cmocka_unit_test(test_fast_with_what_ifs),
        cmocka_unit_test(test_fast_with_a_close_host),
        cmocka_unit_test(test_fast_with_uneven_exchanges),
        cmocka_unit_test(test_fast_where_messages_meet),
    };
    return cmocka_run_group_tests(tests, start, end);
}
