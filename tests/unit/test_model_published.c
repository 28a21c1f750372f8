/* Published configurations: read with the published number of parameters and the exact bytes of KV,
 * and of what windows and states take.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tests/support/model_file.h"
#include "sim/schedule/totals.h"

/* Billions of parameters, and of those that a token passes, as the makers print them (0: no number was
 * found, or theirs counts embeddings or experts otherwise). Of Llama 4 Scout the maker's 108.6 count
 * the encoder of images, 0.87 of which the text decoder has no key. KV bytes of a token in the type that
 * the checkpoint states: layers x 2 x KV heads x head dimension x bytes, or layers x (latent + rotary
 * key) x bytes. Of a long sequence what each further token takes, with the keys of indexers (1 byte an
 * element and a scale of 4), and what its windows and states take: window x KV bytes of its layers; of
 * states heads x keys x values x 4, and the inputs of the convolution but one tap, x 2. */
static const struct {
    const char *name;
    double billions, active, kv_bytes, grows, fixed;
} published[] = {
    {"llama-3.1-8b", 8.03, 0, 131072, 131072, 0},
    {"llama-3.1-70b", 70.55, 0, 327680, 327680, 0},
    {"llama-3.1-405b", 405.85, 0, 516096, 516096, 0},
    {"llama-3.1-70b-fp8", 70.55, 0, 163840, 163840, 0},
    {"qwen2.5-72b-instruct", 72.7, 0, 80 * 2 * 8 * 128 * 2, 80 * 2 * 8 * 128 * 2, 0},
    {"qwen2.5-7b-instruct-1m", 7.61, 0, 28 * 2 * 4 * 128 * 2, 28 * 2 * 4 * 128 * 2, 0},
    {"qwen3-32b", 32.76, 0, 64 * 2 * 8 * 128 * 2, 64 * 2 * 8 * 128 * 2, 0},
    {"qwen3-32b-fp8", 32.76, 0, 64 * 2 * 8 * 128 * 2, 64 * 2 * 8 * 128 * 2, 0},
    {"qwen3-vl-32b", 32.76, 0, 64 * 2 * 8 * 128 * 2, 64 * 2 * 8 * 128 * 2, 0},
    {"mixtral-8x7b", 46.7, 12.9, 131072, 131072, 0},
    {"mixtral-8x22b-v0.1", 140.6, 39.1, 229376, 229376, 0},
    {"qwen3-235b-a22b", 235.1, 22.2, 192512, 192512, 0},
    {"qwen3-30b-a3b", 30.5, 3.35, 98304, 98304, 0},
    {"qwen3-30b-a3b-fp8", 30.5, 3.35, 98304, 98304, 0},
    {"qwen3-coder-480b-a35b", 480.2, 35.5, 253952, 253952, 0},
    {"llama-4-maverick-17b-128e-instruct", 400.7, 17.2, 196608, 12 * 4096, 36.0 * 4096 * 8192},
    {"llama-4-scout-17b-16e-instruct", 107.73, 17.2, 196608, 12 * 4096, 36.0 * 4096 * 8192},
    {"gpt-oss-120b", 116.8, 0, 73728, 36864, 128 * 36864},
    {"hy3", 295, 21, 327680, 327680, 0},
    {"minimax-m2.7", 0, 0, 253952, 253952, 0},
    {"mimo-v2-flash", 0, 0, 9 * 2560 + 39 * 5120, 9 * 2560, 39 * 128 * 5120},
    {"gemma-4-26b-a4b", 0, 0, 25 * 8192 + 5 * 4096, 5 * 4096, 25.0 * 1024 * 8192},
    {"deepseek-v3", 671, 37.6, 70272, 70272, 0},
    {"deepseek-v3.2", 671, 0, 70272, 70272 + 61 * 132, 0},
    {"deepseek-v4-flash", 0, 0, 43 * 1024, 21 * (256 + 33) + 20 * 8, 43 * 128 * 1024},
    {"glm-5.2-nvfp4", 743, 41.1, 44928, 44928 + 21 * 132, 0},
    {"kimi-k2", 1026, 32.9, 70272, 70272, 0},
    {"kimi-k2.5", 1026, 32.9, 70272, 70272, 0},
    {"kimi-k3", 0, 0, 24 * 1152, 24 * 1152, 69.0 * (96 * 128 * 128 * 4 + 3 * 3 * 96 * 128 * 2)},
    {"nemotron-3-nano-30b-a3b", 0, 0, 6144, 6144,
     23.0 * (64 * 128 * 64 * 4 + 3 * (2 * 8 * 128 + 64 * 64) * 2)},
    {"nemotron-super-49b", 0, 0, 49 * 4096, 49 * 4096, 0},
    {"qwen3.5-27b", 0, 0, 65536, 65536,
     48.0 * (48 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 48 * 128) * 2)},
    {"qwen3.5-397b-a17b", 0, 0, 30720, 30720,
     45.0 * (64 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 64 * 128) * 2)},
};

static void is_within(const char *name, const char *what, double got, double want, double within) {
    if (want > 0.0 && fabs(got / want - 1.0) > within)
        fail_msg("%s: %.0f %s, published %.0f", name, got, what, want);
}

static void test_published_files(void **state) {
    (void)state;
    size_t count = sizeof published / sizeof published[0];
    assert_int_equal(count, 33);
    for (size_t i = 0; i < count; i++) {
        const char *name = published[i].name;
        rc_model m = {0};
        rc_error err = {0};
        if (model_file("models", name, &m, &err) != RC_OK)
            fail_msg("%s: %s", name, err.msg);
        is_within(name, "parameters", rc_model_params(&m), 1e9 * published[i].billions, 0.005);
        is_within(name, "of a token", rc_model_active_params(&m), 1e9 * published[i].active, 0.016);
        if (rc_model_kv_bytes(&m, m.quant.kv) != published[i].kv_bytes ||
            rc_model_growth_gpu(&m, 1, m.quant.kv) != published[i].grows ||
            rc_model_fixed_gpu(&m, 1, m.quant.kv) != published[i].fixed)
            fail_msg("%s: %.0f bytes of KV a token, %.0f of which grow, %.0f of windows and states",
                     name, rc_model_kv_bytes(&m, m.quant.kv),
                     rc_model_growth_gpu(&m, 1, m.quant.kv), rc_model_fixed_gpu(&m, 1, m.quant.kv));
    }
}

/* What forms hold is what the projections of the model come to, which types are counted by. */
static void test_projections(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        rc_model m = {0};
        double all = 0.0;
        assert_int_equal(model_file("models", published[i].name, &m, NULL), RC_OK);
        for (int k = 0; k < m.kinds; k++)
            for (int p = 0; p < RC_PROJS; p++)
                all +=
                    rc_model_layers_of(&m, k) * rc_projection_elements(&m, &m.kind[k], (rc_proj)p);
        double held = rc_model_attn_params(&m) + rc_model_ffn_params(&m);
        if (fabs(all / held - 1.0) > 2e-6) /* numbers a token, which forms count among vectors */
            fail_msg("%s: projections %.0f, forms %.0f", published[i].name, all, held);
    }
}

/* Architectures with formulas of their own: the sums of the tensors in the published checkpoints,
 * or, to three digits, the sizes that the makers print. */
static const struct {
    const char *what, *text;
    double params, within, kv_bytes;
    int head_dim;
} own[] = {
    {"Phi-4",
     "{architectures: [Phi3ForCausalLM], model_type: phi3, hidden_size: 5120, "
     "intermediate_size: 17920, num_attention_heads: 40, num_hidden_layers: 40, "
     "num_key_value_heads: 10, vocab_size: 100352, sliding_window: null, "
     "max_position_embeddings: 16384}",
     14659507200.0, 0, 40 * 2 * 10 * 128 * 2, 128},
    {"Phi-3-mini-128k: its window is longer than its context",
     "{architectures: [Phi3ForCausalLM], model_type: phi3, hidden_size: 3072, "
     "intermediate_size: 8192, num_attention_heads: 32, num_hidden_layers: 32, "
     "num_key_value_heads: 32, vocab_size: 32064, sliding_window: 262144, "
     "max_position_embeddings: 131072}",
     3821079552.0, 0, 393216, 96},
    {"Phi-4-mini: tied, part of each head rotated",
     "{architectures: [Phi3ForCausalLM], model_type: phi3, hidden_size: 3072, "
     "intermediate_size: 8192, num_attention_heads: 24, num_hidden_layers: 32, "
     "num_key_value_heads: 8, vocab_size: 200064, tie_word_embeddings: true, "
     "partial_rotary_factor: 0.75, sliding_window: 262144, max_position_embeddings: 131072}",
     3836021760.0, 0, 131072, 128},
    {"Granite 3.1 8B: tied, multipliers",
     "{architectures: [GraniteForCausalLM], model_type: granite, hidden_size: 4096, "
     "intermediate_size: 12800, num_attention_heads: 32, num_hidden_layers: 40, "
     "num_key_value_heads: 8, vocab_size: 49155, tie_word_embeddings: true, "
     "embedding_multiplier: 12.0, logits_scaling: 16.0, max_position_embeddings: 131072}",
     8.17e9, 5e-3, 163840, 128},
    {"Seed-OSS 36B: head_dim of its own, biases of q, k and v",
     "{architectures: [SeedOssForCausalLM], model_type: seed_oss, hidden_size: 5120, "
     "intermediate_size: 27648, num_attention_heads: 80, num_hidden_layers: 64, "
     "num_key_value_heads: 8, head_dim: 128, attention_bias: true, attention_out_bias: false, "
     "vocab_size: 155136}",
     36.15e9, 2e-3, 262144, 128},
    {"OLMo 2 32B: norms over all heads of q and k",
     "{architectures: [Olmo2ForCausalLM], model_type: olmo2, hidden_size: 5120, "
     "intermediate_size: 27648, num_attention_heads: 40, num_hidden_layers: 64, "
     "num_key_value_heads: 8, vocab_size: 100352}",
     32.2e9, 2e-3, 262144, 128},
    {"SmolLM3 3B: layers without rotary embeddings, tied by default",
     "{architectures: [SmolLM3ForCausalLM], model_type: smollm3, hidden_size: 2048, "
     "intermediate_size: 11008, num_attention_heads: 16, num_hidden_layers: 36, "
     "num_key_value_heads: 4, vocab_size: 128256, no_rope_layer_interval: 4}",
     3.08e9, 5e-3, 73728, 128},
    {"InternLM2.5 7B",
     "{architectures: [InternLM2ForCausalLM], model_type: internlm2, hidden_size: 4096, "
     "intermediate_size: 14336, num_attention_heads: 32, num_hidden_layers: 32, "
     "num_key_value_heads: 8, vocab_size: 92544, bias: false}",
     7.74e9, 2e-3, 131072, 128},
    {"ERNIE 4.5 0.3B",
     "{architectures: [Ernie4_5ForCausalLM], model_type: ernie4_5, hidden_size: 1024, "
     "intermediate_size: 3072, num_attention_heads: 16, num_hidden_layers: 18, "
     "num_key_value_heads: 2, head_dim: 128, vocab_size: 103424}",
     0.36e9, 5e-3, 18432, 128},
    {"Mistral Nemo: heads of 128 in a hidden size of 5120",
     "{architectures: [MistralForCausalLM], model_type: mistral, hidden_size: 5120, "
     "intermediate_size: 14336, num_attention_heads: 32, num_hidden_layers: 40, "
     "num_key_value_heads: 8, head_dim: 128, vocab_size: 131072, sliding_window: null}",
     12247782400.0, 0, 163840, 128},
    {"Ministral 8B: a window as long as its context",
     "{architectures: [MistralForCausalLM], model_type: mistral, hidden_size: 4096, "
     "intermediate_size: 12288, num_attention_heads: 32, num_hidden_layers: 36, "
     "num_key_value_heads: 8, head_dim: 128, vocab_size: 131072, sliding_window: 32768, "
     "max_position_embeddings: 32768}",
     8.02e9, 5e-3, 147456, 128},
    {"Qwen2.5-VL 7B: text keys beside vision_config",
     "{architectures: [Qwen2_5_VLForConditionalGeneration], model_type: qwen2_5_vl, "
     "hidden_size: 3584, intermediate_size: 18944, num_attention_heads: 28, "
     "num_hidden_layers: 28, num_key_value_heads: 4, vocab_size: 152064, "
     "vision_config: {depth: 32, hidden_size: 1280}, rope_scaling: {type: mrope}}",
     7615616512.0, 0, 57344, 128},
    {"Llama 2 7B: neither rope_theta nor KV heads",
     "{architectures: [LlamaForCausalLM], model_type: llama, hidden_act: silu, "
     "hidden_size: 4096, intermediate_size: 11008, num_attention_heads: 32, "
     "num_hidden_layers: 32, vocab_size: 32000}",
     6738415616.0, 0, 524288, 128},
    {"LLaVA 1.5 7B: what equals Llama's defaults is left out of text_config",
     "{architectures: [LlavaForConditionalGeneration], model_type: llava, text_config: "
     "{_name_or_path: lmsys/vicuna-7b-v1.5, architectures: [LlamaForCausalLM], "
     "model_type: llama, max_position_embeddings: 4096, vocab_size: 32064}}",
     6738415616.0 + 2.0 * 64 * 4096, 0, 524288, 128},
    {"LLaVA 1.6 of Mistral 7B: eight KV heads by default",
     "{architectures: [LlavaNextForConditionalGeneration], model_type: llava_next, "
     "text_config: {architectures: [MistralForCausalLM], model_type: mistral, "
     "intermediate_size: 14336, max_position_embeddings: 32768, rope_theta: 1000000.0, "
     "sliding_window: null, vocab_size: 32064}}",
     7241732096.0 + 2.0 * 64 * 4096, 0, 131072, 128},
};

static void test_own_formulas(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        rc_model m;
        rc_error err = {0};
        if (model_text(own[i].text, &m, &err) != RC_OK)
            fail_msg("%s: %s", own[i].what, err.msg);
        if (fabs(rc_model_params(&m) / own[i].params - 1.0) > own[i].within)
            fail_msg("%s: %.0f parameters, published %.0f", own[i].what, rc_model_params(&m),
                     own[i].params);
        assert_true(rc_model_kv_bytes(&m, RC_BF16) == own[i].kv_bytes);
        assert_int_equal(m.kind[0].head_dim, own[i].head_dim);
        /* the memory of one GPU that holds the whole model counts the same parameters */
        assert_true(rc_model_weight_bytes(&m, RC_BF16, RC_BF16) == 2.0 * rc_model_params(&m));
    }
}

/* Biases of every kind are parameters, and memory counts them. */
static void test_biases(void **state) {
    (void)state;
    static const char with[] =
        "{architectures: [LlamaForCausalLM], hidden_size: 512, intermediate_size: 1024, "
        "num_attention_heads: 8, num_key_value_heads: 2, num_hidden_layers: 3, vocab_size: 1000, "
        "attention_bias: %s, mlp_bias: %s}";
    char text[512];
    rc_model none, attention, both;
    (void)snprintf(text, sizeof text, with, "false", "false");
    assert_int_equal(model_text(text, &none, NULL), RC_OK);
    (void)snprintf(text, sizeof text, with, "true", "false");
    assert_int_equal(model_text(text, &attention, NULL), RC_OK);
    (void)snprintf(text, sizeof text, with, "true", "true");
    assert_int_equal(model_text(text, &both, NULL), RC_OK);
    double qkvo = 3.0 * (512 + 2 * 128 + 512), ffn = 3.0 * (2 * 1024 + 512);
    assert_true(rc_model_params(&attention) - rc_model_params(&none) == qkvo);
    assert_true(rc_model_params(&both) - rc_model_params(&attention) == ffn);
    assert_true(rc_model_weight_bytes(&both, RC_BF16, RC_BF16) == 2.0 * rc_model_params(&both));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_files),
        cmocka_unit_test(test_projections),
        cmocka_unit_test(test_own_formulas),
        cmocka_unit_test(test_biases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
