/* Files that surprise: each is read right, or refused for its own reason and with a way on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/model_file.h"
#include "sim/schedule/totals.h"

/* tests/data/configs: all but the quantised ones (test_model_quantised.c). */
static void test_files(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double params, kv_bytes;
        int64_t context;
        const char *words; /* of a note where it is read, of the error where it is not */
        rc_status status;
    } t[] = {
        {"arch_null", 70553706496.0, 327680, 131072, NULL, RC_OK},
        {"bom", 70553706496.0, 327680, 131072, NULL, RC_OK},
        {"dup", 70553706496.0, 327680, 131072, "'torch_dtype' stands twice", RC_OK},
        {"kv_null", 79948947456.0, 2621440, 131072, NULL, RC_OK},
        {"mtp", 70553706496.0, 327680, 131072, "num_nextn_predict_layers", RC_OK},
        {"nan", 70553706496.0, 327680, 131072, NULL, RC_OK},
        {"no_max_pos", 70553706496.0, 327680, 2048, NULL, RC_OK},
        {"no_rope_theta", 70553706496.0, 327680, 131072, NULL, RC_OK},
        {"phi4", 14659507200.0, 204800, 16384, NULL, RC_OK},
        {"rope_params_nested", 70553706496.0, 327680, 131072, NULL, RC_OK},
        {"text_config", 23572403200.0, 163840, 131072, "text decoder of Mistral3", RC_OK},
        {"trillion", 70553706496.0, 327680, 131072, NULL, RC_OK},
        {"window_qwen", 70554525696.0, 327680, 131072, NULL, RC_OK},
        {"decilm_llama", 0, 0, 0, "'block_configs' is not modelled: layers that differ in shape",
         RC_E_UNMODELLED},
        {"mistral_window_large", 0, 0, 0,
         "Where no sequence is longer than the window, it changes nothing", RC_E_UNMODELLED},
        {"phi3mini_suggested", 0, 0, 0, "'model_type' phi3, which are two architectures",
         RC_E_INPUT},
        {"qwen25_1m_raw", 0, 0, 0, "delete the key to model full attention instead",
         RC_E_UNMODELLED},
        {"suggest_minimax", 0, 0, 0, "missing key 'num_experts_per_tok'", RC_E_INPUT},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_model m = {0};
        rc_error err = {0};
        rc_status st = model_file("configs", t[i].name, &m, &err);
        if (st != t[i].status)
            fail_msg("%s: status %d: %s", t[i].name, (int)st, err.msg);
        assert_null(strstr(err.msg, "did you mean"));
        if (st != RC_OK) {
            if (strstr(err.msg, t[i].words) == NULL)
                fail_msg("%s: %s", t[i].name, err.msg);
            continue;
        }
        if (rc_model_params(&m) != t[i].params || m.context != t[i].context ||
            rc_model_kv_bytes(&m, m.quant.kv) != t[i].kv_bytes)
            fail_msg("%s: %.0f parameters, %.0f bytes, context %lld", t[i].name,
                     rc_model_params(&m), rc_model_kv_bytes(&m, m.quant.kv), (long long)m.context);
        if (t[i].words == NULL ? m.notes.count != 0 : !model_says(&m.notes, t[i].words))
            fail_msg("%s: %d notes, the first '%s'", t[i].name, m.notes.count, m.notes.text[0]);
    }
}

#define SHAPE                                                                                      \
    "hidden_size: 512, intermediate_size: 1024, num_attention_heads: 4, num_hidden_layers: 2, "    \
    "vocab_size: 1000"

/* A key that changes what a layer computes refuses the file, under a name that is read and under
 * one that nobody has heard of. */
static void test_keys(void **state) {
    (void)state;
    static const struct {
        const char *key, *why;
    } t[] = {
        {"num_local_experts: 8", "mixture of experts"},
        {"num_experts: 128", "mixture of experts"},
        {"n_routed_experts: 64", "mixture of experts"},
        {"moe_intermediate_size: 768", "mixture of experts"},
        {"moe_num_experts: 16", "mixture of experts"},
        {"ffn_config: {moe_num_experts: 16}", "mixture of experts"},
        {"kv_lora_rank: 512", "multi-head latent attention"},
        {"state_size: 16", "state-space"},
        {"mamba_d_state: 128", "state-space"},
        {"mamba_n_heads: 24", "state-space"},
        {"ssm_cfg: {layer: Mamba2}", "state-space"},
        {"layers_block_type: [mamba, attention]", "state-space"},
        {"layer_types: [full_attention, recurrent]", "state-space"},
        {"lru_width: 2560", "state-space"},
        {"layer_types: [linear_attention, full_attention]", "linear attention"},
        {"block_types: [recurrent, attention]", "state-space"},
        {"mlp_layer_types: [mamba, dense]", "state-space"},
        {"linear_attn_config: {num_heads: 8}", "linear attention"},
        {"attn_type_list: [1, 0]", "linear attention"},
        {"index_topk: 2048", "sparse attention"},
        {"layer_types: [full_attention, sparse_attention]", "sparse attention"},
        {"layer_types: [full_attention, attention_moe]", "mixture of experts"},
        {"sparse_attention_config: {block: 64}", "sparse attention"},
        {"dual_chunk_attention_config: {chunk_size: 8192}", "dual-chunk"},
        {"attention_chunk_size: 8192", "sliding window or chunk"},
        {"sliding_window_pattern: 6", "sliding window or chunk"},
        {"swa_num_attention_heads: 64", "sliding window or chunk"},
        {"block_configs: [{ffn: {ffn_mult: 2.6}}]", "layers that differ in shape"},
        {"num_key_value_heads_per_layer: [4, 2]", "layers that differ in shape"},
        {"num_kv_shared_layers: 10", "share one KV cache"},
        {"cla_share_factor: 2", "share one KV cache"},
        {"cross_attention_layers: [1]", "cross-attention"},
        {"is_encoder_decoder: true", "encoder"},
        {"use_parallel_residual: true", "side by side"},
        {"position_embedding_type: alibi", "ALiBi"},
        {"attn_output_gate: true", "a gate on the attention output"},
        {"hc_mult: 4", "residual streams"},
        {"head_dim: 128, v_head_dim: 64", "values of another width"},
    };
    static const char *const names[] = {"LlamaForCausalLM", "Qwen3ForCausalLM", "Phi3ForCausalLM",
                                        "QuuxForCausalLM"};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            char text[512];
            rc_model m;
            rc_error err = {0};
            (void)snprintf(text, sizeof text, "{architectures: [%s], " SHAPE ", %s}", names[k],
                           t[i].key);
            if (model_text(text, &m, &err) != RC_E_UNMODELLED || strstr(err.msg, t[i].why) == NULL)
                fail_msg("%s with %s: %s", names[k], t[i].key, err.msg);
        }
    }
}

/* The same keys with values that say "none" are harmless. */
static void test_harmless_keys(void **state) {
    (void)state;
    static const char *const t[] = {
        "num_local_experts: 1",
        "num_experts: null",
        "moe_layer_freq: 1",
        "moe_intermediate_size: 0",
        "kv_lora_rank: null",
        "mamba_d_state: null",
        "attention_chunk_size: null",
        "block_configs: []",
        "pruned_heads: {}",
        "is_encoder_decoder: false",
        "layer_types: [full_attention, full_attention]",
        "attn_type_list: [1, 1]",
        "add_cross_attention: false",
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, "{architectures: [LlamaForCausalLM], " SHAPE ", %s}",
                       t[i]);
        if (model_text(text, &m, &err) != RC_OK)
            fail_msg("%s: %s", t[i], err.msg);
    }
}

/* Names alone, with keys that tell nothing. */
static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *words;
    } t[] = {
        {"MixtralForCausalLM", "without experts"},
        {"Qwen9MoeForCausalLM", "mixture of experts"},
        {"FalconMambaForCausalLM", "state-space"},
        {"Zamba2ForCausalLM", "state-space"},
        {"BambaForCausalLM", "state-space"},
        {"Rwkv6ForCausalLM", "state-space"},
        {"DeepseekV2ForCausalLM", "multi-head latent attention"},
        {"DeepseekV3ForCausalLM", "without experts"},
        {"Gemma2ForCausalLM", "sliding window"},
        {"CohereForCausalLM", "side by side"},
        {"T5ForConditionalGeneration", "encoder"},
        {"BertForMaskedLM", "encoder"},
        {"GPT2LMHeadModel", "an FFN without a gate"},
        {"OPTForCausalLM", "an FFN without a gate"},
        {"MllamaForConditionalGeneration", "cross-attention"},
        {"OpenELMForCausalLM", "layers that differ in shape"},
        {"NemotronHForCausalLM", "without the order of its layers"},
        {"DeciLMForCausalLM", "without the order of its layers"},
        {"QuuxForCausalLM", "is not known, so neither is what its layers compute"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, "{architectures: [%s], " SHAPE "}", t[i].name);
        if (model_text(text, &m, &err) != RC_E_UNMODELLED || strstr(err.msg, t[i].words) == NULL)
            fail_msg("%s: %s", t[i].name, err.msg);
        assert_null(strstr(err.msg, "did you mean"));
    }
}

/* Only a spelling is corrected; a name that another model has, or could have, never is. */
static void test_suggestions(void **state) {
    (void)state;
    static const struct {
        const char *name, *meant; /* NULL: nothing may be suggested */
    } t[] = {
        {"LamaForCausalLM", "LlamaForCausalLM"},
        {"LlmaaForCausalLM", "LlamaForCausalLM"},
        {"llamaforcausallm", "LlamaForCausalLM"},
        {"Qwen3ForCausalML", "Qwen3ForCausalLM"},
        {"Mistral ForCausalLM", "MistralForCausalLM"},
        {"Granit ForCausalLM", "GraniteForCausalLM"},
        {"Qwen4ForCausalLM", NULL},
        {"Qwen3NextForCausalLM", NULL},
        {"QwenForCausalLM", NULL},
        {"Llama4ForCausalLM", NULL},
        {"Llama5ForCausalLM", NULL},
        {"LlavaForCausalLM", NULL},
        {"MixtralForCausalLM", NULL},
        {"MinistralForCausalLM", NULL},
        {"Mistral4ForCausalLM", NULL},
        {"Phi4ForCausalLM", NULL},
        {"PhiForCausalLM", NULL},
        {"Phi3SmallForCausalLM", NULL},
        {"Olmo3ForCausalLM", NULL},
        {"OlmoeForCausalLM", NULL},
        {"GraniteMoeForCausalLM", NULL},
        {"MiniMaxM2ForCausalLM", NULL},
        {"MambaForCausalLM", NULL},
        {"GemmaForCausalLM", NULL},
        {"CohereForCausalLM", NULL},
        {"FalconMambaForCausalLM", NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, "{architectures: ['%s'], " SHAPE "}", t[i].name);
        assert_int_equal(model_text(text, &m, &err), RC_E_UNMODELLED);
        const char *hint = strstr(err.msg, "did you mean");
        if (t[i].meant == NULL ? hint != NULL : hint == NULL || !strstr(hint, t[i].meant))
            fail_msg("%s: %s", t[i].name, err.msg);
    }
    rc_model m;
    rc_error err = {0};
    assert_int_equal(
        model_text("{architectures: [LamaForCausalLM], model_type: lama, " SHAPE "}", &m, &err),
        RC_E_UNMODELLED);
    assert_null(strstr(err.msg, "did you mean")); /* it has a type of its own: another model */
}

/* An unknown architecture with heads or an activation that cannot be timed. */
static void test_numbers(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
    assert_int_equal(model_text("{architectures: [QuuxForCausalLM], hidden_act: relu2, "
                                "head_dim: 96, " SHAPE "}",
                                &m, &err),
                     RC_E_UNMODELLED);
    assert_non_null(strstr(err.msg, "the activation 'relu2', not silu"));
    assert_non_null(strstr(err.msg, "a head dimension of 96 (attention was measured for 128)"));
}

/* Of a model that wraps its decoder, what speaks against it may stand in either map, and is said once. */
static void test_wrapped(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{architectures: [QuuxForConditionalGeneration], ssm_state: 1, text_config: {" SHAPE "}}",
        "{architectures: [QuuxForConditionalGeneration], text_config: {ssm_state: 1, " SHAPE "}}",
    };
    for (size_t i = 0; i < 2; i++) {
        rc_model m;
        rc_error err = {0};
        assert_int_equal(model_text(texts[i], &m, &err), RC_E_UNMODELLED);
        const char *found = strstr(err.msg, "(key 'ssm_state')");
        if (!found || strstr(found + sizeof "(key 'ssm_state", "ssm_state"))
            fail_msg("%s", err.msg);
    }
}

/* The same where the architecture is one that is read. */
static void test_wrapped_and_known(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{architectures: [Mistral3ForConditionalGeneration], %stext_config: {model_type: mistral, "
        "sliding_window: null, num_key_value_heads: 4, " SHAPE "}}",
        "{architectures: [Mistral3ForConditionalGeneration], text_config: {model_type: mistral, "
        "sliding_window: null, num_key_value_heads: 4, %s" SHAPE "}}",
    };
    for (size_t i = 0; i < 2; i++)
        for (int with = 0; with < 2; with++) {
            char text[512];
            rc_model m;
            rc_error err = {0};
            (void)snprintf(text, sizeof text, texts[i], with ? "ssm_state: 1, " : "");
            if (model_text(text, &m, &err) != (with ? RC_E_UNMODELLED : RC_OK) ||
                (with && !strstr(err.msg, "'ssm_state'")))
                fail_msg("%s: %s", text, err.msg);
        }
}

/* Of an architecture that nobody has heard of a window is a reason, unless the file says that it is not used. */
static void test_windows_of_unknown_ones(void **state) {
    (void)state;
    static const struct {
        const char *keys;
        bool told;
    } t[] = {{"sliding_window: 512", true},
             {"sliding_window: 1", true},
             {"sliding_window: 0", false},
             {"sliding_window: null", false},
             {"sliding_window: 512, use_sliding_window: true", true},
             {"sliding_window: 512, use_sliding_window: false", false},
             {"use_sliding_window: true", false},
             {"layer_types: [full_attention, sliding_attention]", true},
             {"layer_types: [chunked_attention, full_attention]", true},
             {"layer_types: [full_attention, full_attention]", false}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, "{architectures: [QuuxForCausalLM], " SHAPE ", %s}",
                       t[i].keys);
        assert_int_equal(model_text(text, &m, &err), RC_E_UNMODELLED);
        if ((strstr(err.msg, "sliding window or chunk") != NULL) != t[i].told)
            fail_msg("%s: %s", t[i].keys, err.msg);
    }
}

static void test_nothing_named(void **state) {
    (void)state;
    rc_model m;
    rc_error err = {0};
    assert_int_equal(model_text("{" SHAPE "}", &m, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "neither 'architectures' nor 'model_type' says what model"));
    assert_int_equal(model_text("{architectures: [], " SHAPE "}", &m, &err), RC_E_INPUT);
    assert_int_equal(model_text("{model_type: llama, " SHAPE "}", &m, &err), RC_OK);
    assert_int_equal(model_text("{model_type: granitemoe, " SHAPE "}", &m, &err), RC_E_UNMODELLED);
    assert_int_equal(
        model_text("{architectures: [LlamaForCausalLM], model_type: own, " SHAPE "}", &m, &err),
        RC_OK);
    assert_true(model_says(&m.notes, "model_type 'own' is not LlamaForCausalLM's"));
}

/* Windows that no layer uses, and windows that one does. */
static void test_windows(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rc_status status;
    } t[] = {
        {"architectures: [Qwen2ForCausalLM], use_sliding_window: true, sliding_window: 512, "
         "max_window_layers: 2",
         RC_OK}, /* of 2 layers none is above the second */
        {"architectures: [Qwen2ForCausalLM], use_sliding_window: true, sliding_window: 512, "
         "max_window_layers: 1",
         RC_E_UNMODELLED},
        {"architectures: [Qwen2ForCausalLM], use_sliding_window: true, sliding_window: 512", RC_OK},
        {"architectures: [Qwen2ForCausalLM], use_sliding_window: true, sliding_window: 32768, "
         "max_window_layers: 0, max_position_embeddings: 32768",
         RC_OK}, /* as long as the context */
        {"architectures: [Qwen2ForCausalLM], use_sliding_window: true, sliding_window: 32768, "
         "max_window_layers: 0, max_position_embeddings: 32768, "
         "rope_scaling: {type: yarn, factor: 4.0, original_max_position_embeddings: 32768}",
         RC_E_UNMODELLED}, /* the context is 131072 */
        {"architectures: [Qwen3ForCausalLM], use_sliding_window: false, sliding_window: 512, "
         "max_window_layers: 0",
         RC_OK},
        {"architectures: [Qwen3ForCausalLM], sliding_window: 512, use_sliding_window: true, "
         "layer_types: [full_attention, full_attention]",
         RC_OK},
        {"architectures: [Qwen3ForCausalLM], sliding_window: 512, "
         "layer_types: [full_attention, sliding_attention]",
         RC_E_UNMODELLED},
        {"architectures: [MistralForCausalLM]", RC_E_UNMODELLED},
        {"architectures: [MistralForCausalLM], sliding_window: null", RC_OK},
        {"architectures: [MistralForCausalLM], max_position_embeddings: 4096", RC_OK},
        {"architectures: [LlamaForCausalLM], sliding_window: 512",
         RC_OK}, /* Llama reads no such key */
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[768];
        rc_model m;
        rc_error err = {0};
        (void)snprintf(text, sizeof text, "{%s, num_key_value_heads: 4, " SHAPE "}", t[i].text);
        if (model_text(text, &m, &err) != t[i].status)
            fail_msg("%s: %s", t[i].text, err.msg);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_harmless_keys),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nothing_named),
        cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_wrapped_and_known),
        cmocka_unit_test(test_windows_of_unknown_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
