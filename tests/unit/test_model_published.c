/* Published configurations: read with the published number of parameters and the exact bytes of KV,
 * or refused for the reason that their makers' papers give.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tests/support/model_file.h"
#include "sim/schedule/totals.h"

/* Billions of parameters as the makers print them; KV bytes of a token in the type that the
 * checkpoint states: layers x 2 x KV heads x head dimension x bytes. */
static const struct {
    const char *name;
    double billions, kv_bytes;
    const char *why; /* NULL: it is read; else words that the refusal must have */
} published[] = {
    {"llama-3.1-8b", 8.03, 131072, NULL},
    {"llama-3.1-70b", 70.55, 327680, NULL},
    {"llama-3.1-405b", 405.85, 516096, NULL},
    {"llama-3.1-70b-fp8", 70.55, 163840, NULL},
    {"qwen2.5-72b-instruct", 72.7, 80 * 2 * 8 * 128 * 2, NULL},
    {"qwen2.5-7b-instruct-1m", 7.61, 28 * 2 * 4 * 128 * 2, NULL},
    {"qwen3-32b", 32.76, 64 * 2 * 8 * 128 * 2, NULL},
    {"qwen3-32b-fp8", 32.76, 64 * 2 * 8 * 128 * 2, NULL},
    {"qwen3-vl-32b", 32.76, 64 * 2 * 8 * 128 * 2, NULL},
    {"mixtral-8x7b", 46.7, 0, "mixture of experts"},
    {"mixtral-8x22b-v0.1", 140.6, 0, "mixture of experts"},
    {"qwen3-235b-a22b", 235.1, 0, "mixture of experts"},
    {"qwen3-30b-a3b", 30.5, 0, "mixture of experts"},
    {"qwen3-30b-a3b-fp8", 30.5, 0, "mixture of experts"},
    {"qwen3-coder-480b-a35b", 480.2, 0, "mixture of experts"},
    {"llama-4-maverick-17b-128e-instruct", 400.7, 0, "mixture of experts"},
    {"llama-4-scout-17b-16e-instruct", 108.6, 0, "mixture of experts"},
    {"gpt-oss-120b", 116.8, 0, "mixture of experts"},
    {"hy3", 295, 0, "mixture of experts"},
    {"minimax-m2.7", 0, 0, "mixture of experts"},
    {"mimo-v2-flash", 0, 0, "sliding window"},
    {"gemma-4-26b-a4b", 0, 0, "sliding window"},
    {"deepseek-v3", 671, 0, "multi-head latent attention"},
    {"deepseek-v3.2", 671, 0, "sparse attention"},
    {"deepseek-v4-flash", 0, 0, "sparse attention"},
    {"glm-5.2-nvfp4", 743, 0, "multi-head latent attention"},
    {"kimi-k2", 1026, 0, "multi-head latent attention"},
    {"kimi-k2.5", 0, 0, "multi-head latent attention"},
    {"kimi-k3", 0, 0, "linear attention"},
    {"nemotron-3-nano-30b-a3b", 0, 0, "state-space"},
    {"nemotron-super-49b", 0, 0, "layers that differ in shape"},
    {"qwen3.5-27b", 0, 0, "linear attention"},
    {"qwen3.5-397b-a17b", 0, 0, "mixture of experts"},
};

static void test_published_files(void **state) {
    (void)state;
    size_t count = sizeof published / sizeof published[0];
    assert_int_equal(count, 33);
    for (size_t i = 0; i < count; i++) {
        rc_model m = {0};
        rc_error err = {0};
        rc_status st = model_file("models", published[i].name, &m, &err);
        if (published[i].why != NULL) {
            if (st != RC_E_UNMODELLED || strstr(err.msg, published[i].why) == NULL)
                fail_msg("%s: status %d: %s", published[i].name, (int)st, err.msg);
            assert_null(strstr(err.msg, "did you mean"));
            assert_true(err.line > 0);
            continue;
        }
        if (st != RC_OK)
            fail_msg("%s: %s", published[i].name, err.msg);
        double off = rc_model_params(&m) / (1e9 * published[i].billions) - 1.0;
        if (fabs(off) > 0.005)
            fail_msg("%s: %.0f parameters, published %g billion", published[i].name,
                     rc_model_params(&m), published[i].billions);
        if (rc_model_kv_bytes(&m, m.quant.kv) != published[i].kv_bytes)
            fail_msg("%s: %.0f bytes of KV a token", published[i].name,
                     rc_model_kv_bytes(&m, m.quant.kv));
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
        cmocka_unit_test(test_own_formulas),
        cmocka_unit_test(test_biases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
