/* The pace of a pass on cards that differ, and its interval with the error of the model, at costs
 * made by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

static fake_pass f;
static rc_error err;

/* TP2: two cards. */
static void two_cards(void) {
    fake_one_prompt(8, 8, 2, 1, 4096, &f);
    f.spec.schedule = rc_schedule_named("tp");
    f.spec.eager = false;
    f.costs.power =
        (rc_power){.known = true, .boost = 2000.0, .idle = 100.0, .limit = 500.0, .byte = 1e-15};
    for (int i = 0; i < RC_POWER_OTHER; i++)
        f.costs.power.law[i] = (rc_power_law){800.0, 0.5, 1.0, 1.0, 0.0};
    f.costs.card[0] = f.costs.card[1] = f.costs.power;
}

static double time_of(const rc_costs *costs, double *mhz) {
    rc_spec spec = f.spec;
    rc_forward out;
    spec.costs = costs;
    assert_int_equal(rc_forward_run(&spec, &out, &err), RC_OK);
    *mhz = out.clock.mhz;

    return out.time;
}

/* A pass runs at the pace of the card that takes longest for it, wherever it stands, and of two alike
 * as of one; no more than the cards of the pass count. */
static void test_slowest(void **state) {
    (void)state;
    double mhz, rule, alike, slow[2];
    two_cards();
    double expected = time_of(&f.costs, &rule); /* nobody knows the cards */
    f.costs.card_count = 1;
    assert_true(time_of(&f.costs, &mhz) == expected && mhz == rule); /* nor both of them */
    f.costs.card_count = 2;
    double same = time_of(&f.costs, &alike);
    assert_true(same < expected && alike > rule);
    for (int k = 0; k < 2; k++) {
        rc_costs x = f.costs;
        x.card[k].law[RC_POWER_GEMM].flop *= 1.3;
        x.card[k].law[RC_POWER_ATTENTION].flop *= 1.3;
        slow[k] = time_of(&x, &mhz);
        assert_true(slow[k] > expected && mhz < rule);
    }
    assert_true(slow[0] == slow[1]);
    /* The same clock, and times that follow it further. */
    rc_costs x = f.costs;
    x.card[1].law[RC_POWER_GEMM].slows = x.card[1].law[RC_POWER_ATTENTION].slows = 0.9;
    assert_true(time_of(&x, &mhz) > same);
}

/* p5 and p95 move apart by share and time a layer in quadrature with what the costs say; the time
 * stays; passes of another class, and those of several nodes, keep theirs. */
static void test_interval(void **state) {
    (void)state;
    rc_forward bare, wide, other;
    fake_one_prompt(8, 8, 2, 2, 4096, &f);
    strcpy(f.costs.machine.intra_transport, "nvlink");
    f.spec.draws = 40;
    assert_int_equal(rc_forward_run(&f.spec, &bare, &err), RC_OK);
    f.costs.machine.errors.n = 1;
    f.costs.machine.errors.of[0] = (rc_model_error){.transport = "nvlink",
                                                    .kind = RC_PASS_PREFILL,
                                                    .share = 0.03,
                                                    .layer = 0.04 * bare.time / 8};
    assert_int_equal(rc_forward_run(&f.spec, &wide, &err), RC_OK);
    assert_true(wide.time == bare.time && wide.ring_p95.whole == bare.ring_p95.whole);
    double below = log(bare.time / bare.p5), above = log(bare.p95 / bare.time);
    assert_true(fabs(log(wide.time / wide.p5) - hypot(below, 0.05)) < 1e-9);
    assert_true(fabs(log(wide.p95 / wide.time) - hypot(above, 0.05)) < 1e-9);
    f.costs.machine.gpus_per_node = 2;
    assert_int_equal(rc_forward_run(&f.spec, &other, &err), RC_OK);
    f.costs.machine.errors.n = 0;
    assert_int_equal(rc_forward_run(&f.spec, &bare, &err), RC_OK);
    assert_true(other.p95 == bare.p95);
    f.costs.machine.gpus_per_node = 8;
    f.costs.machine.errors.n = 1;
    f.costs.machine.errors.of[0].kind = RC_PASS_DECODE;
    assert_int_equal(rc_forward_run(&f.spec, &other, &err), RC_OK);
    f.costs.machine.errors.n = 0;
    assert_int_equal(rc_forward_run(&f.spec, &bare, &err), RC_OK);
    assert_true(other.p95 == bare.p95);
    f.costs.machine.errors.n = 1; /* without draws there is no interval to widen */
    f.costs.machine.errors.of[0].kind = RC_PASS_PREFILL;
    f.spec.draws = 0;
    assert_int_equal(rc_forward_run(&f.spec, &bare, &err), RC_OK);
    assert_true(bare.p5 == bare.time && bare.p95 == bare.time);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slowest),
        cmocka_unit_test(test_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
