/* The evaluator against the event engine (tests/support/fast_check.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/fast_check.h"

/* Layers of a pass-Q prefill of 60 that are evaluated, with a host that takes so many ticks to launch
 * an op; one of them is the head's. */
static int layers_evaluated(int64_t launch) {
    fake_pass f;
    prop_case c = {0};
    rc_forward_timing fast;
    fake_one_prompt(60, 16, 4, 4, 4 * 4097, &f);
    f.spec.schedule = rc_schedule_named("pass-q");
    f.costs.machine.gpus_per_node = 2;
    f.costs.machine.launch = (double)launch / RC_PS_PER_S;
    f.costs.machine.ring_step = 0.0;
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] = 1000;
    if (!compare(&c, &f, NULL))
        fail_msg("%s", c.why);
    assert_int_equal(rc_forward_time(ctx, &f.spec, &fast, NULL), RC_OK);
    assert_int_equal(fast.path, RC_PATH_REPLAY);
    return fast.layers;
}

/* An all-to-all brings ranks together, so layers are alike from the second on: while hosts run ahead,
 * and as well when they are what all wait for. */
static void test_exchanges_repeat_behind_hosts(void **state) {
    (void)state;
    assert_in_range(layers_evaluated(1), 1, 5);
    assert_in_range(layers_evaluated(1000000), 1, 5);
}

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
        cmocka_unit_test(test_exchanges_repeat_behind_hosts),
    };
    return cmocka_run_group_tests(tests, start, end);
}
