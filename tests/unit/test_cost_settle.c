/* One point of each size out of several rows: the four rules at the head of settle.c, each by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/cost/basis.h"
#include "sim/cost/settle.h"

/* A product of `tokens` that takes `us`. */
static rc_cost_point product(double tokens, double us, bool own_state) {
    return (rc_cost_point){.op = RC_COST_GEMM,
                           .dtype = RC_BF16,
                           .machine = "m",
                           .gpu = "",
                           .variant = "",
                           .fixed = {{[RC_AXIS_OUTPUTS] = 512, [RC_AXIS_INPUTS] = 64}},
                           .x = log(tokens),
                           .y = log(us),
                           .own_state = own_state,
                           .basis = RC_MEASURED};
}

/* A message of `bytes`; of others where it is published. */
static rc_cost_point message(double bytes, double us, bool published) {
    rc_cost_point p = product(bytes, us, true);
    p.op = RC_COST_SEND_RECV;
    p.variant = "nvlink";
    p.fixed = (rc_axes){{[RC_AXIS_RANKS] = 2, [RC_AXIS_NODES] = 1}};
    p.basis = published ? RC_PUBLISHED : RC_MEASURED;
    p.rank = published ? 10 : 0;
    return p;
}

static rc_cost_point of_others(double tokens, double us) {
    rc_cost_point p = product(tokens, us, true);
    p.basis = RC_PUBLISHED;
    p.rank = 10;
    return p;
}

static void settle(rc_cost_point *p, size_t *n) {
    assert_int_equal(rc_points_settle(p, n, NULL), RC_OK);
}

static void is(const rc_cost_point *p, double at, double us, rc_basis basis) {
    if (!(fabs(exp(p->x) - at) < 1e-6 * at && fabs(exp(p->y) - us) < 1e-6 * us) ||
        p->basis != basis)
        fail_msg("%g takes %g, %s; by hand %g takes %g, %s", exp(p->x), exp(p->y),
                 rc_basis_name(p->basis), at, us, rc_basis_name(basis));
}

/* At 64 tokens both states were measured, at 1.5 times: so are 256, and so is another shape; those of another op are not. */
static void test_one_pair(void **state) {
    (void)state;
    rc_cost_point p[6] = {product(64, 30, true), product(64, 20, false), product(256, 50, false),
                          product(16, 7, true),  product(99, 10, false), product(64, 40, false)};
    size_t n = 6;
    p[4].fixed.at[RC_AXIS_OUTPUTS] = 1024;
    p[5].op = RC_COST_COPY;
    p[5].fixed = (rc_axes){{0}};
    settle(p, &n);
    assert_int_equal(n, 5);
    is(&p[0], 16, 7, RC_MEASURED);
    is(&p[1], 64, 30, RC_MEASURED);
    is(&p[2], 256, 75, RC_TRANSFERRED);
    is(&p[3], 99, 15, RC_TRANSFERRED);
    is(&p[4], 64, 40, RC_MODELLED);
    assert_true(p[4].unpaired && !p[3].unpaired);
}

/* Between two pairs, at twice the first and half the second: log ratios by 1 / (0.01 + d^2)^2, which are alike there; a factor of 3
 * from the first alone, of 12 from the second. Of another type neither counts. */
static void test_two_pairs(void **state) {
    (void)state;
    rc_cost_point p[7] = {product(64, 30, true),   product(64, 20, false),  product(256, 40, true),
                          product(256, 20, false), product(128, 10, false), product(768, 10, false),
                          product(128, 10, false)};
    size_t n = 7;
    p[6].dtype = RC_FP8;
    settle(p, &n);
    assert_int_equal(n, 5);
    is(&p[1], 128, 10 * sqrt(1.5 * 2.0), RC_TRANSFERRED);
    const double near = 1.0 / pow(0.01 + log(3.0) * log(3.0), 2.0);
    const double far = 1.0 / pow(0.01 + log(12.0) * log(12.0), 2.0);
    is(&p[3], 768, 10 * exp((near * log(2.0) + far * log(1.5)) / (near + far)), RC_TRANSFERRED);
    is(&p[4], 128, 10, RC_MODELLED);
}

/* The distance between two shapes counts as well: of outputs 511 and 1,023 and one more, a doubling; a pair as far along the curve
 * counts as much. */
static void test_distance_of_shapes(void **state) {
    (void)state;
    rc_cost_point p[5] = {product(64, 30, true), product(64, 20, false), product(128, 40, true),
                          product(128, 20, false), product(64, 10, false)};
    size_t n = 5;
    p[0].fixed.at[RC_AXIS_OUTPUTS] = p[1].fixed.at[RC_AXIS_OUTPUTS] = 511;
    for (int i = 2; i < 5; i++)
        p[i].fixed.at[RC_AXIS_OUTPUTS] = 1023;
    settle(p, &n);
    assert_int_equal(n, 3);
    is(&p[1], 64, 10 * sqrt(1.5 * 2.0), RC_TRANSFERRED);
}

/* The state asked for before the other, then measured before published, the type of the elements, and the faster. */
static void test_the_best_of_a_point(void **state) {
    (void)state;
    rc_cost_point p[7] = {product(64, 30, false), product(64, 20, true), of_others(64, 5),
                          product(99, 20, true),  product(99, 19, true), product(128, 4, true),
                          product(128, 3, true)};
    size_t n = 7;
    p[6].rank = 1;
    settle(p, &n);
    assert_int_equal(n, 3);
    is(&p[0], 64, 20, RC_MEASURED);
    is(&p[1], 99, 19, RC_MEASURED);
    is(&p[2], 128, 4, RC_MEASURED);
}

/* What others published is kept below and above what was measured. */
static void test_outside(void **state) {
    (void)state;
    rc_cost_point p[6] = {of_others(10, 1), of_others(20, 2),     product(20, 3, true),
                          of_others(30, 3), product(40, 5, true), of_others(41, 4)};
    size_t n = 6;
    settle(p, &n);
    assert_int_equal(n, 4);
    is(&p[0], 10, 1, RC_PUBLISHED);
    is(&p[1], 20, 3, RC_MEASURED);
    is(&p[2], 40, 5, RC_MEASURED);
    is(&p[3], 41, 4, RC_PUBLISHED);
    rc_cost_point q[2] = {of_others(10, 1), of_others(30, 3)}; /* and all where nothing was */
    n = 2;
    settle(q, &n);
    assert_int_equal(n, 2);
}

/* Of a transfer also between two points of both: there by as much as the two differ, in logs straight from 2 times at 10 bytes to
 * half at 1,000. Where a measured point has no published one between them, the stretch goes over it. */
static void test_transfers(void **state) {
    (void)state;
    rc_cost_point p[10] = {message(1, 7, true),      message(10, 10, true),
                           message(10, 20, false),   message(100, 40, true),
                           message(1000, 90, true),  message(1000, 45, false),
                           message(2000, 60, false), message(3000, 80, true),
                           message(5000, 99, false), message(9000, 200, true)};
    size_t n = 10;
    settle(p, &n);
    assert_int_equal(n, 7);
    is(&p[0], 1, 7, RC_PUBLISHED);
    is(&p[1], 10, 20, RC_MEASURED);
    is(&p[2], 100, 40, RC_PUBLISHED);
    assert_true(p[2].shifted && !p[0].shifted);
    is(&p[3], 1000, 45, RC_MEASURED);
    is(&p[4], 2000, 60, RC_MEASURED);
    is(&p[5], 5000, 99, RC_MEASURED);
    is(&p[6], 9000, 200, RC_PUBLISHED);
    rc_cost_point q[5] = {message(10, 10, true), message(10, 20, false), message(40, 40, true),
                          message(160, 100, true), message(160, 100, false)};
    n = 5;
    settle(q, &n);
    assert_int_equal(n, 3);
    is(&q[1], 40, 40 * sqrt(2.0), RC_PUBLISHED); /* half way from twice to once */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_pair),
        cmocka_unit_test(test_two_pairs),
        cmocka_unit_test(test_distance_of_shapes),
        cmocka_unit_test(test_the_best_of_a_point),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
