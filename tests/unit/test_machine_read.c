/* Machine files: the five of the repository, and one wrong line at a time.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine/machine.h"

static const char good[] =
    "machine: mine\n"
    "description: a test\n"
    "gpu: {name: G, memory: 80GB, hbm_rate: 3.35TB/s, bf16_rate: 989TFLOP/s,\n"
    "  fp8_rate: 1979TFLOP/s, sms: 132, power: 700W}\n"
    "node: {gpus: 8, nvlink_rate: 450GB/s, nvls: false}\n"
    "network:\n"
    "  transport: rdma\n"
    "  nic_rate: 400Gb/s\n"
    "  nic_line_rate: 46GB/s\n"
    "  peer_rate: 26GB/s\n"
    "  hop_latency: 33us\n"
    "host: {launch: 5us}\n"
    "calibration:\n"
    "  base: other\n"
    "  state: sustained\n"
    "  base_rates: {bf16: 989TFLOP/s, fp8: 1979TFLOP/s, hbm: 4.8TB/s}\n"
    "  transfer: {gemm: 0.72, attention: 85%, hbm: 0.5}\n";

#define ENTRY(name, unit, value, interval)                                                         \
    "  - {name: " name ", meaning: why, unit: " unit ", rows: [a, b], value: " value               \
    ", interval: " interval "}\n"

static rc_status parse(const char *from, const char *to, const char *more, rc_machine *m,
                       rc_error *err) {
    char text[8192];
    const char *at = strstr(good, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s%s", (int)(at - good), good, to, at + strlen(from),
                   more);
    return rc_machine_parse("m.yaml", text, strlen(text), m, err);
}

static void says(const char *from, const char *to, const char *more, const char *text) {
    char got[1200];
    rc_machine m;
    rc_error err = {0};
    rc_status st = parse(from, to, more, &m, &err);
    assert_string_equal(rc_error_text(&err, got, sizeof got), text);
    assert_int_equal(st, RC_E_INPUT);
}

/* Whose rows: what is not named, or names the base, is the base's. */
static void test_sources(void **state) {
    (void)state;
    rc_machine m, other;
    assert_int_equal(parse("", "", "", &other, NULL), RC_OK);
    assert_false(rc_machine_has_sources(&other));
    assert_int_equal(parse("  state: sustained\n",
                           "  state: sustained\n  costs: {gemm: engine-x, decode: other}\n", "", &m,
                           NULL),
                     RC_OK);
    assert_true(rc_machine_has_sources(&m));
    assert_string_equal(m.costs[RC_SOURCE_GEMM], "engine-x");
    assert_string_equal(m.costs[RC_SOURCE_DECODE], "");
    assert_string_equal(m.costs[RC_SOURCE_ATTENTION], "");
    assert_true(rc_machine_same_rows(&m, &m) && !rc_machine_same_rows(&m, &other));
    rc_error err = {0};
    assert_int_equal(
        parse("  state: sustained\n", "  state: sustained\n  costs: {gem: x}\n", "", &m, &err),
        RC_E_INPUT);
    assert_non_null(strstr(err.msg, "gemm"));
}

static void test_reads(void **state) {
    (void)state;
    rc_machine m;
    assert_int_equal(parse("", "", "", &m, NULL), RC_OK);
    assert_string_equal(m.name, "mine");
    assert_string_equal(m.collectives, "other");
    assert_string_equal(m.intra_transport, "nvlink");
    assert_true(m.memory == 80e9 && m.hbm_rate == 3.35e12 && m.nic_rate == 50e9 && m.sms == 132);
    assert_true(m.hop_latency == 33e-6 && m.attention_ratio == 0.85 && m.base_hbm_rate == 4.8e12);
    assert_true(m.ring_step == 0.0 && m.ratio_spread == 0.0 && m.max_nodes == 0 && !m.nvls);
    assert_int_equal(m.fitted_count, 0);
}

static void test_own_base_and_one_node(void **state) {
    (void)state;
    rc_machine m;
    assert_int_equal(
        parse("network:\n  transport: rdma\n  nic_rate: 400Gb/s\n  nic_line_rate: 46GB/s\n"
              "  peer_rate: 26GB/s\n  hop_latency: 33us\n",
              "", "", &m, NULL),
        RC_OK);
    assert_true(m.max_nodes == 1 && m.nic_rate == 0.0 && m.inter_transport[0] == '\0');
    assert_int_equal(
        parse("  base: other\n  state: sustained\n  base_rates: {bf16: 989TFLOP/s, fp8: "
              "1979TFLOP/s, hbm: 4.8TB/s}\n  transfer: {gemm: 0.72, attention: 85%, hbm: "
              "0.5}\n",
              "  base: mine\n  state: burst\n", "", &m, NULL),
        RC_OK);
    assert_true(m.gemm_ratio == 1.0 && m.hbm_ratio == 1.0 && m.base_hbm_rate == m.hbm_rate);
}

static void test_fitted(void **state) {
    (void)state;
    rc_machine m;
    assert_int_equal(parse("", "",
                           "fitted:\n" ENTRY("gemm_ratio", "\"1\"", "0.7", "[0.68, 0.72]")
                               ENTRY("ring_step", "s", "0.57ms", "[0.5ms, 0.6ms]"),
                           &m, NULL),
                     RC_OK);
    assert_int_equal(m.fitted_count, 2);
    assert_true(m.gemm_ratio == 0.7 && m.ring_step == 0.57e-3); /* over the stated values */
    assert_string_equal(m.fitted[1].rows, "a,b");
    assert_true(m.fitted[0].lo == 0.68 && m.fitted[0].hi == 0.72);
}

static void test_errors(void **state) {
    (void)state;
    says("host:", "hots:", "", "m.yaml:12:1: unknown key 'hots' (did you mean 'host'?)");
    says("host: {launch: 5us}\n", "", "", "m.yaml:1:1: missing key 'host' at the top level");
    says("{launch: 5us}", "{}", "", "m.yaml:12:7: missing key 'launch' in 'host'");
    says("{launch: 5us}", "{launch: 5us, ring_step: 1us}", "",
         "m.yaml:12:21: key 'ring_step' belongs in 'engine', not in 'host'");
    says("gpus: 8", "gpus: 8, gpus: 4", "", "m.yaml:5:17: duplicate key 'gpus', first on line 5");
    says("3.35TB/s", "3.35TB", "",
         "m.yaml:3:40: key 'hbm_rate': found '3.35TB', expected a bandwidth such as 2.4TB/s");
    says("gpus: 8", "gpus: eight", "",
         "m.yaml:5:14: key 'gpus': found 'eight', expected a whole number from 1 to 1024");
    says("nvls: false", "nvls: maybe", "",
         "m.yaml:5:45: key 'nvls': found 'maybe', expected true or false");
    says("transport: rdma", "transport: rmda", "",
         "m.yaml:7:14: key 'transport': found 'rmda', expected one of rdma, tcp (did you mean "
         "'rdma'?)");
    says("peer_rate: 26GB/s", "peer_rate: 60GB/s", "",
         "m.yaml:10:14: peer_rate (6e+10 B/s) exceeds nic_line_rate (4.6e+10 B/s)");
    says("nic_rate: 400Gb/s", "nic_rate: 100Gb/s", "",
         "m.yaml:9:18: nic_line_rate (4.6e+10 B/s) exceeds nic_rate (1.25e+10 B/s)");
    says("  base_rates: {bf16: 989TFLOP/s, fp8: 1979TFLOP/s, hbm: 4.8TB/s}\n", "", "",
         "m.yaml:14:9: missing key 'base_rates' in 'calibration': there is no machine file of "
         "'other' to take its published rates from");
    says("machine: mine", "machine: \"\"", "", "m.yaml:1:10: key 'machine' is empty");
}

static void test_fitted_errors(void **state) {
    (void)state;
    says("", "", "fitted:\n" ENTRY("gem_ratio", "\"1\"", "0.7", "[0.6, 0.8]"),
         "m.yaml:19:12: fitted 'gem_ratio' is not a number of a machine; did you mean "
         "'gemm_ratio'?");
    says("", "", "fitted:\n" ENTRY("peer_rate", "GB/s", "26GB/s", "[20GB/s, 30GB/s]"),
         "m.yaml:19:43: key 'unit' is 'GB/s'; 'peer_rate' is in 'B/s'");
    says("", "", "fitted:\n" ENTRY("power", "W", "500W", "[400W, 600W]"),
         "m.yaml:19:12: fitted 'power': a board limit changes no time in this clock state; take "
         "calibration.state power_limited, or set bf16_rate and fp8_rate, which its clocks decide");
    says("", "", "fitted:\n" ENTRY("gemm_ratio", "\"1\"", "0.7", "[0.8, 0.9]"),
         "m.yaml:19:85: key 'interval' [0.8, 0.9] does not hold the value 0.7");
    says("", "", "fitted:\n" ENTRY("gemm_ratio", "\"1\"", "0.7", "[0.8]"),
         "m.yaml:19:85: key 'interval' has 1 values; expected [low, high]");
    says("", "",
         "fitted:\n" ENTRY("launch", "s", "1us", "[1us, 1us]")
             ENTRY("launch", "s", "1us", "[1us, 1us]"),
         "m.yaml:20:12: 'launch' is fitted twice");
    says("", "",
         "fitted:\n" ENTRY("launch", "s", "1us", "[1us, 1us]")
             ENTRY("ring_step", "s", "1us", "[1us, 1us]")
                 ENTRY("ratio_spread", "\"1\"", "0.1", "[0.1, 0.1]")
                     ENTRY("hop_latency", "s", "1us", "[1us, 1us]")
                         ENTRY("gemm_ratio", "\"1\"", "1", "[1, 1]")
                             ENTRY("hbm_ratio", "\"1\"", "1", "[1, 1]")
                                 ENTRY("peer_rate", "B/s", "1GB/s", "[1GB/s, 1GB/s]")
                                     ENTRY("nic_line_rate", "B/s", "1GB/s", "[1GB/s, 1GB/s]")
                                         ENTRY("attention_ratio", "\"1\"", "1", "[1, 1]"),
         "m.yaml:19:3: key 'fitted' lists 9 parameters; at most 8 may be fitted");
}

/* Rows of a fit: one, or a list of some, whose names together have a place; what is fitted lies within its interval, ends included. */
static void test_fitted_rows(void **state) {
    (void)state;
#define FIT(rows, value, interval)                                                                 \
    "fitted:\n  - {name: gemm_ratio, meaning: why, unit: \"1\", rows: " rows ", value: " value     \
    ", interval: " interval "}\n"
    enum { ROOM = sizeof((rc_fitted *)0)->rows };
    static const struct {
        const char *fitted, *rows;
    } t[] = {{FIT("a", "0.7", "[0.7, 0.8]"), "a"},
             {FIT("[a]", "0.7", "[0.6, 0.7]"), "a"},
             {FIT("[a, bc, d]", "70%", "[0.7, 0.7]"), "a,bc,d"}};
    rc_machine m;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_int_equal(parse("", "", t[i].fitted, &m, NULL), RC_OK);
        assert_string_equal(m.fitted[0].rows, t[i].rows);
        assert_true(m.gemm_ratio == 0.7);
    }
    says("", "", FIT("[]", "0.7", "[0.6, 0.8]"),
         "m.yaml:19:55: key 'rows' is empty; name the rows");
    says("", "", FIT("[a, '']", "0.7", "[0.6, 0.8]"),
         "m.yaml:19:59: key 'rows': expected short names of rows, 511 characters in all");
    says("", "", FIT("a", "1e9", "[0.6, 0.8]"),
         "m.yaml:19:65: key 'value': found '1e9', expected a ratio from 0.01 to 100");
    says("", "",
         "fitted:\n  - {name: gemm_ratio, meaning: why, unit: \"1\", rows: a, interval: [0.6, "
         "0.8]}\n",
         "m.yaml:19:5: missing key 'value' in a fitted entry");
    for (size_t more = 0; more < 3; more++) { /* two names, and a comma between */
        char text[2 * ROOM + 256], name[ROOM + 8];
        rc_error err = {0};
        (void)memset(name, 'x', sizeof name);
        name[ROOM - 5 + more] = '\0';
        (void)snprintf(text, sizeof text, FIT("[ab, %s]", "0.7", "[0.6, 0.8]"), name);
        assert_int_equal(parse("", "", text, &m, &err),
                         strlen(name) + 3 < ROOM ? RC_OK : RC_E_INPUT);
    }
}

/* Whose rows stand in, and whose links are used: their published rates are in their own files. */
static void test_other_machines(void **state) {
    (void)state;
    rc_machine m;
    assert_int_equal(
        parse("  base: other\n", "  base: other\n  stand_in: h100-sxm\n", "", &m, NULL), RC_OK);
    assert_true(m.stand_in_bf16_rate == 989e12 && m.stand_in_fp8_rate == 1979e12 &&
                m.stand_in_hbm_rate == 3.35e12);
    assert_true(m.base_nvlink_rate == 450e9);
    assert_int_equal(parse("", "", "", &m, NULL), RC_OK);
    assert_true(m.stand_in_bf16_rate == 0.0 && m.stand_in[0] == '\0');
    says("  base: other\n", "  base: other\n  stand_in: nobody\n", "",
         "m.yaml:15:13: key 'stand_in': there is no machine file of 'nobody' to take its published "
         "rates from");
    assert_int_equal(parse("nvlink_rate: 450GB/s", "nvlink_rate: 225GB/s", "", &m, NULL), RC_OK);
    assert_true(m.base_nvlink_rate == 225e9); /* of a machine without a file: as fast as ours */
    char text[4096];
    rc_error err = {0};
    (void)snprintf(text, sizeof text, "%s", good);
    char *at = strstr(text, "450GB/s");
    assert_non_null(at);
    (void)memcpy(at, "225GB/s", strlen("225GB/s"));
    at = strstr(text, "  state: sustained");
    assert_non_null(at);
    (void)snprintf(at, sizeof text - (size_t)(at - text), "  collectives: h100-sxm\n%s",
                   strstr(good, "  state: sustained"));
    assert_int_equal(rc_machine_parse("m.yaml", text, strlen(text), &m, &err), RC_OK);
    assert_true(m.base_nvlink_rate == 450e9 && m.nvlink_rate == 225e9);
}

/* A profile's numbers and fits come first; what stands in the machine's file replaces the numbers,
 * and may not fit them again. */
static void test_engine(void **state) {
    (void)state;
    static const char host[] = "host: {launch: 5us}\n";
    rc_machine m, own;
    char text[1200];
    rc_error err = {0};
    assert_int_equal(
        parse(host,
              "host: {launch: 5us}\nengine: {profile: paper, attention: split, ring_tokens: "
              "stripes, ring_pages: copied}\n",
              "fitted:\n" ENTRY("gemm_ratio", "\"1\"", "0.7", "[0.6, 0.8]"), &m, &err),
        RC_OK);
    assert_string_equal(m.engine, "paper");
    assert_true(!m.whole_tiles && m.ring_step > 1e-4 && m.ring_step < 1e-3);
    assert_true(m.fp8_matrix < 1.0 && m.fp8_stream < 1.0);
    assert_true(m.ring_stripes && m.ring_copies);
    assert_true(m.fitted_count >= 2 && m.fitted[0].of_engine);
    assert_false(m.fitted[m.fitted_count - 1].of_engine);
    assert_int_equal(parse("", "", "", &own, NULL), RC_OK);
    assert_true(!own.ring_stripes && !own.ring_copies);
    assert_true(own.engine[0] == '\0' && !own.whole_tiles && own.fp8_matrix == 1.0);
    assert_int_equal(parse(host, "host: {launch: 5us}\nengine: {profile: paper}\n",
                           "fitted:\n" ENTRY("ring_step", "s", "1us", "[1us, 1us]"), &m, &err),
                     RC_E_INPUT);
    assert_non_null(strstr(rc_error_text(&err, text, sizeof text), "'ring_step' is fitted twice"));
    assert_int_not_equal(
        parse(host, "host: {launch: 5us}\nengine: {profile: papr}\n", "", &m, &err), RC_OK);
    assert_non_null(strstr(rc_error_text(&err, text, sizeof text), "did you mean 'paper'?"));
}

typedef struct engine_numbers {
    rc_quantise quantise;
    bool own, whole, nvls;
    double limit, step, cached, matrix, stream, memory;
} engine_numbers;

static void engine_is(const char *keys, const engine_numbers *want) {
    char text[512];
    rc_machine m;
    rc_error err = {0};
    (void)snprintf(text, sizeof text, "host: {launch: 5us}\nengine: {%s}\n", keys);
    if (parse("host: {launch: 5us}\n", text, "", &m, &err) != RC_OK)
        fail_msg("%s: %s", keys, err.msg);
    if (m.quantise != want->quantise || m.own_all_reduce != want->own ||
        m.whole_tiles != want->whole || m.nvls != want->nvls || m.own_limit[0] != want->limit ||
        m.ring_step != want->step || m.ring_step_cached != want->cached ||
        m.fp8_matrix != want->matrix || m.fp8_stream != want->stream ||
        m.process_memory != want->memory)
        fail_msg("engine {%s} is another", keys);
}

/* Without a profile the keys of an engine have their defaults; beside one each that stands there changes its own number, and all
 * others are the profile's. */
static void test_engine_keys(void **state) {
    (void)state;
    static const engine_numbers none = {
        RC_QUANTISE_FUSED, false, false, false, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0};
    static const engine_numbers trt = {
        RC_QUANTISE_REDUCED, true, false, false, 16e6, 0.0, 0.0, 1.0, 0.85, 2.07e9};
    engine_is("", &none);
    engine_is("profile: trtllm", &trt);
    for (int beside = 0; beside < 2; beside++) {
        const char *with = beside ? "profile: trtllm, " : "";
        engine_numbers changed[16];
        for (int i = 0; i < 16; i++)
            changed[i] = beside ? trt : none;
        changed[0].quantise = RC_QUANTISE_APART;
        changed[1].quantise = RC_QUANTISE_FUSED;
        changed[2].own = false;
        changed[3].own = true;
        changed[4].limit = 3e6;
        changed[5].nvls = true;
        changed[6].step = 1e-3;
        changed[7].cached = 2e-3;
        changed[8].matrix = 0.5;
        changed[9].stream = 0.75;
        changed[10].memory = 3e9;
        changed[11].whole = true;
        changed[12].whole = false;
        static const char *const keys[] = {
            "quantize: apart",    "quantize: fused",       "all_reduce: nccl",
            "all_reduce: custom", "all_reduce_limit: 3MB", "nvls: true",
            "ring_step: 1ms",     "ring_step_cached: 2ms", "fp8_matrix: 0.5",
            "fp8_stream: 0.75",   "process_memory: 3GB",   "attention: whole",
            "attention: split"};
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            char all[128];
            (void)snprintf(all, sizeof all, "%s%s", with, keys[i]);
            engine_is(all, &changed[i]);
        }
    }
}

/* How far the engine's own all-reduce goes, in groups of 2, 4 and 8 GPUs: the last of fewer numbers stands for the others. */
static void test_limits(void **state) {
    (void)state;
    static const char host[] = "host: {launch: 5us}\n";
    static const struct {
        const char *list;
        double limit[3];
    } t[] = {{"1MB", {1e6, 1e6, 1e6}},         {"[1MB]", {1e6, 1e6, 1e6}},
             {"[1MB, 2MB]", {1e6, 2e6, 2e6}},  {"[1MB, 2MB, 3MB]", {1e6, 2e6, 3e6}},
             {"[0, 1TB]", {0.0, 1e12, 1e12}},  {"[]", {-1.0}},
             {"[1MB, 2MB, 3MB, 4MB]", {-1.0}}, {"[1MB, 1.1TB]", {-1.0}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char engine[128];
        rc_machine m;
        rc_error err = {0};
        (void)snprintf(engine, sizeof engine, "%sengine: {profile: paper, all_reduce_limit: %s}\n",
                       host, t[i].list);
        rc_status st = parse(host, engine, "", &m, &err);
        assert_int_equal(st, t[i].limit[0] < 0.0 ? RC_E_INPUT : RC_OK);
        for (int k = 0; k < 3 && st == RC_OK; k++)
            assert_true(m.own_limit[k] == t[i].limit[k]);
    }
}

static void test_repository_machines(void **state) {
    (void)state;
    static const char *const names[] = {"h100-sxm", "h200-sxm", "gtt", "gti", "h200x2"};
    const char *root = getenv("RC_SOURCE_DIR");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512], text[1200];
        rc_machine m;
        rc_error err;
        (void)snprintf(path, sizeof path, "%s/scenarios/machines/%s.yaml",
                       root != NULL ? root : ".", names[i]);
        if (rc_machine_load(path, &m, &err) != RC_OK)
            fail_msg("%s", rc_error_text(&err, text, sizeof text));
        assert_string_equal(m.name, names[i]); /* the file's name is the machine's */
        assert_string_equal(m.base, strncmp(names[i], "h200", 4) == 0 ? "h200-sxm" : "h100-sxm");
    }
}

static void test_fields(void **state) {
    (void)state;
    rc_machine m = {0};
    size_t n = 0;
    for (const char *const *name = rc_machine_fields(); *name != NULL; name++, n++) {
        double *v = rc_machine_field(&m, *name);
        assert_non_null(v);
        assert_true(*v == 0.0);
        *v = (double)n + 1.0;
    }
    assert_true(n == 28 && m.memory == 1.0 &&
                m.base_nvlink_rate == 28.0); /* none names another's number */
    assert_null(rc_machine_field(&m, "sms"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_own_base_and_one_node),
        cmocka_unit_test(test_fitted),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_fitted_errors),
        cmocka_unit_test(test_fitted_rows),
        cmocka_unit_test(test_other_machines),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_engine_keys),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_repository_machines),
        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
