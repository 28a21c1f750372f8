/* Flows: latency, max-min fair sharing, caps, and what a flow that leaves gives back.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/engine/engine.h"

#define US ((rc_time)1000000) /* picoseconds */
#define MB_S 1e6              /* bytes/s: one byte per microsecond */

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

static rc_id flow(rc_time latency, double bytes, double max_rate, uint32_t n, const rc_id *path) {
    return rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FLOW,
                                      .stream = RC_NONE,
                                      .duration = latency,
                                      .bytes = bytes,
                                      .max_rate = max_rate,
                                      .path = path,
                                      .path_len = n});
}

static void ends(rc_id op, rc_time end) {
    assert_int_equal(rc_sim_op_end(s, op), end);
}

static void run(void) {
    rc_error err;
    assert_int_equal(rc_sim_run(s, &err), RC_OK);
}

static void test_alone(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, 10 * MB_S);
    rc_id t = rc_sim_stream(s, rc_sim_domain(s));
    rc_id a = rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FLOW,
                                         .stream = t,
                                         .duration = 3 * US,
                                         .bytes = 100,
                                         .path = &l,
                                         .path_len = 1});
    rc_id b = rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FIXED, .stream = t, .duration = 1});
    run();
    assert_int_equal(rc_sim_op_start(s, a), 0); /* the latency occupies the stream, too */
    ends(a, 13 * US);
    ends(b, 13 * US + 1);
}

static void test_nothing_to_carry(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, MB_S);
    rc_id zero = flow(5, 0, 0, 1, &l), nowhere = flow(7, 1e9, 0, 0, NULL);
    rc_id capped = flow(7, 10, MB_S, 0, NULL), none = flow(0, 0, 0, 0, NULL);
    rc_id slow = flow(7, 2, 1.0, 0, NULL), slower = flow(7, 2, 0.5, 0, NULL);
    run();
    ends(zero, 5);
    ends(nowhere, 7);
    ends(capped, 7 + 10 * US); /* no link, but its own cap */
    ends(none, 0);
    ends(slow, 7 + 2000000 * US); /* a byte a second, and one in two */
    ends(slower, 7 + 4000000 * US);
}

static void test_two_share_and_the_rest_speeds_up(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, 10 * MB_S);
    rc_id a = flow(0, 100, 0, 1, &l), b = flow(0, 300, 0, 1, &l);
    run();
    ends(a, 20 * US);           /* 100 at 5 */
    ends(b, 20 * US + 20 * US); /* 100 at 5, 200 at 10 */
}

static void test_late_comer(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, 10 * MB_S);
    rc_id a = flow(0, 100, 0, 1, &l), b = flow(6 * US, 20, 0, 1, &l);
    run();
    ends(b, 10 * US); /* 20 at 5 from 6 */
    ends(a, 12 * US); /* 60 + 20, then 20 at 10 */
}

/* Three links of 10, 4 and 6; long crosses all; one flow on each. Link 2 gives 2 each; then link 3
 * leaves 4, link 1 leaves 8. */
static void test_three_links_by_hand(void **state) {
    (void)state;
    rc_id l[3] = {rc_sim_link(s, 10 * MB_S), rc_sim_link(s, 4 * MB_S), rc_sim_link(s, 6 * MB_S)};
    rc_id all = flow(0, 2000, 0, 3, l);
    rc_id a = flow(0, 80, 0, 1, &l[0]), b = flow(0, 2000, 0, 1, &l[1]),
          c = flow(0, 40, 0, 1, &l[2]);
    run();
    ends(a, 10 * US); /* 80 at 8 */
    ends(c, 10 * US); /* 40 at 4 */
    ends(all, 1000 * US);
    ends(b, 1000 * US);
}

static void test_cap_leaves_the_rest_to_others(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, 10 * MB_S);
    rc_id slow = flow(0, 20, 2 * MB_S, 1, &l), fast = flow(0, 80, 0, 1, &l);
    rc_id alone = rc_sim_link(s, 10 * MB_S), capped = flow(0, 30, 3 * MB_S, 1, &alone);
    run();
    ends(slow, 10 * US);
    ends(fast, 10 * US);
    ends(capped, 10 * US);
}

static void test_other_components_are_left_alone(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, 3 * MB_S), m = rc_sim_link(s, 7 * MB_S);
    rc_id a = flow(0, 1000, 0, 1, &l);
    for (int i = 0; i < 50; i++)
        (void)flow(i * US, 1, 0, 1, &m);
    run();
    ends(a, 333333333); /* 1000 / 3 us, one rounding */
}

static void test_path_may_cross_a_link_twice(void **state) {
    (void)state;
    rc_id l = rc_sim_link(s, 12 * MB_S), twice[2] = {l, l};
    rc_id a = flow(0, 40, 0, 2, twice), b = flow(0, 40, 0, 1, &l);
    run();
    ends(a, 10 * US); /* 4 each: 4 * 2 + 4 = 12 */
    ends(b, 10 * US);
}

static void test_symmetric_flows_end_together(void **state) {
    (void)state;
    rc_id tx[6], rx[6], f[36];
    for (int i = 0; i < 6; i++) {
        tx[i] = rc_sim_link(s, 0.7e9);
        rx[i] = rc_sim_link(s, 0.7e9);
    }
    for (int i = 0; i < 36; i++)
        f[i] = flow(100, 1e5, 0, 2, (rc_id[2]){tx[i / 6], rx[i % 6]});
    run();
    for (int i = 1; i < 36; i++)
        assert_int_equal(rc_sim_op_end(s, f[i]), rc_sim_op_end(s, f[0]));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_alone),
        T(test_nothing_to_carry),
        T(test_two_share_and_the_rest_speeds_up),
        T(test_late_comer),
        T(test_three_links_by_hand),
        T(test_cap_leaves_the_rest_to_others),
        T(test_other_components_are_left_alone),
        T(test_path_may_cross_a_link_twice),
        T(test_symmetric_flows_end_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
