/* Why a configuration cannot be modelled.
 *
 * A publisher's file carries dozens of keys that say nothing about shape (token ids, dropout,
 * library versions), so unknown keys are passed over. What must never be passed over is a key that
 * changes what a layer computes. Such keys are looked for in every file: under an architecture that
 * is read they refuse it, and under one that nobody has heard of they are the reason that the user
 * is told. Names decide only where keys are silent.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/model/reading.h"

typedef enum reason {
    MOE,
    MLA,
    SSM,
    LINEAR,
    SPARSE,
    DUAL_CHUNK,
    WINDOW,
    VARIED,
    SHARED_KV,
    CROSS,
    ENCODER,
    PARALLEL,
    UNGATED,
    ALIBI,
    GATED_ATTENTION,
    RESIDUAL_STREAMS,
    VALUE_WIDTH,
    LAYER_INPUTS,
    REASONS
} reason;

static const char *const words[REASONS] = {
    [MOE] = "a mixture of experts: FFN work depends on routing",
    [MLA] = "multi-head latent attention (MLA)",
    [SSM] = "state-space (SSM) or recurrent layers",
    [LINEAR] = "linear attention layers",
    [SPARSE] = "sparse attention",
    [DUAL_CHUNK] = "dual-chunk attention (delete the key to model full attention instead)",
    [WINDOW] = "layers that attend to a sliding window or chunk",
    [VARIED] = "layers that differ in shape",
    [SHARED_KV] = "layers that share one KV cache",
    [CROSS] = "cross-attention",
    [ENCODER] = "an encoder or encoder-decoder",
    [PARALLEL] = "attention and FFN side by side",
    [UNGATED] = "an FFN without a gate",
    [ALIBI] = "ALiBi biases on the scores",
    [GATED_ATTENTION] = "a gate on the attention output",
    [RESIDUAL_STREAMS] = "several residual streams (hyper-connections)",
    [VALUE_WIDTH] = "values of another width than keys",
    [LAYER_INPUTS] = "embeddings of their own for every layer",
};

/* A key speaks when it holds a number above `above`, true, a text, or a list or map with something
 * in it. A name that ends in '*' stands for every key that begins so. */
typedef struct sign {
    const char *key;
    reason why;
    double above;
} sign;

static const sign signs[] = {
    {"num_local_experts", MOE, 1},
    {"num_experts", MOE, 1},
    {"n_routed_experts", MOE, 0},
    {"moe_*", MOE, 0},
    {"enable_moe_block", MOE, 0},
    {"ffn_config.moe_num_experts", MOE, 1},
    {"expert_layer_period", MOE, 0},
    {"kv_lora_rank", MLA, 0},
    {"qk_rope_head_dim", MLA, 0},
    {"state_size", SSM, 0},
    {"ssm_*", SSM, 0},
    {"mamba_*", SSM, 0},
    {"mamba2_*", SSM, 0},
    {"layers_block_type", SSM, 0},
    {"hybrid_override_pattern", SSM, 0},
    {"attn_layer_indices", SSM, 0},
    {"attn_layer_period", SSM, 0},
    {"lru_width", SSM, 0},
    {"rwkv_*", SSM, 0},
    {"time_mix_*", SSM, 0},
    {"conv_L_cache", SSM, 0},
    {"linear_attn_config", LINEAR, 0},
    {"linear_num_key_heads", LINEAR, 0},
    {"linear_key_head_dim", LINEAR, 0},
    {"lightning_*", LINEAR, 0},
    {"kda_*", LINEAR, 0},
    {"full_attention_interval", LINEAR, 1},
    {"index_topk", SPARSE, 0},
    {"index_n_heads", SPARSE, 0},
    {"compress_ratios", SPARSE, 0},
    {"nsa_*", SPARSE, 0},
    {"sparse_*", SPARSE, 0},
    {"blocksparse_*", SPARSE, 0},
    {"attention_sink_size", SPARSE, 0},
    {"dual_chunk_attention_config", DUAL_CHUNK, 0},
    {"attention_chunk_size", WINDOW, 0},
    {"sliding_window_pattern", WINDOW, 1},
    {"sliding_window_size", WINDOW, 0},
    {"interleaved_sliding_window", WINDOW, 0},
    {"hybrid_layer_pattern", WINDOW, 0},
    {"swa_*", WINDOW, 0},
    {"global_attn_every_n_layers", WINDOW, 1},
    {"attention_types", WINDOW, 0},
    {"local_attention*", WINDOW, 0},
    {"block_configs", VARIED, 0},
    {"num_key_value_heads_per_layer", VARIED, 0},
    {"num_query_heads", VARIED, 0},
    {"ffn_multipliers", VARIED, 0},
    {"layer_configs", VARIED, 0},
    {"per_layer_config", VARIED, 0},
    {"pruned_heads", VARIED, 0},
    {"num_kv_shared_layers", SHARED_KV, 0},
    {"use_cla", SHARED_KV, 0},
    {"cla_share_factor", SHARED_KV, 1},
    {"cross_attention_layers", CROSS, 0},
    {"add_cross_attention", CROSS, 0},
    {"is_encoder_decoder", ENCODER, 0},
    {"encoder_layers", ENCODER, 0},
    {"type_vocab_size", ENCODER, 0},
    {"parallel_attn", PARALLEL, 0},
    {"use_parallel_residual", PARALLEL, 0},
    {"n_inner", UNGATED, 0},
    {"alibi", ALIBI, 0},
    {"use_alibi", ALIBI, 0},
    {"attn_output_gate", GATED_ATTENTION, 0},
    {"use_attention_gate", GATED_ATTENTION, 0},
    {"hc_mult", RESIDUAL_STREAMS, 1},
    {"hidden_size_per_layer_input", LAYER_INPUTS, 0},
};
enum { SIGNS = sizeof signs / sizeof signs[0] };

/* Names, and parts of names, of models whose keys do not tell. */
static const struct {
    const char *part;
    reason why;
} named[] = {
    {"Moe", MOE},
    {"MoE", MOE},
    {"Dbrx", MOE},
    {"Mixtral", MOE},
    {"Grok", MOE},
    {"Arctic", MOE},
    {"GptOss", MOE},
    {"Llama4", MOE},
    {"Mamba", SSM},
    {"Jamba", SSM},
    {"Bamba", SSM},
    {"Zamba", SSM},
    {"Rwkv", SSM},
    {"RWKV", SSM},
    {"RecurrentGemma", SSM},
    {"NemotronH", SSM},
    {"Lfm2", SSM},
    {"xLSTM", SSM},
    {"FalconH1", SSM},
    {"RetNet", LINEAR},
    {"MiniMaxText", LINEAR},
    {"Qwen3Next", LINEAR},
    {"KimiLinear", LINEAR},
    {"DeepseekV2", MLA},
    {"DeepseekV3", MLA},
    {"MiniCPM3", MLA},
    {"Gemma2", WINDOW},
    {"Gemma3", WINDOW},
    {"Cohere2", WINDOW},
    {"Olmo3", WINDOW},
    {"GPTNeoForCausalLM", WINDOW},
    {"DeciLM", VARIED},
    {"OpenELM", VARIED},
    {"Mllama", CROSS},
    {"Cohere", PARALLEL},
    {"GPTJ", PARALLEL},
    {"T5For", ENCODER},
    {"T5Model", ENCODER},
    {"T5Gemma", ENCODER},
    {"Bart", ENCODER},
    {"Bert", ENCODER},
    {"BERT", ENCODER},
    {"Whisper", ENCODER},
    {"Pegasus", ENCODER},
    {"Marian", ENCODER},
    {"Electra", ENCODER},
    {"ForSeq2Seq", ENCODER},
    {"ForMaskedLM", ENCODER},
    {"ModernBert", ENCODER},
    {"GPT2", UNGATED},
    {"GPTNeoX", UNGATED},
    {"GPTBigCode", UNGATED},
    {"OPTFor", UNGATED},
    {"Bloom", UNGATED},
    {"Falcon", UNGATED},
    {"PhiFor", UNGATED},
    {"MPTFor", UNGATED},
    {"Starcoder2", UNGATED},
    {"NemotronFor", UNGATED},
    {"ArceeFor", UNGATED},
    {"ApertusFor", UNGATED},
};
enum { NAMED = sizeof named / sizeof named[0] };

/* Keys that are read of architectures whose layers are read one by one (mixers.c, ffns.c). */
static bool read_of_mixed(const char *key) {
    static const char *const keys[] = {"num_local_experts",
                                       "num_experts",
                                       "n_routed_experts",
                                       "enable_moe_block",
                                       "moe_intermediate_size",
                                       "moe_shared_expert_intermediate_size",
                                       "moe_router_activation_func",
                                       "moe_renormalize",
                                       "kv_lora_rank",
                                       "qk_rope_head_dim",
                                       "ssm_state_size",
                                       "mamba_num_heads",
                                       "mamba_head_dim",
                                       "mamba_hidden_act",
                                       "mamba_ssm_cache_dtype",
                                       "hybrid_override_pattern",
                                       "linear_attn_config",
                                       "linear_num_key_heads",
                                       "linear_key_head_dim",
                                       "full_attention_interval",
                                       "index_topk",
                                       "index_n_heads",
                                       "compress_ratios",
                                       "attention_chunk_size",
                                       "sliding_window_size",
                                       "hybrid_layer_pattern",
                                       "swa_rope_theta",
                                       "swa_num_attention_heads",
                                       "swa_num_key_value_heads",
                                       "swa_head_dim",
                                       "swa_v_head_dim",
                                       "block_configs",
                                       "attn_output_gate",
                                       "hc_mult",
                                       "v_head_dim",
                                       "global_head_dim",
                                       "layer_types",
                                       "mlp_layer_types",
                                       NULL};
    for (int i = 0; keys[i] != NULL; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* One reason in the words of a user: which keys speak for it. */
typedef struct finding {
    bool mixed;                 /* keys that are read of such architectures do not count */
    const rc_node *at[REASONS]; /* the value of the first key that speaks; NULL: none does */
    char key[REASONS][64];
} finding;

const rc_node *rc_config_given(const rc_node *map, const char *key) {
    assert(map != NULL && key != NULL);
    const rc_node *n = rc_node_get(map, key);
    return n != NULL && !rc_node_is_null(n) ? n : NULL;
}

static bool speaks(const rc_node *n, double above) {
    if (n == NULL || rc_node_is_null(n))
        return false;
    if (rc_node_kind_of(n) != RC_NODE_SCALAR)
        return rc_node_count(n) > 0;
    const char *text = rc_node_text(n);
    char *end = NULL;
    double v = strtod(text, &end);
    if (end != text && *end == '\0')
        return v > above;
    return text[0] != '\0' && strcmp(text, "false") != 0 && strcmp(text, "False") != 0;
}

/* Is every item of the list `word`? */
static bool all_are(const rc_node *list, const char *word) {
    for (size_t i = 0; i < rc_node_count(list); i++)
        if (strcmp(rc_node_text(rc_node_at(list, i)), word) != 0)
            return false;
    return true;
}

/* Keys that speak against a model only with some values. */
static bool harmless(const char *key, const rc_node *n) {
    bool list = rc_node_kind_of(n) == RC_NODE_LIST;
    if (strcmp(key, "layers_block_type") == 0)
        return list && all_are(n, "attention");
    if (strcmp(key, "hybrid_layer_pattern") == 0)
        return list && all_are(n, "0");
    if (strcmp(key, "mamba_ssm_dtype") == 0 || strcmp(key, "moe_layer_freq") == 0)
        return true; /* say nothing where no other key of their kind stands */
    return false;
}

static void add(finding *f, reason why, const char *key, const rc_node *at) {
    if (f->at[why] != NULL || (f->mixed && read_of_mixed(key)))
        return;
    f->at[why] = at;
    (void)snprintf(f->key[why], sizeof f->key[why], "%s", key);
}

static void look_at_prefix(const rc_node *map, const sign *s, finding *f) {
    size_t n = strlen(s->key) - 1;
    for (size_t i = 0; i < rc_node_count(map); i++) {
        const char *key = rc_node_key(map, i);
        const rc_node *v = rc_node_value(map, i);
        if (strncmp(key, s->key, n) == 0 && speaks(v, s->above) && !harmless(key, v))
            add(f, s->why, key, v);
    }
}

static void look_at_key(const rc_node *map, const sign *s, finding *f) {
    char outer[64];
    const char *dot = strchr(s->key, '.'), *key = s->key;
    const rc_node *in = map;
    if (dot != NULL) {
        (void)snprintf(outer, sizeof outer, "%.*s", (int)(dot - s->key), s->key);
        in = rc_node_get(map, outer);
        key = dot + 1;
        if (in == NULL || rc_node_kind_of(in) != RC_NODE_MAP)
            return;
    }
    const rc_node *v = rc_node_get(in, key);
    if (speaks(v, s->above) && !harmless(key, v))
        add(f, s->why, s->key, v);
}

/* Kinds of layers, by the names that layer_types and its kin give them. */
static void look_at_layers(const rc_node *map, const char *key, finding *f) {
    const rc_node *types = rc_config_given(map, key);
    if (types == NULL || rc_node_kind_of(types) != RC_NODE_LIST)
        return;
    for (size_t i = 0; i < rc_node_count(types); i++) {
        const rc_node *t = rc_node_at(types, i);
        const char *word = rc_node_text(t);
        if (strstr(word, "linear") != NULL)
            add(f, LINEAR, key, t);
        else if (strstr(word, "mamba") != NULL || strstr(word, "recurrent") != NULL ||
                 strstr(word, "conv") != NULL)
            add(f, SSM, key, t);
        else if (strstr(word, "sparse") != NULL && strcmp(key, "layer_types") == 0)
            add(f, SPARSE, key, t);
        else if (strstr(word, "moe") != NULL)
            add(f, MOE, key, t);
    }
}

/* MiniMax marks each layer: 1 is attention over all tokens, 0 is linear attention. */
static void look_at_attention_list(const rc_node *map, finding *f) {
    const rc_node *list = rc_config_given(map, "attn_type_list");
    if (list == NULL || rc_node_kind_of(list) != RC_NODE_LIST)
        return;
    for (size_t i = 0; i < rc_node_count(list); i++)
        if (strcmp(rc_node_text(rc_node_at(list, i)), "0") == 0)
            add(f, LINEAR, "attn_type_list", rc_node_at(list, i));
}

static void look_at_widths(const rc_node *map, finding *f) {
    static const char *const lists[] = {"num_attention_heads", "num_key_value_heads",
                                        "intermediate_size", NULL};
    for (int i = 0; lists[i] != NULL; i++) {
        const rc_node *n = rc_config_given(map, lists[i]);
        if (n != NULL && rc_node_kind_of(n) == RC_NODE_LIST)
            add(f, VARIED, lists[i], n);
    }
    const rc_node *v = rc_config_given(map, "v_head_dim"), *k = rc_config_given(map, "head_dim");
    if (v != NULL && k != NULL && strcmp(rc_node_text(v), rc_node_text(k)) != 0)
        add(f, VALUE_WIDTH, "v_head_dim", v);
    const rc_node *global = rc_config_given(map, "global_head_dim");
    if (global != NULL && k != NULL && strcmp(rc_node_text(global), rc_node_text(k)) != 0)
        add(f, VARIED, "global_head_dim", global);
    const rc_node *position = rc_config_given(map, "position_embedding_type");
    if (position != NULL && strcmp(rc_node_text(position), "alibi") == 0)
        add(f, ALIBI, "position_embedding_type", position);
}

/* Windows, of an architecture that is not read: nobody knows which layers have them. */
static void look_at_windows(const rc_node *map, finding *f) {
    const rc_node *types = rc_config_given(map, "layer_types");
    for (size_t i = 0; types != NULL && i < rc_node_count(types); i++) {
        const char *word = rc_node_text(rc_node_at(types, i));
        if (strstr(word, "sliding") != NULL || strstr(word, "chunked") != NULL)
            add(f, WINDOW, "layer_types", rc_node_at(types, i));
    }
    const rc_node *use = rc_config_given(map, "use_sliding_window");
    const rc_node *window = rc_node_get(map, "sliding_window");
    if (speaks(window, 0.0) && (use == NULL || speaks(use, 0.0)))
        add(f, WINDOW, "sliding_window", window);
}

static void look(const rc_node *map, finding *f) {
    for (int i = 0; i < SIGNS; i++) {
        if (signs[i].key[strlen(signs[i].key) - 1] == '*')
            look_at_prefix(map, &signs[i], f);
        else
            look_at_key(map, &signs[i], f);
    }
    look_at_layers(map, "layer_types", f);
    look_at_layers(map, "block_types", f);
    look_at_layers(map, "mlp_layer_types", f);
    look_at_attention_list(map, f);
    look_at_widths(map, f);
}

rc_status rc_config_check(const rc_config *c, rc_error *err) {
    assert(c != NULL && c->family != NULL);
    finding f = {.mixed = c->family->mixed};
    look(c->decoder, &f);
    if (c->root != c->decoder)
        look(c->root, &f);
    for (int i = 0; i < REASONS; i++)
        if (f.at[i] != NULL)
            return rc_node_fail(f.at[i], err, RC_E_UNMODELLED,
                                "%s with key '%s' is not modelled: %s", c->family->architecture,
                                f.key[i], words[i]);
    return RC_OK;
}

void rc_config_reasons(const rc_node *root, const rc_node *decoder, char *text, size_t size) {
    finding f = {0};
    assert(root != NULL && decoder != NULL && size > 0);
    look(decoder, &f);
    look_at_windows(decoder, &f);
    if (root != decoder)
        look(root, &f);
    text[0] = '\0';
    for (int i = 0; i < REASONS; i++) {
        size_t n = strlen(text);
        if (f.at[i] != NULL && n < size)
            (void)snprintf(text + n, size - n, "%s%s (key '%s')", n > 0 ? "; " : "", words[i],
                           f.key[i]);
    }
}

const char *rc_reason_of_name(const char *architecture) {
    assert(architecture != NULL);
    for (int i = 0; i < NAMED; i++)
        if (strstr(architecture, named[i].part) != NULL)
            return words[named[i].why];
    return NULL;
}
