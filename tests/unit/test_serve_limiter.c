/* The limiter of a board's power over passes, by hand: how long a pass runs at the boost clock before it comes down to
 * its own, and what the passes behind it find.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/cluster.h"
#include "tests/support/prop.h"

static const rc_time MS = 1000000000;

static cluster limited(const rc_serve_options *o) {
    return (cluster){.options = o, .limiter = {.window = 0.06, .idle = 100.0, .limit = 700.0}};
}

/* Of `boost` ms at the boost clock, where it would draw `watts`, and `own` at its own clock. */
static rc_pass_cost pass_of(double boost, double own, float watts) {
    return (rc_pass_cost){.time = llround(own * (double)MS),
                          .saved = llround((own - boost) * (double)MS),
                          .wanted = watts};
}

static void near_to(double x, double want) {
    if (!(fabs(x - want) <= 1e-6 * fabs(want)))
        fail_msg("%.12g, not %.12g", x, want);
}

/* 900 W behind a mean of 400: the mean is at 700 after 60 ms x log(500 / 200), and then stays there. */
static void test_comes_down(void **state) {
    (void)state;
    const rc_serve_options o = {.quiet = true};
    const cluster c = limited(&o);
    recent_power p = {.mean = 400.0};
    rc_pass_cost cost = pass_of(100.0, 120.0, 900.0F);
    limiter_pass(&c, 0, &p, &cost);
    const double first = 60.0 * log(2.5);
    near_to((double)cost.time, (first + (1.0 - first / 100.0) * 120.0) * (double)MS);
    near_to(p.mean, 700.0);
    assert_int_equal(p.until, cost.time);
    cost = pass_of(100.0, 120.0, 900.0F);
    limiter_pass(&c, p.until, &p, &cost);
    assert_int_equal(cost.time, 120 * MS);
    near_to(p.mean, 700.0);
}

/* Ten ms from rest are at the boost clock all along. */
static void test_short(void **state) {
    (void)state;
    const rc_serve_options o = {.quiet = true};
    const cluster c = limited(&o);
    recent_power p = {.mean = 100.0};
    rc_pass_cost cost = pass_of(10.0, 12.0, 900.0F);
    limiter_pass(&c, 0, &p, &cost);
    assert_int_equal(cost.time, 10 * MS);
    near_to(p.mean, 900.0 - 800.0 * exp(-1.0 / 6.0));
    cost = pass_of(10.0, 12.0, 700.0F); /* what draws the limit never passes it */
    p.mean = 700.0;
    limiter_pass(&c, p.until, &p, &cost);
    assert_int_equal(cost.time, 10 * MS);
    near_to(p.mean, 700.0);
}

/* A step that draws less takes what it takes, and lets the mean fall; so does a rest, unless GPUs never rest. */
static void test_falls(void **state) {
    (void)state;
    rc_serve_options o = {.quiet = true};
    const cluster c = limited(&o);
    recent_power p = {.mean = 700.0, .until = 5 * MS};
    rc_pass_cost cost = pass_of(60.0, 60.0, 450.0F);
    limiter_pass(&c, 5 * MS, &p, &cost);
    assert_int_equal(cost.time, 60 * MS);
    near_to(p.mean, 450.0 + 250.0 * exp(-1.0));
    const recent_power before = p;
    const double rested = 100.0 + (before.mean - 100.0) * exp(-0.5);
    limiter_pass(&c, p.until + 30 * MS, &p, &cost);
    near_to(p.mean, 450.0 + (rested - 450.0) * exp(-1.0));
    p = before;
    o.idle_left_out = true;
    limiter_pass(&c, p.until + 30 * MS, &p, &cost);
    near_to(p.mean, 450.0 + (before.mean - 450.0) * exp(-1.0));
    p = before; /* a pass that is measured may begin before the model's last one has ended */
    o.idle_left_out = false;
    limiter_pass(&c, p.until - MS, &p, &cost);
    near_to(p.mean, 450.0 + (before.mean - 450.0) * exp(-1.0));
}

static void test_off(void **state) {
    (void)state;
    const rc_serve_options o = {.quiet = true};
    cluster c = limited(&o);
    recent_power p = {.mean = 100.0};
    rc_pass_cost cost = pass_of(10.0, 12.0, 0.0F); /* of costs that are stated */
    limiter_pass(&c, 0, &p, &cost);
    assert_int_equal(cost.time, 12 * MS);
    c.limiter.window = 0.0;
    cost = pass_of(10.0, 12.0, 900.0F);
    limiter_pass(&c, 0, &p, &cost);
    assert_int_equal(cost.time, 12 * MS);
    assert_true(p.mean == 100.0 && p.until == 0);
}

/* Whatever ran before: between the times at the two clocks, and the mean between what it was, what is drawn and what
 * is allowed. Passes that draw too much, one behind the other, save no more than the first of them could. */
static bool between(prop_case *k) {
    const rc_serve_options o = {.quiet = true};
    cluster c = limited(&o);
    c.limiter.window = 0.001 + 0.2 * prop_unit(k);
    recent_power p = {.mean = 100.0 + 600.0 * prop_unit(k)};
    double saved = 0.0;
    const double rest = p.mean;
    for (int i = 0; i < 12; i++) {
        const double boost = 1.0 + 80.0 * prop_unit(k), own = boost * (1.01 + 0.3 * prop_unit(k));
        const rc_pass_cost asked = pass_of(boost, own, 950.0F);
        rc_pass_cost cost = asked;
        const double mean = p.mean;
        limiter_pass(&c, p.until, &p, &cost);
        PROP_CHECK(k, cost.time <= asked.time && cost.time >= asked.time - asked.saved,
                   "pass %d takes %.9g ms", i, (double)cost.time / (double)MS);
        PROP_CHECK(k, p.mean >= mean && p.mean <= 700.0 + 1e-9, "a mean of %.9g W", p.mean);
        saved += (double)(asked.time - cost.time) / (double)asked.saved * boost;
    }
    const double most = 1e3 * c.limiter.window * log((950.0 - rest) / 250.0);
    PROP_CHECK(k, saved <= most * (1.0 + 1e-6) + 1e-6, "%.9g ms at the boost clock, at most %.9g",
               saved, most);
    return true;
}

static void test_between(void **state) {
    (void)state;
    assert_true(prop_run("between_its_clocks", between, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_down), cmocka_unit_test(test_short),
        cmocka_unit_test(test_falls),      cmocka_unit_test(test_off),
        cmocka_unit_test(test_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
