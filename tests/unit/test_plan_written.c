/* The chosen plan as a scenario of `serve`, to the letter: each thing that a pool may have, and each kind of word.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "sim/plan/plan_write.c"

#define HEAD                                                                                       \
    "plan: p\nmodel: llama-3.1-70b\n"                                                              \
    "synthetic: {requests: 40, process: poisson, rate: 2, input: {kind: constant, mean: 2K}, "     \
    "output: {kind: constant, mean: 20}}\nslo: [{ttft: 2s}]\n"                                     \
    "offers: [{machine: h100-sxm, price: 2.5, gpus: 512}]\n"

static rc_plan_file file;

static void open_plan(const char *text) {
    rc_doc *doc = NULL;
    rc_error err = {0};
    assert_int_equal(rc_doc_parse("p.yaml", text, strlen(text), &doc, &err), RC_OK);
    if (rc_plan_read(doc, NULL, 0, &file, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

/* The text of the written scenario; malloc'ed. */
static char *written(const rc_plan_option *o) {
    char path[] = "/tmp/ringcast-written-XXXXXX", *text = NULL;
    size_t size;
    rc_error err = {0};
    rc_plan_result chosen = {.option = *o};
    const rc_plan_answer a = {.best = 0, .all = &chosen, .all_count = 1};
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    if (rc_plan_save_scenario(&file, &a, path, true, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(rc_file_read(path, &text, &size, &err), RC_OK);
    (void)unlink(path);
    return text;
}

/* The line of a key. */
static void says(const char *text, const char *line) {
    const size_t n = strlen(line);
    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, line, n) == 0 && at[n] == '\n')
            return;
    fail_msg("no line\n%s\nin\n%s", line, text);
}

/* What is alike everywhere is not said; what is not stands behind the schedule. */
static void test_pools(void **state) {
    (void)state;
    static const struct {
        const char *space, *pools;
        rc_plan_option o;
    } t[] = {
        {"space: {tp: 8}\n",
         "{name: all, replicas: 3, tp: 8, cp: 1, variant: tp, dynamic_cp: false}",
         {.tp = 8, .cp = 1, .prefill = 3, .dcp = 1, .dp = 1, .ep = 1, .pp = 1}},
        {"space: {tp: 8, cp: 2, variant: pass-q}\n",
         "{name: all, replicas: 1, tp: 8, cp: 2, variant: pass-q, dynamic_cp: true}",
         {.tp = 8, .cp = 2, .prefill = 1, .dynamic = true}},
        {"space: {tp: 16, dcp_variant: dcp-a2a}\n",
         "{name: all, replicas: 1, tp: 16, cp: 1, variant: dcp-a2a, dynamic_cp: false, dcp: 2}",
         {.tp = 16, .cp = 1, .prefill = 1, .dcp = 2}},
        {"space: {tp: 4, expert_skew: 0.375, mla: absorbed}\n",
         "{name: all, replicas: 2, tp: 4, cp: 1, variant: tp, dynamic_cp: false, dp_attention: 2, "
         "ep: 8, expert_skew: 0.375, mla: absorbed}",
         {.tp = 4, .cp = 1, .prefill = 2, .dp = 2, .ep = -1}},
        {"space: {tp: 4, mla: materialised}\n",
         "{name: all, replicas: 2, tp: 4, cp: 1, variant: tp, dynamic_cp: false, ep: 2, mla: "
         "materialised, pp: 2}",
         {.tp = 4, .cp = 1, .prefill = 2, .ep = 2, .pp = 2}},
        {"space: {tp: 4, pp_rest: last}\n",
         "{name: all, replicas: 2, tp: 4, cp: 1, variant: tp, dynamic_cp: false, pp: 3, pp_rest: "
         "last}",
         {.tp = 4, .cp = 1, .prefill = 2, .pp = 3}},
        {"space: {tp: 8, variant: pass-q}\n",
         "{name: prefill, role: prefill, replicas: 3, tp: 8, cp: 2, variant: pass-q, dynamic_cp: "
         "true}, {name: decode, role: decode, replicas: 4, tp: 8, cp: 1}",
         {.tp = 8, .cp = 2, .decode_cp = 1, .prefill = 3, .decode = 4, .dynamic = true, .dcp = 1}},
        {"space: {tp: 16, pp_rest: last, dcp_variant: dcp-ag-rs, variant: pass-q}\n",
         "{name: prefill, role: prefill, replicas: 1, tp: 16, cp: 2, variant: pass-q, dynamic_cp: "
         "false, pp: 2, pp_rest: last}, {name: decode, role: decode, replicas: 1, tp: 16, cp: 1, "
         "variant: dcp-ag-rs, dcp: 2, pp: 2, pp_rest: last}",
         {.tp = 16, .cp = 2, .decode_cp = 1, .prefill = 1, .decode = 1, .dcp = 2, .pp = 2}},
        {"space: {tp: 8}\n",
         "{name: prefill, role: prefill, replicas: 1, tp: 8, cp: 1, variant: tp, dynamic_cp: "
         "false, ep: 8}, {name: decode, role: decode, replicas: 1, tp: 8, cp: 1, dp_attention: 4, "
         "ep: 32}",
         {.tp = 8, .cp = 1, .decode_cp = 1, .prefill = 1, .decode = 1, .dp = 4, .ep = -1}},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char space[512], line[1024];
        rc_plan_option o = t[i].o;
        (void)snprintf(space, sizeof space, HEAD "%s", t[i].space);
        (void)snprintf(line, sizeof line, "pools: [%s]", t[i].pools);
        o.max_batch = 24;
        open_plan(space);
        char *text = written(&o);
        says(text, line);
        says(text, "machine: \"h100-sxm\"");
        says(text, "price: 2.5");
        says(text, "kv: {dtype: bf16}");
        says(text, "scheduler: {policy: prefill-first, max_batch: 24}");
        free(text);
        rc_plan_close(&file);
    }
}

/* Chunks with their budget; the traffic that the plan is made for, of a trace as a factor. */
static void test_rest(void **state) {
    (void)state;
    const rc_plan_option o = {.tp = 8,
                              .cp = 1,
                              .prefill = 1,
                              .max_batch = 16,
                              .chunked = true,
                              .budget = 4096,
                              .kv = RC_FP8};
    open_plan(HEAD "space: {tp: 8}\nsearch: {growth: 1.5}\n");
    char *text = written(&o);
    says(text, "# The plan that `ringcast plan` chose for p: run it with `ringcast serve`.");
    says(text, "scheduler: {policy: chunked, budget: 4096, max_batch: 16}");
    says(text, "kv: {dtype: fp8}");
    says(text, "serve: \"p\"");
    says(text,
         "synthetic: {requests: 40, process: poisson, rate: 3, input: {kind: constant, mean: 2K}, "
         "output: {kind: constant, mean: 20}}");
    free(text);
    rc_plan_close(&file);
    open_plan("plan: p\nmodel: llama-3.1-70b\nslo: [{ttft: 2s}]\nspace: {tp: 8}\n"
              "offers: [{machine: h100-sxm, price: 2, gpus: 64}]\nsearch: {growth: 3}\n"
              "arrivals: {trace: mooncake_conversation.jsonl.xz, rate_scale: 0.25}\n");
    text = written(&o);
    says(text, "arrivals: {trace: mooncake_conversation.jsonl.xz, rate_scale: 0.75}");
    free(text);
    rc_plan_close(&file);
}

/* Bare are words of letters, digits and a few signs that begin with a letter, a digit, a stop or a slash, unless the file had them
 * quoted; all else is quoted. */
static void test_words(void **state) {
    (void)state;
    static const struct {
        const char *word, *written;
        bool quoted;
    } t[] = {{"abc", "abc", false},     {"abc", "\"abc\"", true},  {"9a", "9a", false},
             {"/a.b", "/a.b", false},   {"./a", "./a", false},     {"a-b_c+5%", "a-b_c+5%", false},
             {"-a", "\"-a\"", false},   {"_a", "\"_a\"", false},   {"", "\"\"", false},
             {"a b", "\"a b\"", false}, {"a:b", "\"a:b\"", false}, {"a,b", "\"a,b\"", false},
             {"~", "\"~\"", false},     {"a#", "\"a#\"", false}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        assert_non_null(f);
        write_scalar(f, t[i].word, t[i].quoted);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(text, t[i].written);
        free(text);
    }
}

/* Of one resource a quarter more must add more than a point of margin to bind; of several the one that adds most. */
static void test_binding(void **state) {
    (void)state;
    static const struct {
        double slack[RC_PLAN_RESOURCES];
        int binds;
    } t[] = {{{0.01, 0.01, 0.01, 0.01}, -1}, {{0.011, 0.0, 0.0, 0.0}, 0},
             {{0.02, 0.02, 0.0, 0.0}, 0},    {{0.02, 0.03, 0.01, 0.025}, 1},
             {{0.0, 0.0, 0.5, 0.4}, 2},      {{-1.0, 0.0, 0.0, 0.02}, 3}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_plan_answer a = {.best = 0};
        memcpy(a.slack, t[i].slack, sizeof a.slack);
        assert_int_equal(binding(&a), t[i].binds);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pools), cmocka_unit_test(test_rest),
                                       cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_binding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
