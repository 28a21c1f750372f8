/* Reading config.json: counts against the publishers', refusals word for word.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/model.h"
#include "sim/schedule/totals.h"

static rc_status load(const char *name, rc_model *m, rc_error *err) {
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    (void)snprintf(path, sizeof path, "%s/models/%s.json", root != NULL ? root : ".", name);
    return rc_model_load(path, m, err);
}

/* Parameters as published, embeddings, norms and biases included. */
static void test_parameter_counts(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double params, kv_bytes;
    } t[] = {{"llama-3.1-8b", 8030261248.0, 131072.0},
             {"llama-3.1-70b", 70553706496.0, 327680.0},
             {"llama-3.1-405b", 405853388800.0, 516096.0},
             {"qwen2.5-7b-instruct-1m", 7615616512.0, 57344.0},
             {"qwen2.5-72b-instruct", 72706203648.0, 327680.0},
             {"qwen3-32b", 32762123264.0, 262144.0},
             {"mistral-large-instruct-2407", 122610069504.0, 360448.0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m;
        assert_int_equal(load(t[i].name, &m, NULL), RC_OK);
        assert_string_equal(m.name, t[i].name);
        assert_true(rc_model_params(&m) == t[i].params);
        assert_true(rc_model_kv_bytes(&m, RC_BF16) == t[i].kv_bytes);
    }
}

static void test_llama_405b(void **state) {
    (void)state;
    rc_model m;
    assert_int_equal(load("llama-3.1-405b", &m, NULL), RC_OK);
    assert_string_equal(m.architecture, "LlamaForCausalLM");
    assert_true(m.layers == 126 && m.hidden == 16384 && m.kind[0].ffn == 53248 &&
                m.vocab == 128256);
    assert_true(m.kind[0].heads == 128 && m.kind[0].kv_heads == 8 && m.kind[0].head_dim == 128);
    assert_true(!m.tied_embeddings && !m.kind[0].attention_bias &&
                m.kind[0].qk_norm == RC_QK_NORM_NONE);
    assert_true(m.max_positions == 131072 && m.rope_theta == 500000.0);
    assert_true(rc_model_attn_params(&m) == 126.0 * 16384 * 2 * (16384 + 1024));
    assert_true(rc_model_ffn_params(&m) == 126.0 * 3 * 16384 * 53248);
    /* appendix A: 2*T*W of the linear layers, and 4*D*T^2/2 of attention a layer */
    assert_true(rc_model_gemm_flops(&m, 1000) ==
                2000.0 * (rc_model_attn_params(&m) + rc_model_ffn_params(&m)));
    assert_true(rc_model_attention_flops(&m, 1, 0) == 126.0 * 4 * 16384);
    assert_true(rc_model_attention_flops(&m, 10, 90) == 126.0 * 4 * 16384 * (900 + 55));
    assert_true(rc_model_attention_flops(&m, 0, 90) == 0.0);
}

static void test_families(void **state) {
    (void)state;
    rc_model m;
    assert_int_equal(load("qwen3-32b", &m, NULL), RC_OK);
    assert_true(m.kind[0].qk_norm == RC_QK_NORM_HEAD && !m.kind[0].attention_bias &&
                m.kind[0].heads * m.kind[0].head_dim == 8192);
    assert_int_equal(load("qwen2.5-72b-instruct", &m, NULL), RC_OK);
    assert_true(m.kind[0].attention_bias && !m.kind[0].output_bias &&
                m.kind[0].qk_norm == RC_QK_NORM_NONE);
}

/* Kinds of layers and their order, as the makers' papers describe them. */
static void test_mixed_files(void **state) {
    (void)state;
    rc_model m;
    assert_int_equal(load("deepseek-v3", &m, NULL), RC_OK);
    assert_true(m.kinds == 2 && m.runs == 2 && m.run[0].times == 3 && m.run[1].times == 58);
    const rc_layer_kind *l = &m.kind[1];
    assert_true(l->mixer == RC_MIX_LATENT && l->after == RC_FFN_EXPERTS && l->heads == 128);
    assert_true(l->head_dim == 192 && l->value_dim == 128 && l->latent.kv_rank == 512 &&
                l->latent.q_rank == 1536 && l->latent.rope == 64);
    assert_true(l->experts.count == 256 && l->experts.top_k == 8 && l->experts.width == 2048 &&
                l->experts.shared == 2048 && l->experts.gated);
    assert_true(m.kind[0].after == RC_FFN_GATED && m.kind[0].ffn == 18432);
    assert_int_equal(m.quant.ffn, RC_FP8_BLOCK);
    assert_int_equal(load("gpt-oss-120b", &m, NULL), RC_OK);
    assert_true(m.kinds == 2 && m.runs == 1 && m.run[0].length == 2 && m.run[0].times == 18);
    assert_true(m.kind[0].window == 128 && m.kind[1].window == 0 && m.kind[0].sinks);
    assert_true(m.quant.attn == RC_BF16 && m.quant.ffn == RC_MXFP4);
    assert_int_equal(load("llama-4-maverick-17b-128e-instruct", &m, NULL), RC_OK);
    assert_true(m.kinds == 3 && m.kind[0].ffn == 16384 && m.kind[1].experts.count == 128 &&
                m.kind[1].experts.top_k == 1 && m.kind[0].window == 8192 && m.kind[2].window == 0);
    assert_int_equal(load("mixtral-8x22b-v0.1", &m, NULL), RC_OK);
    assert_true(m.kinds == 1 && m.kind[0].experts.count == 8 && m.kind[0].experts.width == 16384);
}

/* A small good file, and what one changed line of it says. */
static const char good[] = "{\n"
                           "\"architectures\": [\"LlamaForCausalLM\"],\n"
                           "\"hidden_act\": \"silu\",\n"
                           "\"hidden_size\": 512,\n"
                           "\"intermediate_size\": 1024,\n"
                           "\"max_position_embeddings\": 4096,\n"
                           "\"num_attention_heads\": 8,\n"
                           "\"num_hidden_layers\": 2,\n"
                           "\"rope_theta\": 10000.0,\n"
                           "\"vocab_size\": 1000\n"
                           "}\n";

static rc_status changed(const char *from, const char *to, rc_model *m, rc_error *err) {
    char text[2048];
    const char *at = strstr(good, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return rc_model_parse("x/t.json", text, strlen(text), m, err);
}

static void says(const char *from, const char *to, rc_status want, const char *text) {
    char got[1200];
    rc_model m;
    rc_error err = {0};
    rc_status st = changed(from, to, &m, &err);
    assert_string_equal(rc_error_text(&err, got, sizeof got), text);
    assert_int_equal(st, want);
}

static void test_defaults(void **state) {
    (void)state;
    rc_model m;
    assert_int_equal(changed("512", "512", &m, NULL), RC_OK);
    assert_string_equal(m.name, "t");
    assert_true(m.kind[0].kv_heads == 8 && m.kind[0].head_dim == 64 && !m.tied_embeddings);
    assert_int_equal(changed("\"vocab_size\"",
                             "\"num_key_value_heads\": 2, \"head_dim\": 32, "
                             "\"tie_word_embeddings\": true, \"vocab_size\"",
                             &m, NULL),
                     RC_OK);
    assert_true(m.kind[0].kv_heads == 2 && m.kind[0].head_dim == 32 && m.tied_embeddings);
}

static void test_errors(void **state) {
    (void)state;
    says("\"hidden_size\": 512,\n", "", RC_E_INPUT,
         "x/t.json:1:1: missing key 'hidden_size' at the top level");
    says("\"hidden_size\": 512", "\"hidden_size\": [512]", RC_E_INPUT,
         "x/t.json:4:16: key 'hidden_size': found a list, expected a whole number such as 128K");
    says("\"vocab_size\": 1000", "\"vocab_size\": 1000, \"num_key_value_heads\": 3", RC_E_INPUT,
         "x/t.json:10:44: key 'num_key_value_heads' is 3, which does not divide the 8 query heads "
         "('num_attention_heads')");
    says("\"num_attention_heads\": 8", "\"num_attention_heads\": 7", RC_E_INPUT,
         "x/t.json:7:24: 7 heads do not divide 'hidden_size' (512); write 'head_dim'");
    says("LlamaForCausalLM\"]", "LlamaForCausalLM\", \"B\"]", RC_E_INPUT,
         "x/t.json:2:18: key 'architectures' lists 2 names; expected one");
    says("\"silu\"", "\"gelu\"", RC_E_UNMODELLED,
         "x/t.json:3:15: LlamaForCausalLM with hidden_act 'gelu' is not modelled: only 'silu' "
         "(gated, SwiGLU) is");
    says("Llama", "Lama", RC_E_UNMODELLED,
         "x/t.json:2:19: architecture 'LamaForCausalLM' is not known; did you mean "
         "'LlamaForCausalLM'?");
    says("\"vocab_size\": 1000", "\"vocab_size\": 1000, \"num_local_experts\": 8", RC_E_UNMODELLED,
         "x/t.json:10:42: LlamaForCausalLM with key 'num_local_experts' is not modelled: a mixture "
         "of experts: FFN work depends on routing");
}

static void test_missing_file(void **state) {
    (void)state;
    rc_model m;
    rc_error err;
    assert_int_equal(rc_model_load("/nowhere/m.json", &m, &err), RC_E_IO);
    assert_string_equal(err.file, "/nowhere/m.json");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_counts), cmocka_unit_test(test_llama_405b),
        cmocka_unit_test(test_families),         cmocka_unit_test(test_mixed_files),
        cmocka_unit_test(test_defaults),         cmocka_unit_test(test_errors),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
