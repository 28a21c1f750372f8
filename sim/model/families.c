/* The architectures whose formulas are known: dense decoders with grouped queries and a gated FFN.
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

/* clang-format off */
static const rc_family families[] = {
    {"LlamaForCausalLM", "llama",
     4096, 11008, 32, 32, 0, 0, 32000, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0},
    {"MistralForCausalLM", "mistral",
     4096, 14336, 32, 32, 8, 0, 32000, 131072, 1e4, false,
     NEVER, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_ALL, 4096, 0},
    {"Ministral3ForCausalLM", "ministral3",
     4096, 14336, 34, 32, 8, 128, 131072, 262144, 1e6, false,
     NEVER, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_ALL, 0, 0},
    {"Qwen2ForCausalLM", "qwen2",
     4096, 22016, 32, 32, 32, 0, 151936, 32768, 1e4, false,
     ALWAYS, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_SWITCH, 4096, 28},
    {"MiMoForCausalLM", "mimo",
     4096, 11008, 36, 32, 8, 0, 151680, 32768, 64e4, false,
     ALWAYS, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_SWITCH, 4096, 28},
    {"Qwen3ForCausalLM", "qwen3",
     4096, 22016, 32, 32, 32, 128, 151936, 32768, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), NEVER,
     RC_QK_NORM_HEAD, RC_WINDOW_SWITCH, 4096, 28},
    {"Phi3ForCausalLM", "phi3",
     3072, 8192, 32, 32, 0, 0, 32064, 4096, 1e4, false,
     NEVER, NEVER, NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_ALL, 0, 0},
    {"GraniteForCausalLM", "granite",
     4096, 11008, 32, 32, 0, 0, 32000, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0},
    {"SeedOssForCausalLM", "seed_oss",
     4096, 27648, 64, 80, 8, 128, 155136, 524288, 1e7, false,
     KEY("attention_bias", true), KEY("attention_out_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0},
    {"Olmo2ForCausalLM", "olmo2",
     4096, 11008, 32, 32, 0, 0, 50304, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), NEVER,
     RC_QK_NORM_FULL, RC_WINDOW_NONE, 0, 0},
    {"SmolLM3ForCausalLM", "smollm3",
     2048, 11008, 36, 16, 4, 0, 128256, 32768, 2e6, true,
     KEY("attention_bias", false), KEY("attention_bias", false), KEY("mlp_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_SWITCH, 0, 0},
    {"InternLM2ForCausalLM", "internlm2",
     4096, 11008, 32, 32, 0, 0, 103168, 2048, 1e4, false,
     KEY("bias", true), KEY("bias", true), NEVER,
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0},
    {"HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense",
     4096, 11008, 32, 32, 0, 0, 290943, 2048, 1e4, false,
     KEY("attention_bias", false), KEY("attention_bias", false), NEVER,
     RC_QK_NORM_HEAD, RC_WINDOW_NONE, 0, 0},
    {"Ernie4_5ForCausalLM", "ernie4_5",
     1024, 3072, 18, 16, 2, 128, 103424, 131072, 5e5, true,
     KEY("use_bias", false), KEY("use_bias", false), KEY("use_bias", false),
     RC_QK_NORM_NONE, RC_WINDOW_NONE, 0, 0},
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
