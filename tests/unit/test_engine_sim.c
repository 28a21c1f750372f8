/* Programs of ops: streams, dependencies, rendezvous, interference, causes, failures.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sim/engine/engine.h"

static rc_sim *s;

static int setup(void **state) {
    (void)state;
    s = rc_sim_create();
    if (s != NULL)
        rc_sim_keep_all(s);
    return s == NULL;
}

static int teardown(void **state) {
    (void)state;
    rc_sim_destroy(s);
    return 0;
}

static rc_id work(rc_id stream, rc_time duration, unsigned klass) {
    return rc_sim_op(
        s,
        &(rc_op_desc){.kind = RC_OP_WORK, .stream = stream, .duration = duration, .klass = klass});
}

static rc_id fixed(rc_id stream, rc_time duration) {
    return rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FIXED, .stream = stream, .duration = duration});
}

static rc_id meet(rc_id stream, rc_id group, uint32_t size, rc_time duration) {
    return rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_RENDEZVOUS,
                                      .stream = stream,
                                      .group = group,
                                      .group_size = size,
                                      .duration = duration});
}

static void after(rc_id op, rc_id before) {
    assert_int_equal(rc_sim_after(s, op, before, NULL), RC_OK);
}

static void run(void) {
    rc_error err;
    assert_int_equal(rc_sim_run(s, &err), RC_OK);
}

static void expect(rc_id op, rc_time start, rc_time end) {
    assert_int_equal(rc_sim_op_start(s, op), start);
    assert_int_equal(rc_sim_op_end(s, op), end);
}

static void test_empty_program(void **state) {
    (void)state;
    run();
    assert_int_equal(rc_sim_end(s), 0);
    assert_int_equal(rc_sim_op_count(s), 0);
}

static void test_stream_is_in_order(void **state) {
    (void)state;
    rc_id t = rc_sim_stream(s, rc_sim_domain(s));
    rc_id a = work(t, 10, 0), b = fixed(t, 0), c = work(t, 7, 0);
    run();
    expect(a, 0, 10);
    expect(b, 10, 10);
    expect(c, 10, 17);
    assert_int_equal(rc_sim_op_cause(s, a), RC_NONE);
    assert_int_equal(rc_sim_op_cause(s, b), a);
    assert_int_equal(rc_sim_op_cause(s, c), b);
    assert_int_equal(rc_sim_end(s), 17);
    assert_int_equal(rc_sim_events(s), 3);
}

static void test_dependencies_across_streams(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d), u = rc_sim_stream(s, d);
    rc_id a = work(t, 10, 0), b = work(u, 4, 0), c = work(u, 3, 0), e = work(t, 1, 0);
    after(c, a);
    after(e, c);
    run();
    expect(b, 0, 4);
    expect(c, 10, 13);
    expect(e, 13, 14);
    assert_int_equal(rc_sim_op_cause(s, c), a);
    assert_int_equal(rc_sim_op_cause(s, e), c);
}

static void test_later_op_may_come_first(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s);
    rc_id first = work(rc_sim_stream(s, d), 5, 0), second = work(rc_sim_stream(s, d), 6, 0);
    after(first, second);
    run();
    expect(second, 0, 6);
    expect(first, 6, 11);
}

static void test_cause_is_the_lowest_of_equals(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s);
    rc_id a = work(rc_sim_stream(s, d), 9, 0), b = work(rc_sim_stream(s, d), 9, 0);
    rc_id c = work(RC_NONE, 8, 0), e = work(RC_NONE, 1, 0);
    after(e, c);
    after(e, b);
    after(e, a);
    run();
    expect(e, 9, 10);
    assert_int_equal(rc_sim_op_cause(s, e), a);
}

static void test_rendezvous(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d), u = rc_sim_stream(s, d);
    rc_id slow = work(t, 20, 0), quick = work(u, 5, 0);
    rc_id mt = meet(t, 77, 3, 3), mu = meet(u, 77, 3, 8), mv = meet(RC_NONE, 77, 3, 1);
    rc_id next = work(u, 1, 0);
    run();
    expect(quick, 0, 5);
    expect(mt, 20, 28);
    expect(mu, 20, 28);
    expect(mv, 20, 28);
    expect(next, 28, 29);
    assert_int_equal(rc_sim_op_cause(s, mt), slow);
    assert_int_equal(rc_sim_op_cause(s, mu), slow);
    assert_int_equal(rc_sim_op_cause(s, mv), slow);
    assert_int_equal(rc_sim_op_cause(s, next), mu);
}

static void test_interference_and_back(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), other = rc_sim_domain(s);
    rc_id t = rc_sim_stream(s, d), u = rc_sim_stream(s, d), v = rc_sim_stream(s, d);
    rc_sim_interfere(s, 1, 2, 0.5);
    rc_sim_interfere(s, 1, 3, 0.25);
    rc_id a = work(t, 1000, 1);
    (void)fixed(u, 100);
    rc_id comm =
        rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FIXED, .stream = u, .klass = 2, .duration = 200});
    (void)fixed(v, 200);
    rc_id more = work(v, 100, 3);
    rc_id far = work(rc_sim_stream(s, other), 1000, 1);
    run();
    /* 0..100 at 1, 100..200 at 1/2, 200..300 at 1/8, then at 1: 100 + 50 + 12.5 + 837.5 */
    expect(comm, 100, 300);
    expect(more, 200, 300);
    expect(a, 0, 1138); /* 1137.5, half away from zero */
    expect(far, 0, 1000);
}

static rc_id flow(rc_id stream, rc_id link, rc_time latency, double bytes) {
    return rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FLOW,
                                      .stream = stream,
                                      .klass = 2,
                                      .duration = latency,
                                      .bytes = bytes,
                                      .path = &link,
                                      .path_len = 1});
}

/* A flow at a quarter of its rate while work runs beside it, in its own domain only. */
static void test_interference_slows_flows(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), other = rc_sim_domain(s);
    rc_id t = rc_sim_stream(s, d), u = rc_sim_stream(s, d);
    rc_id link = rc_sim_link(s, RC_PS_PER_S), second = rc_sim_link(s, RC_PS_PER_S); /* 1 B/ps */
    rc_sim_interfere(s, 2, 1, 0.25);
    rc_sim_domain_speed(s, d, 0.5); /* of work, not of flows */
    rc_id a = flow(t, link, 100, 1000);
    (void)fixed(u, 300);
    rc_id beside = work(u, 200, 1);
    rc_id far = flow(rc_sim_stream(s, other), second, 100, 1000);
    rc_id loose = flow(RC_NONE, second, 1100, 500);
    run();
    expect(beside, 300, 700);
    expect(a, 0, 1400); /* latency, 200 bytes, 400 ps at a quarter, 700 bytes */
    expect(far, 0, 1100);
    expect(loose, 0, 1600);
}

/* What interference leaves of a shared link goes to nobody: the other flow keeps its fair half. */
static void test_a_slowed_flow_keeps_its_place(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), other = rc_sim_domain(s), link = rc_sim_link(s, RC_PS_PER_S);
    rc_sim_interfere(s, 2, 1, 0.5);
    rc_id a = flow(rc_sim_stream(s, d), link, 0, 1000);
    rc_id b = flow(rc_sim_stream(s, other), link, 0, 1000);
    (void)work(rc_sim_stream(s, d), 5000, 1);
    run();
    expect(b, 0, 2000);
    expect(a, 0, 3000); /* 2000 ps at a quarter, then 500 bytes at a half */
}

static void test_op_does_not_disturb_itself(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s);
    rc_sim_interfere(s, 4, 4, 0.5);
    rc_id a = work(rc_sim_stream(s, d), 100, 4);
    rc_id u = rc_sim_stream(s, d);
    (void)fixed(u, 60);
    rc_id b = work(u, 40, 4);
    run();
    expect(a, 0, 140); /* 60 alone, then 40 at a half until 140 */
    expect(b, 60, 140);
}

static void test_back_to_back_disturbers_leave_no_gap(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d), u = rc_sim_stream(s, d);
    rc_sim_interfere(s, 1, 2, 0.8);
    rc_id a = work(t, 800, 1);
    for (int i = 0; i < 10; i++)
        (void)work(u, 100, 2);
    run();
    expect(a, 0, 1000);
}

static void test_speed_stretches_work_only(void **state) {
    (void)state;
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d);
    rc_sim_domain_speed(s, d, 0.8);
    rc_id a = work(t, 800, 0), b = fixed(t, 800);
    run();
    expect(a, 0, 1000);
    expect(b, 1000, 1800);
}

static void test_undisturbed_is_exact(void **state) {
    (void)state;
    rc_time big = ((rc_time)1 << 60) + 1; /* not a double */
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d);
    rc_sim_interfere(s, 1, 2, 0.5);
    rc_id a = work(t, big, 1);
    run();
    expect(a, 0, big);
}

static void test_cycle_is_named(void **state) {
    (void)state;
    rc_error err;
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d), u = rc_sim_stream(s, d);
    (void)work(t, 1, 0);
    rc_id a = rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_WORK, .stream = t});
    rc_id b = rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_WORK, .stream = u});
    after(a, b);
    after(b, a);
    assert_int_equal(rc_sim_run(s, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "2 of 3 ops never ran"));
    assert_non_null(strstr(err.msg, "op 1 waits for op 2 waits for op 1"));
    assert_int_equal(rc_sim_op_end(s, 0), 1);
    assert_int_equal(rc_sim_op_end(s, a), RC_TIME_NEVER);
}

static void test_crossed_rendezvous_is_named(void **state) {
    (void)state;
    rc_error err;
    rc_id d = rc_sim_domain(s), t = rc_sim_stream(s, d), u = rc_sim_stream(s, d);
    meet(t, 1, 2, 1);
    meet(t, 2, 2, 1);
    meet(u, 2, 2, 1);
    meet(u, 1, 2, 1);
    assert_int_equal(rc_sim_run(s, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "4 of 4 ops never ran"));
    assert_non_null(
        strstr(err.msg, "op 0 waits for op 3 waits for op 2 waits for op 1 waits for op 0"));
}

static void test_rendezvous_short_of_members(void **state) {
    (void)state;
    rc_error err;
    meet(RC_NONE, 9, 3, 1);
    meet(RC_NONE, 9, 3, 1);
    assert_int_equal(rc_sim_run(s, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "rendezvous 9: 2 ops were added, its size is 3"));
}

static void test_bad_ops_are_refused(void **state) {
    (void)state;
    rc_error err;
    assert_int_equal(work(3, 1, 0), RC_NONE);
    assert_int_equal(work(RC_NONE, -1, 0), RC_NONE);
    assert_int_equal(work(RC_NONE, 1, 16), RC_NONE);
    assert_int_equal(rc_sim_link(s, 0), RC_NONE);
    assert_int_equal(rc_sim_after(s, 0, 1, &err), RC_E_INTERNAL);
    assert_int_equal(rc_sim_run(s, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "capacity"));
}

/* Of two ops the last is number 1: an op behind it neither waits nor is waited for. */
static void test_last_op(void **state) {
    (void)state;
    rc_error err;
    rc_id first = work(RC_NONE, 1, 0), last = work(RC_NONE, 1, 0);
    assert_int_equal(last, first + 1);
    assert_int_equal(rc_sim_after(s, last, first, &err), RC_OK);
    assert_int_equal(rc_sim_after(s, last + 1, first, &err), RC_E_INTERNAL);
    assert_int_equal(rc_sim_after(s, last, last + 1, &err), RC_E_INTERNAL);
    assert_int_equal(rc_sim_run(s, &err), RC_OK);
}

static void test_end_of_time(void **state) {
    (void)state;
    rc_error err;
    rc_id t = rc_sim_stream(s, RC_NONE);
    (void)fixed(t, INT64_MAX - 10);
    (void)fixed(t, 100);
    assert_int_equal(rc_sim_run(s, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "op 1"));
}

static void test_runs_once(void **state) {
    (void)state;
    rc_error err;
    (void)work(rc_sim_stream(s, RC_NONE), 5, 0);
    run();
    assert_int_equal(rc_sim_run(s, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "it runs once"));
}

/* A flow over two links takes what the slower one allows, which is what it takes alone: its time is booked as undisturbed. Beside
 * another flow it takes longer, and is booked as slowed. */
static void test_undisturbed_over_two_links(void **state) {
    (void)state;
    const rc_id fast = rc_sim_link(s, 4 * RC_PS_PER_S), slow = rc_sim_link(s, RC_PS_PER_S);
    const rc_id paths[2][2] = {{fast, slow}, {slow, fast}};
    rc_op_desc d = {.kind = RC_OP_FLOW,
                    .stream = rc_sim_stream(s, RC_NONE),
                    .duration = 10,
                    .bytes = 100,
                    .path_len = 2,
                    .account = 1,
                    .account_slowed = 2};
    for (int i = 0; i < 2; i++) {
        d.path = paths[i];
        (void)rc_sim_op(s, &d);
    }
    rc_id last = rc_sim_op(s, &d), beside = flow(RC_NONE, slow, 0, 100);
    after(beside, last - 1);
    run();
    expect(last, 220, 420); /* 10 alone while 10 bytes of the other go, then half each */
    assert_int_equal(rc_sim_critical(s, 1), 220);
    assert_int_equal(rc_sim_critical(s, 2), 200);
}

/* Slowed is what takes over a picosecond longer: of 10.6 bytes beside 1.4 others that come to 12 ps, beside 0.4 to 11, within rounding. */
static void test_a_picosecond_longer(void **state) {
    (void)state;
    static const double others[] = {1.4, 0.4};
    for (int i = 0; i < 2; i++) {
        rc_sim_destroy(s);
        s = rc_sim_create();
        assert_non_null(s);
        const rc_id link = rc_sim_link(s, RC_PS_PER_S);
        rc_op_desc d = {.kind = RC_OP_FLOW,
                        .stream = rc_sim_stream(s, RC_NONE),
                        .bytes = 10.6,
                        .path = &link,
                        .path_len = 1,
                        .account = 1,
                        .account_slowed = 2};
        (void)rc_sim_op(s, &d);
        (void)flow(rc_sim_stream(s, RC_NONE), link, 0, others[i]);
        run();
        assert_int_equal(rc_sim_critical(s, 1), i == 0 ? 0 : 11);
        assert_int_equal(rc_sim_critical(s, 2), i == 0 ? 12 : 0);
    }
}

/* An op on no stream whose last wait was over before its own repetition before had ended could have run twice at once: that program
 * is refused, though what it waits for ran something else to the same moment. */
static void test_an_op_that_overtakes_itself(void **state) {
    (void)state;
    rc_error err;
    const rc_id a = rc_sim_stream(s, RC_NONE), link = rc_sim_link(s, RC_PS_PER_S);
    const rc_id x = fixed(a, 10), y = fixed(a, 40);  /* y again from 60 to 100 */
    const rc_id loose = flow(RC_NONE, link, 80, 10); /* from 10 to 100 */
    after(loose, x);
    (void)y;
    rc_sim_play(s, 0, 2);
    assert_int_equal(rc_sim_run(s, &err), RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "op 5, which is on no stream, could begin before"));
}

/* The same one that waits for what ended just then began no sooner. */
static void test_an_op_that_waits_for_its_turn(void **state) {
    (void)state;
    const rc_id a = rc_sim_stream(s, RC_NONE), link = rc_sim_link(s, RC_PS_PER_S);
    const rc_id x = fixed(a, 10), y = fixed(a, 40);
    const rc_id loose = flow(RC_NONE, link, 40, 10); /* behind both: from 50 to 100, and from 100 */
    after(loose, x);
    after(loose, y);
    rc_sim_play(s, 0, 2);
    run();
    expect(rc_sim_number(s, loose, 0), 50, 100);
    expect(rc_sim_number(s, loose, 1), 100, 150);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_empty_program),
        T(test_stream_is_in_order),
        T(test_dependencies_across_streams),
        T(test_later_op_may_come_first),
        T(test_cause_is_the_lowest_of_equals),
        T(test_rendezvous),
        T(test_interference_and_back),
        T(test_interference_slows_flows),
        T(test_a_slowed_flow_keeps_its_place),
        T(test_op_does_not_disturb_itself),
        T(test_back_to_back_disturbers_leave_no_gap),
        T(test_speed_stretches_work_only),
        T(test_undisturbed_is_exact),
        T(test_cycle_is_named),
        T(test_crossed_rendezvous_is_named),
        T(test_rendezvous_short_of_members),
        T(test_bad_ops_are_refused),
        T(test_last_op),
        T(test_end_of_time),
        T(test_runs_once),
        T(test_undisturbed_over_two_links),
        T(test_a_picosecond_longer),
        T(test_an_op_that_overtakes_itself),
        T(test_an_op_that_waits_for_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
