/* Passes that are refused, with what the message says; and costs that fail half way.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

static fake_pass f;
static rc_forward out;
static rc_error err;

static int setup(void **state) {
    (void)state;
    memset(&err, 0, sizeof err);
    fake_one_prompt(12, 16, 4, 4, 64, &f);
    return 0;
}

static void refuse(rc_status status, const char *text) {
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), status);
    if (!strstr(err.msg, text))
        fail_msg("'%s' is not in '%s'", text, err.msg);
    assert_int_equal(rc_forward_run(&f.spec, &out, NULL), status);
    rc_program p;
    struct rc_sim *sim = NULL;
    assert_int_equal(rc_forward_trace(&f.spec, &p, &sim, NULL, &err), status);
    assert_null(sim);
}

static void test_it_runs_at_all(void **state) {
    (void)state;
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    assert_true(out.ticks > 0 && out.time > 0.0);
    assert_true(out.p5 == out.time && out.p95 == out.time); /* no draws */
    assert_int_equal(out.gpus, 4);
    assert_true(out.memory.total > 0.0 && out.memory.total <= out.memory.capacity);
}

/* The sum is shown, term by term, with what there is. */
static void test_a_pass_that_does_not_fit(void **state) {
    (void)state;
    f.costs.machine.memory = 2.5e9;
    f.x.seqs[0].p = 1000000;
    refuse(RC_E_NOFIT, "does not fit on tp 2 x cp 4: weights 0.0 + KV cache 3.1 + activations");
    assert_non_null(strstr(err.msg, "GB a GPU, of which memory_fraction leaves 2.5 GB"));
    assert_true(out.memory.total > out.memory.capacity);
    double sum = out.memory.weights + out.memory.kv + out.memory.activations + out.memory.buffers +
                 out.memory.runtime;
    assert_true(sum == out.memory.total);
}

static void test_tp_that_does_not_divide_the_heads(void **state) {
    (void)state;
    f.spec.layout.tp = 3;
    refuse(RC_E_INPUT, "tp is 3, which does not divide the 16 query heads");
    f.spec.layout.tp = 8;
    f.x.model.kind[0].kv_heads = 3;
    refuse(RC_E_INPUT, "the 3 KV heads");
}

static void test_schedules_that_do_not_apply(void **state) {
    (void)state;
    f.spec.schedule = rc_schedule_named("tp");
    refuse(RC_E_INPUT, "takes cp 1, found cp 4");
    f.spec.schedule = rc_schedule_named("pass-kv");
    f.spec.phase = RC_DECODE;
    refuse(RC_E_INPUT, "prefill schedule");
    f.spec.phase = RC_PREFILL;
    f.x.seqs[0].t = 3;
    refuse(RC_E_INPUT, "T = 3 new tokens cannot be cut over cp 4");
}

static void test_what_was_not_measured(void **state) {
    (void)state;
    f.spec.layout.kv = RC_NVFP4;
    refuse(RC_E_UNMODELLED, "found kv nvfp4, activations bf16");
    f.spec.layout.kv = RC_BF16;
    f.spec.layout.act = RC_FP8;
    refuse(RC_E_UNMODELLED, "found kv bf16, activations fp8");
}

static void test_more_gpus_than_one_node_without_a_network(void **state) {
    (void)state;
    f.costs.machine.nic_rate = 0.0;
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK); /* 2 x 4 is one node of 8 */
    f.spec.layout.cp = 8;
    refuse(RC_E_INPUT,
           "tp 2 x cp 8 needs 16 GPUs, but machine 'fake' is one node of 8 with no network");
}

/* Every kind of cost may fail: its message comes through, and nothing leaks. */
static void test_costs_that_fail(void **state) {
    (void)state;
    for (int kind = 0; kind <= FAKE_KINDS; kind++) {
        f.costs.fail = kind;
        f.spec.phase = kind == FAKE_DECODE ? RC_DECODE : RC_PREFILL;
        f.spec.schedule = rc_schedule_named(kind == FAKE_DECODE ? "pass-q" : "pass-kv");
        f.x.seqs[0].t = kind == FAKE_DECODE ? 1 : 64;
        refuse(RC_E_INPUT, "no cost of");
    }
}

static void test_trace_hands_over_program_and_engine(void **state) {
    (void)state;
    rc_program p;
    struct rc_sim *sim = NULL;
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    assert_int_equal(rc_forward_trace(&f.spec, &p, &sim, NULL, &err), RC_OK);
    assert_int_equal(rc_sim_op_count(sim), p.task_count);
    assert_int_equal(rc_sim_end(sim), out.ticks);
    f.spec.unfold = true;
    rc_sim_destroy(sim);
    rc_program_free(&p);
    assert_int_equal(rc_forward_trace(&f.spec, &p, &sim, NULL, &err), RC_OK);
    assert_int_equal(rc_sim_end(sim), out.ticks);
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    assert_true(rc_sim_trace_hash(sim) == out.trace_hash);
    rc_sim_destroy(sim);
    rc_program_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_it_runs_at_all, setup),
        cmocka_unit_test_setup(test_a_pass_that_does_not_fit, setup),
        cmocka_unit_test_setup(test_tp_that_does_not_divide_the_heads, setup),
        cmocka_unit_test_setup(test_schedules_that_do_not_apply, setup),
        cmocka_unit_test_setup(test_what_was_not_measured, setup),
        cmocka_unit_test_setup(test_more_gpus_than_one_node_without_a_network, setup),
        cmocka_unit_test_setup(test_costs_that_fail, setup),
        cmocka_unit_test_setup(test_trace_hands_over_program_and_engine, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
