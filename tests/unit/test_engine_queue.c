/* The event queue: order, handles, cancel and move, memory, wraps.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "sim/engine/eventq_inline.h"

#define LOG_MAX 20000

typedef struct record {
    uint64_t arg;
    rc_time now;
} record;

static rc_eventq *q;
static record fired[LOG_MAX];
static size_t n_fired;

static int setup(void **state) {
    (void)state;
    q = rc_eventq_create(4);
    n_fired = 0;
    return q == NULL;
}

static int teardown(void **state) {
    (void)state;
    rc_eventq_destroy(q);
    return 0;
}

static void note(void *ctx, uint64_t arg, rc_time now) {
    (void)ctx;
    if (n_fired < LOG_MAX)
        fired[n_fired] = (record){arg, now};
    n_fired++;
}

static rc_event at(rc_time t, uint64_t arg) {
    return rc_eventq_at(q, t, note, NULL, arg);
}

static void expect_args(const char *letters) {
    (void)rc_eventq_run(q, RC_TIME_NEVER);
    for (size_t i = 0; letters[i] != '\0'; i++) {
        assert_true(i < n_fired);
        assert_int_equal(fired[i].arg, (uint64_t)letters[i]);
    }
    assert_int_equal(n_fired, rc_eventq_fired(q));
    assert_int_equal(rc_eventq_size(q), 0);
}

static void test_time_order_then_first_come(void **state) {
    (void)state;
    at(5, 'c');
    at(3, 'a');
    at(5, 'd');
    at(3, 'b');
    at(9, 'f');
    at(5, 'e');
    assert_int_equal(rc_eventq_size(q), 6);
    expect_args("abcdef");
    assert_int_equal(rc_eventq_now(q), 9);
    assert_false(rc_eventq_step(q));
}

/* Far more equal times than the run or a bucket's first chunk hold, scheduled before, at and around
 * one another. */
static void test_thousands_at_one_instant(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        at(1000, i);
        at(1001, 3000 + i);
        at((rc_time)i % 1000, UINT64_MAX);
    }
    (void)rc_eventq_run(q, 999);
    n_fired = 0;
    for (uint64_t i = 0; i < 3000; i++)
        at(1001, 6000 + i);
    (void)rc_eventq_run(q, RC_TIME_NEVER);
    assert_int_equal(n_fired, 9000);
    for (size_t i = 0; i < n_fired; i++)
        assert_int_equal(fired[i].arg, i);
}

static void test_run_until(void **state) {
    (void)state;
    at(10, 'a');
    at(20, 'b');
    at(30, 'c');
    assert_int_equal(rc_eventq_run(q, 20), 2);
    assert_int_equal(rc_eventq_now(q), 20);
    at(25, 'x'); /* after a look ahead at 30 */
    expect_args("abxc");
}

static void test_cancel(void **state) {
    (void)state;
    rc_event a = at(1, 'a'), b = at(2, 'b'), c = at(3, 'c');
    assert_true(rc_eventq_pending(q, b));
    assert_true(rc_eventq_cancel(q, b));
    assert_false(rc_eventq_pending(q, b));
    assert_false(rc_eventq_cancel(q, b));
    assert_int_equal(rc_eventq_size(q), 2);
    expect_args("ac");
    assert_false(rc_eventq_cancel(q, a));
    assert_false(rc_eventq_move(q, c, 9));
    assert_false(rc_eventq_cancel(q, 0));
    assert_false(rc_eventq_pending(q, UINT64_MAX));
}

static void test_move_keeps_the_handle_and_goes_behind(void **state) {
    (void)state;
    rc_event a = at(5, 'a');
    at(7, 'b');
    at(5, 'c');
    assert_true(rc_eventq_move(q, a, 7));
    assert_true(rc_eventq_move(q, a, 2));
    assert_true(rc_eventq_move(q, a, 7)); /* where it has been before */
    assert_true(rc_eventq_pending(q, a));
    assert_int_equal(rc_eventq_size(q), 3);
    expect_args("cba");
}

static void test_stale_handle_of_a_used_again_slot(void **state) {
    (void)state;
    rc_event old = at(1, 'a');
    assert_true(rc_eventq_cancel(q, old));
    rc_event fresh = at(2, 'b');
    assert_int_equal((uint32_t)old, (uint32_t)fresh); /* the same slot */
    assert_true(old != fresh);
    assert_false(rc_eventq_cancel(q, old));
    assert_false(rc_eventq_move(q, old, 9));
    assert_true(rc_eventq_pending(q, fresh));
    expect_args("b");
}

static rc_event victim, mover, self;

static void meddle(void *ctx, uint64_t arg, rc_time now) {
    note(ctx, arg, now);
    assert_false(rc_eventq_pending(q, self)); /* it is firing, no longer pending */
    assert_false(rc_eventq_cancel(q, self));
    assert_true(rc_eventq_cancel(q, victim));
    assert_true(rc_eventq_move(q, mover, now));
    at(now, 'n');
    at(now + 1, 'l');
}

static void test_handler_that_meddles(void **state) {
    (void)state;
    self = rc_eventq_at(q, 1, meddle, NULL, 'm');
    at(1, 'a');
    victim = at(1, 'v');
    mover = at(50, 'o');
    at(2, 'b');
    expect_args("maonbl");
}

static void step_inside(void *ctx, uint64_t arg, rc_time now) {
    note(ctx, arg, now);
    assert_true(rc_eventq_step(q));
    at(now + 5, 'z');
}

static void test_handler_that_steps(void **state) {
    (void)state;
    (void)rc_eventq_at(q, 1, step_inside, NULL, 's');
    at(2, 'a');
    at(3, 'b');
    expect_args("sabz");
}

static void test_memory_per_event(void **state) {
    (void)state;
    assert_int_equal(rc_eventq_bytes_per_event(), 58); /* 32 + 1.5 x 16 x 16 / 15, rounded up */
    for (size_t n = 100000; n <= 1000000; n *= 10) {   /* all that is reserved, not a formula */
        rc_eventq *big = rc_eventq_create(n);
        size_t bytes = sizeof *big + (size_t)big->slots * sizeof(rc_eventq_node) +
                       (size_t)big->chunks * RC_CHUNK * sizeof(rc_eventq_key);
        assert_true(bytes <= 64 * n);
        rc_eventq_destroy(big);
    }
    rc_event h[64];
    for (int i = 0; i < 64; i++)
        h[i] = at(1000 + i, 0);
    uint32_t slots = q->slots, chunks = q->chunks;
    for (int i = 0; i < 1000000; i++) { /* timeouts that never fire */
        assert_true(rc_eventq_cancel(q, h[i % 64]));
        h[i % 64] = at((rc_time)i * 7919 % 1000003, 0);
        assert_true(rc_eventq_move(q, h[i % 61], (rc_time)i * 31 % 999983));
    }
    assert_int_equal(rc_eventq_size(q), 64);
    assert_int_equal(q->slots, slots);
    assert_int_equal(q->chunks, chunks);
    assert_true(q->stale <= q->max_stale);
}

/* Nothing is lost or misordered when a node's generations or stamps come round. */
static void test_generations_and_stamps_wrap(void **state) {
    (void)state;
    rc_event first = at(1, 'a');
    q->nodes[(uint32_t)first].gen = UINT32_MAX; /* as after four thousand million events */
    rc_event last = (uint64_t)UINT32_MAX << 32 | (uint32_t)first;
    assert_true(rc_eventq_pending(q, last));
    assert_true(rc_eventq_step(q));
    rc_event next = at(2, 'b');
    assert_true((uint32_t)next != (uint32_t)first); /* retired */
    assert_false(rc_eventq_pending(q, last));
    assert_false(rc_eventq_pending(q, (uint32_t)first));

    for (int i = 0; i < 5; i++)
        at(40, 'z');
    rc_event m = at(10, 'm');
    uint32_t slot = (uint32_t)m;
    assert_true(rc_eventq_move(q, m, 20)); /* leaves a stale key of stamp 0 at 10 */
    assert_int_equal(q->nodes[slot].stamp, 1);
    assert_int_equal(q->stale, 1);
    q->nodes[slot].stamp = UINT32_MAX;
    for (uint32_t i = 0; i < q->tail - q->head; i++) /* its live key follows suit */
        if (RC_KEY_SLOT(q->head[i]) == slot && RC_KEY_STAMP(q->head[i]) == 1)
            q->head[i].id = (uint64_t)UINT32_MAX << 32 | slot;
    assert_true(rc_eventq_move(q, m, 30)); /* stamp 0 again: the stale key must be gone */
    assert_int_equal(q->nodes[slot].stamp, 0);
    assert_int_equal(q->stale, 1);
    at(25, 'x');
    expect_args("abxmzzzzz");
    assert_int_equal(fired[3].now, 30);
}

static void test_cancel_and_move_among_four(void **state) {
    (void)state;
    for (unsigned victim_at = 0; victim_at < 4; victim_at++) {
        for (unsigned mode = 0; mode < 3; mode++) { /* cancel; move behind all; move to the front */
            rc_time now = rc_eventq_now(q);
            rc_event h[4];
            n_fired = 0;
            for (unsigned i = 0; i < 4; i++)
                h[i] = at(now + 5, i); /* ties */
            assert_int_equal(rc_eventq_next_inline(q), now + 5);
            if (mode == 0)
                assert_true(rc_eventq_cancel(q, h[victim_at]));
            else
                assert_true(rc_eventq_move(q, h[victim_at], mode == 1 ? now + 5 : now));
            assert_int_equal(rc_eventq_pending(q, h[victim_at]), mode != 0);
            assert_int_equal(rc_eventq_size(q), mode == 0 ? 3 : 4);
            assert_true(rc_eventq_reserve_(q, (size_t)q->slots + 1)); /* its nodes move */
            (void)rc_eventq_run(q, RC_TIME_NEVER);
            assert_int_equal(n_fired, mode == 0 ? 3 : 4);
            size_t k = 0;
            if (mode == 2)
                assert_int_equal(fired[k++].arg, victim_at);
            for (unsigned i = 0; i < 4; i++)
                if (i != victim_at)
                    assert_int_equal(fired[k++].arg, i);
            if (mode == 1)
                assert_int_equal(fired[k].arg, victim_at);
            for (unsigned i = 0; i < 4; i++)
                assert_false(rc_eventq_cancel(q, h[i]));
        }
    }
}

static void test_all_magnitudes_of_time(void **state) {
    (void)state;
    rc_event h[63];
    for (unsigned i = 0; i < 63; i++)
        h[62 - i] = at((rc_time)((uint64_t)1 << (62 - i)), 62 - i);
    at(0, 99);
    at(RC_TIME_NEVER, 63);
    assert_true(rc_eventq_move(q, h[40], RC_TIME_NEVER));
    (void)rc_eventq_run(q, RC_TIME_NEVER);
    assert_int_equal(n_fired, 65);
    assert_int_equal(fired[0].arg, 99);
    assert_int_equal(fired[63].arg, 63);
    assert_int_equal(fired[64].arg, 40);
}

static void test_create_and_destroy(void **state) {
    (void)state;
    rc_eventq_destroy(NULL);
    rc_eventq *big = rc_eventq_create(100000);
    assert_non_null(big);
    rc_eventq_destroy(big);
    assert_null(rc_eventq_create((size_t)1 << 40));
}

static void test_rng_reference_values(void **state) {
    (void)state;
    rc_rng r = {{1, 2, 3, 4}}; /* the authors' generator from this state */
    assert_true(rc_rng_u64(&r) == 11520u);
    assert_true(rc_rng_u64(&r) == 0u);
    assert_true(rc_rng_u64(&r) == 1509978240u);
    assert_true(rc_rng_u64(&r) == 1215971899390074240u);
    rc_rng_seed(&r, 1234567); /* splitmix64's published first outputs for this seed */
    assert_true(r.s[0] == 6457827717110365317u);
    assert_true(r.s[1] == 3203168211198807973u);
    assert_true(r.s[2] == 9817491932198370423u);
    assert_true(r.s[3] == 4593380528125082431u);
}

static void test_rng_moments(void **state) {
    (void)state;
    rc_rng r;
    rc_rng_seed(&r, 7);
    double u = 0, e = 0, n = 0, nn = 0;
    unsigned seen[7] = {0};
    const unsigned draws = 200000;
    for (unsigned i = 0; i < draws; i++) {
        double x = rc_rng_uniform(&r), z = rc_rng_normal(&r);
        assert_true(x >= 0 && x < 1);
        u += x;
        e += rc_rng_exponential(&r, 3.0);
        n += z;
        nn += z * z;
        seen[rc_rng_below(&r, 7)]++;
    }
    assert_true(u / draws > 0.495 && u / draws < 0.505);
    assert_true(e / draws > 2.95 && e / draws < 3.05);
    assert_true(n / draws > -0.01 && n / draws < 0.01);
    assert_true(nn / draws > 0.98 && nn / draws < 1.02);
    for (int i = 0; i < 7; i++)
        assert_true(seen[i] > draws / 7 * 97 / 100 && seen[i] < draws / 7 * 103 / 100);
    assert_int_equal(rc_rng_below(&r, 1), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_time_order_then_first_come),
        T(test_thousands_at_one_instant),
        T(test_run_until),
        T(test_cancel),
        T(test_move_keeps_the_handle_and_goes_behind),
        T(test_stale_handle_of_a_used_again_slot),
        T(test_handler_that_meddles),
        T(test_handler_that_steps),
        T(test_memory_per_event),
        T(test_generations_and_stamps_wrap),
        T(test_cancel_and_move_among_four),
        T(test_all_magnitudes_of_time),
        T(test_create_and_destroy),
        T(test_rng_reference_values),
        T(test_rng_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
