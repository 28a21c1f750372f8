/* Times of single ops and of the host inside a pass, worked out by hand, in ticks.
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

/* Everything takes 100 ticks, messages 10 and a tick a byte. */
static int setup(void **state) {
    (void)state;
    fake_one_prompt(9, 4, 2, 3, 48, &f);
    f.spec.layout.tp = 1;
    f.spec.eager = false;
    memset(&f.costs, 0, sizeof f.costs);
    f.costs.machine =
        (rc_machine){.memory = 1e18, .bf16_rate = 1e15, .gpus_per_node = 8, .nic_rate = 1e9};
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] = 100;
    f.costs.latency = 10;
    f.costs.link_rate = 1e12;
    f.costs.fail = -1;
    return 0;
}

static int64_t ticks(void) {
    rc_forward out;
    if (rc_forward_run(&f.spec, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return out.ticks;
}

/* Messages of 16 tokens * 2 * 2 heads * 128 * 2 bytes = 16384, two steps; then attention, merge and
 * the eight other ops; norm and LM head at the end. */
static void test_a_layer_by_hand(void **state) {
    (void)state;
    assert_int_equal(ticks(), 9 * (2 * (10 + 16384) + 100 + 100 + 8 * 100) + 200);
    f.costs.peer_rate = 5e11; /* one peer gets half the rate */
    assert_int_equal(ticks(), 9 * (2 * (10 + 32768) + 100 + 100 + 8 * 100) + 200);
}

/* Three ring steps a layer, each after a synchronisation: what the host works more shows in full.
 */
static void test_ring_steps_show(void **state) {
    (void)state;
    f.spec.eager = true;
    f.x.seqs[0].p = 30;
    int64_t before = ticks();
    f.costs.machine.ring_step = 7e-12;
    f.costs.machine.ring_step_cached = 5e-12;
    assert_int_equal(ticks() - before, 9 * 3 * (7 + 5)); /* new and cached keys */
    f.x.seqs[0].p = 0;
    int64_t one = ticks();
    f.costs.machine.ring_step = f.costs.machine.ring_step_cached = 0.0;
    assert_int_equal(one - ticks(), 9 * 3 * 7); /* new ones */
    f.x.seqs[0].p = 30;
    f.costs.machine.ring_step_cached = 5e-12; /* by itself, too */
    assert_int_equal(ticks() - before, 9 * 3 * 5);
}

/* Rank 0 is late, so the outputs of the two others cross each other first; those to rank 0 then
 * share its way in, and its own its way out: all take 16 tokens * 4 heads * 128 * 2 bytes = 16384,
 * twice. */
static void test_messages_share_the_way_in(void **state) {
    (void)state;
    rc_program p;
    struct rc_sim *sim = NULL;
    int found = 0;
    f.spec.schedule = rc_schedule_named("pass-q");
    f.costs.machine.gpus_per_node = 1;
    f.spec.what_if.slow_rank = 0;
    f.spec.what_if.slow_speed = 0.001;
    assert_int_equal(rc_forward_trace(&f.spec, &p, &sim, NULL, &err), RC_OK);
    for (rc_id i = 0; i < p.task_count; i++) {
        const rc_shape *s = programs_shape(&p, i);
        if (s->kind != RC_T_MESSAGE || s->part != RC_P_ALL2ALL || s->bytes < 16384.0)
            continue;
        bool late = p.tasks[i].gpu == 0 || p.tasks[i].peer == 0;
        assert_int_equal(rc_sim_op_end(sim, i) - rc_sim_op_start(sim, i),
                         10 + (late ? 2 : 1) * 16384);
        found++;
    }
    assert_int_equal(found, 6 * p.layers);
    rc_sim_destroy(sim);
    rc_program_free(&p);
}

/* One launch over a long narrow call and a square one takes no less than the long one alone. */
static void test_a_launch_takes_its_longest_call(void **state) {
    (void)state;
    f.spec.schedule = rc_schedule_named("tp");
    f.spec.layout.cp = 1;
    f.x.seqs[0] = (rc_sequence){1, 9999};
    f.x.seqs[1] = (rc_sequence){99, 0};
    f.spec.seq_count = 2;
    int64_t before = ticks();
    f.costs.per_key = 1; /* 10,000 keys alone; together 14,950 entries are 100 rows of 150 keys */
    assert_int_equal(ticks() - before, 9 * 10000);
    f.costs.slope[FAKE_ATTENTION] = 3; /* 4 heads * 3 * 10,000 + 10,000 < 4 * 3 * 15,000 + 150 */
    assert_int_equal(ticks() - before, 9 * (180000 + 150));
}

/* Two ranks, the second's link at half its rate. It is not the one that waits: it is ready for the
 * next layer early, and its message there starts as soon as the first rank has attended to the one
 * before. So the layers follow each other at a message and an attention, and the other ops of a
 * layer show only once. */
static void test_a_slow_link(void **state) {
    (void)state;
    f.spec.layout.cp = 2;
    f.x.seqs[0].t = 32;
    assert_int_equal(ticks(), 9 * (10 + 16384 + 100 + 100 + 8 * 100) + 200);
    f.spec.what_if.slow_link_rank = 1;
    f.spec.what_if.slow_link = 0.5;
    assert_int_equal(ticks(), 300 + 9 * (10 + 32768) + 8 * 100 + 100 + 100 + 500 + 200);
}

/* Beside each message a rank attends for 100 ps, of which the first 10 are the message's latency:
 * in the other 90 it moves at half its rate, so it takes 45 longer. */
static void test_overlap_slows_messages(void **state) {
    (void)state;
    f.spec.what_if.overlap_comm = 0.5;
    assert_int_equal(ticks(), 9 * (2 * (10 + 16384 + 45) + 100 + 100 + 8 * 100) + 200);
    f.spec.what_if.overlap_comm = 1.0;
    assert_int_equal(ticks(), 9 * (2 * (10 + 16384) + 100 + 100 + 8 * 100) + 200);
}

/* ---- what the time rests on ------------------------------------------------------------------ */

static double modelled(void) {
    rc_forward out;
    if (rc_forward_run(&f.spec, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(fabs(out.basis[RC_MODELLED] + out.basis[RC_MEASURED] + out.basis[RC_STATED] - 1.0) <
                1e-12);
    return out.basis[RC_MODELLED];
}

/* Everything was measured; ten ops of a layer take 100 ticks each, one of them attention. */
static void test_fused_and_mean_are_modelled(void **state) {
    (void)state;
    const double attention = 9 * 100.0 / (9 * 9 * 100.0 + 200.0);
    f.costs.basis = RC_MEASURED;
    f.spec.schedule = rc_schedule_named("tp");
    f.spec.layout.cp = 1;
    assert_true(modelled() == 0.0); /* one prompt: one call */
    f.x.seqs[1] = (rc_sequence){48, 0};
    f.spec.seq_count = 2;
    assert_true(fabs(modelled() - attention) < 1e-12); /* two in one launch */

    f.spec.phase = RC_DECODE;
    f.x.seqs[0] = f.x.seqs[1] = (rc_sequence){1, 500};
    assert_true(modelled() == 0.0); /* a batch of equal contexts */
    f.spec.stand_in = true;
    assert_true(fabs(modelled() - attention) < 1e-12); /* that stand for others */
    f.spec.stand_in = false;
    f.x.seqs[1].p = 700;
    assert_true(fabs(modelled() - attention) < 1e-12); /* different contexts, by their mean */
}

/* A batch of two on three ranks is padded to three. */
static void test_padding_is_modelled(void **state) {
    (void)state;
    f.costs.basis = RC_MEASURED;
    f.spec.schedule = rc_schedule_named("pass-q");
    f.spec.phase = RC_DECODE;
    f.costs.peer_rate = 1e18; /* what messages take, by a rule of their own, is nothing */
    f.costs.link_rate = 1e18;
    f.costs.latency = 0;
    for (int i = 0; i < 3; i++)
        f.x.seqs[i] = (rc_sequence){1, 600};
    f.spec.seq_count = 3;
    assert_true(modelled() < 0.001);
    f.spec.seq_count = 2;
    assert_true(modelled() > 0.2);
}

/* Stated numbers: a launch that shows, a rank at half speed. */
static void test_stated(void **state) {
    (void)state;
    rc_forward out;
    f.costs.basis = RC_MEASURED;
    f.spec.schedule = rc_schedule_named("tp");
    f.spec.layout.cp = 1;
    f.spec.eager = true;
    f.costs.machine.launch = 500e-12; /* longer than the ops: all but the last wait for theirs */
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    assert_true(out.basis[RC_STATED] > 0.95 && out.busy_basis[RC_STATED] == 0.0);
    strcpy(f.costs.machine.fitted[0].name, "launch");
    f.costs.machine.fitted_count = 1;
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    assert_true(out.basis[RC_STATED] == 0.0 && out.basis[RC_MODELLED] > 0.95);
    f.spec.eager = false;
    f.spec.what_if = (rc_what_if){.slow_rank = 0, .slow_speed = 0.5, .slow_link_rank = -1};
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    assert_true(out.basis[RC_STATED] == 1.0 && out.busy_basis[RC_STATED] == 1.0);
}

/* The fast path's shares are the engine's. */
static void test_busy_shares_agree(void **state) {
    (void)state;
    static const char *const variants[] = {"pass-kv", "all-gather-kv"};
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    f.costs.basis = RC_TRANSFERRED;
    f.costs.machine.ring_step = 70e-12;
    f.spec.eager = true;
    f.x.seqs[0] = (rc_sequence){50, 31};
    for (int v = 0; v < 2; v++) {
        rc_forward out;
        rc_forward_timing fast;
        f.spec.schedule = rc_schedule_named(variants[v]);
        assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
        assert_int_equal(rc_forward_time(ctx, &f.spec, &fast, &err), RC_OK);
        assert_int_equal(fast.path, RC_PATH_REPLAY);
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            assert_true(fabs(fast.busy_basis[b] - out.busy_basis[b]) < 1e-3);
        assert_true(out.busy_basis[RC_STATED] > 0.001 && out.busy_basis[RC_MODELLED] > 0.001);
    }
    rc_forward_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_layer_by_hand, setup),
        cmocka_unit_test_setup(test_ring_steps_show, setup),
        cmocka_unit_test_setup(test_messages_share_the_way_in, setup),
        cmocka_unit_test_setup(test_a_launch_takes_its_longest_call, setup),
        cmocka_unit_test_setup(test_a_slow_link, setup),
        cmocka_unit_test_setup(test_overlap_slows_messages, setup),
        cmocka_unit_test_setup(test_fused_and_mean_are_modelled, setup),
        cmocka_unit_test_setup(test_padding_is_modelled, setup),
        cmocka_unit_test_setup(test_stated, setup),
        cmocka_unit_test_setup(test_busy_shares_agree, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
