/* Hardware what-ifs over the embedded costs: half of a rate makes what rests on it slower, twice
 * makes it faster, by the amount physics says, and nothing else moves.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cost/cost.h"

static const char *source_dir(void) {
    const char *root = getenv("RC_SOURCE_DIR");
    return root != NULL ? root : ".";
}

static rc_machine machine_of(const char *name) {
    char path[512];
    rc_machine m;
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/%s.yaml", source_dir(), name);
    assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
    return m;
}

enum { GEMM_BF16, GEMM_FP8, ATTENTION, ATTENTION_FP8, COPY, REDUCE, REDUCE_NODES, RING, OPS };

/* Large calls of every kind, each bound by one thing; s. */
static void times_of(const rc_costs *base, const rc_machine *m, double t[OPS]) {
    rc_costs *c = NULL;
    rc_cost out[OPS];
    rc_p2p p;
    const double bytes = 256e6;
    const rc_axes copied = {{[RC_AXIS_BYTES] = 8000000000}};
    assert_int_equal(rc_costs_view(base, m, &c, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(c, RC_BF16, 16384, 13312, 16384, &out[GEMM_BF16], NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(c, RC_FP8, 16384, 13312, 16384, &out[GEMM_FP8], NULL), RC_OK);
    assert_int_equal(rc_cost_attention(c, RC_BF16, 1, 32768, 32768, ((rc_heads){16, 1, 128, 128}),
                                       &out[ATTENTION], NULL),
                     RC_OK);
    assert_int_equal(rc_cost_attention(c, RC_FP8, 1, 32768, 32768, ((rc_heads){16, 1, 128, 128}),
                                       &out[ATTENTION_FP8], NULL),
                     RC_OK);
    assert_int_equal(rc_cost_op(c, RC_COST_COPY, RC_BF16, &copied, &out[COPY], NULL), RC_OK);
    assert_int_equal(rc_cost_collective(c, "all_reduce",
                                        &(rc_transfer){.bytes = bytes, .ranks = 8, .nodes = 1},
                                        &out[REDUCE], NULL),
                     RC_OK);
    assert_int_equal(rc_cost_collective(c, "all_reduce",
                                        &(rc_transfer){.bytes = bytes, .ranks = 16, .nodes = 2},
                                        &out[REDUCE_NODES], NULL),
                     RC_OK);
    assert_int_equal(
        rc_cost_p2p(c, &(rc_transfer){.bytes = bytes, .ranks = 2, .nodes = 2}, &p, NULL), RC_OK);
    for (int i = 0; i < OPS; i++)
        t[i] = out[i].p50;
    t[RING] = p.latency + bytes / p.peer_rate;
    rc_costs_close(c);
}

/* Ops of `slowed` take 1/by of their time, within `slack`; of `partly` something between that and
 * what they took, for another link binds as well; all others what they took. */
static void expect(const char *machine, const char *key, double by, unsigned slowed,
                   unsigned partly, double slack) {
    rc_machine m = machine_of(machine), changed = m;
    rc_costs *c = NULL;
    double before[OPS], after[OPS];
    assert_int_equal(rc_costs_open(NULL, &m, &c, NULL), RC_OK);
    times_of(c, &m, before);
    assert_int_equal(rc_machine_override(&changed, key, by * *rc_machine_field(&m, key), NULL),
                     RC_OK);
    times_of(c, &changed, after);
    rc_costs_close(c);
    for (int i = 0; i < OPS; i++) {
        double want = slowed >> i & 1 ? 1.0 / by : 1.0, got = after[i] / before[i];
        if (partly >> i & 1 && got > fmin(1.0, 1.0 / by) && got < fmax(1.0, 1.0 / by))
            continue;
        if (fabs(got / want - 1.0) > (slowed >> i & 1 ? slack : 1e-12))
            fail_msg("%s on %s times %g: op %d takes %.4f of what it took, expected %.4f", key,
                     machine, by, i, got, want);
    }
}

static void expect_both(const char *machine, const char *key, unsigned slowed, double slack) {
    expect(machine, key, 0.5, slowed, 0, slack);
    expect(machine, key, 2.0, slowed, 0, slack);
}

static void test_knobs(void **state) {
    (void)state;
    static const char *const machines[] = {"h100-sxm", "gtt", "gti"};
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        const char *m = machines[i];
        expect_both(m, "bf16_rate", 1u << GEMM_BF16 | 1u << ATTENTION, 0.01);
        expect_both(m, "fp8_rate", 1u << GEMM_FP8 | 1u << ATTENTION_FP8, 0.1);
        expect_both(m, "hbm_rate", 1u << COPY, 0.15);
        expect(m, "nic_rate", 0.5, 1u << RING | 1u << REDUCE_NODES, 0, 0.05);
        expect(m, "nic_rate", 2.0, 1u << RING, 1u << REDUCE_NODES, 0.02);
        expect(m, "peer_rate", 0.5, 1u << RING | 1u << REDUCE_NODES, 0, 0.05);
    }
}

/* Inside a node NVLink binds; two nodes of GTT are bound by their NICs whatever NVLink does. */
static void test_nvlink(void **state) {
    (void)state;
    expect("h100-sxm", "nvlink_rate", 0.5, 1u << REDUCE, 1u << REDUCE_NODES, 0.05);
    expect("gtt", "nvlink_rate", 2.0, 1u << REDUCE, 0, 0.05);
    expect("gtt", "nvlink_ratio", 0.5, 1u << REDUCE, 0, 0.05);
}

/* A part with other peaks than its base's, no ratio stated: its times are the base's by the ratio
 * of the peaks, and it reaches the same share of them. */
static void test_other_part(void **state) {
    (void)state;
    static const char text[] =
        "machine: a100\ndescription: a test\n"
        "gpu: {name: A100, memory: 80GB, hbm_rate: 2.04TB/s, bf16_rate: 312TFLOP/s,\n"
        "  fp8_rate: 624TFLOP/s, sms: 108, power: 400W}\n"
        "node: {gpus: 8, nvlink_rate: 300GB/s, nvls: true}\n"
        "network: {transport: rdma, nic_rate: 200Gb/s, nic_line_rate: 23GB/s, peer_rate: 20GB/s,\n"
        "  hop_latency: 20us}\n"
        "host: {launch: 5us}\ncalibration: {base: h100-sxm, state: sustained}\n";
    rc_machine base = machine_of("h100-sxm"), m;
    (void)snprintf(base.state, sizeof base.state, "sustained");
    rc_costs *c = NULL;
    double there[OPS], here[OPS];
    assert_int_equal(rc_machine_parse("a100.yaml", text, strlen(text), &m, NULL), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &base, &c, NULL), RC_OK);
    times_of(c, &base, there);
    times_of(c, &m, here);
    rc_costs_close(c);
    assert_true(fabs(here[GEMM_BF16] / there[GEMM_BF16] / (989.0 / 312.0) - 1.0) < 0.01);
    assert_true(fabs(here[GEMM_FP8] / there[GEMM_FP8] / (1979.0 / 624.0) - 1.0) < 0.01);
    assert_true(fabs(here[ATTENTION] / there[ATTENTION] / (989.0 / 312.0) - 1.0) < 0.01);
    assert_true(fabs(here[COPY] / there[COPY] / (3.35 / 2.04) - 1.0) < 0.05);
    assert_true(fabs(here[REDUCE] / there[REDUCE] / 1.5 - 1.0) < 0.05);
}

/* Rows measured between nodes of this very machine follow its network. */
static void test_own_rows_between_nodes(void **state) {
    (void)state;
    rc_machine m = machine_of("h100-sxm"), slow;
    rc_costs *c = NULL, *v = NULL;
    rc_cost a, b;
    (void)snprintf(m.name, sizeof m.name, "dgx-h100"); /* whose send + recv is published */
    slow = m;
    assert_int_equal(rc_machine_override(&slow, "nic_rate", 0.5 * m.nic_rate, NULL), RC_OK);
    assert_int_equal(rc_costs_open(NULL, &m, &c, NULL), RC_OK);
    assert_int_equal(rc_costs_view(c, &slow, &v, NULL), RC_OK);
    assert_int_equal(rc_cost_collective(c, "send_recv",
                                        &(rc_transfer){.bytes = 16e6, .ranks = 2, .nodes = 2}, &a,
                                        NULL),
                     RC_OK);
    assert_int_equal(rc_cost_collective(v, "send_recv",
                                        &(rc_transfer){.bytes = 16e6, .ranks = 2, .nodes = 2}, &b,
                                        NULL),
                     RC_OK);
    assert_int_equal(a.basis, RC_PUBLISHED);
    assert_true(fabs(b.p50 / a.p50 / 2.0 - 1.0) < 0.02);
    rc_costs_close(v);
    assert_int_equal(rc_machine_override(&m, "hop_latency", 2.0 * m.hop_latency, NULL), RC_OK);
    assert_int_equal(rc_costs_view(c, &m, &v, NULL), RC_OK);
    assert_int_equal(rc_cost_collective(c, "send_recv",
                                        &(rc_transfer){.bytes = 1024.0, .ranks = 2, .nodes = 2}, &a,
                                        NULL),
                     RC_OK);
    assert_int_equal(rc_cost_collective(v, "send_recv",
                                        &(rc_transfer){.bytes = 1024.0, .ranks = 2, .nodes = 2}, &b,
                                        NULL),
                     RC_OK);
    assert_true(fabs(b.p50 / a.p50 / 2.0 - 1.0) < 0.02);
    rc_costs_close(v);
    rc_costs_close(c);
}

static void test_over_the_peak(void **state) {
    (void)state;
    rc_machine m = machine_of("h100-sxm");
    rc_costs *c = NULL, *v = NULL;
    rc_cost out;
    rc_error err = {0};
    assert_int_equal(rc_costs_open(NULL, &m, &c, NULL), RC_OK);
    m.bf16_rate = 312e12; /* and ratios of 1: more than the part could do */
    assert_int_equal(rc_costs_view(c, &m, &v, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(v, RC_BF16, 16384, 13312, 16384, &out, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "over its bf16_rate of 312 TFLOP/s"));
    assert_non_null(strstr(err.msg, "gemm_ratio (1, over 'h100-sxm') is too high"));
    assert_int_equal(rc_cost_gemm(v, RC_FP8, 16384, 13312, 16384, &out, NULL), RC_OK);
    assert_int_equal(rc_cost_gemm(v, RC_BF16, 1, 13312, 16384, &out, NULL), RC_OK); /* HBM binds */
    rc_costs_close(v);
    rc_costs_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knobs),         cmocka_unit_test(test_nvlink),
        cmocka_unit_test(test_other_part),    cmocka_unit_test(test_own_rows_between_nodes),
        cmocka_unit_test(test_over_the_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
