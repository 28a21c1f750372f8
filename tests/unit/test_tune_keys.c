/* Tuning scenarios key by key: where each value goes, what is taken where a key is left out, and what is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/tune/tune.h"

static rc_tune_scenario s;
static rc_error err;

static rc_status parse(const char *text, rc_error *why) {
    rc_doc *doc = NULL;
    rc_status st = rc_doc_parse("test.yaml", text, strlen(text), &doc, why);
    if (st == RC_OK)
        st = rc_tune_scenario_read(doc, NULL, 0, &s, why);
    rc_doc_close(doc);
    return st;
}

static void reads(const char *text) {
    if (parse(text, &err) != RC_OK)
        fail_msg("%s:%d: %s\n%s", err.file, err.line, err.msg, text);
}

static void refuses(const char *text, rc_status status, const char *word) {
    rc_error why = {0};
    const rc_status st = parse(text, &why);
    if (st != status || !strstr(why.msg, word))
        fail_msg("status %d, expected %d and '%s': %s\n%s", (int)st, (int)status, word, why.msg,
                 text);
}

#define HEAD "tune: test\nmachine: gtt\n"
#define LLAMA HEAD "model: llama-3.1-8b\ntp: 8\n"
#define AXES "new: {from: 64, to: 128, points: 5}\ntotal: {from: 100, to: 9000, points: 7}\n"

static void test_numbers(void **state) {
    (void)state;
    reads(LLAMA AXES "description: what it is\ncp: [1, 3, 8]\nbatch: [2, 5]\nprice: [0, 0.25, "
                     "1]\nknots: 9\nbootstrap: 17\n"
                     "draws: 33\nseed: 44\n");
    assert_string_equal(s.name, "test");
    assert_string_equal(s.description, "what it is");
    assert_string_equal(s.machine.name, "gtt");
    assert_string_equal(s.model.name, "llama-3.1-8b");
    assert_int_equal(s.layout.tp, 8);
    assert_int_equal(s.layout.cp, 1);
    assert_int_equal(s.degrees, 3);
    assert_true(s.degree[0] == 1 && s.degree[1] == 3 && s.degree[2] == 8);
    assert_true(s.batches == 2 && s.batch[0] == 2 && s.batch[1] == 5);
    assert_true(s.prices == 3 && s.price[0] == 0.0 && s.price[1] == 0.25 && s.price[2] == 1.0);
    assert_true(s.fresh.from == 64 && s.fresh.to == 128 && s.fresh.points == 5);
    assert_true(s.total.from == 100 && s.total.to == 9000 && s.total.points == 7);
    assert_true(s.knots == 9 && s.bootstrap == 17 && s.draws == 33 && s.seed == 44);
    assert_string_equal(s.measured, "");
    assert_true(s.sensitivity_total == 0 && s.sensitivity_models == 0 && s.request_files == 0);
}

static void test_parts(void **state) {
    (void)state;
    reads(LLAMA AXES
          "cp: [1, 2]\nmeasured: {file: table4_ttft_passkv_passq, cp: 4}\n"
          "sensitivity: {total: 5000, cp: 3, models: [qwen3-32b, llama-3.1-70b]}\n"
          "requests: {files: [mooncake_conversation, weka_sessions_58], limit: 77, sort: true}\n");
    assert_non_null(strstr(s.measured, "/table4_ttft_passkv_passq.csv"));
    assert_int_equal(s.measured_cp, 4);
    assert_true(s.sensitivity_total == 5000 && s.sensitivity_cp == 3 && s.sensitivity_models == 2);
    assert_non_null(strstr(s.sensitivity_model[0], "/qwen3-32b.json"));
    assert_non_null(strstr(s.sensitivity_model[1], "/llama-3.1-70b.json"));
    assert_int_equal(s.request_files, 2);
    assert_non_null(strstr(s.request_file[0], "/mooncake_conversation.csv"));
    assert_non_null(strstr(s.request_file[1], "/weka_sessions_58.csv"));
    assert_int_equal(s.request_limit, 77);
    assert_true(s.request_options.sort);
    reads(
        LLAMA AXES
        "cp: [1, 2]\nrequests: {files: azure_2023_code.csv.xz}\n"); /* a trace; one name for a list of one */
    assert_int_equal(s.request_files, 1);
    assert_non_null(strstr(s.request_file[0], "scenarios/traces/azure_2023_code.csv.xz"));
}

/* The types of a checkpoint are its own, but for those that are stated. */
static void test_types(void **state) {
    (void)state;
    reads(LLAMA AXES "cp: [1, 2]\n");
    assert_true(s.layout.ffn_weights == RC_BF16 && s.layout.attn_weights == RC_BF16);
    reads(HEAD "model: deepseek-v3\ntp: 8\n" AXES "cp: [1, 2]\n");
    const rc_dtype own = s.layout.ffn_weights;
    assert_true(own != RC_BF16 && s.layout.attn_weights != RC_BF16);
    reads(HEAD "model: deepseek-v3\ntp: 8\n" AXES
               "cp: [1, 2]\ndtypes: {attention_weights: bf16}\n");
    assert_true(s.layout.ffn_weights == own && s.layout.attn_weights == RC_BF16);
}

static void test_refused(void **state) {
    (void)state;
    refuses(LLAMA AXES "cp: [1]\n", RC_E_INPUT, "no degree above 1");
    reads(LLAMA AXES "cp: [2]\n");
    refuses(LLAMA AXES "cp: [2, 2]\n", RC_E_INPUT, "cp");
    refuses(LLAMA AXES "cp: [2, 1]\n", RC_E_INPUT, "cp");
    refuses(LLAMA AXES "cp: [0, 2]\n", RC_E_INPUT, "cp");
    reads(LLAMA AXES "cp: [1, 4096]\n");
    refuses(LLAMA AXES "cp: [1, 4097]\n", RC_E_INPUT, "cp");
    reads(LLAMA AXES "cp: [2]\nbatch: [65536]\n");
    refuses(LLAMA AXES "cp: [2]\nbatch: [65537]\n", RC_E_INPUT, "batch");
    refuses(LLAMA AXES "cp: [2]\nbatch: [0, 1]\n", RC_E_INPUT, "batch");
    refuses(HEAD "model: llama-3.1-8b\ntp: 3\ncp: [2]\n" AXES, RC_E_INPUT, "divide");
#define TOTAL "cp: [2]\ntotal: {from: 100, to: 9000, points: 7}\n"
    reads(LLAMA TOTAL "new: {from: 64, to: 65, points: 2}\n");
    refuses(LLAMA TOTAL "new: {from: 64, to: 64, points: 2}\n", RC_E_INPUT,
            "more than 'from' (64)");
    refuses(LLAMA AXES "cp: [2]\nsensitivity: {total: 5000, cp: 3, models: [nobody]}\n", RC_E_IO,
            "nobody");
    refuses(LLAMA AXES "cp: [2]\nrequests: {files: [nobody]}\n", RC_E_IO, "nobody");
    refuses(LLAMA AXES "cp: [2]\nmeasured: {file: nobody, cp: 4}\n", RC_E_IO, "nobody");
}

/* Each list at its most, and with one more. */
static void test_most(void **state) {
    static const struct {
        const char *head, *one, *foot;
        int most;
    } lists[] = {{"cp: [", "%d", "]\n", RC_SELECT_DEGREES},
                 {"cp: [2]\nbatch: [", "%d", "]\n", RC_SELECT_BATCHES},
                 {"cp: [2]\nprice: [", "0.%d", "]\n", RC_SELECT_PRICES},
                 {"cp: [2]\nsensitivity: {total: 5000, cp: 2, models: [", "llama-3.1-8b", "]}\n",
                  RC_TUNE_MODELS},
                 {"cp: [2]\nrequests: {files: [", "weka_sessions_58", "]}\n", RC_TUNE_TRACES}};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (int count = lists[i].most; count <= lists[i].most + 1; count++) {
            char text[4096];
            size_t n = (size_t)snprintf(text, sizeof text, LLAMA AXES "%s", lists[i].head);
            for (int k = 0; k < count; k++) {
                n += (size_t)snprintf(text + n, sizeof text - n, "%s", k > 0 ? ", " : "");
                n += (size_t)snprintf(text + n, sizeof text - n, lists[i].one, k + 1);
            }
            (void)snprintf(text + n, sizeof text - n, "%s", lists[i].foot);
            if (count == lists[i].most)
                reads(text);
            else if (parse(text, &err) != RC_E_INPUT)
                fail_msg("one too many is taken:\n%s", text);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_types), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_most)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
