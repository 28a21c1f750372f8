/* Command lines of serving engines: what each ships, flag by flag, and what it does not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/choose/launch.h"
#include "sim/model/model.h"

static rc_model deepseek, qwen, llama;

static int setup(void **state) {
    (void)state;
    rc_error err;
    const char *source = getenv("RC_SOURCE_DIR");
    if (source && chdir(source) != 0)
        return -1;
    return rc_model_load("models/deepseek-v3.json", &deepseek, &err) != RC_OK ||
           rc_model_load("models/qwen3-235b-a22b.json", &qwen, &err) != RC_OK ||
           rc_model_load("models/llama-3.1-70b.json", &llama, &err) != RC_OK;
}

typedef struct wish {
    const rc_model *model;
    rc_layout cut;
    const char *variant;
    const char *says; /* of the line, or of the refusal */
    bool refused;
} wish;

static void holds_in(rc_launcher e, const wish *w, int stages, rc_rest_layers rest) {
    char line[RC_LAUNCH_LINE] = "";
    rc_error err = {0};
    const rc_launch x = {.model = w->model,
                         .layout = &w->cut,
                         .schedule = rc_schedule_named(w->variant),
                         .stages = stages,
                         .rest = rest,
                         .gpus_per_node = 8};
    assert_non_null(x.schedule);
    rc_status st = rc_launch_line(e, &x, line, &err);
    if ((st != RC_OK) != w->refused || strstr(w->refused ? err.msg : line, w->says) == NULL)
        fail_msg("%s: %s%s", w->variant, line, err.msg);
}

static void holds(rc_launcher e, const wish *w) {
    holds_in(e, w, 0, RC_REST_INNER);
}

static void test_vllm(void **state) {
    (void)state;
    const wish all[] = {
        {&llama,
         {.tp = 8, .cp = 1},
         "tp",
         "vllm serve llama-3.1-70b --tensor-parallel-size 8",
         false},
        {&llama,
         {.tp = 8, .cp = 1, .ffn_weights = RC_FP8, .kv = RC_FP8},
         "tp",
         "--quantization fp8 --kv-cache-dtype fp8_e4m3",
         false},
        {&llama, {.tp = 4, .cp = 2}, "pcp", "-size 4 --prefill-context-parallel-size 2", false},
        {&deepseek,
         {.tp = 8, .cp = 1, .dcp = 8},
         "dcp-ag-rs",
         "--decode-context-parallel-size 8 --dcp-comm-backend ag_rs",
         false},
        {&qwen, {.tp = 8, .cp = 1, .dcp = 2}, "dcp-a2a", "-size 2 --dcp-comm-backend a2a", false},
        {&qwen, {.tp = 8, .cp = 1, .ep = 8}, "tp", "--enable-expert-parallel", false},
        {&qwen,
         {.tp = 4, .cp = 2, .ep = 8, .expert_transfer = RC_EXPERTS_GATHER},
         "pcp",
         "--enable-expert-parallel --all2all-backend allgather_reducescatter",
         false},
        {&qwen, {.tp = 4, .cp = 2, .ep = 8}, "pcp", "--all2all-backend deepep_high_through", false},
        {&deepseek,
         {.tp = 1, .cp = 1, .dp = 8, .ep = 8},
         "tp",
         "-size 1 --data-parallel-size 8 --enable-expert-parallel --all2all-backend deepep",
         false},
        {&deepseek, {.tp = 16, .cp = 1}, "tp", "--distributed-executor-backend ray", false},
        {&llama,
         {.tp = 4, .cp = 2},
         "pass-kv",
         "vLLM ships no schedule 'pass-kv' of 2 ranks",
         true},
        {&deepseek, {.tp = 8, .cp = 1, .dcp = 8}, "helix", "no schedule 'helix'", true},
        {&llama, {.tp = 1, .cp = 8, .ffn_over_cp = true}, "pcp", "world tp", true},
        {&qwen, {.tp = 8, .cp = 1, .ep = 4}, "tp", "ep is 4", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        holds(RC_LAUNCH_VLLM, &all[i]);
}

static void test_sglang(void **state) {
    (void)state;
    const wish all[] = {
        {&llama,
         {.tp = 1, .cp = 8, .ffn_over_cp = true},
         "pcp",
         "--tp-size 8 --enable-prefill-cp --attn-cp-size 8 --cp-strategy zigzag",
         false},
        {&deepseek,
         {.tp = 8, .cp = 1, .dcp = 8},
         "helix",
         "--dcp-size 8 --dcp-comm-backend a2a --dcp-replicate-q-proj",
         false},
        {&deepseek,
         {.tp = 8, .cp = 1, .dcp = 4},
         "dcp-ag-rs",
         "-size 4 --dcp-comm-backend ag_rs",
         false},
        {&deepseek, {.tp = 8, .cp = 1, .ep = 8}, "tp", "--tp-size 8 --ep-size 8", false},
        {&deepseek,
         {.tp = 1, .cp = 8, .ep = 8, .ffn_over_cp = true},
         "pcp",
         "--ep-size 8 --moe-a2a-backend deepep",
         false},
        {&deepseek, {.tp = 16, .cp = 1}, "tp", "--nnodes 2 --node-rank", false},
        {&deepseek,
         {.tp = 1, .cp = 1, .dp = 8, .ep = 8, .ffn_over_cp = true},
         "tp",
         "--tp-size 8 --dp-size 8 --enable-dp-attention --ep-size 8 --moe-a2a-backend deepep",
         false},
        {&deepseek, {.tp = 1, .cp = 1, .dp = 8, .ep = 8}, "tp", "dense layers of their own", true},
        {&llama, {.tp = 4, .cp = 2}, "pcp", "world of tp x cp GPUs is vLLM's", true},
        {&llama, {.tp = 4, .cp = 2}, "gather-kv", "no schedule 'gather-kv'", true},
        {&qwen, {.tp = 8, .cp = 1, .dcp = 2}, "dcp-a2a", "latent attention alone", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        holds(RC_LAUNCH_SGLANG, &all[i]);
}

/* Stages, and the layers that are left over: 80 and 61 of them. */
static void test_stages(void **state) {
    (void)state;
    const wish vllm = {&llama,
                       {.tp = 8, .cp = 1},
                       "tp",
                       "-size 8 --pipeline-parallel-size 2 --distributed-executor-backend ray",
                       false};
    const wish inner = {
        &deepseek, {.tp = 8, .cp = 1}, "tp", "--pipeline-parallel-size 4 --dist", false};
    const wish not_last = {
        &deepseek, {.tp = 8, .cp = 1}, "tp", "4 stages of 61 layers are cut by pp_rest last", true};
    const wish sglang = {&llama, {.tp = 4, .cp = 1}, "tp", "-size 4 --pp-size 4 --nnodes 2", false};
    const wish last = {
        &deepseek, {.tp = 8, .cp = 1}, "tp", "-size 8 --pp-size 2 --nnodes 2", false};
    const wish not_inner = {&deepseek,
                            {.tp = 8, .cp = 1},
                            "tp",
                            "SGLang gives layers that are left over to the last stages",
                            true};
    holds_in(RC_LAUNCH_VLLM, &vllm, 2, RC_REST_INNER);
    holds_in(RC_LAUNCH_VLLM, &vllm, 2, RC_REST_LAST);
    holds_in(RC_LAUNCH_VLLM, &inner, 4, RC_REST_INNER);
    holds_in(RC_LAUNCH_VLLM, &not_last, 4, RC_REST_LAST);
    holds_in(RC_LAUNCH_SGLANG, &sglang, 4, RC_REST_INNER);
    holds_in(RC_LAUNCH_SGLANG, &last, 2, RC_REST_LAST);
    holds_in(RC_LAUNCH_SGLANG, &not_inner, 2, RC_REST_INNER);
}

/* Each degree's flags: at two they are there, at one they are not. */
static void test_flags(void **state) {
    (void)state;
    static const struct {
        rc_launcher engine;
        const rc_model *model;
        rc_layout two;
        const char *variant, *flag;
        int stages;
    } t[] = {
        {RC_LAUNCH_VLLM, &llama, {.tp = 4, .cp = 2}, "pcp", "--prefill-context-parallel-size 2", 1},
        {RC_LAUNCH_VLLM,
         &qwen,
         {.tp = 8, .cp = 1, .dcp = 2},
         "dcp-a2a",
         "--decode-context-parallel-size 2",
         1},
        {RC_LAUNCH_VLLM,
         &deepseek,
         {.tp = 1, .cp = 1, .dp = 2, .ep = 2},
         "tp",
         "--data-parallel-size 2",
         1},
        {RC_LAUNCH_VLLM, &qwen, {.tp = 2, .cp = 1, .ep = 2}, "tp", "--enable-expert-parallel", 1},
        {RC_LAUNCH_VLLM, &llama, {.tp = 8, .cp = 1}, "tp", "--pipeline-parallel-size 2", 2},
        {RC_LAUNCH_VLLM,
         &llama,
         {.tp = 8, .cp = 2},
         "pcp",
         "--distributed-executor-backend ray",
         1},
        {RC_LAUNCH_SGLANG,
         &llama,
         {.tp = 1, .cp = 2, .ffn_over_cp = true},
         "pcp",
         "--attn-cp-size 2",
         1},
        {RC_LAUNCH_SGLANG,
         &deepseek,
         {.tp = 8, .cp = 1, .dcp = 2},
         "dcp-ag-rs",
         "--dcp-size 2 --dcp-comm-backend ag_rs",
         1},
        {RC_LAUNCH_SGLANG,
         &deepseek,
         {.tp = 1, .cp = 1, .dp = 2, .ep = 2, .ffn_over_cp = true},
         "tp",
         "--dp-size 2",
         1},
        {RC_LAUNCH_SGLANG, &qwen, {.tp = 2, .cp = 1, .ep = 2}, "tp", "--ep-size 2", 1},
        {RC_LAUNCH_SGLANG, &llama, {.tp = 8, .cp = 1}, "tp", "--pp-size 2", 2},
        {RC_LAUNCH_SGLANG, &llama, {.tp = 8, .cp = 1}, "tp", "--nnodes 2", 2},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const wish two = {t[i].model, t[i].two, t[i].variant, t[i].flag, false};
        char line[RC_LAUNCH_LINE] = "", name[64];
        rc_error err = {0};
        holds_in(t[i].engine, &two, t[i].stages,
                 t[i].engine == RC_LAUNCH_VLLM ? RC_REST_INNER : RC_REST_LAST);
        const rc_layout one = {.tp = 8, .cp = 1};
        const rc_launch x = {.model = t[i].model,
                             .layout = &one,
                             .schedule = rc_schedule_named("tp"),
                             .stages = 1,
                             .gpus_per_node = 8};
        assert_int_equal(rc_launch_line(t[i].engine, &x, line, &err), RC_OK);
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(t[i].flag, " "), t[i].flag);
        if (strstr(line, name))
            fail_msg("%s: %s", name, line);
    }
}

/* What an engine does ship is listed, and no layer of a model is looked at beyond those that it has. */
static void test_what_there_is(void **state) {
    (void)state;
    char line[RC_LAUNCH_LINE];
    rc_error err = {0};
    const rc_layout cut = {.tp = 4, .cp = 2};
    rc_launch x = {.model = &llama,
                   .layout = &cut,
                   .schedule = rc_schedule_named("pass-kv"),
                   .gpus_per_node = 8};
    for (int e = 0; e < 2; e++) {
        assert_int_equal(rc_launch_line(e ? RC_LAUNCH_SGLANG : RC_LAUNCH_VLLM, &x, line, &err),
                         RC_E_INPUT);
        assert_string_equal(
            err.msg,
            e ? "SGLang ships no schedule 'pass-kv' of 2 ranks: it has pcp, tp, dcp-ag-rs, "
                "dcp-a2a, helix"
              : "vLLM ships no schedule 'pass-kv' of 2 ranks: it has pcp, tp, dcp-ag-rs, dcp-a2a");
    }
    static rc_model more; /* where others stood: layers with latent attention and experts */
    more = llama;
    more.kind[1] = deepseek.kind[deepseek.kinds - 1];
    const rc_layout whole = {.tp = 8, .cp = 1, .ep = 4}, groups = {.tp = 8, .cp = 1, .dcp = 2};
    x = (rc_launch){
        .model = &more, .layout = &whole, .schedule = rc_schedule_named("tp"), .gpus_per_node = 8};
    assert_int_equal(rc_launch_line(RC_LAUNCH_VLLM, &x, line, &err), RC_OK);
    x.layout = &groups;
    x.schedule = rc_schedule_named("dcp-a2a");
    assert_int_equal(rc_launch_line(RC_LAUNCH_SGLANG, &x, line, &err), RC_E_INPUT);
}

static void test_names(void **state) {
    (void)state;
    rc_launcher e;
    rc_error err = {0};
    assert_int_equal(rc_launcher_named("sglang", &e, &err), RC_OK);
    assert_string_equal(rc_launcher_name(e), "SGLang");
    assert_int_equal(rc_launcher_named("vlm", &e, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "did you mean 'vllm'"));
    assert_int_equal(rc_launcher_named("tensorrt", &e, &err), RC_E_INPUT);
    assert_null(strstr(err.msg, "mean"));
    char line[RC_LAUNCH_LINE];
    const rc_layout cut = {.tp = 8, .cp = 1};
    const rc_launch x = {.model = &llama,
                         .layout = &cut,
                         .schedule = rc_schedule_named("tp"),
                         .gpus_per_node = 8,
                         .longest = 131072,
                         .chunk = 8192};
    assert_int_equal(rc_launch_line(RC_LAUNCH_VLLM, &x, line, &err), RC_OK);
    assert_non_null(strstr(line, "--max-model-len 131072 --max-num-batched-tokens 8192"));
    assert_int_equal(rc_launch_line(RC_LAUNCH_SGLANG, &x, line, &err), RC_OK);
    assert_non_null(strstr(line, "--context-length 131072 --chunked-prefill-size 8192"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vllm),   cmocka_unit_test(test_stages),
        cmocka_unit_test(test_sglang), cmocka_unit_test(test_names),
        cmocka_unit_test(test_flags),  cmocka_unit_test(test_what_there_is)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
