/* Passes that are launched op by op: what they take longer than the same pass in a graph, by hand,
 * in ticks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/internal.h"

static fake_pass f;
static rc_error err;

/* Gaps that no sum confuses. */
static const int64_t gap[RC_LAUNCHED_KINDS] = {
    [RC_LAUNCHED_NORM] = 1,         [RC_LAUNCHED_ROTARY] = 20,     [RC_LAUNCHED_SWIGLU] = 300,
    [RC_LAUNCHED_ATTENTION] = 4000, [RC_LAUNCHED_DECODE] = 50000,  [RC_LAUNCHED_MERGE] = 600000,
    [RC_LAUNCHED_GEMM] = 7000000,   [RC_LAUNCHED_COPY] = 80000000, [RC_LAUNCHED_NCCL] = 900000000,
};

/* Everything takes 100 ticks, a message 10 and a tick a byte; launching takes the host no time. */
static int setup(void **state) {
    (void)state;
    fake_one_prompt(9, 4, 2, 1, 48, &f);
    f.spec.layout.tp = 1;
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

static void set_gaps(const int64_t *each) {
    for (int k = 0; k < RC_LAUNCHED_KINDS; k++)
        f.costs.gaps.eager[k] = each ? (double)each[k] / RC_PS_PER_S : 0.0;
}

static int64_t ticks(void) {
    rc_forward out;
    if (rc_forward_run(&f.spec, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return out.ticks;
}

/* One GPU: norm, QKV, rotary, attention, output, norm, gate and up, SwiGLU, down in each of nine
 * layers, then a norm and the LM head: 9 * 9 + 2 kernels, all of them one gap longer. */
static void test_as_many_gaps_as_kernels(void **state) {
    (void)state;
    int64_t each[RC_LAUNCHED_KINDS];
    for (int k = 0; k < RC_LAUNCHED_KINDS; k++)
        each[k] = 1350000; /* 1.35 us */
    int64_t without = ticks();
    assert_int_equal(without, 100 * (9 * 9 + 2));
    set_gaps(each);
    assert_int_equal(ticks() - without, 1350000 * (9 * 9 + 2));
    f.spec.unfold = true; /* the engine, all tasks */
    assert_int_equal(ticks() - without, 1350000 * (9 * 9 + 2));
    f.spec.eager = false; /* a graph */
    assert_int_equal(ticks(), without);
}

/* By kind, in a ring of three whose messages cover attention: two messages, the last attention and
 * the merge are on the path, and nine times the rest. */
static void test_gaps_by_kind(void **state) {
    (void)state;
    f.spec.layout.cp = 3;
    int64_t without = ticks(), layer;
    set_gaps(gap);
    layer = 2 * gap[RC_LAUNCHED_NCCL] + gap[RC_LAUNCHED_ATTENTION] + gap[RC_LAUNCHED_MERGE] +
            2 * gap[RC_LAUNCHED_NORM] + gap[RC_LAUNCHED_ROTARY] + gap[RC_LAUNCHED_SWIGLU] +
            4 * gap[RC_LAUNCHED_GEMM];
    assert_int_equal(ticks() - without, 9 * layer + gap[RC_LAUNCHED_NORM] + gap[RC_LAUNCHED_GEMM]);
}

/* A host that is behind hides the gaps: each kernel ends before the next one has been launched. */
static void test_host_behind(void **state) {
    (void)state;
    f.costs.machine.launch = 1e-6;
    int64_t without = ticks();
    assert_int_equal(without, 1000000 * (9 * 9 + 2) + 100);
    f.costs.gaps.eager[RC_LAUNCHED_GEMM] = 500e-9;
    assert_int_equal(ticks() - without, 500000); /* of the last kernel */
}

/* Prices of single tasks. */
static void test_calls_of_a_task(void **state) {
    (void)state;
    const struct {
        rc_shape shape;
        int64_t more;
    } cases[] = {
        {{.kind = RC_T_DECODE}, gap[RC_LAUNCHED_DECODE]},
        {{.kind = RC_T_ELEMENTWISE, .op = "rmsnorm_fp8"}, gap[RC_LAUNCHED_NORM]},
        {{.kind = RC_T_ELEMENTWISE, .op = "swiglu_fp8"}, gap[RC_LAUNCHED_SWIGLU]},
        {{.kind = RC_T_ELEMENTWISE, .op = "rotary_kv", .c = 3}, 3 * gap[RC_LAUNCHED_ROTARY]},
        {{.kind = RC_T_COPY, .a = 5, .b = 6}, 2 * 2 * gap[RC_LAUNCHED_COPY]},
        {{.kind = RC_T_COLLECTIVE, .op = "all_reduce"}, gap[RC_LAUNCHED_NCCL]},
        {{.kind = RC_T_LAUNCH}, 0},
        {{.kind = RC_T_RING_STEP}, 0},
    };
    set_gaps(gap);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rc_shape shape = cases[i].shape;
        rc_shape_cost price = {.duration = 7, .alone = 8, .beside = 9};
        const rc_program p = {.shapes = &shape, .shape_count = 1};
        rc_space_launches(&f.spec, &f.costs, &p, &price);
        assert_int_equal(price.duration, 7 + cases[i].more);
        assert_int_equal(price.alone, 8 + cases[i].more);
        assert_int_equal(price.beside, 9 + cases[i].more);
    }
    rc_shape merge = {.kind = RC_T_MERGE}; /* of one part: nothing is launched */
    rc_shape_cost nothing = {.duration = 0};
    const rc_program p = {.shapes = &merge, .shape_count = 1};
    rc_space_launches(&f.spec, &f.costs, &p, &nothing);
    assert_int_equal(nothing.duration, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_as_many_gaps_as_kernels, setup),
        cmocka_unit_test_setup(test_gaps_by_kind, setup),
        cmocka_unit_test_setup(test_host_behind, setup),
        cmocka_unit_test_setup(test_calls_of_a_task, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
