/* What follows from what among a machine's numbers: ratios that a file leaves to published peaks,
 * and what an override moves with it.
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
#include <sys/stat.h>
#include <unistd.h>

#include "sim/machine/machine.h"

/* An A100: other peaks than the H100 on whose rows it rests, and no ratio stated. */
#define HEAD                                                                                       \
    "machine: mine\ndescription: a test\n"                                                         \
    "gpu: {name: G, memory: 80GB, hbm_rate: 2TB/s, bf16_rate: 300TFLOP/s, fp8_rate: 400TFLOP/s,\n" \
    "  sms: 108, power: 400W}\n"                                                                   \
    "node: {gpus: 8, nvlink_rate: 300GB/s, nvls: false}\n"
#define NETWORK                                                                                    \
    "network: {transport: rdma, nic_rate: 40GB/s, nic_line_rate: 30GB/s, peer_rate: 20GB/s,\n"     \
    "  hop_latency: 20us}\n"
#define TAIL "host: {launch: 5us}\ncalibration:\n  base: other\n  state: sustained\n"
#define RATES "  base_rates: {bf16: 1000TFLOP/s, fp8: 2000TFLOP/s, hbm: 4TB/s, nvlink: 600GB/s}\n"

static rc_machine machine_of(const char *text) {
    rc_machine m;
    rc_error err = {0};
    char said[1200];
    if (rc_machine_parse("m.yaml", text, strlen(text), &m, &err) != RC_OK)
        fail_msg("%s", rc_error_text(&err, said, sizeof said));
    return m;
}

static void set(rc_machine *m, const char *key, double v) {
    assert_int_equal(rc_machine_override(m, key, v, NULL), RC_OK);
}

static void near(double got, double want) {
    if (!(fabs(got - want) <= 1e-12 * fabs(want)))
        fail_msg("got %.17g, expected %.17g", got, want);
}

static void test_ratios_from_peaks(void **state) {
    (void)state;
    rc_machine m = machine_of(HEAD NETWORK TAIL RATES);
    near(m.gemm_ratio, 0.3);
    near(m.attention_ratio, 0.3);
    near(m.gemm_ratio * m.gemm_fp8, 0.2); /* in fp8: 400 of 2000 */
    near(m.attention_ratio * m.attention_fp8, 0.2);
    near(m.hbm_ratio, 0.5);
    near(m.nvlink_ratio, 0.5);
    assert_true(m.ratio_spread == 0.15);
}

static void test_stated_ratios_stay(void **state) {
    (void)state;
    rc_machine m = machine_of(HEAD NETWORK TAIL RATES "  transfer: {gemm: 0.25, nvlink: 1}\n");
    assert_true(m.gemm_ratio == 0.25 && m.gemm_fp8 == 1.0 && m.nvlink_ratio == 1.0);
    near(m.attention_ratio, 0.3);
    m = machine_of(HEAD NETWORK TAIL RATES
                   "fitted: [{name: hbm_ratio, meaning: why, unit: \"1\", rows: [a], value: 0.4, "
                   "interval: [0.3, 0.5]}]\n");
    assert_true(m.hbm_ratio == 0.4);
    set(&m, "base_hbm_rate", 8e12); /* a fitted ratio is not derived: its base does not move it */
    assert_true(m.hbm_ratio == 0.4);
}

/* What a file says beside a fit: the number that it states, or, where it leaves it to published rates, what these give. */
static void test_stated_beside_a_fit(void **state) {
    (void)state;
#define FITTED(key)                                                                                \
    "fitted: [{name: " key                                                                         \
    ", meaning: why, unit: \"1\", rows: [a], value: 0.4, interval: [0.3, 0.5]}]\n"
    rc_machine m =
        machine_of(HEAD NETWORK TAIL RATES "  transfer: {gemm: 0.25}\n" FITTED("gemm_ratio"));
    assert_true(m.gemm_ratio == 0.4 && m.fitted[0].stated == 0.25);
    m = machine_of(HEAD NETWORK TAIL RATES FITTED("gemm_ratio"));
    assert_true(m.gemm_ratio == 0.4);
    near(m.fitted[0].stated, 0.3);
    m = machine_of(HEAD NETWORK TAIL RATES FITTED("hbm_ratio"));
    near(m.fitted[0].stated, 0.5);
}

static void test_own_base(void **state) {
    (void)state;
    rc_machine m =
        machine_of(HEAD NETWORK "host: {launch: 5us}\ncalibration: {base: mine, state: burst}\n");
    assert_true(m.gemm_ratio == 1.0 && m.gemm_fp8 == 1.0 && m.attention_ratio == 1.0 &&
                m.attention_fp8 == 1.0 && m.hbm_ratio == 1.0 && m.nvlink_ratio == 1.0 &&
                m.ratio_spread == 0.0);
}

static void written(const char *folder, const char *name, const char *text) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

#define BASE(hbm)                                                                                  \
    "gpu: {name: O, memory: 80GB, hbm_rate: " hbm ", bf16_rate: 600TFLOP/s,\n"                     \
    "  fp8_rate: 1200TFLOP/s, sms: 132, power: 700W}\n"                                            \
    "node: {gpus: 8, nvlink_rate: 900GB/s, nvls: true}\n"

/* Base rates come from the base's own file: beside this one, else in the current folder. A text that is no file has neither. */
static void test_base_file(void **state) {
    (void)state;
    char own[] = "/tmp/ringcast-derive-XXXXXX", here[] = "/tmp/ringcast-here-XXXXXX", cwd[1024];
    char path[128], command[256];
    rc_machine m, bare;
    rc_error err = {0};
    assert_true(mkdtemp(own) && mkdtemp(here) && getcwd(cwd, sizeof cwd));
    (void)snprintf(path, sizeof path, "%s/mine.yaml", own);
    written(own, "mine.yaml", HEAD NETWORK TAIL);
    const rc_status alone =
        rc_machine_parse("m.yaml", HEAD NETWORK TAIL, strlen(HEAD NETWORK TAIL), &bare, &err);
    assert_int_equal(chdir(here), 0);
    written(here, "other.yaml", BASE("4TB/s"));
    assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
    near(m.hbm_ratio, 0.5);
    rc_machine again;
    assert_int_equal(
        rc_machine_parse("m.yaml", HEAD NETWORK TAIL, strlen(HEAD NETWORK TAIL), &again, &err),
        alone);
    assert_true(alone != RC_OK || again.hbm_ratio == bare.hbm_ratio);
    written(own, "other.yaml", BASE("8TB/s"));
    assert_int_equal(rc_machine_load(path, &m, NULL), RC_OK);
    assert_int_equal(chdir(cwd), 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s' '%s'", own, here);
    assert_int_equal(system(command), 0);
    near(m.gemm_ratio, 0.5);
    near(m.gemm_ratio * m.gemm_fp8, 400.0 / 1200.0);
    near(m.hbm_ratio, 0.25);
    near(m.nvlink_ratio, 1.0 / 3.0);
}

static void test_network_follows_the_nic(void **state) {
    (void)state;
    rc_machine a = machine_of(HEAD NETWORK TAIL RATES), b = a, c = a;
    set(&a, "nic_rate", 10e9);
    near(a.nic_line_rate, 7.5e9);
    near(a.peer_rate, 5e9);
    set(&b, "peer_rate", 6e9); /* stated in the same override: before or after */
    set(&b, "nic_rate", 10e9);
    set(&c, "nic_rate", 10e9);
    set(&c, "peer_rate", 6e9);
    assert_true(b.peer_rate == 6e9 && c.peer_rate == 6e9);
    near(b.nic_line_rate, 7.5e9);
    near(c.nic_line_rate, 7.5e9);
    assert_int_equal(rc_machine_check(&b, NULL), RC_OK);
    set(&b, "peer_rate", 9e9);
    assert_int_equal(rc_machine_check(&b, NULL), RC_E_INPUT);
}

static void test_ratios_follow_the_peaks(void **state) {
    (void)state;
    rc_machine m = machine_of(HEAD NETWORK TAIL RATES);
    set(&m, "bf16_rate", 600e12);
    near(m.gemm_ratio, 0.6);
    near(m.attention_ratio, 0.6);
    near(m.gemm_ratio * m.gemm_fp8, 0.2); /* fp8 does not follow bf16 */
    set(&m, "fp8_rate", 1200e12);
    near(m.gemm_ratio * m.gemm_fp8, 0.6);
    near(m.attention_ratio * m.attention_fp8, 0.6);
    near(m.gemm_ratio, 0.6);
    set(&m, "hbm_rate", 1e12);
    near(m.hbm_ratio, 0.25);
    set(&m, "nvlink_rate", 150e9);
    near(m.nvlink_ratio, 0.25);
    set(&m, "base_bf16_rate", 2e15);
    near(m.gemm_ratio, 0.3);
    near(m.gemm_ratio * m.gemm_fp8, 0.6);
    set(&m, "base_hbm_rate", 1e12);
    near(m.hbm_ratio, 1.0);
    set(&m, "gemm_ratio", 0.5); /* stated: of both types, and it follows nothing more */
    set(&m, "bf16_rate", 100e12);
    set(&m, "fp8_rate", 100e12);
    assert_true(m.gemm_ratio == 0.5 && m.gemm_fp8 == 1.0);
}

/* What doubles with each peak, halves with each of the base's, and stays where the file itself states the ratios: then they are
 * measured, and what is published of the base says nothing more. */
static void test_each_follower(void **state) {
    (void)state;
    enum { NUMBERS = 8 };
    static const struct {
        const char *driver;
        double derived[NUMBERS], stated[NUMBERS];
    } t[] = {
        /* nic_line, peer, hbm, nvlink, gemm, its fp8, attention, its fp8; fp8 is a factor on top */
        {"nic_rate", {2, 2, 1, 1, 1, 1, 1, 1}, {2, 2, 1, 1, 1, 1, 1, 1}},
        {"hbm_rate", {1, 1, 2, 1, 1, 1, 1, 1}, {1, 1, 2, 1, 1, 1, 1, 1}},
        {"nvlink_rate", {1, 1, 1, 2, 1, 1, 1, 1}, {1, 1, 1, 2, 1, 1, 1, 1}},
        {"bf16_rate", {1, 1, 1, 1, 2, 0.5, 2, 0.5}, {1, 1, 1, 1, 2, 0.5, 2, 0.5}},
        {"fp8_rate", {1, 1, 1, 1, 1, 2, 1, 2}, {1, 1, 1, 1, 1, 2, 1, 2}},
        {"base_hbm_rate", {1, 1, 0.5, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}},
        {"base_nvlink_rate", {1, 1, 1, 0.5, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}},
        {"base_bf16_rate", {1, 1, 1, 1, 0.5, 2, 0.5, 2}, {1, 1, 1, 1, 1, 1, 1, 1}},
        {"base_fp8_rate", {1, 1, 1, 1, 1, 0.5, 1, 0.5}, {1, 1, 1, 1, 1, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (int stated = 0; stated < 2; stated++) {
            rc_machine m = machine_of(HEAD NETWORK TAIL RATES);
            if (stated)
                m.derived = 0;
            const rc_machine was = m;
            set(&m, t[i].driver, 2.0 * *rc_machine_field(&m, t[i].driver));
            const double now[NUMBERS] = {m.nic_line_rate,   m.peer_rate,    m.hbm_ratio,
                                         m.nvlink_ratio,    m.gemm_ratio,   m.gemm_fp8,
                                         m.attention_ratio, m.attention_fp8};
            const double before[NUMBERS] = {was.nic_line_rate,   was.peer_rate,    was.hbm_ratio,
                                            was.nvlink_ratio,    was.gemm_ratio,   was.gemm_fp8,
                                            was.attention_ratio, was.attention_fp8};
            for (int k = 0; k < NUMBERS; k++) {
                const double want = (stated ? t[i].stated : t[i].derived)[k];
                if (fabs(now[k] / before[k] - want) > 1e-12)
                    fail_msg("%s%s: number %d moves by %g, not %g", t[i].driver,
                             stated ? " beside stated ratios" : "", k, now[k] / before[k], want);
            }
        }
}

static void test_fitted_numbers_follow(void **state) {
    (void)state;
    rc_machine m =
        machine_of(HEAD NETWORK TAIL RATES
                   "fitted: [{name: peer_rate, meaning: why, unit: B/s, rows: [a], value: 16GB/s, "
                   "interval: [12GB/s, 20GB/s]}]\n");
    rc_machine still = m;
    set(&m, "nic_rate", 20e9); /* half: the value and its interval */
    near(m.peer_rate, 8e9);
    near(m.fitted[0].value, 8e9);
    near(m.fitted[0].lo, 6e9);
    near(m.fitted[0].hi, 10e9);
    double drawn = 7e9;
    rc_machine_set_fitted(&m, &drawn);
    assert_true(m.peer_rate == 7e9);
    near(m.fitted[0].value, 8e9);
    set(&still, "peer_rate", 9e9); /* a what-if is not uncertain */
    assert_true(still.fitted[0].lo == 9e9 && still.fitted[0].hi == 9e9);
}

static void refuses(rc_machine *m, const char *key, double v, const char *text) {
    rc_error err = {0};
    char said[1200];
    assert_int_equal(rc_machine_override(m, key, v, &err), RC_E_INPUT);
    assert_string_equal(rc_error_text(&err, said, sizeof said), text);
}

static void test_refusals(void **state) {
    (void)state;
    rc_machine m = machine_of(HEAD NETWORK TAIL RATES), alone = machine_of(HEAD TAIL RATES);
    refuses(&m, "power", 350.0,
            "machine 'mine': a board limit changes no time in this clock state; take "
            "calibration.state power_limited, or set bf16_rate and fp8_rate, which its clocks "
            "decide");
    (void)snprintf(m.state, sizeof m.state, "power_limited");
    assert_int_equal(rc_machine_override(&m, "power", 350.0, NULL), RC_OK);
    assert_true(m.power == 350.0 && m.file_power == 400.0);
    refuses(&alone, "nic_rate", 1e10,
            "machine 'mine': this machine is one node without a network; name one whose file has "
            "the section 'network'");
    (void)snprintf(m.intra_transport, sizeof m.intra_transport, "shm");
    refuses(&m, "nvlink_rate", 1e11,
            "machine 'mine': the GPUs of a node of this machine do not talk over NVLink; name one "
            "whose node.transport is nvlink");
}

/* Bytes up to which an all-reduce of the engine's own is used: of two GPUs, of up to four, of more; none of one. */
static void test_own_limits(void **state) {
    (void)state;
    const rc_machine m = {.own_limit = {2.0, 4.0, 8.0}};
    static const double of[] = {0.0, 0.0, 2.0, 4.0, 4.0, 8.0, 8.0, 8.0, 8.0};
    for (int gpus = 0; gpus <= 8; gpus++)
        assert_true(rc_machine_own_limit(&m, gpus) == of[gpus]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratios_from_peaks),
        cmocka_unit_test(test_stated_ratios_stay),
        cmocka_unit_test(test_stated_beside_a_fit),
        cmocka_unit_test(test_own_base),
        cmocka_unit_test(test_base_file),
        cmocka_unit_test(test_network_follows_the_nic),
        cmocka_unit_test(test_ratios_follow_the_peaks),
        cmocka_unit_test(test_each_follower),
        cmocka_unit_test(test_fitted_numbers_follow),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_own_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
