/* Passes that are refused, with what the message says; and costs that fail half way.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#define PROGRAMS_FAKE_COSTS
#include "sim/forward/internal.h"
#include "sim/schedule/layer.h"
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

/* As many nodes as a machine has, and one more. */
static void test_nodes(void **state) {
    (void)state;
    f.spec.layout.cp = 8; /* 16 GPUs are two nodes */
    f.x.seqs[0].t = 64;
    f.costs.machine.max_nodes = 2;
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    f.costs.machine.max_nodes = 0; /* any number */
    assert_int_equal(rc_forward_run(&f.spec, &out, &err), RC_OK);
    f.costs.machine.max_nodes = 1;
    refuse(RC_E_INPUT, "tp 2 x cp 8 takes 2 nodes: machine 'fake' has at most 1 (max_nodes)");
}

/* New and cached tokens of all sequences, up to the most and one beyond. */
static void test_tokens(void **state) {
    (void)state;
    rc_memory memory;
    f.costs.machine.memory = 1e18;
    static rc_sequence two[2];
    f.spec.seqs = two;
    f.spec.seq_count = 2;
    for (int beyond = 0; beyond < 2; beyond++)
        for (int cached = 0; cached < 2; cached++) {
            const int64_t rest = RC_TOKENS_MAX - 4000 + beyond;
            two[0] = (rc_sequence){1000, 2000};
            two[1] = cached ? (rc_sequence){1000, rest} : (rc_sequence){rest, 1000};
            err = (rc_error){0};
            rc_status st = rc_forward_check(&f.spec, &memory, &err);
            const bool many =
                strstr(err.msg, "in one pass, expected at most 2147483648 together") != NULL;
            assert_int_equal(many, beyond);
            assert_true(st != RC_OK || !beyond);
        }
    two[0] = (rc_sequence){RC_TOKENS_MAX + 1, 0};
    two[1] = (rc_sequence){1, 0};
    assert_int_equal(rc_forward_check(&f.spec, &memory, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "2147483650 new and 0 cached tokens"));
}

/* Tokens that are verified together are of one sequence, with one cache and one state: eight rows, two by two, keep what four sequences
 * do. */
static void test_verified(void **state) {
    (void)state;
    static rc_model m;
    static rc_sequence rows[8];
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    (void)snprintf(path, sizeof path, "%s/models/qwen3.5-397b-a17b.json", root ? root : ".");
    if (rc_model_open(path, &m, &err) != RC_OK)
        fail_msg("%s", err.msg);
    f.costs.machine.memory = 1e18;
    f.spec.model = &m;
    f.spec.layout = (rc_layout){.tp = 2, .cp = 1};
    rc_model_dtypes(&m, &f.spec.layout);
    f.spec.schedule = rc_schedule_named("tp");
    f.spec.phase = RC_DECODE;
    f.spec.seqs = rows;
    rc_memory together, apart, twice;
    for (int i = 0; i < 8; i++)
        rows[i] = (rc_sequence){1, 10000};
    f.spec.seq_count = 8;
    f.spec.verified = 2;
    if (rc_forward_check(&f.spec, &together, &err) != RC_OK)
        fail_msg("%s", err.msg);
    f.spec.verified = 0;
    assert_int_equal(rc_forward_check(&f.spec, &twice, &err), RC_OK);
    f.spec.seq_count = 4;
    assert_int_equal(rc_forward_check(&f.spec, &apart, &err), RC_OK);
    assert_true(fabs(together.kv / apart.kv - 1.0) < 1e-3 && together.kv < 0.6 * twice.kv);
}

/* Where a machine's engine quantises by a kernel of its own: never, always, or beyond its own all-reduce; and when the host must
 * know how large messages are. */
static void test_requests(void **state) {
    (void)state;
    static const struct {
        rc_quantise how;
        double limit, from;
    } q[] = {{RC_QUANTISE_FUSED, 8e6, 0.0},
             {RC_QUANTISE_APART, 8e6, -1.0},
             {RC_QUANTISE_REDUCED, 8e6, 8e6},
             {RC_QUANTISE_REDUCED, 0.0, -1.0}};
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
        f.costs.machine.quantise = q[i].how;
        f.costs.machine.own_limit[0] = q[i].limit; /* of two GPUs */
        assert_true(rc_spec_request(&f.spec, 1).quantised_from == q[i].from);
    }
    static const struct {
        rc_phase phase;
        bool eager;
        double step, cached;
        bool sizes;
    } t[] = {{RC_PREFILL, true, 1e-3, 0.0, true}, {RC_PREFILL, true, 0.0, 1e-3, true},
             {RC_PREFILL, true, 0.0, 0.0, false}, {RC_PREFILL, false, 1e-3, 0.0, true},
             {RC_DECODE, true, 1e-3, 0.0, true},  {RC_DECODE, false, 1e-3, 1e-3, false},
             {RC_MIXED, false, 1e-3, 0.0, true}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        f.spec.phase = t[i].phase;
        f.spec.eager = t[i].eager;
        f.costs.machine.ring_step = t[i].step;
        f.costs.machine.ring_step_cached = t[i].cached;
        assert_int_equal(rc_spec_request(&f.spec, 1).ring_host, t[i].sizes);
    }
    static const int tps[][3] = {{1, 1, 8},  {2, 1, 4}, {8, 1, 1}, {9, 2, 0},
                                 {16, 2, 0}, {17, 3, 0}}; /* tp, nodes a rank, ranks a node */
    for (size_t i = 0; i < sizeof tps / sizeof tps[0]; i++) {
        f.spec.layout.tp = tps[i][0];
        const rc_request rq = rc_spec_request(&f.spec, 7);
        assert_true(rq.nodes_per_rank == tps[i][1] && rq.ranks_per_node == tps[i][2] &&
                    rq.repeats == 7);
    }
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
        cmocka_unit_test_setup(test_nodes, setup),
        cmocka_unit_test_setup(test_tokens, setup),
        cmocka_unit_test_setup(test_verified, setup),
        cmocka_unit_test_setup(test_requests, setup),
        cmocka_unit_test_setup(test_costs_that_fail, setup),
        cmocka_unit_test_setup(test_trace_hands_over_program_and_engine, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
