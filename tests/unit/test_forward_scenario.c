/* Scenario files: what is read, what is filled in, what is refused and in which words.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/forward/scenario.h"

#define HEAD "scenario: s\nmodel: llama-3.1-405b\nmachine: gtt\n"
#define PARALLEL "parallel: {tp: 8, cp: 4, variant: pass-kv}\n"
#define REST "phase: prefill\ntokens: {new: 128K}\n"

static rc_status read_text(const char *text, const char *const *sets, size_t n, rc_scenario *s,
                           rc_error *err) {
    rc_doc *doc = NULL;
    memset(err, 0, sizeof *err);
    rc_status st = rc_doc_parse("s.yaml", text, strlen(text), &doc, err);
    if (st == RC_OK)
        st = rc_scenario_read(doc, sets, n, s, err);
    rc_doc_close(doc);
    return st;
}

static void says(const char *text, const char *set, const char *expected) {
    rc_scenario s;
    rc_error err;
    char got[1200];
    assert_int_not_equal(read_text(text, &set, set ? 1 : 0, &s, &err), RC_OK);
    assert_string_equal(rc_error_text(&err, got, sizeof got), expected);
}

static void test_defaults(void **state) {
    (void)state;
    rc_scenario s;
    rc_error err;
    assert_int_equal(read_text(HEAD PARALLEL REST, NULL, 0, &s, &err), RC_OK);
    assert_true(s.seq_count == 1 && s.seqs[0].t == 128000 && s.seqs[0].p == 0);
    assert_true(s.layout.tp == 8 && s.layout.cp == 4 && s.layout.ffn_weights == RC_BF16);
    assert_true(s.eager && !s.serial_ring && s.what_if.slow_rank == -1);
    assert_string_equal(s.schedule->name, "pass-kv");
    rc_scenario_free(&s);
    assert_int_equal(read_text(HEAD "parallel: {tp: 8, variant: tp}\nphase: decode\n"
                                    "tokens: {cached: 32Ki}\nbatch: 3\n",
                               NULL, 0, &s, &err),
                     RC_OK);
    assert_true(s.seq_count == 3 && s.seqs[2].t == 1 && s.seqs[2].p == 32768);
    assert_true(!s.eager && s.serial_ring && s.layout.cp == 1);
    rc_scenario_free(&s);
}

static void test_all_keys(void **state) {
    (void)state;
    rc_scenario s;
    rc_error err;
    const char *text = HEAD PARALLEL
        "phase: prefill\nsequences: [{new: 1K, cached: 2K}, {new: 3K}]\n"
        "dtypes: {attention_weights: bf16, ffn_weights: fp8, activations: bf16, kv: bf16}\n"
        "host: graph\nring: serial\n"
        "what_if: {slow_rank: 1, slow_speed: 90%, slow_link_rank: 3, slow_link: 0.25,\n"
        "          overlap_compute: 0.8, overlap_comm: 95%}\n";
    const char *sets[] = {"machine.nic_rate=200Gb/s", "parallel.cp=2", "what_if.slow_link_rank=0",
                          "machine.gemm_ratio=0.5"};
    assert_int_equal(read_text(text, sets, 4, &s, &err), RC_OK);
    assert_true(s.seq_count == 2 && s.seqs[0].p == 2000 && s.seqs[1].t == 3000);
    assert_true(s.layout.ffn_weights == RC_FP8 && s.layout.cp == 2 && !s.eager && s.serial_ring);
    assert_true(s.what_if.slow_rank == 1 && s.what_if.slow_speed == 0.9);
    assert_true(s.what_if.slow_link_rank == 0 && s.what_if.slow_link == 0.25);
    assert_true(s.what_if.overlap_compute == 0.8 && s.what_if.overlap_comm == 0.95);
    assert_true(s.machine.nic_rate == 25e9 && s.machine.gemm_ratio == 0.5);
    for (int i = 0; i < s.machine.fitted_count; i++) /* a what-if is not uncertain */
        if (strcmp(s.machine.fitted[i].name, "gemm_ratio") == 0)
            assert_true(s.machine.fitted[i].lo == 0.5 && s.machine.fitted[i].hi == 0.5);
    rc_scenario_free(&s);
}

static void test_refusals(void **state) {
    (void)state;
    says(HEAD PARALLEL "phase: prefill\n", NULL,
         "s.yaml:1:1: missing key 'tokens' at the top level");
    says(HEAD PARALLEL REST "sequences: [{new: 1}]\n", NULL,
         "s.yaml:7:12: key 'sequences' stands beside 'tokens' or 'batch'; give one or the other");
    says(HEAD PARALLEL "phase: prefill\nsequences: []\n", NULL,
         "s.yaml:6:12: key 'sequences': found 0, expected 1 to 65536");
    says(HEAD PARALLEL "phase: prefill\nsequences: [{new: 1}, 7]\n", NULL,
         "s.yaml:6:23: key 'sequences': expected a list of mappings");
    says(HEAD PARALLEL REST "what_if: {slow_rank: 4, slow_speed: 0.5}\n", NULL,
         "s.yaml:7:22: key 'slow_rank': found '4', expected a whole number from 0 to 3");
    says(HEAD PARALLEL REST "what_if: {slow_rank: 1}\n", NULL,
         "s.yaml:7:10: key 'slow_rank' needs the key 'slow_speed' beside it");
    says(HEAD "parallel: {tp: 8, cp: 4, variant: pas-kv}\n" REST, NULL,
         "s.yaml:4:35: key 'variant': found 'pas-kv', expected one of pass-kv, pass-q, "
         "all-gather-kv, pcp, ulysses, usp, gather-q, gather-kv, tp, dcp-ag-rs, dcp-a2a, helix "
         "(did you mean 'pass-kv'?)");
    says(HEAD PARALLEL REST, "machine.peer_rate=-1B/s",
         "--set: machine.peer_rate: found '-1B/s', expected a bandwidth from 1MB/s to 100TB/s");
    says(HEAD PARALLEL REST, "machine.peer_rate=100",
         "--set: machine.peer_rate: found '100' without a unit, expected a bandwidth such as "
         "2.4TB/s");
    says(HEAD PARALLEL REST, "machine.peer_rate=0",
         "--set: machine.peer_rate: found '0', expected a bandwidth from 1MB/s to 100TB/s");
    says(HEAD PARALLEL REST, "machine.launch=1e9s",
         "--set: machine.launch: found '1e9s', expected a time from 0s to 1s");
    says(HEAD PARALLEL REST, "=1", "--set: found '=1', expected key=value");
}

/* What a ring that shares the chip leaves: no key, none, and some SMs. */
static void test_ring_share(void **state) {
    (void)state;
    static const struct {
        const char *key;
        bool gives_way;
        int sms;
    } t[] = {{"", false, 0}, {"ring_sms: 0\n", true, 0}, {"ring_sms: 8\n", false, 8}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_scenario s;
        rc_error err;
        (void)snprintf(text, sizeof text, HEAD PARALLEL REST "%s", t[i].key);
        assert_int_equal(read_text(text, NULL, 0, &s, &err), RC_OK);
        assert_true(s.ring_share.gives_way == t[i].gives_way && s.ring_share.sms == t[i].sms);
        rc_scenario_free(&s);
    }
}

/* A key of 255 characters is a key, of which there is none; a longer one is no key at all. */
static void test_long_keys(void **state) {
    (void)state;
    for (size_t n = 254; n <= 257; n++) {
        char set[300];
        const char *sets[] = {set};
        rc_scenario s;
        rc_error err;
        (void)memset(set, 'x', n);
        (void)strcpy(set + n, "=1");
        assert_int_equal(read_text(HEAD PARALLEL REST, sets, 1, &s, &err),
                         n < 256 ? RC_E_INPUT : RC_E_USAGE);
        assert_non_null(strstr(err.msg, n < 256 ? "unknown key" : "expected key=value"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_ring_share),
        cmocka_unit_test(test_long_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
