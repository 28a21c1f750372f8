/* With what state repetitions of a pass began: those that were evaluated as they are, the others on lines through them, by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/forward/record.h"

static void begins(const rc_record *r, int rep, rc_time first, rc_time second, int like) {
    rc_time state[2] = {-1, -1};
    rc_record_begin(r, rep, state);
    if (state[0] != first || state[1] != second || r->reps[rep].like != like)
        fail_msg("%d began with %lld, %lld like %d; by hand %lld, %lld like %d", rep,
                 (long long)state[0], (long long)state[1], r->reps[rep].like, (long long)first,
                 (long long)second, like);
}

/* Two repetitions are evaluated; three more gain what the second gained over the first, of which the last may wait for something
 * else than they. Then two more are evaluated, and five repeat these. */
static void test_lines(void **state) {
    (void)state;
    rc_record r = {.width = 2};
    const rc_time at[][2] = {{10, 5}, {14, 8}, {30, 20}, {31, 22}, {36, 29}};
    assert_int_equal(rc_record_evaluated(&r, at[0]), 0);
    assert_int_equal(rc_record_evaluated(&r, at[1]), 1);
    rc_record_leap(&r, 1, at[1], at[0], 3);
    assert_int_equal(r.count, 5);
    assert_int_equal(rc_record_evaluated(&r, at[2]), 5);
    assert_int_equal(rc_record_evaluated(&r, at[3]), 6);
    rc_record_repeat(&r, at[4], at[2], 2, 5);
    assert_int_equal(r.count, 12);
    begins(&r, 0, 10, 5, 0);
    begins(&r, 1, 14, 8, 1);
    begins(&r, 2, 18, 11, 2);
    begins(&r, 3, 22, 14, 2);
    begins(&r, 4, 26, 17, 4);
    begins(&r, 5, 30, 20, 5);
    begins(&r, 6, 31, 22, 6);
    begins(&r, 7, 36, 29, 5);
    begins(&r, 8, 37, 31, 6);
    begins(&r, 9, 42, 38, 5);
    begins(&r, 10, 43, 40, 6);
    begins(&r, 11, 48, 47, 5);
    assert_false(r.failed);
    rc_record_free(&r);
    assert_true(r.width == 2 && r.count == 0 && r.room == 0 && r.row_count == 0 && !r.rows);
}

/* A leap over one is a repetition like no other. */
static void test_leap_over_one(void **state) {
    (void)state;
    rc_record r = {.width = 2};
    const rc_time before[] = {1, 2}, now[] = {3, 7};
    assert_int_equal(rc_record_evaluated(&r, now), 0);
    rc_record_leap(&r, 0, now, before, 1);
    begins(&r, 1, 5, 12, 1);
    rc_record_free(&r);
}

/* More of them than any first room holds. */
static void test_many(void **state) {
    (void)state;
    enum { MANY = 1000 };
    rc_record r = {.width = 2};
    for (int i = 0; i < MANY; i++) {
        const rc_time at[] = {i, 3 * i};
        assert_int_equal(rc_record_evaluated(&r, at), i);
    }
    const rc_time then[] = {0, 0}, now[] = {MANY, 3 * MANY};
    rc_record_repeat(&r, now, then, MANY, 2 * MANY);
    for (int i = 0; i < 3 * MANY; i += 7)
        begins(&r, i, i, 3 * i, i % MANY);
    rc_record_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines),
                                       cmocka_unit_test(test_leap_over_one),
                                       cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
