/* The architectures whose formulas are known: dense decoders with grouped queries and a gated FFN,
 * and below them those whose layers are of several kinds or not dense.
 *
 * They differ in biases, in norms on q and k, in which layers see a window, and in what the
 * transformers library assumes when a file leaves a key out. Multipliers of embeddings and
 * residuals (Granite), partial rotary embeddings (Phi-4-mini), layers without rotary embeddings
 * (SmolLM3), a scale on queries at long context (Ministral 3) and the place of the norms (OLMo 2)
 * change no matrix product and no byte of the KV cache.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>

#include "sim/model/reading.h"

#define NEVER                                                                                      \
    { NULL, false }
#define ALWAYS                                                                                     \
    { NULL, true }
#define KEY(name, otherwise)                                                                       \
    { name, otherwise }
#define MIXED(architecture, type, hidden, ffn, layers, heads, kv, dim, vocab, positions, norm)     \
    {                                                                                              \
        architecture, type, hidden, ffn, layers, heads, kv, dim, vocab, positions, 1e4, false,     \
            KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),    \
            norm, RC_WINDOW_NONE, 0, 0, true                                                       \
    }

/* clang-format off */
static const rc_family families[] = {
    {"LlamaForCausalLM", "llama",
     4096, 11008, 32, 32, 0, 0, 32000, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0, false},
    {"MistralForCausalLM", "mistral",
     4096, 14336, 32, 32, 8, 0, 32000, 131072, 1e4, false,
     NEVER, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_ALL, 4096, 0, false},
    {"Ministral3ForCausalLM", "ministral3",
     4096, 14336, 34, 32, 8, 128, 131072, 262144, 1e6, false,
     NEVER, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_ALL, 0, 0, false},
    {"Qwen2ForCausalLM", "qwen2",
     4096, 22016, 32, 32, 32, 0, 151936, 32768, 1e4, false,
     ALWAYS, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_SWITCH, 4096, 28, false},
    {"MiMoForCausalLM", "mimo",
     4096, 11008, 36, 32, 8, 0, 151680, 32768, 64e4, false,
     ALWAYS, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_SWITCH, 4096, 28, false},
    {"Qwen3ForCausalLM", "qwen3",
     4096, 22016, 32, 32, 32, 128, 151936, 32768, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), NEVER,
     RC_QK_NORM_HEAD, RC_WINDOW_SWITCH, 4096, 28, false},
    {"Phi3ForCausalLM", "phi3",
     3072, 8192, 32, 32, 0, 0, 32064, 4096, 1e4, false,
     NEVER, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_ALL, 0, 0, false},
    {"GraniteForCausalLM", "granite",
     4096, 11008, 32, 32, 0, 0, 32000, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0, false},
    {"SeedOssForCausalLM", "seed_oss",
     4096, 27648, 64, 80, 8, 128, 155136, 524288, 1e7, false,
     KEY("attention_bias", true), KEY("attention_out_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0, false},
    {"Olmo2ForCausalLM", "olmo2",
     4096, 11008, 32, 32, 0, 0, 50304, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), NEVER,
     RC_QK_NORM_FULL, RC_WINDOW_NONE, 0, 0, false},
    {"SmolLM3ForCausalLM", "smollm3",
     2048, 11008, 36, 16, 4, 0, 128256, 32768, 2e6, true,
     KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_SWITCH, 0, 0, false},
    {"InternLM2ForCausalLM", "internlm2",
     4096, 11008, 32, 32, 0, 0, 103168, 2048, 1e4, false,
     KEY("bias", true), KEY("bias", true), NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0, false},
    {"HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense",
     4096, 11008, 32, 32, 0, 0, 290943, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), NEVER,
     RC_QK_NORM_HEAD, RC_WINDOW_NONE, 0, 0, false},
    {"Ernie4_5ForCausalLM", "ernie4_5",
     1024, 3072, 18, 16, 2, 128, 103424, 131072, 5e5, true,
     KEY("use_bias", false), KEY("use_bias", false), KEY("use_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0, false},
    /* Layers of several kinds, or not dense: read one by one (mixed.c). */
    MIXED("MixtralForCausalLM", "mixtral", 4096, 14336, 32, 32, 8, 0, 32000, 131072, RC_QK_NORM_NONE),
    MIXED("Qwen3MoeForCausalLM", "qwen3_moe", 2048, 6144, 24, 32, 4, 128, 151936, 32768,
          RC_QK_NORM_HEAD),
    MIXED("Qwen3_5ForCausalLM", "qwen3_5_text", 4096, 12288, 32, 16, 4, 256, 248320, 32768,
          RC_QK_NORM_HEAD),
    MIXED("Qwen3_5MoeForCausalLM", "qwen3_5_moe_text", 2048, 5632, 40, 16, 2, 256, 248320, 32768,
          RC_QK_NORM_HEAD),
    MIXED("DeepseekV3ForCausalLM", "deepseek_v3", 7168, 18432, 61, 128, 128, 0, 129280, 4096,
          RC_QK_NORM_NONE),
    MIXED("DeepseekV32ForCausalLM", "deepseek_v32", 7168, 18432, 61, 128, 128, 0, 129280, 163840,
          RC_QK_NORM_NONE),
    MIXED("DeepseekV4ForCausalLM", "deepseek_v4", 4096, 2048, 43, 64, 1, 512, 129280, 1048576,
          RC_QK_NORM_NONE),
    MIXED("GlmMoeDsaForCausalLM", "glm_moe_dsa", 6144, 12288, 78, 64, 64, 0, 154880, 202752,
          RC_QK_NORM_NONE),
    MIXED("KimiLinearForCausalLM", "kimi_linear", 7168, 33792, 93, 96, 96, 0, 163840, 1048576,
          RC_QK_NORM_NONE),
    MIXED("GptOssForCausalLM", "gpt_oss", 2880, 2880, 36, 64, 8, 64, 201088, 131072,
          RC_QK_NORM_NONE),
    MIXED("Llama4ForCausalLM", "llama4_text", 5120, 8192, 48, 40, 8, 128, 202048, 131072,
          RC_QK_NORM_NONE),
    MIXED("Gemma4ForCausalLM", "gemma4_text", 2304, 9216, 30, 8, 4, 256, 262144, 131072,
          RC_QK_NORM_HEAD),
    MIXED("MiMoV2FlashForCausalLM", "mimo_v2_flash", 4096, 16384, 48, 64, 4, 192, 152576, 262144,
          RC_QK_NORM_NONE),
    MIXED("MiniMaxM2ForCausalLM", "minimax_m2", 3072, 1536, 62, 48, 8, 128, 200064, 196608,
          RC_QK_NORM_FULL),
    MIXED("HYV3ForCausalLM", "hy_v3", 4096, 13312, 80, 64, 8, 128, 120832, 262144, RC_QK_NORM_HEAD),
    MIXED("NemotronHForCausalLM", "nemotron_h", 2688, 1856, 52, 32, 2, 128, 131072, 262144,
          RC_QK_NORM_NONE),
    MIXED("DeciLMForCausalLM", "nemotron-nas", 8192, 28672, 80, 64, 8, 128, 128256, 131072,
          RC_QK_NORM_NONE),
};
/* clang-format on */
enum { FAMILIES = sizeof families / sizeof families[0] };

/* Other names of the same decoders: an older spelling, and the text decoders of multi-modal
 * models. */
static const struct {
    const char *architecture, *model_type, *family;
} aliases[] = {
    {"LLaMAForCausalLM", NULL, "LlamaForCausalLM"},
    {"Qwen2VLForConditionalGeneration", "qwen2_vl", "Qwen2ForCausalLM"},
    {NULL, "qwen2_vl_text", "Qwen2ForCausalLM"},
    {"Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", "Qwen2ForCausalLM"},
    {NULL, "qwen2_5_vl_text", "Qwen2ForCausalLM"},
    {NULL, "qwen3_vl_text", "Qwen3ForCausalLM"},
    {NULL, "kimi_k2", "DeepseekV3ForCausalLM"},
};
enum { ALIASES = sizeof aliases / sizeof aliases[0] };

const rc_family *rc_family_of_architecture(const char *word) {
    assert(word != NULL);
    for (int i = 0; i < ALIASES; i++)
        if (aliases[i].architecture != NULL && strcmp(word, aliases[i].architecture) == 0)
            word = aliases[i].family;
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(word, families[i].architecture) == 0)
            return &families[i];
    return NULL;
}

const rc_family *rc_family_of_model_type(const char *word) {
    assert(word != NULL);
    for (int i = 0; i < ALIASES; i++)
        if (aliases[i].model_type != NULL && strcmp(word, aliases[i].model_type) == 0)
            return rc_family_of_architecture(aliases[i].family);
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(word, families[i].model_type) == 0)
            return &families[i];
    return NULL;
}

const char *rc_model_architecture(int i) {
    assert(i >= 0);
    return i < FAMILIES ? families[i].architecture : NULL;
}
